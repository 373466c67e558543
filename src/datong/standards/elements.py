"""Data elements: found by identifier, by name, by words. Imported editions come before those that ship."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from datong.standards.contracts import Edition, EditionKind, Element, ElementUnknown
from datong.standards.snapshot import load_shelf

COMMON_SET = "common"
"""The dictionary that ships. Other sets are layouts: a table that follows one is expected to have all its elements."""


@dataclass(frozen=True, slots=True)
class PlacedElement:
    """An element and the edition that it stands in."""

    element: Element
    edition: Edition


def get_element(element_id: str) -> Element:
    """The element of that identifier, in the latest edition that has it; ElementUnknown otherwise."""
    found = find_element(element_id)
    if found is None:
        raise ElementUnknown(
            "Search for it: `datong standards list --kind elements --text WORD`.",
            hint_zh="请按名称检索：datong standards list --kind elements --text 关键词。",
            element=element_id,
        )
    return found


def find_element(element_id: str) -> Element | None:
    """The same, None when there is none. A pinned one reads `credit_licence@2018/XK_XDR_MC`."""
    placed = _by_id(load_shelf().stamp).get(element_id)
    return placed.element if placed else None


def find_placed(element_id: str) -> tuple[PlacedElement, ...]:
    """Every edition in which an identifier occurs, oldest first."""
    return tuple(placed for placed in all_elements(load_shelf().stamp) if placed.element.id == element_id)


def find_elements(text: str = "", *, limit: int = 50) -> list[Element]:
    """Elements that have every word of the text in identifier, names, titles, synonyms or meaning; best first.

    Without text all of them, in their sets' order.
    """
    words = text.casefold().split()
    ranked = []
    for place, element in enumerate(current_elements()):
        ranks = [_rank(element, word) for word in words]
        if all(rank is not None for rank in ranks):
            ranked.append((sum(rank or 0 for rank in ranks), place, element))
    ranked.sort(key=lambda item: item[:2])
    return [element for _, _, element in ranked[:limit]]


def current_elements() -> tuple[Element, ...]:
    """Each identifier once, from the latest edition that has it."""
    return _current(load_shelf().stamp)


def _rank(element: Element, word: str) -> int | None:
    """0 a whole name, 1 its beginning, 2 within it, 3 in the meaning only; None where the word does not occur."""
    names = [n.casefold() for n in (element.id, element.name, element.title_zh, element.title_en, *element.synonyms)]
    if word in names:
        return 0
    if any(name.startswith(word) for name in names):
        return 1
    if any(word in name for name in names):
        return 2
    return 3 if word in element.definition.casefold() else None


@lru_cache(maxsize=2)
def _current(stamp: str) -> tuple[Element, ...]:
    by_id = {placed.element.id: placed.element for placed in all_elements(stamp)}
    return tuple(by_id.values())


@lru_cache(maxsize=2)
def _by_id(stamp: str) -> dict[str, PlacedElement]:
    placed = all_elements(stamp)
    pinned = {f"{each.edition.label}/{each.element.id}": each for each in placed}
    return pinned | {each.element.id: each for each in placed}


@lru_cache(maxsize=2)
def all_elements(_stamp: str) -> tuple[PlacedElement, ...]:
    """Of all editions, oldest edition first, imported ones after shipped ones of the same day."""
    return tuple(_placed())


def _placed() -> Iterator[PlacedElement]:
    editions = load_shelf().of_kind(EditionKind.ELEMENTS)
    for edition in sorted(editions, key=_age):
        for element in edition.elements:
            yield PlacedElement(element, edition)


def _age(edition: Edition) -> tuple[dt.date, bool]:
    return edition.valid_from or dt.date.min, not edition.is_shipped
