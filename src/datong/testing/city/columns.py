"""Columns that many tables share, so that one thing is described once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from datong.testing.city.model import ColumnSpec


def identity(
    name: str = "id_number", title: str = "公民身份号码", title_en: str = "Identity number", **more: Any
) -> ColumnSpec:
    found = ColumnSpec(
        name=name, title=title, title_en=title_en, length=18, required=True, grade="一般3级", role="identifier",
        identifier="resident_id", element="DE-00001", mask="id_6_4",
    )  # fmt: skip
    return replace(found, **more)


def person_name(name: str = "name", title: str = "姓名", title_en: str = "Name", **more: Any) -> ColumnSpec:
    found = ColumnSpec(
        name=name, title=title, title_en=title_en, length=50, required=True, grade="一般3级", role="name", verify=True,
        element="DE-00002", mask="surname",
    )  # fmt: skip
    return replace(found, **more)


def credit_code(
    name: str = "uscc", title: str = "统一社会信用代码", title_en: str = "Unified social credit code", **more: Any
) -> ColumnSpec:
    found = ColumnSpec(
        name=name, title=title, title_en=title_en, length=18, required=True, role="identifier", identifier="uscc",
        element="DE-00401",
    )  # fmt: skip
    return replace(found, **more)


def firm_name(
    name: str = "name", title: str = "企业名称", title_en: str = "Enterprise name", **more: Any
) -> ColumnSpec:
    found = ColumnSpec(
        name=name, title=title, title_en=title_en, length=200, required=True, role="name", verify=True,
        element="DE-00412",
    )  # fmt: skip
    return replace(found, **more)


def sex(**more: Any) -> ColumnSpec:
    found = ColumnSpec(
        name="sex", title="性别", title_en="Sex", length=1, required=True, grade="一般2级", role="sex", code_list="sex",
        element="DE-00003",
    )  # fmt: skip
    return replace(found, **more)


def birth_date(**more: Any) -> ColumnSpec:
    found = ColumnSpec(
        name="birth_date", title="出生日期", title_en="Date of birth", type="date", required=True, grade="一般3级",
        role="birth_date", minimum="1890-01-01", element="DE-00004", mask="year",
    )  # fmt: skip
    return replace(found, **more)


def address(name: str = "address", title: str = "住址", title_en: str = "Address", **more: Any) -> ColumnSpec:
    found = ColumnSpec(name=name, title=title, title_en=title_en, length=300, grade="一般3级", role="address")
    return replace(found, **more)


def division(
    name: str = "division_code", title: str = "行政区划代码", title_en: str = "Division code", **more: Any
) -> ColumnSpec:
    found = ColumnSpec(
        name=name, title=title, title_en=title_en, length=6, required=True, role="division", pattern="[0-9]{6}",
        identifier="division_code", element="DE-00006",
    )  # fmt: skip
    return replace(found, **more)


def day(name: str, title: str, title_en: str, **more: Any) -> ColumnSpec:
    found = ColumnSpec(
        name=name, title=title, title_en=title_en, type="date", role="date", required=True, minimum="1950-01-01"
    )
    return replace(found, **more)


def coded(name: str, title: str, title_en: str, values: tuple[str, ...], **more: Any) -> ColumnSpec:
    found = ColumnSpec(
        name=name, title=title, title_en=title_en, length=max(20, *map(len, values)), required=True, role="coded",
        values=values,
    )  # fmt: skip
    return replace(found, **more)


def amount(name: str, title: str, title_en: str, unit: str, **more: Any) -> ColumnSpec:
    found = ColumnSpec(
        name=name, title=title, title_en=title_en, type="number", role="amount", unit=unit, minimum=0, required=True
    )  # fmt: skip
    return replace(found, **more)


def whole(name: str, title: str, title_en: str, maximum: int, unit: str = "", **more: Any) -> ColumnSpec:
    found = ColumnSpec(
        name=name, title=title, title_en=title_en, type="integer", role="amount", unit=unit, minimum=0, maximum=maximum,
        required=True,
    )  # fmt: skip
    return replace(found, **more)


def phone(name: str = "phone", title: str = "联系电话", title_en: str = "Telephone", **more: Any) -> ColumnSpec:
    found = ColumnSpec(
        name=name, title=title, title_en=title_en, length=11, grade="一般3级", role="phone", pattern="1[3-9][0-9]{9}",
        mask="ends",
    )  # fmt: skip
    return replace(found, **more)


def serial(name: str, title: str, title_en: str, pattern: str, **more: Any) -> ColumnSpec:
    """A business number that nobody else gives: the key of its table."""
    found = ColumnSpec(
        name=name, title=title, title_en=title_en, length=40, required=True, key=True, role="serial", pattern=pattern
    )  # fmt: skip
    return replace(found, **more)


def words(name: str, title: str, title_en: str, **more: Any) -> ColumnSpec:
    return replace(ColumnSpec(name=name, title=title, title_en=title_en, length=300), **more)
