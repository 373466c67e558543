"""市生态环境局: daily means of the air stations (HJ 633-2012 index), as Parquet."""

from __future__ import annotations

from typing import Final

import numpy as np

from datong.testing.city import columns as c
from datong.testing.city import places
from datong.testing.city.draws import Floats, choose, day_text, decimal_text, join, number_text, padded
from datong.testing.city.model import EVENT_DAYS, Block, Rows, Table, TableSpec

_LEVELS: Final = ("优", "良", "轻度污染", "中度污染", "重度污染", "严重污染")
_TABLE: Final = TableSpec(
    resource="eco_air",
    agency="eco",
    title="空气质量监测日数据",
    title_en="Air quality",
    purpose="环境空气质量监测站点的日均浓度和空气质量指数。",
    granularity="每个站点每天一行",
    directory_code="208001/000001",
    form="parquet",
    file_name="eco_air.parquet",
    heads="name",
    columns=(
        c.serial("station", "站点编码", "Station", "AQ[0-9]{4}"),
        c.day("day", "日期", "Day", key=True),
        c.division(),
        c.whole("pm25", "细颗粒物", "PM2.5", 1000, "微克/立方米"),
        c.whole("pm10", "可吸入颗粒物", "PM10", 2000, "微克/立方米"),
        c.whole("ozone", "臭氧", "Ozone", 800, "微克/立方米"),
        c.amount("carbon_monoxide", "一氧化碳", "CO", "毫克/立方米", maximum=60),
        c.whole("aqi", "空气质量指数", "AQI", 500),
        c.coded("level", "空气质量级别", "Level", _LEVELS),
    ),
    swaps=(("pm25", "pm10"), ("ozone", "pm25")),
    rules=(("可吸入颗粒物不低于细颗粒物", "pm10 >= pm25", "warn"),),
    condition="",
)


def _air(block: Block) -> Rows | None:
    if block.index:
        return None
    draws = block.draws("eco_air")
    stations = max(4, min(60, block.people_total // 60_000))
    days = np.arange(block.today - EVENT_DAYS + 1, block.today + 1)
    day, station = np.repeat(days, stations), np.tile(np.arange(stations), len(days))
    count = len(day)
    winter = 1 + 0.6 * np.cos((day % 365) / 365 * 2 * np.pi)
    weather = np.repeat(np.exp(draws.bell(len(days), 0, 0.4)), stations)
    fine = np.clip(26 * winter * weather * draws.between(count, 0.8, 1.25), 3, 480)
    coarse = fine * draws.between(count, 1.3, 2.0)
    ozone = np.clip(75 * (2.2 - winter) * draws.between(count, 0.6, 1.4), 5, 400)
    index = np.maximum(_index(fine), _index(coarse / 2)).astype(np.int64)
    return Rows(
        columns={
            "station": join("AQ", padded(station + 1, 4)),
            "day": day_text(day),
            "division_code": places.district_codes(station % 6),
            "pm25": number_text(fine.astype(np.int64)),
            "pm10": number_text(coarse.astype(np.int64)),
            "ozone": number_text(ozone.astype(np.int64)),
            "carbon_monoxide": decimal_text(np.clip(0.4 + fine / 80, 0.1, 20), 1),
            "aqi": number_text(index),
            "level": choose(_LEVELS, np.digitize(index, (51, 101, 151, 201, 301))),
        },
        entity=station + 1,
    )


def _index(fine: Floats) -> Floats:
    """The sub-index of PM2.5's daily mean (HJ 633-2012, table 1)."""
    found: Floats = np.interp(fine, (0, 35, 75, 115, 150, 250, 350, 500), (0, 50, 100, 150, 200, 300, 400, 500))
    return found


TABLES: Final = (Table(spec=_TABLE, make=_air),)
