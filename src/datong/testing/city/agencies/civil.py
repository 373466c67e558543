"""市民政局: marriages (PostgreSQL dump), deaths (XML) and social assistance (nested JSON)."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from datong.testing.city import columns as c
from datong.testing.city import places
from datong.testing.city.draws import choose, day_text, join, number_text, padded
from datong.testing.city.model import EVENT_DAYS, Block, Rows, Table, TableSpec
from datong.testing.city.people import NOBODY

_MARRIAGE: Final = TableSpec(
    resource="civil_marriage",
    agency="civil",
    title="婚姻登记信息",
    title_en="Marriages",
    purpose="在安澜市办理的结婚登记。",
    granularity="每次登记一行",
    directory_code="204001/000001",
    form="pgsql",
    file_name="civil_marriage.sql",
    heads="name",
    columns=(
        c.serial("certificate", "结婚证字号", "Certificate number", "J9901[0-9]{2}-[0-9]{4}-[0-9]{7}"),
        c.identity("man_id", "男方公民身份号码", "Husband's identity number"),
        c.person_name("man_name", "男方姓名", "Husband"),
        c.identity("woman_id", "女方公民身份号码", "Wife's identity number", role=""),
        c.person_name("woman_name", "女方姓名", "Wife", role=""),
        c.division("office", "登记机关区划代码", "Division of the office"),
        c.day("registered_on", "登记日期", "Registered on"),
        c.coded("kind", "登记类别", "Kind", ("结婚", "补办结婚", "复婚")),
    ),
    swaps=(("man_name", "woman_name"), ("man_id", "woman_id")),
    condition="须当事人授权，只用于办理其本人事项",
)


def _marriage(block: Block) -> Rows:
    people, draws = block.people, block.draws("civil_marriage")
    since = block.today - 30 * 365
    chosen = np.flatnonzero((people.spouse != NOBODY) & people.is_male & (people.married > since))
    wives = people.local(people.spouse[chosen])
    count, at, wife = len(chosen), pa.array(chosen), pa.array(wives)
    day = people.married[chosen]
    office = places.district_codes(people.district[chosen])
    year = pa.compute.utf8_slice_codeunits(day_text(day), 0, 4)
    return Rows(
        columns={
            "certificate": join("J", office, "-", year, "-", padded(block.serial("marriage", count), 7)),
            "man_id": people.id_number.take(at),
            "man_name": people.name.take(at),
            "woman_id": people.id_number.take(wife),
            "woman_name": people.name.take(wife),
            "office": office,
            "registered_on": day_text(day),
            "kind": choose(("结婚", "补办结婚", "复婚"), draws.pick(count, [95, 3, 2])),
        },
        entity=people.number[chosen],
        person=people.number[chosen],
        event="marriage",
        day=day,
    )


_CAUSES: Final = ("循环系统疾病", "肿瘤", "呼吸系统疾病", "内分泌疾病", "损伤和中毒", "其他")
_DEATH: Final = TableSpec(
    resource="civil_death",
    agency="civil",
    title="死亡殡葬信息",
    title_en="Deaths",
    purpose="近两年在安澜市办理的死亡和火化登记。",
    granularity="每名逝者一行",
    directory_code="204001/000002",
    form="xml",
    file_name="civil_death.xml",
    record="record",
    heads="name",
    columns=(
        c.serial("certificate", "死亡证编号", "Certificate number", "D[0-9]{10}"),
        c.identity(),
        c.person_name(),
        c.sex(),
        c.birth_date(),
        c.day("died_on", "死亡日期", "Died on"),
        c.coded("cause", "死亡原因", "Cause", _CAUSES, grade="一般3级"),
        c.address(title="生前住址", title_en="Last address"),
        c.day("cremated_on", "火化日期", "Cremated on", required=False),
    ),
    swaps=(("name", "address"), ("died_on", "birth_date")),
    rules=(("死亡日期不早于出生日期", "died_on >= birth_date", "reject"),),
)


def _death(block: Block) -> Rows:
    people, draws = block.people, block.draws("civil_death")
    chosen = np.flatnonzero(people.died != NOBODY)
    count, at = len(chosen), pa.array(chosen)
    died = people.died[chosen]
    return Rows(
        columns={
            "certificate": join("D", padded(block.serial("death", count), 10)),
            "id_number": people.id_number.take(at),
            "name": people.name.take(at),
            "sex": people.sex_text().take(at),
            "birth_date": day_text(people.born[chosen]),
            "died_on": day_text(died),
            "cause": choose(_CAUSES, draws.pick(count, [46, 24, 9, 4, 6, 11])),
            "address": people.address.take(at),
            "cremated_on": day_text(np.minimum(died + 2 + draws.below(count, 4), block.today)),
        },
        entity=people.number[chosen],
        person=people.number[chosen],
        event="death",
        day=died,
    )


_AIDS: Final = ("城市低保", "农村低保", "特困供养", "临时救助", "残疾人两项补贴")
_AID: Final = TableSpec(
    resource="civil_aid",
    agency="civil",
    title="社会救助对象信息",
    title_en="Social assistance",
    purpose="享受最低生活保障等社会救助的对象和每月金额。",
    granularity="每个救助对象每类救助一行",
    directory_code="204001/000003",
    form="json",
    file_name="civil_aid.json",
    heads="name",
    record="data.records",
    columns=(
        c.serial("aid_number", "救助编号", "Number", "JZ[0-9]{9}", path="aidNumber"),
        c.identity(path="applicant.idNumber"),
        c.person_name(path="applicant.name"),
        c.phone(path="applicant.phone"),
        c.coded("kind", "救助类别", "Kind", _AIDS, path="aid.kind"),
        c.whole("monthly", "每月救助金额", "Monthly amount", 20_000, "元", path="aid.monthly"),
        c.day("begins_on", "开始日期", "Begins on", path="aid.beginsOn"),
        c.division(path="division"),
        c.address(path="address"),
    ),
    swaps=(("name", "address"), ("id_number", "aid_number")),
)


def _aid(block: Block) -> Rows:
    people, draws = block.people, block.draws("civil_aid")
    chosen = np.flatnonzero(draws.chance(len(people), 0.022) & (people.status == 0) & (people.age > 18))
    count, at = len(chosen), pa.array(chosen)
    day = block.today - draws.below(count, 2 * EVENT_DAYS)
    return Rows(
        columns={
            "aid_number": join("JZ", padded(block.serial("aid", count), 9)),
            "id_number": people.id_number.take(at),
            "name": people.name.take(at),
            "phone": people.phone.take(at),
            "kind": choose(_AIDS, draws.pick(count, [34, 30, 10, 14, 12])),
            "monthly": number_text(300 + 10 * draws.below(count, 90)),
            "begins_on": day_text(day),
            "division_code": places.district_codes(people.district[chosen]),
            "address": people.address.take(at),
        },
        entity=people.number[chosen],
        person=people.number[chosen],
        event="aid",
        day=day,
    )


TABLES: Final = (
    Table(spec=_MARRIAGE, make=_marriage),
    Table(spec=_DEATH, make=_death),
    Table(spec=_AID, make=_aid),
)
