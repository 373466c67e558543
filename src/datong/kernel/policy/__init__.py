"""Permission as a query that explains itself."""
