"""Lineage at column level: where every derived column comes from, what depends on it, and OpenLineage events out."""
