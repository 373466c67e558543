"""市统计局: monthly series by district, in the wide habit of yearbooks made long."""

from __future__ import annotations

from typing import Final

import numpy as np

from datong.testing.city import columns as c
from datong.testing.city import places
from datong.testing.city.draws import choose, day_text, decimal_text
from datong.testing.city.model import Block, Rows, Table, TableSpec

_SERIES: Final = (
    ("规模以上工业增加值", "亿元", 9.0), ("社会消费品零售总额", "亿元", 14.0), ("固定资产投资", "亿元", 11.0),
    ("一般公共预算收入", "亿元", 3.2), ("居民人均可支配收入", "元", 3600.0), ("用电量", "万千瓦时", 21_000.0),
    ("居民消费价格指数", "上年同月=100", 100.6), ("城镇调查失业率", "%", 5.1),
)  # fmt: skip
_RATES: Final = ("上年同月=100", "%")
_TABLE: Final = TableSpec(
    resource="stats_series",
    agency="stats",
    title="主要经济指标月度数据",
    title_en="Monthly indicators",
    purpose="安澜市及各区县主要经济指标的月度数据。",
    granularity="每个指标每个地区每月一行",
    directory_code="307001990100/000002",
    form="csv",
    file_name="stats_series.csv",
    encoding="utf-8-sig",
    delimiter="\t",
    preamble=("数据库：安澜市月度数据", "时间：最近24个月"),
    footer=("注：当月数据为初步核算数，以年报为准。", "数据来源：安澜市统计局"),
    columns=(
        c.coded("indicator", "指标", "Indicator", tuple(name for name, _, _ in _SERIES), key=True),
        c.division(key=True, role="division"),
        c.day("month", "月份", "Month", key=True),
        c.amount("value", "数值", "Value", "", maximum=10_000_000, minimum=-10_000_000),
        c.words("unit", "计量单位", "Unit", required=True),
    ),
    swaps=(("value", "unit"),),
    frequency=(1, "mo"),
    condition="",
)


def _series(block: Block) -> Rows | None:
    if block.index:
        return None
    draws = block.draws("stats_series")
    months = np.array([_month_start(block, back) for back in range(24)])
    series, district, month = (
        part.ravel() for part in np.meshgrid(np.arange(len(_SERIES)), np.arange(6), np.arange(24))
    )
    count = len(series)
    base = np.array([level for _, _, level in _SERIES])[series]
    is_rate = np.array([unit in _RATES for _, unit, _ in _SERIES])[series]
    share = np.array([share for _, share in places.DISTRICTS.values()])[district] / 16.7
    trend = 1 + 0.004 * (24 - month) + 0.06 * np.sin(month * np.pi / 6)
    value = np.where(is_rate, base + draws.bell(count, 0, 0.4), base * share * trend * draws.between(count, 0.97, 1.03))
    return Rows(
        columns={
            "indicator": choose([name for name, _, _ in _SERIES], series),
            "division_code": places.district_codes(district),
            "month": day_text(months[month]),
            "value": decimal_text(value, 2),
            "unit": choose([unit for _, unit, _ in _SERIES], series),
        },
        entity=np.arange(1, count + 1, dtype=np.int64),
    )


def _month_start(block: Block, back: int) -> int:
    year, month = divmod(block.as_of.year * 12 + block.as_of.month - 1 - back, 12)
    return block.as_of.replace(year=year, month=month + 1, day=1).toordinal()


TABLES: Final = (Table(spec=_TABLE, make=_series),)
