"""The directory code taken apart and put together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datong.catalog.directory import is_directory_code, parse_directory_code
from datong.kernel.failures import BadInput


@given(st.from_regex(r"[1-3][0-9]{5}[0-9]{0,12}/[0-9]{1,12}", fullmatch=True))
def test_parts_make_the_whole(text: str) -> None:
    assert str(parse_directory_code(text)) == text


def test_the_parts() -> None:
    code = parse_directory_code("307001990100/000001")
    assert (code.class_code, code.item_code, code.entry_code) == ("3", "07", "001")
    assert (code.detail_code, code.sequence) == ("990100", "000001")
    assert code.class_titles[0] == "部门信息资源类"


@pytest.mark.parametrize(
    "text", ["", "4", "401001/1", "101001", "101001/", "10100/1", "101001/1/1", "1０1001/1", " 101001/1"]
)
def test_what_is_not_a_code(text: str) -> None:
    assert not is_directory_code(text)
    with pytest.raises(BadInput):
        parse_directory_code(text)
