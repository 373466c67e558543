"""The reference page names every word that the reader reads, and its example is a contract."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from datong.catalog.odcs import parse_contract
from datong.catalog.reading import CUSTOM_WORDS_COLUMN, CUSTOM_WORDS_CONTRACT

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "contract.md"


def find_missing(text: str) -> frozenset[str]:
    return (CUSTOM_WORDS_CONTRACT | CUSTOM_WORDS_COLUMN) - set(re.findall(r"^### (\w+)$", text, re.MULTILINE))


@pytest.fixture(scope="module")
def page() -> str:
    if not PAGE.is_file():
        pytest.skip("the documentation is not part of an installed package")
    return PAGE.read_text(encoding="utf-8")


def test_every_custom_property_has_its_heading(page: str) -> None:
    assert find_missing(page) == frozenset()
    assert find_missing(page.replace("### mask", "### musk")) == {"mask"}


def test_the_example_is_a_contract(page: str) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    contract = parse_contract(example)
    assert [column.name for column in contract.verify_columns] == ["owner_name"]
    assert contract.by_name["plate"].source_names == ("plate", "HPHM", "号牌号码")
