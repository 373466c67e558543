"""Sample values for `/design/`: every component in every state, without touching any part."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from datong.ui.components import StripDay, day_strip
from datong.ui.web.charts import Chart
from datong.ui.web.words import zh_en

SAMPLE_DAY = date(2026, 11, 24)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleDue:
    """A stand-in with the members of the cases' Deadline."""

    allowance_days: int
    used_days: int
    left_days: int
    provisional: bool = False
    stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleStep:
    state: str
    title: str
    note: str


def design_samples() -> dict[str, Any]:
    """What the design page shows, by component."""
    return {
        "dues": [
            SampleDue(allowance_days=10, used_days=3, left_days=7),
            SampleDue(allowance_days=10, used_days=9, left_days=1),
            SampleDue(allowance_days=10, used_days=10, left_days=0),
            SampleDue(allowance_days=10, used_days=11, left_days=-1),
            SampleDue(allowance_days=10, used_days=3, left_days=7, stopped=True),
            SampleDue(allowance_days=10, used_days=2, left_days=8, provisional=True),
        ],
        "qualities": [
            (96.0, _dimensions(98, 97, 96, 95, 99, 92)),
            (82.0, _dimensions(90, 78, 84, 82, 80, 78)),
            (71.0, _dimensions(74, 70, 66, 72, 76, 68)),
            (None, {}),
        ],
        "strip": _strip(),
        "steps": [
            SampleStep(state="done", title=zh_en("接收", "Received"), note=zh_en("{n}行", "{n} rows", n="1,284,306")),
            SampleStep(state="done", title=zh_en("校验", "Checked"), note=zh_en("{n}条规则", "{n} rules", n=14)),
            SampleStep(state="now", title=zh_en("入湖", "Committing"), note=zh_en("正在进行", "in progress")),
            SampleStep(state="bad", title=zh_en("通知", "Told"), note=""),
            SampleStep(state="", title=zh_en("发布", "Published"), note=""),
        ],
        "line": Chart(
            title=str(zh_en("近6次质量得分", "Quality of the last six runs")),
            unit=str(zh_en("分", "points")),
            columns=tuple(map(str, (zh_en("日期", "Day"), zh_en("总分", "Total"), zh_en("准确性", "Accuracy")))),
            rows=(
                ("11-19", 92, 92),
                ("11-20", 92, 91),
                ("11-21", 93, 93),
                ("11-22", 89, 84),
                ("11-23", 93, 94),
                ("11-24", 94, 93),
            ),
            scale=True,
            floor=80,
            mark=f"90|{zh_en('达标线', 'Target')}",
        ),
        "bars": Chart(
            title=str(zh_en("近5日用量", "Use in the last five days")),
            kind="bar",
            stack=True,
            unit=str(zh_en("次", "calls")),
            columns=tuple(map(str, (zh_en("日期", "Day"), zh_en("核验", "Verify"), zh_en("批量", "Batch")))),
            rows=(("11-20", 1000, 20), ("11-21", 0, 0), ("11-22", 0, 0), ("11-23", 1210, 29), ("11-24", 670, 14)),
        ),
        "spark": [90, 90, 91, 91, 89, 91, 92, 92, 93, 93, 93, 94],
        "grades": range(1, 7),
        "lamps": range(1, 6),
        "kinds": ("unconditional", "conditional", "withheld"),
    }


def _dimensions(*scores: int) -> dict[str, float]:
    keys = ("conformity", "completeness", "accuracy", "consistency", "timeliness", "accessibility")
    return dict(zip(keys, map(float, scores), strict=True))


def _strip() -> list[StripDay]:
    due = [SAMPLE_DAY, SAMPLE_DAY, SAMPLE_DAY + timedelta(days=1), *[SAMPLE_DAY + timedelta(days=6)] * 3]
    rest = [SAMPLE_DAY + timedelta(days=4), SAMPLE_DAY + timedelta(days=5)]
    return day_strip(SAMPLE_DAY, due, rest)
