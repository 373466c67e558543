"""What the verbs of quality share: the resource as a subject, who may see whose."""

from __future__ import annotations

from datong.catalog.contracts import ResourceView
from datong.kernel.contracts import EVERY_AGENCY, Actor, Role, Subject, platform_actor
from datong.kernel.ids import AgencyId

QUALITY = platform_actor("quality")
REPORTED = "quality.reported"
ORDER_OPENED, ORDER_CLOSED, ORDER_WITHDRAWN = "quality.order-opened", "quality.order-closed", "quality.order-withdrawn"
ORDER_OVERDUE = "quality.order-overdue"
WAIVED, WAIVER_ENDED = "quality.waived", "quality.waiver-ended"
ROWS_READ, ENGINE_RUN = "quality.rows-read", "quality.engine-run"


def subject_of(resource: ResourceView) -> Subject:
    return Subject(kind="resource", id=resource.id, agency_id=AgencyId(resource.agency_id), name=resource.title_zh)


def sees_everything(actor: Actor) -> bool:
    """The platform itself, a bureau, an auditor."""
    return actor.kind == "platform" or EVERY_AGENCY in actor.agency_ids or Role.AUDITOR in actor.roles


def sees_agency(actor: Actor, agency_id: str) -> bool:
    return sees_everything(actor) or (actor.is_member and actor.agency_id == agency_id)
