"""Code lists: complete, without doubles, asked for by key or by standard."""

from __future__ import annotations

import datetime as dt

import pytest

from datong.standards.code_lists import (
    Code,
    CodeList,
    CodeListUnknown,
    find_code_lists,
    get_code_list,
    industry_section_of,
)


@pytest.mark.parametrize(
    ("name", "count"),
    [("sex", 4), ("ethnicity", 58), ("marital_status", 8), ("industry_section", 20), ("sharing_type", 3)],
)
def test_a_list_has_its_codes(name: str, count: int) -> None:
    assert len(get_code_list(name).codes) == count


def test_every_list_is_sound() -> None:
    lists = find_code_lists()
    assert len(lists) > 12
    for code_list in lists:
        assert code_list.codes, code_list.name
        assert len(code_list.values()) == len(code_list.codes), code_list.name
        assert all(entry.code and entry.title_zh and entry.title_en for entry in code_list.codes), code_list.name


@pytest.mark.parametrize("name", ["GB/T 2261.1", "GB/T 2261.1-2003", "gb/t2261.1"])
def test_a_list_is_found_by_its_standard(name: str) -> None:
    assert get_code_list(name).name == "sex"


def test_an_unknown_list_names_the_known_ones() -> None:
    with pytest.raises(CodeListUnknown) as caught:
        get_code_list("gender")
    assert "sex" in caught.value.facts["known"]


def test_titles_in_both_languages() -> None:
    sex = get_code_list("sex")
    assert sex.titles()["2"] == "女性"
    assert sex.titles("en")["2"] == "Female"
    assert sex.has("1")
    assert not sex.has("3")


def test_a_code_counts_only_in_its_span() -> None:
    until = dt.date(2020, 1, 1)
    codes = (Code(code="1", title_zh="旧", valid_to=until), Code(code="1", title_zh="新", valid_from=until))
    code_list = CodeList(name="x", edition="1", title_zh="甲", title_en="X", source="x", confirmed=True, codes=codes)
    before, after = code_list.find("1", dt.date(2019, 12, 31)), code_list.find("1", until)
    assert before is not None
    assert after is not None
    assert (before.title_zh, after.title_zh) == ("旧", "新")
    assert code_list.values(until) == ("1",)
    assert not code_list.has("2", until)


@pytest.mark.parametrize(
    ("code", "section"),
    [("0111", "A"), ("13", "C"), ("4360", "C"), ("6110", "H"), ("6513", "I"), ("97", "T"), ("98", None), ("00", None),
     ("C", "C"), ("Z", None), ("x1", None), ("", None)],
)  # fmt: skip
def test_an_industry_belongs_to_its_section(code: str, section: str | None) -> None:
    assert industry_section_of(code) == section
