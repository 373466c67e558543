"""The verbs of collection: start a run, execute it, resume it, read it, read what it refused and what it changed."""

from datong.collect.service.executing import Progress, execute_run
from datong.collect.service.reading import (
    find_changes,
    find_open_problem,
    find_runs,
    get_run,
    localise_failure,
    read_quarantine,
    write_quarantine_csv,
)
from datong.collect.service.recovering import expire_landed, recover_runs
from datong.collect.service.rows import EXPORTED, FAILED, FINISHED, GIVEN_UP, RESUMED, STARTED
from datong.collect.service.starting import close_failure, find_case, give_up_run, resume_run, start_run

__all__ = [
    "EXPORTED",
    "FAILED",
    "FINISHED",
    "GIVEN_UP",
    "RESUMED",
    "STARTED",
    "Progress",
    "close_failure",
    "execute_run",
    "expire_landed",
    "find_case",
    "find_changes",
    "find_open_problem",
    "find_runs",
    "get_run",
    "give_up_run",
    "localise_failure",
    "read_quarantine",
    "recover_runs",
    "resume_run",
    "start_run",
    "write_quarantine_csv",
]
