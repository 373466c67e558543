"""A resource's own sources on its page, for its agency, and their place in the side bar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datong.catalog.contracts import ResourceView
from datong.catalog.web.panels import RESOURCE_PANELS, ResourcePanel
from datong.collect.sources import service
from datong.collect.web.sources_form import kind_title
from datong.collect.web.sources_views import may_create, state_of
from datong.kernel.contracts import NAV_ITEMS, Actor, NavItem, Role

SOURCES = NavItem(
    key="sources",
    section="data",
    order=21,
    title_zh="数据源",
    title_en="Sources",
    icon="plug-connected",
    url_name="collect:sources",
    roles=frozenset({Role.STEWARD, Role.APPROVER, Role.BUREAU}),
)


def show_sources(actor: Actor, resource: ResourceView) -> Mapping[str, Any] | None:
    """Nothing for other agencies, and nothing where there is nothing to show or do."""
    found = service.find_sources(actor, resource_id=resource.id)
    allowed = may_create(actor, resource.agency_id)
    if not found and not allowed:
        return None
    return {
        "sources": [(source, kind_title(source.kind), state_of(source)) for source in found],
        "may_create": allowed,
        "resource": resource,
    }


def plug() -> None:
    NAV_ITEMS.fill(SOURCES.key, SOURCES)
    RESOURCE_PANELS.fill(
        "collect.sources", ResourcePanel(order=22, template="collect/parts/resource_sources.html", context=show_sources)
    )
