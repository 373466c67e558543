"""The way to a resource's conformance from its page."""

from __future__ import annotations

from django.urls import reverse

from datong.catalog.contracts import ResourceView
from datong.catalog.web.panels import RESOURCE_BUTTONS, ResourceButton
from datong.kernel.contracts import Actor


def conformance_button(_actor: Actor, resource: ResourceView) -> ResourceButton:
    return ResourceButton(
        title_zh="标准符合性",
        title_en="Conformance",
        icon="clipboard-check",
        url=reverse("conformance:resource", args=[resource.id]),
    )


def plug() -> None:
    RESOURCE_BUTTONS.fill("quality.conformance", conformance_button)
