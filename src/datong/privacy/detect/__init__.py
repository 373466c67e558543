"""The platform's one detector of personal and other sensitive data."""
