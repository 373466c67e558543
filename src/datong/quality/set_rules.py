"""Rules that need other rows or other tables, in our words: each becomes a set check whose SQL is in `sets`."""

from __future__ import annotations

from collections.abc import Mapping

from datong.catalog.values import Column, QualityRule
from datong.quality.contracts import CheckKind, Dimension, Reference, RuleUnsupported, SetCheck, Severity
from datong.quality.rule_words import (
    COMPARISON,
    Given,
    column_of,
    cycle_days,
    dimension_of,
    know_columns,
    need_value,
    own_names,
    own_value,
    severity_of,
    unsupported,
)

ROW_CHANGE_PERCENT_MAX = 30.0
"""How far a row count may lie from the mean of the versions before, when the rule does not say."""
ROW_CHANGE_VERSIONS = 3
DRIFT_PSI_MAX = 0.25
"""Population stability index above which a distribution counts as changed: the common reading (below 0.1 none, 0.1 to
0.25 moderate, above 0.25 large; Siddiqi, Credit Risk Scorecards, 2006)."""
DRIFT_BINS = 10


def set_rule_check(given: Given, rule: QualityRule, word: str, column: Column | None) -> SetCheck:
    match word:
        case "foreign-key":
            own = (column.name,) if column is not None else own_names(rule, "columns")
            targets = own_names(rule, "references") or own
            return foreign_key_check(given, own, str(need_value(rule, "resource")), targets, rule=rule)
        case "cross-table":
            return _cross_table_check(given, rule)
        case "row-change":
            return _row_change_check(given, rule)
        case "drift":
            return _drift_check(given, rule, column_of(given, rule, column))
        case _:
            return _table_fresh_check(given, rule, column_of(given, rule, column))


def foreign_key_check(
    given: Given,
    names: tuple[str, ...],
    resource_id: str,
    targets: tuple[str, ...],
    *,
    rule: QualityRule | None = None,
) -> SetCheck:
    """Values that another resource's present version must have; a value with an empty part is not asked for."""
    know_columns(given, rule, names)
    if not names or len(names) != len(targets):
        raise RuleUnsupported(
            f"A foreign key to {resource_id} pairs {len(names)} columns with {len(targets)}.",
            hint_zh="外键两边的列数应相同。",
            columns=list(names),
            references=list(targets),
        )
    titles = "、".join(given.contract.by_name[name].title for name in names)
    return SetCheck(
        id=f"{'+'.join(names)}.{CheckKind.FOREIGN_KEY.value}.{resource_id}",
        kind=CheckKind.FOREIGN_KEY,
        column=names[0],
        columns=names,
        dimension=dimension_of(rule, Dimension.CONSISTENCY) if rule else Dimension.CONSISTENCY,
        severity=severity_of(rule) if rule else Severity.WARN,
        reason_zh=f"{titles}在“{resource_id}”中不存在",
        reason_en=f"{', '.join(names)} does not occur in {resource_id}",
        params={"targets": targets},
        plans=tuple(given.plans[name] for name in names),
        references=(Reference(resource_id=resource_id, columns=targets),),
    )


def _cross_table_check(given: Given, rule: QualityRule) -> SetCheck:
    """A row and the row of another resource with the same key must agree: `expect: own OPERATOR theirs`."""
    resource_id = str(need_value(rule, "resource"))
    on = need_value(rule, "on")
    found = COMPARISON.fullmatch(str(need_value(rule, "expect")))
    if not isinstance(on, Mapping) or not on or found is None:
        raise unsupported(rule)
    own, operator, theirs = found.groups()
    keys = tuple(map(str, on))
    know_columns(given, rule, (*keys, own))
    names = tuple(dict.fromkeys((*keys, own)))
    targets = tuple(str(on[key]) for key in on)
    return SetCheck(
        id=f"{own}.{CheckKind.CROSS_TABLE.value}.{resource_id}",
        kind=CheckKind.CROSS_TABLE,
        column=own,
        columns=names,
        dimension=dimension_of(rule, Dimension.CONSISTENCY),
        severity=Severity.WARN,
        reason_zh=f"不符合“{rule.name}”" if rule.name else f"与“{resource_id}”不一致",
        reason_en=f"{own} must be {operator} {theirs} of {resource_id}",
        params={
            "keys": keys,
            "targets": targets,
            "own": own,
            "operator": {"==": "=", "!=": "<>"}.get(operator, operator),
            "theirs": theirs,
        },
        plans=tuple(given.plans[name] for name in names),
        references=(Reference(resource_id=resource_id, columns=tuple(dict.fromkeys((*targets, theirs)))),),
    )


def _row_change_check(given: Given, rule: QualityRule) -> SetCheck:
    """波动: the row count against the mean of the versions before."""
    percent = float(own_value(rule, "percentMax") or ROW_CHANGE_PERCENT_MAX)
    counts = given.history.row_counts[: int(own_value(rule, "versions") or ROW_CHANGE_VERSIONS)]
    return SetCheck(
        id=CheckKind.ROW_CHANGE.value,
        kind=CheckKind.ROW_CHANGE,
        column="",
        dimension=dimension_of(rule, Dimension.COMPLETENESS),
        severity=Severity.WARN,
        reason_zh=f"行数较前{len(counts)}个版本均值的变动超过{percent:g}%",
        reason_en=f"the number of rows differs from the versions before by more than {percent:g} %",
        params={"row_counts": counts, "percent_max": percent},
    )


def _drift_check(given: Given, rule: QualityRule, column: Column) -> SetCheck:
    """The population stability index of a column against the version before."""
    psi_max = float(own_value(rule, "psiMax") or DRIFT_PSI_MAX)
    return SetCheck(
        id=f"{column.name}.{CheckKind.DRIFT.value}",
        kind=CheckKind.DRIFT,
        column=column.name,
        columns=(column.name,),
        dimension=dimension_of(rule, Dimension.CONSISTENCY),
        severity=Severity.WARN,
        reason_zh=f"{column.title}的分布较上一版本变化过大（PSI应不超过{psi_max:g}）",
        reason_en=f"the distribution of {column.name} has changed since the version before (PSI above {psi_max:g})",
        params={"psi_max": psi_max, "bins": int(own_value(rule, "bins") or DRIFT_BINS)},
        plans=(given.plans[column.name],),
        references=(Reference(resource_id=given.contract.id, columns=(column.name,)),),
    )


def _table_fresh_check(given: Given, rule: QualityRule, column: Column) -> SetCheck:
    """The newest value of a date column lies within the update cycle, or within `daysMax`."""
    days = int(own_value(rule, "daysMax") or 0) or cycle_days(given, column.name)
    return SetCheck(
        id=f"{column.name}.{CheckKind.TABLE_FRESH.value}",
        kind=CheckKind.TABLE_FRESH,
        column=column.name,
        columns=(column.name,),
        dimension=dimension_of(rule, Dimension.TIMELINESS),
        severity=Severity.WARN,
        reason_zh=f"最新的{column.title}距今超过{days}天",
        reason_en=f"the newest {column.name} is more than {days} days old",
        params={"as_of": given.as_of, "days_max": days},
        plans=(given.plans[column.name],),
    )
