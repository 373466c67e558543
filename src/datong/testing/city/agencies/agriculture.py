"""市农业农村局: contracted land (workbook with units in the headings) and field stations (JSON)."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from datong.testing.city import columns as c
from datong.testing.city import places
from datong.testing.city.draws import choose, day_text, decimal_text, join, number_text, padded
from datong.testing.city.model import Block, Rows, Table, TableSpec

_CROPS: Final = ("水稻", "小麦", "油菜", "蔬菜", "茶叶", "柑橘", "休耕")
_HOLDING: Final = TableSpec(
    resource="agri_holding",
    agency="agri",
    title="农村土地承包信息",
    title_en="Contracted land",
    purpose="农村土地承包经营权登记的承包方、面积和作物。",
    granularity="每份承包合同一行",
    directory_code="207001/000001",
    form="xlsx",
    file_name="agri_holding.xlsx",
    sheet="承包台账",
    preamble=("安澜市农村土地承包经营权登记台账",),
    groups=(("合同", 1), ("承包方", 3), ("承包地", 4), ("期限", 2)),
    columns=(
        c.serial("contract_number", "承包合同编号", "Contract number", "CB9901[0-9]{8}"),
        c.identity(title="承包方代表身份号码", title_en="Holder's identity number"),
        c.person_name(title="承包方代表", title_en="Holder"),
        c.phone(),
        c.division(),
        c.address(title="坐落", grade="一般2级"),
        c.amount("area", "承包面积", "Area", "亩", header="承包面积（亩）", maximum=10_000),
        c.coded("crop", "种植作物", "Crop", _CROPS),
        c.day("begins_on", "承包起始日期", "Begins on"),
        c.day("ends_on", "承包终止日期", "Ends on"),
    ),
    swaps=(("name", "address"), ("begins_on", "ends_on")),
    rules=(("终止日期不早于起始日期", "ends_on >= begins_on", "reject"),),
    frequency=(1, "y"),
)


def _holding(block: Block) -> Rows:
    people, draws = block.people, block.draws("agri_holding")
    rural = np.isin(people.district, (3, 5))
    chosen = np.flatnonzero(
        rural & (people.role == 0) & (people.age > 30) & (people.status == 0) & draws.chance(len(people), 0.45)
    )
    count, at = len(chosen), pa.array(chosen)
    begins = block.today - 365 - draws.below(count, 3000)
    return Rows(
        columns={
            "contract_number": join("CB9901", padded(block.serial("holding", count), 8)),
            "id_number": people.id_number.take(at),
            "name": people.name.take(at),
            "phone": people.phone.take(at),
            "division_code": places.district_codes(people.district[chosen]),
            "address": people.address.take(at),
            "area": decimal_text(np.minimum(np.exp(draws.bell(count, 1.9, 0.6)), 900), 2),
            "crop": choose(_CROPS, draws.pick(count, [36, 8, 14, 22, 8, 8, 4])),
            "begins_on": day_text(begins),
            "ends_on": day_text(begins + 10_957),
        },
        entity=people.number[chosen],
        person=people.number[chosen],
    )


_STATION: Final = TableSpec(
    resource="agri_station",
    agency="agri",
    title="农情监测站点日数据",
    title_en="Field stations",
    purpose="农业气象和墒情监测站点的每日观测。",
    granularity="每个站点每天一行",
    directory_code="207001/000002",
    form="json",
    file_name="agri_station.json",
    heads="name",
    record="stations",
    columns=(
        c.serial("station", "站点编号", "Station", "NQ[0-9]{4}", path="station"),
        c.day("day", "日期", "Day", key=True, path="day"),
        c.division(path="division"),
        c.amount(
            "temperature", "日均气温", "Mean temperature", "℃", minimum=-40, maximum=50, path="weather.temperature"
        ),
        c.amount("rain", "降水量", "Rain", "毫米", maximum=800, path="weather.rain"),
        c.amount("moisture", "土壤相对湿度", "Soil moisture", "%", maximum=100, path="soil.moisture"),
    ),
    swaps=(("temperature", "moisture"),),
    condition="",
)


def _station(block: Block) -> Rows | None:
    if block.index:
        return None
    draws = block.draws("agri_station")
    stations = max(3, min(400, block.people_total // 20_000))
    days = np.arange(block.today - 179, block.today + 1)
    day, station = np.repeat(days, stations), np.tile(np.arange(stations), len(days))
    count = len(day)
    warm = 17 + 11 * np.sin((day % 365) / 365 * 2 * np.pi - 1.9) + draws.bell(count, 0, 2)
    rain = np.where(draws.chance(count, 0.35), np.exp(draws.bell(count, 1.5, 1.1)), 0.0)
    return Rows(
        columns={
            "station": join("NQ", padded(station + 1, 4)),
            "day": day_text(day),
            "division_code": places.district_codes(np.array([3, 5, 2])[station % 3]),
            "temperature": decimal_text(np.clip(warm, -20, 45), 1),
            "rain": decimal_text(np.minimum(rain, 300), 1),
            "moisture": number_text(np.clip(55 + rain + draws.bell(count, 0, 8), 5, 100).astype(np.int64)),
        },
        entity=station + 1,
    )


TABLES: Final = (Table(spec=_HOLDING, make=_holding), Table(spec=_STATION, make=_station))
