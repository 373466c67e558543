"""Faults that real files have, each put in on purpose and labelled.

A fault takes one row and changes it in place; what changed is found by comparison, so a label cannot lie.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Final

from datong.testing.city.model import Layout
from datong.testing.city.names import CONFUSED

Draw = Callable[[], float]
Fault = Callable[[list[str], Layout, Draw], None]

_FULL_WIDTH: Final = str.maketrans("0123456789", "０１２３４５６７８９")
_LOOK_ALIKES: Final = {"0": "O", "1": "I", "5": "S", "2": "Z"}


def _pick(draw: Draw, count: int) -> int:
    return int(draw() * count)


def wrong_check_character(row: list[str], layout: Layout, draw: Draw) -> None:
    value = row[layout.identifier]
    others = "0123456789X".replace(value[-1], "")
    row[layout.identifier] = value[:-1] + others[_pick(draw, len(others))]


def wrong_digit(row: list[str], layout: Layout, draw: Draw) -> None:
    value = row[layout.identifier]
    place = 2 + _pick(draw, 6)
    others = "0123456789".replace(value[place], "")
    row[layout.identifier] = value[:place] + others[_pick(draw, len(others))] + value[place + 1 :]


def transposed_characters(row: list[str], layout: Layout, draw: Draw) -> None:
    value = row[layout.identifier]
    places = [place for place in range(len(value) - 2) if value[place] != value[place + 1]]
    place = places[_pick(draw, len(places))]
    row[layout.identifier] = value[:place] + value[place + 1] + value[place] + value[place + 2 :]


def look_alike(row: list[str], layout: Layout, draw: Draw) -> None:
    """O written for 0, I for 1, S for 5, Z for 2: never a character of either identifier."""
    value = row[layout.identifier]
    places = [place for place, character in enumerate(value) if character in _LOOK_ALIKES]
    place = places[_pick(draw, len(places))]
    row[layout.identifier] = value[:place] + _LOOK_ALIKES[value[place]] + value[place + 1 :]


def lower_case(row: list[str], layout: Layout, draw: Draw) -> None:  # noqa: ARG001  (one shape for all faults)
    row[layout.identifier] = row[layout.identifier].lower()


def full_width(row: list[str], layout: Layout, draw: Draw) -> None:
    column = layout.identifier if draw() < 0.6 else layout.dates[_pick(draw, len(layout.dates))]
    row[column] = row[column].translate(_FULL_WIDTH)


def old_number(row: list[str], layout: Layout, draw: Draw) -> None:  # noqa: ARG001
    """The 15 digits of the first generation, for those born before 2000."""
    value = row[layout.identifier]
    if value[6:8] == "19":
        row[layout.identifier] = value[:6] + value[8:17]


def missing(row: list[str], layout: Layout, draw: Draw) -> None:
    row[layout.required[_pick(draw, len(layout.required))]] = ""


def typo(row: list[str], layout: Layout, draw: Draw) -> None:
    """A character of the same sound or shape; where none is known, two neighbours change places."""
    name = row[layout.name]
    places = [place for place, character in enumerate(name) if character in CONFUSED]
    if places:
        place = places[_pick(draw, len(places))]
        row[layout.name] = name[:place] + CONFUSED[name[place]] + name[place + 1 :]
    elif len(name) > 2:
        place = len(name) - 2
        row[layout.name] = name[:place] + name[place + 1] + name[place] + name[place + 2 :]


def swapped(row: list[str], layout: Layout, draw: Draw) -> None:
    one, other = layout.swaps[_pick(draw, len(layout.swaps))]
    row[one], row[other] = row[other], row[one]


def shifted(row: list[str], layout: Layout, draw: Draw) -> None:
    """One field left empty, and all after it one column too far right; the last is lost."""
    column = 1 + _pick(draw, len(layout.header) - 2)
    row[column:] = ["", *row[column:-1]]


def ragged(row: list[str], layout: Layout, draw: Draw) -> None:
    """One field fewer than the header has."""
    del row[1 + _pick(draw, len(layout.header) - 2)]


def bad_date(row: list[str], layout: Layout, draw: Draw) -> None:
    """A day that no calendar has."""
    column = layout.dates[_pick(draw, len(layout.dates))]
    year, month, day = row[column][:4], row[column][5:7], row[column][8:10]
    row[column] = (f"{year}-13-{day}", f"{year}-02-30", f"{year}-{month}-00", "0000-00-00")[_pick(draw, 4)]


def date_form(row: list[str], layout: Layout, draw: Draw) -> None:
    """The right day in another writing."""
    column = layout.dates[_pick(draw, len(layout.dates))]
    year, month, day = row[column].split("-")
    forms = (f"{year}{month}{day}", f"{year}/{int(month)}/{int(day)}", f"{year}年{int(month)}月{int(day)}日")
    row[column] = forms[_pick(draw, 3)]


def sex_mismatch(row: list[str], layout: Layout, draw: Draw) -> None:  # noqa: ARG001
    if layout.sex is not None:
        row[layout.sex] = "2" if row[layout.sex] == "1" else "1"


def birth_mismatch(row: list[str], layout: Layout, draw: Draw) -> None:
    """A real day, and not the one in the identity number: month and day of another digit."""
    if layout.birth_date is not None:
        value = row[layout.birth_date]
        day = 1 + _pick(draw, 27)
        row[layout.birth_date] = f"{value[:8]}{day + (day >= int(value[8:10])):02d}"


def stray_blank(row: list[str], layout: Layout, draw: Draw) -> None:
    column = (layout.name, layout.address)[_pick(draw, 2)]
    value = row[column]
    row[column] = (f" {value}", f"{value} ", f"{value}　", f"{value[:1]} {value[1:]}")[_pick(draw, 4)]


def unknown_code(row: list[str], layout: Layout, draw: Draw) -> None:
    columns = list(layout.coded)
    column = columns[_pick(draw, len(columns))]
    row[column] = layout.coded[column][_pick(draw, len(layout.coded[column]))]


def truncated(row: list[str], layout: Layout, draw: Draw) -> None:
    value = row[layout.address]
    row[layout.address] = value[: 6 + _pick(draw, max(len(value) - 8, 1))]


def stale_address(row: list[str], layout: Layout, draw: Draw) -> None:
    """Where they lived before: another house number in the same street."""
    head, sign, tail = row[layout.address].partition("号")
    if sign:
        row[layout.address] = f"{head.rstrip('0123456789')}{601 + _pick(draw, 99)}号{tail}"


def later_edition(row: list[str], layout: Layout, draw: Draw) -> None:
    """The same record again, some weeks younger, at a new address if it has one."""
    younger = dt.date.fromisoformat(row[layout.updated]) + dt.timedelta(days=1 + _pick(draw, 90))
    row[layout.updated] = younger.isoformat()
    stale_address(row, layout, draw)


def line_break(row: list[str], layout: Layout, draw: Draw) -> None:
    """A line end inside a quoted field: the record is sound, and stands on two lines."""
    value = row[layout.address]
    place = 3 + _pick(draw, max(len(value) - 6, 1))
    row[layout.address] = f"{value[:place]}\n{value[place:]}"


FAULTS: Final[Mapping[str, Fault]] = {
    "wrong-check-character": wrong_check_character,
    "wrong-digit": wrong_digit,
    "transposed-characters": transposed_characters,
    "look-alike": look_alike,
    "lower-case": lower_case,
    "full-width": full_width,
    "old-number": old_number,
    "missing": missing,
    "typo": typo,
    "swapped": swapped,
    "shifted": shifted,
    "ragged": ragged,
    "bad-date": bad_date,
    "date-form": date_form,
    "sex-mismatch": sex_mismatch,
    "birth-mismatch": birth_mismatch,
    "stray-blank": stray_blank,
    "unknown-code": unknown_code,
    "truncated": truncated,
    "stale-address": stale_address,
    "line-break": line_break,
}
PERSON_ONLY: Final = frozenset({"old-number", "sex-mismatch", "birth-mismatch"})
DUPLICATE, CHANGED_DUPLICATE, ABSENT = "duplicate", "changed-duplicate", "absent"
ROW_VISIBLE: Final = frozenset(
    {
        "wrong-check-character",
        "wrong-digit",
        "transposed-characters",
        "look-alike",
        "old-number",
        "missing",
        "shifted",
        "ragged",
        "bad-date",
        "unknown-code",
    }
)
"""Kinds that a check of type, requirement, code and identifier must see in the row alone."""

_MODERATE: Final[Mapping[str, float]] = {
    "wrong-check-character": 0.004,
    "wrong-digit": 0.003,
    "transposed-characters": 0.003,
    "look-alike": 0.002,
    "lower-case": 0.002,
    "full-width": 0.003,
    "old-number": 0.002,
    "missing": 0.006,
    "typo": 0.010,
    "swapped": 0.002,
    "shifted": 0.001,
    "ragged": 0.001,
    "bad-date": 0.004,
    "date-form": 0.004,
    "sex-mismatch": 0.002,
    "birth-mismatch": 0.002,
    "stray-blank": 0.005,
    "unknown-code": 0.002,
    "truncated": 0.002,
    "stale-address": 0.010,
    DUPLICATE: 0.005,
    CHANGED_DUPLICATE: 0.003,
    ABSENT: 0.008,
}
DIRT: Final[Mapping[str, Mapping[str, float]]] = {
    "clean": {},
    "moderate": _MODERATE,
    "heavy": {kind: 4 * rate for kind, rate in _MODERATE.items()} | {"line-break": 0.01},
}
"""Share of rows that get each kind, by level; a row gets at most one."""


class FaultChooser:
    """Chooses at most one kind a row."""

    def __init__(self, level: str, layout: Layout) -> None:
        if level not in DIRT:
            raise ValueError(f"dirt is one of {', '.join(DIRT)}, not {level!r}")
        person = layout.sex is not None
        rates = {kind: rate for kind, rate in DIRT[level].items() if person or kind not in PERSON_ONLY}
        self._kinds = list(rates)
        self._ends = list(accumulate(rates.values()))
        self.share = self._ends[-1] if self._ends else 0.0

    def choose(self, drawn: float) -> str:
        """The kind for a number below `share`."""
        return self._kinds[bisect(self._ends, drawn)]
