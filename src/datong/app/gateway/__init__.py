"""The public door: the data plane under `/x/`, the audit log under `/audit/`, all else streamed to control."""
