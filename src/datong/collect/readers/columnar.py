"""Parquet and shapefiles as plain tables, by DuckDB: bounded in memory, every value as text."""

from __future__ import annotations

import codecs
import csv
import struct
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from datong.collect.contracts import FileEmpty
from datong.collect.delimited import CHUNK_BYTES
from datong.collect.readers.archives import unpack_member
from datong.collect.readers.contracts import FileMalformed, MemberUnknown, Note, PlainTable, ReaderMissing
from datong.collect.readers.plain import SourceRow, write_rows
from datong.collect.readers.reading import Source
from datong.collect.readers.records import GEOMETRY
from datong.kernel.failures import Misconfigured, TooLarge
from datong.kernel.limits import COLLECT_SPILL_GB_MAX, CONTRACT_COLUMNS_MAX, READER_MEMORY_MIB
from datong.lake.engine import find_extension, quote_name, quote_text

_NESTED = ("LIST", "STRUCT", "MAP", "[", "UNION")
_LANGUAGE_DRIVERS = {0x4D: "gb18030", 0x4E: "cp949", 0x4F: "cp950", 0x7A: "gb18030", 0x78: "cp950"}
"""Byte 29 of a dBASE file; most Chinese ones leave it 0 and say GBK in a .cpg file, or nowhere."""


@contextmanager
def open_reader(work: Path, *extensions: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A private, bounded DuckDB. Raises ReaderMissing for an extension that is not installed."""
    connection = duckdb.connect(
        config={
            "threads": "2",
            "memory_limit": f"{READER_MEMORY_MIB}MiB",
            "temp_directory": str(work / "spill"),
            "max_temp_directory_size": f"{COLLECT_SPILL_GB_MAX}GB",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
    )
    try:
        for extension in ("icu", "json", *extensions):
            try:
                connection.execute(f"load {quote_text(str(find_extension(extension)))}")
            except Misconfigured as error:
                raise ReaderMissing(
                    f"Install the package duckdb-extension-{extension} (the extra `geo`), then send the file again.",
                    hint_zh=f"请安装duckdb-extension-{extension}（附加组件geo）后再提交。",
                    extension=extension,
                ) from error
        connection.execute("set timezone = 'Asia/Shanghai'")
        yield connection
    finally:
        connection.close()


def read_parquet(source: Source) -> PlainTable:
    """Every column as text: ISO dates, numbers without a needless ".0", nested values as JSON."""
    target = source.work / "parquet.csv"
    with open_reader(source.work) as connection:
        relation = f"read_parquet({quote_text(str(source.path))})"
        try:
            columns = connection.execute(f"describe select * from {relation}").fetchall()
            if len(columns) > CONTRACT_COLUMNS_MAX:
                raise TooLarge(f"The file has {len(columns)} columns.", hint_zh=f"文件有{len(columns)}列。")
            selected = ", ".join(
                f"{_as_text(str(name), str(kind))} as {quote_name(str(name))}" for name, kind, *_ in columns
            )
            connection.execute(
                f"copy (select {selected} from {relation}) to {quote_text(str(target))} "
                "(format csv, header true, delimiter ',', quote '\"', escape '\"', force_quote *)"
            )
            counted = connection.execute(f"select count(*) from {relation}").fetchone()
        except duckdb.Error as error:
            raise FileMalformed(
                "The Parquet file cannot be read. Write it again and send that.",
                hint_zh="Parquet文件无法读取，请重新导出后再提交。",
                private=str(error),
            ) from error
    names = tuple(str(column[0]) for column in columns)
    records = int(counted[0]) if counted else 0
    if records == 0:
        raise FileEmpty("The file has columns and no rows.", hint_zh="文件没有数据行。", rows=0)
    if source.reading.unpivot or source.reading.last_rows_ignored:
        written = write_rows(_again(target), names, source.wanted, source.reading, source.work / "plain.csv")
        return written.as_table(kind="parquet", position_word="row")
    return PlainTable(
        path=target,
        kind="parquet",
        encoding="",
        delimiter="",
        source_header=names,
        records=records,
        shift_from=array("q", [0]),
        shift=array("q", [1]),
        position_word="row",
    )


def _again(path: Path) -> Iterator[SourceRow]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for number, cells in enumerate(rows, 1):
            yield number, cells, None


def _as_text(name: str, kind: str) -> str:
    column = quote_name(name)
    if kind in ("DOUBLE", "FLOAT"):
        whole = f"{column} = trunc({column}) and abs({column}) < 1e15"
        return f"case when {whole} then {column}::bigint::varchar else {column}::varchar end"
    if any(word in kind for word in _NESTED):
        return f"to_json({column})::varchar"
    return f"{column}::varchar"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dbf:
    """The head of a dBASE table: names, kinds and widths of the fields; sizes in bytes."""

    header_bytes: int
    record_bytes: int
    records: int
    fields: tuple[tuple[str, str, int], ...]
    encoding: str


def read_shapefile(source: Source, members: dict[str, Any]) -> PlainTable:
    """A zipped shapefile: the .dbf's fields, in GBK or UTF-8, and the shapes of the .shp as well-known text.

    GDAL in DuckDB's extension cannot decode GBK, so the dBASE table is read here; only the shapes come from it.
    """
    shapes = [name for name in members if name.lower().endswith(".shp")]
    if source.reading.member:
        shapes = [name for name in shapes if source.reading.member in (name, name.rsplit("/", 1)[-1])]
    if len(shapes) != 1:
        raise MemberUnknown(
            f"The archive holds {len(shapes)} shapefiles; name one in `reading.member`.",
            hint_zh=f"压缩包中有{len(shapes)}个shapefile，请在契约reading.member中写明一个。",
            members=shapes,
        )
    stem = shapes[0][:-4]
    parts = {name[len(stem) :].lower(): info for name, info in members.items() if name.startswith(stem + ".")}
    missing = [suffix for suffix in (".shp", ".shx", ".dbf") if suffix not in parts]
    if missing:
        raise FileMalformed(
            f"The shapefile lacks {', '.join(missing)}.",
            hint_zh=f"shapefile缺少{'、'.join(missing)}文件。",
            missing=missing,
        )
    folder = source.work / "shape"
    folder.mkdir(exist_ok=True)
    for suffix in (".shp", ".shx", ".dbf", ".cpg", ".prj"):
        if suffix in parts:
            unpack_member(source.path, parts[suffix], folder / f"layer{suffix}")
    dbf = _read_head(folder, source.reading.encoding)
    names = (*(name for name, _, _ in dbf.fields), GEOMETRY)
    with open_reader(source.work, "spatial") as connection:
        written = write_rows(
            _shape_rows(connection, folder, dbf), names, source.wanted, source.reading, source.work / "plain.csv"
        )
    return written.as_table(kind="shapefile", position_word="record", encoding=dbf.encoding, notes=_crs(folder))


def _crs(folder: Path) -> tuple[Note, ...]:
    prj = folder / "layer.prj"
    if not prj.is_file():
        return (Note(code="crs", zh="没有坐标系说明（.prj）", en="The coordinate system is not told (no .prj)"),)
    text = prj.read_text("utf-8", "replace")[:500]
    name = text.split('"')[1] if text.count('"') > 1 else text
    return (Note(code="crs", zh=f"坐标系：{name}", en=f"Coordinate system: {name}", text=text),)


def _read_head(folder: Path, told: str) -> _Dbf:
    with (folder / "layer.dbf").open("rb") as file:
        head = file.read(32)
        if len(head) < 32:
            raise _bad_dbf()
        records, header_bytes, record_bytes = struct.unpack("<IHH", head[4:12])
        raw = file.read(header_bytes - 32).split(b"\r", 1)[0]
    pieces = [raw[at : at + 32] for at in range(0, len(raw) - 31, 32)]
    encoding = told or _dbf_encoding(folder, head[29])
    fields = tuple(
        (piece[:11].split(b"\0", 1)[0].decode(encoding, "replace").strip(), chr(piece[11]), piece[16])
        for piece in pieces
    )
    if not fields or sum(width for _, _, width in fields) + 1 != record_bytes:
        raise _bad_dbf()
    return _Dbf(header_bytes=header_bytes, record_bytes=record_bytes, records=records, fields=fields, encoding=encoding)


def _bad_dbf() -> FileMalformed:
    return FileMalformed("The .dbf is damaged.", hint_zh=".dbf文件已损坏。")


def _dbf_encoding(folder: Path, driver: int) -> str:
    """The .cpg file's word, else the language driver's, else UTF-8 where the whole table is that, else GB18030."""
    cpg = folder / "layer.cpg"
    word = cpg.read_text("ascii", "replace").strip().lower() if cpg.is_file() else ""
    known = {
        "utf-8": "utf-8",
        "utf8": "utf-8",
        "65001": "utf-8",
        "gbk": "gb18030",
        "936": "gb18030",
        "gb2312": "gb18030",
    }
    if word in known or word == "gb18030":
        return known.get(word, word)
    if driver in _LANGUAGE_DRIVERS:
        return _LANGUAGE_DRIVERS[driver]
    return "utf-8" if _is_utf8(folder / "layer.dbf") else "gb18030"


def _is_utf8(path: Path) -> bool:
    """Whether every line of bytes decodes, but for a last character that its field cut off."""
    decoder = codecs.getincrementaldecoder("utf-8")
    with path.open("rb") as file:
        header_bytes, record_bytes = struct.unpack("<HH", file.read(12)[8:12])
        file.seek(header_bytes)
        while len(record := file.read(record_bytes)) == record_bytes:
            for word in record.split(b" "):
                try:
                    decoder().decode(word.strip(b"\0"))
                except UnicodeDecodeError:
                    return False
    return True


def _shape_rows(connection: duckdb.DuckDBPyConnection, folder: Path, dbf: _Dbf) -> Iterator[SourceRow]:
    """Records and shapes side by side; both leave out what is marked as deleted."""
    shp = quote_text(str(folder / "layer.shp"))
    try:
        shapes = connection.execute(
            f"select st_astext(geom) from st_read({shp}, open_options = ['ENCODING=ISO-8859-1'])"
        )
        with (folder / "layer.dbf").open("rb", buffering=CHUNK_BYTES) as file:
            file.seek(dbf.header_bytes)
            for number in range(1, dbf.records + 1):
                record = file.read(dbf.record_bytes)
                if len(record) < dbf.record_bytes:
                    raise _bad_dbf()
                if record[:1] == b"*":
                    continue
                shape = shapes.fetchone()
                if shape is None:
                    raise FileMalformed(
                        "The .shp has fewer shapes than the .dbf records.", hint_zh=".shp与.dbf的记录数不符。"
                    )
                yield _shape_row(number, record, dbf, shape[0] or "")
        if shapes.fetchone() is not None:
            raise FileMalformed("The .shp has more shapes than the .dbf records.", hint_zh=".shp与.dbf的记录数不符。")
    except duckdb.Error as error:
        raise FileMalformed("The .shp cannot be read.", hint_zh=".shp文件无法读取。", private=str(error)) from error


def _shape_row(number: int, record: bytes, dbf: _Dbf, shape: str) -> SourceRow:
    cells, at = [], 1
    for _, kind, width in dbf.fields:
        raw = record[at : at + width]
        at += width
        try:
            text = raw.decode(dbf.encoding).strip("\0 ")
        except UnicodeDecodeError:
            found = (f"不是{dbf.encoding}编码", f"It is not {dbf.encoding}")
            return number, [raw.decode(dbf.encoding, "replace")], found
        if kind == "D" and len(text) == 8 and text.isdigit():
            text = f"{text[:4]}-{text[4:6]}-{text[6:]}" if int(text) else ""
        elif kind == "L":
            text = {"T": "true", "Y": "true", "F": "false", "N": "false"}.get(text.upper(), "")
        elif kind in "NF" and set(text) <= {"*"}:
            text = ""
        cells.append(text)
    return number, [*cells, shape], None
