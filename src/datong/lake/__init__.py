"""Tables, versions, change feed, the bounded runner: a DuckLake catalogue per agency, in the platform's PostgreSQL."""
