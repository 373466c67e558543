"""Working days in China, with 调休 (weekends worked, weekdays off).

Source: the yearly notices of the State Council's General Office (关于部分节假日安排的通知), as the `chinesecalendar`
package carries them; holidays by 全国年节及纪念日放假办法 (State Council Order 795, 2024). A year without a
notice counts Monday to Friday less the holidays that have a fixed date; an answer that rests on it is *provisional*.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from datong.kernel.failures import BadInput
from datong.kernel.limits import WORKING_DAYS_COUNTED_MAX

_DAY = dt.timedelta(days=1)

FIXED_HOLIDAYS: Mapping[tuple[int, int], tuple[str, str]] = {
    (1, 1): ("元旦", "New Year's Day"),
    (5, 1): ("劳动节", "Labour Day"),
    (5, 2): ("劳动节", "Labour Day"),
    (10, 1): ("国庆节", "National Day"),
    (10, 2): ("国庆节", "National Day"),
    (10, 3): ("国庆节", "National Day"),
}
"""(month, day) → title. The holidays of the lunar calendar and 清明 are known only by the year's notice."""


class DayKind(StrEnum):
    WORKDAY = "workday"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"
    MAKEUP = "makeup"  # 调休上班: a weekend day that is worked


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingDate:
    """A date reached by counting. `provisional`: a day on the way lies in a year whose notice is not known."""

    date: dt.date
    provisional: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DayMark:
    """One square of the strip that a page shows."""

    date: dt.date
    kind: DayKind
    title_zh: str
    title_en: str
    provisional: bool

    @property
    def is_working(self) -> bool:
        return self.kind in (DayKind.WORKDAY, DayKind.MAKEUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarException:
    """A day that differs from Monday-to-Friday by notice."""

    date: dt.date
    is_working: bool
    title_zh: str = ""
    title_en: str = ""


class CalendarInvalid(BadInput):
    code = "calendar-invalid"
    title, title_zh = "The file of working-day exceptions cannot be used", "节假日调整文件无法使用"


@dataclass(frozen=True, kw_only=True)
class WorkingCalendar:
    """The exceptions of every published year."""

    exceptions: Mapping[dt.date, CalendarException]
    years: frozenset[int]

    def with_years(self, exceptions: Iterable[CalendarException]) -> WorkingCalendar:
        """A calendar in which each year named by `exceptions` is published and consists of exactly these."""
        added = list(exceptions)
        years = frozenset(item.date.year for item in added)
        kept = {day: item for day, item in self.exceptions.items() if day.year not in years}
        return WorkingCalendar(exceptions=kept | {item.date: item for item in added}, years=self.years | years)

    def mark(self, day: dt.date) -> DayMark:
        """What kind of day it is, and why."""
        kind = DayKind.WORKDAY if day.weekday() < 5 else DayKind.WEEKEND
        title_zh, title_en = "", ""
        provisional = day.year not in self.years
        exception = self.exceptions.get(day)
        if exception is not None:
            title_zh, title_en = exception.title_zh, exception.title_en
            if not exception.is_working:
                kind = DayKind.HOLIDAY
            elif kind is DayKind.WEEKEND:
                kind = DayKind.MAKEUP
        elif provisional and (day.month, day.day) in FIXED_HOLIDAYS:
            kind = DayKind.HOLIDAY
            title_zh, title_en = FIXED_HOLIDAYS[day.month, day.day]
        return DayMark(date=day, kind=kind, title_zh=title_zh, title_en=title_en, provisional=provisional)

    def is_working_day(self, day: dt.date) -> bool:
        return self.mark(_civil(day)).is_working

    def add_working_days(self, start: dt.date, days: int) -> WorkingDate:
        """The `days`-th working day after `start`, which itself is not counted; before it when `days` is negative.

        0 gives `start` itself, working or not. Beyond WORKING_DAYS_COUNTED_MAX: ValueError.
        """
        if abs(days) > WORKING_DAYS_COUNTED_MAX:
            raise ValueError(f"{days} working days; at most {WORKING_DAYS_COUNTED_MAX} are counted")
        day = _civil(start)
        step = _DAY if days > 0 else -_DAY
        provisional = day.year not in self.years
        left = abs(days)
        while left:
            day += step
            mark = self.mark(day)
            provisional = provisional or mark.provisional
            left -= mark.is_working
        return WorkingDate(date=day, provisional=provisional)

    def working_days_between(self, first: dt.date, last: dt.date) -> int:
        """Working days after `first`, up to and including `last`; negative when `last` is the earlier one.

        `working_days_between(d, add_working_days(d, n).date) == n`.
        """
        first, last = _civil(first), _civil(last)
        if last < first:
            return -self.working_days_between(last, first)
        span = (last - first).days
        if span > WORKING_DAYS_COUNTED_MAX * 2:
            raise ValueError(f"{span} days apart; at most {WORKING_DAYS_COUNTED_MAX * 2} are counted")
        return sum(self.mark(first + dt.timedelta(days=ahead)).is_working for ahead in range(1, span + 1))

    def next_days(self, start: dt.date, count: int) -> tuple[DayMark, ...]:
        """`count` days from `start` on, each with its kind: the strip under a deadline."""
        return tuple(self.mark(_civil(start) + dt.timedelta(days=ahead)) for ahead in range(count))


def _civil(day: dt.date) -> dt.date:
    """A datetime is a date too, and never equals one: its zone would be guessed, so it is refused."""
    if isinstance(day, dt.datetime):
        raise TypeError(f"a civil date is wanted, not the instant {day.isoformat()}")
    return day


def _published_exceptions() -> Iterator[CalendarException]:
    from chinese_calendar.constants import Holiday, holidays, workdays

    titles = {item.value: item.chinese for item in Holiday}
    for is_working, days in ((False, holidays), (True, workdays)):
        for day, title_en in days.items():
            yield CalendarException(
                date=day, is_working=is_working, title_zh=titles.get(title_en, ""), title_en=title_en
            )


@cache
def published_calendar() -> WorkingCalendar:
    """The calendar of the installed `chinesecalendar`: 2004 to its last year."""
    return WorkingCalendar(exceptions={}, years=frozenset()).with_years(_published_exceptions())


def read_exceptions(path: Path) -> list[CalendarException]:
    """Exceptions of further years from a CSV `date,type,holiday` (type: holiday | workday), for an operator.

    CalendarInvalid names the line that cannot be read.
    """
    exceptions = []
    with path.open(encoding="utf-8-sig", newline="") as lines:
        for line, row in enumerate(csv.DictReader(lines), start=2):
            kind, day_text = row.get("type"), row.get("date") or ""
            try:
                day = dt.date.fromisoformat(day_text)
            except ValueError:
                day = None
            if day is None or kind not in ("holiday", "workday"):
                raise CalendarInvalid(
                    f"Line {line} must read YYYY-MM-DD,holiday|workday,title.",
                    hint_zh=f"第{line}行应为“日期,holiday或workday,名称”。",
                    line=line,
                    date=day_text,
                    type=kind,
                )
            title = row.get("holiday") or ""
            exceptions.append(CalendarException(date=day, is_working=kind == "workday", title_zh=title, title_en=title))
    return exceptions


_added: WorkingCalendar | None = None


def add_years(exceptions: Iterable[CalendarException]) -> None:
    """Publish further years in this process: called at start with the operator's files."""
    global _added
    _added = calendar().with_years(exceptions)


def calendar() -> WorkingCalendar:
    """The calendar in force: the published years and what the operator added."""
    return _added or published_calendar()


def is_working_day(day: dt.date) -> bool:
    """Whether offices work on this civil date."""
    return calendar().is_working_day(day)


def add_working_days(start: dt.date, days: int) -> WorkingDate:
    """See `WorkingCalendar.add_working_days`."""
    return calendar().add_working_days(start, days)


def working_days_between(first: dt.date, last: dt.date) -> int:
    """See `WorkingCalendar.working_days_between`."""
    return calendar().working_days_between(first, last)


def next_days(start: dt.date, count: int) -> tuple[DayMark, ...]:
    """See `WorkingCalendar.next_days`."""
    return calendar().next_days(start, count)
