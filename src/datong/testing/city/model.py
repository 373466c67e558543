"""What the city hands out: its report, the shape of a copy, a labelled fault."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

AS_OF_DEFAULT: Final = dt.date(2026, 6, 30)
"""The day the city is a picture of. Fixed, so that the same seed gives the same bytes on every day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where a copy keeps what, as column indexes: faults are described once and fit every copy."""

    header: tuple[str, ...]
    identifier: int
    name: int
    address: int
    dates: tuple[int, ...]
    required: tuple[int, ...]
    swaps: tuple[tuple[int, int], ...]
    """Pairs of columns that a clerk mixes up."""
    coded: Mapping[int, tuple[str, ...]]
    """Coded column → values that no list has."""
    updated: int
    """The column that a later edition of the record changes."""
    sex: int | None = None
    birth_date: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopySpec:
    """One agency's file: name, encoding (utf-8-sig has the mark), line end, columns."""

    name: str
    file_name: str
    encoding: str
    line_end: str
    layout: Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyCount:
    """What one copy holds. rows = entities − absent + duplicates; the header line is not counted."""

    name: str
    path: Path
    entities: int
    rows: int
    lines: int
    absent: int
    duplicates: int
    faults: Mapping[str, int]
    """Injected faults by kind; a fault over several columns counts once."""
    faulty_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CityReport:
    """Counts of a built city. `namesakes`: people who share their full name with another."""

    out: Path
    people: int
    households: int
    firms: int
    namesakes: int
    seed: int
    dirt: str
    as_of: dt.date
    copies: Mapping[str, CopyCount]

    def path(self, name: str) -> Path:
        """The file of a copy, e.g. `psb_population`."""
        return self.copies[name].path
