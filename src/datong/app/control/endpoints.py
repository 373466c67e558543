"""The control plane's addresses as patterns, such as `/runs/{run_id}/`: for the reference pages and their law."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

_CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlEndpoint:
    """One route: its pattern and the view behind it."""

    pattern: str
    view: Callable[..., Any]

    @property
    def sentence(self) -> str:
        """What the view says of itself in the first paragraph of its docstring; empty where it says nothing."""
        text = (self.view.__doc__ or "").strip().split("\n\n")[0]
        return " ".join(text.split()) if _is_ours(self.view) else ""


def find_control_endpoints() -> list[str]:
    """Every pattern once, sorted. Django must be set up. Static files are WhiteNoise's and have no route."""
    return sorted({endpoint.pattern for endpoint in walk_endpoints()})


def walk_endpoints() -> Iterator[ControlEndpoint]:
    """Every route in the order in which Django tries them."""
    yield from _walk(get_resolver().url_patterns, "/")


def _walk(patterns: Iterable[URLPattern | URLResolver], prefix: str) -> Iterator[ControlEndpoint]:
    for pattern in patterns:
        text = prefix + _CONVERTER.sub(r"{\1}", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, text)
        else:
            yield ControlEndpoint(pattern=text, view=pattern.callback)


def _is_ours(view: Callable[..., Any]) -> bool:
    """Views of other packages describe themselves to their own readers."""
    return getattr(view, "__module__", "").startswith("datong.")
