"""When a source is due: a cron line of five fields, in China Standard Time.

Fields and their ranges are those of POSIX crontab: minute, hour, day of month, month, day of week (0 and 7 are Sunday);
`*`, lists, ranges and steps. As there, when both days are restricted, either suffices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from datong.catalog.words import UpdateCycle
from datong.collect.sources.contracts import SourceOptionsWrong
from datong.kernel.clock import CIVIL_ZONE

CYCLE = "cycle"
CYCLE_LINES: Mapping[UpdateCycle, str] = {
    UpdateCycle.REALTIME: "* * * * *",
    UpdateCycle.HOURLY: "5 * * * *",
    UpdateCycle.DAILY: "0 2 * * *",
    UpdateCycle.WEEKLY: "0 2 * * 1",
    UpdateCycle.TEN_DAYS: "0 2 1,11,21 * *",
    UpdateCycle.MONTHLY: "0 2 1 * *",
    UpdateCycle.QUARTERLY: "0 2 1 1,4,7,10 *",
    UpdateCycle.HALF_YEARLY: "0 2 1 1,7 *",
    UpdateCycle.YEARLY: "0 2 1 1 *",
}
"""At night, after the day's, week's or month's end. An irregular cycle has no time of its own."""

_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_DAYS_SEARCHED_MAX = 366 * 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CronLine:
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    has_days: bool
    has_weekdays: bool

    def is_on(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return in_month or in_week if self.has_days and self.has_weekdays else in_month and in_week


def read_cron(text: str) -> CronLine:
    """Raises SourceOptionsWrong that says which field is wrong."""
    fields = text.split()
    if len(fields) != len(_RANGES):
        raise _wrong(text)
    minutes, hours, days, months, weekdays = (
        _read_field(field, low, high, text) for field, (low, high) in zip(fields, _RANGES, strict=True)
    )
    return CronLine(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
        has_days=not fields[2].startswith("*"),
        has_weekdays=not fields[4].startswith("*"),
    )


def next_due(schedule: str, cycle: UpdateCycle, after: datetime) -> datetime | None:
    """The first due instant later than `after`; None for no schedule, or for a cycle that has no time of its own."""
    line = CYCLE_LINES.get(cycle, "") if schedule == CYCLE else schedule
    return next_time(read_cron(line), after) if line else None


def next_time(line: CronLine, after: datetime) -> datetime | None:
    """None when the line names a day that never comes, such as 30 February."""
    local = after.astimezone(CIVIL_ZONE).replace(second=0, microsecond=0) + timedelta(minutes=1)
    day = local.replace(hour=0, minute=0)
    for _ in range(_DAYS_SEARCHED_MAX):
        if line.is_on(day):
            for hour in sorted(line.hours):
                for minute in sorted(line.minutes):
                    moment = day.replace(hour=hour, minute=minute)
                    if moment >= local:
                        return moment
        day += timedelta(days=1)
    return None


def _read_field(field: str, low: int, high: int, line: str) -> frozenset[int]:
    values: set[int] = set()
    for part in field.split(","):
        span, _, step_text = part.partition("/")
        start, end = low, high
        if span != "*":
            first, dash, last = span.partition("-")
            if not first.isdigit() or (dash and not last.isdigit()):
                raise _wrong(line, field)
            start = int(first)
            end = int(last) if dash else (high if step_text else start)
        step = int(step_text) if step_text.isdigit() else 1
        if (part.count("/") and not step_text.isdigit()) or step < 1 or not low <= start <= end <= high:
            raise _wrong(line, field)
        values.update(range(start, end + 1, step))
    return frozenset(values)


def _wrong(line: str, field: str = "") -> SourceOptionsWrong:
    what = f"“{field}” in “{line}”" if field else f"“{line}”"
    return SourceOptionsWrong(
        f"{what} is not a cron line; e.g. `*/15 8-18 * * 1-5`, or `cycle` for the contract's update cycle.",
        hint_zh=f"{what}不是 cron 格式，例如“*/15 8-18 * * 1-5”，或填 cycle 表示按契约的更新周期。",
        field="schedule",
    )
