"""Entries: the template's bytes, control rows, digests."""

from __future__ import annotations

import json

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.kernel.audit.entries import (
    DataEntry,
    EntryTemplate,
    build_control_entry,
    decode_entry,
    salted_digest,
    seal_seq_of,
)
from datong.kernel.audit.tests.samples import control_row, data_entry
from datong.kernel.limits import AUDIT_ENTRY_BYTES_MAX

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(
    st.fixed_dictionaries(dict.fromkeys(("kind", "system", "agency", "resource", "grant", "purpose"), texts)),
    st.lists(texts, max_size=4),
    texts,
    st.dictionaries(texts, st.integers(0, 10**9), max_size=3),
)
@settings(max_examples=150, deadline=None)
def test_the_template_writes_what_the_encoder_writes(
    common: dict[str, str], fields: list[str], reference: str, facts: dict[str, int]
) -> None:
    rq, rs, at = salted_digest(b"s" * 16, b"q"), salted_digest(b"s" * 16, b"a"), "2026-01-01T00:00:00.000Z"
    shared = {**common, "grant_digest": "d", "fields": tuple(fields), "outcome": "answered"}
    slow = DataEntry(**shared, at=at, reference=reference, facts=facts, rq=rq, rs=rs).encode()  # type: ignore[arg-type]
    fast = EntryTemplate(**shared).fill(  # type: ignore[arg-type]
        at=at, reference=reference, facts=orjson.dumps(facts), rq=rq, rs=rs
    )
    assert fast == slow
    assert decode_entry(fast)["reference"] == reference


def test_a_control_row_is_known_by_its_number_and_nothing_else_is() -> None:
    entry = build_control_entry(17, control_row(17))
    assert seal_seq_of(entry) == 17
    assert decode_entry(entry)["row"] == json.loads(control_row(17))
    assert seal_seq_of(data_entry(1, reference='{"v":1,"kind":"control","seal_seq":9,"row":{}}')) is None
    assert seal_seq_of(b'{"v":1,"kind":"control","seal_seq":09,"row":{}}') is None


def test_a_row_too_long_for_an_entry_goes_in_as_its_digest() -> None:
    row = json.dumps({"facts": "x" * AUDIT_ENTRY_BYTES_MAX}).encode()
    entry = build_control_entry(3, row)
    assert len(entry) < 200
    assert seal_seq_of(entry) == 3
    assert decode_entry(entry)["row_bytes"] == len(row)
    assert build_control_entry(3, row[:-2] + b'y"}') != entry
