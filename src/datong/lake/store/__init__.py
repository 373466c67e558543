"""The lake's rows in PostgreSQL: versions and the commits that make them."""
