"""Division codes as of a date, on the package's table and, where present, on a fuller one."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from datong.standards.divisions import (
    DivisionEntry,
    Divisions,
    DivisionTableInvalid,
    merge_snapshots,
    national_divisions,
    read_supplement,
    read_table,
)
from datong.testing.reference import find_reference_file

HISTORY_CSV = find_reference_file("divisions/gb2260_history_mca_198012_201904.csv")


@pytest.fixture(scope="module")
def table() -> Divisions:
    return national_divisions()


@pytest.fixture(scope="module")
def fuller() -> Divisions:
    assert HISTORY_CSV is not None
    return read_table(HISTORY_CSV)


@pytest.mark.parametrize(
    ("code", "day", "name"),
    [
        ("110103", "2009-12-31", "崇文区"),
        ("110103", "2011-01-01", None),  # merged into 东城区 in 2010
        ("110104", "2009-06-30", "宣武区"),
        ("110104", "2011-01-01", None),
        ("310103", "2010-12-31", "卢湾区"),
        ("310103", "2012-01-01", None),
        ("532700", "2002-12-31", "思茅地区"),
        ("532700", "2004-01-01", None),
        ("530800", "2004-01-01", "思茅市"),
        ("530800", "2008-01-01", "普洱市"),  # renamed in 2007 under the same code
        ("530802", "2004-01-01", "翠云区"),
        ("530802", "2008-01-01", "思茅区"),
        ("420600", "2009-12-31", "襄樊市"),
        ("420600", "2012-01-01", "襄阳市"),
        ("341400", "2010-12-31", "巢湖市"),
        ("341400", "2012-01-01", None),
        ("340181", "2012-01-01", "巢湖市"),  # from prefecture to county: another code
        ("340181", "2009-12-31", None),
        ("310108", "2013-12-31", "闸北区"),
        ("500000", "2005-01-01", "重庆市"),
        ("100000", "2020-01-01", "中华人民共和国"),
        ("990101", "2020-01-01", None),
    ],
)
def test_a_code_has_its_name_of_the_day(table: Divisions, code: str, day: str, name: str | None) -> None:
    assert table.name_at(code, dt.date.fromisoformat(day)) == name


def test_the_table_is_whole(table: Divisions) -> None:
    assert len(table) > 3500
    rows = table.as_of_table(dt.date(2013, 12, 31))
    assert 3400 < len(rows) < 3600
    assert len({code for code, _ in rows}) == len(rows)
    assert sum(code.endswith("0000") for code, _ in rows) == 35, "34 provinces and the nation"


def test_no_day_has_two_entries_of_one_code(table: Divisions) -> None:
    for entry in table.entries():
        others = [each for each in table.history(entry.code) if each is not entry]
        start = entry.valid_from or dt.date(1980, 1, 1)
        assert not any(each.is_valid_on(start) for each in others), entry


def test_a_change_between_two_revisions_refuses_neither_code(table: Divisions) -> None:
    """卢湾区 went in mid-2011; yearly snapshots cannot say when, so a record of 2011 may carry the old code."""
    assert table.name_at("310103", dt.date(2011, 5, 1)) == "卢湾区"
    assert table.name_at("340181", dt.date(2011, 9, 1)) == "巢湖市"


def test_a_finding_says_why_a_code_does_not_stand(table: Divisions) -> None:
    retired = table.check("110103", dt.date(2012, 1, 1))
    assert retired is not None
    assert (retired.kind, retired.expected) == ("retired", "崇文区")
    early = table.check("340181", dt.date(2005, 1, 1))
    assert early is not None
    assert early.kind == "not-yet"
    unknown = table.check("990101", dt.date(2012, 1, 1))
    assert unknown is not None
    assert unknown.kind == "unknown-code"
    beyond = table.check("990101", dt.date(2026, 1, 1))
    assert beyond is not None
    assert beyond.kind == "unknown-code-beyond-table"
    assert table.check("110101", dt.date(2026, 1, 1)) is None


def test_full_names_leave_placeholders_out(table: Divisions) -> None:
    assert table.full_name_at("110101", dt.date(2012, 1, 1)) == "北京市东城区"
    assert table.full_name_at("420606", dt.date(2012, 1, 1)) == "湖北省襄阳市樊城区"
    assert table.as_of("110100", dt.date(2012, 1, 1)) is not None


def test_longer_statistical_codes_are_those_of_their_county(table: Divisions) -> None:
    assert table.name_at("110101001", dt.date(2012, 1, 1)) == "东城区"
    assert table.name_at("110101001001", dt.date(2012, 1, 1)) == "东城区"


def test_a_supplement_adds_and_replaces(table: Divisions) -> None:
    local = table.with_supplement([DivisionEntry(code="990101", name="临江区", valid_from=dt.date(1990, 1, 1))])
    assert local.name_at("990101", dt.date(2026, 1, 1)) == "临江区"
    assert local.name_at("990101", dt.date(1980, 1, 1)) is None
    assert table.name_at("990101", dt.date(2026, 1, 1)) is None
    assert len(local) == len(table) + 1


def test_snapshots_merge_into_intervals() -> None:
    one, two, three = dt.date(2001, 12, 31), dt.date(2002, 12, 31), dt.date(2003, 12, 31)
    table = merge_snapshots(
        [(one, {"1": "甲", "2": "乙"}), (two, {"1": "甲", "2": "丙", "3": "丁"}), (three, {"2": "丙", "3": "丁"})]
    )
    assert [(e.code, e.name, e.valid_from, e.valid_to) for e in table.entries()] == [
        ("1", "甲", None, three),
        ("2", "乙", None, two),
        ("2", "丙", two, None),
        ("3", "丁", dt.date(2002, 1, 1), None),
    ]


@pytest.mark.skipif(HISTORY_CSV is None, reason="the fuller table is not beside this checkout")
@pytest.mark.parametrize(
    ("code", "day", "name"),
    [
        ("510200", "1996-12-31", "重庆市"),
        ("510200", "1997-03-01", "重庆市"),
        ("510200", "1999-01-01", None),
        ("500000", "1999-01-01", "重庆市"),
        ("310108", "2014-06-30", "闸北区"),
        ("310108", "2017-01-01", None),
        ("372602", "1990-01-01", None),
        ("371200", "2015-01-01", "莱芜市"),
        ("210311", "1985-01-01", "旧堡区"),
        ("210311", "2010-01-01", "千山区"),
        ("110103", "2009-01-01", "崇文区"),
        ("110103", "2012-01-01", None),
    ],
)
def test_a_fuller_table_reaches_further(fuller: Divisions, code: str, day: str, name: str | None) -> None:
    assert fuller.name_at(code, dt.date.fromisoformat(day)) == name


def test_a_bad_line_of_a_table_is_named(tmp_path: Path) -> None:
    source = tmp_path / "table.csv"
    source.write_text("code,name,first_seen,last_seen\n110000,北京市,198012,201904\n110101,东城区,1980,x\n", "utf-8")
    with pytest.raises(DivisionTableInvalid) as caught:
        read_table(source)
    assert caught.value.facts["line"] == 3


def test_a_supplement_is_read_and_a_bad_line_named(tmp_path: Path) -> None:
    source = tmp_path / "local.csv"
    source.write_text("code,name,valid_from,valid_to\n990101,北岭区,1990-01-01,\n990109,旧区,,2001-01-01\n", "utf-8")
    entries = read_supplement(source)
    assert [(entry.code, entry.valid_from, entry.valid_to) for entry in entries] == [
        ("990101", dt.date(1990, 1, 1), None),
        ("990109", None, dt.date(2001, 1, 1)),
    ]
    assert list(read_table(source).entries()) == entries, "either form is a table"
    source.write_text("code,name,valid_from,valid_to\n990101,北岭区,1990,\n", "utf-8")
    with pytest.raises(DivisionTableInvalid) as caught:
        read_supplement(source)
    assert caught.value.facts["line"] == 2
