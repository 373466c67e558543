"""The slots of a resource's page: panels and buttons of the parts above the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from datong.catalog.contracts import ResourceView
from datong.kernel.contracts import Actor
from datong.kernel.plugs import Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcePanel:
    """What a higher part shows on a resource's page. `context` gives the template's `values`; None shows nothing."""

    order: int
    template: str
    context: Callable[[Actor, ResourceView], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceButton:
    """A way on from a resource's page, e.g. 申请使用. One of them may be the page's primary button."""

    title_zh: str
    title_en: str
    icon: str
    url: str
    is_primary: bool = False


RESOURCE_PANELS: Slot[ResourcePanel] = Slot("catalog.resource-panels")
RESOURCE_BUTTONS: Slot[Callable[[Actor, ResourceView], ResourceButton | None]] = Slot("catalog.resource-buttons")
