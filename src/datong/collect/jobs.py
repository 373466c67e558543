"""A run as a job: what the worker executes. Its progress is the step's name with bytes or rows done, of so many."""

from __future__ import annotations

from datong.kernel.ids import JobId, RunId
from datong.kernel.jobs.service import job, periodic, report_progress
from datong.kernel.limits import COLLECT_RECOVER_S, LANDING_EXPIRE_S


@job("collect.run")
def run_collection(job_id: JobId, *, run_id: str) -> None:
    from datong.collect.service import execute_run

    execute_run(
        RunId(run_id),
        lambda step, done, total: report_progress(job_id, done, total, step),
    )


@periodic("collect.recover", every_s=COLLECT_RECOVER_S)
def recover(_job_id: JobId) -> None:
    from datong.collect.service import recover_runs

    recover_runs()


@periodic("collect.expire-landed", every_s=LANDING_EXPIRE_S)
def expire(_job_id: JobId) -> None:
    from datong.collect.leftovers import remove_left_work
    from datong.collect.service import expire_landed
    from datong.kernel.config import load_settings

    expire_landed()
    remove_left_work(load_settings())
