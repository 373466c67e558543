"""A mask has two renderings; they must agree on every value, and never keep the whole of it."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.catalog.words import Mask as Name
from datong.privacy.contracts import UnknownMask
from datong.privacy.masks import MASKS, get_mask

CASES = [
    ("id_6_4", "99010119900307123X", "990101********123X"),
    ("id_6_4", "9901011990", "**********"),
    ("mobile_3_4", "13812345678", "138****5678"),
    ("bank_6_4", "6222020200112233", "622202******2233"),
    ("surname", "李建国", "李**"),
    ("surname", "欧阳明月", "欧阳**"),
    ("surname", "欧阳", "欧*"),
    ("surname", "李", "*"),
    ("email", "wang.hai@anlan.example", "w***@anlan.example"),
    ("email", "not an address", "**************"),
    ("ends", "东湖区人民路12号", "东*******号"),
    ("year", "1990-03-07", "1990******"),
    ("all", "anything", "********"),
]


@pytest.mark.parametrize(("name", "value", "shown"), CASES)
def test_shows_as_little_as_it_says(name: str, value: str, shown: str) -> None:
    assert get_mask(name).apply(value) == shown


@pytest.mark.parametrize("name", sorted(MASKS))
def test_python_and_duckdb_agree(name: str) -> None:
    mask = get_mask(name)
    connection = duckdb.connect()

    @settings(max_examples=60, deadline=None)
    @given(st.text(alphabet="李欧阳明月司马0123456789Xx-路@.𠮷é\u0301\u200d👩\n ", max_size=24))
    def agree(value: str) -> None:
        row = connection.execute(f"select {mask.sql('v')} from (select ?::varchar as v)", [value]).fetchone()
        assert row is not None
        assert row[0] == mask.apply(value)
        assert not value or mask.apply(value) != value

    agree()


def test_unknown_mask_says_which_there_are() -> None:
    with pytest.raises(UnknownMask) as caught:
        get_mask("blur")
    assert "id_6_4" in caught.value.hint


def test_every_mask_that_a_contract_may_name_is_there() -> None:
    assert set(MASKS) == set(Name) - {Name.NONE}
