"""市文化和旅游局: venues and their daily visitors, two sheets of one workbook with two-level headings."""

from __future__ import annotations

from typing import Final

import numpy as np

from datong.testing.city import columns as c
from datong.testing.city import places
from datong.testing.city.draws import Ints, choose, day_text, decimal_text, join, listed, number_text, padded
from datong.testing.city.model import EVENT_DAYS, Block, Rows, Table, TableSpec
from datong.testing.city.numbers import phone_numbers

_KINDS: Final = ("A级景区", "博物馆", "公共图书馆", "文化馆", "剧院", "星级饭店")
_SIGHTS: Final = listed("望江楼 龙泉寺 白沙洲 云台山 石桥古镇 桃源谷 芦荡湿地 北岭森林公园 东湖 古塔 盐仓遗址 南渡码头")
_VENUES_MAX: Final = 2800
"""A year of their days still fits on one sheet."""
_VENUE: Final = TableSpec(
    resource="culture_venue",
    agency="culture",
    title="文旅场所名录",
    title_en="Venues",
    purpose="安澜市景区、博物馆、图书馆等文旅场所的基本情况。",
    granularity="每个场所一行",
    directory_code="206001/000001",
    form="xlsx",
    file_name="culture_tourism.xlsx",
    sheet="场所名录",
    preamble=("安澜市文化和旅游场所名录（2026年）",),
    groups=(("场所", 4), ("位置", 3), ("承载量（人）", 2), ("联系", 1)),
    columns=(
        c.serial("venue_code", "场所编码", "Venue code", "WL[0-9]{6}"),
        c.words("name", "场所名称", "Venue", required=True, role="name"),
        c.coded("kind", "类别", "Kind", _KINDS),
        c.day("opened_on", "开放日期", "Opened on"),
        c.division(),
        c.address(title="地址"),
        c.amount("longitude", "经度", "Longitude", "度", role="", maximum=180),
        c.whole("daily_capacity", "日最大", "Daily capacity", 500_000, "人"),
        c.whole("instant_capacity", "瞬时最大", "Instantaneous capacity", 200_000, "人"),
        c.phone(),
    ),
    swaps=(("name", "address"), ("daily_capacity", "instant_capacity")),
    frequency=(1, "q"),
    condition="",
)


def _venues(block: Block) -> tuple[int, Ints, Ints]:
    """(how many, districts, daily capacities): the same for both tables."""
    count = min(max(6, block.people_total // 5000), _VENUES_MAX)
    draws = block.draws("venues")
    return (
        count,
        draws.pick(count, [share for _, share in places.DISTRICTS.values()]),
        200 + 50 * (draws.uniform(count) ** 3 * 400).astype(np.int64),
    )


def _venue(block: Block) -> Rows | None:
    if block.index:
        return None
    draws = block.draws("culture_venue")
    count, district, capacity = _venues(block)
    kind = draws.pick(count, [24, 14, 12, 12, 8, 30])
    suffix = ("景区", "博物馆", "图书馆", "文化馆", "剧院", "大酒店")
    titles = [name for name, _ in places.DISTRICTS.values()]
    return Rows(
        columns={
            "venue_code": join("WL", padded(np.arange(1, count + 1), 6)),
            "name": join(
                choose(titles, district), choose(_SIGHTS, draws.below(count, len(_SIGHTS))), choose(suffix, kind)
            ),
            "kind": choose(_KINDS, kind),
            "opened_on": day_text(block.today - 400 - draws.below(count, 12_000)),
            "division_code": places.district_codes(district),
            "address": places.premises(draws, district),
            "longitude": decimal_text(draws.between(count, 124.5, 125.5), 6),
            "daily_capacity": number_text(capacity),
            "instant_capacity": number_text(capacity * 11 // 20),
            "phone": phone_numbers(draws, count),
        },
        entity=np.arange(1, count + 1, dtype=np.int64),
    )


_FLOW: Final = TableSpec(
    resource="culture_flow",
    agency="culture",
    title="文旅场所客流日报",
    title_en="Daily visitors",
    purpose="文旅场所每日接待人数、预约和收入。",
    granularity="每个场所每天一行",
    directory_code="206001/000002",
    form="xlsx",
    file_name="culture_tourism.xlsx",
    sheet="客流日报",
    preamble=("安澜市文化和旅游场所客流日报", "填报单位：市文化和旅游局"),
    groups=(("场所", 2), ("客流（人次）", 3), ("收入（元）", 1)),
    columns=(
        c.serial("venue_code", "场所编码", "Venue code", "WL[0-9]{6}"),
        c.day("day", "日期", "Day", key=True),
        c.whole("visitors", "接待人数", "Visitors", 500_000, "人次"),
        c.whole("booked", "预约人数", "Booked", 500_000, "人次"),
        c.whole("peak", "瞬时峰值", "Peak", 200_000, "人次"),
        c.amount("income", "门票收入", "Ticket income", "元", maximum=50_000_000),
    ),
    swaps=(("visitors", "peak"),),
    condition="",
)


def _flow(block: Block) -> Rows | None:
    if block.index:
        return None
    draws = block.draws("culture_flow")
    venues, _, capacity = _venues(block)
    days = np.arange(block.today - min(EVENT_DAYS, 366) + 1, block.today + 1)
    day, venue = np.repeat(days, venues), np.tile(np.arange(venues), len(days))
    count = len(day)
    weekend = np.where((day + 6) % 7 >= 5, 1.7, 1.0)
    season = 1.0 + 0.5 * np.sin((day % 365) / 365 * 2 * np.pi - 1.2)
    visitors = np.minimum(capacity[venue] * 0.25 * weekend * season * draws.between(count, 0.5, 1.5), capacity[venue])
    visitors = visitors.astype(np.int64)
    return Rows(
        columns={
            "venue_code": join("WL", padded(venue + 1, 6)),
            "day": day_text(day),
            "visitors": number_text(visitors),
            "booked": number_text((visitors * draws.between(count, 0.6, 1.0)).astype(np.int64)),
            "peak": number_text((visitors * draws.between(count, 0.2, 0.45)).astype(np.int64)),
            "income": decimal_text(visitors * draws.between(count, 8, 60), 2),
        },
        entity=venue + 1,
    )


TABLES: Final = (Table(spec=_VENUE, make=_venue), Table(spec=_FLOW, make=_flow))
