"""What became of a division: steps from a code to its successors, stated or told by two snapshots of a table.

A table of codes says only that one went and another came. Derived is what is beyond doubt: a code that took another
name (`renamed`), and a place that went and came on the same day under the same name, or the same name but for its level
(`recoded`: 思茅地区 532700 → 思茅市 530800), when it is the only such place. A merger leaves no trace in the codes; it
must be stated, by an imported edition or by `data/successions.toml`, which holds those that we could verify.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from itertools import groupby
from typing import Protocol

from datong.standards.contracts import Succession

_LEVEL_WORDS = re.compile(
    r"(?:[一-龥]{0,4}(?:各族|族))*(?:自治区|自治州|自治县|自治旗|特别行政区|地区|矿区|新区|林区|盟|省|市|区|县|旗)$"
)
_STEM_CHARACTERS_MIN = 2
_NO_PLACE = frozenset(
    ("市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划", "省直辖行政单位", "郊区", "矿区", "市区")
)
"""Rows that stand for a level, and names that many places bear."""


class DatedEntry(Protocol):
    """One code under one name for a time: `DivisionEntry`, `Code`."""

    @property
    def code(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def valid_from(self) -> dt.date | None: ...
    @property
    def valid_to(self) -> dt.date | None: ...


def name_stem(name: str) -> str:
    """A place's name without its level: 思茅地区, 思茅市 → 思茅. A stem of one character keeps its level: 郊区."""
    stem = _LEVEL_WORDS.sub("", name)
    return stem if len(stem) >= _STEM_CHARACTERS_MIN else name


def derive_succession(entries: Iterable[DatedEntry], *, stated: Iterable[Succession] = ()) -> tuple[Succession, ...]:
    """All steps, by day and code. A code of which anything is stated on about that day is left to the statement."""
    given = tuple(stated)
    known = {(step.code, step.on.year) for step in given} | {(step.code, step.on.year + 1) for step in given}
    by_code: dict[str, list[DatedEntry]] = defaultdict(list)
    for entry in entries:
        by_code[entry.code].append(entry)
    derived = _derive(by_code)
    kept = [step for step in derived if (step.code, step.on.year) not in known]
    present = [step for step in given if step.code in by_code]
    return tuple(sorted((*present, *kept), key=lambda step: (step.on, step.code, step.to_code)))


def _derive(by_code: Mapping[str, list[DatedEntry]]) -> list[Succession]:
    """Pair every name that went with one that came at the same snapshot; what is left under the same code was renamed.

    Pairs come first, because a code may pass to another place: 372602 was 新汶市, then 莱芜市, which had been 372621.
    """
    gone: dict[dt.date, list[DatedEntry]] = defaultdict(list)
    came: dict[dt.date, list[DatedEntry]] = defaultdict(list)
    snapshots = sorted({span.valid_to for spans in by_code.values() for span in spans if span.valid_to is not None})
    for spans in by_code.values():
        for span in spans:
            if span.valid_to is not None:
                gone[span.valid_to].append(span)
            if span.valid_from is not None:
                came[_next_snapshot(snapshots, span.valid_from)].append(span)
    found = []
    for day, left in gone.items():
        pairs = list(_pairs(left, came.get(day, [])))
        taken = {after.code for _, after in pairs}
        paired = {before.code for before, _ in pairs}
        arrived = {after.code: after for after in came.get(day, [])}
        renamed = [
            (before, arrived[before.code])
            for before in left
            if before.code in arrived and before.code not in taken and before.code not in paired
        ]
        found += [_step(before, after, day) for before, after in (*pairs, *renamed)]
    return found


def _next_snapshot(snapshots: list[dt.date], day: dt.date) -> dt.date:
    """A new code counts from the day after a snapshot; what it came in place of ended with the next one."""
    place = bisect_left(snapshots, day)
    return snapshots[place] if place < len(snapshots) else day


def _step(before: DatedEntry, after: DatedEntry, day: dt.date) -> Succession:
    return Succession(
        code=before.code,
        to_code=after.code,
        on=day,
        kind="renamed" if before.code == after.code else "recoded",
        note=before.name if before.name == after.name else f"{before.name} → {after.name}",
        is_derived=True,
    )


def _pairs(left: list[DatedEntry], right: list[DatedEntry]) -> Iterator[tuple[DatedEntry, DatedEntry]]:
    """Unique pairs, surest first: of the same level before others, by name before stem, near before far.

    Across levels only the whole name counts: a county-level city may become a prefecture of the same name, but a
    prefecture and its seat often share their stem.
    """
    free_left = {entry.code: entry for entry in left if entry.name not in _NO_PLACE}
    free_right = {entry.code: entry for entry in right}
    for is_same_level, is_by_stem in ((True, False), (True, True), (False, False)):
        for digits in (4, 2, 0):

            def key_of(entry: DatedEntry) -> tuple[str, ...]:
                level = _level(entry.code) if is_same_level else ""  # noqa: B023 - called within this turn only
                name = name_stem(entry.name) if is_by_stem else entry.name  # noqa: B023
                return entry.code[:digits], level, name  # noqa: B023

            old, new = _grouped(free_left, key_of), _grouped(free_right, key_of)
            for key, befores in old.items():
                afters = new.get(key, [])
                if len(befores) == len(afters) == 1:
                    yield befores[0], afters[0]
                    free_left.pop(befores[0].code)
                    free_right.pop(afters[0].code)


def _grouped(
    entries: Mapping[str, DatedEntry], key_of: Callable[[DatedEntry], tuple[str, ...]]
) -> dict[tuple[str, ...], list[DatedEntry]]:
    groups: dict[tuple[str, ...], list[DatedEntry]] = defaultdict(list)
    for entry in entries.values():
        groups[key_of(entry)].append(entry)
    return groups


def _level(code: str) -> str:
    return "province" if code.endswith("0000") else "prefecture" if code.endswith("00") else "county"


def walk_succession(
    steps: Iterable[Succession], code: str, start: dt.date, end: dt.date
) -> tuple[tuple[Succession, ...], frozenset[str]]:
    """The steps after `start` and until `end` that begin at the code or at one it led to, oldest first; and the codes
    at the end of them. `steps` are in order of their days.

    A code that passed to another place is not followed any further; one that was split may live on beside its parts.
    """
    standing = {code}
    walked: list[Succession] = []
    for day, group in groupby(steps, key=lambda step: step.on):
        if not start < day <= end:
            continue
        taken = [step for step in group if step.code in standing]
        standing -= {step.code for step in taken if step.kind != "split"}
        standing |= {step.to_code for step in taken}
        walked += taken
    return tuple(walked), frozenset(standing)


@cache
def stated_successions() -> tuple[Succession, ...]:
    """Mergers, splits and moves that no comparison of names can tell, written down by us with their decision."""
    text = resources.files(__package__).joinpath("data", "successions.toml").read_text(encoding="utf-8")
    return tuple(
        Succession(code=row["code"], to_code=to, on=row["on"], kind=row["kind"], note=row["note"])
        for row in tomllib.loads(text)["step"]
        for to in row["to"]
    )
