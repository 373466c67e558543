"""What the city is made of as values: columns, tables, a block of it, and what was built."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from datong.testing.city.draws import Draws, Ints, Text
from datong.testing.city.firms import Firms, Register
from datong.testing.city.people import People

AS_OF_DEFAULT: Final = dt.date(2026, 6, 30)
"""The day the city is a picture of. Fixed, so that the same seed gives the same bytes on every day."""
EVENT_DAYS: Final = 730
"""Events are those of the last two years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSpec:
    """A column of a table: what its contract says of it, and `role`, by which faults find where they can strike.

    Roles: identifier name sex birth_date address division date coded amount phone reference serial, or "".
    `header` is what stands in the file when that is neither `title` nor `name`.
    """

    name: str
    title: str
    title_en: str
    type: str = "string"
    length: int = 100
    required: bool = False
    key: bool = False
    grade: str = "一般1级"
    role: str = ""
    values: tuple[str, ...] = ()
    code_list: str = ""
    identifier: str = ""
    element: str = ""
    unit: str = ""
    pattern: str = ""
    minimum: int | float | str | None = None
    maximum: int | float | None = None
    verify: bool = False
    mask: str = ""
    header: str = ""
    path: str = ""
    """Where a nested record keeps it, e.g. `applicant.name`; "" for its header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """One table that an agency hands over: its columns, and the shape of the file.

    `form` is csv xlsx json jsonl xml parquet geojson pgsql or mysql; a csv whose `file_name` ends in .zip is a member
    of it. `heads` says what the file's headings are: title or name. `groups` are the upper level of a two-level
    heading: (title, number of columns). Two tables may share a workbook or a zip.
    """

    resource: str
    agency: str
    title: str
    title_en: str
    purpose: str
    granularity: str
    directory_code: str
    columns: tuple[ColumnSpec, ...]
    form: str
    file_name: str
    heads: str = "title"
    encoding: str = "utf-8"
    line_end: str = "\n"
    delimiter: str = ","
    preamble: tuple[str, ...] = ()
    footer: tuple[str, ...] = ()
    member: str = ""
    sheet: str = ""
    groups: tuple[tuple[str, int], ...] = ()
    record: str = ""
    frequency: tuple[int | str, str] = (1, "d")
    condition: str = "法定职责范围内办理业务需要，写明用途和依据"
    swaps: tuple[tuple[str, str], ...] = ()
    rules: tuple[tuple[str, str, str], ...] = ()
    """(title, comparison of two columns, severity)."""

    def header_of(self, column: ColumnSpec) -> str:
        """The heading in the file, with its unit where titles carry units."""
        if column.header:
            return column.header
        return column.name if self.heads == "name" else column.title

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def key_columns(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.key)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """True rows of a table, column by column. `entity` numbers what each is about; `person` is the number of the
    person whose identity number and name the row carries, or None. `event` and `day` go into truth/events.parquet.
    `extra` is what only some forms use (a parcel's polygon).
    """

    columns: Mapping[str, Text]
    entity: Ints
    person: Ints | None = None
    event: str = ""
    day: Ints | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.entity)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """One block of the city: people, the firms that they own, and what counts on across blocks."""

    index: int
    seed: int
    as_of: dt.date
    people_total: int
    people: People
    firms: Firms
    register: Register
    serials: dict[str, int]

    @property
    def today(self) -> int:
        return self.as_of.toordinal()

    def draws(self, resource: str) -> Draws:
        return Draws(self.seed, resource, self.index)

    def serial(self, name: str, count: int) -> Ints:
        """The next `count` numbers of a sequence that starts at 1."""
        first = self.serials.get(name, 0) + 1
        self.serials[name] = first + count - 1
        return np.arange(first, first + count, dtype=np.int64)

    def recent_days(self, draws: Draws, count: int) -> Ints:
        """Days of the last two years."""
        return self.today - draws.below(count, EVENT_DAYS)


MakeRows = Callable[[Block], Rows | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table's shape and what fills it, block by block; None where a block has nothing to add."""

    spec: TableSpec
    make: MakeRows


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyCount:
    """What one delivered table holds. rows = entities − absent + duplicates; headings and notes are not counted."""

    name: str
    agency: str
    path: Path
    entities: int
    rows: int
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

    @property
    def rows(self) -> int:
        return sum(copy.rows for copy in self.copies.values())

    def path(self, name: str) -> Path:
        """The file of a table, e.g. `psb_population`."""
        return self.copies[name].path
