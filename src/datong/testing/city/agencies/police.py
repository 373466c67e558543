"""市公安局: the register of people, of households, and those who moved."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from datong.testing.city import columns as c
from datong.testing.city import places
from datong.testing.city.draws import choose, day_text, join, number_text, padded, where
from datong.testing.city.model import Block, Rows, Table, TableSpec
from datong.testing.city.people import ETHNICITIES, STATUSES

_POPULATION: Final = TableSpec(
    resource="psb_population",
    agency="psb",
    title="人口基础信息",
    title_en="Population register",
    purpose="安澜市户籍人口的基本情况，由市公安局户政系统每日更新。",
    granularity="每人一行",
    directory_code="101001/000001",
    form="csv",
    file_name="psb_population.csv",
    encoding="gb18030",
    line_end="\r\n",
    columns=(
        c.identity(key=True),
        c.person_name(),
        c.sex(),
        c.birth_date(),
        c.words("ethnicity", "民族", "Ethnic group"),
        c.division(title="户籍地行政区划代码"),
        c.address(),
        c.coded("status", "人员状态", "Status", STATUSES),
        c.day("updated_on", "更新日期", "Updated on"),
    ),
    swaps=(("name", "address"), ("sex", "ethnicity"), ("birth_date", "updated_on")),
)


def _population(block: Block) -> Rows:
    people = block.people
    return Rows(
        columns={
            "id_number": people.id_number,
            "name": people.name,
            "sex": people.sex_text(),
            "birth_date": day_text(people.born),
            "ethnicity": choose(tuple(ETHNICITIES), people.ethnicity),
            "division_code": places.district_codes(people.district),
            "address": people.address,
            "status": choose(STATUSES, people.status),
            "updated_on": day_text(people.updated),
        },
        entity=people.number,
        person=people.number,
    )


_HOUSEHOLD: Final = TableSpec(
    resource="psb_household",
    agency="psb",
    title="户籍登记信息",
    title_en="Household register",
    purpose="安澜市每一家庭户的户主、住址和人数。",
    granularity="每户一行",
    directory_code="101001/000002",
    form="csv",
    file_name="psb_huji.zip",
    member="户籍登记.csv",
    encoding="gb18030",
    line_end="\r\n",
    columns=(
        c.serial("household_number", "户号", "Household number", "H[0-9]{10}"),
        c.identity("head_id", "户主公民身份号码", "Head's identity number"),
        c.person_name("head_name", "户主姓名", "Head's name"),
        c.division(),
        c.address(),
        c.whole("members", "户内人数", "Members", 30, "人"),
        c.day("registered_on", "立户日期", "Registered on"),
    ),
    swaps=(("head_name", "address"), ("head_id", "household_number")),
)


def _household(block: Block) -> Rows:
    people = block.people
    heads = np.flatnonzero(people.role == 0)
    at = pa.array(heads)
    old = np.minimum(people.age[heads] * 365.25 - 18 * 365, 9000)
    registered = block.today - (block.draws("psb_household").uniform(len(heads)) * np.maximum(old, 30)).astype(np.int64)
    return Rows(
        columns={
            "household_number": join("H", padded(people.household[heads] + 1, 10)),
            "head_id": people.id_number.take(at),
            "head_name": people.name.take(at),
            "division_code": places.district_codes(people.district[heads]),
            "address": people.address.take(at),
            "members": number_text(people.household_size[heads]),
            "registered_on": day_text(registered),
        },
        entity=people.household[heads],
        person=people.number[heads],
    )


_MOVE: Final = TableSpec(
    resource="psb_move",
    agency="psb",
    title="户口迁移记录",
    title_en="Moves",
    purpose="近两年迁入、迁出和市内迁移的记录。",
    granularity="每次迁移一行",
    directory_code="101001/000003",
    form="csv",
    file_name="psb_huji.zip",
    member="户口迁移.csv",
    encoding="gb18030",
    line_end="\r\n",
    columns=(
        c.serial("move_number", "迁移编号", "Move number", "QY[0-9]{9}"),
        c.identity(),
        c.person_name(),
        c.division("from_division", "迁出地区划代码", "From division"),
        c.address("from_place", "迁出地", "From", grade="一般2级"),
        c.division("to_division", "迁入地区划代码", "To division", role=""),
        c.words("to_place", "迁入地", "To"),
        c.coded(
            "reason",
            "迁移原因",
            "Reason",
            ("务工经商", "工作调动", "学习培训", "随迁家属", "婚姻嫁娶", "拆迁搬家", "其他"),
        ),
        c.day("moved_on", "迁移日期", "Moved on"),
    ),
    swaps=(("from_division", "to_division"), ("name", "from_place")),
)


def _move(block: Block) -> Rows:
    people, draws = block.people, block.draws("psb_move")
    moved = np.flatnonzero(draws.chance(len(people), 0.03) | (people.status == 1))
    count, at = len(moved), pa.array(moved)
    codes, titles = places.elsewhere()
    far = draws.below(count, len(codes))
    home_code, home = places.district_codes(people.district[moved]), people.address.take(at)
    leaves = people.status[moved] == 1
    inside = ~leaves & draws.chance(count, 0.4)
    old_district = draws.pick(count, [share for _, share in places.DISTRICTS.values()])
    from_code = where(leaves, home_code, where(inside, places.district_codes(old_district), codes.take(pa.array(far))))
    from_place = where(leaves, home, where(inside, places.dwellings(draws, old_district), titles.take(pa.array(far))))
    day = block.today - np.minimum(draws.below(count, 730), np.maximum(block.today - people.born[moved], 1))
    reasons = _MOVE.columns[7].values
    return Rows(
        columns={
            "move_number": join("QY", padded(block.serial("move", count), 9)),
            "id_number": people.id_number.take(at),
            "name": people.name.take(at),
            "from_division": from_code,
            "from_place": from_place,
            "to_division": where(leaves, codes.take(pa.array(far)), home_code),
            "to_place": where(leaves, titles.take(pa.array(far)), home),
            "reason": choose(reasons, draws.pick(count, [30, 14, 12, 16, 12, 10, 6])),
            "moved_on": day_text(day),
        },
        entity=people.number[moved],
        person=people.number[moved],
        event="move",
        day=day,
    )


TABLES: Final = (
    Table(spec=_POPULATION, make=_population),
    Table(spec=_HOUSEHOLD, make=_household),
    Table(spec=_MOVE, make=_move),
)
