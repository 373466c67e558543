"""Sharing between agencies: demands, requests, grants, and the data plane that obeys the grants."""
