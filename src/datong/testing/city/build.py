"""Builds the city into a folder: agencies' files, labels, and the truth beside them."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from datong.kernel import ids
from datong.testing.city.copies import (
    AMR_ENTERPRISE,
    HRSS_INSURED,
    PSB_POPULATION,
    CopyWriter,
    ParquetSink,
    enterprise_row,
    population_row,
)
from datong.testing.city.dirt import DIRT
from datong.testing.city.firms import Firm, Legal, generate_firms, with_legal_persons
from datong.testing.city.model import AS_OF_DEFAULT, CityReport
from datong.testing.city.people import Person, generate_people
from datong.testing.city.places import CITY_DIVISIONS

_NUMBERS: Final = ("number", "household")
_PEOPLE_SCHEMA: Final = pa.schema(
    [pa.field(name, pa.int64() if name in _NUMBERS else pa.string()) for name in Person._fields]
)
_FIRM_SCHEMA: Final = pa.schema(
    [pa.field(name, pa.int64() if name in _NUMBERS else pa.string()) for name in Firm._fields]
)
_LINE_FIELDS: Final[Mapping[str, pa.DataType]] = {"file": pa.string(), "line": pa.int64(), "entity": pa.int64()}
_LINE_SCHEMA: Final = pa.schema(_LINE_FIELDS)
_LEADERS_PER_FIRM: Final = 0.85


def build_city(
    out: Path,
    people: int = 5000,
    firms: int = 500,
    seed: int = 7,
    dirt: str = "moderate",
    *,
    as_of: dt.date = AS_OF_DEFAULT,
) -> CityReport:
    """Build the city. The same arguments give the same bytes.

    In `out`: psb_population.csv (GB18030, Chinese headings, CRLF), amr_enterprise.csv (UTF-8 with mark),
    hrss_insured.csv (UTF-8), faults.jsonl (one line a changed column: file, line, entity, kind, column, truth,
    written), divisions.csv (the invented codes), report.json; in `out/truth`: people.parquet, firms.parquet and
    lines.parquet (which line of which file is which entity). `line` is the physical line on which the record
    begins, the heading being line 1; 0 for a record that was left out.

    People are streamed; firms are held. `dirt` is clean, moderate or heavy. ValueError for fewer than one person.
    """
    if people < 1 or firms < 0:
        raise ValueError(f"a city has at least one person and no fewer than no firms, not {people} and {firms}")
    if dirt not in DIRT:
        raise ValueError(f"dirt is one of {', '.join(DIRT)}, not {dirt!r}")
    truth = out / "truth"
    truth.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        labels = stack.enter_context((out / "faults.jsonl").open("w", encoding="utf-8", newline="\n"))
        lines = ParquetSink(truth / "lines.parquet", _LINE_SCHEMA)
        stack.callback(lines.close)
        writers = {
            spec.name: CopyWriter(spec, out, level=dirt, seed=seed * 1000 + 10 + place, labels=labels, lines=lines)
            for place, spec in enumerate((PSB_POPULATION, AMR_ENTERPRISE, HRSS_INSURED))
        }
        shells = generate_firms(firms, seed, as_of)
        leaders, households = _write_people(truth, writers, shells, people=people, seed=seed, as_of=as_of)
        _write_firms(truth, writers["amr_enterprise"], with_legal_persons(shells, leaders, seed))
        copies = {name: writer.close() for name, writer in writers.items()}
    _write_divisions(out / "divisions.csv")
    report = CityReport(
        out=out,
        people=people,
        households=households,
        firms=firms,
        namesakes=_count_namesakes(truth / "people.parquet"),
        seed=seed,
        dirt=dirt,
        as_of=as_of,
        copies=copies,
    )
    (out / "report.json").write_text(_report_text(report), encoding="utf-8")
    return report


def _write_people(
    truth: Path, writers: dict[str, CopyWriter], firms: list[Firm], *, people: int, seed: int, as_of: dt.date
) -> tuple[list[Legal], int]:
    """Stream the people past: truth, population copy, insured copy; keep a fair sample of adults as leaders."""
    sink = ParquetSink(truth / "people.parquet", _PEOPLE_SCHEMA)
    sample = _LeaderSample(max(1, int(len(firms) * _LEADERS_PER_FIRM)), seed)
    insured = _Insured(firms, seed, as_of)
    put_population, put_insured = writers["psb_population"].put, writers["hrss_insured"].put
    households = 0
    for person in generate_people(people, seed, as_of):
        sink.append(person)
        put_population(population_row(person), person.number)
        row = insured.row_of(person)
        if row is not None:
            put_insured(row, person.number)
        sample.offer(person)
        households = person.household
    sink.close()
    return sample.chosen or [Legal(person.id_number, person.name)], households


def _write_firms(truth: Path, writer: CopyWriter, firms: list[Firm]) -> None:
    sink = ParquetSink(truth / "firms.parquet", _FIRM_SCHEMA)
    for firm in firms:
        sink.append(firm)
        writer.put(enterprise_row(firm), firm.number)
    sink.close()


class _LeaderSample:
    """A fair sample of grown people out of a stream (reservoir sampling, Vitter's algorithm R)."""

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._seen = 0
        self._draw = ids.seeded(seed * 1000 + 4).random
        self.chosen: list[Legal] = []

    def offer(self, person: Person) -> None:
        if not "1950" < person.birth_date < "2003" or person.status != "正常":
            return
        self._seen += 1
        if len(self.chosen) < self._size:
            self.chosen.append(Legal(person.id_number, person.name))
            return
        place = int(self._draw() * self._seen)
        if place < self._size:
            self.chosen[place] = Legal(person.id_number, person.name)


class _Insured:
    """Who is insured through which employer: a little over half of those of working age; large firms have many."""

    def __init__(self, firms: list[Firm], seed: int, as_of: dt.date) -> None:
        self._firms = firms
        self._year = as_of.year
        self._updated_on = as_of.isoformat()
        self._draw = ids.seeded(seed * 1000 + 5).random

    def row_of(self, person: Person) -> list[str] | None:
        draw = self._draw
        age = person.age_in(self._year)
        if not self._firms or not 21 <= age <= 59 or draw() > 0.56:
            return None
        firm = self._firms[int(draw() ** 2.5 * len(self._firms))]
        year = self._year - 1 - int(draw() * (age - 20))
        return [
            person.id_number,
            person.name,
            firm.uscc,
            firm.name,
            f"{year}-{1 + int(draw() * 12):02d}-01",
            str(4000 + 100 * int(draw() ** 2 * 180)),
            "正常参保" if draw() < 0.93 else "暂停参保",
            self._updated_on,
        ]


def _write_divisions(path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("code", "name", "valid_from", "valid_to"))
        writer.writerows(
            (entry.code, entry.name, entry.valid_from or "", entry.valid_to or "") for entry in CITY_DIVISIONS
        )


def _count_namesakes(path: Path) -> int:
    counts = pq.read_table(path, columns=["name"]).group_by("name").aggregate([("name", "count")])
    return sum(count for count in counts.column("name_count").to_pylist() if count is not None and count > 1)


def _report_text(report: CityReport) -> str:
    """The report as JSON, without the folder: equal cities have equal files."""
    fields = asdict(report)
    del fields["out"]
    fields["as_of"] = report.as_of.isoformat()
    for copy in fields["copies"].values():
        copy["path"] = copy["path"].name
    return json.dumps(fields, ensure_ascii=False, indent=2) + "\n"
