"""What collection shows on a resource's page: versions, the last runs, and the way to hand in a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.urls import reverse

from datong.catalog.contracts import ResourceView
from datong.catalog.web.panels import RESOURCE_BUTTONS, RESOURCE_PANELS, ResourceButton, ResourcePanel
from datong.collect import service
from datong.collect.web.present import run_tag
from datong.kernel.action.service import is_allowed
from datong.kernel.contracts import Actor, Subject
from datong.kernel.ids import AgencyId, ResourceId
from datong.lake import service as lake

RUNS_SHOWN_MAX = 6
VERSIONS_SHOWN_MAX = 8


def show_runs(actor: Actor, resource: ResourceView) -> Mapping[str, Any] | None:
    """The owner's own business: members of other agencies do not see the runs."""
    runs = service.find_runs(actor, resource_id=ResourceId(resource.id), limit=RUNS_SHOWN_MAX).items
    return {"runs": [(run, run_tag(run)) for run in runs]} if runs else None


def show_versions(_actor: Actor, resource: ResourceView) -> Mapping[str, Any]:
    versions = lake.find_versions(ResourceId(resource.id), limit=VERSIONS_SHOWN_MAX)
    return {"resource": resource, "versions": versions}


def make_button(actor: Actor, resource: ResourceView) -> ResourceButton | None:
    subject = Subject(kind="resource", id=resource.id, agency_id=AgencyId(resource.agency_id), name=resource.title_zh)
    if not is_allowed(service.STARTED, actor, subject):
        return None
    return ResourceButton(
        title_zh="归集文件",
        title_en="Collect a file",
        icon="upload",
        url=reverse("collect:collect", args=[resource.id]),
        is_primary=True,
    )


VERSIONS = ResourcePanel(order=10, template="collect/parts/versions.html", context=show_versions)
RUNS = ResourcePanel(order=20, template="collect/parts/resource_runs.html", context=show_runs)


def plug() -> None:
    RESOURCE_PANELS.fill("collect.versions", VERSIONS)
    RESOURCE_PANELS.fill("collect.runs", RUNS)
    RESOURCE_BUTTONS.fill("collect.file", make_button)
