"""The arithmetic of the components, and that every text has both languages."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.template import Context, Template
from hypothesis import given
from hypothesis import strategies as st

from datong.ui import components


@given(accepted=st.integers(0, 10**9), held=st.integers(0, 10**9))
def test_the_sum_bar_never_hides_quarantine(accepted: int, held: int) -> None:
    bar = components.sum_bar(accepted=accepted, held=held)
    assert bar.accepted_width + bar.held_width <= 1000
    assert (bar.held_width >= 10) == (held > 0)
    assert bar.accepted_width > 0 or accepted == 0


@given(st.lists(st.one_of(st.none(), st.floats(0, 100)), min_size=6, max_size=6))
def test_quality_bars_stand_on_the_ground_line(scores: list[float | None]) -> None:
    for bar in components.quality_bars(scores):
        assert bar.y + bar.height == pytest.approx(16)
        assert 1 <= bar.height <= 16


@pytest.mark.parametrize(
    ("left_days", "stopped", "state"),
    [(7, False, ""), (1, False, "soon"), (0, False, "soon"), (-1, False, "late"), (-1, True, "stop")],
)
def test_a_deadline_is_a_shape_before_it_is_a_colour(left_days: int, stopped: bool, state: str) -> None:
    assert components.due_state(left_days=left_days, stopped=stopped) == state


def test_the_strip_counts_what_is_due_and_marks_rest() -> None:
    today = date(2026, 11, 24)
    saturday = today + timedelta(days=4)
    strip = components.day_strip(today, [today, today, saturday], [saturday, saturday + timedelta(days=1)])
    assert [day.due_count for day in strip[:6]] == [2, 0, 0, 0, 1, None]
    assert strip[0].is_today
    assert len(strip) == components.STRIP_DAYS


@pytest.mark.parametrize(("used", "allowance", "share"), [(0, 10, 0.0), (5, 10, 0.5), (12, 10, 1.0), (1, 0, 1.0)])
def test_the_used_share_stays_within_the_bar(used: int, allowance: int, share: float) -> None:
    assert components.used_share(used_days=used, allowance_days=allowance) == share


def test_a_sparkline_needs_two_points() -> None:
    assert components.spark_path([1.0]) == ""
    assert components.spark_path([1.0, 2.0]).startswith("M0.0 ")


def test_a_variable_in_the_place_of_a_text_is_escaped() -> None:
    """What a file holds must not become markup because a template names it where a literal belongs."""
    page = Template("{% load datong_ui %}{% zh_en zh en %}|{% zh_en '<b>粗</b>' '<b>bold</b>' %}")
    text = page.render(Context({"zh": "<script>", "en": "<script>"}))
    assert text == "&lt;script&gt;|<b>粗</b>"
