"""市自然资源局: parcels of land as GeoJSON. The city lies at sea (124.5–125.5° E, 29–30° N): no map has a house."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from datong.testing.city import columns as c
from datong.testing.city import places
from datong.testing.city.draws import Draws, Floats, Ints, Text, choose, day_text, decimal_text, join, padded
from datong.testing.city.model import Block, Rows, Table, TableSpec

WEST, SOUTH = 124.5, 29.0
_USES: Final = ("0701", "0702", "0501", "0601", "0801", "0101", "0103", "0301")
"""GB/T 21010-2017: 城镇住宅 农村宅基地 零售商业 工业 机关团体 水田 旱地 乔木林地."""
_PARCEL: Final = TableSpec(
    resource="nr_parcel",
    agency="nr",
    title="宗地信息",
    title_en="Parcels",
    purpose="安澜市已登记宗地的权利人、用途、面积和界址。",
    granularity="每宗地一行",
    directory_code="103001/000001",
    form="geojson",
    file_name="nr_parcel.geojson",
    heads="name",
    columns=(
        c.serial("parcel_code", "宗地代码", "Parcel code", "9901[0-9]{2}[0-9]{6}[A-Z]{2}[0-9]{5}"),
        c.address(title="坐落", title_en="Location", grade="一般2级"),
        c.division(),
        c.coded("land_use", "地类编码", "Land use", _USES),
        c.amount("area", "宗地面积", "Area", "平方米", maximum=10_000_000),
        c.words("holder", "权利人", "Holder", required=True, role="name", length=200),
        c.credit_code("holder_code", "权利人统一社会信用代码", "Holder's credit code"),
        c.day("registered_on", "登记日期", "Registered on"),
        c.amount("longitude", "中心经度", "Longitude", "度", role="", maximum=180),
        c.amount("latitude", "中心纬度", "Latitude", "度", role="", maximum=90),
    ),
    swaps=(("holder", "address"), ("longitude", "latitude")),
)


def scatter(draws: Draws, district: Ints) -> tuple[Floats, Floats]:
    """Longitudes and latitudes: each district is a round of its own, denser in its middle."""
    count = len(district)
    angle = draws.uniform(count) * 2 * np.pi
    reach = draws.uniform(count) ** 0.7 * 0.12
    middle = np.array([(0.30, 0.55), (0.55, 0.50), (0.45, 0.25), (0.80, 0.65), (0.15, 0.35), (0.75, 0.20)])[district]
    return WEST + middle[:, 0] + reach * np.cos(angle), SOUTH + middle[:, 1] + reach * np.sin(angle)


def _parcel(block: Block) -> Rows:
    draws, firms = block.draws("nr_parcel"), block.firms
    chosen = np.flatnonzero(draws.chance(len(firms), 0.5))
    count, at = len(chosen), pa.array(chosen)
    district = firms.of_register("district")[chosen]
    area = np.exp(draws.bell(count, 6.6, 1.1))
    east, north = scatter(draws, district)
    side = np.sqrt(area) / 111_000 / 2
    wide = side * draws.between(count, 0.7, 1.4)
    registered = np.minimum(firms.established[chosen] + draws.below(count, 400), block.today)
    serial = block.serial("parcel", count)
    return Rows(
        columns={
            "parcel_code": join(
                places.district_codes(district), padded(serial // 50, 6), "GB", padded(serial % 99_999, 5)
            ),
            "address": firms.address.take(at),
            "division_code": places.district_codes(district),
            "land_use": choose(_USES, draws.pick(count, [22, 8, 26, 26, 6, 5, 4, 3])),
            "area": decimal_text(area, 2),
            "holder": firms.text_of_register("name").take(at),
            "holder_code": firms.text_of_register("uscc").take(at),
            "registered_on": day_text(registered),
            "longitude": decimal_text(east, 6),
            "latitude": decimal_text(north, 6),
        },
        entity=firms.number[chosen],
        extra={"ring": ring(east, north, wide, side * side / wide)},
    )


def ring(east: Floats, north: Floats, wide: Floats, high: Floats) -> Text:
    """The closed ring of a rectangle, counter-clockwise (RFC 7946, 3.1.6), as JSON."""
    corners = []
    for step_east, step_north in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)):
        x, y = decimal_text(east + step_east * wide, 7), decimal_text(north + step_north * high, 7)
        corners.append(join("[", x, ",", y, "]"))
    commas = [part for corner in corners for part in (corner, ",")][:-1]
    return join('{"type":"Polygon","coordinates":[[', *commas, "]]}")


TABLES: Final = (Table(spec=_PARCEL, make=_parcel),)
