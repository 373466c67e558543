"""安澜市 (Anlan), an invented city under division 9901, which GB/T 2260 gives to nobody."""

from __future__ import annotations

import datetime as dt
from typing import Final

from datong.standards.divisions import DivisionEntry, Divisions, national_divisions
from datong.testing.city.names import Draws

CITY_NAME: Final = "安澜市"
CITY_CODE: Final = "990100"
_SINCE: Final = dt.date(1949, 10, 1)

DISTRICTS: Final = {
    "990101": ("北岭区", 26), "990102": ("东湖区", 28), "990103": ("南渡区", 18), "990104": ("临江县", 11),
    "990105": ("西埠区", 10), "990106": ("青原县", 7),
}  # fmt: skip
"""Code → name and share of the people in hundredths."""

_STREETS: Final = (
    "望江街道 石桥街道 文昌街道 新港街道 翠屏街道",
    "湖滨街道 学府街道 春晓街道 明珠街道 科苑街道",
    "渡口街道 清河街道 南关街道 柳园街道",
    "城关镇 白沙镇 龙潭镇 柏树乡",
    "西埠街道 盐仓街道 长堤镇",
    "青原镇 云台镇 桃源乡",
)
_ROADS_TEXT: Final = (
    "人民路 解放路 中山路 建设路 文化路 滨江大道 安澜大道 学院路 长虹路 新华街 和平街 青年路 朝阳路 光明街 友谊路 "
    "湖滨路 迎宾路 工业路 桃园路 梧桐街 银杏路 春申巷 古塔巷 学士巷 石井巷 望岳路 金桥路 团结路 胜利街 复兴路"
)
_COMMUNITIES_TEXT: Final = (
    "阳光花园 翠湖名苑 安居小区 锦绣家园 世纪新城 滨江苑 怡和园 学府里 书香门第 桂花园 紫荆苑 东方明珠 金色家园 "
    "幸福里 康乐小区 铁路新村 纺织新村 机械厂家属院 教师公寓 御景湾 江南春晓 丽水佳园 梧桐苑 兰亭小区"
)
_ROADS: Final = _ROADS_TEXT.split()
_COMMUNITIES: Final = _COMMUNITIES_TEXT.split()
STREETS: Final = {code: streets.split() for code, streets in zip(DISTRICTS, _STREETS, strict=True)}

CITY_DIVISIONS: Final = (
    DivisionEntry(code="990000", name="海晏省", valid_from=_SINCE),
    DivisionEntry(code=CITY_CODE, name=CITY_NAME, valid_from=_SINCE),
    *(DivisionEntry(code=code, name=name, valid_from=_SINCE) for code, (name, _) in DISTRICTS.items()),
)
"""The invented codes, for `Divisions.with_supplement`."""


def city_divisions() -> Divisions:
    """The national table and the invented city."""
    return national_divisions().with_supplement(CITY_DIVISIONS)


class AddressMaker:
    """Draws addresses from one generator."""

    def __init__(self, draws: Draws) -> None:
        self._random = draws.random
        self._prefixes = {
            code: [f"{CITY_NAME}{DISTRICTS[code][0]}{street}" for street in streets]
            for code, streets in STREETS.items()
        }

    def dwelling(self, division_code: str) -> str:
        """A flat: road, number, estate, building, entrance, room."""
        draw = self._random
        prefixes = self._prefixes[division_code]
        place = int(draw() * 9_000_000)
        place, building = divmod(place, 30)
        place, entrance = divmod(place, 4)
        place, floor = divmod(place, 18)
        _, door = divmod(place, 4)
        return (
            f"{prefixes[int(draw() * len(prefixes))]}{_ROADS[int(draw() * len(_ROADS))]}{int(draw() * 300) + 1}号"
            f"{_COMMUNITIES[int(draw() * len(_COMMUNITIES))]}{building + 1}幢"
            f"{entrance + 1}单元{floor + 1}{door + 1:02d}室"
        )

    def premises(self, division_code: str) -> str:
        """A firm's address: road, number, at times a floor."""
        draw = self._random
        prefixes = self._prefixes[division_code]
        floor = f"{int(draw() * 20) + 1}层" if draw() < 0.4 else ""
        street, road = prefixes[int(draw() * len(prefixes))], _ROADS[int(draw() * len(_ROADS))]
        return f"{street}{road}{int(draw() * 600) + 1}号{floor}"
