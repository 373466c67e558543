"""Working days against the notices of the State Council and worked cases."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.cases.calendar import (
    CalendarException,
    CalendarInvalid,
    DayKind,
    add_working_days,
    is_working_day,
    next_days,
    published_calendar,
    read_exceptions,
    working_days_between,
)
from datong.testing.reference import find_reference_file

REFERENCE_CSV = find_reference_file("calendar/china_workday_exceptions_2004_2026.csv")


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        ("2025-09-25", 10, "2025-10-15"),  # counting Monday to Friday would say 10-09
        ("2025-09-25", 7, "2025-10-11"),  # a Saturday that is worked
        ("2026-02-10", 7, "2026-02-26"),  # Spring Festival; counting Monday to Friday would say 02-19
        ("2026-11-20", 1, "2026-11-23"),
        ("2026-11-20", 0, "2026-11-20"),
        ("2026-11-23", -1, "2026-11-20"),
    ],
)
def test_a_deadline_follows_the_notice(start: str, days: int, due: str) -> None:
    found = add_working_days(dt.date.fromisoformat(start), days)
    assert found.date == dt.date.fromisoformat(due)
    assert not found.provisional


def test_a_count_that_enters_an_unpublished_year_is_provisional() -> None:
    last = max(published_calendar().years)
    found = add_working_days(dt.date(last, 12, 25), 10)
    assert found.provisional
    assert found.date > dt.date(last + 1, 1, 1)
    assert not is_working_day(dt.date(last + 1, 1, 1))
    assert not is_working_day(dt.date(last + 1, 10, 1))


def test_an_added_year_is_no_longer_provisional(tmp_path: Path) -> None:
    year = max(published_calendar().years) + 1
    source = tmp_path / "year.csv"
    source.write_text(f"date,type,holiday\n{year}-01-01,holiday,元旦\n{year}-01-02,holiday,元旦\n", encoding="utf-8")
    fuller = published_calendar().with_years(read_exceptions(source))
    due = fuller.add_working_days(dt.date(year - 1, 12, 28), 10)
    assert not due.provisional
    assert not fuller.is_working_day(dt.date(year, 1, 2))
    assert fuller.is_working_day(dt.date(2025, 10, 11))


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    source = tmp_path / "bad.csv"
    source.write_text("date,type,holiday\n2027-01-01,holiday,元旦\n2027-13-01,holiday,元旦\n", encoding="utf-8")
    with pytest.raises(CalendarInvalid) as caught:
        read_exceptions(source)
    assert caught.value.facts["line"] == 3


def test_the_strip_tells_each_kind_of_day() -> None:
    strip = next_days(dt.date(2025, 9, 30), 14)
    kinds = {mark.date.isoformat(): mark.kind for mark in strip}
    assert kinds["2025-09-30"] is DayKind.WORKDAY
    assert kinds["2025-10-08"] is DayKind.HOLIDAY
    assert kinds["2025-10-11"] is DayKind.MAKEUP
    assert kinds["2025-10-12"] is DayKind.WEEKEND
    titles = {mark.title_zh for mark in strip if mark.kind is DayKind.HOLIDAY}
    assert titles <= {"国庆节", "中秋"}
    assert titles


@settings(deadline=None)
@given(start=st.dates(dt.date(2004, 1, 1), dt.date(2035, 12, 31)), days=st.integers(0, 60))
def test_counting_there_and_back_agrees(start: dt.date, days: int) -> None:
    due = add_working_days(start, days).date
    assert working_days_between(start, due) == days
    assert working_days_between(due, start) == -days
    if days:
        assert is_working_day(due)


def test_an_instant_is_refused() -> None:
    with pytest.raises(TypeError):
        is_working_day(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))


def test_a_long_count_is_refused() -> None:
    with pytest.raises(ValueError, match="working days"):
        add_working_days(dt.date(2026, 1, 1), 10_000_000)


@pytest.mark.skipif(REFERENCE_CSV is None, reason="the reference file is not beside this checkout")
def test_every_exception_of_the_reference_file_agrees() -> None:
    assert REFERENCE_CSV is not None
    with REFERENCE_CSV.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) > 500
    differing = [
        row for row in rows if is_working_day(dt.date.fromisoformat(row["date"])) != (row["type"] == "workday")
    ]
    assert differing == []


def test_a_planted_wrong_notice_is_seen() -> None:
    wrong = published_calendar().with_years([CalendarException(date=dt.date(2025, 10, 11), is_working=False)])
    assert wrong.add_working_days(dt.date(2025, 9, 25), 7).date != dt.date(2025, 10, 11)
