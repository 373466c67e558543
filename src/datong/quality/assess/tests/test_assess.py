"""A contract and its table held against the standards: every aspect has a planted violation that it must catch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from importlib import resources
from typing import Any

import duckdb
import pytest

from datong.catalog.odcs import parse_contract
from datong.catalog.values import DataContract
from datong.quality.assess.contracts import Aspect
from datong.quality.assess.encoding import decode_assessment, encode_assessment
from datong.quality.assess.measure import compile_value_checks, measure_values
from datong.quality.assess.model import assess_contract
from datong.quality.assess.paper import lay_out_report
from datong.standards.contracts import Edition, EditionKind
from datong.standards.divisions import DivisionEntry, national_divisions
from datong.standards.shipped import shipped_editions

DAY = dt.date(2026, 11, 24)


def contract(name: str = "psb_population", change: Callable[[str], str] = lambda text: text) -> DataContract:
    text = resources.files("datong.testing").joinpath(f"contracts/{name}.odcs.yaml").read_text(encoding="utf-8")
    return parse_contract(change(text))


def unmet(given: DataContract, column: str, **options: Any) -> dict[Aspect, str]:
    found = assess_contract(given, DAY, **options)
    return {each.aspect: each.zh for c in found.columns if c.name == column for each in c.unmet}


def replacing(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text, f"the sample has no {old!r}"
        return text.replace(old, new, 1)

    return change


def test_a_column_that_conforms_is_found_to_conform() -> None:
    assert unmet(contract(), "id_number") == {}
    assert unmet(contract(), "sex") == {}


def line_out(part: str) -> Callable[[str], str]:
    """The contract without the one line that has these words."""

    def change(text: str) -> str:
        kept = [line for line in text.split("\n") if part not in line]
        assert len(kept) == len(text.split("\n")) - 1, f"{part!r} is not in exactly one line"
        return "\n".join(kept)

    return change


PEOPLE, FIRMS = "psb_population", "amr_enterprise"


@pytest.mark.parametrize(
    ("sample", "column", "change", "aspect", "said"),
    [
        (PEOPLE, "sex", replacing("value: DE-00003", "value: DE-77777"), Aspect.ELEMENT, "没有数据元DE-77777"),
        (PEOPLE, "sex", replacing("codeList, value: sex", "codeList, value: marital_status"), Aspect.CODE_LIST, "sex"),
        (PEOPLE, "name", replacing("maxLength: 50", "maxLength: 80"), Aspect.LENGTH, "最长80"),
        (PEOPLE, "id_number", line_out("identifierKind"), Aspect.IDENTIFIER, "没有声明公民身份号码的校验"),
        (PEOPLE, "name", replacing("businessName: 姓名", "businessName: name"), Aspect.NAMING, "中文名称"),
        (FIRMS, "registered_capital", replacing("unit, value: 万元", "unit, value: 元"), Aspect.UNIT, "元"),
        (FIRMS, "name", replacing("value: DE-00412", "value: DE-00431"), Aspect.TYPE, "数据元为number"),
        (FIRMS, "status", lambda text: text, Aspect.CODE_LIST, "取值不在标准中"),
        (FIRMS, "industry", lambda text: text, Aspect.CODE_LIST, "尚未导入"),
    ],
    ids=["element", "code list", "length", "identifier", "naming", "unit", "type", "values", "not imported"],
)
def test_a_planted_difference_is_found(
    sample: str, column: str, change: Callable[[str], str], aspect: Aspect, said: str
) -> None:
    assert said in unmet(contract(sample, change), column)[aspect]


def test_a_pinned_edition_that_no_longer_holds_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from datong.quality.assess import model

    ended = Edition(kind=EditionKind.CODES, name="sex", edition="2003", title_zh="x", valid_to=dt.date(2020, 1, 1))
    now = Edition(kind=EditionKind.CODES, name="sex", edition="2020", title_zh="x", valid_from=dt.date(2020, 1, 1))
    pinned = contract(change=replacing("{property: codeList, value: sex}", "{property: codeList, value: sex@2003}"))
    assert unmet(pinned, "sex") == {}
    monkeypatch.setattr(model, "find_editions", lambda name: [ended, now] if name == "sex" else [])
    assert "2020" in unmet(pinned, "sex")[Aspect.EDITION]


def test_columns_without_element_get_a_hint() -> None:
    bare = contract(change=line_out("value: DE-00004"))
    found = next(c for c in assess_contract(bare, DAY).columns if c.name == "birth_date")
    assert [each.aspect for each in found.unmet] == [Aspect.ELEMENT]
    assert found.hint is not None
    assert found.hint.element_id == "DE-00004"


def test_elements_of_a_set_that_have_no_column_are_missing() -> None:
    licences = next(e for e in shipped_editions() if e.name == "credit_licence")
    found = assess_contract(contract(), DAY, against=licences)
    assert len(found.missing) == len(licences.elements)
    assert found.structure_score < assess_contract(contract(), DAY).structure_score


def test_the_share_of_values_is_exact_and_codes_that_ended_count_as_bad() -> None:
    given = contract()
    ended = DivisionEntry(code="990199", name="旧区", valid_to=dt.date(2020, 1, 1))
    divisions = national_divisions().with_supplement([DivisionEntry(code="990101", name="新区"), ended])
    rows = [
        ("11010519491231002X", "张伟", "2", "1949-12-31", "01", "990101", "x", "正常", "2026-01-01"),
        ("110105194912310021", "李娜", "7", "1990-03-07", "01", "990199", "x", "正常", "2026-01-01"),
        ("11010519491231002X", "王" * 60, None, "1990-03-07", "汉族", "990101", "x", None, "2026-01-01"),
    ]
    connection = duckdb.connect()
    names = [column.name for column in given.columns]
    connection.execute(f"create table people ({', '.join(f'{name} varchar' for name in names)})")
    connection.executemany(f"insert into people values ({', '.join('?' * len(names))})", rows)
    count, shares = measure_values(connection, "people", compile_value_checks(given, DAY, divisions))
    found = {
        (column, each.kind): (each.values_count, each.bad_count) for column, all_ in shares.items() for each in all_
    }
    assert count == 3
    assert found["id_number", "resident-id"] == (3, 1)
    assert found["sex", "code-list"] == (2, 1)
    assert found["name", "length"] == (3, 1)
    assert found["division_code", "division"] == (3, 1), "planted: a code that ended before the day"
    assert found["ethnicity", "code-list"] == (3, 1)
    assert found["status", "code-list"] == (2, 2)
    assert "其中1个写的是名称" in next(each.zh for each in shares["ethnicity"])
    assessed = assess_contract(given, DAY, values=shares, version=("ver_1", "2026.11.24-1", count))
    assert assessed.values_score is not None
    assert assessed.score == round((assessed.structure_score + assessed.values_score) / 2, 2)
    assert decode_assessment(encode_assessment(assessed)) == assessed
    assert "990199" not in encode_assessment(assessed).decode(), "no value of the data is in the result"


def test_an_empty_table_is_measured_without_a_share_to_complain_of() -> None:
    given = contract()
    connection = duckdb.connect()
    connection.execute(f"create table people ({', '.join(f'{c.name} varchar' for c in given.columns)})")
    count, shares = measure_values(connection, "people", compile_value_checks(given, DAY, national_divisions()))
    assert count == 0
    assert shares
    assert all(each.share == 1.0 for all_ in shares.values() for each in all_)


def test_the_paper_says_what_was_found_and_escapes_it() -> None:
    given = contract(change=replacing("businessName: 民族", "businessName: 民族<b>"))
    html = lay_out_report(
        assess_contract(given, DAY), number="BZ-2026-00001", agency="市公安局", signer="市数据局", day="2026-11-24"
    )
    assert "民族&lt;b&gt;" in html
    assert "民族<b>" not in html
    assert "取值不在标准中" in html
    assert "BZ-2026-00001" in html
