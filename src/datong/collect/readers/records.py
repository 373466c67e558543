"""JSON, JSON lines and GeoJSON as plain tables. A position is the record's number, for JSON lines the line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from datong.collect.delimited import find_encoding, guess_encoding
from datong.collect.exact import SourceLines, open_text
from datong.collect.readers.contracts import FileMalformed, Note, PlainTable, RecordsNotFound
from datong.collect.readers.json_text import DECODER, JsonStream, flatten, pick, read_path
from datong.collect.readers.keyed import KeyedRow, write_keyed
from datong.collect.readers.reading import Source
from datong.collect.readers.wkt import geometry_text
from datong.kernel.limits import CSV_SNIFF_BYTES

_NO_OBJECT = ("不是JSON对象", "It is no JSON object")
GEOMETRY = "geometry"
"""The column that holds a shape as well-known text (OGC 06-103r4)."""


def read_json(source: Source) -> PlainTable:
    """An array of objects: at the top, at `record_path`, or the first one found."""
    encoding = _encoding(source)
    path, notes = _path(source, encoding)
    pick_fields = _picker(source)

    def rows() -> Iterator[KeyedRow]:
        with open_text(source.path, encoding) as file:
            for number, record in enumerate(JsonStream(file).records(path), 1):
                if isinstance(record, Mapping):
                    yield number, pick_fields(record), None
                else:
                    yield number, {"": str(record)}, _NO_OBJECT

    written = write_keyed(rows, source)
    return written.as_table(kind="json", position_word="record", encoding=encoding, notes=notes)


def read_json_lines(source: Source) -> PlainTable:
    """One object a line. A line that is none is put aside with its number."""
    encoding = _encoding(source)
    pick_fields = _picker(source)

    def rows() -> Iterator[KeyedRow]:
        with open_text(source.path, encoding) as file:
            lines = SourceLines(file)
            for line in lines:
                lines.start_record()
                text = line.strip("\ufeff \t\r\n")
                if not text:
                    continue
                try:
                    record = DECODER.decode(text)
                except (json.JSONDecodeError, RecursionError):
                    record = None
                if isinstance(record, Mapping):
                    yield lines.number, pick_fields(record), None
                else:
                    yield lines.number, {"": text}, _NO_OBJECT

    return write_keyed(rows, source).as_table(kind="jsonl", position_word="line", encoding=encoding)


def read_geojson(source: Source) -> PlainTable:
    """The features of a collection (RFC 7946): their properties, their id where there is one, and the shape as text."""
    encoding = _encoding(source)
    path = read_path(source.reading.record_path) or ("features",)
    mapped = {name: read_path(where) for name, where in source.reading.fields.items()}

    def rows() -> Iterator[KeyedRow]:
        with open_text(source.path, encoding) as file:
            for number, feature in enumerate(JsonStream(file).records(path), 1):
                if not isinstance(feature, Mapping):
                    yield number, {"": str(feature)}, _NO_OBJECT
                    continue
                fields = dict(flatten(feature.get("properties") or {}))
                if "id" in feature:
                    fields.setdefault("id", str(feature["id"]))
                try:
                    fields[GEOMETRY] = geometry_text(feature.get("geometry"))
                except FileMalformed as failure:
                    yield number, {"": str(feature)[:200]}, (failure.hint_zh, failure.hint)
                    continue
                if mapped:
                    fields = {n: fields.get(".".join(w)) or pick(feature, w) for n, w in mapped.items()}
                yield number, fields, None

    written = write_keyed(rows, source)
    crs = Note(
        code="crs", zh="坐标为WGS 84经纬度（RFC 7946）", en="Coordinates are WGS 84 longitude and latitude (RFC 7946)"
    )
    return written.as_table(kind="geojson", position_word="record", encoding=encoding, notes=(crs,))


def _encoding(source: Source) -> str:
    with source.path.open("rb") as file:
        head = file.read(CSV_SNIFF_BYTES)
    encoding = guess_encoding(head)
    return source.reading.encoding or (encoding if encoding == "utf-16" else find_encoding(source.path))


def _picker(source: Source) -> Any:
    mapped = [(name, read_path(path)) for name, path in source.reading.fields.items()]
    if mapped:
        return lambda record: {name: pick(record, path) for name, path in mapped}
    return lambda record: dict(flatten(record))


def _path(source: Source, encoding: str) -> tuple[tuple[str, ...], tuple[Note, ...]]:
    if source.reading.record_path:
        return read_path(source.reading.record_path), ()
    with open_text(source.path, encoding) as file:
        found = JsonStream(file).find_path()
    if found is None:
        raise RecordsNotFound(
            "No array of objects was found. Name it in `reading.record_path`.",
            hint_zh="没有找到对象数组，请在契约reading.record_path中写明其位置。",
        )
    if not found:
        return found, ()
    name = ".".join(found)
    return found, (Note(code="nested", zh=f"记录取自{name}", en=f"The records are those of {name}"),)
