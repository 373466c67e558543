"""Pages of the catalogue: find a resource, read what it is, read its contract. They call services only."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from datong.catalog import service
from datong.catalog.authoring.service import may_edit
from datong.catalog.contracts import ResourceView
from datong.catalog.web.panels import RESOURCE_BUTTONS, RESOURCE_PANELS
from datong.catalog.web.present import column_lines, cycle_title
from datong.catalog.words import MODE_TITLES, ShareMode
from datong.kernel.contracts import Actor
from datong.kernel.ids import ResourceId
from datong.kernel.web.requests import require_member


@require_safe
def show_resource(request: HttpRequest, resource_id: str) -> HttpResponse:
    """One resource: its terms, its columns, and what higher parts know of it (versions, runs, grants)."""
    actor = require_member(request)
    resource = service.get_resource(ResourceId(resource_id), actor)
    contract = service.get_contract(ResourceId(resource_id))
    panels = [
        {"template": panel.template, "values": values}
        for panel in sorted(RESOURCE_PANELS.values(), key=lambda p: p.order)
        if (values := panel.context(actor, resource)) is not None
    ]
    context = {
        "resource": resource,
        "contract": contract,
        "lines": column_lines(contract),
        "cycle": cycle_title(contract.update_cycle),
        "contract_versions": service.find_contract_versions(ResourceId(resource_id)),
        "modes": [MODE_TITLES[mode] for mode in ShareMode if mode in contract.sharing.modes],
        "panels": panels,
        "buttons": find_buttons(actor, resource),
        "may_edit": may_edit(actor, resource.agency_id),
    }
    return render(request, "catalog/resource.html", context)


@require_safe
def show_contract(request: HttpRequest, resource_id: str) -> HttpResponse:
    """One version of the contract: its canonical text, and the versions before and after it."""
    actor = require_member(request)
    resource = service.get_resource(ResourceId(resource_id), actor)
    contract = service.get_contract(ResourceId(resource_id), request.GET.get("version") or None)
    context = {
        "resource": resource,
        "contract": contract,
        "contract_versions": service.find_contract_versions(ResourceId(resource_id)),
        "cycle": cycle_title(contract.update_cycle),
    }
    return render(request, "catalog/contract.html", context)


def find_buttons(actor: Actor, resource: ResourceView) -> list[Any]:
    return [button for make in RESOURCE_BUTTONS.values() if (button := make(actor, resource)) is not None]
