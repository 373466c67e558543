"""Numbers of people by the document they are from; a wrong check character is a finding, not another document."""

from __future__ import annotations

import datetime as dt

import pytest

from datong.standards.identifiers import check_uscc, resident_id_check_character
from datong.standards.identity import IDENTITY_TITLES, read_identity_number

TODAY = dt.date(2026, 11, 24)


def numbered(body: str) -> str:
    return body + resident_id_check_character(body)


@pytest.mark.parametrize(
    ("value", "kind", "born_on"),
    [
        ("11010519491231002X", "resident", dt.date(1949, 12, 31)),
        ("110105491231002", "resident-15", dt.date(1949, 12, 31)),
        (numbered("81000019900307001"), "hong-kong-residence", dt.date(1990, 3, 7)),
        (numbered("82000019900307001"), "macao-residence", dt.date(1990, 3, 7)),
        (numbered("83000019900307001"), "taiwan-residence", dt.date(1990, 3, 7)),
        (numbered("93184019900307001"), "foreign-permanent", dt.date(1990, 3, 7)),
        ("USA110188080112", "foreign-permanent-old", None),
        ("H12345678", "hong-kong-macao-permit", None),
        ("M1234567801", "hong-kong-macao-permit", None),
        ("12345678", "taiwan-permit", None),
        ("E12345678", "passport", None),
    ],
)
def test_a_number_is_told_by_its_form(value: str, kind: str, born_on: dt.date | None) -> None:
    read = read_identity_number(value, today=TODAY)
    assert read is not None
    assert (read.kind, read.finding, read.born_on) == (kind, None, born_on)
    assert kind in IDENTITY_TITLES


@pytest.mark.parametrize(
    ("value", "kind", "wrong"),
    [
        ("110105194912310021", "resident", "check-character"),
        ("110105491331002", "resident-15", "birth-date"),
        (numbered("81000019900230001"), "hong-kong-residence", "birth-date"),
        (numbered("93184020990307001"), "foreign-permanent", "future"),
    ],
)
def test_a_planted_error_is_a_finding_of_its_kind(value: str, kind: str, wrong: str) -> None:
    read = read_identity_number(value, today=TODAY)
    assert read is not None
    assert read.finding is not None
    assert (read.kind, read.finding.kind) == (kind, wrong)


@pytest.mark.parametrize("value", ["", "张三", "1234567", "H12345", "1101051949123100２X"])
def test_what_is_no_number_of_a_document_is_none(value: str) -> None:
    assert read_identity_number(value, today=TODAY) is None


@pytest.mark.parametrize(
    "value",
    ["91350100M000100Y43", "91110108551385082Q", "91230500MA1B3N1N2M", "11230500001755309F", "11420000MB15291767",
     "91110101EMG3Q5GTC0"],
)  # fmt: skip
def test_the_verified_uscc_pass_including_the_check_of_nought(value: str) -> None:
    assert check_uscc(value) is None


@pytest.mark.parametrize("head", ["A1", "A9", "N1", "N2", "N3", "N9", "Y1", "54", "55", "12", "31", "81", "93"])
def test_every_department_of_the_standard_and_its_amendment_is_known(head: str) -> None:
    from datong.standards.identifiers import org_code_check_character, uscc_check_character

    body = f"{head}110000MA00000{'0'}"
    body = body[:16] + org_code_check_character(body[8:16])
    assert check_uscc(body + uscc_check_character(body)) is None


def test_real_registrations_with_a_wrong_check_character_are_findings_and_not_refusals() -> None:
    finding = check_uscc("91350211M0000XUF46", suggest=False)
    assert finding is not None
    assert (finding.kind, finding.expected) == ("check-character", "R")
    placeholder = check_uscc("00000000000000000X")
    assert placeholder is not None
    assert placeholder.kind == "placeholder"
