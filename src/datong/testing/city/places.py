"""安澜市 (Anlan), an invented city of the invented province 99, which GB/T 2260 gives to nobody; and its addresses.

Its divisions have a history: 旧城区 was merged into 北岭区 in 2012, 西埠县 became 西埠区 under a new code in 2014.
People moving in and out name real divisions of other provinces (`elsewhere`), from the national table.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Final

import numpy as np

from datong.standards.divisions import DivisionEntry, Divisions, national_divisions
from datong.testing.city.draws import Draws, Ints, Text, choose, join, listed, number_text, padded, texts

CITY_NAME: Final = "安澜市"
CITY_CODE: Final = "990100"
_SINCE: Final = dt.date(1949, 10, 1)

DISTRICTS: Final = {
    "990101": ("北岭区", 26), "990102": ("东湖区", 28), "990103": ("南渡区", 18), "990104": ("临江县", 11),
    "990105": ("西埠区", 10), "990106": ("青原县", 7),
}  # fmt: skip
"""Code → name and share of the people in hundredths."""
RETIRED: Final = {
    "990111": ("旧城区", "990101", dt.date(2012, 9, 1)),
    "990125": ("西埠县", "990105", dt.date(2014, 4, 1)),
}
"""Code → name, the code that took its place, and the day from which it no longer stands."""
NEIGHBOURS: Final = {
    "990201": "望海市望潮区", "990202": "望海市渔浦区", "990221": "望海市石浦县", "990301": "凤溪市凤鸣区",
    "990321": "凤溪市溪口县",
}  # fmt: skip
"""Where else in the invented province the city's people were born."""

DISTRICT_CODES: Final = tuple(DISTRICTS)
REGIONS: Final = (*DISTRICTS, *RETIRED, *NEIGHBOURS)
"""All divisions in which somebody of the city may have been born and numbered."""

_STREETS: Final = (
    "望江街道 石桥街道 文昌街道 新港街道 翠屏街道 北岭街道 钟楼街道 松风街道",
    "湖滨街道 学府街道 春晓街道 明珠街道 科苑街道 东湖街道 荷塘街道 云栖街道",
    "渡口街道 清河街道 南关街道 柳园街道 码头街道 灯塔街道",
    "城关镇 白沙镇 龙潭镇 柏树乡 江口镇",
    "西埠街道 盐仓街道 长堤镇 芦荡镇",
    "青原镇 云台镇 桃源乡 石门乡",
)
_ROADS: Final = listed(
    "人民路 解放路 中山路 建设路 文化路 滨江大道 安澜大道 学院路 长虹路 新华街 和平街 青年路 朝阳路 光明街 "
    "友谊路 湖滨路 迎宾路 工业路 桃园路 梧桐街 银杏路 春申巷 古塔巷 学士巷 石井巷 望岳路 金桥路 团结路 胜利街 "
    "复兴路 民主路 前进路 幸福路 红旗路 东风路 环城北路 环城南路 沿河路 车站路 体育路 科技路 创业路 丰收路 "
    "茶亭巷 米市巷 竹竿巷 打铁巷 玉带街 凤凰路 龙泉路"
)
_COMMUNITIES: Final = listed(
    "阳光花园 翠湖名苑 安居小区 锦绣家园 世纪新城 滨江苑 怡和园 学府里 书香门第 桂花园 紫荆苑 东方明珠 "
    "金色家园 幸福里 康乐小区 铁路新村 纺织新村 机械厂家属院 教师公寓 御景湾 江南春晓 丽水佳园 梧桐苑 "
    "兰亭小区 电力小区 银河湾 碧水云天 枫林晚 望江楼小区 玫瑰园 工人新村 供销社宿舍 华府 水岸名都 橡树湾 "
    "春江花月"
)
STREETS: Final = {code: streets.split() for code, streets in zip(DISTRICTS, _STREETS, strict=True)}

CITY_DIVISIONS: Final = (
    DivisionEntry(code="990000", name="海晏省", valid_from=_SINCE),
    DivisionEntry(code=CITY_CODE, name=CITY_NAME, valid_from=_SINCE),
    *(
        DivisionEntry(
            code=code,
            name=name,
            valid_from=next((end for _, heir, end in RETIRED.values() if heir == code and code == "990105"), _SINCE),
        )
        for code, (name, _) in DISTRICTS.items()
    ),
    *(DivisionEntry(code=code, name=name, valid_from=_SINCE, valid_to=end) for code, (name, _, end) in RETIRED.items()),
    DivisionEntry(code="990200", name="望海市", valid_from=_SINCE),
    DivisionEntry(code="990300", name="凤溪市", valid_from=_SINCE),
    *(DivisionEntry(code=code, name=name[3:], valid_from=_SINCE) for code, name in NEIGHBOURS.items()),
)
"""The invented codes, for `Divisions.with_supplement`."""


@cache
def city_divisions() -> Divisions:
    """The national table and the invented city."""
    return national_divisions().with_supplement(CITY_DIVISIONS)


@cache
def elsewhere() -> tuple[Text, Text]:
    """(codes, full names) of the real counties of the nation, as of the last revision of the national table."""
    table = national_divisions()
    day = table.last or dt.date(2014, 1, 1)
    codes = [code for code, _ in table.as_of_table(day) if not code.endswith("00")]
    named = [(code, table.full_name_at(code, day)) for code in codes if not table.history(code)[-1].is_placeholder]
    return texts([code for code, _ in named]), texts([name or "" for _, name in named])


def birth_regions(draws: Draws, home: Ints, born: Ints) -> Ints:
    """Places in REGIONS: three in four were born where they live, under the code of that time."""
    count = len(home)
    drawn = draws.uniform(count)
    shares = [share for _, share in DISTRICTS.values()]
    other = draws.pick(count, shares)
    far = len(DISTRICTS) + len(RETIRED) + draws.below(count, len(NEIGHBOURS))
    found = np.where(drawn < 0.75, home, np.where(drawn < 0.9, other, far))
    for place, (code, (_, heir, end)) in enumerate(RETIRED.items(), start=len(DISTRICTS)):
        share = 1.0 if heir == "990105" else 0.35  # all of the county, the old town's part of 北岭区
        of_old = (found == DISTRICT_CODES.index(heir)) & (born < end.toordinal()) & draws.chance(count, share)
        found = np.where(of_old, place, found)
        assert REGIONS[place] == code
    return found


@cache
def _streets() -> tuple[Text, Ints, Ints]:
    """(city, district and street; first street of each district; how many)."""
    counts = np.array([len(streets) for streets in STREETS.values()], dtype=np.int64)
    prefixes = [f"{CITY_NAME}{DISTRICTS[code][0]}{street}" for code, streets in STREETS.items() for street in streets]
    return texts(prefixes), np.concatenate(([0], np.cumsum(counts)[:-1])), counts


def _street(draws: Draws, district: Ints) -> Text:
    prefixes, first, counts = _streets()
    place = first[district] + (draws.uniform(len(district)) * counts[district]).astype(np.int64)
    return choose(prefixes, place)


def dwellings(draws: Draws, district: Ints) -> Text:
    """Flats: road, number, estate, building, entrance, room."""
    count = len(district)
    room = join(number_text(1 + draws.below(count, 18)), padded(1 + draws.below(count, 4), 2))
    return join(
        _street(draws, district),
        choose(_ROADS, draws.below(count, len(_ROADS))),
        number_text(1 + draws.below(count, 300)),
        "号",
        choose(_COMMUNITIES, draws.below(count, len(_COMMUNITIES))),
        number_text(1 + draws.below(count, 30)),
        "幢",
        number_text(1 + draws.below(count, 4)),
        "单元",
        room,
        "室",
    )


def premises(draws: Draws, district: Ints) -> Text:
    """Addresses of firms and facilities: road, number, at times a floor."""
    count = len(district)
    floors = texts(["", *[f"{floor}层" for floor in range(1, 21)]])
    floor = np.where(draws.chance(count, 0.4), 1 + draws.below(count, 20), 0)
    return join(
        _street(draws, district),
        choose(_ROADS, draws.below(count, len(_ROADS))),
        number_text(1 + draws.below(count, 600)),
        "号",
        choose(floors, floor),
    )


def district_codes(district: Ints) -> Text:
    return choose(DISTRICT_CODES, district)
