"""Every form of file through the page: maps, JSON, XML, workbook, shapefile, Parquet; 双公示 with planted faults."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from datong.testing.city.build import build_city
from datong.testing.city.model import CityReport
from datong.testing.instance import Instance
from datong.testing.real_files import contract_text
from datong.testing.reference import find_reference_file
from tests.system.delivered import (
    make_contract,
    write_licences,
    write_parquet,
    write_penalties,
    write_shapefile,
    write_workbook,
)
from tests.system.real_page import SUFFIX, Report, Steward, describe, renamed, sign_in

pytestmark = [pytest.mark.xdist_group("instance"), pytest.mark.timeout(300)]
_READING = "  - {{property: reading, value: {}}}\n"
CONTRACTS = {
    "civil_areas": (
        "civil",
        make_contract(
            "civil_areas", "civil", "103001/000811", {"adcode": ("代码", "string"), "name": ("名称", "string"),
            "geometry": ("图形", "string")}, key="adcode", words="  - {property: schemaDrift, value: map}\n",
        ),
    ),
    "stats_sites": (
        "stats",
        make_contract("stats_sites", "stats", "307001990100/000802", {"url": ("网址", "string"),
            "name": ("名称", "string"), "category": ("类别", "string")}, key="url"),
    ),
    "stats_rates": (
        "stats",
        make_contract("stats_rates", "stats", "307001990100/000803", {"month": ("月份", "string"),
            "rate": ("汇率", "number")}, key="month", words=_READING.format(
            "{record_path: Obs, fields: {month: ObsDimension/@value, rate: ObsValue/@value}}")),
    ),
    "stats_yearbook": (
        "stats",
        make_contract("stats_yearbook", "stats", "307001990100/000804", {"region": ("地区", "string"),
            "second": ("生产总值/第二产业", "number"), "third": ("生产总值/第三产业", "number"),
            "published": ("公布日期", "date")}, key="region"),
    ),
    "eco_points": (
        "eco",
        make_contract("eco_points", "eco", "211001/000805", {"site": ("站点", "string"), "name": ("名称", "string"),
            "geometry": ("图形", "string")}, key="site"),
    ),
    "transport_visitors": (
        "transport",
        make_contract("transport_visitors", "transport", "209001/000806", {"day": ("日期", "date"),
            "visitors": ("客流", "integer")}, key="day"),
    ),
}  # fmt: skip
LAYOUTS = ("amr_licence", "amr_penalty")
FULL = ("amr_credit_licence", "amr_credit_penalty")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> CityReport:
    return build_city(tmp_path_factory.mktemp("city"), people=6000, firms=900, dirt="usual", only=LAYOUTS)


@pytest.fixture(scope="module")
def stewards(instance: Instance, city: CityReport) -> Iterator[dict[str, Steward]]:
    contracts = list(CONTRACTS.values())
    for name in LAYOUTS:
        text = (city.out / "contracts" / f"{name}.odcs.yaml").read_text(encoding="utf-8")
        contracts.append(("amr", renamed(text, LAYOUTS)))
    contracts += [("amr", renamed(contract_text(name), FULL)) for name in FULL]
    describe(instance, contracts)
    with ExitStack() as doors:
        agencies = ("amr", "civil", "eco", "stats", "transport")
        yield {agency: doors.enter_context(sign_in(instance, agency)) for agency in agencies}


def hand_in(stewards: dict[str, Steward], resource: str, name: str, content: bytes) -> Report:
    return stewards[CONTRACTS[resource][0]].hand_in(resource, name, content)


@pytest.mark.parametrize(
    ("name", "resource", "rows", "told"),
    [
        ("geo/china_provinces.geojson", "civil_areas", 34, "cp"),
        ("geo/china_prefectures.geojson", "civil_areas", 367, "cp"),
        ("gov/gov_homepages_central.jsonl", "stats_sites", 44, ""),
        ("sdmx/ECB_EXR_1_M.USD.EUR.SP00.A.xml", "stats_rates", 0, ""),
    ],
    ids=["provinces", "prefectures", "json-lines", "xml"],
)
def test_a_real_file_in_another_form(
    stewards: dict[str, Steward], name: str, resource: str, rows: int, told: str
) -> None:
    path = find_reference_file(name)
    if path is None:
        pytest.skip("the folder of real files is not beside the project")
    rows = rows or path.read_bytes().count(b"<generic:Obs>")
    report = hand_in(stewards, resource, path.name, path.read_bytes())
    assert rows > 10
    assert report.counts == (rows, rows, 0)
    assert told in report.text


def test_a_workbook_with_merged_headers(stewards: dict[str, Steward]) -> None:
    report = hand_in(stewards, "stats_yearbook", "年鉴.xlsx", write_workbook())
    assert report.counts == (3, 2, 1)
    for told in ("表头有2行", "表上注明单位：亿元", "行号按工作表的行计", "未作为数据"):
        assert told in report.text
    [refused] = report.download_quarantine()
    assert (refused["line"], refused["column"]) == ("7", "second")
    assert "未公布" in refused.values()


def test_a_shapefile_in_gbk(stewards: dict[str, Steward], tmp_path: Path) -> None:
    report = hand_in(stewards, "eco_points", "站点.zip", write_shapefile(tmp_path, ["城东站", "滨江站", "湖畔站"]))
    assert report.counts == (3, 3, 0)
    assert "gb18030" in report.text.lower()


def test_parquet(stewards: dict[str, Steward]) -> None:
    report = hand_in(stewards, "transport_visitors", "visitors.parquet", write_parquet())
    assert report.counts == (31, 31, 0)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_city_bureau_hands_in_its_decisions_with_their_bill(
    stewards: dict[str, Steward], city: CityReport, name: str
) -> None:
    copy = city.copies[name]
    bill = copy.path.with_name(f"{name}.bill.json").read_bytes()
    report = stewards["amr"].hand_in(name + SUFFIX, copy.path.name, copy.path.read_bytes(), bill=bill)
    read, accepted, refused = report.counts
    assert read == copy.rows > 20
    assert accepted + refused == read
    assert accepted > 0


def read_firms(city: CityReport) -> list[dict[str, str]]:
    """The clean rows of the city's licences: a firm each, as the register knows it."""
    clean = build_city(city.out / "clean", people=3000, firms=300, dirt="none", only=("amr_licence",))
    with clean.copies["amr_licence"].path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter="|"))


@pytest.mark.parametrize(("name", "write"), [(FULL[0], write_licences), (FULL[1], write_penalties)])
def test_the_full_layout_names_each_planted_fault(
    stewards: dict[str, Steward],
    city: CityReport,
    name: str,
    write: Callable[[Sequence[Mapping[str, str]]], tuple[bytes, dict[int, str]]],
) -> None:
    firms = read_firms(city)
    assert len(firms) > 50
    content, broken = write(firms)
    report = stewards["amr"].hand_in(name + SUFFIX, f"{name}.csv", content)
    refused = {int(row["line"]): row["rule"] for row in report.download_quarantine()}
    assert refused == broken
    assert report.counts == (len(firms), len(firms) - len(broken), len(broken))
