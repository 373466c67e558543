"""The quality rules of a contract, ODCS 3.1 `quality`, as checks: library metrics, `sql`, and ours (`engine: datong`).

Library metrics: nullValues, missingValues, invalidValues, duplicateValues, rowCount, with every operator and the units
rows and percent. Ours, in `implementation`: a condition on the row in the language of `quality.expressions`, or one of
the words of `SET_RULES`, whose arguments are the rule's custom properties. Prose (`type: text`) is for people.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from datong.catalog.values import Column, QualityRule
from datong.quality.contracts import Bound, Check, CheckKind, Dimension, Operator, SetCheck, Severity
from datong.quality.rule_words import (
    COMPARISON,
    SET_RULES,
    Given,
    bound_of,
    bound_words,
    cycle_days,
    dimension_of,
    finish,
    finish_set,
    is_zero,
    know_columns,
    own_value,
    severity_of,
    unsupported,
)
from datong.quality.set_rules import set_rule_check


def column_rule_checks(given: Given, column: Column, rule: QualityRule) -> Iterator[Check]:
    """The checks of one rule of a column, beyond those that `Column` already says in its fields."""
    return _with_conditions(given, rule, _column_rule_checks(given, column, rule))


def table_rule_checks(given: Given, rule: QualityRule) -> Iterator[Check]:
    """The checks of one rule of the whole table."""
    return _with_conditions(given, rule, _table_rule_checks(given, rule))


def _with_conditions(given: Given, rule: QualityRule, checks: Iterator[Check]) -> Iterator[Check]:
    """The checks, once their `when` and `exception` are known to be in the language."""
    for check in checks:
        for text in filter(None, (check.when, check.exception)):
            from datong.quality.expressions import check_expression

            check_expression(text, given.plans, rule=rule.name or rule.path)
        yield check


def _column_rule_checks(given: Given, column: Column, rule: QualityRule) -> Iterator[Check]:
    if rule.kind == "sql":
        yield _sql_check(given, rule, column.name)
        return
    if rule.kind == "custom":
        yield _custom_check(given, rule, column)
        return
    if is_zero(rule, "nullValues", "missingValues", "duplicateValues"):
        return
    match rule.metric:
        case "nullValues" | "missingValues":
            yield _missing_check(rule, column)
        case "invalidValues":
            yield from _invalid_checks(rule, column)
        case "duplicateValues":
            yield _duplicate_check(given, rule, (column.name,))
        case "rowCount":
            yield _row_count_check(rule, column.name)
        case _:
            raise unsupported(rule)


def _table_rule_checks(given: Given, rule: QualityRule) -> Iterator[Check]:
    first = given.contract.columns[0]
    if rule.kind == "sql":
        yield _sql_check(given, rule, "")
    elif rule.kind == "custom":
        yield _custom_check(given, rule, None)
    elif rule.metric == "rowCount":
        yield _row_count_check(rule, "")
    elif rule.metric == "duplicateValues":
        names = tuple(map(str, rule.arguments.get("properties") or [c.name for c in given.contract.key_columns]))
        know_columns(given, rule, names)
        yield _duplicate_check(given, rule, names or (first.name,))
    else:
        raise unsupported(rule)


# Library metrics ---------------------------------------------------------------------------------------------------
def _tolerant(rule: QualityRule) -> tuple[Bound | None, Severity]:
    """A rule that tolerates rows lets them in: only "no row may" can send one to quarantine."""
    bound = bound_of(rule)
    return bound, severity_of(rule) if bound is None else Severity.WARN


def _missing_check(rule: QualityRule, column: Column) -> Check:
    tokens = [str(token) for token in rule.arguments.get("missingValues", ()) if token is not None]
    bound, severity = _tolerant(rule)
    tail_zh, tail_en = bound_words(bound)
    return finish(
        rule,
        Check(
            id=f"{column.name}.{CheckKind.MISSING.value}",
            kind=CheckKind.MISSING,
            column=column.name,
            columns=(column.name,),
            dimension=dimension_of(rule, Dimension.COMPLETENESS),
            severity=severity,
            reason_zh=f"{column.title}缺失{tail_zh}",
            reason_en=f"{column.name} is missing{tail_en}",
            params={"tokens": tuple(tokens)},
            bound=bound,
        ),
    )


def _invalid_checks(rule: QualityRule, column: Column) -> Iterator[Check]:
    bound, severity = _tolerant(rule)
    tail_zh, tail_en = bound_words(bound)
    pattern, values = rule.arguments.get("pattern"), rule.arguments.get("validValues")
    if not pattern and not values:
        raise unsupported(rule)
    if bound is None and values and set(map(str, values)) == set(column.values):
        values = None  # the column says so itself: `Column.values`
    wanted: list[tuple[CheckKind, dict[str, Any], str, str]] = []
    if pattern:
        wanted.append((CheckKind.PATTERN, {"pattern": str(pattern)}, "格式不符", "does not have its form"))
    if values:
        texts = tuple(map(str, values))
        wanted.append((CheckKind.CODE_LIST, {"values": texts}, "不在允许的值中", "is not one of its values"))
    for kind, params, zh, en in wanted:
        yield finish(
            rule,
            Check(
                id=f"{column.name}.{kind.value}",
                kind=kind,
                column=column.name,
                columns=(column.name,),
                dimension=dimension_of(rule, Dimension.CONFORMITY),
                severity=severity,
                reason_zh=f"{column.title}{zh}{tail_zh}",
                reason_en=f"{column.name} {en}{tail_en}",
                params=params,
                bound=bound,
            ),
        )


def _duplicate_check(given: Given, rule: QualityRule, names: tuple[str, ...]) -> SetCheck:
    bound, _ = _tolerant(rule)
    tail_zh, tail_en = bound_words(bound)
    titles = "、".join(given.contract.by_name[name].title for name in names)
    return finish_set(
        rule,
        SetCheck(
            id=f"{'+'.join(names)}.{CheckKind.DUPLICATE.value}",
            kind=CheckKind.DUPLICATE,
            column=names[0],
            columns=names,
            dimension=dimension_of(rule, Dimension.ACCURACY),
            severity=Severity.WARN,
            reason_zh=f"{titles}重复{tail_zh}",
            reason_en=f"{', '.join(names)} occurs more than once{tail_en}",
            bound=bound,
            plans=tuple(given.plans[name] for name in names),
        ),
    )


def _row_count_check(rule: QualityRule, column: str) -> SetCheck:
    bound = bound_of(rule) or Bound(operator=Operator.MUST_BE, low=0)
    if bound.unit != "rows":
        raise unsupported(rule)
    tail_zh, tail_en = bound_words(bound)
    return finish_set(
        rule,
        SetCheck(
            id=CheckKind.ROW_COUNT.value,
            kind=CheckKind.ROW_COUNT,
            column=column,
            dimension=dimension_of(rule, Dimension.COMPLETENESS),
            severity=Severity.WARN,
            reason_zh=f"总行数不符合要求{tail_zh}",
            reason_en=f"the number of rows is not as required{tail_en}",
            bound=bound,
        ),
    )


# SQL and ours ------------------------------------------------------------------------------------------------------
def _sql_check(given: Given, rule: QualityRule, column: str) -> SetCheck:
    """One select over the table under its contract's name, held against the rule's bound. DuckDB only."""
    from datong.lake.allowlist import check_query

    bound = bound_of(rule) or Bound(operator=Operator.MUST_BE, low=0)
    table = given.contract.name or "rows"
    query = str(own_value(rule, "query") or rule.arguments.get("query") or rule.implementation)
    for word, value in (("object", table), ("table", table), ("property", column), ("column", column)):
        query = query.replace("${" + word + "}", f'"{value}"').replace("{" + word + "}", f'"{value}"')
    check_query(query, [table])
    return finish_set(
        rule,
        SetCheck(
            id=f"{column + '.' if column else ''}{CheckKind.SQL.value}",
            kind=CheckKind.SQL,
            column=column,
            dimension=dimension_of(rule, Dimension.CONSISTENCY),
            severity=Severity.WARN,
            reason_zh=f"不符合“{rule.name}”" if rule.name else "不符合SQL规则",
            reason_en=f"does not hold: {rule.name}" if rule.name else "an SQL rule does not hold",
            params={"query": query, "table": table},
            bound=bound,
            plans=tuple(given.plans.values()),
        ),
    )


def _custom_check(given: Given, rule: QualityRule, column: Column | None) -> Check:
    if rule.engine != "datong":
        raise unsupported(rule)
    word = rule.implementation.strip()
    if word == "freshness" and column is not None:
        return finish(rule, _fresh_check(given, column))
    if word in SET_RULES:
        return finish_set(rule, set_rule_check(given, rule, word, column))
    found = COMPARISON.fullmatch(rule.implementation)
    if found is not None and all(name in given.contract.by_name for name in (found[1], found[3])):
        return finish(rule, _compare_check(given, rule, *found.groups()))
    return finish(rule, _expression_check(given, rule, column))


def _fresh_check(given: Given, column: Column) -> Check:
    return Check(
        id=f"{column.name}.{CheckKind.FRESH.value}",
        kind=CheckKind.FRESH,
        column=column.name,
        columns=(column.name,),
        dimension=Dimension.TIMELINESS,
        severity=Severity.WARN,
        reason_zh=f"{column.title}早于更新周期",
        reason_en=f"{column.name} is older than the update cycle",
        params={"not_before": given.as_of - timedelta(days=cycle_days(given, column.name))},
    )


def _compare_check(given: Given, rule: QualityRule, left: str, operator: str, right: str) -> Check:
    zh_left, zh_right = given.contract.by_name[left].title, given.contract.by_name[right].title
    return Check(
        id=f"{left}.{CheckKind.COMPARE.value}.{right}",
        kind=CheckKind.COMPARE,
        column=left,
        columns=(left, right),
        dimension=dimension_of(rule, Dimension.CONSISTENCY),
        severity=severity_of(rule),
        reason_zh=f"不符合“{rule.name}”" if rule.name else f"{zh_left}与{zh_right}不一致",
        reason_en=f"{left} must be {operator} {right}",
        params={"operator": {"==": "=", "<>": "!="}.get(operator, operator), "right": right},
    )


def _expression_check(given: Given, rule: QualityRule, column: Column | None) -> Check:
    from datong.quality.expressions import check_expression

    text = rule.implementation.strip()
    names = check_expression(text, given.plans, rule=rule.name or rule.path)
    place = column.name if column is not None else names[0]
    return Check(
        id=f"{place}.{CheckKind.EXPRESSION.value}",
        kind=CheckKind.EXPRESSION,
        column=place,
        columns=names,
        dimension=dimension_of(rule, Dimension.CONSISTENCY),
        severity=severity_of(rule),
        reason_zh=f"不符合“{rule.name or text}”",
        reason_en=f"does not hold: {rule.description or rule.name or text}",
        params={"text": text},
    )
