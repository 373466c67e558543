"""From a contract to its checks, and from counts to a score. Pure: no engine, no clock, no file.

Scores follow the practice on GB/T 36344-2018: a rule scores 100 × (rows − bad) / rows and an empty table 0; a
dimension is the mean of its rules; the total is the weighted mean of the dimensions that have a rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from datong.catalog.values import Column, DataContract, QualityRule
from datong.catalog.words import IdentifierKind, LogicalType, UpdateCycle
from datong.quality.contracts import (
    DIMENSION_WEIGHTS,
    Check,
    CheckKind,
    CheckPlan,
    ColumnPlan,
    Dimension,
    RuleScore,
    RuleUnsupported,
    RunScore,
    Severity,
)
from datong.standards.code_lists import get_code_list
from datong.standards.divisions import Divisions

_COMPARISON = re.compile(r"\s*([A-Za-z_]\w*)\s*(<=|>=|!=|<>|==|=|<|>)\s*([A-Za-z_]\w*)\s*")
_JDK_LETTERS = (
    ("yyyy", "%Y"), ("MM", "%m"), ("M", "%m"), ("dd", "%d"), ("d", "%d"), ("HH", "%H"), ("H", "%H"),
    ("mm", "%M"), ("SSS", "%g"), ("ss", "%S"), ("XXX", "%z"), ("'T'", "T"),
)  # fmt: skip
_FULL_FORMS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y年%m月%d日")
_CYCLE_DAYS: Mapping[UpdateCycle, int] = {
    UpdateCycle.REALTIME: 1,
    UpdateCycle.HOURLY: 1,
    UpdateCycle.DAILY: 1,
    UpdateCycle.WEEKLY: 7,
    UpdateCycle.TEN_DAYS: 10,
    UpdateCycle.MONTHLY: 31,
    UpdateCycle.QUARTERLY: 92,
    UpdateCycle.HALF_YEARLY: 184,
    UpdateCycle.YEARLY: 366,
}
"""How old a delivery may be under each 更新周期: used by the rule `freshness`."""
_EVER = (date(1, 1, 1), date(9999, 12, 31))
_TYPE_WORDS = {
    "integer": ("整数", "an integer"),
    "number": ("数值", "a number"),
    "date": ("日期", "a date"),
    "timestamp": ("日期时间", "a date and time"),
    "boolean": ("是或否", "yes or no"),
}


def compile_checks(contract: DataContract, as_of: date, *, divisions: Divisions | None = None) -> CheckPlan:
    """Every check that the contract implies. Raises RuleUnsupported for a rule off the closed list, CodeListUnknown.

    `as_of` is the day on which division codes must exist and birth dates must lie; `divisions` is the table to use
    when a column holds division codes.
    """
    row_checks: list[Check] = []
    for column in contract.columns:
        row_checks += _column_checks(column, contract, as_of, divisions)
    row_checks += [_table_check(contract, rule, index) for index, rule in enumerate(_live(contract.rules))]
    return CheckPlan(
        resource_id=contract.id,
        contract_version=contract.version,
        as_of=as_of,
        columns=tuple(_column_plan(column) for column in contract.columns),
        row_checks=tuple(row_checks),
        unique_checks=tuple(_unique_checks(contract)),
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


def _column_checks(column: Column, contract: DataContract, as_of: date, divisions: Divisions | None) -> Iterator[Check]:
    """Most telling first: the first broken check is the reason shown for a row."""
    rules = list(_live(column.rules))
    if column.required or any(_is_zero(rule, "nullValues", "missingValues") for rule in rules):
        yield _check(
            column, CheckKind.REQUIRED, Dimension.COMPLETENESS, f"{column.title}为空", f"{column.name} is empty"
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
        yield _check(
            column,
            CheckKind.CODE_LIST,
            Dimension.CONFORMITY,
            zh,
            f"{column.name} is not one of its codes",
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
        yield from _library_check(column, rule, contract, as_of)


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


def _live(rules: Iterable[QualityRule]) -> Iterator[QualityRule]:
    """Rules that a machine can check; prose (`type: text`) is for people."""
    return (rule for rule in rules if rule.kind != "text")


def _is_zero(rule: QualityRule, *metrics: str) -> bool:
    return rule.metric in metrics and rule.operator == "mustBe" and rule.bound == 0 and not rule.arguments


def _library_check(column: Column, rule: QualityRule, contract: DataContract, as_of: date) -> Iterator[Check]:
    """A column's own rules, beyond those that `Column` already says in its fields."""
    if _is_zero(rule, "nullValues", "missingValues", "duplicateValues"):
        return
    if rule.metric == "invalidValues" and rule.operator == "mustBe" and rule.bound == 0:
        pattern = rule.arguments.get("pattern")
        if pattern:
            zh, en = f"{column.title}格式不符", f"{column.name} does not have its form"
            yield _check(
                column,
                CheckKind.PATTERN,
                Dimension.CONFORMITY,
                zh,
                en,
                severity=_severity(rule),
                params={"pattern": str(pattern)},
            )
        if pattern or rule.arguments.get("validValues"):
            return
    if rule.kind == "custom" and rule.engine == "datong" and rule.implementation.strip() == "freshness":
        yield _fresh_check(column, contract, as_of)
        return
    if rule.kind == "custom" and rule.engine == "datong":
        yield _table_check(contract, rule, 0)
        return
    raise _unsupported(rule)


def _fresh_check(column: Column, contract: DataContract, as_of: date) -> Check:
    days = _CYCLE_DAYS.get(contract.update_cycle)
    if days is None:
        raise RuleUnsupported(
            f"Freshness needs an update cycle; {contract.id} has {contract.update_cycle}.", column=column.name
        )
    return _check(
        column,
        CheckKind.FRESH,
        Dimension.TIMELINESS,
        f"{column.title}早于更新周期",
        f"{column.name} is older than the update cycle",
        severity=Severity.WARN,
        params={"not_before": as_of - timedelta(days=days)},
    )


def _table_check(contract: DataContract, rule: QualityRule, index: int) -> Check:
    """A comparison of two columns of a row: `approved_on >= established_on`."""
    found = _COMPARISON.fullmatch(rule.implementation)
    if rule.kind != "custom" or rule.engine != "datong" or found is None:
        raise _unsupported(rule)
    left, operator, right = found.groups()
    unknown = [name for name in (left, right) if name not in contract.by_name]
    if unknown:
        raise RuleUnsupported(
            f"Rule {rule.name!r} names {', '.join(unknown)}, which the contract does not have.", rule=rule.name
        )
    zh_left, zh_right = contract.by_name[left].title, contract.by_name[right].title
    return Check(
        id=f"{left}.compare.{right}" + (f".{index}" if index else ""),
        kind=CheckKind.COMPARE,
        column=left,
        columns=(left, right),
        dimension=_dimension(rule, Dimension.CONSISTENCY),
        severity=_severity(rule),
        reason_zh=f"不符合“{rule.name}”" if rule.name else f"{zh_left}与{zh_right}不一致",
        reason_en=f"{left} must be {operator} {right}",
        params={"operator": {"==": "=", "<>": "!="}.get(operator, operator), "right": right},
    )


def _unsupported(rule: QualityRule) -> RuleUnsupported:
    return RuleUnsupported(
        "Use a library rule that must be 0 (nullValues, missingValues, invalidValues, duplicateValues) or a custom "
        "rule of engine `datong`: a comparison of two columns, or `freshness`.",
        hint_zh="可用规则：应为0的nullValues、missingValues、invalidValues、duplicateValues；或engine为datong的自定义规则：两列比较、freshness。",
        rule=rule.name or rule.metric,
        path=rule.path,
    )


def _severity(rule: QualityRule) -> Severity:
    """ODCS leaves severity's words open: warn, warning, info, low and minor let the row in."""
    return Severity.WARN if rule.severity.lower() in {"warn", "warning", "info", "low", "minor"} else Severity.REJECT


def _dimension(rule: QualityRule, default: Dimension) -> Dimension:
    """ODCS dimension words (clause Data Quality) to those of GB/T 36344."""
    word = rule.dimension.lower()
    return {
        "uniqueness": Dimension.ACCURACY,
        "coverage": Dimension.COMPLETENESS,
        "timeliness": Dimension.TIMELINESS,
    }.get(word, Dimension(word) if word in set(Dimension) else default)


def _unique_checks(contract: DataContract) -> Iterator[Check]:
    seen: set[tuple[str, ...]] = set()
    keys = [tuple(column.name for column in contract.key_columns)]
    keys += [
        (column.name,)
        for column in contract.columns
        if column.unique or any(_is_zero(rule, "duplicateValues") for rule in column.rules)
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
    )


def score_run(plan: CheckPlan, rows: int, bad_by_check: Mapping[str, int]) -> RunScore:
    """The score of `rows` rows of which `bad_by_check` broke each rule."""
    rules = tuple(
        RuleScore(
            check_id=check.id,
            kind=check.kind.value,
            column=check.column,
            dimension=check.dimension.value,
            severity=check.severity.value,
            reason_zh=check.reason_zh,
            reason_en=check.reason_en,
            rows_bad=bad_by_check.get(check.id, 0),
            score=rule_score(rows, bad_by_check.get(check.id, 0)),
        )
        for check in plan.checks
    )
    return score_rules(rules)


def score_rules(rules: Sequence[RuleScore]) -> RunScore:
    """Dimensions and total of scored rules."""
    dimensions = {
        dimension.value: round(sum(scores) / len(scores), 2)
        for dimension in Dimension
        if (scores := [rule.score for rule in rules if rule.dimension == dimension.value])
    }
    weights = {name: DIMENSION_WEIGHTS[Dimension(name)] for name in dimensions}
    weight = sum(weights.values())
    total = sum(dimensions[name] * weights[name] for name in dimensions) / weight if weight else 0.0
    return RunScore(total=round(total, 2), dimensions=dimensions, rules=tuple(rules))


def rule_score(rows: int, bad: int) -> float:
    """100 × (rows − bad) / rows; an empty table scores 0."""
    return 0.0 if rows <= 0 else 100.0 * (rows - bad) / rows
