"""What a run of collection derives, in the words of lineage: each delivered column into the table's column."""

from __future__ import annotations

from collections.abc import Sequence

from datong.catalog.lineage.contracts import ColumnEdge, Dataset, DerivedDataset, EdgeKind, LineageJob
from datong.catalog.values import Column, DataContract
from datong.collect.drift import map_columns
from datong.collect.readers.reading import wanted_columns

FILE_NAMESPACE = "file"
"""OpenLineage namespace of what arrives as files; a connected source has its own."""


def collect_job(contract: DataContract) -> LineageJob:
    return LineageJob(
        kind="collect",
        name=contract.id,
        title_zh=f"归集“{contract.title_zh}”",
        title_en=f"Collection of {contract.title_en or contract.id}",
    )


def derived_table(
    contract: DataContract,
    source_header: Sequence[str],
    *,
    source: Dataset,
    rows_count: int,
    payload_bytes: int,
    version: str,
) -> DerivedDataset:
    """The table that a delivery with this header made. A cleaned column is transformed; another comes as it is."""
    names = [column.name for column in contract.columns]
    mapping = map_columns(source_header, wanted_columns(contract), "map", optional=names)
    by_name = contract.by_name
    pairs = zip(mapping.header, source_header, strict=True)
    edges = [_edge(by_name[name], cell, source) for name, cell in pairs if name is not None]
    return DerivedDataset(
        target=Dataset(name=contract.id, title_zh=contract.title_zh, title_en=contract.title_en),
        columns={column.name: column.logical_type.value for column in contract.columns},
        edges=edges,
        rows_count=rows_count,
        payload_bytes=payload_bytes,
        version=version,
    )


def _edge(column: Column, cell: str, source: Dataset) -> ColumnEdge:
    steps = [step.step for step in column.cleaning]
    return ColumnEdge(
        source=source,
        source_column=cell,
        target_column=column.name,
        kind=EdgeKind.TRANSFORMATION if steps else EdgeKind.IDENTITY,
        detail_zh=f"清洗：{'、'.join(steps)}" if steps else "",
        detail_en=f"cleaned: {', '.join(steps)}" if steps else "",
    )
