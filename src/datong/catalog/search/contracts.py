"""What a search is asked and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from datong.catalog.contracts import ResourceView
from datong.kernel.failures import BadInput
from datong.kernel.paging import Page

FACETS: Mapping[str, tuple[str, str]] = {
    "agency": ("提供部门", "Agency"),
    "class": ("类别", "Class"),
    "sharing": ("共享类型", "Sharing"),
    "opening": ("开放类型", "Opening"),
    "mode": ("使用方式", "Mode"),
    "cycle": ("更新周期", "Update cycle"),
    "quality": ("质量", "Quality"),
    "grade": ("最高分级", "Highest grade"),
    "format": ("格式", "Format"),
}
"""What results can be narrowed by, in the order of the page."""


class SearchOrder(StrEnum):
    RELEVANCE = "relevance"
    UPDATED = "updated"
    QUALITY = "quality"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """Words, and for each facet the values of which one must hold."""

    text: str = ""
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    order: SearchOrder = SearchOrder.RELEVANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetValue:
    """One value to narrow by, how many results have it, and whether it is chosen."""

    value: str
    title_zh: str
    title_en: str
    count: int
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetGroup:
    name: str
    title_zh: str
    title_en: str
    values: tuple[FacetValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A found resource with its title and description in pieces, marked where the words stand.

    `columns` are the titles of columns that hold a searched word, for a reader who wonders why.
    """

    resource: ResourceView
    title: tuple[tuple[str, bool], ...]
    description: tuple[tuple[str, bool], ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage(Page[Hit]):
    """Hits, and what they can be narrowed by. Counts are of the results without the facet's own choice."""

    facets: tuple[FacetGroup, ...] = ()


class SynonymsInvalid(BadInput):
    code = "synonyms-invalid"
    title, title_zh = "These synonyms cannot be used", "同义词无法使用"
