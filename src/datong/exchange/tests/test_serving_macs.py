"""Canonical values and their digests: what must be equal is, what must differ does."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datong.exchange.serving.keys import MAC_BYTES, MasterKey
from datong.exchange.serving.macs import CANONICAL, ResourceMacs

MASTER = MasterKey(bytes(range(32)))
MACS = ResourceMacs(MASTER, "people", ["name", "born"])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)

SAME = [
    ("string", " 王小明\t", "王小明"),
    ("string", "e\u0301", "\u00e9"),
    ("number", "3.10", 3.1),
    ("number", "1e2", 100),
    ("number", -0.0, 0),
    ("number", Decimal("100.00"), "100"),
    ("number", 0.1, "0.1"),
    ("integer", "007", 7),
    ("date", date(2026, 1, 4), " 2026-01-04"),
    ("boolean", True, "true"),
    ("timestamp", "2026-01-04T08:00:00+08:00", datetime(2026, 1, 4, tzinfo=UTC)),
    ("timestamp", datetime(2026, 1, 4), "2026-01-04T00:00:00Z"),  # noqa: DTZ001 - without an offset it is UTC
]
REFUSED = [
    ("string", 1),
    ("string", "x" * 70_000),
    ("number", "abc"),
    ("number", True),
    ("number", float("nan")),
    ("number", "1e999999"),
    ("number", "9" * 200),
    ("date", "20260104"),
    ("date", "2026-02-30"),
    ("date", 20260104),
    ("timestamp", "yesterday"),
    ("timestamp", 5),
    ("boolean", "yes"),
    ("boolean", 1.5),
]


@pytest.mark.parametrize(("kind", "one", "other"), SAME)
def test_equal_values_have_one_form(kind: str, one: object, other: object) -> None:
    assert CANONICAL[kind](one) == CANONICAL[kind](other)


@pytest.mark.parametrize(("kind", "value"), REFUSED)
def test_values_of_another_type_are_refused(kind: str, value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        CANONICAL[kind](value)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=4))
def test_numbers_keep_their_value(value: Decimal) -> None:
    assert Decimal(CANONICAL["number"](value).decode()) == value
    assert CANONICAL["number"](str(value)) == CANONICAL["number"](value)


@given(st.lists(texts, max_size=4), st.lists(texts, max_size=4))
def test_keys_are_not_confused_by_where_their_parts_end(one: list[str], other: list[str]) -> None:
    same = MACS.key_mac([t.encode() for t in one]) == MACS.key_mac([t.encode() for t in other])
    assert same is (one == other)


def test_a_claims_mac_is_bound_to_field_record_resource_and_key() -> None:
    record, another = MACS.key_mac([b"1"]), MACS.key_mac([b"2"])
    mac = MACS.claim_mac("name", record, b"x")
    elsewhere = {
        MACS.claim_mac("born", record, b"x"),
        MACS.claim_mac("name", another, b"x"),
        ResourceMacs(MASTER, "firms", ["name"]).claim_mac("name", record, b"x"),
        ResourceMacs(MasterKey(bytes(32)), "people", ["name"]).claim_mac("name", record, b"x"),
    }
    assert len(mac) == MAC_BYTES
    assert len(elsewhere) == 4
    assert mac not in elsewhere
    assert mac == MACS.claim_mac("name", record, b"x")


def test_the_master_key_does_not_show_itself() -> None:
    assert "00" not in repr(MASTER)
    with pytest.raises(TypeError):
        __import__("pickle").dumps(MASTER)
