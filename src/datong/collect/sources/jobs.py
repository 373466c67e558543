"""Fetches as the worker's jobs. A fetch holds one of the worker's places while it reads, never longer than its limits;
when the worker is asked to stop, or is killed, the job runs again elsewhere from the same cursor.
"""

from __future__ import annotations

from datong.kernel.ids import JobId
from datong.kernel.jobs.service import job, periodic, report_progress
from datong.kernel.limits import COLLECT_RECOVER_S, SOURCE_POLL_S


@job("collect.fetch")
def fetch_source(job_id: JobId, *, fetch_id: str) -> None:
    from datong.collect.sources.service import execute_fetch

    execute_fetch(fetch_id, lambda done, note: report_progress(job_id, done, None, note))


@job("collect.settle-fetch")
def settle(_job_id: JobId, *, fetch_id: str) -> None:
    from datong.collect.sources.service import settle_fetch

    settle_fetch(fetch_id)


@periodic("collect.poll-sources", every_s=SOURCE_POLL_S)
def poll(_job_id: JobId) -> None:
    from datong.collect.sources.service import poll_due

    poll_due()


@periodic("collect.recover-fetches", every_s=COLLECT_RECOVER_S)
def recover(_job_id: JobId) -> None:
    from datong.collect.sources.service import recover_fetches

    recover_fetches()
