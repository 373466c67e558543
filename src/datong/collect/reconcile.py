"""Reconciliation 对账: what the sender says was sent against what arrived.

A bill is a small JSON or CSV file beside the data, or fields of a form. Control sums are taken over the cells as they
came, before cleaning and whatever the checks say of them, because that is what the sender counted. So one row lost or
doubled on the way shows in rows, sums or digest, and in which.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from datong.catalog.values import DataContract
from datong.collect.contracts import Bill, BillDifference, BillUnreadable
from datong.collect.delimited import name_key
from datong.kernel.limits import BILL_BYTES_MAX, BILL_COLUMNS_MAX
from datong.quality.sql import name_sql

_WORDS: Mapping[str, str] = {
    "rows": "rows",
    "行数": "rows",
    "记录数": "rows",
    "bytes": "bytes",
    "字节数": "bytes",
    "文件大小": "bytes",
    "sha256": "sha256",
    "摘要": "sha256",
    "指纹": "sha256",
    "sums": "sums",
    "sum": "sums",
    "合计": "sums",
    "distinct": "distinct",
    "去重数": "distinct",
    "batch": "batch",
    "批次": "batch",
    "批次号": "batch",
}
_NUMBER = "decimal(28,10)"
_SHA256 = re.compile(r"[0-9a-f]{64}")
DIFFERENCE_TITLES: Mapping[str, tuple[str, str]] = {
    "rows": ("行数", "rows"),
    "bytes": ("字节数", "bytes"),
    "sha256": ("指纹", "digest"),
    "sum": ("合计", "sum"),
    "distinct": ("去重数", "different values"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What arrived, in the bill's terms."""

    rows: int
    bytes: int
    sha256: str
    sums: Mapping[str, Decimal] = field(default_factory=dict)
    distinct: Mapping[str, int] = field(default_factory=dict)


def read_bill(data: bytes, filename: str = "") -> Bill:
    """A bill from JSON ({"rows": 3, "sums": {"income": "12.5"}}) or CSV lines `item,column,value`.

    Items may be written in Chinese: 行数 字节数 摘要 合计 去重数 批次. Raises BillUnreadable.
    """
    if len(data) > BILL_BYTES_MAX:
        raise _unreadable(f"It is larger than {BILL_BYTES_MAX} bytes.", f"超过{BILL_BYTES_MAX}字节。")
    text = _decode(data)
    if text.lstrip().startswith("{") or filename.lower().endswith(".json"):
        return make_bill(_from_json(text))
    return make_bill(_from_csv(text))


def make_bill(given: Mapping[str, Any]) -> Bill:
    """A bill from plain values under any of its words; unknown words and values that are no numbers are refused."""
    found: dict[str, Any] = {}
    for word, value in given.items():
        name = _WORDS.get(str(word).strip().casefold())
        if name is None:
            raise _unreadable(f"It has an unknown item {word!r}.", f"不认识项目“{word}”。")
        if value not in (None, ""):
            found[name] = value
    sums = {str(column): _number(value) for column, value in _columns(found.get("sums")).items()}
    distinct = {str(column): _whole(value) for column, value in _columns(found.get("distinct")).items()}
    digest = str(found.get("sha256", "")).strip().lower().removeprefix("sha256:")
    if digest and not _SHA256.fullmatch(digest):
        raise _unreadable("The digest is no SHA-256 in hexadecimal.", "摘要不是十六进制的SHA-256。")
    bill = Bill(
        rows=_whole(found["rows"]) if "rows" in found else None,
        bytes=_whole(found["bytes"]) if "bytes" in found else None,
        sha256=digest,
        sums=sums,
        distinct=distinct,
        batch=str(found.get("batch", ""))[:200],
    )
    if bill == Bill(batch=bill.batch):
        raise _unreadable("It says nothing that could be compared.", "没有任何可核对的内容。")
    return bill


def bill_from_dict(stored: Mapping[str, Any]) -> Bill:
    """A bill as `Bill.as_dict` wrote it."""
    return Bill(**{**stored, "sums": {name: Decimal(value) for name, value in stored.get("sums", {}).items()}})


def _decode(data: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _unreadable("It is neither UTF-8 nor GB18030.", "既不是UTF-8也不是GB18030编码。")


def _from_json(text: str) -> Mapping[str, Any]:
    try:
        value = msgspec.json.Decoder(float_hook=Decimal).decode(text)
    except msgspec.DecodeError as error:
        raise _unreadable(f"It is no JSON: {error}.", "不是有效的JSON。") from error
    if not isinstance(value, dict):
        raise _unreadable("It is a JSON value, but no object.", "JSON的最外层应是对象。")
    return value


def _from_csv(text: str) -> Mapping[str, Any]:
    """Lines item, column, value; the column is empty for the file's own figures. A heading line may stand above."""
    found: dict[str, Any] = {}
    for number, record in enumerate(csv.reader(io.StringIO(text)), 1):
        cells = [cell.strip() for cell in record]
        if not any(cells):
            continue
        if len(cells) == 2:
            cells.insert(1, "")
        name = _WORDS.get(cells[0].casefold())
        if name is None and number == 1:
            continue
        if name is None or len(cells) != 3:
            raise _unreadable(f"Line {number} is not item, column, value.", f"第{number}行不是“项目,列,值”。")
        if name in ("sums", "distinct"):
            found.setdefault(name, {})[cells[1]] = cells[2]
        else:
            found[name] = cells[2]
    return found


def _columns(value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or len(value) > BILL_COLUMNS_MAX:
        raise _unreadable(
            f"Sums and counts are given per column, of at most {BILL_COLUMNS_MAX}.",
            f"合计与去重数应按列给出，最多{BILL_COLUMNS_MAX}列。",
        )
    return value


def _number(value: Any) -> Decimal:
    try:
        number = Decimal(str(value).replace(",", "").strip())
    except InvalidOperation as error:
        raise _unreadable(f"{value!r} is no number.", f"“{value}”不是数。") from error
    if not number.is_finite():
        raise _unreadable(f"{value!r} is no number.", f"“{value}”不是数。")
    return number


def _whole(value: Any) -> int:
    number = _number(value)
    if number != number.to_integral_value() or number < 0:
        raise _unreadable(f"{value!r} is no whole number.", f"“{value}”不是非负整数。")
    return int(number)


def _unreadable(hint: str, hint_zh: str) -> BillUnreadable:
    return BillUnreadable(hint, hint_zh=hint_zh)


# Comparing ---------------------------------------------------------------------------------------------------------
def resolve_columns(bill: Bill, contract: DataContract) -> dict[str, str]:
    """The bill's names of columns → the contract's. Raises BillUnreadable for one that the contract does not have."""
    names = {name_key(alias): column.name for column in contract.columns for alias in (*column.source_names,)}
    found: dict[str, str] = {}
    for given in (*bill.sums, *bill.distinct):
        name = names.get(name_key(given))
        if name is None:
            raise _unreadable(
                f"It names a column that the contract does not have: {given}.", f"契约中没有列“{given}”。"
            )
        found[given] = name
    return found


def measure_sql(bill: Bill, columns: Mapping[str, str], relation: str, raw: Callable[[str], str]) -> str:
    """One aggregate row over the file's rows as text: the sums, then the counts, in the bill's order.

    `raw` tells under which name the relation has a column's cell as it came.
    """
    parts = []
    for given in bill.sums:
        cell = name_sql(raw(columns[given]))
        parts.append(f"coalesce(sum(try_cast(replace(trim({cell}), ',', '') as {_NUMBER})), 0)")
    parts += [f"count(distinct {name_sql(raw(columns[given]))})" for given in bill.distinct]
    return f"select {', '.join(parts) or '0'} from {relation}"


def read_measures(bill: Bill, row: Sequence[Any]) -> tuple[dict[str, Decimal], dict[str, int]]:
    """The figures of `measure_sql`'s row, by the bill's names."""
    sums = {given: Decimal(row[i]) for i, given in enumerate(bill.sums)}
    distinct = {given: int(row[len(sums) + i]) for i, given in enumerate(bill.distinct)}
    return sums, distinct


def compare_bill(bill: Bill, found: Measured) -> tuple[BillDifference, ...]:
    """Every point in which they disagree. A sum is compared to as many decimals as the bill writes."""
    differences = []
    for what, billed, arrived in (
        ("rows", bill.rows, found.rows),
        ("bytes", bill.bytes, found.bytes),
        ("sha256", bill.sha256 or None, found.sha256),
    ):
        if billed is not None and billed != arrived:
            differences.append(BillDifference(what=what, column="", billed=str(billed), found=str(arrived)))
    for column, total in bill.sums.items():
        arrived_total = found.sums.get(column, Decimal(0))
        if abs(arrived_total - total) * 2 > Decimal(1).scaleb(min(0, int(total.as_tuple().exponent))):
            differences.append(
                BillDifference(what="sum", column=column, billed=_plain(total), found=_plain(arrived_total))
            )
    for column, count in bill.distinct.items():
        if found.distinct.get(column) != count:
            differences.append(
                BillDifference(
                    what="distinct", column=column, billed=str(count), found=str(found.distinct.get(column, 0))
                )
            )
    return tuple(differences)


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def explain_differences(differences: Sequence[BillDifference]) -> tuple[str, str]:
    """The differences in one sentence each language."""
    zh, en = [], []
    for each in differences:
        title_zh, title_en = DIFFERENCE_TITLES[each.what]
        if each.what == "sha256":
            zh.append(f"{title_zh}不符")
            en.append(f"the {title_en} differs")
            continue
        of_zh, of_en = (f"{each.column}的", f" of {each.column}") if each.column else ("", "")
        zh.append(f"{of_zh}{title_zh}应为{each.billed}，实为{each.found}")
        en.append(f"{title_en}{of_en}: {each.billed} billed, {each.found} found")
    return "；".join(zh), "; ".join(en)
