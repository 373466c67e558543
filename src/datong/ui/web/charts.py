"""A chart as a page holds it: a table with a title. The script draws from the table, so the two cannot disagree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Rows of a label and one value per series. `kind` is line or bar; `floor` is the axis' lowest value."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    kind: str = "line"
    unit: str = ""
    stack: bool = False
    scale: bool = False
    """Let the axis begin near the values instead of at nought."""
    floor: float | None = None
    mark: str = ""
    """A threshold, `value|name`."""
