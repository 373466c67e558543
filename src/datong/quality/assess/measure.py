"""The share of a table's values that conform to their elements: one scan, counts only, no value leaves the table.

The checks are the contract's own kinds (`quality.sql`), made from the element instead of the contract, so a value that
the contract lets pass is still counted against the standard.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import replace

import duckdb

from datong.catalog.values import Column, DataContract
from datong.catalog.words import LogicalType
from datong.quality.assess.contracts import ValueShare
from datong.quality.contracts import Check, CheckKind, CheckPlan, ColumnPlan, Dimension
from datong.quality.sql import Bindings, enum_sql, name_sql, violation_sql
from datong.standards.code_lists import get_code_list
from datong.standards.contracts import CodeListUnknown, Element
from datong.standards.divisions import Divisions
from datong.standards.elements import find_element
from datong.standards.representation import read_representation

_IDENTIFIER_KINDS: Mapping[str, CheckKind] = {
    "uscc": CheckKind.USCC,
    "resident_id": CheckKind.RESIDENT_ID,
    "org_code": CheckKind.ORG_CODE,
    "division_code": CheckKind.DIVISION,
}
_NUMBERS = (LogicalType.INTEGER, LogicalType.NUMBER)
_FIRST_DAY, _LAST_DAY = "0001-01-01", "9999-12-31"


def compile_value_checks(contract: DataContract, day: dt.date, divisions: Divisions) -> CheckPlan:
    """What the elements ask of the values, as a plan over the table's values written as text."""
    checks = [
        check
        for column in contract.columns
        if (element := find_element(column.element) if column.element else None) is not None
        for check in _checks(column, element, contract, day, divisions)
    ]
    return CheckPlan(
        resource_id=contract.id,
        contract_version=contract.version,
        as_of=day,
        columns=tuple(
            ColumnPlan(name=column.name, title=column.title, logical_type=_text_or(column))
            for column in contract.columns
        ),
        row_checks=tuple(checks),
        unique_checks=(),
    )


def measure_values(
    connection: duckdb.DuckDBPyConnection, relation: str, plan: CheckPlan
) -> tuple[int, dict[str, list[ValueShare]]]:
    """The table's rows, and for each column the shares of its values. `relation` is a table expression in SQL."""
    used = list(dict.fromkeys(name for check in plan.row_checks for name in (check.column, *check.columns)))
    if not used:
        found = connection.execute(f"select count(*) from {relation}").fetchone()  # noqa: S608 - composed here
        return (found[0] if found else 0), {}
    bindings = Bindings()
    counts = ["count(*)"]
    for check in plan.row_checks:
        broken = violation_sql(check, plan, bindings)
        counts += [
            f"count({name_sql(check.column)})",
            f"count(*) filter (where coalesce({broken}, false))",
            f"count(*) filter (where {_titles_sql(check)})",
        ]
    texts = ", ".join(f"{name_sql(name)}::varchar as {name_sql(name)}" for name in used)
    source = bindings.over(f"(select {texts} from {relation})")  # noqa: S608 - names quoted, values bound
    row = connection.execute(f"select {', '.join(counts)} from {source}", bindings.values).fetchone()  # noqa: S608
    assert row is not None
    shares: dict[str, list[ValueShare]] = {}
    for place, check in enumerate(plan.row_checks):
        share = _share(check, *row[1 + 3 * place : 4 + 3 * place])
        shares.setdefault(check.column, []).append(share)
    return row[0], shares


def _titles_sql(check: Check) -> str:
    """True where a title of the code list stands in place of its code; its codes are not among the titles."""
    titles = check.params.get("titles")
    return f"try_cast({name_sql(check.column)} as {enum_sql(titles)}) is not null" if titles else "false"


def _share(check: Check, values_count: int, bad_count: int, titles_count: int) -> ValueShare:
    """Most often a bad code is the code's title: that is said, because it is mended in one step."""
    zh, en = check.reason_zh, check.reason_en
    if titles_count:
        zh, en = f"{zh}（其中{titles_count:,}个写的是名称）", f"{en} ({titles_count:,} of them are titles)"
    return ValueShare(kind=check.kind.value, zh=zh, en=en, values_count=values_count, bad_count=bad_count)


def _text_or(column: Column) -> str:
    """Numbers keep their type, so that a range can be asked of them; a date is written as ISO 8601 in the lake."""
    return column.logical_type.value if column.logical_type is not LogicalType.BOOLEAN else LogicalType.STRING.value


def _checks(
    column: Column, element: Element, contract: DataContract, day: dt.date, divisions: Divisions
) -> Iterator[Check]:
    """The most telling check alone: an identifier or a code list says all about a value; else its pattern or form."""
    is_text = column.logical_type is LogicalType.STRING
    form = read_representation(element.form)
    if is_text and element.identifier in _IDENTIFIER_KINDS:
        yield _identifier_check(column, element, contract, day, divisions)
    elif is_text and element.code_list and (values := _codes(column, element, day)):
        listed = get_code_list(element.code_list)
        reasons = f"不是{listed.title_zh}在{day}有效的代码", f"is no code of {listed.name} in force on {day}"
        titles = tuple(sorted({*listed.titles(on=day).values()} - {*values}))
        yield _check(column, CheckKind.CODE_LIST, reasons, {"values": values, "titles": titles})
    elif is_text and element.pattern:
        yield _check(column, CheckKind.PATTERN, ("不符合格式", "does not have its form"), {"pattern": element.pattern})
    elif is_text and form is not None and form.kind == "string":
        reasons = f"长度不符合{element.form}", f"does not have the length of {element.form}"
        yield _check(column, CheckKind.LENGTH, reasons, {"min": form.length_min, "max": form.length_max})
        if form.alphabet:
            reasons = f"字符不符合{element.form}", f"has other characters than {element.form}"
            yield _check(column, CheckKind.PATTERN, reasons, {"pattern": f"{form.alphabet}*"})
    elif (element.minimum, element.maximum) != (None, None) and column.logical_type in _NUMBERS:
        reasons = "超出数据元的取值范围", "is outside the element's range"
        yield _check(column, CheckKind.RANGE, reasons, {"min": element.minimum, "max": element.maximum})


def _codes(column: Column, element: Element, day: dt.date) -> tuple[str, ...]:
    """The codes in force on the day, of the edition that the column pins if it pins one; none when not imported."""
    is_pinned = "@" in column.code_list
    try:
        return get_code_list(column.code_list if is_pinned else element.code_list).values(day)
    except CodeListUnknown:
        return ()


def _identifier_check(
    column: Column, element: Element, contract: DataContract, day: dt.date, divisions: Divisions
) -> Check:
    kind = _IDENTIFIER_KINDS[element.identifier]
    if kind is not CheckKind.DIVISION:
        reasons = f"未通过{element.title_zh}校验", f"does not pass the check of {element.title_en or element.name}"
        return _check(column, kind, reasons, {})
    if column.identifier_as_of not in contract.by_name:
        intervals = tuple((code, _FIRST_DAY, _LAST_DAY) for code, _ in divisions.as_of_table(day))
        reasons = f"在{day}不是有效的行政区划代码", f"is no division code in force on {day}"
        return _check(column, kind, reasons, {"intervals": intervals, "as_of_column": ""})
    spans = tuple(
        (
            entry.code,
            entry.valid_from.isoformat() if entry.valid_from else _FIRST_DAY,
            (entry.valid_to - dt.timedelta(days=1)).isoformat() if entry.valid_to else _LAST_DAY,
        )
        for entry in divisions.entries()
    )
    reasons = "在该行日期不是有效的行政区划代码", "is no division code on the row's own day"
    params = {"intervals": spans, "as_of_column": column.identifier_as_of}
    return replace(_check(column, kind, reasons, params), columns=(column.name, column.identifier_as_of))


def _check(column: Column, kind: CheckKind, reasons: tuple[str, str], params: Mapping[str, object]) -> Check:
    return Check(
        id=f"{column.name}.standard.{kind.value}",
        kind=kind,
        column=column.name,
        columns=(column.name,),
        dimension=Dimension.CONFORMITY,
        reason_zh=reasons[0],
        reason_en=reasons[1],
        params=params,
    )
