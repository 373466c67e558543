"""Table shapes follow the contract, and both writers know when nothing changed."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest

from datong.kernel.config import Secret, load_settings
from datong.kernel.failures import BadInput
from datong.lake.contracts import TableMismatch
from datong.lake.engine import get_lake
from datong.lake.tables import (
    columns_of,
    digest_rows,
    duckdb_type,
    ensure_table,
    qualify,
    read_columns,
    write_merge,
    write_replace,
)
from datong.lake.tests.helpers import PEOPLE, new_agency


@pytest.fixture(scope="module")
def agency(database_url: Secret) -> str:
    """One catalogue for the module: making one takes longer than a test."""
    return new_agency()


@pytest.fixture
def connection(agency: str) -> Iterator[duckdb.DuckDBPyConnection]:
    with get_lake(load_settings()).connect(agency) as connection:
        yield connection
        connection.execute(f"drop table if exists {qualify('people')}")


@pytest.fixture
def people(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A committed table of three rows."""
    connection.execute("begin")
    ensure_table(connection, "people", columns_of(PEOPLE))
    write_replace(connection, "people", "select 'p' || i as id, 'n' as name, i as age from range(3) r(i)")
    connection.execute("commit")
    return connection


@pytest.mark.parametrize(
    ("logical", "kind"),
    [
        ("string", "VARCHAR"),
        ("integer", "BIGINT"),
        ("number", "DOUBLE"),
        ("date", "DATE"),
        ("timestamp", "TIMESTAMP WITH TIME ZONE"),
        ("boolean", "BOOLEAN"),
        ("decimal(18, 2)", "DECIMAL(18,2)"),
    ],
)
def test_a_logical_type_has_one_type(logical: str, kind: str) -> None:
    assert duckdb_type(logical) == kind


@pytest.mark.parametrize("logical", ["object", "decimal(40,2)", "decimal(4,5)", "varchar); drop table x; --", ""])
def test_an_unknown_type_is_refused(logical: str) -> None:
    with pytest.raises(BadInput, match="Use one of"):
        duckdb_type(logical)


def test_a_table_gets_the_contracts_columns(connection: duckdb.DuckDBPyConnection) -> None:
    change = ensure_table(connection, 'odd "name"', columns_of([("列", "string"), ('b"c', "decimal(9,3)")]))
    assert change.is_new
    assert read_columns(connection, 'odd "name"') == {"列": "VARCHAR", 'b"c': "DECIMAL(9,3)"}


def test_columns_are_added_dropped_and_rebuilt(people: duckdb.DuckDBPyConnection) -> None:
    change = ensure_table(people, "people", columns_of([("id", "string"), ("age", "date"), ("born", "date")]))
    assert (change.added, change.dropped, change.rebuilt) == (("born",), ("name",), ("age",))
    assert read_columns(people, "people") == {"id": "VARCHAR", "born": "DATE", "age": "DATE"}
    assert ensure_table(people, "people", columns_of([("id", "string"), ("age", "date"), ("born", "date")])).added == ()


@pytest.mark.parametrize(
    ("rows", "is_changed"),
    [
        ("select 'p' || i as id, 'n' as name, i as age from range(3) r(i) order by i desc", False),
        ("select i as age, 'n' as name, 'p' || i as id from range(3) r(i)", False),
        ("select 'p' || i as id, 'n' as name, i as age from range(4) r(i)", True),
        ("select 'p' || i as id, 'm' as name, i as age from range(3) r(i)", True),
        ("select 'p' || i as id, null as name, i as age from range(3) r(i)", True),
        ("select 'p0' as id, 'n' as name, 0 as age from range(3) r(i)", True),
    ],
)
def test_replace_knows_whether_the_rows_are_the_same(
    people: duckdb.DuckDBPyConnection, rows: str, is_changed: bool
) -> None:
    people.execute("begin")
    counts = write_replace(people, "people", rows)
    assert counts.is_changed == is_changed
    assert counts.replaces
    people.execute("rollback")


def test_a_new_column_is_a_change_even_for_the_same_rows(people: duckdb.DuckDBPyConnection) -> None:
    people.execute("begin")
    ensure_table(people, "people", columns_of([*PEOPLE, ("sex", "string")]))
    assert write_replace(people, "people", "select 'p' || i as id, 'n' as name, i as age from range(3) r(i)").is_changed
    people.execute("rollback")


def test_merge_inserts_updates_and_leaves(people: duckdb.DuckDBPyConnection) -> None:
    given = pa.table({"id": ["p1", "p2", "p9"], "name": ["n", "new", "new"], "age": [1, 2, 9]})
    people.execute("begin")
    counts = write_merge(people, "people", given.to_reader(), key=["id"])
    assert (counts.rows, counts.inserted, counts.updated, counts.is_changed) == (4, 1, 1, True)
    again = write_merge(people, "people", given, key=["id"])
    assert (again.inserted, again.updated, again.is_changed) == (0, 0, False)
    people.execute("commit")
    rows = people.execute(f"select * from {qualify('people')} order by id").fetchall()
    assert rows == [("p0", "n", 0), ("p1", "n", 1), ("p2", "new", 2), ("p9", "new", 9)]


def test_merge_keeps_columns_that_are_not_given(people: duckdb.DuckDBPyConnection) -> None:
    write_merge(people, "people", "select 'p1' as id, 'other' as name", key=["id"])
    assert people.execute(f"select * from {qualify('people')} where id = 'p1'").fetchall() == [("p1", "other", 1)]


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"id": ["a", "a"], "name": ["1", "2"]}, ["id"]),
        ({"id": ["a"], "nickname": ["1"]}, ["id"]),
        ({"name": ["a"]}, ["id"]),
        ({"id": ["a"]}, []),
    ],
)
def test_merge_refuses_what_does_not_fit(
    people: duckdb.DuckDBPyConnection, given: dict[str, list[str]], key: list[str]
) -> None:
    with pytest.raises(TableMismatch):
        write_merge(people, "people", pa.table(given), key=key)


def test_a_digest_is_of_rows_not_of_their_order(people: duckdb.DuckDBPyConnection) -> None:
    columns = ["id", "name", "age"]
    one = digest_rows(people, "(values ('a', null, 1), ('b', 'x', 2)) as v(id, name, age)", columns)
    same = digest_rows(people, "(values (2, 'x', 'b'), (1, null, 'a')) as v(age, name, id)", columns)
    other = digest_rows(people, "(values ('a', 'x', 1), ('b', null, 2)) as v(id, name, age)", columns)
    assert one == same != other
