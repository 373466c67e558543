"""The words of a contract's quality rules, read: who says what, how bad it is, what bound it sets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from datong.catalog.values import Column, DataContract, QualityRule
from datong.catalog.words import UpdateCycle
from datong.quality.contracts import (
    Bound,
    Check,
    ColumnPlan,
    Dimension,
    History,
    Operator,
    RuleUnsupported,
    SetCheck,
    Severity,
)

COMPARISON = re.compile(r"\s*([A-Za-z_]\w*)\s*(<=|>=|!=|<>|==|=|<|>)\s*([A-Za-z_]\w*)\s*")
"""Two columns and an operator."""
CYCLE_DAYS: Mapping[UpdateCycle, int] = {
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
"""How old a delivery may be under each 更新周期: used by the rules of freshness."""
SET_RULES = ("foreign-key", "cross-table", "row-change", "drift", "table-freshness")
"""Our words whose rules need other rows or other tables."""
_DIMENSIONS = {
    "uniqueness": Dimension.ACCURACY,
    "coverage": Dimension.COMPLETENESS,
    "timeliness": Dimension.TIMELINESS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a compilation starts from. `plans` are the columns as the scan reads them, by name."""

    contract: DataContract
    as_of: date
    history: History
    plans: Mapping[str, ColumnPlan]


def live_rules(rules: Iterable[QualityRule]) -> Iterator[QualityRule]:
    """Rules that a machine can check."""
    return (rule for rule in rules if rule.kind != "text")


def is_zero(rule: QualityRule, *metrics: str) -> bool:
    """Whether the rule says plainly that no row may break one of these metrics."""
    return (
        rule.metric in metrics
        and rule.operator == Operator.MUST_BE
        and rule.bound == 0
        and not rule.arguments
        and not own_value(rule, "when")
        and not own_value(rule, "exception")
    )


def severity_of(rule: QualityRule) -> Severity:
    """ODCS leaves severity's words open: warn, warning, info, low and minor let the row in."""
    return Severity.WARN if rule.severity.lower() in {"warn", "warning", "info", "low", "minor"} else Severity.REJECT


def dimension_of(rule: QualityRule, default: Dimension) -> Dimension:
    """ODCS dimension words (clause Data Quality) to those of GB/T 36344."""
    word = rule.dimension.lower()
    return _DIMENSIONS.get(word, Dimension(word) if word in set(Dimension) else default)


def bound_of(rule: QualityRule) -> Bound | None:
    """The rule's bound; None for "no row". RuleUnsupported for an operator or a value that is none."""
    try:
        operator = Operator(rule.operator)
    except ValueError:
        raise unsupported(rule) from None
    ends = list(rule.bound) if isinstance(rule.bound, list | tuple) else [rule.bound]
    wanted = 2 if operator in (Operator.BETWEEN, Operator.NOT_BETWEEN) else 1
    if len(ends) != wanted or any(isinstance(end, bool) or not isinstance(end, int | float) for end in ends):
        raise unsupported(rule)
    if rule.unit not in ("", "rows", "percent"):
        raise unsupported(rule)
    if operator is Operator.MUST_BE and ends[0] == 0:
        return None
    return Bound(operator=operator, low=ends[0], high=ends[1] if wanted == 2 else None, unit=rule.unit or "rows")


def bound_words(bound: Bound | None) -> tuple[str, str]:
    """The bound in words behind a reason; nothing for "no row"."""
    if bound is None:
        return "", ""
    unit_zh, unit_en = ("%", " %") if bound.unit == "percent" else ("行", " rows")
    low = f"{bound.low:g}{unit_zh}"
    high = f"{bound.high:g}{unit_zh}" if bound.high is not None else ""
    zh = {
        Operator.MUST_BE: f"应为{low}",
        Operator.MUST_NOT_BE: f"不应为{low}",
        Operator.GREATER: f"应多于{low}",
        Operator.GREATER_OR_EQUAL: f"不应少于{low}",
        Operator.LESS: f"应少于{low}",
        Operator.LESS_OR_EQUAL: f"不应多于{low}",
        Operator.BETWEEN: f"应在{low}与{high}之间",
        Operator.NOT_BETWEEN: f"不应在{low}与{high}之间",
    }[bound.operator]
    en = {
        Operator.MUST_BE: "exactly",
        Operator.MUST_NOT_BE: "not",
        Operator.GREATER: "more than",
        Operator.GREATER_OR_EQUAL: "at least",
        Operator.LESS: "fewer than",
        Operator.LESS_OR_EQUAL: "at most",
        Operator.BETWEEN: "between",
        Operator.NOT_BETWEEN: "not between",
    }[bound.operator]
    ends = f"{bound.low:g}" + (f" and {bound.high:g}" if bound.high is not None else "")
    return f"（{zh}）", f" (must be {en} {ends}{unit_en})"


def cycle_days(given: Given, column: str) -> int:
    days = CYCLE_DAYS.get(given.contract.update_cycle)
    if days is None:
        raise RuleUnsupported(
            f"Freshness needs an update cycle; {given.contract.id} has {given.contract.update_cycle}.",
            hint_zh="时效性规则需要契约写明更新周期。",
            column=column,
        )
    return days


def own_value(rule: QualityRule, name: str) -> Any:
    """One of the rule's own custom properties."""
    custom: Mapping[str, Any] = getattr(rule, "custom", None) or {}
    return custom.get(name, rule.arguments.get(name))


def need_value(rule: QualityRule, name: str) -> Any:
    value = own_value(rule, name)
    if value in (None, ""):
        raise RuleUnsupported(
            f"The rule needs the custom property `{name}`.",
            hint_zh=f"该规则需要自定义属性{name}。",
            rule=rule.name or rule.implementation,
            path=rule.path,
        )
    return value


def own_names(rule: QualityRule, name: str) -> tuple[str, ...]:
    value = own_value(rule, name)
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, list | tuple) else (str(value),)


def column_of(given: Given, rule: QualityRule, column: Column | None) -> Column:
    if column is not None:
        return column
    name = str(need_value(rule, "column"))
    know_columns(given, rule, (name,))
    return given.contract.by_name[name]


def know_columns(given: Given, rule: QualityRule | None, names: Iterable[str]) -> None:
    unknown = [name for name in names if name not in given.contract.by_name]
    if unknown:
        name = (rule.name or rule.path) if rule else ""
        raise RuleUnsupported(
            f"Rule {name!r} names {', '.join(unknown)}, which the contract does not have.",
            hint_zh=f"规则提到的列不存在：{'、'.join(unknown)}。",
            rule=name,
        )


def unsupported(rule: QualityRule) -> RuleUnsupported:
    """The refusal of a rule off the closed list."""
    return RuleUnsupported(
        "Use a library metric (nullValues, missingValues, invalidValues, duplicateValues, rowCount) with an ODCS "
        "operator, `type: sql`, or a custom rule of engine `datong`: a condition on the row, `freshness` or one of "
        f"{', '.join(SET_RULES)}.",
        hint_zh="可用规则：库指标nullValues、missingValues、invalidValues、duplicateValues、rowCount；type为sql；"
        f"或engine为datong的自定义规则：行内条件、freshness、{'、'.join(SET_RULES)}。",
        rule=rule.name or rule.metric or rule.implementation,
        path=rule.path,
    )


def finish(rule: QualityRule, check: Check) -> Check:
    """What every rule may say of itself: when, exception, blocks, weight."""
    when, exception = str(own_value(rule, "when") or ""), str(own_value(rule, "exception") or "")
    return replace(
        check,
        when=when,
        exception=exception,
        blocks=own_value(rule, "blocks") is True,
        weight=float(1 if own_value(rule, "weight") is None else own_value(rule, "weight")),
    )


def finish_set(rule: QualityRule, check: SetCheck) -> SetCheck:
    """The same for a set check, which has no condition on single rows."""
    for name in ("when", "exception"):
        if own_value(rule, name):
            raise RuleUnsupported(
                f"`{name}` belongs to rules that look at one row.",
                hint_zh=f"{name}只用于逐行规则。",
                rule=rule.name or rule.implementation,
                path=rule.path,
            )
    finished = finish(rule, check)
    assert isinstance(finished, SetCheck)
    return finished
