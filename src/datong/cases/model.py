"""The clocks of cases. Pure: dates in, dates out.

The day counts of the regulations differ by place and are not all confirmed, so they are a profile, not constants
(政务数据共享条例, State Council Order 809; 国发〔2016〕51号 Art. 12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from datong.cases.calendar import add_working_days, working_days_between
from datong.cases.contracts import Deadline, ReasonNeeded
from datong.kernel.limits import GRANT_REASON_CHARACTERS_MIN


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockProfile:
    """A named set of allowances in working days."""

    name: str
    title_zh: str
    title_en: str
    allowance_days: Mapping[str, int]


NATIONAL = ClockProfile(
    name="national",
    title_zh="《政务数据共享条例》时限配置（国家版）",
    title_en="Regulation on Government Data Sharing (政务数据共享条例), national profile",
    allowance_days={"request.unconditional": 1, "request.conditional": 10, "correction": 10},
)


def first_deadline(opened_on: date, allowance_days: int) -> tuple[date, bool]:
    """The last day on which the case is in time: `allowance_days` working days after the day it was opened."""
    due = add_working_days(opened_on, allowance_days)
    return due.date, due.provisional


def deadline_of(
    *, opened_on: date, due_on: date, allowance_days: int, provisional: bool, today: date, stopped: bool = False
) -> Deadline:
    """How much of the allowance is used and left, counted in working days; `today` is the day it ended, once it has."""
    left_days = working_days_between(today, due_on)
    return Deadline(
        due_on=due_on,
        allowance_days=allowance_days,
        used_days=working_days_between(opened_on, today),
        left_days=min(left_days, -1) if today > due_on else left_days,
        provisional=provisional,
        stopped=stopped,
    )


def require_reason(reason: str) -> str:
    """A reason worth the name, trimmed; ReasonNeeded otherwise."""
    trimmed = reason.strip()
    if len(trimmed) < GRANT_REASON_CHARACTERS_MIN:
        raise ReasonNeeded(
            f"Write the reason in at least {GRANT_REASON_CHARACTERS_MIN} characters; it goes to the other agency.",
            hint_zh=f"请写明理由（至少{GRANT_REASON_CHARACTERS_MIN}个字），对方会看到。",
            field="reason",
        )
    return trimmed
