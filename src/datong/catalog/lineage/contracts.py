"""The values of lineage, and the slot by which higher parts say what depends on a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from datong.kernel.contracts import Actor
from datong.kernel.failures import BadInput
from datong.kernel.plugs import Slot

NAMESPACE = "datong"
"""OpenLineage namespace of what the platform itself holds."""
LEFT_NAMESPACE = "grant"
"""Of what leaves under a grant: shown to the agency that provides the resource, and to who sees all."""


class EdgeKind(StrEnum):
    """How a column depends on another: OpenLineage ColumnLineageDatasetFacet 1-2-0, `transformations[].subtype`.

    The first three are DIRECT (the value comes from there), the rest INDIRECT (it decides which rows or when).
    """

    IDENTITY = "IDENTITY"
    TRANSFORMATION = "TRANSFORMATION"
    AGGREGATION = "AGGREGATION"
    JOIN = "JOIN"
    GROUP_BY = "GROUP_BY"
    FILTER = "FILTER"
    SORT = "SORT"
    WINDOW = "WINDOW"
    CONDITIONAL = "CONDITIONAL"

    @property
    def is_direct(self) -> bool:
        return self in (EdgeKind.IDENTITY, EdgeKind.TRANSFORMATION, EdgeKind.AGGREGATION)


EDGE_TITLES: Mapping[EdgeKind, tuple[str, str]] = {
    EdgeKind.IDENTITY: ("原样", "as it is"),
    EdgeKind.TRANSFORMATION: ("变换", "transformed"),
    EdgeKind.AGGREGATION: ("汇总", "aggregated"),
    EdgeKind.JOIN: ("关联条件", "joins by it"),
    EdgeKind.GROUP_BY: ("分组", "groups by it"),
    EdgeKind.FILTER: ("筛选", "filters by it"),
    EdgeKind.SORT: ("排序", "sorts by it"),
    EdgeKind.WINDOW: ("窗口", "windows over it"),
    EdgeKind.CONDITIONAL: ("条件", "depends on it"),
}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Dataset:
    """Something with columns. `name` is a resource's id in our own namespace, else what the source calls itself."""

    namespace: str = NAMESPACE
    name: str
    title_zh: str = ""
    title_en: str = ""

    @property
    def key(self) -> str:
        return f"{self.namespace}\n{self.name}"

    @property
    def is_resource(self) -> bool:
        return self.namespace == NAMESPACE


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnEdge:
    """One column of a source flows into one column of the target. `masks` says that the value is hidden on the way."""

    source: Dataset
    source_column: str
    target_column: str
    kind: EdgeKind = EdgeKind.IDENTITY
    detail_zh: str = ""
    detail_en: str = ""
    masks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageJob:
    """What derives: `collect:psb_population`, `export:G-2026-00001`. One job's later run replaces its edges."""

    kind: str
    name: str
    title_zh: str = ""
    title_en: str = ""

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedDataset:
    """What a run of a job made: the target, its columns' types, edges into it, rows and bytes, and its version."""

    target: Dataset
    columns: Mapping[str, str]
    edges: Sequence[ColumnEdge]
    rows_count: int | None = None
    payload_bytes: int | None = None
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowEdge:
    """An edge as it is kept: both ends, how, and the run that last drew it. `depth` counts steps from the start."""

    source: Dataset
    source_column: str
    target: Dataset
    target_column: str
    kind: EdgeKind
    detail_zh: str
    detail_en: str
    job: str
    run_id: str
    at: str
    depth: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """Something that would break or change if a column changed. `blocks`: it stops working; else it changes value."""

    kind_zh: str
    kind_en: str
    title_zh: str
    title_en: str
    address: str = ""
    blocks: bool = True
    columns: tuple[str, ...] = field(default=())


class ImpactSource(Protocol):
    """Slot: what of a higher part depends on these columns of a resource. `actor` sees what they may."""

    def __call__(self, actor: Actor, resource_id: str, columns: Sequence[str]) -> Sequence[Impact]: ...


IMPACT_SOURCES: Slot[ImpactSource] = Slot("catalog.impact-sources")


class ColumnUnknown(BadInput):
    code = "column-unknown"
    title, title_zh = "The resource has no such column", "该资源没有这个数据项"


class SqlUnreadable(BadInput):
    code = "sql-unreadable"
    title, title_zh = "The statement cannot be followed", "无法解析该语句的血缘"
