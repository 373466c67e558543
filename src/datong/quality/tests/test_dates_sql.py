"""Which texts are dates: the forms met, the calendar, years 1 to 9999; the check and the lake read them alike."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from datong.quality.contracts import ColumnPlan
from datong.quality.sql import Literals, accepted_value_sql, typed_sql

DATES = {
    "2024-02-29": date(2024, 2, 29),
    "2024-2-9": date(2024, 2, 9),
    "2024/02/29": date(2024, 2, 29),
    "2024/2/9": date(2024, 2, 9),
    "2024.02.29": date(2024, 2, 29),
    "20240229": date(2024, 2, 29),
    "2024年02月29日": date(2024, 2, 29),
    "2024年2月9日": date(2024, 2, 9),
    "0001-01-01": date(1, 1, 1),
    "9999-12-31": date(9999, 12, 31),
}
NO_DATES = [
    *["2023-02-29", "2024-13-01", "2024-00-10", "0000-01-01", "10000-01-01", "-2024-01-01", "02024-01-01"],
    *["infinity", "-infinity", "epoch", "now", "today", "", " ", "2024", "2024-02", "2024-02-29 (BC)", "24-02-29"],
    *["2024-02-29 10:00:00", " 2024-02-29", "2024-02-29 ", "2024 02 29", "2024-02/29", "２０２４-02-29", "29-02-2024"],
]
COLUMN = ColumnPlan(name="day", title="日", logical_type="date")


def _read(texts: list[str]) -> list[object]:
    bindings = Literals()
    given = "(select unnest($texts) as day)"
    typed = typed_sql(COLUMN, "day", bindings)
    query = f"select {typed} from {bindings.over(given)}"
    return [row[0] for row in duckdb.execute(query, {"texts": texts}).fetchall()]


def test_dates() -> None:
    assert _read(list(DATES)) == list(DATES.values())


@pytest.mark.parametrize("text", NO_DATES)
def test_no_dates(text: str) -> None:
    assert _read([text]) == [None]


def test_the_lake_reads_them_alike() -> None:
    bindings = Literals()
    accepted = accepted_value_sql(COLUMN, "day", bindings)
    rows = duckdb.execute(
        f"select {accepted} from {bindings.over('(select unnest($texts) as day)')}", {"texts": list(DATES)}
    ).fetchall()
    assert [row[0] for row in rows] == list(DATES.values())
