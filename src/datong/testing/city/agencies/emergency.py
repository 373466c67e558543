"""市应急管理局: facilities (GeoJSON points) and hazards found at firms (XML)."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from datong.testing.city import columns as c
from datong.testing.city import places
from datong.testing.city.agencies.land import scatter
from datong.testing.city.draws import choose, day_text, decimal_text, join, number_text, padded, where
from datong.testing.city.model import Block, Rows, Table, TableSpec

_KINDS: Final = ("应急避难场所", "消防站", "物资储备库", "危险化学品仓库", "加油站", "医疗救治点")
_FACILITY: Final = TableSpec(
    resource="emergency_facility",
    agency="emergency",
    title="应急设施信息",
    title_en="Emergency facilities",
    purpose="应急避难场所、消防站、物资库和重点风险点的位置和容量。",
    granularity="每处设施一行",
    directory_code="209001/000001",
    form="geojson",
    file_name="emergency_facility.geojson",
    heads="name",
    columns=(
        c.serial("facility_code", "设施编码", "Facility code", "YJ[0-9]{7}"),
        c.words("name", "设施名称", "Facility", required=True, role="name"),
        c.coded("kind", "设施类别", "Kind", _KINDS),
        c.division(),
        c.address(title="地址", grade="一般2级"),
        c.whole("capacity", "容量", "Capacity", 200_000, "人"),
        c.words("contact", "负责人", "In charge", grade="一般2级"),
        c.phone(),
        c.day("inspected_on", "最近检查日期", "Inspected on"),
    ),
    swaps=(("name", "contact"), ("name", "address")),
    condition="",
    frequency=(1, "mo"),
)


def _facility(block: Block) -> Rows:
    draws, people = block.draws("emergency_facility"), block.people
    count = max(8, len(people) // 250)
    district = draws.pick(count, [share for _, share in places.DISTRICTS.values()])
    kind = draws.pick(count, [44, 8, 10, 6, 20, 12])
    east, north = scatter(draws, district)
    serial = block.serial("facility", count)
    in_charge = pa.array(draws.below(count, len(people)))
    titles = [name for name, _ in places.DISTRICTS.values()]
    return Rows(
        columns={
            "facility_code": join("YJ", padded(serial, 7)),
            "name": join(choose(titles, district), "第", number_text(serial), choose(_KINDS, kind)),
            "kind": choose(_KINDS, kind),
            "division_code": places.district_codes(district),
            "address": places.premises(draws, district),
            "capacity": number_text(50 + 10 * (draws.uniform(count) ** 2 * 900).astype(np.int64)),
            "contact": people.name.take(in_charge),
            "phone": people.phone.take(in_charge),
            "inspected_on": day_text(block.today - draws.below(count, 400)),
        },
        entity=serial,
        extra={
            "ring": join('{"type":"Point","coordinates":[', decimal_text(east, 6), ",", decimal_text(north, 6), "]}")
        },
    )


_LEVELS: Final = ("一般隐患", "重大隐患")
_HAZARDS: Final = (
    "疏散通道堵塞",
    "消防设施失效",
    "电气线路老化",
    "危险作业未审批",
    "特种作业无证上岗",
    "可燃物违规堆放",
)
_HAZARD: Final = TableSpec(
    resource="emergency_hazard",
    agency="emergency",
    title="安全生产隐患信息",
    title_en="Hazards",
    purpose="执法检查和企业自查发现的安全生产隐患及其整改。",
    granularity="每条隐患一行",
    directory_code="209001/000002",
    form="xml",
    file_name="emergency_hazard.xml",
    record="hazard",
    heads="name",
    columns=(
        c.serial("hazard_number", "隐患编号", "Hazard number", "YH[0-9]{9}"),
        c.credit_code("site_code", "企业统一社会信用代码", "Firm's credit code"),
        c.firm_name("site", "企业名称", "Firm"),
        c.coded("level", "隐患等级", "Level", _LEVELS),
        c.words("finding", "隐患内容", "Finding", required=True),
        c.day("found_on", "发现日期", "Found on"),
        c.day("due_on", "整改期限", "Due on"),
        c.day("closed_on", "整改完成日期", "Closed on", required=False),
        c.address("place", "地点", "Place", grade="一般1级"),
    ),
    swaps=(("site", "finding"), ("found_on", "due_on")),
    rules=(("整改期限不早于发现日期", "due_on >= found_on", "reject"),),
    condition="",
)


def _hazard(block: Block) -> Rows:
    draws, firms = block.draws("emergency_hazard"), block.firms
    chosen = np.flatnonzero(draws.chance(len(firms), 0.12))
    count, at = len(chosen), pa.array(chosen)
    found = np.maximum(block.recent_days(draws, count), firms.established[chosen])
    closed = found + 3 + draws.below(count, 40)
    return Rows(
        columns={
            "hazard_number": join("YH", padded(block.serial("hazard", count), 9)),
            "site_code": firms.text_of_register("uscc").take(at),
            "site": firms.text_of_register("name").take(at),
            "level": choose(_LEVELS, draws.pick(count, [93, 7])),
            "finding": choose(_HAZARDS, draws.below(count, len(_HAZARDS))),
            "found_on": day_text(found),
            "due_on": day_text(found + 30),
            "closed_on": where(closed <= block.today, day_text(closed), ""),
            "place": firms.address.take(at),
        },
        entity=firms.number[chosen],
        event="hazard",
        day=found,
    )


TABLES: Final = (Table(spec=_FACILITY, make=_facility), Table(spec=_HAZARD, make=_hazard))
