"""Fetching: one at a time per source; a batch lands, becomes a run, and moves the cursor when the run has ended.

Killed before the landing is recorded, the fetch's job runs again and reads from the same cursor; killed after, the run
goes on by itself. The landing's record and the run are one transaction, so a batch has one run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.db import connection as database

from datong.collect import service as collect
from datong.collect.contracts import Bill, Origin
from datong.collect.reconcile import read_bill
from datong.collect.sources.contracts import (
    CONNECTORS,
    Batch,
    FetchState,
    FetchView,
    SourceBusy,
    SourceDisabled,
    Trigger,
)
from datong.collect.sources.service.health import SOURCES, due_after_success, note_failure, note_success
from datong.collect.sources.service.registry import POLLED
from datong.collect.sources.service.rows import (
    OPEN_STATES,
    context_of,
    fetch_view,
    file_of,
    find_row,
    problem_of,
    subject_of,
    told,
)
from datong.collect.store.source_models import Fetch, Source, SourceFile
from datong.kernel import clock
from datong.kernel.action.service import action
from datong.kernel.contracts import Actor
from datong.kernel.failures import Bug, Failure
from datong.kernel.faults import fault_point
from datong.kernel.ids import ResourceId
from datong.kernel.jobs.contracts import JobState
from datong.kernel.jobs.service import enqueue, get_job
from datong.kernel.limits import BILL_BYTES_MAX, PAGE_ROWS_DEFAULT
from datong.kernel.plugs import Event

ASKED = "source.fetch-asked"
FETCH_JOB, SETTLE_JOB = "collect.fetch", "collect.settle-fetch"
_KEPT_IN_QUARANTINE = "all-quarantined"
"""The run's failure after which the cursor goes on: its rows are kept, with their reasons."""


# Asking ------------------------------------------------------------------------------------------------------------
def request_fetch(
    actor: Actor, source_id: str, trigger: Trigger = Trigger.HAND, *, in_background: bool = True
) -> FetchView:
    """Begin a fetch. Raises SourceBusy while one goes on, SourceDisabled for schedule and event.

    A steward may fetch by hand from a disabled source: that is how one is tried out.
    """
    row = find_row(source_id, actor)
    if trigger is not Trigger.HAND:
        if not row.enabled:
            raise SourceDisabled("Enable it first.", hint_zh="请先启用。", source=row.id)
        return _begin(row, actor, trigger, in_background=in_background)
    with action(ASKED, actor, subject_of(row), facts=told(row)) as record:
        return record.done(_begin(row, record.actor, trigger, in_background=in_background))


def _begin(row: Source, actor: Actor, trigger: Trigger, *, in_background: bool) -> FetchView:
    try:
        with transaction.atomic():
            fetch = Fetch.objects.create(
                source=row, trigger=trigger.value, started_by=actor.id, started_by_name=actor.name
            )
            if in_background:
                fetch.job_id = enqueue(FETCH_JOB, {"fetch_id": fetch.id}, key=f"fetch:{fetch.id}")
                fetch.save(update_fields=["job_id"])
            return fetch_view(fetch)
    except IntegrityError:
        if Fetch.objects.filter(source=row, state__in=OPEN_STATES).exists():
            raise SourceBusy("Wait until its run has ended.", hint_zh="请等上一批归集结束。", source=row.id) from None
        raise


def poll_due() -> int:
    """Begin the fetches that are due; returns how many. A source whose run still goes on is asked again later."""
    begun = 0
    due = Source.objects.filter(enabled=True, removed_at__isnull=True, due_at__lte=clock.now())
    for source_id in list(due.order_by("due_at").values_list("id", flat=True)):
        with transaction.atomic():
            row = Source.objects.select_for_update(skip_locked=True).filter(pk=source_id, enabled=True).first()
            if row is None or row.due_at is None or row.due_at > clock.now():
                continue
            if Fetch.objects.filter(source=row, state__in=OPEN_STATES).exists():
                continue
            row.due_at = due_after_success(row)
            row.save(update_fields=["due_at"])
            _begin(row, SOURCES, Trigger.SCHEDULE, in_background=True)
            begun += 1
    return begun


def on_version_recorded(event: Event) -> None:
    """A new version of a resource begins the fetches that wait for it; one that is busy is due right after."""
    waiting = Source.objects.filter(
        enabled=True, removed_at__isnull=True, after_resource=event.payload["resource"]
    ).exclude(resource_id=event.payload["resource"])
    for row in waiting:
        try:
            _begin(row, SOURCES, Trigger.EVENT, in_background=True)
        except SourceBusy:
            Source.objects.filter(pk=row.id).update(due_at=clock.now())


# Fetching ----------------------------------------------------------------------------------------------------------
def execute_fetch(fetch_id: str, progress: Callable[[int, str], None] = lambda _done, _note: None) -> None:
    """Read what is new, land it, begin its run. Safe to call again after any interruption; a Failure ends the fetch."""
    with _hold_fetch(fetch_id):
        fetch = Fetch.objects.select_related("source").get(pk=fetch_id)
        if fetch.state != FetchState.FETCHING:
            return
        Fetch.objects.filter(pk=fetch_id).update(attempts=fetch.attempts + 1)
        row = fetch.source
        try:
            if row.removed_at is not None:
                raise SourceDisabled("It was removed.", hint_zh="来源已删除。", source=row.id)
            batch = CONNECTORS.get(row.kind).fetch(context_of(row, progress))
            fault_point("source.after-read")
            if batch is None:
                _end_empty(fetch)
                return
            _land(fetch, row, batch)
        except Failure as failure:
            _end_failed(fetch, failure)
            return
        fault_point("source.after-landed")
        batch.after_landing()
        batch.path.unlink(missing_ok=True)


def _land(fetch: Fetch, row: Source, batch: Batch) -> None:
    """One transaction: the run, what the fetch brought, the ledger's line."""
    size_bytes = batch.path.stat().st_size
    cursor = _numbered(row, batch)
    bill = _read_bill(batch.bill) if batch.bill is not None else None
    with transaction.atomic():
        run_id = collect.start_run(
            _actor_of(row),
            ResourceId(row.resource_id),
            batch.path,
            batch.filename,
            origin=Origin(kind="source", source_id=row.id, cursor=cursor),
            bill=bill,
        )
        fault_point("source.before-record")
        run = collect.get_run(run_id)
        fetch.state = FetchState.LANDED
        fetch.run_id, fetch.run_number = run_id, run.number
        fetch.filename, fetch.rows, fetch.bytes = batch.filename, batch.rows, size_bytes
        fetch.cursor, fetch.seen, fetch.has_more = cursor, batch.seen, batch.has_more
        fetch.save()
        if batch.file is not None:
            SourceFile.objects.create(
                source=row,
                fetch=fetch,
                name=batch.file.name,
                bytes=batch.file.bytes,
                modified_ns=batch.file.modified_ns,
                digest=run.digest,
            )


def _read_bill(path: Path) -> Bill:
    with path.open("rb") as file:
        return read_bill(file.read(BILL_BYTES_MAX + 1), path.name)


def _numbered(row: Source, batch: Batch) -> dict[str, Any]:
    """The batch's cursor with its number: fetched again after a crash it has the same one, the next batch another."""
    return {**batch.cursor, "batch": int(row.cursor.get("batch", 0)) + 1} if batch.cursor else {}


def _actor_of(row: Source) -> Actor:
    """The run is handed in by the source itself."""
    return Actor(kind="platform", id=f"platform:{row.id}", name=row.title)


def _end_empty(fetch: Fetch) -> None:
    """Nothing is new: no trace but the time of looking."""
    with transaction.atomic():
        row = Source.objects.select_for_update().get(pk=fetch.source_id)
        fetch.delete()
        note_success(row)


def _end_failed(fetch: Fetch, failure: Failure) -> None:
    with transaction.atomic():
        row = Source.objects.select_for_update().get(pk=fetch.source_id)
        fetch.state, fetch.finished_at, fetch.failure = FetchState.FAILED, clock.now(), problem_of(failure)
        fetch.save()
        note_failure(row, fetch.failure)


@contextmanager
def _hold_fetch(fetch_id: str) -> Iterator[None]:
    """One process works on a fetch at a time; PostgreSQL lets go the moment the process is gone."""
    with database.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(hashtextextended(%s, 2))", [fetch_id])
        row = cursor.fetchone()
    if not (row and row[0]):
        raise SourceBusy("Another process fetches.", hint_zh="另一个进程正在取数。", fetch=fetch_id)
    try:
        yield
    finally:
        with database.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock(hashtextextended(%s, 2))", [fetch_id])


# Ending ------------------------------------------------------------------------------------------------------------
def on_run_finished(event: Event) -> None:
    """The batch is in the lake: the cursor moves, in the handler's transaction; a second telling changes nothing."""
    fetch = _lock_landed(event.payload["run"])
    if fetch is None:
        return
    row = Source.objects.select_for_update().get(pk=fetch.source_id)
    _advance(row, fetch)
    _end(fetch, FetchState.DONE)
    row.fetched_at = clock.now()
    _go_on(row, fetch)


def on_run_failed(event: Event) -> None:
    """The run refused the batch, and has a case of its own. The cursor stays, so that its rows come again once the
    cause is mended; unless all of them are kept in quarantine, or they are kept in landing and where they came from:
    one bad file or batch of messages does not hold up the next.
    """
    fetch = _lock_landed(event.payload["run"])
    if fetch is None:
        return
    row = Source.objects.select_for_update().get(pk=fetch.source_id)
    fetch.failure = dict(collect.get_run(event.payload["run"]).failure or {})
    if fetch.failure.get("code") == _KEPT_IN_QUARANTINE or row.kind in POLLED:
        _advance(row, fetch)
        _end(fetch, FetchState.FAILED)
        _go_on(row, fetch)
    else:
        _end(fetch, FetchState.FAILED)
        note_failure(row, fetch.failure, opens_case=False)


def _go_on(row: Source, fetch: Fetch) -> None:
    """The source works; where more waits it is due at once."""
    note_success(row)
    if fetch.has_more and row.enabled:
        row.due_at = clock.now()
        row.save(update_fields=["due_at"])


def _lock_landed(run_id: str) -> Fetch | None:
    return Fetch.objects.select_for_update().filter(run_id=run_id, state=FetchState.LANDED).first()


def _advance(row: Source, fetch: Fetch) -> None:
    if row.removed_at is None:
        row.cursor, row.seen = fetch.cursor, fetch.seen


def _end(fetch: Fetch, state: FetchState) -> None:
    fetch.state, fetch.finished_at, fetch.seen = state, clock.now(), b""
    fetch.save()
    if SourceFile.objects.filter(fetch=fetch).update(state=state):
        enqueue(SETTLE_JOB, {"fetch_id": fetch.id}, key=f"settle:{fetch.id}")


def settle_fetch(fetch_id: str) -> None:
    """Put the taken file away as the source's options say. May run again."""
    fetch = Fetch.objects.select_related("source").get(pk=fetch_id)
    row = fetch.source
    if row.removed_at is not None:
        return
    for file in SourceFile.objects.filter(fetch=fetch):
        CONNECTORS.get(row.kind).settle(context_of(row), file_of(file), is_taken=file.state == FetchState.DONE)


def recover_fetches() -> int:
    """End the fetches whose job broke; returns how many."""
    ended = 0
    for fetch in Fetch.objects.filter(state=FetchState.FETCHING, job_id__isnull=False):
        if get_job(fetch.job_id or "").state is JobState.FAILED:
            _end_failed(fetch, Bug("The job that fetched broke.", hint_zh="取数任务中断。", job=fetch.job_id))
            ended += 1
    return ended


# Reading -----------------------------------------------------------------------------------------------------------
def find_fetches(source_id: str, actor: Actor | None = None, *, limit: int = PAGE_ROWS_DEFAULT) -> list[FetchView]:
    """The newest first. Raises SourceNotFound."""
    row = find_row(source_id, actor)
    return [fetch_view(fetch) for fetch in Fetch.objects.filter(source=row).order_by("-started_at", "-id")[:limit]]
