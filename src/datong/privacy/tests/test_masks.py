"""A mask has two renderings; they must agree on every value, and never keep the whole of it."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.privacy.contracts import UnknownMask
from datong.privacy.masks import MASKS, get_mask

CASES = [
    ("resident_id", "99010119900307123X", "990101********123X"),
    ("resident_id", "9901011990", "**********"),
    ("phone", "13812345678", "138****5678"),
    ("name", "李建国", "李**"),
    ("name", "欧阳明月", "欧阳**"),
    ("name", "欧阳", "欧*"),
    ("name", "李", "*"),
    ("address", "东湖区人民路12号3单元", "东湖区人民路******"),
    ("year", "1990-03-07", "1990******"),
    ("hidden", "anything", "********"),
]


@pytest.mark.parametrize(("name", "value", "shown"), CASES)
def test_shows_as_little_as_it_says(name: str, value: str, shown: str) -> None:
    assert get_mask(name).apply(value) == shown


@pytest.mark.parametrize("name", sorted(MASKS))
def test_python_and_duckdb_agree(name: str) -> None:
    mask = get_mask(name)
    connection = duckdb.connect()

    @settings(max_examples=60, deadline=None)
    @given(st.text(alphabet="李欧阳明月司马0123456789Xx-路", max_size=24))
    def agree(value: str) -> None:
        row = connection.execute(f"select {mask.sql('v')} from (select ?::varchar as v)", [value]).fetchone()
        assert row is not None
        assert row[0] == mask.apply(value)
        assert not value or mask.apply(value) != value

    agree()


def test_unknown_mask_says_which_there_are() -> None:
    with pytest.raises(UnknownMask) as caught:
        get_mask("blur")
    assert "resident_id" in caught.value.hint
