"""Checks compiled from contracts, and the scores of what passed through them (GB/T 36344-2018)."""
