"""Editions that come with the platform: TOML written by us in `lists/` and `sets/`, from the standards they name."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from datong.standards.contracts import Code, Edition, EditionKind, Element

ELEMENT_WORDS = (
    *("id", "name", "zh", "en", "form", "type", "code_list", "identifier"),
    *("pattern", "unit", "minimum", "maximum", "also", "means"),
)
"""The words of one element in `sets/*.toml`, and the column heads of an element file to import."""


@cache
def shipped_editions() -> tuple[Edition, ...]:
    """All of them, read once."""
    found = [_read_codes(name, table) for name, table in _tables("lists")]
    return (*found, *(_read_elements(name, table) for name, table in _tables("sets")))


def _tables(folder: str) -> list[tuple[str, Mapping[str, Any]]]:
    texts = [
        source.read_text(encoding="utf-8")
        for source in resources.files(__package__).joinpath(folder).iterdir()
        if source.name.endswith(".toml")
    ]
    return [item for text in sorted(texts) for item in tomllib.loads(text).items()]


def _head(name: str, table: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "edition": str(table["edition"]),
        "title_zh": str(table["title_zh"]),
        "title_en": str(table["title_en"]),
        "source": str(table["source"]),
        "valid_from": _day(str(table.get("valid_from", ""))),
        "confirmed": bool(table.get("confirmed", True)),
        "is_shipped": True,
    }


def _read_codes(name: str, table: Mapping[str, Any]) -> Edition:
    return Edition(kind=EditionKind.CODES, codes=tuple(_read_code(row) for row in table["codes"]), **_head(name, table))


def _read_code(row: list[str]) -> Code:
    code, title_zh, title_en, since, until = [*row, *[""] * (5 - len(row))]
    return Code(code=code, title_zh=title_zh, title_en=title_en, valid_from=_day(since), valid_to=_day(until))


def _read_elements(name: str, table: Mapping[str, Any]) -> Edition:
    return Edition(
        kind=EditionKind.ELEMENTS,
        elements=tuple(read_element(row) for row in table["elements"]),
        **_head(name, table),
    )


def read_element(row: Mapping[str, Any]) -> Element:
    """An element from its short words (those of `sets/*.toml`); ValueError names a word that is none of them."""
    unknown = sorted(set(row).difference(ELEMENT_WORDS))
    if unknown:
        raise ValueError(f"unknown words: {', '.join(unknown)}")
    return Element(
        id=str(row["id"]),
        name=str(row["name"]),
        title_zh=str(row["zh"]),
        title_en=str(row.get("en", "")),
        definition=str(row.get("means", "")),
        type=str(row.get("type", "string")),
        form=str(row.get("form", "")),
        code_list=str(row.get("code_list", "")),
        identifier=str(row.get("identifier", "")),
        pattern=str(row.get("pattern", "")),
        unit=str(row.get("unit", "")),
        minimum=_number(row.get("minimum")),
        maximum=_number(row.get("maximum")),
        synonyms=tuple(str(word) for word in row.get("also", ())),
    )


def _number(value: Any) -> float | None:
    return None if value in (None, "") else float(value)


def _day(text: str) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None
