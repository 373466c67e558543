"""From counts to a score, a grade and a verdict. Pure.

Scores follow the practice on GB/T 36344-2018: a rule scores 100 × (rows − bad) / rows and an empty table 0; a
dimension is the weighted mean of its rules; the total is the weighted mean of the dimensions that have a rule. A rule
with a bound scores 100 while the bound is met. A rule that judges the whole table scores 100 or 0. A rule under a
waiver and a rule that could not be evaluated have no part in any mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from datong.quality.contracts import (
    DIMENSION_WEIGHTS,
    GRADES,
    BlockingFinding,
    Check,
    CheckPlan,
    Dimension,
    Grade,
    RuleScore,
    RunScore,
    SetCheck,
    WaiverView,
)


def score_run(
    plan: CheckPlan,
    rows: int,
    bad_by_check: Mapping[str, int],
    *,
    measured_by_check: Mapping[str, float] | None = None,
) -> RunScore:
    """The score of `rows` rows of which `bad_by_check` broke each rule.

    For a table-level check the count is 1 when it is broken and 0 when it holds, and `measured_by_check` has its value.
    A set check without a count was not evaluated.
    """
    measured = measured_by_check or {}
    return score_rules([_score_check(plan, check, rows, bad_by_check, measured) for check in plan.all_checks])


def _score_check(
    plan: CheckPlan, check: Check, rows: int, bad_by_check: Mapping[str, int], measured: Mapping[str, float]
) -> RuleScore:
    bad = bad_by_check.get(check.id, 0)
    value = measured.get(check.id)
    if check.is_table_level:
        is_broken, score = bad > 0, 0.0 if bad else 100.0
    else:
        score = rule_score(rows, bad)
        is_broken = bad > 0
        if check.bound is not None:
            value = float(bad) if check.bound.unit == "rows" else (100.0 * bad / rows if rows else 0.0)
            is_broken = not check.bound.is_met(value)
            score = 100.0 if rows and not is_broken else min(score, 0.0) if bad == 0 else score
    return RuleScore(
        check_id=check.id,
        kind=check.kind.value,
        column=check.column,
        dimension=check.dimension.value,
        severity=check.severity.value,
        reason_zh=check.reason_zh,
        reason_en=check.reason_en,
        rows_bad=0 if check.is_table_level else bad,
        score=score,
        is_broken=is_broken,
        blocks=check.blocks,
        is_waived=check.id in plan.waived,
        is_evaluated=not isinstance(check, SetCheck) or check.id in bad_by_check,
        measured=value,
        weight=check.weight,
    )


def score_rules(rules: Sequence[RuleScore]) -> RunScore:
    """Dimensions, columns and total of scored rules."""
    counted = [rule for rule in rules if rule.is_evaluated and not rule.is_waived]
    dimensions = {
        dimension.value: _mean(chosen)
        for dimension in Dimension
        if (chosen := [rule for rule in counted if rule.dimension == dimension.value])
    }
    names = dict.fromkeys(rule.column for rule in counted if rule.column)
    columns = {name: _mean([rule for rule in counted if rule.column == name]) for name in names}
    weights = {name: DIMENSION_WEIGHTS[Dimension(name)] for name in dimensions}
    weight = sum(weights.values())
    total = sum(dimensions[name] * weights[name] for name in dimensions) / weight if weight else 0.0
    return RunScore(total=round(total, 2), dimensions=dimensions, rules=tuple(rules), columns=columns)


def _mean(rules: Iterable[RuleScore]) -> float:
    """The weighted mean, two decimals; rules whose weights are all 0 count alike."""
    chosen = list(rules)
    weight = sum(rule.weight for rule in chosen)
    if not weight:
        return round(sum(rule.score for rule in chosen) / len(chosen), 2)
    return round(sum(rule.score * rule.weight for rule in chosen) / weight, 2)


def rule_score(rows: int, bad: int) -> float:
    """100 × (rows − bad) / rows; an empty table scores 0."""
    return 0.0 if rows <= 0 else 100.0 * (rows - bad) / rows


def grade_of(score: float) -> Grade:
    """The grade of a score by the cuts of `GRADES`."""
    return next(grade for lowest, grade, *_ in GRADES if score >= lowest or lowest == 0.0)


def grade_titles(score: float) -> tuple[str, str]:
    """The grade's name, Chinese and English."""
    return next((zh, en) for lowest, _, zh, en in GRADES if score >= lowest or lowest == 0.0)


def blocking_findings(
    plan: CheckPlan, score: RunScore, waivers: Iterable[WaiverView] = ()
) -> tuple[BlockingFinding, ...]:
    """The broken rules that keep the version from being made; a waiver that holds on the plan's day lifts its rule."""
    lifted = plan.waived | {waiver.rule_id for waiver in waivers if waiver.holds_on(plan.as_of)}
    return tuple(
        BlockingFinding(
            check_id=rule.check_id,
            column=rule.column,
            reason_zh=rule.reason_zh,
            reason_en=rule.reason_en,
            rows_bad=rule.rows_bad,
            measured=rule.measured,
        )
        for rule in score.rules
        if rule.blocks and rule.is_broken and rule.is_evaluated and rule.check_id not in lifted
    )
