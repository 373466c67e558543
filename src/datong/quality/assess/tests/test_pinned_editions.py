"""Checks of a contract take the edition of their day, or the one that it pins; read from files, without a database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from importlib import resources

import pytest

from datong.catalog.contracts import ContractInvalid
from datong.catalog.odcs import parse_contract
from datong.quality.contracts import CheckKind
from datong.quality.model import compile_checks
from datong.standards.contracts import Code, Edition, EditionKind
from datong.standards.snapshot import encode_edition, standards_dir, write_shelf

OLD, NEW = dt.date(2015, 6, 1), dt.date(2025, 6, 1)


@pytest.fixture
def colours() -> Iterator[None]:
    """Two editions on the shelf: red and green until 2020, red and blue since."""

    def edition(label: str, codes: str, since: dt.date) -> Edition:
        return Edition(
            kind=EditionKind.CODES,
            name="colours",
            edition=label,
            title_zh="颜色",
            valid_from=since,
            codes=tuple(Code(code=code, title_zh=code) for code in codes),
        )

    editions = [edition("2010", "RG", dt.date(2010, 1, 1)), edition("2020", "RB", dt.date(2020, 1, 1))]
    write_shelf(standards_dir(), [encode_edition(each) for each in editions])
    yield
    for path in standards_dir().glob("*"):
        path.unlink()


def allowed(code_list: str, day: dt.date) -> tuple[str, ...]:
    """The values that the check of a column with this code list lets pass."""
    text = resources.files("datong.testing").joinpath("contracts/psb_population.odcs.yaml").read_text(encoding="utf-8")
    assert "codeList, value: sex" in text
    contract = parse_contract(text.replace("codeList, value: sex", f"codeList, value: {code_list}"))
    plan = compile_checks(contract, day)
    [check] = [c for c in plan.row_checks if c.kind is CheckKind.CODE_LIST and c.column == "sex"]
    return tuple(check.params["values"])


@pytest.mark.usefixtures("colours")
@pytest.mark.parametrize(
    ("code_list", "day", "values"),
    [
        ("colours", OLD, ("R", "G")),
        ("colours", NEW, ("R", "B")),
        ("colours@2010", NEW, ("R", "G")),
        ("colours@2020", OLD, ("R", "B")),
    ],
)
def test_the_day_or_the_pin_chooses_the_edition(code_list: str, day: dt.date, values: tuple[str, ...]) -> None:
    assert allowed(code_list, day) == values


@pytest.mark.usefixtures("colours")
def test_an_edition_that_is_not_there_is_refused_when_the_contract_is_read() -> None:
    with pytest.raises(ContractInvalid, match="colours@1999"):
        allowed("colours@1999", NEW)
