"""The lake's housekeeping. Both jobs may be repeated at any time."""

from __future__ import annotations

from datong.kernel.ids import JobId
from datong.kernel.jobs.service import periodic
from datong.kernel.limits import LAKE_RECOVER_S, LAKE_REMAINS_KEPT_S


@periodic("lake.recover", every_s=LAKE_RECOVER_S)
def recover(_job_id: JobId) -> None:
    """Finish the commits of processes that were killed."""
    from datong.lake.service import recover_commits

    recover_commits()


@periodic("lake.remove-remains", every_s=LAKE_REMAINS_KEPT_S)
def remove_remains_now(_job_id: JobId) -> None:
    """Delete files that killed processes left behind."""
    from datong.lake.service import remove_remains

    remove_remains()
