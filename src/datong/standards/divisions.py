"""Administrative division codes (GB/T 2260) as of a date.

A code is not a name: 308 codes carried more than one name, and half of all codes ever given are retired. So every
look-up takes a date. The built-in table comes from the `gb2260` package: 16 revisions of 2002 to 2013 and its last
one, of 2014. A table of snapshots does not tell the day of a change, so between two revisions both the old and the
new code stand; a date outside the span of revisions is answered from the nearest one (`covers` tells).
Codes born after the last revision come as a supplement (`with_supplement`) or a table of their own (`read_table`).
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

from datong.kernel.failures import BadInput
from datong.standards.contracts import Edition, EditionKind, Succession
from datong.standards.identifiers import IdentifierFinding
from datong.standards.snapshot import load_shelf
from datong.standards.succession import derive_succession, stated_successions, walk_succession

NATION_CODE = "100000"
NATIONAL_TABLE = "gbt2260"
"""The name under which editions of the national table are imported."""
_DAY = dt.timedelta(days=1)
_PLACEHOLDERS = ("市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划", "省直辖行政单位")
"""Rows that stand for a level and name no place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DivisionEntry:
    """One code under one name. `valid_from` None: since before the table; `valid_to` is exclusive, None: still."""

    code: str
    name: str
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None

    @property
    def level(self) -> str:
        """nation | province | prefecture | county."""
        if self.code == NATION_CODE:
            return "nation"
        if self.code.endswith("0000"):
            return "province"
        return "prefecture" if self.code.endswith("00") else "county"

    @property
    def is_placeholder(self) -> bool:
        """市辖区 and its like: a level of the code, no place."""
        return self.name in _PLACEHOLDERS

    def is_valid_on(self, day: dt.date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day < self.valid_to)


_NATION = DivisionEntry(code=NATION_CODE, name="中华人民共和国")


class DivisionTableInvalid(BadInput):
    code = "division-table-invalid"
    title, title_zh = "The table of division codes cannot be used", "行政区划代码表无法使用"


class Divisions:
    """A table of entries by code, each code's entries in order of time."""

    def __init__(
        self,
        entries: Iterable[DivisionEntry],
        *,
        first: dt.date | None = None,
        last: dt.date | None = None,
        succession: Iterable[Succession] = (),
    ) -> None:
        grouped: dict[str, list[DivisionEntry]] = {}
        for entry in entries:
            grouped.setdefault(entry.code, []).append(entry)
        self._by_code: Mapping[str, tuple[DivisionEntry, ...]] = {
            code: tuple(sorted(found, key=lambda entry: entry.valid_from or dt.date.min))
            for code, found in grouped.items()
        }
        self.first = first
        self.last = last
        self._stated = tuple(succession)

    def __len__(self) -> int:
        """How many codes there ever were."""
        return len(self._by_code)

    def covers(self, day: dt.date) -> bool:
        """Whether the date lies in the span of revisions; outside it an answer is carried over from the nearest."""
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)

    def as_of(self, code: str, day: dt.date) -> DivisionEntry | None:
        """The entry of a six-digit code on that day; of a 9- or 12-digit statistical code, that of its county.

        Where a renaming lies between two revisions the earlier name is given.
        """
        return next((entry for entry in self.history(code) if entry.is_valid_on(day)), None)

    def history(self, code: str) -> tuple[DivisionEntry, ...]:
        """All entries of a code, oldest first; empty when it was never given."""
        return self._by_code.get(code[:6] if len(code) in (9, 12) else code, ())

    def name_at(self, code: str, day: dt.date) -> str | None:
        entry = self.as_of(code, day)
        return entry.name if entry else None

    def full_name_at(self, code: str, day: dt.date) -> str | None:
        """Province, prefecture and county joined, placeholders left out: 北京市东城区."""
        if self.as_of(code, day) is None:
            return None
        codes = dict.fromkeys((code[:2] + "0000", code[:4] + "00", code[:6]))
        entries = [self.as_of(each, day) for each in codes]
        return "".join(entry.name for entry in entries if entry and not entry.is_placeholder)

    def as_of_table(self, day: dt.date) -> list[tuple[str, str]]:
        """(code, name) of every entry valid on that day, by code: for a join in DuckDB."""
        return [
            (code, entry.name)
            for code, entries in sorted(self._by_code.items())
            if (entry := next((each for each in entries if each.is_valid_on(day)), None)) is not None
        ]

    def entries(self) -> Iterator[DivisionEntry]:
        """Every entry, by code and time: for a join in DuckDB on each row's own date."""
        for _, entries in sorted(self._by_code.items()):
            yield from entries

    def check(self, code: str, day: dt.date) -> IdentifierFinding | None:
        """None when the code stands on that day; else why not, with its last or first name as the fact."""
        if self.as_of(code, day) is not None:
            return None
        known = self.history(code)
        if not known:
            beyond = not self.covers(day)
            return IdentifierFinding(
                kind="unknown-code-beyond-table" if beyond else "unknown-code",
                position=0,
                message_zh=f"没有行政区划代码“{code}”" + ("（超出代码表的年份范围）" if beyond else ""),
                message_en=f"is no division code, as far as the table of {self.first} to {self.last} goes",
            )
        past = [entry for entry in known if entry.valid_to is not None and entry.valid_to <= day]
        if past:
            entry, kind, on = past[-1], "retired", past[-1].valid_to
            message_zh, message_en = f"“{entry.name}”已于{on}前撤销", f"was retired by {on} ({entry.name})"
        else:
            entry, kind, on = known[0], "not-yet", known[0].valid_from
            message_zh, message_en = f"“{entry.name}”自{on}起才有", f"exists only since {on} ({entry.name})"
        return IdentifierFinding(
            kind=kind, position=0, message_zh=message_zh, message_en=message_en, expected=entry.name
        )

    def with_supplement(self, entries: Iterable[DivisionEntry]) -> Divisions:
        """This table and local codes; a supplement replaces what the table says of the same code."""
        added = list(entries)
        codes = {entry.code for entry in added}
        return Divisions(
            [entry for entry in self.entries() if entry.code not in codes] + added,
            first=self.first,
            last=self.last,
            succession=self._stated,
        )

    @cached_property
    def succession(self) -> tuple[Succession, ...]:
        """Every step from a code to its successor: what an edition states, what ships, and what two snapshots tell.

        A stated step takes the place of a derived one. Worked out on first use (about 0.1 s).
        """
        return derive_succession(self.entries(), stated=(*self._stated, *stated_successions()))

    def successors(self, code: str, start: dt.date, end: dt.date) -> tuple[Succession, ...]:
        """The steps that lead from a code on one day to what stood in its place on a later day, oldest first.

        Empty when nothing happened to it. Several last steps mean that it was split. Follow them with
        `codes_after` where only the codes at the end are wanted.
        """
        steps, _ = walk_succession(self.succession, code, start, end)
        return steps

    def codes_after(self, code: str, start: dt.date, end: dt.date) -> tuple[str, ...]:
        """The codes that stood on the later day for what the code meant on the earlier one; empty when not known."""
        _, standing = walk_succession(self.succession, code, start, end)
        return tuple(sorted(each for each in standing if self.as_of(each, end) is not None))

    def children(self, code: str, day: dt.date) -> list[DivisionEntry]:
        """The divisions directly below one on that day: provinces of 100000, prefectures of xx0000, counties of xxxx00.

        Counties directly below a province (xx90xx) stand among its prefectures; rows that name no place are left out.
        """
        return _children(self, day).get(code, [])

    def gone_before(self, code: str, day: dt.date) -> list[DivisionEntry]:
        """The last entries of codes that once stood directly below one and no longer do on that day, by their end."""
        found = []
        for each, entries in self._by_code.items():
            if any(e.is_valid_on(day) for e in entries) or entries[0].is_placeholder:
                continue
            past = [e for e in entries if e.valid_to is not None and e.valid_to <= day]
            if past and self.parent(each, (past[-1].valid_to or day) - _DAY) == code:
                found.append(past[-1])
        return sorted(found, key=lambda e: (e.valid_to or day, e.code), reverse=True)

    def parent(self, code: str, day: dt.date) -> str:
        """The code that stands above on that day, past rows that name no place; "" above the nation."""
        if code == NATION_CODE:
            return ""
        above = [code[:4] + "00", code[:2] + "0000"]
        for each in above:
            entry = self.as_of(each, day) if each != code else None
            if entry is not None and not entry.is_placeholder:
                return each
        return NATION_CODE


@lru_cache(maxsize=8)
def _children(table: Divisions, day: dt.date) -> dict[str, list[DivisionEntry]]:
    """code → what stands directly below it on the day. About 30 ms for the whole nation."""
    found: dict[str, list[DivisionEntry]] = {}
    for code, _ in table.as_of_table(day):
        entry = table.as_of(code, day)
        if entry is not None and not entry.is_placeholder and code != NATION_CODE:
            found.setdefault(table.parent(code, day), []).append(entry)
    return found


def merge_snapshots(snapshots: Iterable[tuple[dt.date, Mapping[str, str]]]) -> Divisions:
    """Entries out of dated snapshots {code: name}.

    Seen from the first snapshot: open to the past. Seen to the last: still valid. Between two snapshots an entry
    that goes stays until the later one, a code that comes counts from the day after the earlier one, and a renamed
    code takes its new name with the later one.
    """
    ordered = sorted(snapshots, key=lambda snapshot: snapshot[0])
    closed: list[DivisionEntry] = []
    live: dict[str, tuple[str, dt.date | None]] = {}
    previous: dt.date | None = None
    for day, names in ordered:
        for code, (name, since) in list(live.items()):
            if names.get(code) != name:
                closed.append(DivisionEntry(code=code, name=name, valid_from=since, valid_to=day))
                renamed = code in names
                del live[code]
                if renamed:
                    live[code] = (names[code], day)
        for code, name in names.items():
            if code not in live:
                live[code] = (name, previous + _DAY if previous else None)
        previous = day
    closed += [DivisionEntry(code=code, name=name, valid_from=since) for code, (name, since) in live.items()]
    return Divisions(closed, first=ordered[0][0], last=ordered[-1][0]) if ordered else Divisions([])


def national_divisions() -> Divisions:
    """The national table: the imported one that reaches furthest, else that of the `gb2260` package (to 2014).

    Made on first use (about 0.2 s) and kept until another is imported. Statements of succession ship beside both.
    """
    shelf = load_shelf()
    return _national_divisions(shelf.stamp)


@lru_cache(maxsize=2)
def _national_divisions(_stamp: str) -> Divisions:
    imported = [e for e in load_shelf().of_kind(EditionKind.DIVISIONS) if e.name == NATIONAL_TABLE]
    if imported:
        return from_edition(max(imported, key=lambda e: e.covers_to or dt.date.max))
    return _package_divisions()


def from_edition(edition: Edition) -> Divisions:
    """The table of an imported edition, with what it says of successors."""
    table = Divisions(
        (
            DivisionEntry(code=code.code, name=code.title_zh, valid_from=code.valid_from, valid_to=code.valid_to)
            for code in edition.codes
        ),
        first=edition.covers_from,
        last=edition.covers_to,
        succession=edition.succession,
    )
    return table if table.history(NATION_CODE) else table.with_supplement([_NATION])


@cache
def _package_divisions() -> Divisions:
    from gb2260.data import data
    from gb2260.division import make_year_key

    table = merge_snapshots(
        (month_end("{:04d}{:02d}".format(*make_year_key(revision))), {str(code): name for code, name in codes.items()})
        for revision, codes in data.items()
    )
    return table.with_supplement([_NATION])


def read_supplement(path: Path) -> list[DivisionEntry]:
    """Local codes from a CSV `code,name,valid_from,valid_to`, dates as YYYY-MM-DD or empty; `valid_to` is exclusive.

    DivisionTableInvalid names the line that cannot be read.
    """
    entries = []
    with path.open(encoding="utf-8-sig", newline="") as lines:
        for line, row in enumerate(csv.DictReader(lines), start=2):
            try:
                since, until = row["valid_from"] or "", row["valid_to"] or ""
                entries.append(
                    DivisionEntry(
                        code=row["code"],
                        name=row["name"],
                        valid_from=dt.date.fromisoformat(since) if since else None,
                        valid_to=dt.date.fromisoformat(until) if until else None,
                    )
                )
            except (KeyError, ValueError) as error:
                raise DivisionTableInvalid(
                    "A line reads code,name,valid_from,valid_to with dates as YYYY-MM-DD.",
                    hint_zh="每行应为：代码,名称,启用日期,停用日期（YYYY-MM-DD）。",
                    line=line,
                ) from error
    return entries


def read_table(path: Path) -> Divisions:
    """A table of its own from a CSV: `code,name,first_seen,last_seen` with months as YYYYMM, one row an interval.

    The months that occur are the snapshots it was made of, so it is merged like them. A file with the headings of a
    supplement (`read_supplement`) is taken as that. DivisionTableInvalid names the line that cannot be read.
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        if "valid_from" in next(csv.reader(lines), []):
            return Divisions(read_supplement(path))
    rows: list[tuple[str, str, dt.date, dt.date]] = []
    with path.open(encoding="utf-8-sig", newline="") as lines:
        for line, row in enumerate(csv.DictReader(lines), start=2):
            try:
                first, last = month_end(row["first_seen"]), month_end(row["last_seen"])
                rows.append((row["code"], row["name"], first, last))
            except (KeyError, ValueError) as error:
                raise DivisionTableInvalid(
                    "A line reads code,name,first_seen,last_seen with months as YYYYMM.",
                    hint_zh="每行应为：代码,名称,首见年月,末见年月（YYYYMM）。",
                    line=line,
                ) from error
    days = sorted({first for _, _, first, _ in rows} | {last for _, _, _, last in rows})
    return merge_snapshots(
        (day, {code: name for code, name, first, last in rows if first <= day <= last}) for day in days
    )


def month_end(month: str) -> dt.date:
    """The last day of a month given as YYYYMM."""
    if len(month) != 6:
        raise ValueError(f"{month!r} is no month YYYYMM")
    return (dt.date(int(month[:4]), int(month[4:]), 28) + 4 * _DAY).replace(day=1) - _DAY
