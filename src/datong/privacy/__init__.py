"""How personal data is recognised, masked and measured: one room for all of it."""
