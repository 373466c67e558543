"""市教育局: pupils of primary and middle schools, a GB18030 file in a zip."""

from __future__ import annotations

import datetime as dt
from typing import Final

import numpy as np
import pyarrow as pa

from datong.testing.city import columns as c
from datong.testing.city import places
from datong.testing.city.draws import choose, day_text, join, number_text, where
from datong.testing.city.model import Block, Rows, Table, TableSpec
from datong.testing.city.numbers import phone_numbers
from datong.testing.city.people import NOBODY

_STAGES: Final = ("小学", "初中", "高中")
_GRADES: Final = (
    "一年级",
    "二年级",
    "三年级",
    "四年级",
    "五年级",
    "六年级",
    "初一",
    "初二",
    "初三",
    "高一",
    "高二",
    "高三",
)
_SCHOOLS: Final = ("实验", "第一", "第二", "第三", "育才", "育英", "新华", "文昌", "春晓", "明德", "外国语", "附属")
_PUPIL: Final = TableSpec(
    resource="edu_pupil",
    agency="edu",
    title="中小学在校学生信息",
    title_en="Pupils",
    purpose="安澜市中小学在校学生的学籍信息。",
    granularity="每名学生一行",
    directory_code="203002/000001",
    form="csv",
    file_name="edu_pupil.zip",
    member="在校学生.csv",
    encoding="gb18030",
    line_end="\r\n",
    columns=(
        c.serial("pupil_number", "学籍号", "Pupil number", "[GLJ][0-9]{17}[0-9X]"),
        c.identity(),
        c.person_name(),
        c.sex(),
        c.birth_date(),
        c.words("school", "学校", "School", required=True),
        c.coded("stage", "学段", "Stage", _STAGES),
        c.coded("grade", "年级", "Grade", _GRADES),
        c.words("guardian", "监护人姓名", "Guardian", grade="一般3级"),
        c.phone("guardian_phone", "监护人电话", "Guardian's telephone"),
        c.address(title="家庭住址", title_en="Home address"),
        c.day("enrolled_on", "入学日期", "Enrolled on"),
    ),
    swaps=(("name", "guardian"), ("stage", "grade"), ("school", "address")),
    frequency=(6, "mo"),
    condition="未成年人信息，须监护人同意，只用于教育管理",
)


def _pupil(block: Block) -> Rows:
    people, draws = block.people, block.draws("edu_pupil")
    # School begins on 1 September of the year in which a child has turned six by 31 August.
    school_year = block.as_of.year - (0 if block.as_of.month >= 9 else 1)
    birth_year = 1 + (people.born - 366 + 122) * 400 // 146_097  # a year that begins on 1 September of the year before
    grade = school_year - birth_year - 6
    goes = (grade >= 0) & (grade < 12) & people.is_alive & ((grade < 9) | draws.chance(len(people), 0.62))
    chosen = np.flatnonzero(goes)
    count, at = len(chosen), pa.array(chosen)
    grade = grade[chosen]
    stage = np.digitize(grade, (6, 9))
    guardian = np.where(people.father[chosen] != NOBODY, people.father[chosen], people.mother[chosen])
    known = np.maximum(people.local(np.where(guardian == NOBODY, people.number[chosen], guardian)), 0)
    titles = [name for name, _ in places.DISTRICTS.values()]
    started = np.array([dt.date(year, 9, 1).toordinal() for year in range(school_year - 11, school_year + 1)])
    years_in_stage = grade - np.array([0, 6, 9])[stage]
    day = started[11 - years_in_stage]
    return Rows(
        columns={
            "pupil_number": join("G", people.id_number.take(at)),
            "id_number": people.id_number.take(at),
            "name": people.name.take(at),
            "sex": people.sex_text().take(at),
            "birth_date": day_text(people.born[chosen]),
            "school": join(
                choose(titles, people.district[chosen]),
                choose(_SCHOOLS, draws.pick(count, [9, 12, 11, 9, 9, 8, 8, 8, 8, 6, 5, 7])),
                choose(("小学", "初级中学", "高级中学"), stage),
            ),
            "stage": choose(_STAGES, stage),
            "grade": choose(_GRADES, grade),
            "guardian": where(guardian == NOBODY, "", people.name.take(pa.array(known))),
            "guardian_phone": where(guardian == NOBODY, "", people.phone.take(pa.array(known))),
            "address": people.address.take(at),
            "enrolled_on": day_text(day),
        },
        entity=people.number[chosen],
        person=people.number[chosen],
        event="enrolment",
        day=day,
    )


_SCHOOL: Final = TableSpec(
    resource="edu_school",
    agency="edu",
    title="学校名录",
    title_en="Schools",
    purpose="安澜市中小学的名称、学段和规模。",
    granularity="每所学校一行",
    directory_code="203002/000002",
    form="csv",
    file_name="edu_pupil.zip",
    member="学校名录.csv",
    encoding="gb18030",
    line_end="\r\n",
    columns=(
        c.serial("school_code", "学校标识码", "School code", "9901[0-9]{6}"),
        c.words("name", "学校名称", "School", required=True, role="name"),
        c.coded("stage", "学段", "Stage", _STAGES),
        c.division(),
        c.address(title="地址"),
        c.whole("places", "学位数", "Places", 20_000, "个"),
        c.phone("telephone", "联系电话", "Telephone"),
    ),
    swaps=(("name", "address"),),
    frequency=(1, "y"),
    condition="",
)


def _school(block: Block) -> Rows | None:
    if block.index:
        return None
    draws = block.draws("edu_school")
    district, school, stage = (part.ravel() for part in np.meshgrid(np.arange(6), np.arange(12), np.arange(3)))
    count = len(district)
    titles = [name for name, _ in places.DISTRICTS.values()]
    return Rows(
        columns={
            "school_code": join("9901", number_text(100_001 + np.arange(count))),
            "name": join(
                choose(titles, district), choose(_SCHOOLS, school), choose(("小学", "初级中学", "高级中学"), stage)
            ),
            "stage": choose(_STAGES, stage),
            "division_code": places.district_codes(district),
            "address": places.premises(draws, district),
            "places": number_text(300 + 45 * draws.below(count, 60)),
            "telephone": phone_numbers(draws, count),
        },
        entity=np.arange(1, count + 1, dtype=np.int64),
    )


TABLES: Final = (Table(spec=_PUPIL, make=_pupil), Table(spec=_SCHOOL, make=_school))
