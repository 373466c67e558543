"""Every change is one action: permission, rule, write, audit row, event, in one PostgreSQL transaction."""
