"""Schema drift: evidence of a renaming, what `map` lets in, and what is refused with a suggestion."""

from __future__ import annotations

import pytest

from datong.catalog.odcs import parse_contract
from datong.catalog.values import DataContract
from datong.collect.contracts import ColumnsDiffer
from datong.collect.delimited import WantedColumn
from datong.collect.drift import STRONG, map_columns, profile_rows, propose_contract
from datong.collect.tests.conftest import CONTRACT
from datong.kernel import ids

WANTED = (
    WantedColumn(name="id_number", aliases=("公民身份号码",)),
    WantedColumn(name="name", aliases=("姓名",)),
    WantedColumn(name="born_on", aliases=("出生日期",)),
    WantedColumn(name="phone", aliases=("联系电话",)),
)
HEADER = ["公民身份号码", "姓名", "出生日期", "联系电话"]


def test_the_contract_s_own_names_in_any_order() -> None:
    mapping = map_columns(["姓名", "ID_NUMBER", "born_on", "联系电话 "], WANTED)
    assert mapping.header == ("name", "id_number", "born_on", "phone")
    assert mapping.findings == ()


@pytest.mark.parametrize(
    ("renamed", "column"),
    [
        ("身份号码", "id_number"),
        ("xingming", "name"),
        ("xing_ming", "name"),
        ("出生年月日", "born_on"),
        ("联系电话号码", "phone"),
        ("联系-电话", "phone"),
    ],
)
def test_a_renamed_column_is_mapped_on_strong_evidence(renamed: str, column: str) -> None:
    header = [renamed if name == column else cell for name, cell in zip([w.name for w in WANTED], HEADER, strict=True)]
    mapping = map_columns(header, WANTED, "map")
    assert mapping.header == ("id_number", "name", "born_on", "phone")
    assert mapping.renamed == {column: renamed}
    assert mapping.findings[0].score >= STRONG
    assert mapping.findings[0].evidence_zh
    with pytest.raises(ColumnsDiffer) as refused:
        map_columns(header, WANTED)
    assert [s["column"] for s in refused.value.facts["suggestions"]] == [column]
    assert renamed in refused.value.hint_zh


def test_a_new_column_is_skipped_and_told() -> None:
    mapping = map_columns([*HEADER, "备注"], WANTED, "map")
    assert mapping.header == ("id_number", "name", "born_on", "phone", None)
    assert [(finding.kind, finding.header) for finding in mapping.findings] == [("new", "备注")]


def test_a_missing_column_is_refused_unless_it_may_be() -> None:
    with pytest.raises(ColumnsDiffer) as refused:
        map_columns(HEADER[:3], WANTED, "map")
    assert refused.value.facts["missing"] == ["phone"]
    assert refused.value.facts["suggestions"] == []
    mapping = map_columns(HEADER[:3], WANTED, "map", optional={"phone"})
    assert mapping.absent == ("phone",)
    assert mapping.findings[0].kind == "missing"


def test_weak_and_rivalled_evidence_is_no_mapping() -> None:
    for header in (["公民身份号码", "备注一", "出生日期", "联系电话"], [*HEADER[:3], "联系电话1", "联系电话2"]):
        with pytest.raises(ColumnsDiffer):
            map_columns(header, WANTED, "map")


def test_a_repeated_column_is_refused_always() -> None:
    with pytest.raises(ColumnsDiffer) as refused:
        map_columns([*HEADER, "姓名"], WANTED, "map")
    assert refused.value.facts["repeated"] == ["name"]


def test_content_speaks_against_a_name() -> None:
    contract = _contract()
    wanted = [WantedColumn(name=column.name, aliases=column.source_names) for column in contract.columns]
    header = ["身份号码", "姓名", "出生日期", "收入"]
    good = [["11010519491231002X", "张三", "1949-12-31", "1"]]
    bad = [["华夏路", "张三", "1949-12-31", "1"]]
    assert map_columns(header, wanted, "map", profile=profile_rows(contract.columns, good)).renamed
    with pytest.raises(ColumnsDiffer):
        map_columns(header, wanted, "map", profile=profile_rows(contract.columns, bad))


def test_any_order_of_any_header_maps_back() -> None:
    rng = ids.seeded(4)
    for _ in range(200):
        places = rng.sample(range(4), 4)
        header = [HEADER[i] for i in places]
        mapping = map_columns(header, WANTED, "map")
        assert mapping.header == tuple(WANTED[i].name for i in places)


def test_the_proposed_contract_ends_the_drift() -> None:
    contract = _contract()
    text, diff = propose_contract(contract, {"born_on": "出生年月日"})
    changed = parse_contract(text)
    wanted = [WantedColumn(name=column.name, aliases=column.source_names) for column in changed.columns]
    assert map_columns(["公民身份号码", "姓名", "出生年月日", "收入"], wanted).findings == ()
    added = [line for line in diff.splitlines() if line.startswith("+") and not line.startswith("+++")]
    assert [line.strip("+ ") for line in added] == ["physicalName: 出生年月日"]


def _contract() -> DataContract:
    return parse_contract(CONTRACT.format(id="people_x", agency="police", mode="replace"))
