"""Builds the city into a folder: what fourteen agencies hand over, and the truth beside it."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Final

import duckdb

from datong.testing.city.agencies import TABLES, TABLES_BY_NAME
from datong.testing.city.bills import TableSums, digest_of, write_bill
from datong.testing.city.contracts import contract_text
from datong.testing.city.faults import ABSENT, CHANGED_DUPLICATE, DIRT, DUPLICATE
from datong.testing.city.firms import Register, make_firms, make_register
from datong.testing.city.formats import TableWriter, open_writer
from datong.testing.city.formats.writers import bind
from datong.testing.city.model import AS_OF_DEFAULT, Block, CityReport, CopyCount, Table
from datong.testing.city.people import People, generate_people
from datong.testing.city.places import CITY_DIVISIONS
from datong.testing.city.spoil import Spoiler
from datong.testing.city.truth import TruthSink, WrittenBlock

PEOPLE_PER_FIRM: Final = 10
_THREADS: Final = 2
Progress = Callable[[int], None]
"""Told after every block how many people there are so far."""


def build_city(
    out: Path,
    people: int = 5000,
    firms: int | None = None,
    seed: int = 7,
    dirt: str = "usual",
    *,
    as_of: dt.date = AS_OF_DEFAULT,
    only: Collection[str] = (),
    progress: Progress | None = None,
) -> CityReport:
    """Build the city. The same arguments give the same bytes.

    In `out`: a folder for each agency (`psb/psb_population.csv` with `psb_population.bill.json`, …),
    `contracts/*.odcs.yaml`, `divisions.csv` (the invented codes, for a deployment's `<home>/divisions.csv`),
    `city.json` (the report) and `truth/` (see `truth.py`).

    People pass by in blocks; of firms only codes, names and sizes are held. `firms` defaults to one for ten people,
    `dirt` is none, light, usual or heavy, `only` names the tables to write (all when empty). The truth does not depend
    on the dirt. ValueError for nonsense.
    """
    if people < 1 or (firms is not None and firms < 0):
        raise ValueError(f"a city has at least one person and no fewer than no firms, not {people} and {firms}")
    if dirt not in DIRT:
        raise ValueError(f"dirt is one of {', '.join(DIRT)}, not {dirt!r}")
    unknown = sorted(set(only) - set(TABLES_BY_NAME))
    if unknown:
        raise ValueError(f"the city has no table {', '.join(unknown)}; it has {', '.join(TABLES_BY_NAME)}")
    count = people // PEOPLE_PER_FIRM if firms is None else firms
    tables = [table for table in TABLES if not only or table.spec.resource in only]
    truth = TruthSink(out / "truth")
    copies = [_Copy.open(table, out, dirt, seed) for table in tables]
    households = 0
    register = make_register(count, seed)
    serials: dict[str, int] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        for index, block_people in enumerate(generate_people(people, seed, as_of)):
            block = _block(index, block_people, register, serials, total=people, seed=seed, as_of=as_of)
            truth.put_entities("people", block.people.truth())
            truth.put_entities("firms", block.firms.truth())
            # Tables of a block are independent; what they tell the truth is written in their order.
            for copy, written in zip(copies, pool.map(partial(_write, block=block), copies), strict=True):
                if written is not None:
                    truth.put_rows(copy.table.spec, written)
            households = int(block_people.household[-1]) + 1
            if progress:
                progress(block_people.first + len(block_people))
    truth.close()
    _finish_files(out, copies, f"anlan-{seed}-{people}-{dirt}")
    _write_divisions(out / "divisions.csv")
    report = CityReport(
        out=out,
        people=people,
        households=households,
        firms=count,
        namesakes=_count_namesakes(out / "truth" / "people.parquet"),
        seed=seed,
        dirt=dirt,
        as_of=as_of,
        copies={copy.table.spec.resource: copy.count() for copy in copies},
    )
    (out / "city.json").write_text(_report_text(report), encoding="utf-8")
    return report


def _block(
    index: int, people: People, register: Register, serials: dict[str, int], *, total: int, seed: int, as_of: dt.date
) -> Block:
    """The block and the firms that its people own: as large a share of all firms as of all people."""
    start, end = (len(register) * (people.first + done) // total for done in (0, len(people)))
    return Block(
        index=index,
        seed=seed,
        as_of=as_of,
        people_total=total,
        people=people,
        firms=make_firms(register, start, end, owners=people, seed=seed, as_of=as_of),
        register=register,
        serials=serials,
    )


def _write(copy: _Copy, block: Block) -> WrittenBlock | None:
    return copy.write(block)


@dataclass(kw_only=True)
class _Copy:
    """One table being written."""

    table: Table
    path: Path
    writer: TableWriter
    spoiler: Spoiler
    sums: TableSums
    entities: int = 0
    struck: int = 0
    faults: dict[str, int] = field(default_factory=dict)

    @classmethod
    def open(cls, table: Table, out: Path, dirt: str, seed: int) -> _Copy:
        folder = out / table.spec.agency
        folder.mkdir(parents=True, exist_ok=True)
        return cls(
            table=table,
            path=folder / table.spec.file_name,
            writer=open_writer(table.spec, folder),
            spoiler=Spoiler(table.spec, dirt, seed),
            sums=TableSums(spec=table.spec),
        )

    def write(self, block: Block) -> WrittenBlock | None:
        """Make, spoil and write the table's part of a block; give what the truth needs to know of it."""
        rows = self.table.make(block)
        if rows is None or not len(rows):
            return None
        written = self.spoiler.spoil(rows, block.people, block.index)
        lines = self.writer.write(written, rows)
        found = WrittenBlock(
            rows=rows, spoiled=written, lines=lines, first_row=self.sums.rows + 1, first_true_row=self.entities + 1
        )
        self.sums.add(written.columns, len(written), written.short)
        self.entities += len(rows)
        self.struck += written.struck
        for kind, count in written.counts.items():
            self.faults[kind] = self.faults.get(kind, 0) + count
        return found

    def count(self) -> CopyCount:
        faults = dict(sorted(self.faults.items()))
        return CopyCount(
            name=self.table.spec.resource,
            agency=self.table.spec.agency,
            path=self.path,
            entities=self.entities,
            rows=self.sums.rows,
            absent=faults.get(ABSENT, 0),
            duplicates=faults.get(DUPLICATE, 0) + faults.get(CHANGED_DUPLICATE, 0),
            faults=faults,
            faulty_rows=self.struck,
        )


def _finish_files(out: Path, copies: list[_Copy], city: str) -> None:
    """Close all parts, bind workbooks and zips, write bills and contracts."""
    for copy in copies:
        copy.writer.close()
    by_path = sorted(copies, key=lambda copy: str(copy.path))
    for path, group in groupby(by_path, key=lambda copy: copy.path):
        members = sorted(group, key=copies.index)
        bind(path, [(copy.table.spec, copy.writer) for copy in members])
        digest = digest_of(path)
        for copy in members:
            write_bill(path, digest, f"{city}-{copy.table.spec.resource}", copy.sums)
    folder = out / "contracts"
    folder.mkdir(exist_ok=True)
    for copy in copies:
        spec = copy.table.spec
        (folder / f"{spec.resource}.odcs.yaml").write_text(contract_text(spec), encoding="utf-8")


def _write_divisions(path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("code", "name", "valid_from", "valid_to"))
        writer.writerows(
            (entry.code, entry.name, entry.valid_from or "", entry.valid_to or "") for entry in CITY_DIVISIONS
        )


def _count_namesakes(path: Path) -> int:
    """People whose full name somebody else has; DuckDB counts within its own limit of memory."""
    with duckdb.connect(config={"memory_limit": "256MB", "threads": _THREADS}) as engine:
        found = engine.execute(
            "with names as (select count(*) as people from read_parquet(?) group by name) "
            "select coalesce(sum(people), 0) from names where people > 1",
            [str(path)],
        ).fetchone()
    return int(found[0]) if found else 0


def _report_text(report: CityReport) -> str:
    """The report as JSON, without the folder: equal cities have equal files."""
    fields = asdict(report)
    del fields["out"]
    fields["as_of"] = report.as_of.isoformat()
    for copy in fields["copies"].values():
        copy["path"] = f"{copy['agency']}/{copy['path'].name}"
    return json.dumps(fields, ensure_ascii=False, indent=2) + "\n"
