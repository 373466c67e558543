"""A contract's columns as the pages show them. No rule is made here."""

from __future__ import annotations

from dataclasses import dataclass

from datong.catalog.odcs import DataContract
from datong.catalog.words import CYCLE_TITLES, TYPE_TITLES, IdentifierKind, UpdateCycle

IDENTIFIER_TITLES: dict[IdentifierKind, tuple[str, str]] = {
    IdentifierKind.USCC: ("统一社会信用代码 GB 32100", "USCC, GB 32100"),
    IdentifierKind.RESIDENT_ID: ("公民身份号码 GB 11643", "Resident ID, GB 11643"),
    IdentifierKind.ORG_CODE: ("组织机构代码 GB 11714", "Organisation code, GB 11714"),
    IdentifierKind.DIVISION_CODE: ("行政区划代码 GB/T 2260", "Division code, GB/T 2260"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnLine:
    """One row of the column table."""

    name: str
    title: tuple[str, str]
    type: tuple[str, str]
    is_key: bool
    required: bool
    unique: bool
    grade: int
    sharing: str
    sharing_basis: str
    may_be_claimed: bool
    meaning: tuple[str, str]
    """The data element, identifier standard or code list behind it, or its description."""
    bounds: str


def column_lines(contract: DataContract) -> list[ColumnLine]:
    return [
        ColumnLine(
            name=column.name,
            title=(column.title or column.name, column.title_en or column.title or column.name),
            type=TYPE_TITLES[column.logical_type],
            is_key=column.primary_key,
            required=column.required,
            unique=column.unique,
            grade=column.grade,
            sharing=column.sharing.value,
            sharing_basis=column.sharing_basis,
            may_be_claimed=column.verify,
            meaning=_meaning(column.identifier, column.code_list, column.description),
            bounds=_bounds(column.minimum, column.maximum, column.pattern, column.values),
        )
        for column in contract.columns
    ]


def cycle_title(cycle: UpdateCycle) -> tuple[str, str]:
    return CYCLE_TITLES[cycle]


def _meaning(identifier: IdentifierKind | None, code_list: str, description: str) -> tuple[str, str]:
    if identifier is not None:
        return IDENTIFIER_TITLES[identifier]
    return (f"代码集 {code_list}", f"Code list {code_list}") if code_list else (description, description)


def _bounds(minimum: object, maximum: object, pattern: str, values: tuple[str, ...]) -> str:
    if values:
        return " | ".join(values[:6]) + (" …" if len(values) > 6 else "")
    if minimum is not None or maximum is not None:
        return f"{'' if minimum is None else minimum} … {'' if maximum is None else maximum}"
    return pattern
