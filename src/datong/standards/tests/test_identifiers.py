"""Worked examples of the standards, and properties over all single mistakes."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.kernel.clock import use_clock
from datong.standards.identifiers import (
    USCC_ALPHABET,
    USCC_PLACEHOLDER,
    check_org_code,
    check_registration_number,
    check_resident_id,
    check_uscc,
    org_code_check_character,
    read_resident_id,
    resident_id_check_character,
    suggest_resident_id,
    suggest_uscc,
    upgrade_resident_id,
    uscc_check_character,
)

VALID_USCCS = [
    "91350100M000100Y43",
    "91110108551385082Q",
    "91230500MA1B3N1N2M",
    "11230500001755309F",
    "11420000MB15291767",
    "91110101EMG3Q5GTC0",
]


def make_uscc(head: str, org_body: str) -> str:
    body = head + org_body + org_code_check_character(org_body)
    return body + uscc_check_character(body)


org_bodies = st.text(alphabet=USCC_ALPHABET, min_size=8, max_size=8)
regions = st.text(alphabet="0123456789", min_size=6, max_size=6)
heads = st.sampled_from(["11", "51", "91", "92", "93", "A1", "N2", "Y1"])


@st.composite
def usccs(draw: st.DrawFn) -> str:
    body = draw(org_bodies)
    if org_code_check_character(body) not in USCC_ALPHABET:
        raise AssertionError("0-9 and X are all in the alphabet")
    return make_uscc(draw(heads) + draw(regions), body)


@st.composite
def resident_ids(draw: st.DrawFn) -> str:
    born_on = draw(st.dates(dt.date(1900, 1, 1), dt.date(2020, 12, 31)))
    sequence = draw(st.integers(1, 999))
    region = draw(st.sampled_from(["110105", "990101", "810000", "650102"]))
    body = f"{region}{born_on:%Y%m%d}{sequence:03d}"
    return body + resident_id_check_character(body)


@pytest.mark.parametrize("value", VALID_USCCS)
def test_worked_usccs_pass(value: str) -> None:
    assert check_uscc(value) is None


def test_worked_check_characters() -> None:
    assert uscc_check_character("91350100M000100Y4") == "3"
    assert uscc_check_character("91110101EMG3Q5GTC") == "0", "a sum of 0 mod 31 wraps to 0"
    assert org_code_check_character("M000100Y") == "4"
    assert org_code_check_character("60003734") == "1"
    assert resident_id_check_character("11010519491231002") == "X"


def test_a_real_registration_with_a_wrong_check_character_is_a_finding() -> None:
    finding = check_uscc("91350211M0000XUF46")
    assert finding is not None
    assert (finding.kind, finding.position, finding.expected) == ("check-character", 18, "R")


@pytest.mark.parametrize("head", ["A1350100", "N2350100", "N1350100", "Y1350100", "55350100", "91000000", "11100000"])
def test_every_department_and_odd_region_passes(head: str) -> None:
    assert check_uscc(make_uscc(head, "MA1B3N1N")) is None


def test_the_placeholder_is_named() -> None:
    finding = check_uscc(USCC_PLACEHOLDER)
    assert finding is not None
    assert finding.kind == "placeholder"


@pytest.mark.parametrize(
    ("value", "kind", "position"),
    [
        ("", "empty", 0),
        ("91350100M000100Y4", "length", 0),
        ("9135010OM000100Y43", "character", 8),
        ("B1350100M000100Y43", "department", 1),
        ("98350100M000100Y43", "body-type", 2),
        ("9135A100M000100Y43", "region", 5),
    ],
)
def test_a_uscc_finding_names_kind_and_place(value: str, kind: str, position: int) -> None:
    finding = check_uscc(value)
    assert finding is not None
    assert (finding.kind, finding.position) == (kind, position)
    assert finding.message_zh
    assert finding.message_en


def test_a_wrong_organisation_part_under_a_right_check_character_is_found() -> None:
    body = "91350100" + "M000100Y" + "5"
    value = body + uscc_check_character(body)
    assert check_uscc(value) is None
    finding = check_uscc(value, organisation_part=True)
    assert finding is not None
    assert (finding.kind, finding.position, finding.expected) == ("organisation-part", 17, "4")


@settings(max_examples=15, deadline=None)
@given(value=usccs())
def test_every_substitution_and_transposition_in_a_uscc_is_detected(value: str) -> None:
    assert check_uscc(value) is None
    for place in range(18):
        for character in USCC_ALPHABET:
            if character != value[place]:
                assert check_uscc(value[:place] + character + value[place + 1 :], suggest=False) is not None
    for place in range(17):
        if value[place] != value[place + 1]:
            swapped = value[:place] + value[place + 1] + value[place] + value[place + 2 :]
            assert check_uscc(swapped, suggest=False) is not None


@settings(max_examples=25, deadline=None)
@given(value=resident_ids())
def test_every_substitution_and_transposition_in_a_resident_id_is_detected(value: str) -> None:
    assert check_resident_id(value) is None
    for place in range(18):
        for character in "0123456789X":
            if character != value[place]:
                changed = value[:place] + character + value[place + 1 :]
                assert check_resident_id(changed, suggest=False) is not None
    for place in range(17):
        if value[place] != value[place + 1]:
            swapped = value[:place] + value[place + 1] + value[place] + value[place + 2 :]
            assert check_resident_id(swapped, suggest=False) is not None


@settings(max_examples=40, deadline=None)
@given(value=usccs(), place=st.integers(0, 17), character=st.sampled_from(USCC_ALPHABET + "IOSVZ"))
def test_a_suggestion_for_a_uscc_passes_and_is_near(value: str, place: int, character: str) -> None:
    changed = value[:place] + character + value[place + 1 :]
    suggested = suggest_uscc(changed)
    if suggested is not None:
        assert check_uscc(suggested, organisation_part=True) is None
        assert sum(a != b for a, b in zip(suggested, changed, strict=True)) <= 2
    if character in "IOSVZ" and suggested is not None and check_uscc(changed) is not None:
        assert suggested[:place] == value[:place]


@settings(max_examples=40, deadline=None)
@given(value=usccs(), place=st.integers(8, 15), character=st.sampled_from(USCC_ALPHABET))
def test_a_wrong_character_in_the_organisation_part_is_mended_or_left(value: str, place: int, character: str) -> None:
    changed = value[:place] + character + value[place + 1 :]
    assert suggest_uscc(changed) in (value, None)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("91350100M00010OY43", "91350100M000100Y43"),  # O read for 0
        ("9I350100M000100Y43", "91350100M000100Y43"),  # I read for 1
        ("91350100m000100y43", "91350100M000100Y43"),
        ("９1350100M000100Y43", "91350100M000100Y43"),
        ("91350100-M000100Y-4-3", "91350100M000100Y43"),
    ],
)
def test_written_forms_are_repaired_when_only_one_value_passes(written: str, meant: str) -> None:
    assert suggest_uscc(written) == meant


def test_a_resident_id_is_not_repaired_by_its_check_character_alone() -> None:
    """Any of 17 digits could be the wrong one: to suggest one of them would be to invent a person."""
    assert suggest_resident_id("110105194912310021") is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("11010519491231002x", "11010519491231002X"),
        ("1101051949123I002X", "11010519491231002X"),
        ("11010519491231OO2X", "11010519491231002X"),
        ("１１０１０５１９４９１２３１００２Ｘ", "11010519491231002X"),
        ("110105 19491231 002X", "11010519491231002X"),
        ("110105491231002", "11010519491231002X"),
    ],
)
def test_resident_ids_in_other_writing_are_repaired(written: str, meant: str) -> None:
    finding = check_resident_id(written)
    assert finding is not None
    assert finding.suggestion == meant


def test_what_the_row_says_singles_out_a_repair() -> None:
    """The birth date beside it leaves the sequence and the check character; the sex leaves fewer."""
    wrong_region = "91350700M000100Y43"
    assert suggest_uscc(wrong_region) is None
    assert suggest_uscc(wrong_region, plausible=lambda code: code[2:8] == "350100") == "91350100M000100Y43"
    swapped_date = "11010519941231002X"
    right_date = "19491231"
    assert suggest_resident_id(swapped_date, plausible=lambda number: number[6:14] == right_date) == (
        "11010519491231002X"
    )


def test_fifteen_digits_are_upgraded() -> None:
    assert upgrade_resident_id("110105491231002") == "11010519491231002X"
    assert upgrade_resident_id("11010549123100") is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("11010519490230002", "birth-date"),
        ("11010519491331002", "birth-date"),
        ("11010517001231002", "birth-date"),
        ("11010520261125002", "future"),
        ("01010519491231002", "region"),
        ("11010519491231000", "sequence"),
    ],
)
def test_an_impossible_resident_id_is_named(body: str, kind: str) -> None:
    with use_clock(dt.datetime(2026, 11, 24, 4, tzinfo=dt.UTC)):
        finding = check_resident_id(body + resident_id_check_character(body))
    assert finding is not None
    assert finding.kind == kind


def test_a_birth_on_the_day_itself_passes() -> None:
    body = "11010520261124002"
    assert check_resident_id(body + resident_id_check_character(body), today=dt.date(2026, 11, 24)) is None


def test_a_resident_id_is_read() -> None:
    parts = read_resident_id("11010519491231002X")
    assert parts is not None
    assert (parts.division_code, parts.born_on, parts.is_male) == ("110105", dt.date(1949, 12, 31), False)
    assert read_resident_id("110105194912310021") is None


def test_organisation_codes() -> None:
    assert check_org_code("M000100Y4") is None
    assert check_org_code("M000100Y-4") is None
    assert check_org_code("600037341") is None
    finding = check_org_code("M000100Y5")
    assert finding is not None
    assert finding.expected == "4"


def test_registration_numbers() -> None:
    assert check_registration_number("110108012660422") is None
    finding = check_registration_number("110108012660423")
    assert finding is not None
    assert (finding.kind, finding.expected) == ("check-character", "2")


@settings(deadline=None)
@given(value=st.one_of(st.text(max_size=24), st.text(alphabet="0123456789XxOIＯ０ ", min_size=14, max_size=19)))
def test_any_text_gets_an_answer(value: str) -> None:
    """No text raises, and what is suggested is itself right."""
    today = dt.date(2026, 11, 24)
    for check in (check_uscc, check_org_code, check_registration_number):
        finding = check(value)
        assert finding is None or not finding.suggestion or check(finding.suggestion) is None
    finding = check_resident_id(value, today=today)
    assert finding is None or not finding.suggestion or check_resident_id(finding.suggestion, today=today) is None
