"""Files in the other forms that agencies hand in, made here: workbook, shapefile, Parquet, and 双公示 in full."""

from __future__ import annotations

import csv
import datetime as dt
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from datong.catalog.odcs import parse_contract
from datong.lake.engine import find_extension
from datong.testing.real_files import contract_text


def make_contract(
    resource: str, agency: str, code: str, columns: Mapping[str, tuple[str, str]], *, key: str, words: str = ""
) -> str:
    """A small contract: columns as name → (title, type); `words` are further custom properties as YAML lines."""
    properties = "".join(
        f"      - name: {name}\n        businessName: {title}\n        logicalType: {kind}\n"
        + ("        primaryKey: true\n        primaryKeyPosition: 1\n        required: true\n" if name == key else "")
        + ("        logicalTypeOptions: {format: yyyy-MM-dd}\n" if kind == "date" else "")
        + "        classification: 一般1级\n"
        + (
            f"        customProperties: [{{property: unit, value: {title[title.index('（') + 1 : -1]}}}]\n"
            if "（" in title
            else ""
        )
        for name, (title, kind) in columns.items()
    )
    return f"""apiVersion: v3.1.0
kind: DataContract
id: {resource}
name: {resource}测试表
version: 1.0.0
status: active
schema:
  - name: {resource}
    businessName: {resource}测试表
    properties:
{properties}slaProperties:
  - {{property: frequency, value: irregular}}
customProperties:
  - {{property: agency, value: {agency}}}
  - {{property: directoryCode, value: {code}}}
  - {{property: sharingType, value: unconditional}}
  - {{property: shareModes, value: [batch]}}
{words}"""


def write_workbook() -> bytes:
    """A yearbook's page: title, unit, header of two merged rows, notes; two rows of data and one that is wrong."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "附表1"
    rows: list[list[Any]] = [
        ["2025年分区主要经济指标"],
        ["单位：亿元"],
        ["地区", "生产总值", None, "公布日期"],
        [None, "第二产业", "第三产业", None],
        ["东城", 120.5, 300, dt.date(2026, 1, 20)],
        ["西城", 98.25, 410.75, dt.date(2026, 1, 21)],
        ["南城", "未公布", 77, dt.date(2026, 1, 22)],
        ["注：第三产业含房地产业。"],
    ]
    for row in rows:
        sheet.append(row)
    for cells in ("A1:D1", "A3:A4", "B3:C3", "D3:D4"):
        sheet.merge_cells(cells)
    book.create_sheet("填表说明").append(["由统计局填报"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def write_shapefile(folder: Path, names: Sequence[str]) -> bytes:
    """A zipped shapefile of points whose table is in GBK, as desktop systems write it."""
    with duckdb.connect() as engine:
        engine.execute(f"load '{find_extension('spatial')}'")
        engine.execute("create table sites (site varchar, name varchar, geom geometry)")
        for number, name in enumerate(names, 1):
            engine.execute("insert into sites values (?, ?, st_point(?, 30))", [f"S{number}", name, 120 + number])
        engine.execute(
            f"copy sites to '{folder}/sites.shp' with (format gdal, driver 'ESRI Shapefile', "
            "layer_creation_options 'ENCODING=UTF-8')"
        )
    table = (folder / "sites.dbf").read_bytes()
    for name in names:
        table = table.replace(name.encode(), name.encode("gbk").ljust(len(name.encode())))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for suffix in ("shp", "shx"):
            archive.write(folder / f"sites.{suffix}", f"站点/sites.{suffix}")
        archive.writestr("站点/sites.dbf", table)
    return out.getvalue()


def write_parquet() -> bytes:
    out = io.BytesIO()
    days = [dt.date(2026, 1, day) for day in range(1, 32)]
    pq.write_table(pa.table({"day": days, "visitors": [day.day * 100 for day in days]}), out)
    return out.getvalue()


# 双公示 ------------------------------------------------------------------------------------------------------------
_BUREAU, _BUREAU_CODE = "安澜市市场监督管理局", "11990100MB0000017H"


def _by_header(contract: str, rows: Sequence[Mapping[str, str]], encoding: str) -> bytes:
    """CSV under the headers of the published layout, in its order."""
    columns = [column.physical_name for column in parse_contract(contract_text(contract)).columns]
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode(encoding)


def _subject(prefix: str, firm: Mapping[str, str]) -> dict[str, str]:
    code = firm["XK_XDR_SHXYM"]
    return {
        f"{prefix}_XDR_MC": firm["XK_XDR_MC"],
        f"{prefix}_XDR_LB": firm["XK_XDR_LB"],
        f"{prefix}_XDR_SHXYM": code,
        f"{prefix}_XDR_ZZJG": code[8:17],
        f"{prefix}_FRDB": firm["XK_FRDB"],
    }


def _person(prefix: str) -> dict[str, str]:
    return {
        f"{prefix}_XDR_MC": "钱慕白",
        f"{prefix}_XDR_LB": "自然人",
        f"{prefix}_XDR_ZJLX": "身份证",
        f"{prefix}_XDR_ZJHM": "990101199003070003",
    }


def write_licences(firms: Sequence[Mapping[str, str]]) -> tuple[bytes, dict[int, str]]:
    """The full layout of 行政许可 in GB18030, and the rule that each planted fault breaks, by line."""
    source = {"XK_LYDW": _BUREAU, "XK_LYDWDM": _BUREAU_CODE, "BZ": "当场办结"}
    rows = [{**firm, **_subject("XK", firm), **source} for firm in firms]
    rows[0] |= {"XK_JDRQ": "２０２５年３月７日"}  # mended by the contract's cleaning
    rows[1] |= _person("XK") | {"XK_XDR_SHXYM": "", "XK_XDR_ZZJG": "", "XK_FRDB": ""}
    rows[2] |= _person("XK") | {"XK_XDR_SHXYM": "", "XK_XDR_ZZJG": "", "XK_FRDB": "", "XK_XDR_ZJHM": ""}
    rows[3] |= {"XK_XDR_LB": "法人及非法人组织", "XK_XDR_SHXYM": ""}
    rows[4] |= {"XK_XDR_SHXYM": f"{rows[4]['XK_XDR_SHXYM'][:17]}{'A' if rows[4]['XK_XDR_SHXYM'][17] != 'A' else 'B'}"}
    rows[5] |= {"XK_YXQZI": "1999-01-01"}
    rows[6] |= {"XK_XKLB": "备案"}
    broken = {
        4: "xk_xdr_lb.expression.2",
        5: "xk_xdr_lb.expression",
        6: "xk_xdr_shxym.uscc",
        7: "xk_yxqzi.compare.xk_yxqz",
        8: "xk_xklb.code-list",
    }
    return _by_header("amr_credit_licence", rows, "gb18030"), broken


def write_penalties(firms: Sequence[Mapping[str, str]]) -> tuple[bytes, dict[int, str]]:
    """The full layout of 行政处罚, amounts in 万元, and the rule that each planted fault breaks, by line."""
    rows = [
        {
            **_subject("CF", firm),
            "CF_WSH": f"安市监罚〔2026〕{number}号",
            "CF_WFXW": "经营过期食品",
            "CF_SY": "经检查，货架上有三批食品超过保质期，\n当事人当场承认。",
            "CF_YJ": "《中华人民共和国食品安全法》第一百二十四条",
            "CF_CFLB": "罚款；没收违法所得",
            "CF_NR": "罚款5000元，没收违法所得120元",
            "CF_NR_FK": "0.5",
            "CF_NR_WFFF": "0.012",
            "CF_JDRQ": "2026-03-02",
            "CF_YXQ": "2029-03-02",
            "CF_GSJZQ": "2029-03-02",
            "CF_CFJG": _BUREAU,
            "CF_CFJGDM": _BUREAU_CODE,
            "CF_SJLY": _BUREAU,
            "CF_SJLYDM": _BUREAU_CODE,
        }
        for number, firm in enumerate(firms, 1)
    ]
    rows[0] |= {"CF_NR_FK": ""}
    rows[1] |= {"CF_GSJZQ": "2020-01-01"}
    rows[2] |= {"CF_NR_FK": "-1"}
    broken = {2: "cf_cflb.expression", 4: "cf_gsjzq.compare.cf_jdrq", 6: "cf_nr_fk.range"}
    return _by_header("amr_credit_penalty", rows, "utf-8-sig"), broken
