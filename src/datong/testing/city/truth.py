"""What is kept beside the deliveries: who and what there is, where each stands in the files, and every fault.

truth/people.parquet, firms.parquet     as they are
truth/events.parquet                    resource, event, entity, day
truth/rows.parquet                      resource, row, line, entity, true_row: which row of which file is about whom
truth/labels.parquet                    one row a column that a fault touched (see LABEL_FIELDS)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datong.testing.city.draws import Ints, Text, choose, day_text, join
from datong.testing.city.model import Rows, TableSpec
from datong.testing.city.people import NOBODY
from datong.testing.city.spoil import Spoiled

LABEL_FIELDS: Final[Mapping[str, pa.DataType]] = {
    "agency": pa.string(),
    "resource": pa.string(),
    "file": pa.string(),
    "row": pa.int64(),
    "line": pa.int64(),
    "true_row": pa.int64(),
    "entity": pa.int64(),
    "key": pa.string(),
    "kind": pa.string(),
    "column": pa.string(),
    "truth": pa.string(),
    "written": pa.string(),
    "of_line": pa.int64(),
}
"""`row` counts the table's rows from 1; `line` is where the row begins in the file (line, sheet row or ordinal). Both
are 0 for a row that was left out; `true_row` is its number in the same city without dirt. `key` is the row's true key,
the parts of one of several columns joined by |. `written` is null for a field that the row is too short to have.
`of_line` is the line that a duplicate repeats, else null."""
_ROW_FIELDS: Final[Mapping[str, pa.DataType]] = {
    "resource": pa.string(),
    "row": pa.int64(),
    "line": pa.int64(),
    "entity": pa.int64(),
    "true_row": pa.int64(),
}
"""`true_row` is the row's number in the same city without dirt: there stands what it should say."""
_EVENT_FIELDS: Final[Mapping[str, pa.DataType]] = {
    "resource": pa.string(),
    "event": pa.string(),
    "entity": pa.int64(),
    "day": pa.string(),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WrittenBlock:
    """A block as it went into a file. `lines` tells where each row begins; the first rows count from 1 in the file and
    in the same city without dirt."""

    rows: Rows
    spoiled: Spoiled
    lines: Ints
    first_row: int
    first_true_row: int


def _schema(fields: Mapping[str, pa.DataType]) -> pa.Schema:
    return pa.schema([pa.field(name, kind) for name, kind in fields.items()])


def _constant(value: str, count: int) -> Text:
    return choose([value], np.zeros(count, dtype=np.int64))


class TruthSink:
    """Writes the truth block by block."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._writers: dict[str, pq.ParquetWriter] = {}
        for name, fields in (("labels", LABEL_FIELDS), ("rows", _ROW_FIELDS), ("events", _EVENT_FIELDS)):
            self._put(name, _schema(fields).empty_table())

    def _put(self, name: str, table: pa.Table) -> None:
        writer = self._writers.get(name)
        if writer is None:
            path = self._folder / f"{name}.parquet"
            writer = self._writers[name] = pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)

    def put_entities(self, name: str, table: pa.Table) -> None:
        self._put(name, table)

    def put_rows(self, spec: TableSpec, written: WrittenBlock) -> None:
        """The rows of a block, its events and its labels."""
        self._put_places(spec, written)
        rows = written.rows
        if rows.event and rows.day is not None:
            events = {
                "resource": _constant(spec.resource, len(rows)),
                "event": _constant(rows.event, len(rows)),
                "entity": rows.entity,
                "day": day_text(rows.day),
            }
            self._put("events", pa.table(events))
        if written.spoiled.labels:
            self._put("labels", _labels(spec, written))

    def _put_places(self, spec: TableSpec, written: WrittenBlock) -> None:
        count, source = len(written.spoiled), written.spoiled.source
        self._put(
            "rows",
            pa.table(
                {
                    "resource": _constant(spec.resource, count),
                    "row": written.first_row + np.arange(count, dtype=np.int64),
                    "line": written.lines,
                    "entity": written.rows.entity[source],
                    "true_row": written.first_true_row + source,
                }
            ),
        )

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()


def _keys(spec: TableSpec, rows: Rows) -> Text:
    first, *others = spec.key_columns or spec.names[:1]
    return join(rows.columns[first], *(part for name in others for part in ("|", rows.columns[name])))


def _labels(spec: TableSpec, written: WrittenBlock) -> pa.Table:
    rows, lines, first_row = written.rows, written.lines, written.first_row
    labels = sorted(written.spoiled.labels, key=lambda label: (label.place, label.source))
    place = np.array([label.place for label in labels], dtype=np.int64)
    source = np.array([label.source for label in labels], dtype=np.int64)
    of_place = np.array([label.of_place for label in labels], dtype=np.int64)
    safe = np.maximum(place, 0)
    is_absent = place == NOBODY
    line = lines if len(lines) else np.zeros(1, dtype=np.int64)
    return pa.table(
        {
            "agency": _constant(spec.agency, len(labels)),
            "resource": _constant(spec.resource, len(labels)),
            "file": _constant(spec.file_name, len(labels)),
            "row": pa.array(np.where(is_absent, 0, first_row + place)),
            "line": pa.array(np.where(is_absent, 0, line[safe])),
            "true_row": pa.array(written.first_true_row + source),
            "entity": pa.array(rows.entity[source]),
            "key": _keys(spec, rows).take(pa.array(source)),
            "kind": pa.array([label.kind for label in labels], type=pa.string()),
            "column": pa.array([label.column for label in labels], type=pa.string()),
            "truth": pa.array([label.truth for label in labels], type=pa.string()),
            "written": pa.array([label.written for label in labels], type=pa.string()),
            "of_line": pa.array(line[np.maximum(of_place, 0)], mask=of_place == NOBODY),
        },
        schema=_schema(LABEL_FIELDS),
    )
