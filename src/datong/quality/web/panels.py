"""Quality on the catalogue's page of a resource: the score of the present version and the way to its report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datong.catalog.contracts import ResourceView
from datong.catalog.web.panels import RESOURCE_PANELS, ResourcePanel
from datong.kernel.contracts import Actor
from datong.quality import service
from datong.quality.web.present import dimension_lines, grade_of_report, order_lines


def show_quality(actor: Actor, resource: ResourceView) -> Mapping[str, Any] | None:
    """For who may read the reports; nothing before the first one."""
    reports = service.find_reports(actor, resource.id, limit=1)
    if not reports:
        return None
    return {
        "resource": resource,
        "report": reports[0],
        "grade": grade_of_report(reports[0].score),
        "dimensions": dimension_lines(reports[0], None),
        "orders": order_lines(service.find_orders(actor, resource_id=resource.id)),
    }


QUALITY = ResourcePanel(order=15, template="quality/parts/resource_quality.html", context=show_quality)


def plug() -> None:
    RESOURCE_PANELS.fill("quality.report", QUALITY)
