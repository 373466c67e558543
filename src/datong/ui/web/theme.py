"""The theme a browser chose: a cookie that the server reads, so that the first byte already has the right colours."""

from __future__ import annotations

from django.http import HttpRequest

COOKIE = "datong-theme"
COOKIE_AGE_S = 365 * 24 * 3600
THEMES = ("light", "dark")


def theme_of(request: HttpRequest | None) -> str:
    """light or dark; light where nothing valid was chosen."""
    chosen = request.COOKIES.get(COOKIE, "") if request is not None else ""
    return chosen if chosen in THEMES else "light"
