"""The layouts in which standards go round, recognised by their heads alone.

history        code,name,first_seen,last_seen (months YYYYMM): GB/T 2260 as the Ministry of Civil Affairs publishes
               it, one row an interval
wide           menlei,…,xiaolei_name: GB/T 4754-2017, one row a 小类 with all that stands above it
levels         code,level,parent,name with a letter before every code: GB/T 4754-2011
areas          code,name with 2, 4, 6 or 9 digits: 统计用区划代码, one file a level
points         adcode,name[,longitude,latitude]: division codes of 12 digits
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datong.standards.contracts import Code
from datong.standards.divisions import merge_snapshots, month_end

HEADS_ZH: Mapping[str, str] = {
    "代码": "code", "编码": "code", "名称": "title_zh", "中文名称": "title_zh", "英文名称": "title_en",
    "上级代码": "parent", "上级": "parent", "生效日期": "valid_from", "有效期自": "valid_from",
    "失效日期": "valid_to", "有效期至": "valid_to", "备注": "note", "说明": "note", "新代码": "to_code",
    "变更日期": "on", "变更类型": "kind", "标识符": "id", "数据元标识": "id", "英文标识": "name", "短名": "name",
    "数据元名称": "zh", "定义": "means", "表示格式": "form", "数据类型": "type", "代码集": "code_list",
    "计量单位": "unit", "同义名称": "also",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file: where it stands, and its cells by head."""

    file: str
    line: int
    cells: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a layout gives: codes, what it knows about the standard, and the span that a history covers."""

    codes: Sequence[Code]
    heading: Mapping[str, str]
    covers: tuple[dt.date, dt.date] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    title_zh: str
    fits: Callable[[Sequence[str], Sequence[Row]], bool]
    read: Callable[[Sequence[Row]], Found]


def normalise_heads(heads: Sequence[str]) -> list[str]:
    """Heads without blanks, Chinese ones as the English words; `name` of an element file stays `name`."""
    plain = [head.strip() for head in heads]
    return [HEADS_ZH.get(head, head) for head in plain]


# GB/T 2260 ---------------------------------------------------------------------------------------------------------
def _read_history(rows: Sequence[Row]) -> Found:
    intervals = [
        (r.cells["code"], r.cells["name"], month_end(r.cells["first_seen"]), month_end(r.cells["last_seen"]))
        for r in rows
    ]
    days = sorted({day for _, _, first, last in intervals for day in (first, last)})
    table = merge_snapshots(
        (day, {code: name for code, name, first, last in intervals if first <= day <= last}) for day in days
    )
    codes = [
        Code(code=entry.code, title_zh=entry.name, valid_from=entry.valid_from, valid_to=entry.valid_to)
        for entry in table.entries()
    ]
    heading = {
        "kind": "divisions",
        "name": "gbt2260",
        "edition": f"{days[0]:%Y%m}-{days[-1]:%Y%m}",
        "title_zh": "中华人民共和国行政区划代码",
        "title_en": "Codes of the administrative divisions of China",
        "source": "GB/T 2260",
    }
    return Found(codes=codes, heading=heading, covers=(days[0], days[-1]))


# GB/T 4754 ---------------------------------------------------------------------------------------------------------
_INDUSTRY_2017 = {
    "name": "gbt4754",
    "edition": "2017",
    "title_zh": "国民经济行业分类",
    "title_en": "Industrial classification of the national economy",
    "source": "GB/T 4754-2017",
    "valid_from": "2017-10-01",
}
_INDUSTRY_2011 = _INDUSTRY_2017 | {"edition": "2011", "source": "GB/T 4754-2011", "valid_from": "2011-11-01"}
_WIDE = ("menlei", "dalei", "zhonglei", "xiaolei")


def _read_wide(rows: Sequence[Row]) -> Found:
    codes: dict[str, Code] = {}
    for row in rows:
        parent = ""
        for level in _WIDE:
            code, title = row.cells[level], row.cells[f"{level}_name"]
            if not code or not title:
                raise ValueError(f"line {row.line}: {level} is empty")
            if code in codes and codes[code].title_zh != title:
                raise ValueError(f"line {row.line}: {code} has two titles")
            codes.setdefault(code, Code(code=code, title_zh=title, parent=parent))
            parent = code
    return Found(codes=list(codes.values()), heading=_INDUSTRY_2017)


def _read_levels(rows: Sequence[Row]) -> Found:
    """`A0111` is 0111 in 门类 A. A 中类 with one 小类 only may be left out: its 小类 then hangs below the 大类."""
    present = {row.cells["code"] for row in rows}
    codes = []
    for row in rows:
        code, parent = row.cells["code"], row.cells["parent"]
        if not code[:1].isalpha() or (code[1:] and not code[1:].isdigit()):
            raise ValueError(f"line {row.line}: {code!r} is a letter with up to four digits")
        while parent and parent not in present:
            parent = parent[:-1]
        codes.append(
            Code(
                code=code[1:] or code,
                title_zh=row.cells["name"],
                parent=parent[1:] or parent,
            )
        )
    return Found(codes=codes, heading=_INDUSTRY_2011)


# Statistical divisions ---------------------------------------------------------------------------------------------
AREAS_NAME = "nbs_divisions"
_AREAS = {
    "name": AREAS_NAME,
    "title_zh": "统计用区划代码",
    "title_en": "Division codes for statistics",
    "source": "国家统计局 统计用区划代码",
}


def _read_areas(rows: Sequence[Row]) -> Found:
    codes = []
    for row in rows:
        digits = row.cells["code"]
        code = digits.ljust(6, "0")
        above = {2: "", 4: digits[:2], 6: digits[:4], 9: digits[:6]}[len(digits)]
        codes.append(Code(code=code, title_zh=row.cells["name"], parent=above.ljust(6, "0") if above else ""))
    return Found(codes=codes, heading=_AREAS)


def _are_areas(heads: Sequence[str], rows: Sequence[Row]) -> bool:
    if "code" not in heads or "name" not in heads or not set(heads) <= _AREA_HEADS:
        return False
    return all(len(c := str(r.cells.get("code", ""))) in (2, 4, 6, 9) and c.isdigit() for r in rows)


_AREA_HEADS = {"code", "name", "provinceCode", "cityCode", "areaCode"}


def _read_points(rows: Sequence[Row]) -> Found:
    codes = [Code(code=row.cells["adcode"], title_zh=row.cells["name"]) for row in rows]
    heading = {
        "name": "adcodes",
        "title_zh": "行政区划代码（12位）",
        "title_en": "Division codes of 12 digits",
        "source": "行政区划代码与中心点",
    }
    return Found(codes=codes, heading=heading)


def _has(*names: str) -> Callable[[Sequence[str], Sequence[Row]], bool]:
    return lambda heads, _rows: set(names) <= set(heads)


LAYOUTS: tuple[Layout, ...] = (
    Layout(title_zh="行政区划历史", fits=_has("code", "name", "first_seen", "last_seen"), read=_read_history),
    Layout(title_zh="行业分类（逐小类）", fits=_has(*_WIDE), read=_read_wide),
    Layout(title_zh="行业分类（逐级）", fits=_has("code", "level", "parent", "name"), read=_read_levels),
    Layout(title_zh="统计用区划", fits=_are_areas, read=_read_areas),
    Layout(title_zh="区划中心点", fits=_has("adcode", "name"), read=_read_points),
)
