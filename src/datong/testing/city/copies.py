"""The agencies' imperfect copies of the city, written as they would send them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, Final, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from datong.kernel import ids
from datong.testing.city.dirt import ABSENT, CHANGED_DUPLICATE, DUPLICATE, FAULTS, FaultChooser, later_edition
from datong.testing.city.firms import Firm
from datong.testing.city.model import CopyCount, CopySpec, Layout
from datong.testing.city.people import Person

_BATCH_ROWS: Final = 65_536

PSB_POPULATION: Final = CopySpec(
    name="psb_population",
    file_name="psb_population.csv",
    encoding="gb18030",
    line_end="\r\n",
    layout=Layout(
        header=(
            "公民身份号码", "姓名", "性别", "出生日期", "民族", "户籍地行政区划代码", "住址", "人员状态", "更新日期",
        ),
        identifier=0,
        name=1,
        sex=2,
        birth_date=3,
        address=6,
        dates=(3, 8),
        required=(1, 2, 3, 5, 7, 8),
        swaps=((1, 6), (2, 4), (3, 8)),
        coded={2: ("男", "3", "M"), 7: ("在册", "1", "未知")},
        updated=8,
    ),
)  # fmt: skip
AMR_ENTERPRISE: Final = CopySpec(
    name="amr_enterprise",
    file_name="amr_enterprise.csv",
    encoding="utf-8-sig",
    line_end="\n",
    layout=Layout(
        header=(
            "uscc", "name", "legal_person", "legal_person_id", "industry", "registered_capital", "established_on",
            "approved_on", "division_code", "address", "status",
        ),
        identifier=0,
        name=1,
        address=9,
        dates=(6, 7),
        required=(1, 2, 6, 8, 10),
        swaps=((1, 2), (1, 9), (6, 7)),
        coded={10: ("正常", "1", "营业")},
        updated=7,
    ),
)  # fmt: skip
HRSS_INSURED: Final = CopySpec(
    name="hrss_insured",
    file_name="hrss_insured.csv",
    encoding="utf-8",
    line_end="\n",
    layout=Layout(
        header=(
            "id_number", "name", "employer_uscc", "employer_name", "insured_on", "contribution_base", "status",
            "updated_on",
        ),
        identifier=0,
        name=1,
        address=3,
        dates=(4, 7),
        required=(1, 2, 4, 6),
        swaps=((1, 3), (0, 2)),
        coded={6: ("1", "在保")},
        updated=7,
    ),
)  # fmt: skip


def population_row(person: Person) -> list[str]:
    """A person as the police keep them; columns as in the contract `psb_population`."""
    return [
        person.id_number,
        person.name,
        person.sex,
        person.birth_date,
        person.ethnicity,
        person.division_code,
        person.address,
        person.status,
        person.updated_on,
    ]


def enterprise_row(firm: Firm) -> list[str]:
    """A firm as the market regulator keeps it; columns as in the contract `amr_enterprise`."""
    return list(firm[1:])


class ParquetSink:
    """Rows appended one by one, written in batches: memory holds one batch."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema)
        self._rows: list[tuple[Any, ...]] = []

    def append(self, row: tuple[Any, ...]) -> None:
        self._rows.append(row)
        if len(self._rows) == _BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        columns = zip(*self._rows, strict=True)
        arrays = [pa.array(column, type=field.type) for column, field in zip(columns, self._schema, strict=True)]
        self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._rows.clear()

    def close(self) -> None:
        if self._rows:
            self._flush()
        self._writer.close()


class CopyWriter:
    """Writes one copy: puts faults in, labels them, keeps which line is whom."""

    def __init__(
        self, spec: CopySpec, folder: Path, *, level: str, seed: int, labels: TextIO, lines: ParquetSink
    ) -> None:
        self._spec, self._layout = spec, spec.layout
        self._draw = ids.seeded(seed).random
        self._chooser = FaultChooser(level, spec.layout)
        self._labels, self._lines = labels, lines
        self._path = folder / spec.file_name
        self._file = self._path.open("w", encoding=spec.encoding, newline="")
        self._writer = csv.writer(self._file, lineterminator=spec.line_end)
        self._writer.writerow(spec.layout.header)
        self._line = 2
        self._waiting: list[tuple[list[str], list[str], int, int, str]] = []
        self._entities = self._rows = self._faulty = 0
        self._faults: dict[str, int] = {}

    def put(self, truth: list[str], entity: int) -> None:
        """Take one entity's true row. It may be written with a fault, twice, or not at all."""
        self._entities += 1
        draw, chooser = self._draw, self._chooser
        drawn = draw()
        if drawn >= chooser.share:
            self._write(truth, entity)
        else:
            self._put_fault(truth, entity, chooser.choose(drawn))
        if self._waiting and draw() < 0.05:
            self._write_duplicate()

    def close(self) -> CopyCount:
        """Write what waits and close the file."""
        while self._waiting:
            self._write_duplicate()
        self._file.close()
        faults = dict(sorted(self._faults.items()))
        return CopyCount(
            name=self._spec.name,
            path=self._path,
            entities=self._entities,
            rows=self._rows,
            lines=self._line - 1,
            absent=faults.get(ABSENT, 0),
            duplicates=faults.get(DUPLICATE, 0) + faults.get(CHANGED_DUPLICATE, 0),
            faults=faults,
            faulty_rows=self._faulty,
        )

    def _put_fault(self, truth: list[str], entity: int, kind: str) -> None:
        if kind == ABSENT:
            self._label(kind, entity, 0, [(self._layout.identifier, truth[self._layout.identifier], None)])
            return
        if kind in (DUPLICATE, CHANGED_DUPLICATE):
            again = truth[:]
            if kind == CHANGED_DUPLICATE:
                later_edition(again, self._layout, self._draw)
            self._waiting.append((again, truth, entity, self._line, kind))
            self._write(truth, entity)
            return
        written = truth[:]
        FAULTS[kind](written, self._layout, self._draw)
        if written != truth:
            self._label(kind, entity, self._line, _differences(truth, written))
            self._faulty += 1
        self._write(written, entity)

    def _write_duplicate(self) -> None:
        row, truth, entity, of_line, kind = self._waiting.pop(0)
        column = self._layout.identifier
        changes = _differences(truth, row) or [(column, truth[column], row[column])]
        self._label(kind, entity, self._line, changes, of_line=of_line)
        self._write(row, entity)

    def _write(self, row: list[str], entity: int) -> None:
        self._writer.writerow(row)
        self._lines.append((self._spec.name, self._line, entity))
        self._rows += 1
        self._line += 1 + sum(value.count("\n") for value in row if "\n" in value)

    def _label(
        self,
        kind: str,
        entity: int,
        line: int,
        changes: list[tuple[int, str, str | None]],
        *,
        of_line: int | None = None,
    ) -> None:
        self._faults[kind] = self._faults.get(kind, 0) + 1
        for column, truth, written in changes:
            label = {
                "file": self._spec.file_name,
                "line": line,
                "entity": entity,
                "kind": kind,
                "column": self._layout.header[column],
                "truth": truth,
                "written": written,
            }
            if of_line is not None:
                label["of_line"] = of_line
            self._labels.write(json.dumps(label, ensure_ascii=False) + "\n")


def _differences(truth: list[str], written: list[str]) -> list[tuple[int, str, str | None]]:
    """(column, true value, written value) wherever they differ; None where the row is too short."""
    padded: list[str | None] = [*written, *[None] * (len(truth) - len(written))]
    return [
        (column, right, wrong)
        for column, (right, wrong) in enumerate(zip(truth, padded, strict=True))
        if right != wrong
    ]
