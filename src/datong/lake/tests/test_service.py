"""A version is there wholly or not at all, and who reads it by its number always reads the same."""

from __future__ import annotations

from importlib import resources

import duckdb
import pytest
from django.db import DatabaseError, connection, transaction

from datong.catalog.service import apply_contract, get_contract
from datong.kernel.contracts import ANONYMOUS
from datong.kernel.failures import Conflict, NotAllowed
from datong.kernel.ids import ResourceId, VersionId
from datong.kernel.store.models import AuditRow, OutboxEvent
from datong.lake.contracts import CommitFailed, Counts, TableBusy, TableMismatch, VersionNotFound
from datong.lake.locks import hold_table, try_table
from datong.lake.service import (
    commit_version,
    current_version,
    describe_version,
    find_versions,
    get_version,
    read_changes,
    read_version,
    recover_commits,
    remove_remains,
)
from datong.lake.store.models import Commit
from datong.lake.tables import exact_type, qualify, write_replace
from datong.lake.tests.helpers import (
    PEOPLE,
    inspect,
    lake,
    make_target,
    merging,
    new_agency,
    new_run,
    read_rows,
    replacing,
)
from datong.testing.cast import make_cast

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE_ID = ResourceId("people")


def test_versions_are_numbered_pinned_and_told() -> None:
    target = make_target(new_agency())
    first = commit_version(new_run(), PEOPLE_ID, replacing("('a', 'x', 1), ('b', 'y', 2)"), target=target)
    second = commit_version(new_run(), PEOPLE_ID, merging("('b', 'z', 3), ('c', 'w', 4)"), target=target)
    assert (first.number, second.number) == (1, 2)
    assert (first.label[-2:], second.label[-2:]) == ("-1", "-2")
    assert read_rows(first) == [("a", "x", 1), ("b", "y", 2)]
    assert read_rows(second) == [("a", "x", 1), ("b", "z", 3), ("c", "w", 4)]
    assert (second.rows_count, second.rows_inserted, second.rows_updated) == (3, 1, 1)
    assert second.payload_bytes > 0
    assert current_version(PEOPLE_ID) == second == get_version(second.id)
    assert find_versions(PEOPLE_ID) == [second, first]
    assert find_versions(PEOPLE_ID, before_number=2) == [first]
    assert describe_version(first) == [("id", "VARCHAR"), ("name", "VARCHAR"), ("age", "BIGINT")]
    rows = AuditRow.objects.filter(verb="version.recorded")
    assert [row.facts["number"] for row in rows.order_by("at")] == [1, 2]
    assert OutboxEvent.objects.filter(name="version.recorded").count() == 2


def test_rows_flow_as_arrow_batches() -> None:
    target = make_target(new_agency())

    def write(lake_connection: duckdb.DuckDBPyConnection, table: str) -> Counts:
        return write_replace(
            lake_connection, table, "select 'p' || i as id, 'n' as name, i as age from range(200000) r(i)"
        )

    version = commit_version(new_run(), PEOPLE_ID, write, target=target)
    reader = read_version(version, columns=["age"])
    batches = list(reader)
    assert len(batches) > 1
    assert sum(batch.num_rows for batch in batches) == 200_000
    assert reader.schema.names == ["age"]


def test_changes_between_two_versions() -> None:
    target = make_target(new_agency())
    first = commit_version(new_run(), PEOPLE_ID, replacing("('a', 'x', 1), ('b', 'y', 2)"), target=target)
    second = commit_version(new_run(), PEOPLE_ID, merging("('b', 'z', 3), ('c', 'w', 4)"), target=target)
    changes = read_changes(first, second).read_all().to_pylist()
    told = {(row["change_type"], row["id"], row["name"]) for row in changes}
    assert told == {("update_preimage", "b", "y"), ("update_postimage", "b", "z"), ("insert", "c", "w")}
    with pytest.raises(Conflict):
        read_changes(second, first)


def test_a_replaced_table_is_all_deleted_and_all_inserted() -> None:
    target = make_target(new_agency())
    first = commit_version(new_run(), PEOPLE_ID, replacing("('a', 'x', 1), ('b', 'y', 2)"), target=target)
    second = commit_version(new_run(), PEOPLE_ID, replacing("('b', 'z', 3)"), target=target)
    third = commit_version(new_run(), PEOPLE_ID, merging("('b', 'w', 4)"), target=target)
    told = {(row["change_type"], row["id"], row["name"]) for row in read_changes(first, third).read_all().to_pylist()}
    assert told == {("delete", "a", "x"), ("delete", "b", "y"), ("insert", "b", "w")}
    told = {(row["change_type"], row["id"], row["name"]) for row in read_changes(second, third).read_all().to_pylist()}
    assert told == {("update_preimage", "b", "z"), ("update_postimage", "b", "w")}
    assert [read_rows(version) for version in (first, second)] == [[("a", "x", 1), ("b", "y", 2)], [("b", "z", 3)]]


@pytest.mark.parametrize("write", [replacing("('b', 'y', 2), ('a', 'x', 1)"), merging("('a', 'x', 1)")])
def test_the_same_rows_make_no_version(write: object) -> None:
    target = make_target(new_agency())
    first = commit_version(new_run(), PEOPLE_ID, replacing("('a', 'x', 1), ('b', 'y', 2)"), target=target)
    run = new_run()
    again = commit_version(run, PEOPLE_ID, write, target=target)  # type: ignore[arg-type]
    assert again.is_unchanged
    assert (again.id, len(find_versions(PEOPLE_ID))) == (first.id, 1)
    assert commit_version(run, PEOPLE_ID, replacing("('z', 'z', 9)"), target=target) == again


def test_no_rows_at_first_are_a_version_too() -> None:
    target = make_target(new_agency())
    version = commit_version(new_run(), PEOPLE_ID, merging("('a', 'x', 1)", limit=0), target=target)
    assert (version.number, version.rows_count, version.is_unchanged) == (1, 0, False)


def test_the_same_run_again_is_the_same_version() -> None:
    target, run = make_target(new_agency()), new_run()
    first = commit_version(run, PEOPLE_ID, replacing("('a', 'x', 1)"), target=target)
    assert commit_version(run, PEOPLE_ID, replacing("('b', 'y', 2)"), target=target) == first
    assert read_rows(first) == [("a", "x", 1)]


def test_a_writer_that_fails_leaves_nothing_and_may_try_again() -> None:
    agency = new_agency()
    target, run = make_target(agency), new_run()

    def write(lake_connection: duckdb.DuckDBPyConnection, table: str) -> Counts:
        lake_connection.execute(f"insert into {qualify(table)} values ('secret-id', 'x', 1)")
        lake_connection.execute("select error('row of secret-id')")
        raise AssertionError("DuckDB raises first")

    with pytest.raises(CommitFailed) as caught:
        commit_version(run, PEOPLE_ID, write, target=target)
    assert "secret-id" not in repr(caught.value) + str(caught.value.as_problem())
    commit = Commit.objects.get(run_id=run)
    assert (commit.state, commit.reason) == ("failed", "InvalidInputException")
    assert current_version(PEOPLE_ID) is None
    version = commit_version(run, PEOPLE_ID, replacing("('a', 'x', 1)"), target=target)
    assert read_rows(version) == [("a", "x", 1)]
    with lake().connect(agency) as lake_connection:
        assert not inspect(lake_connection, agency, "people")


def test_a_bug_in_a_writer_marks_the_run_and_is_raised() -> None:
    run = new_run()

    def write(_connection: duckdb.DuckDBPyConnection, _table: str) -> Counts:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        commit_version(run, PEOPLE_ID, write, target=make_target(new_agency()))
    assert Commit.objects.get(run_id=run).reason == "ZeroDivisionError"


def test_a_new_contract_changes_the_table_and_keeps_the_past() -> None:
    agency = new_agency()
    first = commit_version(new_run(), PEOPLE_ID, replacing("('a', 'x', 1)"), target=make_target(agency))
    wider = make_target(agency, columns=(*PEOPLE, ("sex", "string")))
    second = commit_version(new_run(), PEOPLE_ID, replacing("('a', 'x', 1)"), target=wider)
    assert [name for name, _ in describe_version(first)] == ["id", "name", "age"]
    assert [name for name, _ in describe_version(second)] == ["id", "name", "age", "sex"]
    retyped = make_target(agency, columns=(("id", "string"), ("name", "string"), ("age", "date")))
    with pytest.raises(TableMismatch, match="type changed"):
        commit_version(new_run(), PEOPLE_ID, lambda c, t: Counts(rows=1, inserted=0), target=retyped)
    assert read_rows(second) == [("a", "x", 1, None)]


def test_another_writer_waits_and_then_gives_up() -> None:
    address = lake().address
    with hold_table(address, "psb", "people"):
        with try_table(address, "psb", "people") as lock:
            assert lock is None
        with pytest.raises(TableBusy), hold_table(address, "psb", "people", wait_s=0.1):
            pass
        with try_table(address, "psb", "other") as lock:
            assert lock is not None


def test_a_version_cannot_be_changed_or_deleted() -> None:
    version = commit_version(new_run(), PEOPLE_ID, replacing("('a', 'x', 1)"), target=make_target(new_agency()))
    for statement in (
        "update lake_version set snapshot = 0 where id = %s",
        "delete from lake_version where id = %s",
        "truncate lake_version cascade -- %s",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, [version.id])
    assert get_version(version.id) == version


def test_who_may_not_record_writes_nothing() -> None:
    """Refused before the lake is touched: else recovery, which is the platform's, would record the rows later."""
    agency, run = new_agency(), new_run()
    with pytest.raises(NotAllowed):
        commit_version(run, PEOPLE_ID, replacing("('a', 'x', 1)"), target=make_target(agency), actor=ANONYMOUS)
    assert not Commit.objects.filter(run_id=run).exists()
    with lake().connect(agency) as lake_connection:
        assert lake_connection.execute("select max(snapshot_id) from lake.snapshots()").fetchall() == [(0,)]


def test_inside_a_transaction_it_refuses() -> None:
    with pytest.raises(RuntimeError, match="outside atomic"), transaction.atomic():
        commit_version(new_run(), PEOPLE_ID, replacing("('a', 'x', 1)"), target=make_target(new_agency()))


def test_nothing_to_recover_and_nothing_to_find() -> None:
    assert recover_commits() == []
    assert current_version(ResourceId("none")) is None
    with pytest.raises(VersionNotFound):
        get_version(VersionId("ver_none"))


def test_the_table_comes_from_the_contract() -> None:
    """Without a target of one's own: the real catalogue, the real contract."""
    text = resources.files("datong.testing").joinpath("contracts/amr_enterprise.odcs.yaml").read_text("utf-8")
    cast = make_cast()
    resource_id = ResourceId(apply_contract(cast.actor("amr.steward"), text, base_version=None).resource_id)
    contract = get_contract(resource_id)

    def write(lake_connection: duckdb.DuckDBPyConnection, table: str) -> Counts:
        return write_replace(lake_connection, table, "select '91310000MA1FL0QX3X' as uscc")

    version = commit_version(new_run(), resource_id, write)
    assert (version.agency, version.table, version.rows_count) == ("amr", resource_id, 1)
    kinds = dict(describe_version(version))
    assert list(kinds) == [column.name for column in contract.columns]
    assert {kinds[c.name] for c in contract.columns if c.logical_type == "string"} == {"VARCHAR"}
    row = AuditRow.objects.get(verb="version.recorded")
    assert row.agency_id == cast.agencies["amr"].id
    steward = cast.actor("amr.steward")
    other = commit_version(
        new_run(), resource_id, lambda c, t: write_replace(c, t, "select '2' as uscc"), actor=steward
    )
    assert other.number == 2
    with pytest.raises(NotAllowed):
        commit_version(
            new_run(),
            resource_id,
            lambda c, t: write_replace(c, t, "select '3' as uscc"),
            actor=cast.actor("psb.steward"),
        )


def test_remains_of_killed_writers_are_removed_when_old() -> None:
    agency = new_agency()
    version = commit_version(new_run(), PEOPLE_ID, replacing("('a', 'x', 1)"), target=make_target(agency))
    folder = lake().data_dir(agency) / "main" / "people"
    remain = folder / "ducklake-left.parquet"
    remove_remains()  # folders of processes that other tests killed
    remain.write_bytes(b"left by a killed writer")
    assert remove_remains() == 0
    assert remain.exists()
    assert remove_remains(older_than_s=-60) == 1
    assert not remain.exists()
    assert read_rows(version) == [("a", "x", 1)]


@pytest.mark.parametrize(
    ("logical", "physical", "exact"),
    [
        ("number", "NUMERIC(18, 2)", "decimal(18,2)"),
        ("number", "decimal(18,6)", "decimal(18,6)"),
        ("number", "double", "number"),
        ("string", "decimal(18,6)", "string"),
        ("number", "", "number"),
    ],
)
def test_an_exact_number_keeps_its_digits(logical: str, physical: str, exact: str) -> None:
    assert exact_type(logical, physical) == exact
