"""What every template gets: the actor and the page's language."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from datong.kernel.web.requests import actor_of, language_of


def page_frame(request: HttpRequest) -> dict[str, Any]:
    """`actor`, `page_language` (zh-hans | en), `other_languages` as (code, name)."""
    language = language_of(request)
    return {
        "actor": actor_of(request),
        "page_language": language,
        "other_languages": [(code, name) for code, name in settings.LANGUAGES if code != language],
    }
