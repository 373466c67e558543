"""市人力资源和社会保障局: who is insured through which employer, out of an old system as a PostgreSQL dump."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from datong.testing.city import columns as c
from datong.testing.city.draws import choose, day_text, number_text
from datong.testing.city.model import Block, Rows, Table, TableSpec

_STATES: Final = ("正常参保", "暂停参保", "终止参保")
_INSURED: Final = TableSpec(
    resource="hrss_insured",
    agency="hrss",
    title="社会保险参保信息",
    title_en="Insured people",
    purpose="职工社会保险的参保人、参保单位和缴费基数。",
    granularity="每个参保人一行",
    directory_code="203001/000001",
    form="pgsql",
    file_name="hrss_insured.sql",
    heads="name",
    columns=(
        c.identity(key=True),
        c.person_name(),
        c.words("employer_uscc", "单位统一社会信用代码", "Employer's credit code", required=True, role="reference",
                identifier="uscc"),
        c.words("employer_name", "单位名称", "Employer", required=True),
        c.day("insured_on", "参保日期", "Insured on"),
        c.whole("contribution_base", "缴费基数", "Contribution base", 60_000, "元"),
        c.coded("status", "参保状态", "State", _STATES),
        c.phone(),
        c.day("updated_on", "更新日期", "Updated on"),
    ),
    swaps=(("name", "employer_name"), ("id_number", "employer_uscc"), ("insured_on", "updated_on")),
)  # fmt: skip


def _insured(block: Block) -> Rows:
    people, draws = block.people, block.draws("hrss_insured")
    works = (people.age >= 21) & (people.age < 60) & people.is_alive & draws.chance(len(people), 0.56)
    chosen = np.flatnonzero(works) if len(block.register) else np.zeros(0, dtype=np.int64)
    count, at = len(chosen), pa.array(chosen)
    employer = pa.array(block.register.draw_employers(draws, count))
    years = np.maximum(people.age[chosen] - 20, 0.3)
    insured = block.today - 30 - (draws.uniform(count) * years * 365).astype(np.int64)
    return Rows(
        columns={
            "id_number": people.id_number.take(at),
            "name": people.name.take(at),
            "employer_uscc": block.register.uscc.take(employer),
            "employer_name": block.register.name.take(employer),
            "insured_on": day_text(insured),
            "contribution_base": number_text(3800 + 100 * (draws.uniform(count) ** 2 * 180).astype(np.int64)),
            "status": choose(_STATES, draws.pick(count, [92, 5, 3])),
            "phone": people.phone.take(at),
            "updated_on": day_text(np.maximum(block.today - draws.below(count, 60), insured)),
        },
        entity=people.number[chosen],
        person=people.number[chosen],
        event="insurance",
        day=insured,
    )


TABLES: Final = (Table(spec=_INSURED, make=_insured),)
