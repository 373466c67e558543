"""Lineage as pure functions: edges out of SQL, OpenLineage events, and the places of a drawing."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from datong.catalog.lineage.contracts import (
    ColumnEdge,
    Dataset,
    DerivedDataset,
    EdgeKind,
    FlowEdge,
    LineageJob,
    SqlUnreadable,
)

PRODUCER = "https://datong.invalid/lineage"
"""OpenLineage `producer`: who says so. A reserved name: it names the software and leads nowhere."""
_SPEC = "https://openlineage.io/spec"
_RUN_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, PRODUCER)
Schema = Mapping[str, Mapping[str, str]]
"""Table → column → type."""


# Edges out of SQL -------------------------------------------------------------------------------------------------
def find_edges(statement: str, schema: Schema) -> list[ColumnEdge]:
    """Column edges of one SELECT over resources. `schema` maps table → column → type.

    Values give direct edges; columns of conditions, joins, groups and orders give indirect ones into every output.
    Raises SqlUnreadable for what does not parse, is no single SELECT, or names an unknown column.
    """
    try:
        parsed = sqlglot.parse(statement, read="duckdb")
        if len(parsed) != 1 or not isinstance(parsed[0], exp.Query):
            raise SqlUnreadable("Give one SELECT.", hint_zh="请只写一条SELECT语句。")
        query = qualify(parsed[0], schema=_nested(schema), dialect="duckdb", quote_identifiers=False)
        root = build_scope(query)
    except SqlglotError as error:
        raise SqlUnreadable("The parser refused it.", hint_zh="语句无法解析。", private=str(error)) from error
    if root is None:
        raise SqlUnreadable("Give one SELECT.", hint_zh="请只写一条SELECT语句。")
    outputs = [name.lower() for name in query.named_selects]
    edges = [edge for output in outputs for edge in _direct_edges(output, root, schema)]
    edges += [
        ColumnEdge(source=Dataset(name=table), source_column=column, target_column=output, kind=kind)
        for output in outputs
        for (table, column), kind in _indirect_columns(root, schema).items()
    ]
    return list(dict.fromkeys(edges))


def _nested(schema: Schema) -> dict[str, object]:
    return {table: dict(columns) for table, columns in schema.items()}


def _direct_edges(output: str, scope: Scope, schema: Schema) -> list[ColumnEdge]:
    root = lineage(output, scope.expression, _nested(schema), dialect="duckdb", scope=scope)
    nodes = list(root.walk())
    aggregated = any(node.expression.find(exp.AggFunc) for node in nodes if not isinstance(node.expression, exp.Table))
    plain = all(_is_plain(node.expression) for node in nodes)
    kind = EdgeKind.AGGREGATION if aggregated else EdgeKind.IDENTITY if plain else EdgeKind.TRANSFORMATION
    return [
        ColumnEdge(source=Dataset(name=table), source_column=column, target_column=output, kind=kind)
        for table, column in _leaves(root, schema)
    ]


def _leaves(root: Node, schema: Schema) -> Iterator[tuple[str, str]]:
    """The table columns at the far end of a value."""
    for node in root.walk():
        if isinstance(node.expression, exp.Table):
            table, column = node.expression.name, node.name.rpartition(".")[2].strip('"').lower()
            if column in schema.get(table, {}):
                yield table, column


def _is_plain(expression: exp.Expr) -> bool:
    inner = expression.this if isinstance(expression, exp.Alias) else expression
    return isinstance(inner, exp.Column | exp.Table | exp.Query)


_PLACES = (
    (exp.Where, EdgeKind.FILTER),
    (exp.Having, EdgeKind.FILTER),
    (exp.Join, EdgeKind.JOIN),
    (exp.Group, EdgeKind.GROUP_BY),
    (exp.Order, EdgeKind.SORT),
)


def _indirect_columns(root: Scope, schema: Schema) -> dict[tuple[str, str], EdgeKind]:
    """What decides which rows there are and in which groups and order, followed to the tables."""
    found: dict[tuple[str, str], EdgeKind] = {}
    for scope in root.traverse():
        for column in scope.columns:
            kind = next((kind for place, kind in _PLACES if column.find_ancestor(place)), None)
            source = scope.sources.get(column.table)
            if kind is None or source is None or column.find_ancestor(exp.Window):
                continue
            for leaf in _leaves_of(column.name, source, schema):
                found.setdefault(leaf, kind)
    return found


def _leaves_of(column: str, source: exp.Expression | Scope, schema: Schema) -> Iterator[tuple[str, str]]:
    if isinstance(source, Scope):
        yield from _leaves(lineage(column, source.expression, _nested(schema), dialect="duckdb", scope=source), schema)
    elif column.lower() in schema.get(source.name, {}):
        yield source.name, column.lower()


# OpenLineage ------------------------------------------------------------------------------------------------------
def run_uuid(run_id: str) -> str:
    """OpenLineage wants a UUID: the same for the same run, always."""
    return str(uuid.uuid5(_RUN_NAMESPACE, run_id))


def openlineage_event(
    job: LineageJob, run_id: str, at: str, outputs: Sequence[DerivedDataset], *, event_type: str = "COMPLETE"
) -> dict[str, Any]:
    """A RunEvent of OpenLineage 2-0-2 with the schema, column lineage, version and statistics facets."""
    inputs = sorted({edge.source for output in outputs for edge in output.edges})
    return {
        "eventType": event_type,
        "eventTime": at,
        "producer": PRODUCER,
        "schemaURL": f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run_uuid(run_id)},
        "job": {
            "namespace": "datong",
            "name": job.key,
            "facets": {
                "jobType": _facet(
                    "2-0-3/JobTypeJobFacet.json",
                    {"processingType": "BATCH", "integration": "DATONG", "jobType": job.kind.upper()},
                ),
                "documentation": _facet(
                    "1-0-1/DocumentationJobFacet.json", {"description": job.title_zh or job.title_en or job.key}
                ),
            },
        },
        "inputs": [{"namespace": one.namespace, "name": one.name, "facets": {}} for one in inputs],
        "outputs": [_output(output) for output in outputs],
    }


def _output(output: DerivedDataset) -> dict[str, Any]:
    facets = {
        "schema": _facet(
            "1-1-1/SchemaDatasetFacet.json",
            {"fields": [{"name": name, "type": kind} for name, kind in output.columns.items()]},
        ),
        "columnLineage": _facet("1-2-0/ColumnLineageDatasetFacet.json", {"fields": _fields(output.edges)}),
    }
    if output.version:
        facets["version"] = _facet("1-0-1/DatasetVersionDatasetFacet.json", {"datasetVersion": output.version})
    told: dict[str, Any] = {"namespace": output.target.namespace, "name": output.target.name, "facets": facets}
    if output.rows_count is not None:
        figures = {"rowCount": output.rows_count, "size": output.payload_bytes}
        told["outputFacets"] = {
            "outputStatistics": _facet(
                "1-0-2/OutputStatisticsOutputDatasetFacet.json",
                {name: value for name, value in figures.items() if value is not None},
            )
        }
    return told


def _fields(edges: Iterable[ColumnEdge]) -> dict[str, Any]:
    by_target: defaultdict[str, dict[tuple[str, str, str], list[dict[str, Any]]]] = defaultdict(dict)
    for edge in edges:
        place = (edge.source.namespace, edge.source.name, edge.source_column)
        by_target[edge.target_column].setdefault(place, []).append(
            {
                "type": "DIRECT" if edge.kind.is_direct else "INDIRECT",
                "subtype": edge.kind.value,
                "description": edge.detail_zh or edge.detail_en,
                "masking": edge.masks,
            }
        )
    return {
        target: {
            "inputFields": [
                {"namespace": space, "name": name, "field": column, "transformations": transformations}
                for (space, name, column), transformations in sorted(places.items())
            ]
        }
        for target, places in sorted(by_target.items())
    }


def _facet(schema: str, words: Mapping[str, Any]) -> dict[str, Any]:
    name = schema.partition("/")[2].removesuffix(".json")
    return {"_producer": PRODUCER, "_schemaURL": f"{_SPEC}/facets/{schema}#/$defs/{name}", **words}


# A drawing --------------------------------------------------------------------------------------------------------
BOX_WIDTH, ROW_HEIGHT, HEAD_HEIGHT, GAP_X, GAP_Y, MARGIN = 220, 22, 34, 110, 22, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnColumn:
    name: str
    y: int
    """Baseline of its text."""
    is_marked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnBox:
    """A dataset in the drawing; units are pixels of the SVG."""

    dataset: Dataset
    x: int
    y: int
    width: int
    height: int
    columns: tuple[DrawnColumn, ...]
    is_start: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnLine:
    path: str
    is_direct: bool
    title_zh: str
    title_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    width: int
    height: int
    boxes: tuple[DrawnBox, ...]
    lines: tuple[DrawnLine, ...]


def draw(start: Dataset, edges: Sequence[FlowEdge], *, marked: Iterable[str] = ()) -> Drawing:
    """Datasets in layers from left (sources) to right (what depends on them), their columns in rows, edges as curves.

    `marked` are columns of `start` to stand out. Layers follow the longest way from the start, so edges go right.
    """
    layers = _layers(start, edges)
    columns: defaultdict[str, dict[str, None]] = defaultdict(dict)
    datasets = {start.key: start}
    for edge in edges:
        datasets.setdefault(edge.source.key, edge.source)
        datasets.setdefault(edge.target.key, edge.target)
        columns[edge.source.key][edge.source_column] = None
        columns[edge.target.key][edge.target_column] = None
    stacked: defaultdict[int, int] = defaultdict(lambda: MARGIN)
    boxes, rows = [], {}
    lowest = min(layers.values())
    for key in sorted(datasets, key=lambda k: (layers[k], datasets[k].name)):
        layer = layers[key] - lowest
        x, y = MARGIN + layer * (BOX_WIDTH + GAP_X), stacked[layer]
        names = list(columns[key])
        height = HEAD_HEIGHT + ROW_HEIGHT * len(names) + 8
        for place, name in enumerate(names):
            rows[key, name] = (x, y + HEAD_HEIGHT + ROW_HEIGHT * place + ROW_HEIGHT // 2)
        drawn = tuple(
            DrawnColumn(name=name, y=rows[key, name][1] + 4, is_marked=key == start.key and name in set(marked))
            for name in names
        )
        boxes.append(
            DrawnBox(
                dataset=datasets[key], x=x, y=y, width=BOX_WIDTH, height=height, columns=drawn,
                is_start=key == start.key,
            )
        )  # fmt: skip
        stacked[layer] += height + GAP_Y
    lines = [_line(edge, rows) for edge in edges]
    return Drawing(
        width=max(box.x for box in boxes) + BOX_WIDTH + MARGIN,
        height=max(box.y + box.height for box in boxes) + MARGIN,
        boxes=tuple(boxes),
        lines=tuple(lines),
    )


def _line(edge: FlowEdge, rows: Mapping[tuple[str, str], tuple[int, int]]) -> DrawnLine:
    (x1, y1), (x2, y2) = rows[edge.source.key, edge.source_column], rows[edge.target.key, edge.target_column]
    x1 += BOX_WIDTH
    bend = max(30, (x2 - x1) // 2)
    said = f"{edge.source_column} → {edge.target_column}"
    return DrawnLine(
        path=f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}",
        is_direct=edge.kind.is_direct,
        title_zh=f"{said} {edge.detail_zh}".strip(),
        title_en=f"{said} {edge.detail_en}".strip(),
    )


def _layers(start: Dataset, edges: Sequence[FlowEdge]) -> dict[str, int]:
    """Steps right (positive) or left of the start; a circle is cut where it would come back."""
    layers = {start.key: 0}
    for _ in range(len(edges) + 1):
        moved = False
        for edge in edges:
            source, target = edge.source.key, edge.target.key
            if source in layers and target not in layers:
                layers[target], moved = layers[source] + 1, True
            elif target in layers and source not in layers:
                layers[source], moved = layers[target] - 1, True
        if not moved:
            break
    for edge in edges:
        layers.setdefault(edge.source.key, 0)
        layers.setdefault(edge.target.key, 1)
    return layers
