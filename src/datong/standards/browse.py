"""Looking around in standards: codes by words and through editions, the tree of a list, what became of a place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from datong.standards.code_lists import find_editions, in_force
from datong.standards.contracts import SUCCESSION_TITLES, Code, Edition, EditionKind, Succession
from datong.standards.divisions import NATION_CODE, DivisionEntry, Divisions, national_divisions
from datong.standards.snapshot import load_shelf


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeHit:
    """A code found by words, in the latest edition of its list."""

    edition: Edition
    code: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeLine:
    """A code in a list as a page shows it. `children_count` codes hang directly below it."""

    code: Code
    children_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeInEdition:
    """What one edition says of a code; `code` None: nothing. `change` since the edition before."""

    edition: Edition
    code: Code | None
    change: str
    title_moved_to: str = ""
    """The code that bears this title in the next edition, when it is another one: 集成电路制造 3963 → 3973."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardShelf:
    """One list or set with its editions in order of time, for the overview."""

    name: str
    latest: Edition
    editions: Sequence[Edition]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A succession with the names at both ends."""

    step: Succession
    name: str
    to_name: str

    @property
    def title(self) -> tuple[str, str]:
        return SUCCESSION_TITLES[self.step.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoneDivision:
    """A division that no longer stands, and the codes that stand in its place; empty when that is not known."""

    entry: DivisionEntry
    successors: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DivisionView:
    """Everything that is known of one code on a day."""

    code: str
    entry: DivisionEntry | None
    full_name: str
    path: Sequence[DivisionEntry]
    history: Sequence[DivisionEntry]
    steps: Sequence[Step]
    standing: Sequence[tuple[str, str]]
    came_from: Sequence[Step] = field(default=())


def find_shelves(kind: EditionKind | None = None) -> list[StandardShelf]:
    """Every list and set, by title."""
    grouped: dict[str, list[Edition]] = {}
    for edition in load_shelf().editions:
        if kind is None or edition.kind is kind:
            grouped.setdefault(edition.name, []).append(edition)
    found = []
    for name, editions in grouped.items():
        ordered = in_force(editions)
        found.append(StandardShelf(name=name, latest=ordered[-1], editions=ordered))
    return sorted(found, key=lambda shelf: (shelf.latest.kind, shelf.latest.title_zh))


def find_codes(text: str, day: dt.date, *, limit: int = 50) -> list[CodeHit]:
    """Codes whose code is the text or whose titles have every word of it, exact ones first. Latest editions only."""
    words = text.casefold().split()
    found: list[tuple[int, CodeHit]] = []
    if not words:
        return []
    for shelf in [*find_shelves(EditionKind.CODES), *find_shelves(EditionKind.DIVISIONS)]:
        for code in shelf.latest.codes:
            titles = f"{code.title_zh} {code.title_en}".casefold()
            is_exact = code.code.casefold() == words[0] or code.title_zh == text.strip()
            if (is_exact or all(word in titles for word in words)) and code.is_valid_on(day):
                found.append((0 if is_exact else 1, CodeHit(edition=shelf.latest, code=code)))
    found.sort(key=lambda item: item[0])
    return [hit for _, hit in found[:limit]]


def list_codes(edition: Edition, day: dt.date | None, *, under: str = "", text: str = "") -> list[CodeLine]:
    """The codes directly below one (or at the top), or with words all that have them, valid on the day."""
    valid = [code for code in edition.codes if day is None or code.is_valid_on(day)]
    counts: dict[str, int] = {}
    for code in valid:
        counts[code.parent] = counts.get(code.parent, 0) + 1
    words = text.casefold().split()
    if words:
        shown = [c for c in valid if all(w in f"{c.code} {c.title_zh} {c.title_en}".casefold() for w in words)]
    else:
        shown = [code for code in valid if code.parent == under]
    return [CodeLine(code=code, children_count=counts.get(code.code, 0)) for code in shown]


def path_of(edition: Edition, code: str) -> list[Code]:
    """The codes above one, from the top, itself last; empty for one that is not there."""
    by_code: Mapping[str, Code] = {each.code: each for each in edition.codes}
    path: list[Code] = []
    at = by_code.get(code)
    while at is not None and at not in path:
        path.insert(0, at)
        at = by_code.get(at.parent)
    return path


def code_through_editions(name: str, code: str) -> list[CodeInEdition]:
    """What each edition of a list says of a code, oldest first."""
    found = []
    before: Code | None = None
    editions = find_editions(name)
    for place, edition in enumerate(editions):
        entry = next((each for each in reversed(edition.codes) if each.code == code), None)
        if place == 0 or (before is None and entry is None):
            change = ""
        elif before is None or entry is None:
            change = "added" if before is None else "dropped"
        else:
            change = "retitled" if before.title_zh != entry.title_zh else "same"
        moved = _title_in(editions[place + 1], entry) if entry and place + 1 < len(editions) else ""
        found.append(CodeInEdition(edition=edition, code=entry, change=change, title_moved_to=moved))
        before = entry
    return found


def _title_in(edition: Edition, entry: Code) -> str:
    """The only other code of the same title, deepest level first; empty when the code itself keeps the title."""
    same = [each.code for each in edition.codes if each.title_zh == entry.title_zh]
    return "" if entry.code in same or not same else max(same, key=len)


def view_division(code: str, day: dt.date) -> DivisionView:
    """One code on a day, with its names in time, what it came from and what stands in its place."""
    table = national_divisions()
    entry = table.as_of(code, day)
    path = _path(table, code, day) if entry else []
    history = table.history(code)
    steps = table.successors(code, dt.date.min, dt.date.max)
    return DivisionView(
        code=code,
        entry=entry,
        full_name=table.full_name_at(code, day) or "",
        path=path,
        history=history,
        steps=[_named(table, step) for step in steps],
        standing=[(each, table.name_at(each, day) or "") for each in table.codes_after(code, dt.date.min, day)],
        came_from=[_named(table, step) for step in table.succession if step.to_code == code and step.code != code],
    )


def gone_divisions(code: str, day: dt.date, *, limit: int) -> list[GoneDivision]:
    """Divisions that stood directly below one before the day, latest first, each with its successors."""
    table = national_divisions()
    found = []
    for entry in table.gone_before(code, day)[:limit]:
        last_day = (entry.valid_to or day) - dt.timedelta(days=1)
        codes = table.codes_after(entry.code, last_day, day)
        found.append(
            GoneDivision(entry=entry, successors=[(each, table.full_name_at(each, day) or "") for each in codes])
        )
    return found


def _path(table: Divisions, code: str, day: dt.date) -> list[DivisionEntry]:
    path: list[DivisionEntry] = []
    at = code
    while at:
        entry = table.as_of(at, day)
        if entry is not None:
            path.insert(0, entry)
        at = table.parent(at, day) if at != NATION_CODE else ""
    return path


def _named(table: Divisions, step: Succession) -> Step:
    before = step.on - dt.timedelta(days=1)
    return Step(
        step=step,
        name=_last_name(table, step.code, before),
        to_name=table.name_at(step.to_code, step.on) or _last_name(table, step.to_code, step.on),
    )


def _last_name(table: Divisions, code: str, day: dt.date) -> str:
    found = table.name_at(code, day)
    history = table.history(code)
    return found or (history[-1].name if history else "")
