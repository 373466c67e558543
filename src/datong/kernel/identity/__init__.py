"""Who exists and who may be what: agencies, members, roles, systems and their keys."""
