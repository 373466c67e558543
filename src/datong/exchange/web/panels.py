"""What the exchange shows on a resource's page: who uses it, and the way to ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.urls import reverse

from datong.catalog.contracts import ResourceView
from datong.catalog.web.panels import RESOURCE_BUTTONS, RESOURCE_PANELS, ResourceButton, ResourcePanel
from datong.exchange import service
from datong.exchange.web.present import grant_tag
from datong.kernel.contracts import Actor, Role
from datong.kernel.ids import ResourceId

GRANTS_SHOWN_MAX = 8


def show_grants(actor: Actor, resource: ResourceView) -> Mapping[str, Any] | None:
    """The grants that this reader may see: the owner sees all, a user its own."""
    grants = service.find_grants(actor, resource_id=ResourceId(resource.id))
    if not grants:
        return None
    return {"grants": [(grant, grant_tag(grant)) for grant in grants[:GRANTS_SHOWN_MAX]], "count": len(grants)}


def make_button(actor: Actor, resource: ResourceView) -> ResourceButton | None:
    """申请使用, for stewards of other agencies; a withheld resource has none, and its page says why."""
    if resource.sharing == "withheld" or resource.agency_id == actor.agency_id or Role.STEWARD not in actor.roles:
        return None
    return ResourceButton(
        title_zh="申请使用",
        title_en="Ask for access",
        icon="file-plus",
        url=reverse("exchange:ask", args=[resource.id]),
        is_primary=True,
    )


GRANTS = ResourcePanel(order=30, template="exchange/parts/resource_grants.html", context=show_grants)


def plug() -> None:
    RESOURCE_PANELS.fill("exchange.grants", GRANTS)
    RESOURCE_BUTTONS.fill("exchange.ask", make_button)
