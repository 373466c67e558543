"""Work that outlives a request: enqueued in the caller's transaction, run by a worker, followed by page and terminal.

    @job("collect.run")
    def run_collection(job_id: JobId, *, run_id: str) -> None: ...

    enqueue("collect.run", {"run_id": run_id}, key=run_id)

The queue is procrastinate's, in the same PostgreSQL; the `kernel_job` row is what everybody reads.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import procrastinate
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from procrastinate.contrib.django import app as queue
from procrastinate.contrib.django.db_cleanup import DjangoApp
from procrastinate.exceptions import ProcrastinateException
from procrastinate.worker import Worker

from datong.kernel import clock, ids
from datong.kernel.failures import Bug, Failure, NotFound, Retry
from datong.kernel.ids import JobId
from datong.kernel.jobs.contracts import JOBS, PERIODIC_JOBS, JobFunction, JobState, JobView, PeriodicJob
from datong.kernel.limits import (
    JOB_ATTEMPTS_MAX,
    JOB_KEPT_DAYS,
    JOB_STALLED_S,
    JOBS_AT_ONCE_MAX,
    PERIODIC_JOB_KEPT_S,
)
from datong.kernel.logs import operation_id
from datong.kernel.store.models import HandledEvent, Job, OutboxEvent

log = logging.getLogger("datong.jobs")

WORKER_ID = ids.new_id("worker")
"""This process, as jobs that run in it name it. `kernel.jobs.worker` holds a database lock of this name while alive."""
_TASK = "datong.run_job"
_FOLLOW_STEP_S = 0.2


class JobRetry(Exception):  # noqa: N818 - a signal to the queue, not an error
    """Tells procrastinate to run the job again, later."""


# Declaring --------------------------------------------------------------------------------------------------------
def job(name: str) -> Callable[[JobFunction], JobFunction]:
    """Declare the function that the job `name` is."""

    def declare(function: JobFunction) -> JobFunction:
        return JOBS.fill(name, function)

    return declare


def periodic(name: str, every_s: int) -> Callable[[JobFunction], JobFunction]:
    """Declare a job that is enqueued every `every_s` seconds, once for all workers together."""

    def declare(function: JobFunction) -> JobFunction:
        PERIODIC_JOBS.fill(name, PeriodicJob(name=name, every_s=every_s))
        return JOBS.fill(name, function)

    return declare


def register(app: procrastinate.App) -> None:
    """Hand our one task to procrastinate (the setting PROCRASTINATE_ON_APP_READY)."""
    retry = procrastinate.RetryStrategy(max_attempts=JOB_ATTEMPTS_MAX, exponential_wait=2, retry_exceptions=(JobRetry,))
    app.task(name=_TASK, retry=retry)(run_job)


# Asking -----------------------------------------------------------------------------------------------------------
def enqueue(name: str, args: Mapping[str, Any] | None = None, *, key: str | None = None) -> JobId:
    """Put a job into the queue when the caller's transaction commits.

    With a `key`, a job of that key which waits, runs or is done is returned instead of a second one.
    """
    JOBS.get(name)
    try:
        with transaction.atomic():
            row = Job.objects.create(name=name, args=dict(args or {}), key=key)
            row.queue_id = queue.configure_task(_TASK, lock=f"job:{key}" if key else None).defer(job_id=row.id)
            row.save(update_fields=["queue_id"])
    except IntegrityError:
        present = Job.objects.filter(key=key).exclude(state=JobState.FAILED).first() if key else None
        if present is None:
            raise
        return JobId(present.id)
    return JobId(row.id)


def get_job(job_id: JobId | str) -> JobView:
    row = Job.objects.filter(pk=job_id).first()
    if row is None:
        raise NotFound("There is no such job.", hint_zh="没有这个任务。", job=job_id)
    return _view(row)


def find_jobs(*, name: str | None = None, state: JobState | None = None, limit: int = 50) -> list[JobView]:
    """The newest jobs first."""
    rows = Job.objects.order_by("-created_at")
    if name:
        rows = rows.filter(name=name)
    if state:
        rows = rows.filter(state=state.value)
    return [_view(row) for row in rows[:limit]]


def follow(job_id: JobId, *, step_s: float = _FOLLOW_STEP_S) -> Iterator[JobView]:
    """Yield the job whenever it has moved, until it is finished (the last one yielded)."""
    waiting = threading.Event()
    seen: JobView | None = None
    while True:
        view = get_job(job_id)
        if view != seen:
            seen = view
            yield view
        if view.is_finished:
            return
        waiting.wait(step_s)


def report_progress(job_id: JobId | str, done: int, total: int | None = None, note: str = "") -> None:
    """Say how far a job is. Call it outside `atomic`, or others see it only at the commit."""
    changes: dict[str, Any] = {"done": done}
    if total is not None:
        changes["total"] = total
    if note:
        changes["note"] = note
    Job.objects.filter(pk=job_id).update(**changes)


@asynccontextmanager
async def make_queue_worker(shutdown_s: float) -> AsyncIterator[Worker]:
    """A procrastinate worker on connections of its own.

    It has an application of its own, so that what a job itself enqueues still joins the job's own transaction.
    """
    app = DjangoApp(connector=queue.connector.get_worker_connector())  # type: ignore[attr-defined]
    register(app)
    async with app.open_async():
        yield Worker(
            app,
            name=WORKER_ID,
            concurrency=JOBS_AT_ONCE_MAX,
            install_signal_handlers=False,
            shutdown_graceful_timeout=shutdown_s,
            stalled_worker_timeout=JOB_STALLED_S,
            delete_jobs="always",
            task_middleware=app.worker_defaults.get("task_middleware"),
        )


# Running ----------------------------------------------------------------------------------------------------------
def run_job(job_id: str) -> None:
    """Run one job and write down how it ended. A Failure marked `later` is tried again with growing delay."""
    started = Job.objects.filter(pk=job_id, state__in=[JobState.WAITING, JobState.RUNNING]).update(
        state=JobState.RUNNING, worker=WORKER_ID, started_at=clock.now(), attempts=F("attempts") + 1, failure=None
    )
    if not started:
        return
    row = Job.objects.get(pk=job_id)
    token = operation_id.set(row.id)
    try:
        JOBS.get(row.name)(JobId(row.id), **row.args)
    except Failure as failure:
        if failure.retry is Retry.LATER and row.attempts < JOB_ATTEMPTS_MAX:
            Job.objects.filter(pk=row.id).update(state=JobState.WAITING, failure=failure.as_problem("zh"))
            raise JobRetry(failure.code) from failure
        log.warning("job %s failed: %s", row.name, failure.code, extra={"facts": {"private": failure.private}})
        _finish(row.id, JobState.FAILED, failure)
    except Exception:
        bug = Bug("The log has the details under this reference.", hint_zh="请凭编号查日志。")
        bug.reference = ids.new_id("ref")
        log.exception("job %s broke", row.name, extra={"facts": {"reference": bug.reference}})
        _finish(row.id, JobState.FAILED, bug)
    else:
        _finish(row.id, JobState.DONE, None)
    finally:
        operation_id.reset(token)


def rescue_jobs() -> int:
    """Put the jobs of dead workers back into the queue; returns how many. Their functions are idempotent.

    A worker holds a session lock named after it: PostgreSQL frees it the moment the process is gone.
    """
    rescued = 0
    for row in Job.objects.filter(state=JobState.RUNNING).exclude(worker=WORKER_ID):
        with transaction.atomic():
            if not _is_free(row.worker):
                continue
            Job.objects.filter(pk=row.id, worker=row.worker, state=JobState.RUNNING).update(state=JobState.WAITING)
        rescued += _requeue(row)
    return rescued


def enqueue_periodic() -> None:
    """Enqueue what is due in the present slot; the key makes it once for all workers."""
    now_s = int(clock.now().timestamp())
    for declared in PERIODIC_JOBS.values():
        enqueue(declared.name, key=f"periodic:{declared.name}:{now_s // declared.every_s}")


@periodic("kernel.forget", every_s=600)
def forget(_job_id: JobId) -> None:
    """Delete what is over: jobs and told events after JOB_KEPT_DAYS, done periodic jobs after PERIODIC_JOB_KEPT_S.

    What they did is in the audit log.
    """
    before = clock.now() - timedelta(days=JOB_KEPT_DAYS)
    Job.objects.filter(state__in=[JobState.DONE, JobState.FAILED], finished_at__lt=before).delete()
    periodic_before = clock.now() - timedelta(seconds=PERIODIC_JOB_KEPT_S)
    Job.objects.filter(state=JobState.DONE, key__startswith="periodic:", finished_at__lt=periodic_before).delete()
    told = OutboxEvent.objects.filter(delivered_at__lt=before)
    HandledEvent.objects.filter(event_id__in=told.values("id")).delete()
    told.delete()


def _requeue(row: Job) -> int:
    try:
        assert row.queue_id is not None
        queue.job_manager.retry_job_by_id(job_id=row.queue_id, retry_at=clock.now())
    except ProcrastinateException:
        with transaction.atomic():
            queue_id = queue.configure_task(_TASK).defer(job_id=row.id)
            Job.objects.filter(pk=row.id).update(queue_id=queue_id)
    log.warning("job %s taken up again", row.name, extra={"facts": {"job": row.id, "dead_worker": row.worker}})
    return 1


def _is_free(worker: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [worker])
        found = cursor.fetchone()
    return bool(found and found[0])


def _finish(job_id: str, state: JobState, failure: Failure | None) -> None:
    problem = None
    if failure is not None:
        problem = {**failure.as_problem("en"), "title_zh": failure.title_zh, "hint_zh": failure.hint_zh}
    Job.objects.filter(pk=job_id).update(state=state, failure=problem, finished_at=clock.now())


def _view(row: Job) -> JobView:
    return JobView(
        id=JobId(row.id),
        name=row.name,
        state=JobState(row.state),
        done=row.done,
        total=row.total,
        note=row.note,
        attempts=row.attempts,
        failure=row.failure,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
