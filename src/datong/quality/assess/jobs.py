"""Assessing in the background, as the member who asked."""

from __future__ import annotations

from datong.kernel.ids import JobId, MemberId, ResourceId
from datong.kernel.jobs.service import job

ASSESS_JOB = "quality.assess"


@job(ASSESS_JOB)
def assess(_job_id: JobId, *, resource_id: str, against: str, member_id: str) -> None:
    """A job that runs again after a kill makes another report under another number; the first one stands."""
    from datong.kernel.identity.service import actor_of_member
    from datong.quality.assess.service import assess_resource

    assess_resource(actor_of_member(MemberId(member_id)), ResourceId(resource_id), against=against)
