"""市市场监管局: the register of firms, and licences and penalties in the layout of 双公示."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from datong.testing.city import columns as c
from datong.testing.city import places
from datong.testing.city.draws import Ints, Text, choose, day_text, decimal_text, join, number_text, padded, where
from datong.testing.city.firms import COOP, TRADER, industries
from datong.testing.city.model import Block, Rows, Table, TableSpec
from datong.testing.city.trades import FIRM_STATUSES

_ENTERPRISE: Final = TableSpec(
    resource="amr_enterprise",
    agency="amr",
    title="企业登记基本信息",
    title_en="Enterprise register",
    purpose="在安澜市登记的企业和个体工商户的登记事项，由市市场监管局每日更新。",
    granularity="每个市场主体一行",
    directory_code="102001/000001",
    form="csv",
    file_name="amr_enterprise.csv",
    encoding="utf-8-sig",
    heads="name",
    columns=(
        c.credit_code(key=True),
        c.firm_name(),
        c.words("legal_person", "法定代表人姓名", "Legal representative", required=True),
        c.words("legal_person_id", "法定代表人证件号", "Legal representative's identity number"),
        c.words("industry", "行业代码", "Industry code"),
        c.amount("registered_capital", "注册资本", "Registered capital", "万元", required=False),
        c.day("established_on", "成立日期", "Established on"),
        c.day("approved_on", "核准日期", "Approved on", required=False),
        c.division(title="登记地行政区划代码"),
        c.address(title="住所"),
        c.coded("status", "登记状态", "Registration status", tuple(status for status, _ in FIRM_STATUSES)),
    ),
    swaps=(("name", "legal_person"), ("name", "address"), ("established_on", "approved_on")),
)


def _enterprise(block: Block) -> Rows:
    firms = block.firms
    return Rows(
        columns={
            "uscc": firms.text_of_register("uscc"),
            "name": firms.text_of_register("name"),
            "legal_person": firms.legal_person,
            "legal_person_id": firms.legal_person_id,
            "industry": industries().take(pa.array(firms.of_register("trade"))),
            "registered_capital": firms.capital,
            "established_on": day_text(firms.established),
            "approved_on": day_text(firms.approved),
            "division_code": places.district_codes(firms.of_register("district")),
            "address": firms.address,
            "status": choose([status for status, _ in FIRM_STATUSES], firms.status),
        },
        entity=firms.number,
        event="registration",
        day=firms.established,
    )


_SUBJECTS: Final = ("法人及非法人组织", "自然人", "个体工商户")
_LICENCES: Final = (
    ("普通", "食品经营许可证", "JY1"), ("普通", "药品经营许可证", "YP"), ("核准", "特种设备使用登记证", "TS"),
    ("登记", "营业执照", "DJ"), ("认可", "检验检测机构资质认定证书", "CMA"), ("普通", "食品生产许可证", "SC"),
)  # fmt: skip
_BUREAU: Final = "安澜市市场监督管理局"
_BUREAU_CODE: Final = "11990100MB0000017H"
_LICENCE: Final = TableSpec(
    resource="amr_licence",
    agency="amr",
    title="行政许可信息（双公示）",
    title_en="Administrative licences",
    purpose="市市场监管局作出的行政许可决定，按双公示数据标准报送。",
    granularity="每个决定一行",
    directory_code="104001/000001",
    form="csv",
    file_name="amr_licence.csv",
    delimiter="|",
    columns=(
        c.serial(
            "xk_wsh", "许可决定文书号", "Licence document number", "安市监许〔[0-9]{4}〕[0-9]{1,8}号", header="XK_WSH"
        ),
        c.firm_name("xk_xdr_mc", "行政相对人名称", "Subject", header="XK_XDR_MC"),
        c.coded("xk_xdr_lb", "行政相对人类别", "Kind of subject", _SUBJECTS, header="XK_XDR_LB"),
        c.credit_code("xk_xdr_shxym", "行政相对人统一社会信用代码", "Subject's credit code", header="XK_XDR_SHXYM"),
        c.words("xk_frdb", "法定代表人", "Legal representative", header="XK_FRDB"),
        c.words("xk_xkws", "许可决定文书名称", "Document", header="XK_XKWS", required=True),
        c.coded(
            "xk_xklb", "许可类别", "Kind of licence", ("普通", "特许", "认可", "核准", "登记", "其他"), header="XK_XKLB"
        ),
        c.words("xk_xkzs", "许可证书名称", "Certificate", header="XK_XKZS"),
        c.words("xk_xkbh", "许可编号", "Certificate number", header="XK_XKBH"),
        c.words("xk_nr", "许可内容", "Content", header="XK_NR"),
        c.day("xk_jdrq", "许可决定日期", "Decided on", header="XK_JDRQ"),
        c.day("xk_yxqz", "有效期自", "Valid from", header="XK_YXQZ"),
        c.day("xk_yxqzi", "有效期至", "Valid to", header="XK_YXQZI"),
        c.words("xk_xkjg", "许可机关", "Authority", header="XK_XKJG", required=True),
        c.words("xk_xkjgdm", "许可机关统一社会信用代码", "Authority's credit code", header="XK_XKJGDM"),
        c.coded("xk_zt", "当前状态", "State", ("1", "0"), header="XK_ZT"),
    ),
    swaps=(("xk_xdr_mc", "xk_frdb"), ("xk_yxqz", "xk_yxqzi")),
    rules=(("有效期至不早于有效期自", "xk_yxqzi >= xk_yxqz", "reject"),),
    condition="",
)


def _subject(kind: Ints) -> Text:
    return choose(_SUBJECTS, np.where(kind == TRADER, 2, 0))


def _licence(block: Block) -> Rows:
    draws, firms = block.draws("amr_licence"), block.firms
    chosen = np.flatnonzero((draws.uniform(len(firms)) < 0.55) & (firms.of_register("kind") != COOP))
    count, at = len(chosen), pa.array(chosen)
    what = draws.pick(count, [40, 10, 8, 20, 4, 18])
    day = np.maximum(block.recent_days(draws, count), firms.established[chosen])
    serial = block.serial("licence", count)
    year = choose([str(block.as_of.year - 2), str(block.as_of.year - 1), str(block.as_of.year)], np.clip(
        (day - (block.today - 911)) // 365, 0, 2))  # fmt: skip
    return Rows(
        columns={
            "xk_wsh": join("安市监许〔", year, "〕", number_text(serial), "号"),
            "xk_xdr_mc": firms.text_of_register("name").take(at),
            "xk_xdr_lb": _subject(firms.of_register("kind")[chosen]),
            "xk_xdr_shxym": firms.text_of_register("uscc").take(at),
            "xk_frdb": firms.legal_person.take(at),
            "xk_xkws": join(choose([name for _, name, _ in _LICENCES], what), "准予行政许可决定书"),
            "xk_xklb": choose([kind for kind, _, _ in _LICENCES], what),
            "xk_xkzs": choose([name for _, name, _ in _LICENCES], what),
            "xk_xkbh": join(choose([code for _, _, code in _LICENCES], what), "9901", padded(serial, 10)),
            "xk_nr": join("准予", choose([name[:-3] or name for _, name, _ in _LICENCES], what), "许可"),
            "xk_jdrq": day_text(day),
            "xk_yxqz": day_text(day),
            "xk_yxqzi": day_text(day + 1825),
            "xk_xkjg": choose([_BUREAU], np.zeros(count, dtype=np.int64)),
            "xk_xkjgdm": choose([_BUREAU_CODE], np.zeros(count, dtype=np.int64)),
            "xk_zt": choose(["1", "0"], draws.pick(count, [96, 4])),
        },
        entity=firms.number[chosen],
        event="licence",
        day=day,
    )


_OFFENCES: Final = (
    ("经营过期食品", "《中华人民共和国食品安全法》第一百二十四条", 5),
    ("未明码标价", "《中华人民共和国价格法》第四十二条", 0.5),
    ("虚假宣传", "《中华人民共和国反不正当竞争法》第二十条", 20), ("无照经营", "《无证无照经营查处办法》第十三条", 1),
    ("销售不合格产品", "《中华人民共和国产品质量法》第四十九条", 8),
    ("使用未经检定的计量器具", "《中华人民共和国计量法》第二十六条", 0.1),
)  # fmt: skip
_KINDS: Final = ("警告", "罚款", "没收违法所得、没收非法财物", "责令停产停业", "吊销许可证件")
_PENALTY: Final = TableSpec(
    resource="amr_penalty",
    agency="amr",
    title="行政处罚信息（双公示）",
    title_en="Administrative penalties",
    purpose="市市场监管局作出的行政处罚决定，按双公示数据标准报送。",
    granularity="每个决定一行",
    directory_code="104001/000002",
    form="xml",
    file_name="amr_penalty.xml",
    record="CF",
    columns=(
        c.serial(
            "cf_wsh", "处罚决定文书号", "Penalty document number", "安市监罚〔[0-9]{4}〕[0-9]{1,8}号", header="CF_WSH"
        ),
        c.firm_name("cf_xdr_mc", "行政相对人名称", "Subject", header="CF_XDR_MC"),
        c.coded("cf_xdr_lb", "行政相对人类别", "Kind of subject", _SUBJECTS, header="CF_XDR_LB"),
        c.credit_code("cf_xdr_shxym", "行政相对人统一社会信用代码", "Subject's credit code", header="CF_XDR_SHXYM"),
        c.words("cf_frdb", "法定代表人", "Legal representative", header="CF_FRDB"),
        c.words("cf_wfxw", "违法行为类型", "Offence", header="CF_WFXW", required=True),
        c.words("cf_yj", "处罚依据", "Legal basis", header="CF_YJ", required=True),
        c.coded("cf_cflb", "处罚类别", "Kind of penalty", _KINDS, header="CF_CFLB"),
        c.amount("cf_nr_fk", "罚款金额", "Fine", "万元", header="CF_NR_FK", maximum=5000, required=False),
        c.day("cf_jdrq", "处罚决定日期", "Decided on", header="CF_JDRQ"),
        c.day("cf_gsjzq", "公示截止期", "Shown until", header="CF_GSJZQ"),
        c.words("cf_cfjg", "处罚机关", "Authority", header="CF_CFJG", required=True),
        c.words("cf_cfjgdm", "处罚机关统一社会信用代码", "Authority's credit code", header="CF_CFJGDM"),
    ),
    swaps=(("cf_xdr_mc", "cf_frdb"), ("cf_jdrq", "cf_gsjzq")),
    rules=(("公示截止期不早于决定日期", "cf_gsjzq >= cf_jdrq", "reject"),),
    condition="",
)


def _penalty(block: Block) -> Rows:
    draws, firms = block.draws("amr_penalty"), block.firms
    chosen = np.flatnonzero(draws.chance(len(firms), 0.06))
    count, at = len(chosen), pa.array(chosen)
    what, kind = draws.pick(count, [30, 25, 10, 15, 15, 5]), draws.pick(count, [20, 62, 12, 4, 2])
    size = np.array([scale for _, _, scale in _OFFENCES])[what]
    fine = decimal_text(size * np.exp(draws.bell(count, -0.7, 0.9)), 4)
    day = np.maximum(block.recent_days(draws, count), firms.established[chosen])
    return Rows(
        columns={
            "cf_wsh": join("安市监罚〔", choose([str(block.as_of.year)], np.zeros(count, dtype=np.int64)), "〕",
                           number_text(block.serial("penalty", count)), "号"),
            "cf_xdr_mc": firms.text_of_register("name").take(at),
            "cf_xdr_lb": _subject(firms.of_register("kind")[chosen]),
            "cf_xdr_shxym": firms.text_of_register("uscc").take(at),
            "cf_frdb": firms.legal_person.take(at),
            "cf_wfxw": choose([name for name, _, _ in _OFFENCES], what),
            "cf_yj": choose([law for _, law, _ in _OFFENCES], what),
            "cf_cflb": choose(_KINDS, kind),
            "cf_nr_fk": where(kind == 1, fine, ""),
            "cf_jdrq": day_text(day),
            "cf_gsjzq": day_text(day + np.where(kind == 1, 90, 1095)),
            "cf_cfjg": choose([_BUREAU], np.zeros(count, dtype=np.int64)),
            "cf_cfjgdm": choose([_BUREAU_CODE], np.zeros(count, dtype=np.int64)),
        },
        entity=firms.number[chosen],
        event="penalty",
        day=day,
    )  # fmt: skip


TABLES: Final = (
    Table(spec=_ENTERPRISE, make=_enterprise),
    Table(spec=_LICENCE, make=_licence),
    Table(spec=_PENALTY, make=_penalty),
)
