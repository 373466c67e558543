"""What the lake itself knows of a commit: the snapshot that carries a run's id, and the table's state there."""

from __future__ import annotations

import json
from dataclasses import dataclass

import duckdb

from datong.lake.contracts import Counts
from datong.lake.tables import at_snapshot, digest_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSnapshot:
    """A run's snapshot, as its commit message tells it."""

    snapshot: int
    inserted: int
    updated: int
    deleted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableState:
    """A table at a snapshot."""

    rows: int
    payload_bytes: int
    digest: str


def read_current_snapshot(connection: duckdb.DuckDBPyConnection) -> int:
    return int(connection.execute("select id from lake.current_snapshot()").fetchall()[0][0])


def find_run(connection: duckdb.DuckDBPyConnection, run_id: str, *, after: int) -> RunSnapshot | None:
    """The snapshot later than `after` whose commit carries this run's id."""
    found = connection.execute(
        "with own as (select snapshot_id, commit_extra_info as extra from lake.snapshots() "
        "where snapshot_id > ? and commit_extra_info is not null) "
        "select snapshot_id, extra from own where json_extract_string(extra, '$.run') = ?",
        [after, run_id],
    ).fetchall()
    if not found:
        return None
    snapshot, extra = found[0]
    facts = json.loads(extra)
    return RunSnapshot(
        snapshot=int(snapshot),
        inserted=facts.get("inserted", 0),
        updated=facts.get("updated", 0),
        deleted=facts.get("deleted", 0),
    )


def is_replaced(connection: duckdb.DuckDBPyConnection, table: str, after: int, until: int) -> bool:
    """Whether a snapshot later than `after`, up to `until`, made the table anew."""
    rows = connection.execute(
        "select changes['tables_created'] from lake.snapshots() where snapshot_id > ? and snapshot_id <= ?",
        [after, until],
    ).fetchall()
    return any(f"main.{table}" in (created or ()) for (created,) in rows)


def describe_commit(
    connection: duckdb.DuckDBPyConnection, *, run_id: str, author: str, message: str, counts: Counts
) -> None:
    """Sign the open transaction: who, why, which run. Recovery needs nothing else."""
    extra = {"run": run_id, "inserted": counts.inserted, "updated": counts.updated, "deleted": counts.deleted}
    connection.execute(
        "call lake.set_commit_message(?, ?, extra_info => ?)", [author, message, json.dumps(extra, sort_keys=True)]
    )


def read_state(connection: duckdb.DuckDBPyConnection, table: str, snapshot: int) -> TableState:
    """Count, size and digest of the table at a snapshot; outside any transaction that writes to it."""
    relation = at_snapshot(table, snapshot)
    columns = [column for column, _ in read_columns_at(connection, table, snapshot)]
    rows = int(connection.execute(f"select count(*) from {relation}").fetchall()[0][0])
    payload_bytes = connection.execute(
        "select coalesce(sum(data_file_size_bytes + coalesce(delete_file_size_bytes, 0)), 0) "
        "from ducklake_list_files('lake', ?, snapshot_version => ?)",
        [table, snapshot],
    ).fetchall()[0][0]
    return TableState(rows=rows, payload_bytes=int(payload_bytes), digest=digest_rows(connection, relation, columns))


def read_columns_at(connection: duckdb.DuckDBPyConnection, table: str, snapshot: int) -> list[tuple[str, str]]:
    """Names and DuckDB types of the table's columns at a snapshot."""
    rows = connection.execute(
        f"select column_name, column_type from (describe select * from {at_snapshot(table, snapshot)})"
    ).fetchall()
    return [(name, kind) for name, kind in rows]
