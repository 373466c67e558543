"""市交通运输局: vehicles, out of an old system as a MySQL dump; operators of road transport as plain UTF-8."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from datong.testing.city import columns as c
from datong.testing.city.draws import choose, day_text, join, number_text, padded
from datong.testing.city.model import Block, Rows, Table, TableSpec

_TYPES: Final = ("小型轿车", "小型普通客车", "轻型货车", "重型货车", "摩托车", "大型客车")
_LETTERS: Final = tuple("ABCDEFGHJKLMNPQRSTUVWXYZ")
_VEHICLE: Final = TableSpec(
    resource="transport_vehicle",
    agency="transport",
    title="机动车登记信息",
    title_en="Vehicles",
    purpose="在安澜市登记的机动车及其所有人。",
    granularity="每辆车一行",
    directory_code="205001/000001",
    form="mysql",
    file_name="transport_vehicle.sql",
    heads="name",
    columns=(
        c.serial("plate", "号牌号码", "Plate", "海[A-Z][A-Z0-9]{5,6}"),
        c.words("vin", "车辆识别代号", "VIN", required=True, pattern="[A-HJ-NPR-Z0-9]{17}", length=17),
        c.coded("kind", "车辆类型", "Kind", _TYPES),
        c.person_name("owner", "所有人", "Owner"),
        c.identity("owner_id", "所有人公民身份号码", "Owner's identity number"),
        c.phone(),
        c.day("registered_on", "初次登记日期", "First registered on"),
        c.day("valid_until", "检验有效期止", "Inspection valid until"),
        c.coded("state", "机动车状态", "State", ("正常", "逾期未检验", "注销")),
    ),
    swaps=(("plate", "vin"), ("registered_on", "valid_until")),
    rules=(("检验有效期止不早于登记日期", "valid_until >= registered_on", "reject"),),
)


def _vehicle(block: Block) -> Rows:
    people, draws = block.people, block.draws("transport_vehicle")
    owns = (people.age > 20) & (people.age < 72) & (people.status == 0) & draws.chance(len(people), 0.33)
    chosen = np.flatnonzero(owns)
    count, at = len(chosen), pa.array(chosen)
    serial = block.serial("vehicle", count)
    registered = (
        block.today
        - 30
        - (draws.uniform(count) ** 1.3 * np.minimum(5400, (people.age[chosen] - 18) * 365)).astype(np.int64)
    )
    place = serial * 7_919 % (24 * 24 * 10_000)
    plate = join(
        "海", choose(_LETTERS, place // 240_000), choose(_LETTERS, place // 10_000 % 24), padded(place % 10_000, 4)
    )
    vin = join(
        "L", choose(_LETTERS[:8], draws.below(count, 8)), "ZZZ", padded(draws.below(count, 10**4), 4), padded(serial, 8)
    )
    due = registered + 2192
    return Rows(
        columns={
            "plate": plate,
            "vin": vin,
            "kind": choose(_TYPES, draws.pick(count, [62, 16, 9, 3, 9, 1])),
            "owner": people.name.take(at),
            "owner_id": people.id_number.take(at),
            "phone": people.phone.take(at),
            "registered_on": day_text(registered),
            "valid_until": day_text(np.where(due > block.today - 200, due, block.today - 60 + draws.below(count, 700))),
            "state": choose(("正常", "逾期未检验", "注销"), draws.pick(count, [92, 6, 2])),
        },
        entity=people.number[chosen],
        person=people.number[chosen],
    )


_SCOPES: Final = ("道路普通货物运输", "道路旅客运输", "网络预约出租汽车", "巡游出租汽车", "危险货物运输")
_OPERATOR: Final = TableSpec(
    resource="transport_operator",
    agency="transport",
    title="道路运输经营者信息",
    title_en="Transport operators",
    purpose="取得道路运输经营许可的经营者。",
    granularity="每个经营者一行",
    directory_code="205001/000002",
    form="csv",
    file_name="transport_operator.csv",
    delimiter="\t",
    columns=(
        c.serial("licence_number", "经营许可证号", "Licence number", "9901[0-9]{8}"),
        c.credit_code(),
        c.firm_name(title="经营者名称", title_en="Operator"),
        c.coded("scope", "经营范围", "Scope", _SCOPES),
        c.whole("vehicles", "车辆数", "Vehicles", 3000, "辆"),
        c.day("valid_from", "有效期起", "Valid from"),
        c.day("valid_to", "有效期止", "Valid to"),
        c.address(title="经营地址", grade="一般2级"),
        c.phone(),
    ),
    swaps=(("valid_from", "valid_to"), ("name", "address")),
    rules=(("有效期止不早于有效期起", "valid_to >= valid_from", "reject"),),
    condition="",
)


def _operator(block: Block) -> Rows:
    draws, firms = block.draws("transport_operator"), block.firms
    chosen = np.flatnonzero(draws.chance(len(firms), 0.05))
    count, at = len(chosen), pa.array(chosen)
    start = np.maximum(block.today - draws.below(count, 1460), firms.established[chosen])
    fleet = np.clip(firms.of_register("employees")[chosen] * draws.between(count, 0.3, 1.2), 1, 2500).astype(np.int64)
    return Rows(
        columns={
            "licence_number": join("9901", padded(block.serial("operator", count), 8)),
            "uscc": firms.text_of_register("uscc").take(at),
            "name": firms.text_of_register("name").take(at),
            "scope": choose(_SCOPES, draws.pick(count, [70, 8, 12, 6, 4])),
            "vehicles": number_text(fleet),
            "valid_from": day_text(start),
            "valid_to": day_text(start + 1461),
            "address": firms.address.take(at),
            "phone": firms.phone.take(at),
        },
        entity=firms.number[chosen],
    )


TABLES: Final = (Table(spec=_VEHICLE, make=_vehicle), Table(spec=_OPERATOR, make=_operator))
