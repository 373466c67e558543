"""Cleaning: what each step makes of a cell, that it leaves alone what it cannot read, and that order stays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pytest

from datong.collect.cleaning import (
    CleaningContext,
    changes_sql,
    clean_sql,
    cleaned_relation,
    make_context,
    name_divisions,
    raw_name,
)
from datong.collect.contracts import CleaningUnsupported
from datong.standards.divisions import national_divisions

DAY = dt.date(2014, 12, 31)


@dataclass(frozen=True, kw_only=True)
class Step:
    step: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    name: str
    cleaning: tuple[Step, ...]


def clean(text: str | None, *steps: Step) -> str | None:
    column = Cleaned(name="v", cleaning=steps)
    context = make_context([column], DAY, national_divisions())
    with duckdb.connect() as connection:
        row = connection.execute(
            f"select {clean_sql(column, 'v', context)} from (select ?::varchar as v)", [text]
        ).fetchone()
    assert row is not None
    return None if row[0] is None else str(row[0])


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        ("trim", " \u3000张三\u00a0\u200b", "张三"),
        ("trim", "\u3000 ", None),
        ("trim", "a b", "a b"),
        ("width", "ＡＢ１２（三）\u3000！", "AB12(三) !"),
        ("width", "张三", "张三"),
        ("width", "plain", "plain"),
        ("upper", "91x", "91X"),
        ("lower", "A@B.CN", "a@b.cn"),
        ("date", "2023/1/5", "2023-01-05"),
        ("date", "2023.01.05", "2023-01-05"),
        ("date", "20230105", "2023-01-05"),
        ("date", "2023年1月5日", "2023-01-05"),
        ("date", "2023年1月5号", "2023-01-05"),
        ("date", "2023-01-05 00:00:00", "2023-01-05"),
        ("date", "2023-1-5T08:30", "2023-01-05"),
        ("date", "二〇二三年十月二十五日", "2023-10-25"),
        ("date", "二○一九年一月三十一日", "2019-01-31"),
        ("date", "二〇二〇年十二月十日", "2020-12-10"),
        ("date", "2023-01-05", "2023-01-05"),
        ("date", "2023-02-30", "2023-02-30"),
        ("date", "05/01/2023", "05/01/2023"),
        ("date", "44927", "44927"),
        ("phone", "138 0013 8000", "13800138000"),
        ("phone", "+86-138-0013-8000", "13800138000"),
        ("phone", "(010)6552 9988", "010-65529988"),
        ("phone", "0755-12345678", "0755-12345678"),
        ("phone", "0755 2345678", "0755-2345678"),
        ("phone", "12345", "12345"),
        ("phone", "010-65529988转12", "010-65529988转12"),
        ("name", "张 三", "张三"),
        ("name", "阿卜杜拉•买买提", "阿卜杜拉·买买提"),
        ("name", "阿卜杜拉.买买提", "阿卜杜拉·买买提"),
        ("name", "John   A. Smith ", "John A. Smith"),
        ("name", "欧阳娜娜", "欧阳娜娜"),
        ("division-name", "北京市东城区", "110101"),
        ("division-name", "110101", "110101"),
        ("division-name", "桃花源", "桃花源"),
        ("division-name", "朝阳区", "朝阳区"),
    ],
)
def test_a_step(step: str, before: str, after: str | None) -> None:
    assert clean(before, Step(step=step)) == after
    assert clean(None, Step(step=step)) is None


@pytest.mark.parametrize(
    ("source", "target", "before", "after"),
    [
        ("万元", "元", "12.5", "125000"),
        ("万元", "元", "12.5亿元", "1250000000"),
        ("万元", "元", "1,234.56 万元", "12345600"),
        ("元", "万元", "1", "0.0001"),
        ("元", "万元", "12345.67", "1.234567"),
        ("元", "元", "12345.67", "12345.67"),
        ("元", "元", "1,000元", "1000"),
        ("万元", "元", "-0.1", "-1000"),
        ("万元", "元", "约12", "约12"),
        ("万元", "元", "12人", "12人"),
        ("万元", "元", "0.123456789", "0.123456789"),
        ("万人", "人", "0.0001", "1"),
        ("公顷", "平方米", "1.5", "15000"),
        ("%", "1", "12.5", "0.125"),
        ("%", "1", "12.5%", "0.125"),
    ],
)
def test_units_exactly(source: str, target: str, before: str, after: str) -> None:
    assert clean(before, Step(step="unit", arguments={"from": source, "to": target})) == after


def test_arguments() -> None:
    assert clean("05/01/2023", Step(step="date", arguments={"order": "dmy"})) == "2023-01-05"
    assert clean("44927", Step(step="date", arguments={"serial": True})) == "2023-01-01"
    assert clean("Ａ（１）", Step(step="width", arguments={"scope": "word"})) == "A（1）"
    assert clean("朝阳区", Step(step="division-name", arguments={"within": "11"})) == "110105"


@pytest.mark.parametrize(
    "step",
    [
        Step(step="magic"),
        Step(step="unit", arguments={"from": "万元", "to": "人"}),
        Step(step="unit"),
        Step(step="date", arguments={"order": "ydm"}),
        Step(step="division-name", arguments={"within": "77"}),
    ],
)
def test_what_cannot_be_done_is_refused(step: Step) -> None:
    with pytest.raises(CleaningUnsupported):
        clean("x", step)


def test_an_ambiguous_division_is_not_chosen() -> None:
    names = name_divisions(national_divisions(), DAY)
    assert "鼓楼区" not in names
    assert names["江苏省南京市鼓楼区"] == "320106"
    assert "市辖区" not in names


def test_steps_follow_each_other_and_are_counted() -> None:
    columns = [
        Cleaned(name="d", cleaning=(Step(step="trim"), Step(step="width"), Step(step="date"))),
        Cleaned(name="n", cleaning=(Step(step="name"),)),
        Cleaned(name="plain", cleaning=()),
    ]
    context = CleaningContext(as_of=DAY)
    values = "('２０２３－０１－０５ ', '张 三', ' x'), ('2023-01-05', '李四', 'y'), (null, null, null)"
    relation = f"(values {values}) t(d, n, plain)"
    with duckdb.connect() as connection:
        rows = connection.execute(f"select * from {cleaned_relation(columns, relation, context)}").fetchall()
        names = [column[0] for column in connection.description or ()]
        counts = connection.execute(changes_sql(columns, relation, context)).fetchone()
    assert names == ["d", "n", "plain", raw_name("d"), raw_name("n")]
    assert rows[0] == ("2023-01-05", "张三", " x", "２０２３－０１－０５ ", "张 三")
    assert rows[1] == ("2023-01-05", "李四", "y", "2023-01-05", "李四")
    assert rows[2] == (None, None, None, None, None)
    assert counts == (1, 1, 0, 1)


def test_cleaning_twice_changes_nothing_more() -> None:
    steps = (Step(step="trim"), Step(step="width"), Step(step="date"))
    once = clean("　２０２３／１／５", *steps)
    assert once == "2023-01-05"
    assert clean(once, *steps) == once


def test_order_of_a_file_stays() -> None:
    column = Cleaned(name="v", cleaning=(Step(step="width"), Step(step="trim")))
    relation = "(select case when i % 7 = 0 then '　ｘ' || i else 'x' || i end as v, i from range(300000) r(i))"
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(
            f"create table t as select i from {cleaned_relation([column], relation, CleaningContext(as_of=DAY))}"
        )
        moved = connection.execute("select count(*) from t where rowid <> i").fetchone()
    assert moved == (0,)
