"""Named lists of codes, each code with its span of validity, each list in one or several editions.

A list may be asked for by its key (`sex`), by the standard's number (`GB/T 2261.1`), or pinned to an edition
(`gbt4754@2017`, `GB/T 4754-2017`). Unpinned, a day chooses the edition: each holds from its day until its end or until
the next begins; before the first and after the last the nearest stands in.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import zip_longest

from datong.standards.contracts import Code, CodeListUnknown, Edition, EditionKind, Succession
from datong.standards.snapshot import Shelf, load_shelf

INDUSTRY_SECTION_ENDS = (
    (5, "A"), (12, "B"), (43, "C"), (46, "D"), (50, "E"), (52, "F"), (60, "G"), (62, "H"), (65, "I"), (69, "J"),
    (70, "K"), (72, "L"), (75, "M"), (79, "N"), (82, "O"), (83, "P"), (85, "Q"), (90, "R"), (96, "S"), (97, "T"),
)  # fmt: skip
"""The last 大类 of each 门类 (GB/T 4754-2017)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeList:
    """A standard set of values. `confirmed` is False where the standard's text was not at hand when it was written.

    Unpinned, `edition` is the latest and `codes` are those of all editions, each within its edition's time.
    """

    name: str
    edition: str
    title_zh: str
    title_en: str
    source: str
    confirmed: bool
    codes: tuple[Code, ...]
    succession: tuple[Succession, ...] = ()
    editions: tuple[str, ...] = ()

    def find(self, code: str, on: dt.date | None = None) -> Code | None:
        """The entry of a code, valid on the day if one is given; of several spans, the latest."""
        found = [entry for entry in self.codes if entry.code == code and (on is None or entry.is_valid_on(on))]
        return found[-1] if found else None

    def has(self, code: str, on: dt.date | None = None) -> bool:
        return self.find(code, on) is not None

    def values(self, on: dt.date | None = None) -> tuple[str, ...]:
        """The codes valid on the day, or all that there ever were, in the list's order."""
        return tuple(dict.fromkeys(entry.code for entry in self.codes if on is None or entry.is_valid_on(on)))

    def titles(self, language: str = "zh", on: dt.date | None = None) -> Mapping[str, str]:
        """code → title; the Chinese title stands in where there is no English one."""
        english = language.startswith("en")
        return {
            entry.code: (entry.title_en if english else "") or entry.title_zh
            for entry in self.codes
            if on is None or entry.is_valid_on(on)
        }


def get_code_list(name: str) -> CodeList:
    """The list of that key, standard number or pinned edition; CodeListUnknown names those that exist."""
    shelf = load_shelf()
    found = _find_list(shelf.stamp, name)
    if found is None:
        known = sorted({edition.name for edition in _of_codes(shelf)})
        raise CodeListUnknown(
            f"Known lists: {', '.join(known)}.", hint_zh=f"已有代码集：{'、'.join(known)}。", name=name, known=known
        )
    return found


def find_code_lists() -> list[CodeList]:
    """All lists, by key, with all their editions."""
    names = sorted({edition.name for edition in _of_codes(load_shelf())})
    return [get_code_list(name) for name in names]


def find_editions(name: str) -> list[Edition]:
    """The editions of one list, oldest first, each with `valid_to` as it comes out beside the others."""
    return in_force([edition for edition in _of_codes(load_shelf()) if edition.name == name])


def in_force(editions: list[Edition]) -> list[Edition]:
    """Editions in order of time, an open end closed by the next one's beginning. Of several that begin on the same day,
    the imported one stands, and a shipped one beside it is dropped.

    A table of divisions holds its own history: of several the one that reaches furthest stands alone.
    """
    if editions and editions[0].kind is EditionKind.DIVISIONS:
        return [max(editions, key=lambda e: (not e.is_shipped, e.covers_to or dt.date.max))]
    ordered = sorted(editions, key=lambda e: (e.valid_from or dt.date.min, e.is_shipped))
    first_of_day: dict[dt.date, Edition] = {}
    for edition in ordered:
        first_of_day.setdefault(edition.valid_from or dt.date.min, edition)
    kept = list(first_of_day.values())
    following = [edition.valid_from for edition in kept[1:]]
    return [
        replace(edition, valid_to=_earlier(edition.valid_to, end))
        for edition, end in zip_longest(kept, following, fillvalue=None)
        if edition is not None
    ]


def industry_section_of(code: str) -> str | None:
    """The letter A–T of a 大类, 中类 or 小类 code of GB/T 4754-2017 (2 to 4 digits), or of the letter itself."""
    if len(code) == 1:
        return code if get_code_list("industry_section").has(code) else None
    if not (2 <= len(code) <= 4 and code.isascii() and code.isdigit()):
        return None
    division = int(code[:2])
    return next((section for last, section in INDUSTRY_SECTION_ENDS if 1 <= division <= last), None)


def _of_codes(shelf: Shelf) -> list[Edition]:
    return shelf.of_kind(EditionKind.CODES, EditionKind.DIVISIONS)


def plain_number(text: str) -> str:
    """A standard's number for comparing: `GB/T 4754-2017` and `gbt4754—2017` are the same."""
    return text.replace(" ", "").replace("—", "-").replace("/", "").upper()


@lru_cache(maxsize=256)
def _find_list(_stamp: str, name: str) -> CodeList | None:
    """`_stamp` keys the cache: another shelf, another answer."""
    editions = _of_codes(load_shelf())
    key, _, label = name.partition("@")
    if label:
        return next((_as_list(e, [e]) for e in reversed(editions) if e.name == key and e.edition == label), None)
    own = in_force([edition for edition in editions if edition.name == name])
    if own:
        return _merge(own)
    return None if name.isidentifier() else _find_by_number(editions, plain_number(name))


def _find_by_number(editions: list[Edition], number: str) -> CodeList | None:
    """By the standard's number: with its year that edition, without it the list; nothing when several lists have it."""
    exact = [edition for edition in editions if plain_number(edition.source) == number]
    if exact:
        return _as_list(exact[-1], [exact[-1]]) if len({edition.name for edition in exact}) == 1 else None
    named = {e.name for e in editions if plain_number(e.source).rsplit("-", 1)[0] == number}
    return _merge(in_force([e for e in editions if e.name in named])) if len(named) == 1 else None


def _merge(editions: list[Edition]) -> CodeList:
    if len(editions) == 1:
        return _as_list(editions[0], editions)
    codes = []
    for place, edition in enumerate(editions):
        since = None if place == 0 else edition.valid_from
        until = None if edition is editions[-1] else edition.valid_to
        codes += [_within(code, since, until) for code in edition.codes]
    return replace(
        _as_list(editions[-1], editions),
        codes=tuple(code for code in codes if code is not None),
        succession=tuple(step for edition in editions for step in edition.succession),
    )


def _within(code: Code, since: dt.date | None, until: dt.date | None) -> Code | None:
    """The code's span cut to its edition's; None when nothing of it is left."""
    start = max((day for day in (code.valid_from, since) if day is not None), default=None)
    end = _earlier(code.valid_to, until)
    if start is not None and end is not None and start >= end:
        return None
    return replace(code, valid_from=start, valid_to=end)


def _earlier(one: dt.date | None, other: dt.date | None) -> dt.date | None:
    return min((day for day in (one, other) if day is not None), default=None)


def _as_list(edition: Edition, editions: list[Edition]) -> CodeList:
    return CodeList(
        name=edition.name,
        edition=edition.edition,
        title_zh=edition.title_zh,
        title_en=edition.title_en,
        source=edition.source,
        confirmed=edition.confirmed,
        codes=edition.codes,
        succession=edition.succession,
        editions=tuple(each.edition for each in editions),
    )


__all__ = [
    "INDUSTRY_SECTION_ENDS",
    "Code",
    "CodeList",
    "CodeListUnknown",
    "find_code_lists",
    "find_editions",
    "get_code_list",
    "in_force",
    "industry_section_of",
    "plain_number",
]
