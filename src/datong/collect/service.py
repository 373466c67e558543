"""The verbs of collection: start a run, execute it, read it, read its quarantine.

A run's order is landing → checking → committing → done. Every step may be killed and the run executed again: landing is
atomic, checking writes only its work folder, the lake knows which runs it has, and the last step is one action.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import duckdb
from django.db import connection as database
from django.db.models import QuerySet
from django.utils.translation import get_language

from datong.catalog.service import find_titles, get_contract, get_resource, put_facet
from datong.catalog.values import DataContract
from datong.collect import quarantine
from datong.collect.checking import CheckedFile, check_file
from datong.collect.contracts import (
    AllQuarantined,
    CollectMode,
    QuarantinedRow,
    RowsLost,
    RunBusy,
    RunNotFound,
    RunPage,
    RunState,
    RunView,
)
from datong.collect.delimited import ByteFacts, WantedColumn
from datong.collect.landing import land_file, landed_path, work_dir
from datong.collect.store.models import Run
from datong.collect.views import view_of
from datong.kernel import clock
from datong.kernel.action.service import action, check_permission
from datong.kernel.config import load_settings
from datong.kernel.contracts import EVERY_AGENCY, Actor, Role, Subject, platform_actor
from datong.kernel.failures import Bug, Failure, NotAllowed, Retry
from datong.kernel.faults import fault_point
from datong.kernel.identity.service import find_english_names
from datong.kernel.ids import AgencyId, ResourceId, RunId
from datong.kernel.jobs.contracts import JobState
from datong.kernel.jobs.service import enqueue, get_job
from datong.kernel.limits import PAGE_ROWS_DEFAULT
from datong.kernel.numbers.service import next_number
from datong.kernel.store.pages import page_of
from datong.lake import service as lake
from datong.lake.contracts import Counts, VersionView
from datong.lake.engine import get_lake
from datong.lake.locks import hold_table
from datong.lake.tables import write_merge, write_replace
from datong.quality.contracts import CheckPlan
from datong.quality.model import compile_checks
from datong.standards.divisions import Divisions, national_divisions, read_table

STARTED, FINISHED, FAILED, EXPORTED = "run.started", "run.finished", "run.failed", "quarantine.exported"
JOB = "collect.run"
COLLECT = platform_actor("collect")
READERS = frozenset({Role.STEWARD, Role.APPROVER})
"""Who may see refused rows: they are the agency's data as it came."""

Progress = Callable[[str, int, int], None]
"""Called as (step, done, total)."""


def _no_progress(_step: str, _done: int, _total: int) -> None:
    return


def start_run(
    actor: Actor,
    resource_id: ResourceId,
    source: Path | BinaryIO,
    filename: str,
    *,
    delimiter: str | None = None,
    in_background: bool = True,
) -> RunId:
    """Land a file and begin a run of it. Raises NotAllowed before a byte is read, FileUnreadable, TooLarge.

    `in_background` enqueues the run as a job; otherwise the caller executes it.
    """
    resource = get_resource(resource_id)
    contract = get_contract(resource_id)
    subject = Subject(kind="resource", id=resource_id, agency_id=AgencyId(resource.agency_id), name=resource.title_zh)
    check_permission(STARTED, actor, subject)
    landed = land_file(load_settings(), resource.agency, source)
    fault_point("collect.after-landing")
    facts = {"file": filename, "digest": landed.digest, "bytes": landed.facts.bytes, "title_en": resource.title_en}
    with action(STARTED, actor, subject, facts=facts) as record:
        run = Run.objects.create(
            number=next_number("R"),
            resource_id=resource_id,
            resource_title=resource.title_zh,
            agency_id=resource.agency_id,
            contract_version=contract.version,
            mode=contract.collect_mode.value,
            filename=Path(filename).name[:255],
            digest=landed.digest,
            bytes=landed.facts.bytes,
            file_facts=landed.facts.as_dict(),
            delimiter=delimiter or "",
            as_of=clock.today(),
            started_by=record.actor.id,
            started_by_name=record.actor.name,
        )
        record.facts["number"] = run.number
        if in_background:
            run.job_id = enqueue(JOB, {"run_id": run.id}, key=f"collect:{run.id}")
            run.save(update_fields=["job_id"])
        return record.done(RunId(run.id))


def execute_run(run_id: RunId, progress: Progress = _no_progress) -> RunView:
    """Check the landed file and make its version. Safe to call again after any interruption.

    A Failure ends the run as failed and is raised; one that says "later" leaves the run as it was. Raises RunBusy.
    """
    with _hold_run(run_id):
        run = _find(run_id)
        if RunState(run.state).is_final:
            return view_of(run)
        work = work_dir(load_settings(), run_id)
        try:
            return _execute(run, work, progress)
        except Failure as failure:
            if failure.retry is not Retry.LATER:
                _end_failed(run, failure)
            raise
        except (duckdb.Error, RowsLost) as error:
            bug = Bug(
                "The run was stopped and nothing was written.",
                hint_zh="归集已停止，没有写入任何数据。",
                private=str(error),
            )
            _end_failed(run, bug)
            raise bug from error
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _execute(run: Run, work: Path, progress: Progress) -> RunView:
    same = _find_same(run)
    if same is not None:
        return _end_unchanged(run, same)
    _set_state(run, RunState.CHECKING)
    contract = get_contract(run.resource_id, run.contract_version)
    plan = compile_checks(contract, run.as_of, divisions=_divisions(contract))
    checked = check_file(
        landed_path(load_settings(), get_resource(run.resource_id).agency, run.digest),
        ByteFacts(**run.file_facts),
        [WantedColumn(name=c.name, aliases=c.source_names) for c in contract.columns],
        plan,
        work,
        delimiter=run.delimiter or None,
        progress=lambda step, done, _total: progress(step, done, 5),
    )
    if checked.rows_read != checked.rows_accepted + checked.rows_quarantined:
        raise RowsLost(f"{checked.rows_read} ≠ {checked.rows_accepted} + {checked.rows_quarantined}")
    fault_point("collect.after-check")
    progress("commit", 3, 5)
    _note_counts(run, checked, RunState.COMMITTING)
    started_s = clock.monotonic_s()
    if checked.rows_accepted == 0:
        _write_quarantine_alone(run, checked)
        raise _nothing_accepted(checked)
    version = lake.commit_version(RunId(run.id), ResourceId(run.resource_id), _writer(run, contract, plan, checked))
    if version.is_unchanged and checked.quarantine:
        _write_quarantine_alone(run, checked)
    run.steps["commit"] = clock.monotonic_s() - started_s
    fault_point("collect.after-commit")
    progress("publish", 4, 5)
    view = _end_done(run, version)
    progress("publish", 5, 5)
    return view


def _writer(run: Run, contract: DataContract, plan: CheckPlan, checked: CheckedFile) -> lake.Write:
    """What the lake runs inside its transaction: the accepted rows, the quarantine, and the count of both."""
    keys = [column.name for column in contract.key_columns]

    def write(connection: duckdb.DuckDBPyConnection, table: str) -> Counts:
        if run.mode == CollectMode.UPSERT and keys:
            counts = write_merge(connection, table, checked.source_sql, key=keys)
        else:
            counts = write_replace(connection, table, checked.source_sql)
            if counts.rows != checked.rows_accepted:
                raise RowsLost(f"{checked.rows_accepted} rows accepted, {counts.rows} written ({plan.resource_id})")
        quarantine.write_rows(connection, table, run.id, checked.quarantine)
        return counts

    return write


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


def _divisions(contract: DataContract) -> Divisions | None:
    """The division table, with the local codes of `<home>/divisions.csv` where a deployment has any."""
    if not any(
        column.identifier is not None and column.identifier.value == "division_code" for column in contract.columns
    ):
        return None
    local = load_settings().home / "divisions.csv"
    return (
        national_divisions().with_supplement(read_table(local).entries()) if local.is_file() else national_divisions()
    )


# How a run ends ----------------------------------------------------------------------------------------------------
def _find_same(run: Run) -> Run | None:
    """The run that already brought these bytes under this contract, if its version is still the present one."""
    current = lake.current_version(ResourceId(run.resource_id))
    if current is None:
        return None
    return (
        Run.objects.filter(
            resource_id=run.resource_id,
            digest=run.digest,
            contract_version=run.contract_version,
            mode=run.mode,
            delimiter=run.delimiter,
            state__in=[RunState.DONE, RunState.UNCHANGED],
            version_id=current.id,
        )
        .exclude(pk=run.pk)
        .order_by("-started_at")
        .first()
    )


def _end_unchanged(run: Run, same: Run) -> RunView:
    names = ("rows_read", "rows_accepted", "rows_quarantined", "score", "dimensions", "rules", "reasons", "encoding")
    for name in (*names, "source_header", "version_id", "version_label"):
        setattr(run, name, getattr(same, name))
    return _end(run, RunState.UNCHANGED, {"same_as": same.number})


def _end_done(run: Run, version: VersionView) -> RunView:
    run.version_id, run.version_label = version.id, version.label
    return _end(run, RunState.UNCHANGED if version.is_unchanged else RunState.DONE, {"version": version.label})


def _end(run: Run, state: RunState, facts: Mapping[str, Any]) -> RunView:
    """The last step: one action, with the facets that the catalogue shows and the event that others wait for."""
    with action(FINISHED, COLLECT, _subject(run), facts={**_told(run), **facts}) as record:
        run.state, run.finished_at, run.failure = state, clock.now(), None
        run.save()
        put_facet(run.resource_id, "quality.score", run.score)
        put_facet(run.resource_id, "quality.dimensions", run.dimensions)
        put_facet(
            run.resource_id, "collect.last-run", {"run": run.id, "at": clock.iso(run.finished_at), "state": state}
        )
        record.event(
            FINISHED,
            subject=f"resource:{run.resource_id}",
            payload={"run": run.id, "resource": run.resource_id, "version": run.version_id, "state": state.value},
        )
        return record.done(view_of(run))


def _end_failed(run: Run, failure: Failure) -> None:
    with action(FAILED, COLLECT, _subject(run), facts={**_told(run), "code": failure.code}) as record:
        run.state, run.finished_at = RunState.FAILED, clock.now()
        run.failure = {**failure.as_problem("en"), "title_zh": failure.title_zh, "hint_zh": failure.hint_zh}
        run.save()
        record.event(FAILED, subject=f"resource:{run.resource_id}", payload={"run": run.id, "code": failure.code})


def _subject(run: Run) -> Subject:
    return Subject(kind="resource", id=run.resource_id, agency_id=AgencyId(run.agency_id), name=run.resource_title)


def _title_en(run: Run) -> str:
    return find_titles([run.resource_id]).get(run.resource_id, ("", ""))[1]


def _told(run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "number": run.number,
        "file": run.filename,
        "title_en": _title_en(run),
        "rows_read": run.rows_read,
        "rows_accepted": run.rows_accepted,
        "rows_quarantined": run.rows_quarantined,
        "score": run.score,
    }


def _set_state(run: Run, state: RunState) -> None:
    run.state = state
    run.save(update_fields=["state"])


def _note_counts(run: Run, checked: CheckedFile, state: RunState) -> None:
    run.rows_read, run.rows_accepted = checked.rows_read, checked.rows_accepted
    run.rows_quarantined = checked.rows_quarantined
    run.score, run.dimensions = checked.score.total, dict(checked.score.dimensions)
    run.rules = [asdict(rule) for rule in checked.score.rules]
    run.reasons = [asdict(reason) for reason in checked.reasons]
    run.encoding, run.delimiter = checked.form.encoding, run.delimiter or checked.form.delimiter
    run.source_header = list(checked.form.source_header)
    run.steps = dict(checked.seconds)
    run.state = state
    run.save()


@contextmanager
def _hold_run(run_id: RunId) -> Iterator[None]:
    """One process works on a run at a time: a PostgreSQL session lock, free the moment the process is gone."""
    with database.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(hashtextextended(%s, 1))", [run_id])
        row = cursor.fetchone()
    if not (row and row[0]):
        raise RunBusy("Follow it with `datong run show`.", hint_zh="请稍后查看该次归集。", run=run_id)
    try:
        yield
    finally:
        with database.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock(hashtextextended(%s, 1))", [run_id])


def recover_runs() -> list[RunId]:
    """End the runs whose job broke, and enqueue again those whose job is over without them. Returns their ids."""
    mended = []
    pending = [state.value for state in RunState if not state.is_final]
    for run in Run.objects.filter(state__in=pending, job_id__isnull=False):
        job = get_job(run.job_id or "")
        if job.state is JobState.FAILED:
            reason = Bug("The job that carried the run broke.", hint_zh="执行归集的任务中断。", job=job.id)
            _end_failed(run, reason)
        elif job.state is JobState.DONE:
            run.job_id = enqueue(JOB, {"run_id": run.id}, key=f"collect:{run.id}:{job.id}")
            run.save(update_fields=["job_id"])
        else:
            continue
        mended.append(RunId(run.id))
    return mended


# Reading -----------------------------------------------------------------------------------------------------------
def get_run(run_id: RunId | str, actor: Actor | None = None) -> RunView:
    """A run by its id or its number (R-2026-00001). With an actor: RunNotFound unless it is their agency's."""
    run = _find(run_id)
    if actor is not None and not _is_visible(run, actor):
        raise _not_found(run_id)
    return _views([run])[0]


def find_runs(
    actor: Actor | None,
    *,
    resource_id: ResourceId | str | None = None,
    cursor: str | None = None,
    limit: int = PAGE_ROWS_DEFAULT,
) -> RunPage:
    """Runs of the actor's agency (of all, for a bureau and for the platform itself), newest first."""
    rows: QuerySet[Run] = Run.objects.all()
    if actor is not None and EVERY_AGENCY not in actor.agency_ids and actor.kind != "platform":
        rows = rows.filter(agency_id=actor.agency_id or "")
    if resource_id:
        rows = rows.filter(resource_id=resource_id)
    page = page_of(
        rows,
        name="collect.runs",
        order=("-started_at", "id"),
        filters={"resource": resource_id, "actor": actor.id if actor else None},
        cursor=cursor,
        limit=limit,
    )
    return RunPage(
        items=tuple(_views(page.items)),
        next_cursor=page.next_cursor,
        count=page.count,
        count_is_estimate=page.count_is_estimate,
    )


def _views(runs: Sequence[Run]) -> list[RunView]:
    """With the names that rows do not keep."""
    titles = find_titles(run.resource_id for run in runs)
    people = find_english_names(run.started_by for run in runs)
    return [
        view_of(
            run,
            title_en=titles.get(run.resource_id, ("", ""))[1],
            started_by_name_en=people.get(run.started_by, ""),
        )
        for run in runs
    ]


def read_quarantine(
    run_id: RunId | str,
    actor: Actor,
    *,
    rule: str = "",
    after_line: int = 0,
    rows_max: int = PAGE_ROWS_DEFAULT,
) -> list[QuarantinedRow]:
    """Refused rows of a run in the file's order, from beyond `after_line`; `rule` chooses one reason."""
    run = _find_readable(run_id, actor)
    place = lake.find_target(ResourceId(run.resource_id))
    with get_lake(load_settings()).connect(place.agency) as connection:
        found = quarantine.read_rows(
            connection,
            place.table,
            _run_with_rows(run),
            tuple(run.source_header),
            rule=rule,
            after_line=after_line,
            rows_max=rows_max,
        )
        return list(found)


def write_quarantine_csv(
    run_id: RunId | str,
    out: BinaryIO | TextIO,
    actor: Actor,
    *,
    spreadsheet_safe: bool = False,
) -> int:
    """All refused rows as CSV (UTF-8 with a byte-order mark into a binary file); leaves an audit row; how many."""
    run = _find_readable(run_id, actor)
    place = lake.find_target(ResourceId(run.resource_id))
    header = tuple(run.source_header)
    facts = {"number": run.number, "rows": run.rows_quarantined, "title_en": _title_en(run)}
    with (
        action(EXPORTED, actor, _subject(run), facts=facts),
        get_lake(load_settings()).connect(place.agency) as connection,
    ):
        rows = quarantine.read_rows(connection, place.table, _run_with_rows(run), header)
        if isinstance(out, io.TextIOBase):
            return quarantine.write_csv(rows, header, out, spreadsheet_safe=spreadsheet_safe)
        text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="", write_through=True)  # type: ignore[type-var]
        count = quarantine.write_csv(rows, header, text, spreadsheet_safe=spreadsheet_safe)
        text.detach()
        return count


def localise_failure(problem: Mapping[str, Any]) -> dict[str, str]:
    """Title and hint of a stored failure in the reader's language."""
    chinese = (get_language() or "zh").startswith("zh")
    return {
        "title": str(problem.get("title_zh" if chinese else "title", "")),
        "hint": str((problem.get("hint_zh") if chinese else "") or problem.get("hint", "")),
        "reference": str(problem.get("reference", "")),
    }


def _run_with_rows(run: Run) -> str:
    """The run whose refused rows these are: for bytes that came before, the earlier run that checked them."""
    if run.state != RunState.UNCHANGED or run.steps:
        return run.id
    checked = (
        Run.objects.filter(
            resource_id=run.resource_id,
            digest=run.digest,
            contract_version=run.contract_version,
            state__in=[RunState.DONE, RunState.UNCHANGED],
        )
        .exclude(steps={})
        .order_by("-started_at")
        .first()
    )
    return checked.id if checked else run.id


def _find_readable(run_id: RunId | str, actor: Actor) -> Run:
    run = _find(run_id)
    if actor.kind == "platform":
        return run
    if not _is_visible(run, actor):
        raise _not_found(run_id)
    if not actor.roles & READERS or actor.agency_id != run.agency_id:
        raise NotAllowed(
            "Refused rows are shown to the stewards and approvers of their agency.",
            hint_zh="隔离行只向本部门的数据管理员和审批人展示。",
            roles_needed=sorted(READERS),
        )
    return run


def _is_visible(run: Run, actor: Actor) -> bool:
    return actor.kind == "platform" or EVERY_AGENCY in actor.agency_ids or actor.agency_id == run.agency_id


def _find(run_id: RunId | str) -> Run:
    field = "number" if run_id.startswith("R-") else "pk"
    run = Run.objects.select_related("agency").filter(**{field: run_id}).first()
    if run is None:
        raise _not_found(run_id)
    return run


def _not_found(run_id: RunId | str) -> RunNotFound:
    return RunNotFound("List them with `datong run list`.", hint_zh="请检查编号。", run=run_id)
