"""Every file form as one plain text table."""
