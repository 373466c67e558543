"""A run from its landed file to a version. Every step may be killed and the run executed again.

Checking writes only its work folder, the lake knows which runs it has, and the last step is one action. Whatever stops
a run short of the lake's commit, a failure or a block, leaves the table as it was.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
from django.db.models import QuerySet

from datong.catalog.service import get_contract, get_resource
from datong.catalog.values import DataContract
from datong.catalog.words import CollectMode
from datong.collect import noted, quarantine
from datong.collect.checking import CheckedFile
from datong.collect.contracts import AllQuarantined, Block, BlockKind, RowsLost, RunState, RunSuperseded, RunView
from datong.collect.landing import landed_path, work_dir
from datong.collect.preparing import check_delivery
from datong.collect.rereading import Delivery, Prepared, delivery_of
from datong.collect.service import ending
from datong.collect.service.plan import export_references, prepare_run
from datong.collect.service.rows import find_row, hold_run, views_of
from datong.collect.store.models import Run
from datong.kernel import clock
from datong.kernel.config import load_settings
from datong.kernel.failures import Bug, Failure, Retry
from datong.kernel.faults import fault_point
from datong.kernel.ids import ResourceId, RunId
from datong.kernel.limits import COLLECT_DELETES_ROWS_FREE, COLLECT_DELETES_SHARE_MAX
from datong.lake import service as lake
from datong.lake.contracts import Counts, VersionView
from datong.lake.engine import get_lake
from datong.lake.locks import hold_table
from datong.lake.tables import (
    DeletesTooMany,
    KeyedCounts,
    qualify,
    write_append,
    write_diff,
    write_replace,
    write_upsert,
)
from datong.quality.sql import name_sql

Progress = Callable[[str, int, int], None]
"""Called as (step, done, total): bytes of the file while it is read and checked, rows while they are written."""


class AlreadyAppended(Exception):  # noqa: N818 - a condition, caught one call up
    """The same bytes are in the table already, by another run, whose version this is."""

    def __init__(self, version: VersionView) -> None:
        super().__init__(version.id)
        self.version = version


def _no_progress(_step: str, _done: int, _total: int) -> None:
    return


def execute_run(run_id: RunId, progress: Progress = _no_progress) -> RunView:
    """Check the landed file and make its version. Safe to call again after any interruption.

    A run that waits for a decision is returned as it is. A Failure ends the run as failed and is raised; one that says
    "later" leaves the run as it was. Raises RunBusy.
    """
    with hold_run(run_id):
        run = find_row(run_id)
        if RunState(run.state).is_at_rest:
            return views_of([run])[0]
        work = work_dir(load_settings(), run_id)
        try:
            return _execute(run, work, progress)
        except Failure as failure:
            if failure.retry is not Retry.LATER:
                ending.end_failed(run, failure)
            raise
        except (duckdb.Error, RowsLost) as error:
            bug = Bug(
                "The run was stopped and nothing was written.",
                hint_zh="归集已停止，没有写入任何数据。",
                private=str(error),
            )
            ending.end_failed(run, bug)
            raise bug from error
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _execute(run: Run, work: Path, progress: Progress) -> RunView:
    is_written = lake.find_version_of_runs([run.id]) is not None
    same = None if is_written else find_same(run)
    if same is not None:
        return ending.end_unchanged(run, same)
    if not is_written:
        _refuse_superseded(run)
    run.state = RunState.CHECKING
    run.save(update_fields=["state"])
    fault_point("collect.before-check")
    contract = get_contract(ResourceId(run.resource_id), run.contract_version)
    prepared = prepare_run(contract, run.as_of)
    delivery = _delivery_of(run)
    checked = check_delivery(delivery, prepared, work, progress, export_references(prepared, work))
    if checked.file.rows_read != checked.file.rows_accepted + checked.file.rows_quarantined:
        raise RowsLost(f"{checked.file.rows_read} ≠ {checked.file.rows_accepted} + {checked.file.rows_quarantined}")
    fault_point("collect.after-check")
    ending.note_counts(run, checked, contract, RunState.COMMITTING)
    if checked.file.rows_accepted == 0:
        _write_quarantine_alone(run, checked.file)
        raise _nothing_accepted(checked.file)
    accepted = {each["kind"] for each in run.accepted}
    blocks = [block for block in checked.blocks if block.kind not in accepted or block.kind is BlockKind.RULE]
    if blocks:
        return _end_blocked(run, checked.file, blocks)
    return _commit(run, prepared, checked.file, progress)


def _commit(run: Run, prepared: Prepared, checked: CheckedFile, progress: Progress) -> RunView:
    started_s = clock.monotonic_s()
    progress("commit", 0, checked.rows_accepted)
    written = _Written()
    try:
        version = lake.commit_version(
            RunId(run.id), ResourceId(run.resource_id), _writer(run, prepared.contract, checked, written)
        )
    except DeletesTooMany as refused:
        return _end_blocked(run, checked, [_deletes_block(refused)])
    except AlreadyAppended as present:
        version = replace(present.version, is_unchanged=True)
    if version.is_unchanged and checked.quarantine:
        _write_quarantine_alone(run, checked)
    run.rows_written = _describe_written(run, version, written)
    run.steps["commit"] = clock.monotonic_s() - started_s
    fault_point("collect.after-commit")
    progress("publish", checked.rows_accepted, checked.rows_accepted)
    return ending.end_done(run, version)


def _describe_written(run: Run, version: VersionView, written: _Written) -> dict[str, int]:
    """What the version changed. A replacement writes every row anew, so that only its being the same says anything."""
    if version.is_unchanged:
        return {"unchanged": run.rows_accepted, "late": written.found.get("late", 0)}
    if run.mode == CollectMode.REPLACE:
        return {}
    # After a killed run the counts stand with the version; what was late or the same is not known any more.
    return written.found or {
        "inserted": version.rows_inserted,
        "updated": version.rows_updated,
        "deleted": version.rows_deleted,
    }


def _delivery_of(run: Run) -> Delivery:
    path = landed_path(load_settings(), get_resource(ResourceId(run.resource_id)).agency, run.digest)
    return delivery_of(
        path,
        filename=run.filename,
        digest=run.digest,
        facts=run.file_facts,
        delimiter=run.delimiter,
        bill=run.bill,
    )


def _refuse_superseded(run: Run) -> None:
    """A whole-table file that is executed after a later one would bring back what is past.

    Asked before the check, to spare it, and again under the table's lock: a run beside this one may have been quicker.
    """
    if run.mode not in (CollectMode.REPLACE, CollectMode.DIFF):
        return
    began_later = Run.objects.filter(
        resource_id=run.resource_id,
        started_at__gt=run.started_at,
        mode__in=[CollectMode.REPLACE, CollectMode.DIFF],
    ).order_by("-started_at")
    later = began_later.filter(state__in=[RunState.DONE, RunState.UNCHANGED]).first()
    if later is None:
        version = lake.find_version_of_runs(list(began_later.values_list("pk", flat=True)))
        later = began_later.filter(pk=version.run_id).first() if version else None
    if later is not None:
        raise RunSuperseded(
            f"{later.number} brought a later file. Hand this one in again if it is the right one.",
            hint_zh=f"{later.number}已归集更新的文件；如以本文件为准，请重新提交。",
            later=later.number,
        )


def find_same(run: Run) -> Run | None:
    """The run that already brought these bytes in this mode, if what it wrote still stands.

    Appended rows stand whatever came after them, and under whatever contract they came, so that the same batch is never
    added twice; otherwise the version must be the present one and the contract the same. A delimiter that the sender
    says must be the one those bytes were read with.
    """
    done = _runs_of_same_bytes(run).filter(state__in=[RunState.DONE, RunState.UNCHANGED])
    if run.delimiter:
        done = done.filter(delimiter=run.delimiter)
    if run.mode == CollectMode.APPEND:
        return next((other for other in done if _is_same_batch(run, other)), None)
    current = lake.current_version(ResourceId(run.resource_id))
    if current is None:
        return None
    return done.filter(contract_version=run.contract_version, version_id=current.id).first()


def _runs_of_same_bytes(run: Run) -> QuerySet[Run]:
    """The other runs of these bytes in this mode, latest first."""
    same = Run.objects.filter(resource_id=run.resource_id, digest=run.digest, mode=run.mode)
    return same.exclude(pk=run.pk).order_by("-started_at")


def _is_same_batch(run: Run, other: Run) -> bool:
    """Of two deliveries of equal bytes, whether they are one. A source numbers what it delivers, a sender may in the
    bill; two different numbers are two batches, since two equal messages are two events."""
    own, others = (
        (each.origin_source, each.origin_cursor) if each.origin_cursor else (each.bill or {}).get("batch")
        for each in (run, other)
    )
    return not own or not others or own == others


# Writing -----------------------------------------------------------------------------------------------------------
@dataclass(slots=True, kw_only=True)
class _Written:
    """What the write found, for the report: set inside the lake's transaction."""

    found: dict[str, int] = field(default_factory=dict)

    def note(self, written: KeyedCounts) -> Counts:
        counts = written.counts
        self.found = {
            "inserted": counts.inserted,
            "updated": counts.updated,
            "deleted": counts.deleted,
            "unchanged": written.unchanged,
            "late": written.late,
        }
        return counts


def _writer(run: Run, contract: DataContract, checked: CheckedFile, written: _Written) -> lake.Write:
    """What the lake runs inside its transaction: the accepted rows, the quarantine, and the count of both."""

    def write(connection: duckdb.DuckDBPyConnection, table: str) -> Counts:
        counts = written.note(_write_rows(run, contract, checked, connection, table))
        quarantine.write_rows(connection, table, run.id, checked.quarantine)
        is_whole = run.mode in (CollectMode.REPLACE, CollectMode.DIFF)
        noted.write_noted(connection, table, run.id, checked.noted, is_whole=is_whole)
        return counts

    return write


def _write_rows(
    run: Run, contract: DataContract, checked: CheckedFile, connection: duckdb.DuckDBPyConnection, table: str
) -> KeyedCounts:
    keys = [column.name for column in contract.key_columns]
    _refuse_superseded(run)
    match CollectMode(run.mode):
        case CollectMode.UPSERT if keys:
            found = write_upsert(connection, table, checked.source_sql, key=keys, newest_by=contract.event_time_column)
            _count_all(checked, found.counts.inserted + found.counts.updated + found.unchanged + found.late)
            return found
        case CollectMode.DIFF:
            found = write_diff(
                connection,
                table,
                checked.source_sql,
                key=keys,
                deletes_share_max=_deletes_guard(run, connection, table),
            )
            _count_all(checked, found.counts.rows)
            return found
        case CollectMode.APPEND:
            _refuse_appended(run)
            late = _count_late(contract, checked, connection, table)
            counts = write_append(connection, table, checked.source_sql)
            _count_all(checked, counts.inserted)
            return KeyedCounts(counts=counts, late=late)
        case _:
            counts = write_replace(connection, table, checked.source_sql)
            _count_all(checked, counts.rows)
            return KeyedCounts(counts=counts)


def _count_all(checked: CheckedFile, rows: int) -> None:
    if rows != checked.rows_accepted:
        raise RowsLost(f"{checked.rows_accepted} rows accepted, {rows} written")


def _refuse_appended(run: Run) -> None:
    """Under the table's lock: whether another run of the same bytes has made its version since this one began.

    A run that was killed after the lake's commit has its version recorded by then, whatever its row says.
    """
    ids = [other.pk for other in _runs_of_same_bytes(run) if _is_same_batch(run, other)]
    version = lake.find_version_of_runs(ids) if ids else None
    if version is not None:
        raise AlreadyAppended(version)


def _count_late(contract: DataContract, checked: CheckedFile, connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """Rows older than the newest that the table has: appended like the rest, and counted."""
    if not contract.event_time_column:
        return 0
    time = name_sql(contract.event_time_column)
    row = connection.execute(
        f"select count(*) from ({checked.source_sql}) as given "
        f"where given.{time} < (select max({time}) from {qualify(table)})"
    ).fetchone()
    return int(row[0]) if row else 0


def _deletes_guard(run: Run, connection: duckdb.DuckDBPyConnection, table: str) -> float | None:
    """The share of rows that may go without somebody's word; None where it was given, or where there are few."""
    if any(each["kind"] == BlockKind.DELETES for each in run.accepted):
        return None
    row = connection.execute(f"select count(*) from {qualify(table)}").fetchone()
    rows = int(row[0]) if row else 0
    return max(COLLECT_DELETES_SHARE_MAX, COLLECT_DELETES_ROWS_FREE / rows) if rows else None


def _deletes_block(refused: DeletesTooMany) -> Block:
    deleted, before = refused.facts["rows_deleted"], refused.facts["rows_before"]
    return Block(
        kind=BlockKind.DELETES,
        reason_zh=f"将删除现有{before:,}行中的{deleted:,}行，超过{COLLECT_DELETES_SHARE_MAX:.0%}",
        reason_en=f"{deleted:,} of {before:,} rows would be deleted, more than {COLLECT_DELETES_SHARE_MAX:.0%}",
        facts=dict(refused.facts),
    )


def _end_blocked(run: Run, checked: CheckedFile, blocks: list[Block]) -> RunView:
    _write_quarantine_alone(run, checked)
    fault_point("collect.before-block")
    return ending.end_blocked(run, blocks)


def _write_quarantine_alone(run: Run, checked: CheckedFile) -> None:
    """The refused rows of a run that makes no version."""
    place = lake.find_target(ResourceId(run.resource_id))
    store = get_lake(load_settings())
    with hold_table(store.address, place.agency, place.table), store.connect(place.agency) as connection:
        connection.execute("begin")
        quarantine.write_rows(connection, place.table, run.id, checked.quarantine)
        connection.execute("commit")


def _nothing_accepted(checked: CheckedFile) -> AllQuarantined:
    worst = checked.reasons[0]
    return AllQuarantined(
        f"All {checked.rows_quarantined} rows are in quarantine, most because: {worst.reason_en}. "
        "The table is as it was.",
        hint_zh=f"全部{checked.rows_quarantined}行进入隔离区，主要原因：{worst.reason_zh}。数据表保持原样。",
        rows_read=checked.rows_read,
        rows_quarantined=checked.rows_quarantined,
        rule=worst.rule,
    )
