"""Which writer a table's form has, and the files that hold several tables."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

from datong.testing.city.draws import Ints
from datong.testing.city.formats.delimited import DelimitedWriter
from datong.testing.city.formats.dumps import MysqlDumpWriter, PostgresDumpWriter
from datong.testing.city.formats.parquet import ParquetTableWriter
from datong.testing.city.formats.records import GeoJsonWriter, JsonLinesWriter, JsonWriter, XmlWriter
from datong.testing.city.formats.workbook import SheetWriter, bind_workbook, copy_in
from datong.testing.city.model import Rows, TableSpec
from datong.testing.city.spoil import Spoiled


class TableWriter(Protocol):
    """Writes a table block by block."""

    def write(self, block: Spoiled, rows: Rows) -> Ints:
        """Write the rows; give for each where it begins: a line, a sheet's row or an ordinal, counted from 1."""
        ...

    def close(self) -> None: ...


_WRITERS: Final[Mapping[str, Callable[[TableSpec, Path], TableWriter]]] = {
    "csv": DelimitedWriter,
    "xlsx": SheetWriter,
    "json": JsonWriter,
    "jsonl": JsonLinesWriter,
    "xml": XmlWriter,
    "geojson": GeoJsonWriter,
    "parquet": ParquetTableWriter,
    "pgsql": PostgresDumpWriter,
    "mysql": MysqlDumpWriter,
}


def open_writer(spec: TableSpec, folder: Path) -> TableWriter:
    """The writer of a table in its agency's folder; what is part of a larger file goes to a file of its own first."""
    return _WRITERS[spec.form](spec, part_path(spec, folder))


def part_path(spec: TableSpec, folder: Path) -> Path:
    """Where a table is written: its file, or the part that `bind` puts into it."""
    inside = bool(spec.member) or spec.form == "xlsx"
    return folder / (f"{spec.resource}.part" if inside else spec.file_name)


def bind(path: Path, tables: list[tuple[TableSpec, TableWriter]]) -> None:
    """Put the closed parts of one file together: sheets of a workbook, members of a zip. Others stand already."""
    specs = [spec for spec, _ in tables]
    if specs[0].form == "xlsx":
        bind_workbook(path, [writer for _, writer in tables if isinstance(writer, SheetWriter)])
    elif specs[0].member:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as package:
            for spec in specs:
                copy_in(package, spec.member, part_path(spec, path.parent))
