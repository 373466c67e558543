"""Runs that a broken job left, and landed files whose time is over."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import QuerySet

from datong.catalog.service import get_contract
from datong.collect.contracts import RunState
from datong.collect.landing import landed_path
from datong.collect.retention import is_over, kept_days
from datong.collect.service.ending import end_failed
from datong.collect.service.rows import COLLECT, JOB, LANDED_EXPIRED, subject_of, title_en_of
from datong.collect.store.models import Run
from datong.kernel import clock
from datong.kernel.action.service import action
from datong.kernel.config import load_settings
from datong.kernel.failures import Bug
from datong.kernel.ids import ResourceId, RunId
from datong.kernel.jobs.contracts import JobState
from datong.kernel.jobs.service import enqueue, get_job
from datong.kernel.limits import LANDING_EXPIRED_PER_ROUND_MAX


def recover_runs() -> list[RunId]:
    """End the runs whose job broke, and enqueue again those whose job is over without them. Returns their ids."""
    mended = []
    pending = [state.value for state in RunState if not state.is_at_rest]
    for run in Run.objects.filter(state__in=pending, job_id__isnull=False):
        job = get_job(run.job_id or "")
        if job.state is JobState.FAILED:
            reason = Bug("The job that carried the run broke.", hint_zh="执行归集的任务中断。", job=job.id)
            end_failed(run, reason)
        elif job.state is JobState.DONE:
            run.job_id = enqueue(JOB, {"run_id": run.id}, key=f"collect:{run.id}:{job.id}")
            run.save(update_fields=["job_id"])
        else:
            continue
        mended.append(RunId(run.id))
    return mended


def expire_landed(*, limit: int = LANDING_EXPIRED_PER_ROUND_MAX) -> int:
    """Remove landed files past their retention; rows and digests stay. How many files went.

    A file stays while any run of it is going on or waits, and until the longest retention of its runs is over. The
    bytes go first and the rows after them, so that a row never says of a file on disk that it is gone.
    """
    removed = 0
    kept = _Retention()
    for resource_id in list(_with_file().values_list("resource_id", flat=True).distinct()):
        for run in list(_ended_before(resource_id, kept.days_of(resource_id))[: limit - removed]):
            removed += _remove_landed(run, kept)
    return removed


class _Retention:
    """Days by resource, looked up once."""

    def __init__(self) -> None:
        self._days: dict[str, int] = {}

    def days_of(self, resource_id: str) -> int:
        if resource_id not in self._days:
            contract = get_contract(ResourceId(resource_id))
            self._days[resource_id] = kept_days(contract.retention_days, load_settings().landing_days)
        return self._days[resource_id]


def _with_file() -> QuerySet[Run]:
    return Run.objects.filter(landed_gone_at__isnull=True)


def _ended_before(resource_id: str, days: int) -> QuerySet[Run]:
    ended = [state.value for state in RunState if state.is_final]
    before = clock.now() - timedelta(days=days)
    found = _with_file().select_related("agency").filter(resource_id=resource_id, state__in=ended)
    return found.filter(finished_at__lte=before).order_by("finished_at")


def _remove_landed(run: Run, kept: _Retention) -> bool:
    """Remove the file of this run unless another run of the same bytes still needs it."""
    present = list(_with_file().filter(agency_id=run.agency_id, digest=run.digest))
    now = clock.now()
    if not present or not all(
        is_over(
            state=RunState(each.state),
            finished_at=each.finished_at,
            kept_days=kept.days_of(each.resource_id),
            now=now,
        )
        for each in present
    ):
        return False
    landed_path(load_settings(), run.agency.code, run.digest).unlink(missing_ok=True)
    facts = {
        "digest": run.digest,
        "bytes": run.bytes,
        "runs": [each.number for each in present][:50],
        "number": run.number,
        "title_en": title_en_of(run),
    }
    with action(LANDED_EXPIRED, COLLECT, subject_of(run), facts=facts):
        Run.objects.filter(pk__in=[each.pk for each in present]).update(landed_gone_at=now)
    return True
