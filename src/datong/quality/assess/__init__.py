"""Conformance assessment 符合性评估: a contract and its table held against the standards, with a signed report."""
