"""The gateway's own addresses, and which paths never leave it for control."""

from __future__ import annotations

import string

GATEWAY_ENDPOINTS = (
    "/x/v1/verify/{resource}",
    "/x/v1/batch/{resource}",
    "/audit/checkpoint",
    "/audit/tile/{level}/{tile}",
    "/audit/tile/entries/{tile}",
    "/.well-known/datong.json",
    "/.well-known/jwks.json",
    "/healthz",
    "/readyz",
    "/metrics",
)
RANGE_HEADERS = ("range", "if-range", "if-match", "if-none-match")
PATH_SAFE = "/:@!$&'()*+,;=~-._"
"""Characters of a path that are not percent-encoded (RFC 3986 §3.3)."""
QUERY_SAFE = string.digits + string.ascii_letters + string.punctuation
EXCHANGE_PREFIX = "/x/"
AUDIT_PUBLISHED = ("/audit/checkpoint", "/audit/tile/")
UNIX_ONLY_PREFIX = "/-/"
"""Control's addresses for our own processes; from outside they do not exist."""


def split_exchange_path(path: str) -> tuple[str, str]:
    """(mode, resource) of `/x/v1/{mode}/{resource}`; two empty texts for any other path under `/x/`."""
    parts = path.split("/")
    if len(parts) == 5 and parts[2] == "v1" and parts[3] and parts[4]:
        return parts[3], parts[4]
    return "", ""
