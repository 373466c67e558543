"""The contract's word `reading`: how a delivered file is to be read. What it does not say is found out from the file.

Keys: format, encoding, delimiter, sheet, header_rows, first_row, last_rows_ignored, footer_pattern, record_path,
fields, member, unit_in_header, no_header, fill_short_rows, unpivot. `unpivot: {keep: [columns], name: column, value:
column}` turns a wide table (one column a quarter) into a long one: `keep` stays, the other headers go to `name`, their
cells to `value`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datong.catalog.values import Column, DataContract
from datong.collect.delimited import ByteFacts, WantedColumn
from datong.collect.readers.contracts import ReadingInvalid

FORMATS = ("auto", "csv", "excel", "json", "jsonl", "xml", "parquet", "geojson", "shapefile")
SPACES = "spaces"
"""The delimiter word for cells parted by tabs or by two and more spaces."""
_KEYS = {
    "format": str,
    "encoding": str,
    "delimiter": str,
    "sheet": (str, list),
    "header_rows": int,
    "first_row": int,
    "last_rows_ignored": int,
    "footer_pattern": str,
    "record_path": str,
    "fields": Mapping,
    "member": str,
    "unit_in_header": bool,
    "no_header": bool,
    "fill_short_rows": bool,
    "unpivot": Mapping,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpivot:
    """Names of contract columns, or headers of the file for `keep`."""

    keep: tuple[str, ...]
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """`reading`, read and checked. 0 and "" mean: find out."""

    format: str = "auto"
    encoding: str = ""
    delimiter: str = ""
    sheets: tuple[str, ...] = ()
    header_rows: int = 0
    first_row: int = 0
    """The row or line on which the header, or with `no_header` the table, begins."""
    last_rows_ignored: int = 0
    footer_pattern: str = ""
    record_path: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    member: str = ""
    unit_in_header: bool = True
    no_header: bool = False
    fill_short_rows: bool = False
    """Rows that end before the header does lack empty cells, as GTFS writes them; else they are set aside."""
    unpivot: Unpivot | None = None

    @property
    def cuts_rows(self) -> bool:
        """Whether rows of the file are left out, filled or turned, so that it cannot be scanned as it is."""
        return bool(
            self.no_header or self.unpivot or self.last_rows_ignored or self.footer_pattern or self.fill_short_rows
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A landed file, what is known of it, and the work folder that takes what is written anew.

    `delimiter` is the sender's word and wins over the contract's. `exactly`: nothing is left for a fast scan.
    """

    path: Path
    facts: ByteFacts
    filename: str
    wanted: Sequence[WantedColumn]
    reading: Reading
    work: Path
    delimiter: str = ""
    exactly: bool = False


def read_reading(given: Mapping[str, Any]) -> Reading:
    """Raises ReadingInvalid for an unknown key or a value of the wrong type."""
    for key, value in given.items():
        wanted = _KEYS.get(key)
        if wanted is None:
            raise _invalid(key, f"unknown; the keys are {', '.join(_KEYS)}", f"未知；可用的键：{'、'.join(_KEYS)}")
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is int):  # type: ignore[arg-type]
            raise _invalid(key, f"{value!r} is not of the right type", f"{value!r}的类型不对")
    form = given.get("format", "auto")
    if form not in FORMATS:
        raise _invalid("format", f"{form!r} is none of {', '.join(FORMATS)}", f"{form!r}不是{'、'.join(FORMATS)}之一")
    for key in ("header_rows", "first_row", "last_rows_ignored"):
        if given.get(key, 0) < 0:
            raise _invalid(key, "is negative", "不能是负数")
    pattern = given.get("footer_pattern", "")
    try:
        re.compile(pattern)
    except re.error as error:
        raise _invalid("footer_pattern", f"is no regular expression: {error}", f"不是正则表达式：{error}") from error
    sheet = given.get("sheet", ())
    return Reading(
        format=form,
        encoding=given.get("encoding", ""),
        delimiter=given.get("delimiter", ""),
        sheets=(sheet,) if isinstance(sheet, str) else tuple(str(name) for name in sheet),
        header_rows=given.get("header_rows", 0),
        first_row=given.get("first_row", 0),
        last_rows_ignored=given.get("last_rows_ignored", 0),
        footer_pattern=pattern,
        record_path=given.get("record_path", ""),
        fields={str(name): str(path) for name, path in given.get("fields", {}).items()},
        member=given.get("member", ""),
        unit_in_header=given.get("unit_in_header", True),
        no_header=given.get("no_header", False),
        fill_short_rows=given.get("fill_short_rows", False),
        unpivot=_read_unpivot(given.get("unpivot")),
    )


def _read_unpivot(given: Mapping[str, Any] | None) -> Unpivot | None:
    if given is None:
        return None
    keep, name, value = given.get("keep"), given.get("name"), given.get("value")
    if set(given) - {"keep", "name", "value"} or not isinstance(keep, list) or not keep or not (name and value):
        raise _invalid(
            "unpivot",
            "must be {keep: [columns], name: column, value: column}",
            "应写作{keep: [列], name: 列, value: 列}",
        )
    return Unpivot(keep=tuple(str(column) for column in keep), name=str(name), value=str(value))


def _invalid(key: str, en: str, zh: str) -> ReadingInvalid:
    return ReadingInvalid(f"reading.{key}: {en}.", hint_zh=f"reading.{key}：{zh}。", key=key)


def wanted_columns(contract: DataContract) -> list[WantedColumn]:
    """The contract's columns, under every name that a header may use and with the unit the file should have."""
    return [
        WantedColumn(name=column.name, aliases=column.source_names, units=_units(column)) for column in contract.columns
    ]


def _units(column: Column) -> tuple[str, ...]:
    """The unit in which the file carries it: what a declared conversion starts from, else the column's own."""
    for step in getattr(column, "cleaning", ()):
        if step.step == "unit" and step.arguments.get("from"):
            return (str(step.arguments["from"]),)
    return (column.unit,) if column.unit else ()
