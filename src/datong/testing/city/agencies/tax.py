"""市税务局: taxpayers, with a title above, units in the headings and notes below, as exported for people to read."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from datong.testing.city import columns as c
from datong.testing.city import places
from datong.testing.city.draws import choose, day_text, decimal_text
from datong.testing.city.firms import ENTERPRISE
from datong.testing.city.model import Block, Rows, Table, TableSpec

_TAXPAYER: Final = TableSpec(
    resource="tax_taxpayer",
    agency="tax",
    title="纳税人基本信息",
    title_en="Taxpayers",
    purpose="在安澜市办理税务登记的纳税人及其近两年入库税额。",
    granularity="每个纳税人一行",
    directory_code="307005990100/000001",
    form="csv",
    file_name="tax_taxpayer.csv",
    encoding="utf-8-sig",
    line_end="\r\n",
    preamble=("安澜市纳税人基本信息表", "数据截至：2026年6月30日　金额单位：万元"),
    footer=("注：1. 入库税额为全口径，不含社会保险费。", "2. 信用级别按上一年度评定结果。"),
    columns=(
        c.credit_code(title="纳税人识别号", title_en="Taxpayer number", key=True),
        c.firm_name(title="纳税人名称", title_en="Taxpayer"),
        c.words("legal_person", "法定代表人", "Legal representative"),
        c.coded("kind", "增值税纳税人类型", "Kind of taxpayer", ("一般纳税人", "小规模纳税人")),
        c.amount(
            "paid_last_year",
            "上年入库税额",
            "Tax paid last year",
            "万元",
            header="上年入库税额（万元）",
            maximum=1_000_000,
        ),
        c.amount(
            "paid_this_year",
            "本年入库税额",
            "Tax paid this year",
            "万元",
            header="本年入库税额（万元）",
            maximum=1_000_000,
        ),
        c.coded("credit", "纳税信用级别", "Tax credit", ("A", "B", "M", "C", "D")),
        c.division(title="主管税务机关所在区划", title_en="Division of the tax office"),
        c.address(title="生产经营地址", grade="一般2级"),
        c.day("registered_on", "税务登记日期", "Registered on"),
    ),
    swaps=(("name", "legal_person"), ("paid_last_year", "paid_this_year"), ("name", "address")),
    condition="核验企业纳税信用，须取得企业授权",
)


def _taxpayer(block: Block) -> Rows:
    draws, firms = block.draws("tax_taxpayer"), block.firms
    chosen = np.flatnonzero(draws.chance(len(firms), 0.93))
    count, at = len(chosen), pa.array(chosen)
    size = firms.of_register("employees")[chosen]
    paid = size * np.exp(draws.bell(count, 0.1, 1.1))
    general = (firms.of_register("kind")[chosen] == ENTERPRISE) & (paid > 6)
    registered = np.minimum(firms.established[chosen] + draws.below(count, 30), block.today)
    return Rows(
        columns={
            "uscc": firms.text_of_register("uscc").take(at),
            "name": firms.text_of_register("name").take(at),
            "legal_person": firms.legal_person.take(at),
            "kind": choose(("一般纳税人", "小规模纳税人"), np.where(general, 0, 1)),
            "paid_last_year": decimal_text(np.asarray(paid, dtype=np.float64), 2),
            "paid_this_year": decimal_text(paid * draws.between(count, 0.3, 0.75), 2),
            "credit": choose(("A", "B", "M", "C", "D"), draws.pick(count, [14, 52, 24, 7, 3])),
            "division_code": places.district_codes(firms.of_register("district")[chosen]),
            "address": firms.address.take(at),
            "registered_on": day_text(registered),
        },
        entity=firms.number[chosen],
    )


TABLES: Final = (Table(spec=_TAXPAYER, make=_taxpayer),)
