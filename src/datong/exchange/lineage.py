"""What leaves under a grant, in the words of lineage: the resource's columns into what the grantee receives."""

from __future__ import annotations

from collections.abc import Mapping

from datong.catalog.lineage.contracts import LEFT_NAMESPACE, ColumnEdge, Dataset, DerivedDataset, EdgeKind, LineageJob
from datong.exchange.contracts import GrantTerms, Treatment


def grant_job(number: str) -> LineageJob:
    return LineageJob(kind="grant", name=number, title_zh=f"授权{number}", title_en=f"Grant {number}")


def granted_columns(terms: GrantTerms, source: Dataset, types: Mapping[str, str]) -> DerivedDataset:
    """Columns that leave, plain or masked. A column that is only compared never does, so it has no edge."""
    leaving = [column for column in terms.columns if column.treatment is not Treatment.COMPARE]
    return DerivedDataset(
        target=Dataset(
            namespace=LEFT_NAMESPACE,
            name=terms.number,
            title_zh=f"授权{terms.number}",
            title_en=f"Grant {terms.number}",
        ),
        columns={column.name: types.get(column.name, "string") for column in leaving},
        edges=[
            ColumnEdge(
                source=source,
                source_column=column.name,
                target_column=column.name,
                kind=EdgeKind.TRANSFORMATION if column.treatment is Treatment.MASKED else EdgeKind.IDENTITY,
                detail_zh=f"掩码：{column.mask}" if column.mask else "",
                detail_en=f"masked: {column.mask}" if column.mask else "",
                masks=column.treatment is Treatment.MASKED,
            )
            for column in leaving
        ],
    )
