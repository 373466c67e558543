"""Reads every delivered table back, each form by its own library, as rows of text in the contract's column order."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
from lxml import etree

from datong.testing.city.agencies import TABLES_BY_NAME
from datong.testing.city.model import CityReport, TableSpec

Table = list[list[str]]


def read_table(report: CityReport, name: str) -> Table:
    """All rows, headings and notes left out; an empty cell is "". A short row keeps its length."""
    spec = TABLES_BY_NAME[name].spec
    return _READERS[spec.form](spec, report.path(name))


def _read_csv(spec: TableSpec, path: Path) -> Table:
    if spec.member:
        with zipfile.ZipFile(path) as package:
            content = package.read(spec.member)
    else:
        content = path.read_bytes()
    rows = list(csv.reader(io.StringIO(content.decode(spec.encoding), newline=""), delimiter=spec.delimiter))
    head, foot = len(spec.preamble), len(spec.footer)
    assert rows[head] == [spec.header_of(column) for column in spec.columns]
    return rows[head + 1 : len(rows) - foot]


def _read_xlsx(spec: TableSpec, path: Path) -> Table:
    sheet = openpyxl.load_workbook(path)[spec.sheet]
    head = len(spec.preamble) + (1 if spec.groups else 0) + 1
    rows = [["" if cell is None else str(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
    assert rows[head - 1] == [spec.header_of(column) for column in spec.columns]
    assert len(sheet.merged_cells.ranges) >= len(spec.preamble)
    return rows[head:]


def _from_object(spec: TableSpec, found: dict[str, Any]) -> list[str]:
    row = []
    for column in spec.columns:
        value: Any = found
        for step in (column.path or spec.header_of(column)).split("."):
            value = value[step]
        row.append("" if value is None else str(value))
    return row


def _read_json(spec: TableSpec, path: Path) -> Table:
    found: Any = json.loads(path.read_text(encoding="utf-8"))
    for step in spec.record.split("."):
        found = found[step]
    return [_from_object(spec, each) for each in found]


def _read_jsonl(spec: TableSpec, path: Path) -> Table:
    return [_from_object(spec, json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def _read_geojson(spec: TableSpec, path: Path) -> Table:
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["type"] == "FeatureCollection"
    for feature in found["features"]:
        kind, places = feature["geometry"]["type"], feature["geometry"]["coordinates"]
        assert kind == "Point" or (kind == "Polygon" and places[0][0] == places[0][-1] and len(places[0]) == 5)
    return [_from_object(spec, feature["properties"]) for feature in found["features"]]


def _read_xml(spec: TableSpec, path: Path) -> Table:
    records = etree.parse(path).getroot().findall(spec.record)
    return [[record.findtext(spec.header_of(column)) or "" for column in spec.columns] for record in records]


def _read_parquet(spec: TableSpec, path: Path) -> Table:
    table = pq.read_table(path)
    assert tuple(table.column_names) == spec.names
    columns = [["" if value is None else str(value) for value in column.to_pylist()] for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _read_pgsql(spec: TableSpec, path: Path) -> Table:
    text = path.read_text(encoding="utf-8")
    body = text[text.index("from stdin;\n") + len("from stdin;\n") : text.index("\n\\.\n") + 1]
    backslashes = {"\\t": "\t", "\\n": "\n", "\\\\": "\\"}
    return [
        [
            "" if cell == "\\N" else re.sub(r"\\[tn\\]", lambda found: backslashes[found[0]], cell)
            for cell in line.split("\t")
        ]
        for line in body.splitlines()
    ]


def _read_mysql(spec: TableSpec, path: Path) -> Table:
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("insert into"):
            continue
        for values in re.findall(r"\(((?:NULL|'(?:[^'\\]|\\.)*'|,)+)\)", line.partition(" values ")[2]):
            cells = re.findall(r"NULL|'(?:[^'\\]|\\.)*'", values)
            rows.append(["" if cell == "NULL" else cell[1:-1].replace("\\'", "'") for cell in cells])
    return rows


_READERS = {
    "csv": _read_csv,
    "xlsx": _read_xlsx,
    "json": _read_json,
    "jsonl": _read_jsonl,
    "geojson": _read_geojson,
    "xml": _read_xml,
    "parquet": _read_parquet,
    "pgsql": _read_pgsql,
    "mysql": _read_mysql,
}
