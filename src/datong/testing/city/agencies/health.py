"""市卫生健康委员会: residents' health files (Parquet) and visits (JSON lines)."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from datong.testing.city import columns as c
from datong.testing.city.draws import choose, day_text, decimal_text, join, padded
from datong.testing.city.model import Block, Rows, Table, TableSpec

_BLOOD: Final = ("A", "B", "O", "AB", "不详")
_RESIDENT: Final = TableSpec(
    resource="health_resident",
    agency="health",
    title="居民健康档案",
    title_en="Health files",
    purpose="在基层医疗卫生机构建立的居民电子健康档案首页。",
    granularity="每份档案一行",
    directory_code="202001/000001",
    form="parquet",
    file_name="health_resident.parquet",
    heads="name",
    columns=(
        c.serial("file_number", "健康档案编号", "File number", "9901[0-9]{13}"),
        c.identity(),
        c.person_name(),
        c.sex(),
        c.birth_date(),
        c.phone(),
        c.address(title="现住址", title_en="Present address"),
        c.coded("blood_type", "血型", "Blood type", _BLOOD, grade="一般3级"),
        c.day("filed_on", "建档日期", "Filed on"),
    ),
    swaps=(("name", "address"), ("birth_date", "filed_on")),
    condition="须本人授权，只用于诊疗和公共卫生服务",
)


def _resident(block: Block) -> Rows:
    people, draws = block.people, block.draws("health_resident")
    chosen = np.flatnonzero(people.is_alive & (draws.uniform(len(people)) < 0.86))
    count, at = len(chosen), pa.array(chosen)
    filed = np.maximum(block.today - draws.below(count, 3600), people.born[chosen])
    return Rows(
        columns={
            "file_number": join("9901", padded(people.number[chosen], 13)),
            "id_number": people.id_number.take(at),
            "name": people.name.take(at),
            "sex": people.sex_text().take(at),
            "birth_date": day_text(people.born[chosen]),
            "phone": people.phone.take(at),
            "address": people.address.take(at),
            "blood_type": choose(_BLOOD, draws.pick(count, [28, 24, 30, 8, 10])),
            "filed_on": day_text(filed),
        },
        entity=people.number[chosen],
        person=people.number[chosen],
    )


_HOSPITALS: Final = ("安澜市第一人民医院", "安澜市中医院", "安澜市妇幼保健院", "东湖区人民医院",
                     "南渡区人民医院", "临江县人民医院", "西埠区中心医院", "青原县人民医院")  # fmt: skip
_ILLS: Final = (
    ("J06.9", "急性上呼吸道感染", "内科"), ("I10", "原发性高血压", "心内科"), ("E11.9", "2型糖尿病", "内分泌科"),
    ("K29.5", "慢性胃炎", "消化内科"), ("M54.5", "腰痛", "骨科"),
    ("J20.9", "急性支气管炎", "儿科"),
    ("K02.9", "龋病", "口腔科"), ("H10.9", "结膜炎", "眼科"),
    ("L20.9", "特应性皮炎", "皮肤科"), ("I25.1", "冠心病", "心内科"),
)  # fmt: skip
_VISIT: Final = TableSpec(
    resource="health_visit",
    agency="health",
    title="门诊就诊记录",
    title_en="Visits",
    purpose="近两年医院门诊就诊的记录。",
    granularity="每次就诊一行",
    directory_code="202001/000002",
    form="jsonl",
    file_name="health_visit.jsonl",
    heads="name",
    columns=(
        c.serial("visit_number", "就诊流水号", "Visit number", "MZ[0-9]{10}"),
        c.identity(),
        c.person_name(),
        c.coded("hospital", "医疗机构", "Hospital", _HOSPITALS),
        c.words("department", "就诊科室", "Department", required=True),
        c.words(
            "diagnosis_code",
            "诊断编码",
            "Diagnosis code",
            required=True,
            pattern="[A-Z][0-9]{2}(\\.[0-9])?",
            grade="一般4级",
        ),
        c.words("diagnosis", "诊断名称", "Diagnosis", required=True, grade="一般4级"),
        c.amount("fee", "费用", "Fee", "元", maximum=100_000),
        c.day("visited_on", "就诊日期", "Visited on"),
    ),
    swaps=(("name", "department"), ("diagnosis_code", "diagnosis")),
    condition="须本人授权，只用于诊疗和医保结算",
)


def _visit(block: Block) -> Rows:
    people, draws = block.people, block.draws("health_visit")
    often = np.clip(0.25 + people.age / 80, 0.2, 1.4) * people.is_alive
    times = (draws.uniform(len(people)) * 2 * often).round().astype(np.int64)
    chosen = np.repeat(np.arange(len(people)), times)
    count, at = len(chosen), pa.array(chosen)
    ill = draws.pick(count, [26, 16, 10, 9, 9, 9, 7, 5, 5, 4])
    day = np.maximum(block.recent_days(draws, count), people.born[chosen])
    return Rows(
        columns={
            "visit_number": join("MZ", padded(block.serial("visit", count), 10)),
            "id_number": people.id_number.take(at),
            "name": people.name.take(at),
            "hospital": choose(_HOSPITALS, draws.pick(count, [26, 15, 10, 14, 11, 9, 8, 7])),
            "department": choose([unit for _, _, unit in _ILLS], ill),
            "diagnosis_code": choose([code for code, _, _ in _ILLS], ill),
            "diagnosis": choose([name for _, name, _ in _ILLS], ill),
            "fee": decimal_text(np.minimum(np.exp(draws.bell(count, 5.2, 0.9)), 90_000), 2),
            "visited_on": day_text(day),
        },
        entity=people.number[chosen],
        person=people.number[chosen],
        event="visit",
        day=day,
    )


TABLES: Final = (Table(spec=_RESIDENT, make=_resident), Table(spec=_VISIT, make=_visit))
