"""Table shapes and the two ways of writing, replace all rows or merge by key; each inside the caller's transaction.

Both say whether anything changed, so that the same file twice makes no second version. Rows stay in DuckDB: a source is
SQL text, a relation or an Arrow reader.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from datong.kernel.failures import BadInput, Conflict
from datong.lake.contracts import Columns, Counts, TableColumn, TableMismatch
from datong.lake.engine import quote_name

Source = str | pa.RecordBatchReader | pa.Table | duckdb.DuckDBPyRelation

DUCKDB_TYPES = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "time": "TIME",
    "boolean": "BOOLEAN",
}
"""ODCS 3.1 logical types. Money and other exact numbers are written `decimal(p,s)`."""
_DECIMAL = re.compile(r"decimal\((\d{1,2}),(\d{1,2})\)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableChange:
    """What `ensure_table` did. `rebuilt` columns changed their type and are empty until rewritten."""

    is_new: bool = False
    added: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    widened: tuple[str, ...] = ()
    rebuilt: tuple[str, ...] = ()


def qualify(table: str) -> str:
    """The table's full name in SQL."""
    return f"lake.main.{quote_name(table)}"


def at_snapshot(table: str, snapshot: int) -> str:
    """The table as it was at a snapshot, for a `from` clause."""
    return f"{qualify(table)} at (version => {int(snapshot)})"


def duckdb_type(logical_type: str) -> str:
    """The DuckDB type of a logical type. Raises BadInput for one that the lake does not know."""
    text = logical_type.strip().lower().replace(" ", "")
    if text in DUCKDB_TYPES:
        return DUCKDB_TYPES[text]
    if match := _DECIMAL.match(text):
        width, scale = int(match[1]), int(match[2])
        if 1 <= width <= 38 and scale <= width:
            return f"DECIMAL({width},{scale})"
    raise BadInput(f"Use one of {', '.join(DUCKDB_TYPES)} or decimal(p,s) with p up to 38.", logical_type=logical_type)


def exact_type(logical_type: str, physical_type: str) -> str:
    """The logical type, made exact where the contract's physical type is a decimal with its digits."""
    text = physical_type.strip().lower().replace(" ", "").replace("numeric(", "decimal(")
    return text if logical_type == "number" and _DECIMAL.match(text) else str(logical_type)


def read_columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Column names and DuckDB types; empty when there is no such table."""
    rows = connection.execute(
        "select column_name, data_type from duckdb_columns() "
        "where database_name = 'lake' and schema_name = 'main' and table_name = ? order by column_index",
        [table],
    ).fetchall()
    return dict(rows)


def ensure_table(connection: duckdb.DuckDBPyConnection, table: str, columns: Columns) -> TableChange:
    """Make the table, or bring its columns to the contract's. Earlier versions keep the columns that they had."""
    wanted = {column.name: duckdb_type(column.logical_type) for column in columns}
    if not wanted or len(wanted) != len(columns):
        raise BadInput("A table has at least one column and no name twice.", table=table)
    present = read_columns(connection, table)
    name = qualify(table)
    if not present:
        body = ", ".join(f"{quote_name(column)} {kind}" for column, kind in wanted.items())
        connection.execute(f"create table {name} ({body})")
        return TableChange(is_new=True, added=tuple(wanted))
    added = [column for column in wanted if column not in present]
    dropped = [column for column in present if column not in wanted]
    widened: list[str] = []
    rebuilt: list[str] = []
    for column in added:
        connection.execute(f"alter table {name} add column {quote_name(column)} {wanted[column]}")
    for column, kind in wanted.items():
        if column in present and present[column] != kind:
            (widened if _widen(connection, name, column, kind) else rebuilt).append(column)
    for column in dropped:
        connection.execute(f"alter table {name} drop column {quote_name(column)}")
    return TableChange(added=tuple(added), dropped=tuple(dropped), widened=tuple(widened), rebuilt=tuple(rebuilt))


def _widen(connection: duckdb.DuckDBPyConnection, table: str, column: str, kind: str) -> bool:
    """Change a column's type; where DuckLake cannot, put an empty column in its place and answer False."""
    try:
        connection.execute(f"alter table {table} alter column {quote_name(column)} set data type {kind}")
    except (
        duckdb.CatalogException,
        duckdb.BinderException,
        duckdb.InvalidInputException,
        duckdb.NotImplementedException,
    ):
        connection.execute(f"alter table {table} drop column {quote_name(column)}")
        connection.execute(f"alter table {table} add column {quote_name(column)} {kind}")
        return False
    return True


def write_replace(connection: duckdb.DuckDBPyConnection, table: str, source: Source) -> Counts:
    """Put the source's rows in the place of all there were. Columns go by name; a missing one is null.

    The table is made anew under its name, which costs nothing; deleting its rows would read all of them.
    """
    name = qualify(table)
    rows_before = _count(connection, name)
    if rows_before:
        columns = ", ".join(f"{quote_name(each)} {kind}" for each, kind in read_columns(connection, table).items())
        connection.execute(f"create or replace table {name} ({columns})")
    with _source_sql(connection, source) as rows:
        connection.execute(f"insert into {name} by name {rows}")
    rows_after = _count(connection, name)
    is_changed = rows_before != rows_after or not _equals_committed(connection, table)
    return Counts(rows=rows_after, inserted=rows_after, deleted=rows_before, is_changed=is_changed, replaces=True)


def write_merge(connection: duckdb.DuckDBPyConnection, table: str, source: Source, *, key: Sequence[str]) -> Counts:
    """Insert rows with a new key, update those that differ, leave the rest. A key that comes twice is refused."""
    name, stage = qualify(table), quote_name(f"stage {table}")
    with _source_sql(connection, source) as rows:
        connection.execute(f"create or replace temp table {stage} as {rows}")
    try:
        staged = [row[0] for row in connection.execute(f"select column_name from (describe {stage})").fetchall()]
        unknown = [column for column in [*staged, *key] if column not in read_columns(connection, table)]
        if unknown or not key or any(column not in staged for column in key):
            raise TableMismatch("Give the key's columns and no others than the table's.", table=table, unknown=unknown)
        keys = ", ".join(quote_name(column) for column in key)
        twice = connection.execute(
            f"select count(*) from (select 1 from {stage} group by {keys} having count(*) > 1)"
        ).fetchall()[0][0]
        if twice:
            raise TableMismatch("Quarantine rows whose key comes twice before merging.", table=table, keys_twice=twice)
        same_key = " and ".join(f"kept.{quote_name(c)} = given.{quote_name(c)}" for c in key)
        others = [column for column in staged if column not in key]
        differs = " or ".join(f"kept.{quote_name(c)} is distinct from given.{quote_name(c)}" for c in others) or "false"
        updated, matched, given = connection.execute(
            f"select count(*) filter (kept.rowid is not null and ({differs})), "
            f"count(*) filter (kept.rowid is not null), count(*) "
            f"from {stage} as given left join {name} as kept on {same_key}"
        ).fetchall()[0]
        inserted = given - matched
        if inserted or updated:
            changes = ", ".join(f"{quote_name(c)} = given.{quote_name(c)}" for c in others)
            when_matched = f"when matched and ({differs}) then update set {changes}" if others else ""
            names = ", ".join(quote_name(c) for c in staged)
            values = ", ".join(f"given.{quote_name(c)}" for c in staged)
            connection.execute(
                f"merge into {name} as kept using {stage} as given on ({same_key}) {when_matched} "
                f"when not matched then insert ({names}) values ({values})"
            )
        return Counts(
            rows=_count(connection, name), inserted=inserted, updated=updated, is_changed=bool(inserted or updated)
        )
    finally:
        connection.execute(f"drop table if exists {stage}")


def digest_rows(connection: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str]) -> str:
    """A digest of the rows as a multiset: equal for the same rows in any order, for change detection, not for proof.

    The sum of the rows' 64-bit hashes and the sum of these hashes hashed again, beside the count. The hash is DuckDB's
    own, so its version is part of the digest; a digest of another version says nothing and counts as different.
    """
    names = ", ".join(quote_name(column) for column in sorted(columns))
    count, plain, again = connection.execute(
        f"select count(*), sum(h::hugeint), sum(hash(h)::hugeint) from (select hash({names}) as h from {relation})"
    ).fetchall()[0]
    text = "\x1f".join((duckdb.__version__, *sorted(columns), str(count), str(plain), str(again)))
    return "rows2:" + hashlib.sha256(text.encode()).hexdigest()


def _equals_committed(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether this transaction's rows and columns are those of the last commit.

    The committed state is read through another cursor: inside a transaction that has written to a table, DuckLake
    answers `at (version => n)` with the transaction's own rows.
    """
    columns, name = read_columns(connection, table), qualify(table)
    with connection.cursor() as outside:
        if read_columns(outside, table) != columns:
            return False
        return digest_rows(outside, name, list(columns)) == digest_rows(connection, name, list(columns))


@contextmanager
def _source_sql(connection: duckdb.DuckDBPyConnection, source: Source) -> Iterator[str]:
    if isinstance(source, str):
        yield source
        return
    connection.register("lake_source", source)
    try:
        yield "select * from lake_source"
    finally:
        connection.unregister("lake_source")


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    return int(connection.execute(f"select count(*) from {relation}").fetchall()[0][0])


def columns_of(pairs: Sequence[tuple[str, str]]) -> tuple[TableColumn, ...]:
    """Columns from plain (name, logical type) pairs."""
    return tuple(TableColumn(name=name, logical_type=logical_type) for name, logical_type in pairs)


# Writing what differs ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedCounts:
    """What a keyed write found: `late` rows were older than what stands under their key, and were left out."""

    counts: Counts
    unchanged: int = 0
    late: int = 0


class DeletesTooMany(Conflict):
    """More rows would go than the guard allows: nothing was written. `facts` has the figures."""

    code = "lake-deletes-too-many"
    title, title_zh = "Too many rows would be deleted", "将删除的行过多"


def write_append(connection: duckdb.DuckDBPyConnection, table: str, source: Source) -> Counts:
    """Add the source's rows to what there is. It does not know whether they came before: the caller does."""
    name = qualify(table)
    rows_before = _count(connection, name)
    with _source_sql(connection, source) as rows:
        connection.execute(f"insert into {name} by name {rows}")
    rows_after = _count(connection, name)
    return Counts(rows=rows_after, inserted=rows_after - rows_before, is_changed=rows_after != rows_before)


def write_upsert(
    connection: duckdb.DuckDBPyConnection, table: str, source: Source, *, key: Sequence[str], newest_by: str = ""
) -> KeyedCounts:
    """As `write_merge`; with `newest_by`, a time column, a row never takes the place of one with a later time."""
    with _staged(connection, table, source, key) as stage:
        found = _compare(connection, table, stage, key, newest_by)
        _write_differing(connection, table, stage, found)
        counts = Counts(
            rows=_count(connection, qualify(table)),
            inserted=found.inserted,
            updated=found.updated,
            is_changed=bool(found.inserted or found.updated),
        )
    return KeyedCounts(counts=counts, unchanged=found.unchanged, late=found.late)


def write_diff(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    source: Source,
    *,
    key: Sequence[str],
    deletes_share_max: float | None = None,
) -> KeyedCounts:
    """Bring the table to the source by key: insert, update and delete what differs, leave every other row untouched.

    Raises DeletesTooMany before anything is written when more than `deletes_share_max` of the present rows would go.
    """
    name = qualify(table)
    with _staged(connection, table, source, key) as stage:
        rows_before = _count(connection, name)
        found = _compare(connection, table, stage, key, "")
        deleted = rows_before - found.unchanged - found.updated
        if deletes_share_max is not None and deleted > deletes_share_max * rows_before:
            raise DeletesTooMany(
                f"{deleted} of {rows_before} rows are not in the file.",
                hint_zh=f"现有{rows_before}行中有{deleted}行不在文件中。",
                rows_before=rows_before,
                rows_deleted=deleted,
                share_max=deletes_share_max,
            )
        if deleted:
            connection.execute(
                f"delete from {name} as kept where not exists (select 1 from {stage} as given where {found.same_key})"
            )
        _write_differing(connection, table, stage, found)
        counts = Counts(
            rows=_count(connection, name),
            inserted=found.inserted,
            updated=found.updated,
            deleted=deleted,
            is_changed=bool(found.inserted or found.updated or deleted),
            replaces=True,
        )
    return KeyedCounts(counts=counts, unchanged=found.unchanged)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Difference:
    """How staged rows compare with the table's, and the SQL that tells them apart."""

    same_key: str
    is_newer: str
    others: tuple[str, ...]
    staged: tuple[str, ...]
    inserted: int
    updated: int
    late: int
    unchanged: int


@contextmanager
def _staged(connection: duckdb.DuckDBPyConnection, table: str, source: Source, key: Sequence[str]) -> Iterator[str]:
    """The source as a temporary table for the block. Raises TableMismatch for keys that are missing or come twice."""
    stage = quote_name(f"stage {table}")
    with _source_sql(connection, source) as rows:
        connection.execute(f"create or replace temp table {stage} as {rows}")
    try:
        staged = [row[0] for row in connection.execute(f"select column_name from (describe {stage})").fetchall()]
        unknown = [column for column in [*staged, *key] if column not in read_columns(connection, table)]
        if unknown or not key or any(column not in staged for column in key):
            raise TableMismatch("Give the key's columns and no others than the table's.", table=table, unknown=unknown)
        keys = ", ".join(quote_name(column) for column in key)
        twice = _count(connection, f"(select 1 from {stage} group by {keys} having count(*) > 1)")
        if twice:
            raise TableMismatch("Quarantine rows whose key comes twice before writing.", table=table, keys_twice=twice)
        yield stage
    finally:
        connection.execute(f"drop table if exists {stage}")


def _compare(
    connection: duckdb.DuckDBPyConnection, table: str, stage: str, key: Sequence[str], newest_by: str
) -> _Difference:
    staged = tuple(row[0] for row in connection.execute(f"select column_name from (describe {stage})").fetchall())
    others = tuple(column for column in staged if column not in key)
    same_key = " and ".join(f"kept.{quote_name(c)} = given.{quote_name(c)}" for c in key)
    differs = " or ".join(f"kept.{quote_name(c)} is distinct from given.{quote_name(c)}" for c in others) or "false"
    time = quote_name(newest_by) if newest_by else ""
    is_older = f"(given.{time} < kept.{time} or given.{time} is null and kept.{time} is not null)" if time else "false"
    inserted, updated, late, unchanged = connection.execute(
        f"select count(*) filter (kept.rowid is null), "
        f"count(*) filter (kept.rowid is not null and ({differs}) and not coalesce({is_older}, false)), "
        f"count(*) filter (kept.rowid is not null and ({differs}) and coalesce({is_older}, false)), "
        f"count(*) filter (kept.rowid is not null and not ({differs})) "
        f"from {stage} as given left join {qualify(table)} as kept on {same_key}"
    ).fetchall()[0]
    return _Difference(
        same_key=same_key,
        is_newer=f"({differs}) and not coalesce({is_older}, false)",
        others=others,
        staged=staged,
        inserted=int(inserted),
        updated=int(updated),
        late=int(late),
        unchanged=int(unchanged),
    )


def _write_differing(connection: duckdb.DuckDBPyConnection, table: str, stage: str, found: _Difference) -> None:
    """Insert the new rows and update those that differ: one MERGE, none when there is nothing to do."""
    if not (found.inserted or found.updated):
        return
    changes = ", ".join(f"{quote_name(c)} = given.{quote_name(c)}" for c in found.others)
    when_matched = f"when matched and ({found.is_newer}) then update set {changes}" if found.updated else ""
    names = ", ".join(quote_name(c) for c in found.staged)
    values = ", ".join(f"given.{quote_name(c)}" for c in found.staged)
    connection.execute(
        f"merge into {qualify(table)} as kept using {stage} as given on ({found.same_key}) {when_matched} "
        f"when not matched then insert ({names}) values ({values})"
    )
