"""OpenLineage events to the deployment's endpoint, and away after their time."""

from __future__ import annotations

from datong.kernel.ids import JobId
from datong.kernel.jobs.service import periodic
from datong.kernel.limits import LINEAGE_SEND_EVERY_S


@periodic("catalog.lineage-send", every_s=LINEAGE_SEND_EVERY_S)
def send(_job_id: JobId) -> None:
    from datong.catalog.lineage.service import remove_old_events, send_events

    send_events()
    remove_old_events()
