"""The arithmetic of the components: which state a value is in, how long its bar is. Pure; templates draw from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

QUALITY_HIGH_MIN = 90
QUALITY_FAIR_MIN = 75
QUALITY_BAR_FLOOR = 60
"""Scores are drawn from here up: below it every bar has the shortest length that can still be seen."""
SOON_DAYS_MAX = 1
STRIP_DAYS = 11
SUM_UNITS, SUM_GAP, SUM_PART_MIN = 1000.0, 2.0, 10.0

DIMENSIONS: tuple[tuple[str, str, str], ...] = (
    ("conformity", "规范性", "Conformity"),
    ("completeness", "完整性", "Completeness"),
    ("accuracy", "准确性", "Accuracy"),
    ("consistency", "一致性", "Consistency"),
    ("timeliness", "时效性", "Timeliness"),
    ("accessibility", "可访问性", "Accessibility"),
)
"""Key, Chinese and English name of the six dimensions, in the order of GB/T 36344-2018."""

GRADES: tuple[tuple[str, str], ...] = (
    ("一般 1级", "General 1"),
    ("一般 2级", "General 2"),
    ("一般 3级", "General 3"),
    ("一般 4级", "General 4"),
    ("重要数据", "Important"),
    ("核心数据", "Core"),
)
"""GB/T 43697-2024: core, important and general data; general data in four grades."""

SHARING: dict[str, tuple[str, str]] = {
    "unconditional": ("无条件共享", "Shared freely"),
    "conditional": ("有条件共享", "Shared on terms"),
    "withheld": ("不予共享", "Not shared"),
}
OPENING: dict[str, tuple[str, str]] = {
    "unconditional": ("无条件开放", "Open"),
    "conditional": ("有条件开放", "Open on terms"),
    "withheld": ("不予开放", "Not open"),
}
WEEKDAYS: tuple[tuple[str, str], ...] = (
    ("一", "Mon"),
    ("二", "Tue"),
    ("三", "Wed"),
    ("四", "Thu"),
    ("五", "Fri"),
    ("六", "Sat"),
    ("日", "Sun"),
)


def quality_level(score: float) -> str:
    """high (≥ 90), fair (75–89) or low (< 75)."""
    if score >= QUALITY_HIGH_MIN:
        return "high"
    return "fair" if score >= QUALITY_FAIR_MIN else "low"


def bar_level(score: float) -> str:
    """The class of a `.dt-bar` for a score of 0–100."""
    return {"high": "", "fair": "warn", "low": "bad"}[quality_level(score)]


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityBar:
    """One of six bars in a drawing of 34 × 16 units."""

    x: int
    y: float
    height: float
    level: str


def quality_bars(scores: Sequence[float | None]) -> list[QualityBar]:
    """Bars for the six dimensions in the standard's order; a dimension that was not scored has none."""
    bars = []
    for place, score in enumerate(scores):
        if score is None:
            continue
        height = max(1.0, round((score - QUALITY_BAR_FLOOR) * 16 / (100 - QUALITY_BAR_FLOOR), 1))
        bars.append(QualityBar(x=place * 6, y=round(16 - height, 1), height=height, level=quality_level(score)))
    return bars


def due_state(*, left_days: int, stopped: bool) -> str:
    """stop, late, soon (today or tomorrow) or an empty string."""
    if stopped:
        return "stop"
    if left_days < 0:
        return "late"
    return "soon" if left_days <= SOON_DAYS_MAX else ""


def used_share(*, used_days: int, allowance_days: int) -> float:
    """The used part of an allowance, 0–1."""
    if allowance_days <= 0:
        return 1.0
    return min(1.0, max(0.0, used_days / allowance_days))


@dataclass(frozen=True, slots=True, kw_only=True)
class StripDay:
    """One day of the strip. `due_count` None marks a day of rest."""

    day: date
    weekday: tuple[str, str]
    due_count: int | None
    is_today: bool


def day_strip(today: date, due_dates: Iterable[date], rest_days: Iterable[date]) -> list[StripDay]:
    """Today and the ten days after it, with how many things are due on each; also on a day of rest."""
    due = list(due_dates)
    resting = set(rest_days)
    strip = []
    for offset in range(STRIP_DAYS):
        day = today + timedelta(days=offset)
        count = due.count(day)
        strip.append(
            StripDay(
                day=day,
                weekday=WEEKDAYS[day.weekday()],
                due_count=None if day in resting and not count else count,
                is_today=offset == 0,
            )
        )
    return strip


@dataclass(frozen=True, slots=True, kw_only=True)
class SumBar:
    """accepted + held = received, as widths of SUM_UNITS in all. Neither part is thinner than SUM_PART_MIN."""

    accepted_width: float
    held_x: float
    held_width: float
    is_enlarged: bool


def sum_bar(*, accepted: int, held: int) -> SumBar:
    total = accepted + held
    if held == 0 or total == 0:
        return SumBar(accepted_width=SUM_UNITS if accepted else 0, held_x=SUM_UNITS, held_width=0, is_enlarged=False)
    if accepted == 0:
        return SumBar(accepted_width=0, held_x=0, held_width=SUM_UNITS, is_enlarged=False)
    true_width = SUM_UNITS * held / total
    width = min(SUM_UNITS - SUM_GAP - SUM_PART_MIN, max(SUM_PART_MIN, true_width))
    return SumBar(
        accepted_width=round(SUM_UNITS - width - SUM_GAP, 1),
        held_x=round(SUM_UNITS - width, 1),
        held_width=round(width, 1),
        is_enlarged=true_width < width,
    )


def spark_path(values: Sequence[float], *, width: int = 96, height: int = 24) -> str:
    """An SVG path through the values, highest at the top; empty for fewer than two."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    step = width / (len(values) - 1)
    points = [f"{k * step:.1f} {height - 2 - (v - low) / span * (height - 4):.1f}" for k, v in enumerate(values)]
    return "M" + "L".join(points)
