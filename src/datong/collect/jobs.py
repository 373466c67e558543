"""A run as a job: what the worker executes, with progress that page and command line show."""

from __future__ import annotations

from datong.kernel.ids import JobId, RunId
from datong.kernel.jobs.service import job, periodic, report_progress
from datong.kernel.limits import COLLECT_RECOVER_S

STEP_NOTES = {
    "read": "识别文件",
    "check": "逐行校验",
    "quarantine": "隔离不合格的行",
    "commit": "写入数据湖",
    "publish": "发布",
}


@job("collect.run")
def run_collection(job_id: JobId, *, run_id: str) -> None:
    from datong.collect.service import execute_run

    execute_run(
        RunId(run_id),
        lambda step, done, total: report_progress(job_id, done, total, STEP_NOTES.get(step, step)),
    )


@periodic("collect.recover", every_s=COLLECT_RECOVER_S)
def recover(_job_id: JobId) -> None:
    from datong.collect.service import recover_runs

    recover_runs()
