"""Records with named fields: JSON lines, nested JSON, XML and GeoJSON.

Positions are ordinals of records from 1, but in XML the physical lines on which records begin.
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np

from datong.testing.city.draws import Ints, Text, kernels
from datong.testing.city.formats.lines import LineFile, escaped, joined
from datong.testing.city.model import ColumnSpec, Rows, TableSpec
from datong.testing.city.spoil import Spoiled

_JSON_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
_XML_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


class _RecordWriter:
    """What they share: a head, records with something between, a tail."""

    def __init__(self, spec: TableSpec, path: Path, *, head: str, between: str, tail: str, head_lines: int = 0) -> None:
        self._spec, self._between, self._tail = spec, between, tail
        self._head_lines = head_lines
        self._file = LineFile(path, spec.encoding)
        self._file.write(head)
        self._count = 0

    def write(self, block: Spoiled, rows: Rows) -> Ints:
        if len(block):
            lines = joined([self._between, *self._record(block, rows)])
            if not self._count and self._between:
                first = lines[0].as_py().removeprefix(self._between)
                self._file.write(first)
                lines = lines.slice(1)
            self._file.write_lines(lines)
        begins = self._head_lines + self._count + 1 + np.arange(len(block), dtype=np.int64)
        self._count += len(block)
        return begins

    def _record(self, block: Spoiled, rows: Rows) -> list[Any]:
        raise NotImplementedError

    def close(self) -> None:
        self._file.write(self._tail.replace("{count}", str(self._count)))
        self._file.close()


def json_value(column: ColumnSpec, values: Text) -> list[Any]:
    """A text in quotation marks; a number bare, null where it is empty."""
    if column.type in ("number", "integer"):
        return [kernels.if_else(kernels.equal(values, ""), "null", values)]
    return ['"', escaped(values, _JSON_ESCAPES), '"']


def json_object(spec: TableSpec, block: Spoiled) -> list[Any]:
    """The parts of one object a row; columns whose paths share a first word are one object within."""
    parts: list[Any] = ["{"]
    groups = groupby(spec.columns, key=lambda column: (column.path or spec.header_of(column)).partition(".")[0::2][0])
    for place, (group, members) in enumerate(groups):
        found = list(members)
        parts.append(f'{"," if place else ""}"{group}":')
        inner = [(column.path or spec.header_of(column)).partition(".")[2] for column in found]
        if not inner[0]:
            parts += json_value(found[0], block.columns[found[0].name])
            continue
        for at, (column, name) in enumerate(zip(found, inner, strict=True)):
            parts += [f'{"," if at else "{"}"{name}":', *json_value(column, block.columns[column.name])]
        parts.append("}")
    return [*parts, "}"]


class JsonLinesWriter(_RecordWriter):
    def __init__(self, spec: TableSpec, path: Path) -> None:
        super().__init__(spec, path, head="", between="", tail="")

    def _record(self, block: Spoiled, rows: Rows) -> list[Any]:  # noqa: ARG002
        return [*json_object(self._spec, block), "\n"]


class JsonWriter(_RecordWriter):
    """An answer of an old interface: a code, a message, and somewhere within the records (`record`: data.records)."""

    def __init__(self, spec: TableSpec, path: Path) -> None:
        steps = spec.record.split(".")
        opening = "".join(f'"{step}":{{' for step in steps[:-1])
        head = f'{{"code":0,"message":"ok",{opening}"{steps[-1]}":[\n'
        super().__init__(spec, path, head=head, between=",\n", tail='\n],"total":{count}' + "}" * len(steps) + "\n")

    def _record(self, block: Spoiled, rows: Rows) -> list[Any]:  # noqa: ARG002
        return json_object(self._spec, block)


class GeoJsonWriter(_RecordWriter):
    """A FeatureCollection (RFC 7946); `rows.extra["ring"]` has the geometries as JSON."""

    def __init__(self, spec: TableSpec, path: Path) -> None:
        head = '{"type":"FeatureCollection","name":' + json.dumps(spec.resource) + ',"features":[\n'
        super().__init__(spec, path, head=head, between=",\n", tail="\n]}\n")

    def _record(self, block: Spoiled, rows: Rows) -> list[Any]:
        geometry = rows.extra["ring"].take(block.source)
        properties = json_object(self._spec, block)
        return ['{"type":"Feature","geometry":', geometry, ',"properties":', *properties, "}"]


class XmlWriter(_RecordWriter):
    def __init__(self, spec: TableSpec, path: Path) -> None:
        head = f'<?xml version="1.0" encoding="UTF-8"?>\n<data source="{spec.agency}" table="{spec.resource}">\n'
        super().__init__(spec, path, head=head, between="", tail="</data>\n", head_lines=2)

    def _record(self, block: Spoiled, rows: Rows) -> list[Any]:  # noqa: ARG002
        parts: list[Any] = [f"<{self._spec.record}>"]
        for column in self._spec.columns:
            tag = self._spec.header_of(column)
            parts += [f"<{tag}>", escaped(block.columns[column.name], _XML_ESCAPES), f"</{tag}>"]
        return [*parts, f"</{self._spec.record}>\n"]
