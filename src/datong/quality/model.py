"""From a contract to its checks. Pure: no engine, no clock, no file. The score of what they find is in `scoring`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, TypeVar

from datong.catalog.contracts import ContractObjection
from datong.catalog.values import Column, DataContract
from datong.catalog.words import IdentifierKind, LogicalType
from datong.kernel.failures import Failure
from datong.quality.contracts import (
    Check,
    CheckKind,
    CheckPlan,
    ColumnPlan,
    Dimension,
    History,
    RuleUnsupported,
    SetCheck,
    Severity,
)
from datong.quality.library import column_rule_checks, table_rule_checks
from datong.quality.rule_words import Given, is_zero, live_rules, severity_of
from datong.quality.scoring import rule_score, score_rules, score_run
from datong.quality.set_rules import foreign_key_check
from datong.standards.code_lists import get_code_list
from datong.standards.divisions import Divisions

__all__ = ["compile_checks", "date_forms", "rule_score", "score_rules", "score_run"]

_Check = TypeVar("_Check", bound=Check)
_JDK_LETTERS = (
    ("yyyy", "%Y"), ("MM", "%m"), ("M", "%m"), ("dd", "%d"), ("d", "%d"), ("HH", "%H"), ("H", "%H"),
    ("mm", "%M"), ("SSS", "%g"), ("ss", "%S"), ("XXX", "%z"), ("'T'", "T"),
)  # fmt: skip
_FULL_FORMS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y年%m月%d日")
_EVER = (date(1, 1, 1), date(9999, 12, 31))
_TYPE_WORDS = {
    "integer": ("整数", "an integer"),
    "number": ("数值", "a number"),
    "date": ("日期", "a date"),
    "timestamp": ("日期时间", "a date and time"),
    "boolean": ("是或否", "yes or no"),
}


def compile_checks(
    contract: DataContract,
    as_of: date,
    *,
    divisions: Divisions | None = None,
    references: Container[str] | None = None,
    history: History | None = None,
    waived: frozenset[str] = frozenset(),
) -> CheckPlan:
    """Every check that the contract implies. Raises RuleUnsupported for a rule off the closed list, CodeListUnknown.

    `as_of` is the day on which division codes must exist and birth dates must lie; `divisions` is the table to use
    when a column holds division codes. `references`, when given, are the resources that exist: a rule that names
    another is refused. `history` is what the versions before held. `waived` are the rules under a waiver that day.
    """
    columns = tuple(_column_plan(column) for column in contract.columns)
    given = Given(
        contract=contract, as_of=as_of, history=history or History(), plans={plan.name: plan for plan in columns}
    )
    found: list[Check] = []
    for column in contract.columns:
        found += _column_checks(column, given, divisions)
    for rule in live_rules(contract.rules):
        found += table_rule_checks(given, rule)
    found += _declared_keys(given)
    found = _numbered(found)
    set_checks = tuple(check for check in found if isinstance(check, SetCheck))
    _know_references(set_checks, contract.id, references)
    return CheckPlan(
        resource_id=contract.id,
        contract_version=contract.version,
        as_of=as_of,
        columns=columns,
        row_checks=tuple(check for check in found if not isinstance(check, SetCheck)),
        unique_checks=tuple(_unique_checks(contract)),
        set_checks=set_checks,
        waived=waived,
    )


def find_objections(contract: DataContract) -> list[ContractObjection]:
    """What of a contract collection would refuse, rule by rule: fills the catalogue's slot for `contract lint`."""
    columns = tuple(_column_plan(column) for column in contract.columns)
    plans = {plan.name: plan for plan in columns}
    given = Given(contract=contract, as_of=date(2000, 1, 1), history=History(), plans=plans)
    found = []
    for place, column in enumerate(contract.columns):
        for rule in live_rules(column.rules):
            found += _objections(rule.path, column_rule_checks(given, column, rule))
        if column.code_list:
            path = f"schema[0].properties[{place}]"
            found += _objections(path, _codes_of(column))
    for rule in live_rules(contract.rules):
        found += _objections(rule.path, table_rule_checks(given, rule))
    found += _objections("schema[0]", _declared_keys(given))
    return found


def _codes_of(column: Column) -> Iterator[object]:
    yield get_code_list(column.code_list)


def _objections(path: str, compiling: Iterator[object]) -> list[ContractObjection]:
    """What stops the iterator from being walked to its end."""
    try:
        list(compiling)
    except Failure as refused:
        return [
            ContractObjection(
                path=path,
                code=refused.code,
                message=refused.title,
                message_zh=refused.title_zh,
                remedy=refused.hint,
                remedy_zh=refused.hint_zh or refused.hint,
            )
        ]
    return []


def _numbered(checks: list[_Check]) -> list[_Check]:
    """Rules of one kind over one column get a number behind their id, from the second on."""
    seen: Counter[str] = Counter()
    numbered = []
    for check in checks:
        seen[check.id] += 1
        numbered.append(check if seen[check.id] == 1 else replace(check, id=f"{check.id}.{seen[check.id]}"))
    return numbered


def _declared_keys(given: Given) -> Iterator[SetCheck]:
    """The foreign keys that columns declare (ODCS `relationships`), each once."""
    seen = set()
    for column in given.contract.columns:
        for key in getattr(column, "references", ()):
            names = tuple(key.columns) or (column.name,)
            if (names, key.resource_id) not in seen:
                seen.add((names, key.resource_id))
                yield foreign_key_check(given, names, key.resource_id, tuple(key.to_columns))


def _know_references(checks: tuple[SetCheck, ...], own_id: str, known: Container[str] | None) -> None:
    for check in checks:
        for reference in check.references:
            if known is not None and reference.resource_id != own_id and reference.resource_id not in known:
                raise RuleUnsupported(
                    f"Rule {check.id} names the resource {reference.resource_id}, which does not exist.",
                    hint_zh=f"规则引用的信息资源“{reference.resource_id}”不存在。",
                    rule=check.id,
                    resource=reference.resource_id,
                )


def _column_plan(column: Column) -> ColumnPlan:
    return ColumnPlan(
        name=column.name,
        title=column.title,
        logical_type=column.logical_type.value,
        null_tokens=column.null_tokens,
        date_formats=date_forms(column.date_format) if column.logical_type is LogicalType.DATE else (),
    )


def date_forms(jdk_format: str) -> tuple[str, ...]:
    """strptime forms for a JDK pattern (the one ODCS names). A form with a day is joined by the other usual ones.

    `yyyyMM` → ("%Y%m",), which DuckDB reads as the first of the month; "" → (), the usual forms.
    """
    if not jdk_format:
        return ()
    form = jdk_format
    for letters, percent in _JDK_LETTERS:
        form = re.sub(rf"(?<!%){re.escape(letters)}", percent, form)
    if "%d" not in form:
        return (form,)
    return () if form in _FULL_FORMS else (form, *_FULL_FORMS)


def _column_checks(column: Column, given: Given, divisions: Divisions | None) -> Iterator[Check]:
    """Most telling first: the first broken check is the reason shown for a row."""
    as_of = given.as_of
    rules = list(live_rules(column.rules))
    demands = [rule for rule in rules if is_zero(rule, "nullValues", "missingValues")]
    if column.required or demands:
        is_soft = not column.required and all(severity_of(rule) is Severity.WARN for rule in demands)
        yield _check(
            column,
            CheckKind.REQUIRED,
            Dimension.COMPLETENESS,
            f"{column.title}为空",
            f"{column.name} is empty",
            severity=Severity.WARN if is_soft else Severity.REJECT,
            blocks=any((getattr(rule, "custom", None) or {}).get("blocks") is True for rule in demands),
        )
    if column.logical_type is not LogicalType.STRING:
        zh, en = _TYPE_WORDS[column.logical_type.value]
        yield _check(
            column, CheckKind.TYPE, Dimension.CONFORMITY, f"{column.title}不是{zh}", f"{column.name} is not {en}"
        )
    if column.identifier is not None:
        yield _identifier_check(column, as_of, divisions)
    values = column.values or (get_code_list(column.code_list).values(as_of) if column.code_list else ())
    if values:
        zh = f"{column.title}不在允许的代码中"
        demands = [rule for rule in rules if rule.arguments.get("validValues")] if not column.code_list else []
        is_soft = bool(demands) and all(severity_of(rule) is Severity.WARN for rule in demands)
        yield _check(
            column,
            CheckKind.CODE_LIST,
            Dimension.CONFORMITY,
            zh,
            f"{column.name} is not one of its codes",
            severity=Severity.WARN if is_soft else Severity.REJECT,
            params={"values": tuple(values)},
        )
    if column.pattern:
        yield _check(
            column,
            CheckKind.PATTERN,
            Dimension.CONFORMITY,
            f"{column.title}格式不符",
            f"{column.name} does not have its form",
            params={"pattern": column.pattern},
        )
    if column.length_min is not None or column.length_max is not None:
        limits = {"min": column.length_min, "max": column.length_max}
        zh = f"{column.title}长度应为{_span(limits['min'], limits['max'])}"
        yield _check(
            column,
            CheckKind.LENGTH,
            Dimension.CONFORMITY,
            zh,
            f"{column.name} must have {_span(*limits.values())} characters",
            params=limits,
        )
    if column.minimum is not None or column.maximum is not None:
        yield _range_check(column)
    for rule in rules:
        yield from column_rule_checks(given, column, rule)


def _range_check(column: Column) -> Check:
    params = {
        "above" if column.minimum_is_exclusive else "min": column.minimum,
        "below" if column.maximum_is_exclusive else "max": column.maximum,
    }
    span = _span(column.minimum, column.maximum)
    return _check(
        column,
        CheckKind.RANGE,
        Dimension.ACCURACY,
        f"{column.title}超出范围{span}",
        f"{column.name} is outside {span}",
        params=params,
    )


def _span(low: Any, high: Any) -> str:
    if low == high:
        return str(low)
    return f"{'' if low is None else low}–{'' if high is None else high}"


def _identifier_check(column: Column, as_of: date, divisions: Divisions | None) -> Check:
    severity = Severity(column.identifier_severity or "reject")
    match column.identifier:
        case IdentifierKind.USCC:
            kind, zh, en = CheckKind.USCC, "不是有效的统一社会信用代码", "is not a valid unified social credit code"
        case IdentifierKind.RESIDENT_ID:
            kind, zh, en = CheckKind.RESIDENT_ID, "不是有效的公民身份号码", "is not a valid resident identity number"
        case IdentifierKind.ORG_CODE:
            kind, zh, en = CheckKind.ORG_CODE, "不是有效的组织机构代码", "is not a valid organisation code"
        case _:
            return _division_check(column, as_of, divisions, severity)
    return _check(column, kind, Dimension.ACCURACY, column.title + zh, f"{column.name} {en}", severity=severity)


def _division_check(column: Column, as_of: date, divisions: Divisions | None, severity: Severity) -> Check:
    """Codes that exist on the day; outside the table's span the nearest revision stands in (`Divisions.as_of`)."""
    if divisions is None:
        raise RuleUnsupported(f"Column {column.name} holds division codes, but no table was given.", column=column.name)
    if column.identifier_as_of:
        intervals = [
            (
                e.code,
                (e.valid_from or _EVER[0]).isoformat(),
                (e.valid_to - timedelta(days=1) if e.valid_to else _EVER[1]).isoformat(),
            )
            for e in divisions.entries()
        ]
        day = column.identifier_as_of
    else:
        intervals = [(code, "0001-01-01", "9999-12-31") for code, _ in divisions.as_of_table(as_of)]
        day = f"{as_of:%Y-%m-%d}"
    return _check(
        column,
        CheckKind.DIVISION,
        Dimension.CONFORMITY,
        f"{column.title}在{day}不是有效的行政区划代码",
        f"{column.name} is not a division code as of {day}",
        severity=severity,
        params={"intervals": tuple(intervals), "as_of_column": column.identifier_as_of},
    )


def _unique_checks(contract: DataContract) -> Iterator[Check]:
    seen: set[tuple[str, ...]] = set()
    keys = [tuple(column.name for column in contract.key_columns)]
    keys += [
        (column.name,)
        for column in contract.columns
        if column.unique or any(is_zero(rule, "duplicateValues") for rule in column.rules)
    ]
    for position, names in enumerate(keys):
        if not names or names in seen:
            continue
        seen.add(names)
        titles = "、".join(contract.by_name[name].title for name in names)
        word = "主键重复" if position == 0 else f"{titles}重复"
        yield Check(
            id=f"{'+'.join(names)}.unique",
            kind=CheckKind.UNIQUE,
            column=names[0],
            columns=names,
            dimension=Dimension.ACCURACY,
            reason_zh=f"{word}，保留文件中较后的一行",
            reason_en=f"{', '.join(names)} occurs again; the later row of the file is kept",
        )


def _check(
    column: Column,
    kind: CheckKind,
    dimension: Dimension,
    reason_zh: str,
    reason_en: str,
    *,
    severity: Severity = Severity.REJECT,
    params: Mapping[str, Any] | None = None,
    blocks: bool = False,
) -> Check:
    return Check(
        id=f"{column.name}.{kind.value}",
        kind=kind,
        column=column.name,
        columns=(column.name,),
        dimension=dimension,
        severity=severity,
        reason_zh=reason_zh,
        reason_en=reason_en,
        params=params or {},
        blocks=blocks,
    )
