"""Append, upsert and diff against a Python oracle: the rows, the counts, and that nothing is written without need."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from datong.kernel import ids
from datong.kernel.config import Secret, load_settings
from datong.lake.contracts import TableMismatch
from datong.lake.engine import get_lake
from datong.lake.tables import (
    DeletesTooMany,
    columns_of,
    ensure_table,
    qualify,
    read_columns,
    write_append,
    write_diff,
    write_upsert,
)
from datong.lake.tests.helpers import new_agency

COLUMNS = columns_of([("id", "integer"), ("part", "string"), ("name", "string"), ("at", "date")])
KEY = ("id", "part")
Row = tuple[int, str, str | None, dt.date | None]


@pytest.fixture(scope="module")
def agency(database_url: Secret) -> str:
    return new_agency()


@pytest.fixture
def connection(agency: str) -> Iterator[duckdb.DuckDBPyConnection]:
    with get_lake(load_settings()).connect(agency) as connection:
        connection.execute("begin")
        ensure_table(connection, "things", COLUMNS)
        connection.execute("commit")
        yield connection
        connection.execute(f"drop table {qualify('things')}")


def random_rows(seed: int, count: int) -> list[Row]:
    rng = ids.seeded(seed)
    keys = rng.sample([(i, part) for i in range(20) for part in "ab"], count)
    days = [None, *(dt.date(2024, 1, day) for day in range(1, 6))]
    return [(i, part, rng.choice(["甲", "乙", None]), rng.choice(days)) for i, part in keys]


def table_of(rows: list[Row]) -> pa.Table:
    names = ("id", "part", "name", "at")
    types = (pa.int64(), pa.string(), pa.string(), pa.date32())
    return pa.table(
        {n: pa.array([row[i] for row in rows], t) for i, (n, t) in enumerate(zip(names, types, strict=True))}
    )


def rows_in(connection: duckdb.DuckDBPyConnection) -> list[Any]:
    return sorted(connection.execute(f"select * from {qualify('things')}").fetchall(), key=str)


def put(connection: duckdb.DuckDBPyConnection, rows: list[Row]) -> None:
    connection.execute("begin")
    write_diff(connection, "things", table_of(rows), key=KEY)
    connection.execute("commit")
    assert rows_in(connection) == sorted(rows, key=str)


@pytest.mark.parametrize("seed", range(4))
def test_diff_leaves_the_source_and_counts_rightly(connection: duckdb.DuckDBPyConnection, seed: int) -> None:
    before, after = random_rows(seed, 12), random_rows(seed + 100, 15)
    put(connection, before)
    connection.execute("begin")
    found = write_diff(connection, "things", table_of(after), key=KEY)
    connection.execute("commit")
    old, new = {row[:2]: row for row in before}, {row[:2]: row for row in after}
    same = [key for key in old if new.get(key) == old[key]]
    both = [key for key in old if key in new]
    assert rows_in(connection) == sorted(after, key=str)
    assert (found.counts.inserted, found.counts.updated, found.counts.deleted, found.unchanged) == (
        len(new) - len(both),
        len(both) - len(same),
        len(old) - len(both),
        len(same),
    )
    connection.execute("begin")
    again = write_diff(connection, "things", table_of(after), key=KEY)
    connection.execute("rollback")
    assert not again.counts.is_changed
    assert again.unchanged == len(after)


@pytest.mark.parametrize("seed", range(4))
def test_upsert_never_puts_an_older_row_over_a_newer(connection: duckdb.DuckDBPyConnection, seed: int) -> None:
    before, given = random_rows(seed, 12), random_rows(seed + 100, 15)
    put(connection, before)
    connection.execute("begin")
    found = write_upsert(connection, "things", table_of(given), key=KEY, newest_by="at")
    connection.execute("commit")
    expected = {row[:2]: row for row in before}
    inserted = updated = late = 0
    for row in given:
        kept = expected.get(row[:2])
        if kept is None:
            inserted += 1
        elif kept == row:
            continue
        elif kept[3] is not None and (row[3] is None or row[3] < kept[3]):
            late += 1
            continue
        else:
            updated += 1
        expected[row[:2]] = row
    assert rows_in(connection) == sorted(expected.values(), key=str)
    assert (found.counts.inserted, found.counts.updated, found.late) == (inserted, updated, late)
    assert late > 0, "the seeds are chosen so that there are late rows"


def test_upsert_without_a_time_takes_what_comes(connection: duckdb.DuckDBPyConnection) -> None:
    put(connection, [(1, "a", "甲", dt.date(2024, 1, 5))])
    connection.execute("begin")
    found = write_upsert(connection, "things", table_of([(1, "a", "乙", dt.date(2024, 1, 1))]), key=KEY)
    connection.execute("commit")
    assert (found.counts.updated, found.late) == (1, 0)
    assert rows_in(connection) == [(1, "a", "乙", dt.date(2024, 1, 1))]


def test_append_adds_and_only_adds(connection: duckdb.DuckDBPyConnection) -> None:
    before, more = random_rows(1, 5), random_rows(2, 6)
    put(connection, before)
    connection.execute("begin")
    counts = write_append(connection, "things", table_of(more))
    connection.execute("commit")
    assert (counts.rows, counts.inserted, counts.is_changed) == (11, 6, True)
    assert rows_in(connection) == sorted([*before, *more], key=str)
    connection.execute("begin")
    assert not write_append(connection, "things", table_of([])).is_changed
    connection.execute("rollback")


def test_too_many_deletes_write_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    before = random_rows(3, 10)
    put(connection, before)
    connection.execute("begin")
    with pytest.raises(DeletesTooMany) as refused:
        write_diff(connection, "things", table_of(before[:7]), key=KEY, deletes_share_max=0.2)
    connection.execute("rollback")
    assert refused.value.facts["rows_deleted"] == 3
    assert rows_in(connection) == sorted(before, key=str)
    connection.execute("begin")
    found = write_diff(connection, "things", table_of(before[:7]), key=KEY, deletes_share_max=0.3)
    connection.execute("commit")
    assert found.counts.deleted == 3


def test_a_key_that_comes_twice_is_refused(connection: duckdb.DuckDBPyConnection) -> None:
    twice = table_of([(1, "a", "甲", None), (1, "a", "乙", None)])
    for write in (write_diff, write_upsert):
        connection.execute("begin")
        with pytest.raises(TableMismatch):
            write(connection, "things", twice, key=KEY)
        connection.execute("rollback")
    assert list(read_columns(connection, "things")) == ["id", "part", "name", "at"]
