"""The landed file read once more, exactly: every cell as it came, in the file's order, with its place.

For what the check has no use for: the sender's control sums, and which cells cleaning changed. No Django.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from datong.catalog.values import Column, DataContract
from datong.collect.cleaning import CleaningContext, clean_sql
from datong.collect.contracts import Bill, CellChange, RowsLost
from datong.collect.delimited import ByteFacts, WantedColumn
from datong.collect.drift import ColumnMapping, map_columns, profile_rows
from datong.collect.readers.contracts import PlainTable
from datong.collect.readers.source import read_source
from datong.collect.reconcile import bill_from_dict
from datong.collect.scan import open_engine
from datong.quality.contracts import CheckPlan
from datong.quality.sql import name_sql, text_sql

_SAMPLE_ROWS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a contract demands of a file on a day."""

    contract: DataContract
    plan: CheckPlan
    cleaning: CleaningContext
    wanted: tuple[WantedColumn, ...]

    @property
    def cleaned(self) -> tuple[Column, ...]:
        """The columns with steps."""
        return tuple(column for column in self.contract.columns if column.cleaning)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A landed file with what its sender and the landing said of it."""

    path: Path
    filename: str
    digest: str
    facts: ByteFacts
    delimiter: str | None = None
    bill: Bill | None = None


def delivery_of(
    path: Path, *, filename: str, digest: str, facts: Mapping[str, Any], delimiter: str, bill: Mapping[str, Any] | None
) -> Delivery:
    """A delivery from what a run's row remembers."""
    return Delivery(
        path=path,
        filename=filename,
        digest=digest,
        facts=ByteFacts(**facts),
        delimiter=delimiter or None,
        bill=bill_from_dict(bill) if bill else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RawTable:
    """The delivered file as text: the contract's columns under their names, every cell as it came, in file order."""

    connection: duckdb.DuckDBPyConnection
    relation: str
    table: PlainTable
    header: tuple[str, ...]


@contextmanager
def open_raw(delivery: Delivery, prepared: Prepared, work: Path) -> Iterator[RawTable]:
    """Read the landed file once more, exactly. Files of the reading are below `work`."""
    folder = work / "raw"
    folder.mkdir(exist_ok=True)
    table = read_plain(delivery, prepared, folder)
    mapping = map_header(prepared, table.source_header, sample_rows(table))
    header = tuple(name or f"\x1f{i}" for i, name in enumerate(mapping.header))
    columns = ", ".join(f"{text_sql(name)}: 'VARCHAR'" for name in header)
    relation = (
        f"read_csv({text_sql(str(table.path))}, auto_detect = false, header = true, delim = ',', quote = '\"', "
        f"escape = '\"', new_line = '\\n', columns = {{{columns}}})"
    )
    if mapping.absent:
        empty = ", ".join(f"null::varchar as {name_sql(name)}" for name in mapping.absent)
        relation = f"(select *, {empty} from {relation})"
    with open_engine(folder) as connection:
        yield RawTable(connection=connection, relation=relation, table=table, header=header)


def map_header(prepared: Prepared, header: Sequence[str], rows: Sequence[Sequence[str]]) -> ColumnMapping:
    """The contract's columns in a header, by its drift policy, with the first rows as evidence."""
    return map_columns(
        header,
        prepared.wanted,
        prepared.contract.drift.value,
        optional=[column.name for column in prepared.contract.columns if not column.required],
        profile=profile_rows(prepared.contract.columns, rows),
    )


def read_plain(delivery: Delivery, prepared: Prepared, folder: Path) -> PlainTable:
    found = read_source(
        delivery.path,
        delivery.facts,
        delivery.filename,
        prepared.wanted,
        prepared.contract.reading,
        folder,
        delimiter=delivery.delimiter,
        exactly=True,
    )
    if not isinstance(found, PlainTable):
        raise RowsLost("an exact reading gave no plain table")
    return found


def sample_rows(table: PlainTable) -> list[list[str]]:
    """The first rows of a plain table."""
    with table.path.open(encoding="utf-8", newline="") as file:
        return list(islice(csv.reader(file), 1, _SAMPLE_ROWS + 1))


def read_changes(
    delivery: Delivery, prepared: Prepared, work: Path, *, column: str = "", rows_max: int
) -> list[CellChange]:
    """The cells that cleaning changes, in the file's order: before and after, from the landed file."""
    columns = [each for each in prepared.cleaned if column in ("", each.name)]
    if not columns:
        return []
    with open_raw(delivery, prepared, work) as raw:
        _register_positions(raw)
        pairs = ", ".join(
            f"struct_pack(c := {text_sql(each.name)}, b := {name_sql(each.name)}, "
            f"a := {clean_sql(each, name_sql(each.name), prepared.cleaning)})"
            for each in columns
        )
        rows = raw.connection.execute(
            f"with numbered as (select row_number() over () - 1 as ordinal, [{pairs}] as cells from {raw.relation}),\n"
            "changed as (select ordinal, list_filter(cells, lambda x: x.b is distinct from x.a) as cells "
            "from numbered),\n"
            f"first as (select * from changed where len(cells) > 0 order by ordinal limit {int(rows_max)}),\n"
            "placed as (select ordinal, ordinal + shift as line, cells from first "
            "asof join positions on first.ordinal >= positions.from_ordinal)\n"
            "select line, cell.c, cell.b, cell.a from (select ordinal, line, unnest(cells) as cell, "
            "generate_subscripts(cells, 1) as turn from placed) "
            f"order by ordinal, turn limit {int(rows_max)}"
        ).fetchall()
    return [CellChange(line=line, column=name, before=before, after=after) for line, name, before, after in rows]


def _register_positions(raw: RawTable) -> None:
    given = pa.table(
        {
            "from_ordinal": pa.array(list(raw.table.shift_from), pa.int64()),
            "shift": pa.array(list(raw.table.shift), pa.int64()),
        }
    )
    raw.connection.register("given_positions", given)
    raw.connection.execute("create or replace temp table positions as select * from given_positions")
    raw.connection.unregister("given_positions")
