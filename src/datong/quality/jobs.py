"""What quality does after collection: reports and work orders of every run that was judged."""

from __future__ import annotations

from datong.kernel.ids import JobId
from datong.kernel.jobs.service import periodic
from datong.kernel.limits import QUALITY_OVERDUE_S
from datong.kernel.plugs import Event


def on_run_judged(event: Event) -> None:
    """A run made a version, found nothing new, waits or failed. Idempotent: a run is reported once."""
    from datong.quality.service import record_run

    record_run(str(event.payload["run"]))


@periodic("quality.escalate", every_s=QUALITY_OVERDUE_S)
def escalate(_job_id: JobId) -> None:
    """Orders whose day has passed go to the bureau, once each."""
    from datong.quality.service import escalate_overdue

    escalate_overdue()
