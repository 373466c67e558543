"""A job as read, and the functions that jobs are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from datong.kernel.failures import Failure, Retry
from datong.kernel.ids import JobId
from datong.kernel.plugs import Slot


class JobState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """How far a job is. `total` is None while unknown; `failure` is the problem as RFC 9457 once it failed."""

    id: JobId
    name: str
    state: JobState
    done: int
    total: int | None
    note: str
    attempts: int
    failure: Mapping[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def is_finished(self) -> bool:
        return self.state in {JobState.DONE, JobState.FAILED}


JobFunction = Callable[..., None]
"""Called as `function(job_id, **args)`; must be idempotent, because a killed worker's job runs again from its start."""

JOBS: Slot[JobFunction] = Slot("kernel.jobs")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodicJob:
    """A job enqueued once in every slot of `every_s` seconds, by whichever worker is first."""

    name: str
    every_s: int


PERIODIC_JOBS: Slot[PeriodicJob] = Slot("kernel.periodic-jobs")


class JobFailed(Failure):
    """What a follower raises when the job it waits for has failed; carries the job's own code and hint."""

    code, status, retry = "job-failed", 500, Retry.AFTER_CHANGE
    title, title_zh = "The job failed", "任务执行失败"
