"""The decision, rule by rule, and which bytes of a file are meant."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datong.exchange.contracts import (
    FileEntry,
    GrantColumn,
    GrantTerms,
    Mode,
    Refusal,
    Treatment,
    compile_grant,
)
from datong.exchange.serving.batch import Part, PreconditionFailed, RangeNotSatisfiable, choose_part
from datong.exchange.serving.decide import Ask, decide

TERMS = GrantTerms(
    grant_id="g",
    number="G-1",
    system_id="s",
    resource_id="people",
    purpose="p",
    modes=(Mode.VERIFY,),
    columns=(
        GrantColumn(name="name", treatment=Treatment.COMPARE),
        GrantColumn(name="born", treatment=Treatment.PLAIN),
        GrantColumn(name="phone", treatment=Treatment.MASKED),
    ),
    valid_from_ms=100,
    valid_until_ms=200,
)
ASK = Ask(resource_id="people", mode=Mode.VERIFY, purpose="p", columns=("name",), now_ms=150)
REVOKED = replace(compile_grant(TERMS), revoked_at_ms=120, revoked_reason="over")
FILE = FileEntry(
    path="f", format="csv", media_type="text/csv", sha256="ab", file_bytes=100, rows_count=1, version_id="v"
)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"now_ms": 99}, "grant-not-yet-valid"),
        ({"now_ms": 100}, None),
        ({"now_ms": 199}, None),
        ({"now_ms": 200}, "grant-expired"),
        ({"mode": Mode.BATCH}, "mode-not-granted"),
        ({"purpose": "q"}, "purpose-not-granted"),
        ({"purpose": ""}, "purpose-not-granted"),
        ({"columns": ("born", "name")}, None),
        ({"columns": ()}, None),
        ({"columns": ("phone",)}, "column-not-granted"),
        ({"columns": ("name", "income")}, "column-not-granted"),
    ],
)
def test_each_rule(changes: dict[str, Any], code: str | None) -> None:
    entry = compile_grant(TERMS)
    ask = msgspec.structs.replace(ASK, **changes)
    if code is None:
        assert decide([entry], ask) is entry
        return
    with pytest.raises(Refusal) as refused:
        decide([entry], ask)
    problem = refused.value.as_problem("zh")
    assert problem["code"] == code
    assert problem["facts"]["ask_at"] in problem["hint"]


def test_without_a_grant() -> None:
    with pytest.raises(Refusal) as refused:
        decide([], ASK)
    assert refused.value.code == "grant-missing"


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_grants_the_first_that_allows_decides(order: int) -> None:
    expired = compile_grant(replace(TERMS, grant_id="old", valid_until_ms=110))
    good = compile_grant(replace(TERMS, grant_id="good"))
    assert decide([REVOKED, expired, good][::order], ASK) is good
    with pytest.raises(Refusal) as refused:
        decide([REVOKED, expired][::order], ASK)
    assert refused.value.code == "grant-expired"


def test_terms_digest_changes_with_each_term() -> None:
    changes: list[dict[str, Any]] = [
        {"purpose": "q"},
        {"modes": (Mode.BATCH,)},
        {"columns": TERMS.columns[:1]},
        {"valid_until_ms": 201},
        {"rate_per_minute": 1},
        {"daily_cap": 1},
        {"system_id": "t"},
    ]
    digests = {replace(TERMS, **change).digest for change in changes} | {TERMS.digest}
    assert len(digests) == len(changes) + 1


WHOLE = Part(status=200, start=0, end=100)


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, WHOLE),
        ("bytes=0-", Part(status=206, start=0, end=100)),
        ("bytes=10-19", Part(status=206, start=10, end=20)),
        ("Bytes=99-500", Part(status=206, start=99, end=100)),
        ("bytes=-1", Part(status=206, start=99, end=100)),
        ("bytes=-500", Part(status=206, start=0, end=100)),
        ("bytes=20-10", WHOLE),
        ("bytes=-", WHOLE),
        ("bytes=1-2,4-5", WHOLE),
        ("items=1-2", WHOLE),
        ("bytes=" + "9" * 5000 + "-", WHOLE),
        ("bytes=١-٢", WHOLE),
    ],
)
def test_ranges(header: str | None, part: Part) -> None:
    assert choose_part(FILE, range_header=header) == part


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=-0", "bytes=900-901"])
def test_ranges_beyond_the_file(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        choose_part(FILE, range_header=header)


def test_preconditions() -> None:
    assert choose_part(FILE, range_header="bytes=1-1", if_range='W/"ab"') == WHOLE
    assert choose_part(FILE, range_header=None, if_none_match='"x", W/"ab"').status == 304
    assert choose_part(FILE, range_header=None, if_match='"x", "ab"') == WHOLE
    with pytest.raises(PreconditionFailed):
        choose_part(FILE, range_header=None, if_match='W/"ab"')


@given(st.integers(0, 120), st.integers(0, 120))
def test_a_part_is_within_the_file(start: int, end: int) -> None:
    try:
        part = choose_part(FILE, range_header=f"bytes={start}-{end}")
    except RangeNotSatisfiable:
        assert start >= 100
    else:
        assert 0 <= part.start < part.end <= 100
