"""Versions: the verbs of the lake.

A version is made in three steps that no common transaction holds together, so their order is the design (§5):
(1) a commit row `committing` in PostgreSQL; (2) one DuckLake transaction that carries the run's id, under the table's
advisory lock; (3) an action that records the version with its snapshot. Whoever comes next, the same run again, another
run on the table or `recover_commits`, looks the run up in the lake: there → step 3; not there → it failed and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import duckdb
import pyarrow as pa
from django.db import connection as database
from django.db import transaction
from django.db.models import Max

from datong.catalog.service import find_titles
from datong.kernel import clock
from datong.kernel.action.service import action, check_permission
from datong.kernel.config import load_settings
from datong.kernel.contracts import Actor, Subject, platform_actor
from datong.kernel.failures import Conflict, Failure
from datong.kernel.faults import fault_point
from datong.kernel.ids import AgencyId, ResourceId, RunId, VersionId
from datong.kernel.limits import LAKE_BATCH_ROWS, LAKE_REMAINS_KEPT_S, PAGE_ROWS_DEFAULT
from datong.lake import snapshots
from datong.lake.contracts import (
    Columns,
    CommitFailed,
    CommitState,
    Counts,
    Recovered,
    TableColumn,
    TableMismatch,
    VersionNotFound,
    VersionView,
)
from datong.lake.engine import Lake, get_lake, quote_name, quote_text, remove_temporary_folders
from datong.lake.locks import TableLock, hold_table, try_table
from datong.lake.plugs import VERSION_RECORDED
from datong.lake.store.models import Commit, Version
from datong.lake.tables import TableChange, at_snapshot, ensure_table, exact_type

Write = Callable[[duckdb.DuckDBPyConnection, str], Counts]
"""Writes into the named table of `lake.main`, inside the transaction that it is given, and commits nothing."""

LAKE = platform_actor("lake")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a resource's rows live. `agency` is the code that names the catalogue, `agency_id` the kernel's id."""

    resource_id: ResourceId
    agency: str
    agency_id: AgencyId | None
    table: str
    columns: Columns


def find_target(resource_id: ResourceId) -> Target:
    """The table of a resource, derived from its current contract."""
    from datong.catalog.service import get_contract, get_resource

    resource = get_resource(resource_id)
    columns = [
        TableColumn(name=column.name, logical_type=exact_type(column.logical_type, column.physical_type))
        for column in get_contract(resource_id).columns
    ]
    return Target(
        resource_id=resource_id,
        agency=resource.agency,
        agency_id=AgencyId(resource.agency_id),
        table=resource_id,
        columns=columns,
    )


def commit_version(
    run_id: RunId,
    resource_id: ResourceId,
    write: Write,
    *,
    target: Target | None = None,
    actor: Actor = LAKE,
    message: str = "",
) -> VersionView:
    """Write the run's rows and record them as the resource's next version.

    Calling again with the same run returns the version that the run made. When the writer reports no change, nothing
    is kept and the present version comes back with `is_unchanged`. Raises NotAllowed before anything is written. Must
    not run inside a transaction.
    """
    if database.in_atomic_block:
        raise RuntimeError("commit_version opens transactions of its own; call it outside atomic()")
    place = target or find_target(resource_id)
    check_permission(VERSION_RECORDED.verb, actor, _subject(place.resource_id, place.agency_id))
    lake = get_lake(load_settings())
    with hold_table(lake.address, place.agency, place.table) as lock, lake.connect(place.agency) as lake_connection:
        _finish_left_over(lake_connection, place.agency, place.table)
        commit = _begin(lake_connection, run_id, place)
        if commit.state != CommitState.COMMITTING:
            return _view_of_commit(commit)
        fault_point("lake.after-commit-row")
        if not _write_once(lake_connection, lock, commit, place, write, author=actor.name, message=message):
            return _leave_unchanged(commit)
        fault_point("lake.after-ducklake-commit")
        return _record(lake_connection, commit, actor)


def recover_commits() -> list[Recovered]:
    """Finish what killed processes left between two steps; a commit whose writer holds its table is left alone."""
    lake = get_lake(load_settings())
    done: list[Recovered] = []
    places = Commit.objects.filter(state=CommitState.COMMITTING).values_list("agency", "table").distinct()
    for agency, table in list(places):
        with try_table(lake.address, agency, table) as lock:
            if lock is not None:
                with lake.connect(agency) as lake_connection:
                    done += _finish_left_over(lake_connection, agency, table)
    return done


def remove_remains(*, older_than_s: int = LAKE_REMAINS_KEPT_S) -> int:
    """Delete what killed processes left on disk: data files that no snapshot names, and temporary folders.

    Files younger than `older_than_s` stay, because a writer at work has not committed its own yet. Gives their number.
    """
    lake = get_lake(load_settings())
    removed = remove_temporary_folders(lake.settings)
    for agency in list(Version.objects.values_list("agency", flat=True).distinct()):
        with lake.connect(agency) as lake_connection:
            before = clock.now() - timedelta(seconds=older_than_s)
            removed += len(
                lake_connection.execute(
                    "call ducklake_delete_orphaned_files('lake', older_than => ?::timestamptz)", [before]
                ).fetchall()
            )
    return removed


# The three steps ---------------------------------------------------------------------------------------------------
def _begin(lake_connection: duckdb.DuckDBPyConnection, run_id: RunId, place: Target) -> Commit:
    """Step 1. A run that failed before may try again; one that is done stays done."""
    with transaction.atomic():
        commit, is_new = Commit.objects.select_for_update().get_or_create(
            run_id=run_id,
            defaults={
                "resource_id": place.resource_id,
                "agency": place.agency,
                "agency_id": place.agency_id or "",
                "table": place.table,
                "base_snapshot": snapshots.read_current_snapshot(lake_connection),
            },
        )
        if commit.resource_id != place.resource_id:
            raise Conflict("A run writes one resource.", run=run_id, resource=commit.resource_id)
        if not is_new and commit.state == CommitState.FAILED:
            commit.state, commit.reason, commit.finished_at = CommitState.COMMITTING, "", None
            commit.save()
    return commit


def _write_once(
    lake_connection: duckdb.DuckDBPyConnection,
    lock: TableLock,
    commit: Commit,
    place: Target,
    write: Write,
    *,
    author: str,
    message: str,
) -> bool:
    """Step 2. False when nothing changed. A failure marks the commit and is raised; the lake is as before."""
    has_version = Version.objects.filter(resource_id=commit.resource_id).exists()
    try:
        lake_connection.execute("begin")
        change = ensure_table(lake_connection, commit.table, place.columns)
        counts = write(lake_connection, commit.table)
        _check_rebuilt(change, counts, commit.table)
        if not counts.is_changed and has_version and change == TableChange():
            lake_connection.execute("rollback")
            return False
        snapshots.describe_commit(
            lake_connection, run_id=commit.run_id, author=author, message=message or "version", counts=counts
        )
        fault_point("lake.before-ducklake-commit")
        lock.check()
    except BaseException as error:
        lake_connection.execute("rollback")
        _finish(commit, CommitState.FAILED, reason=_reason(error))
        if isinstance(error, duckdb.Error):
            raise _commit_failed(error, commit) from None
        raise
    try:
        lake_connection.execute("commit")
    except duckdb.Error as error:
        # The answer may be lost and the commit there.
        if snapshots.find_run(lake_connection, commit.run_id, after=commit.base_snapshot) is None:
            _finish(commit, CommitState.FAILED, reason=_reason(error))
            raise _commit_failed(error, commit) from None
    return True


def _record(lake_connection: duckdb.DuckDBPyConnection, commit: Commit, actor: Actor) -> VersionView:
    """Step 3, from what the lake says and nothing else: the same for the run itself and for recovery."""
    found = snapshots.find_run(lake_connection, commit.run_id, after=commit.base_snapshot)
    if found is None:
        raise CommitFailed("The lake does not have this run; run it again.", run=commit.run_id)
    state = snapshots.read_state(lake_connection, commit.table, found.snapshot)
    title_zh, title_en = find_titles([commit.resource_id]).get(commit.resource_id, ("", ""))
    subject = replace(_subject(commit.resource_id, commit.agency_id), name=title_zh)
    with action(VERSION_RECORDED.verb, actor, subject, facts={"title_en": title_en}) as record:
        last = Version.objects.filter(resource_id=commit.resource_id).aggregate(Max("number"))["number__max"] or 0
        day = clock.today().strftime("%Y.%m.%d")
        of_day = Version.objects.filter(resource_id=commit.resource_id, label__startswith=f"{day}-").count()
        version = Version.objects.create(
            resource_id=commit.resource_id,
            number=last + 1,
            label=f"{day}-{of_day + 1}",
            agency=commit.agency,
            table=commit.table,
            snapshot=found.snapshot,
            run_id=commit.run_id,
            rows_count=state.rows,
            rows_inserted=found.inserted,
            rows_updated=found.updated,
            rows_deleted=found.deleted,
            payload_bytes=state.payload_bytes,
            digest=state.digest,
        )
        _finish(commit, CommitState.COMMITTED, snapshot=found.snapshot, version=version)
        record.facts.update(
            version=version.id,
            number=version.number,
            label=version.label,
            run=commit.run_id,
            snapshot=found.snapshot,
            rows_count=state.rows,
            digest=state.digest,
        )
        record.event(
            "version.recorded",
            subject=f"resource:{commit.resource_id}",
            payload={"version": version.id, "resource": commit.resource_id, "agency": commit.agency},
        )
        view = record.done(_view(version))
    fault_point("lake.after-version-row")
    return view


def _finish_left_over(lake_connection: duckdb.DuckDBPyConnection, agency: str, table: str) -> list[Recovered]:
    """Finish other runs' commits on a table that we hold: their processes are gone, or they would hold it."""
    done = []
    for commit in Commit.objects.filter(agency=agency, table=table, state=CommitState.COMMITTING).order_by(
        "created_at"
    ):
        if snapshots.find_run(lake_connection, commit.run_id, after=commit.base_snapshot) is not None:
            version = _record(lake_connection, commit, LAKE)
            done.append(Recovered(run_id=RunId(commit.run_id), state=CommitState.COMMITTED, version_id=version.id))
        else:
            _finish(commit, CommitState.FAILED, reason="the process ended before the lake commit")
            done.append(Recovered(run_id=RunId(commit.run_id), state=CommitState.FAILED))
    return done


def _subject(resource_id: str, agency_id: str | None) -> Subject:
    return Subject(kind="resource", id=resource_id, agency_id=AgencyId(agency_id) if agency_id else None)


def _leave_unchanged(commit: Commit) -> VersionView:
    version = Version.objects.filter(resource_id=commit.resource_id).latest("number")
    _finish(commit, CommitState.UNCHANGED, version=version)
    return replace(_view(version), is_unchanged=True)


def _view_of_commit(commit: Commit) -> VersionView:
    assert commit.version is not None
    return replace(_view(commit.version), is_unchanged=commit.state == CommitState.UNCHANGED)


def _finish(
    commit: Commit,
    state: CommitState,
    *,
    reason: str = "",
    snapshot: int | None = None,
    version: Version | None = None,
) -> None:
    commit.state, commit.reason, commit.snapshot, commit.version = state, reason, snapshot, version
    commit.finished_at = clock.now()
    commit.save()


def _check_rebuilt(change: TableChange, counts: Counts, table: str) -> None:
    if change.rebuilt and not counts.replaces:
        raise TableMismatch(
            "A column's type changed: collect the whole table with replace, not with merge.",
            hint_zh="列的类型已变更：请以全量替换方式重新归集，而不是按主键合并。",
            table=table,
            columns=list(change.rebuilt),
        )


def _reason(error: BaseException) -> str:
    """Why, without values: an engine's message may hold a person's data."""
    return error.code if isinstance(error, Failure) else type(error).__name__


def _commit_failed(error: duckdb.Error, commit: Commit) -> CommitFailed:
    return CommitFailed("Nothing was written; the log has DuckDB's reason.", private=str(error), run=commit.run_id)


# Reading -----------------------------------------------------------------------------------------------------------
def get_version(version_id: VersionId) -> VersionView:
    """Raises VersionNotFound."""
    try:
        return _view(Version.objects.get(pk=version_id))
    except Version.DoesNotExist:
        raise VersionNotFound("List the resource's versions to see which there are.", version=version_id) from None


def current_version(resource_id: ResourceId) -> VersionView | None:
    """The latest version; None before the first."""
    version = Version.objects.filter(resource_id=resource_id).order_by("-number").first()
    return _view(version) if version is not None else None


def find_version_of_runs(run_ids: Sequence[str]) -> VersionView | None:
    """The latest version that one of these runs made: whether a batch is in the table already."""
    version = Version.objects.filter(run_id__in=run_ids).order_by("-created_at").first()
    return _view(version) if version is not None else None


def find_versions(
    resource_id: ResourceId, *, before_number: int | None = None, limit: int = PAGE_ROWS_DEFAULT
) -> list[VersionView]:
    """The versions, latest first; `before_number` continues below one already seen."""
    versions = Version.objects.filter(resource_id=resource_id).order_by("-number")
    if before_number is not None:
        versions = versions.filter(number__lt=before_number)
    return [_view(version) for version in versions[:limit]]


def describe_version(version: VersionView) -> list[tuple[str, str]]:
    """Column names and DuckDB types of the version."""
    with _lake().connect(version.agency) as connection:
        return snapshots.read_columns_at(connection, version.table, version.snapshot)


def read_version(version: VersionView, *, columns: Sequence[str] | None = None) -> pa.RecordBatchReader:
    """The version's rows as Arrow batches; the connection closes with the last batch."""
    names = "*" if columns is None else ", ".join(quote_name(column) for column in columns)
    return _stream(version.agency, f"select {names} from {at_snapshot(version.table, version.snapshot)}")


def read_changes(earlier: VersionView, later: VersionView) -> pa.RecordBatchReader:
    """What happened between two versions of a table: snapshot_id, rowid, change_type and the columns.

    `change_type` is insert, delete, update_preimage or update_postimage (DuckLake 1.0, data change feed). Where a
    version between the two put a new table in the place of the old, all rows of the one are deleted and all of the
    other inserted.
    """
    if (earlier.agency, earlier.table) != (later.agency, later.table) or earlier.number > later.number:
        raise Conflict("Give two versions of one resource, the earlier first.", versions=[earlier.id, later.id])
    with _lake().connect(later.agency) as connection:
        is_replaced = snapshots.is_replaced(connection, later.table, earlier.snapshot, later.snapshot)
    if is_replaced:
        sides = ((earlier.snapshot, "delete"), (later.snapshot, "insert"))
        feed = " union all by name ".join(
            f"select {later.snapshot}::bigint as snapshot_id, rowid, '{change}' as change_type, * "
            f"from {at_snapshot(later.table, snapshot)}"
            for snapshot, change in sides
        )
        return _stream(later.agency, f"select * from ({feed})")
    table = quote_text(later.table)
    feed = f"ducklake_table_changes('lake', 'main', {table}, {earlier.snapshot + 1}, {later.snapshot})"
    return _stream(later.agency, f"select * from {feed} order by snapshot_id, rowid")


def _stream(agency: str, query: str) -> pa.RecordBatchReader:
    connection = _lake().connect(agency)
    reader = connection.execute(query).to_arrow_reader(LAKE_BATCH_ROWS)

    def batches() -> Iterator[pa.RecordBatch]:
        with connection:
            yield from reader

    return pa.RecordBatchReader.from_batches(reader.schema, batches())


def _lake() -> Lake:
    return get_lake(load_settings())


def _view(version: Version) -> VersionView:
    return VersionView(
        id=VersionId(version.id),
        resource_id=ResourceId(version.resource_id),
        number=version.number,
        label=version.label,
        agency=version.agency,
        table=version.table,
        snapshot=version.snapshot,
        run_id=RunId(version.run_id),
        rows_count=version.rows_count,
        rows_inserted=version.rows_inserted,
        rows_updated=version.rows_updated,
        rows_deleted=version.rows_deleted,
        payload_bytes=version.payload_bytes,
        digest=version.digest,
        created_at=version.created_at,
    )
