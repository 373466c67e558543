"""Where a resource's columns come from, where they go, and what a change of one would touch."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from datong.catalog import service as catalog
from datong.catalog.lineage.contracts import EDGE_TITLES, LEFT_NAMESPACE, Dataset, FlowEdge
from datong.catalog.lineage.model import draw
from datong.catalog.lineage.service import find_downstream, find_impacts, find_upstream
from datong.kernel.contracts import EVERY_AGENCY, Actor
from datong.kernel.ids import ResourceId
from datong.kernel.web.requests import require_member
from datong.ui.web.words import pick


@require_safe
def show_lineage(request: HttpRequest, resource_id: str) -> HttpResponse:
    """The drawing and the same as a table; with `column`, only what belongs to it, and what a change would touch."""
    actor = require_member(request)
    resource = catalog.get_resource(ResourceId(resource_id), actor)
    contract = catalog.get_contract(ResourceId(resource_id))
    chosen = _chosen(request)
    impacts = find_impacts(actor, resource_id, chosen)
    start, edges = _edges(resource_id, resource.title_zh, resource.title_en, chosen)
    edges = _seen_edges(actor, resource.agency_id, edges)
    context = {
        "resource": resource,
        "columns": contract.columns,
        "titles": {column.name: pick(column.title, column.title_en) for column in contract.columns},
        "chosen": chosen[0] if chosen else "",
        "edges": [{"edge": edge, "kind": EDGE_TITLES[edge.kind]} for edge in edges],
        "drawing": draw(start, edges, marked=chosen) if edges else None,
        "impacts": impacts,
        "breaking": sum(impact.blocks for impact in impacts),
    }
    return render(request, "catalog/lineage.html", context)


@require_safe
def show_lineage_json(request: HttpRequest, resource_id: str) -> HttpResponse:
    """The same as JSON."""
    actor = require_member(request)
    resource = catalog.get_resource(ResourceId(resource_id), actor)
    chosen = _chosen(request)
    impacts = find_impacts(actor, resource_id, chosen)
    _start, edges = _edges(resource_id, resource.title_zh, resource.title_en, chosen)
    seen = _seen_edges(actor, resource.agency_id, edges)
    return JsonResponse(
        {
            "resource": resource_id,
            "columns": chosen,
            "edges": [asdict(edge) for edge in seen],
            "impacts": [asdict(impact) for impact in impacts],
        }
    )


def _chosen(request: HttpRequest) -> list[str]:
    return [name for name in dict.fromkeys(request.GET.getlist("column")) if name]


def _edges(resource_id: str, title_zh: str, title_en: str, chosen: list[str]) -> tuple[Dataset, list[FlowEdge]]:
    start = Dataset(name=resource_id, title_zh=title_zh, title_en=title_en)
    columns = chosen or None
    return start, [*find_upstream(start, columns), *find_downstream(start, columns)]


def _seen_edges(actor: Actor, agency_id: str, edges: list[FlowEdge]) -> list[FlowEdge]:
    """Without the resources that the actor may not know of; what leaves under grants is the provider's to see."""
    if agency_id not in actor.agency_ids and EVERY_AGENCY not in actor.agency_ids:
        edges = [edge for edge in edges if edge.target.namespace != LEFT_NAMESPACE]
    names = {dataset.name for edge in edges for dataset in (edge.source, edge.target) if dataset.is_resource}
    hidden = {name for name in names if not catalog.explain_resource(actor, name).allowed}
    return [edge for edge in edges if not hidden & _resources_of(edge)]


def _resources_of(edge: FlowEdge) -> set[Any]:
    return {dataset.name for dataset in (edge.source, edge.target) if dataset.is_resource}
