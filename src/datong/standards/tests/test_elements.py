"""Elements are found by words; a column's element is suggested with evidence, and bad values speak against it."""

from __future__ import annotations

import pytest

from datong.standards.code_lists import get_code_list
from datong.standards.contracts import CodeListUnknown, ElementUnknown
from datong.standards.elements import current_elements, find_elements, get_element
from datong.standards.matching import SampleFacts, match_elements
from datong.standards.representation import read_representation

USCCS = (
    "91350100M000100Y43",
    "91110108551385082Q",
    "91230500MA1B3N1N2M",
    "11230500001755309F",
    "11420000MB15291767",
)
NOT_IMPORTED = {"gbt4754"}


def test_every_shipped_element_has_a_form_that_reads_and_a_list_that_exists() -> None:
    elements = current_elements()
    assert len(elements) > 100
    for element in elements:
        assert read_representation(element.form) is not None, element
        if element.code_list and element.code_list not in NOT_IMPORTED:
            assert get_code_list(element.code_list).values(), element
    assert len({element.id for element in elements}) == len(elements)


@pytest.mark.parametrize(
    ("text", "first"),
    [("统一社会信用代码", "DE-00401"), ("SFZH", "DE-00001"), ("区划 代码", "DE-00006"), ("xk_nr", "XK_NR")],
)
def test_elements_are_found_by_any_of_their_names(text: str, first: str) -> None:
    assert find_elements(text)[0].id == first


def test_unknown_element_and_list_say_where_to_look() -> None:
    assert find_elements("没有这样的词") == []
    with pytest.raises(ElementUnknown):
        get_element("DE-99999")
    with pytest.raises(CodeListUnknown) as caught:
        get_code_list("sex@1840")
    assert "sex" in caught.value.facts["known"]


@pytest.mark.parametrize(
    ("name", "title", "element"),
    [("csrq", "", "DE-00004"), ("F1", "户籍地行政区划代码", "DE-00006"), ("CF_CFJG", "处罚机关", "CF_CFJG")],
)
def test_a_name_alone_suggests(name: str, title: str, element: str) -> None:
    best = match_elements(name, title)[0]
    assert (best.element.id, best.score >= 0.7) == (element, True)
    assert all(each.zh and each.en for each in best.evidence)


def test_values_suggest_where_the_name_says_nothing_and_speak_against_a_name_that_lies() -> None:
    facts = SampleFacts(logical_type="string", length_min=18, length_max=18, values=USCCS)
    best = match_elements("F3", "", facts)[0]
    assert best.element.identifier == "uscc"
    assert {each.kind for each in best.evidence} >= {"identifier", "length"}
    wrong = SampleFacts(logical_type="string", values=[f"{n:018d}" for n in range(20)])
    lying = match_elements("uscc", "统一社会信用代码", wrong)
    assert all(match.element.id != "DE-00401" for match in lying), "a planted column of no codes"


def test_titles_in_place_of_codes_are_recognised() -> None:
    best = match_elements("xb", "", SampleFacts(values=["男性", "女性"]))[0]
    assert best.element.id == "DE-00003"
    assert [each.kind for each in best.evidence] == ["name", "code-titles"]


def test_nothing_is_suggested_for_nothing() -> None:
    assert match_elements("wind", "") == []


@pytest.mark.parametrize(
    ("form", "low", "high", "kind"),
    [
        ("an18", 18, 18, "string"),
        ("c..50", None, 50, "string"),
        ("n6..12", 6, 12, "string"),
        ("n..18,2", None, 18, "number"),
        ("YYYYMMDD", 8, 10, "date"),
        ("A..20", None, 20, "string"),
    ],
)
def test_forms_of_representation(form: str, low: int | None, high: int, kind: str) -> None:
    read = read_representation(form)
    assert read is not None
    assert (read.length_min, read.length_max, read.kind) == (low, high, kind)
    assert read_representation("eighteen") is None
