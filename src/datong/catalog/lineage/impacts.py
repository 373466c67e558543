"""What the catalogue itself knows to depend on a column: the contract's own rules, and contracts that refer to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from datong.catalog.lineage.contracts import Impact
from datong.catalog.values import DataContract


def find_contract_impacts(contract: DataContract, columns: Sequence[str]) -> Iterator[Impact]:
    """Key, validity, event time, verification and rules of the resource's own contract."""
    asked = set(columns)
    keys = [column for column in contract.key_columns if column.name in asked]
    if keys:
        yield _own(
            "主键",
            "Primary key",
            "、".join(column.title for column in keys),
            ", ".join(column.title_en or column.name for column in keys),
            [column.name for column in keys],
        )
    if contract.validity:
        ends = [n for n in (contract.validity.from_column, contract.validity.to_column) if n in asked]
        if ends:
            yield _own("有效期", "Validity", "、".join(ends), ", ".join(ends), ends)
    if contract.event_time_column in asked:
        name = contract.event_time_column
        yield _own("事件时间", "Event time", name, name, [name])
    for column in contract.columns:
        if column.name in asked and column.verify:
            title_en = column.title_en or column.name
            yield _own("核验项", "Verified claim", column.title, title_en, [column.name])
        if column.name in asked:
            for rule in column.rules:
                title = rule.name or rule.metric or rule.implementation or rule.kind
                yield _own(
                    "质量规则", "Quality rule", f"{column.title}：{title}", f"{column.name}: {title}", [column.name]
                )
    for rule in contract.rules:
        named = [name for name in columns if name in rule.implementation]
        if named:
            title = rule.name or rule.implementation
            yield _own("质量规则", "Quality rule", title, title, named)


def find_reference_impacts(referring: DataContract, resource_id: str, columns: Sequence[str]) -> Iterator[Impact]:
    """Columns of another contract whose values must exist in these."""
    for column in referring.columns:
        for reference in column.references:
            touched = [name for name in reference.to_columns if name in columns]
            if reference.resource_id == resource_id and touched:
                yield Impact(
                    kind_zh="外部引用",
                    kind_en="Reference from another resource",
                    title_zh=f"{referring.title_zh}·{column.title}",
                    title_en=f"{referring.title_en or referring.id}: {column.title_en or column.name}",
                    address=f"/resources/{referring.id}/",
                    columns=tuple(touched),
                )


def _own(kind_zh: str, kind_en: str, title_zh: str, title_en: str, columns: Sequence[str]) -> Impact:
    return Impact(kind_zh=kind_zh, kind_en=kind_en, title_zh=title_zh, title_en=title_en, columns=tuple(columns))
