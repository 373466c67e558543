"""The door: from a landed file of any form to a plain table, or to a CSV that can be scanned as it is."""

from __future__ import annotations

import codecs
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from datong.collect.contracts import FileUnreadable
from datong.collect.delimited import ByteFacts, WantedColumn, guess_encoding, scan_file
from datong.collect.readers.archives import (
    choose_members,
    find_members,
    member_unknown,
    unpack_gzip,
    unpack_member,
)
from datong.collect.readers.columnar import read_parquet, read_shapefile
from datong.collect.readers.contracts import FormatUnknown, HeaderNotFound, Note, PlainTable, RegularCsv
from datong.collect.readers.delimiters import find_delimiter
from datong.collect.readers.excel import read_excel
from datong.collect.readers.headers import count_matches, expected_columns, locate_header
from datong.collect.readers.reading import FORMATS, Source, read_reading
from datong.collect.readers.records import read_geojson, read_json, read_json_lines
from datong.collect.readers.text import read_csv
from datong.collect.readers.xml_records import read_xml
from datong.kernel.limits import CSV_SNIFF_BYTES

_HEAD_BYTES = 8192
_LAYERS_MAX = 3
"""A gzip in a zip is opened; deeper is refused."""
_OTHERS = (
    (b"%PDF", "PDF"),
    (b"SQLite format 3", "SQLite"),
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf", "7-Zip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"ORC", "ORC"),
    (b"Obj\x01", "Avro"),
    (b"ARROW1", "Arrow IPC"),
)
_JSON_ARRAY = re.compile(r"\[\s*[\[{\]]")
_JSON_OBJECT = re.compile(r'\{\s*["}]')
_FEATURES = re.compile(r'"type"\s*:\s*"FeatureCollection"')
_HTML = re.compile(r"<(!doctype\s+html|html|table|meta|head)\b", re.IGNORECASE)
_XML = re.compile(r"<[?!A-Za-z_]")
_SQL = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/;?)*"
    r"(?:set\s+\w+\s*(?:=|to\b|\w+;)|(?:drop|create|lock)\s+(?:database|schema|tables?)\b|insert\s+into\b|begin;)",
    re.IGNORECASE | re.DOTALL,
)
"""How a database's dump begins, below its comments."""
_SPREADSHEET_2003 = "urn:schemas-microsoft-com:office:spreadsheet"
_READERS = {
    "csv": read_csv,
    "excel": read_excel,
    "json": read_json,
    "jsonl": read_json_lines,
    "xml": read_xml,
    "parquet": read_parquet,
    "geojson": read_geojson,
}


def read_source(  # noqa: PLR0917 - the order is that of the caller's questions
    path: Path,
    facts: ByteFacts,
    filename: str,
    wanted: Sequence[WantedColumn],
    reading: Mapping[str, Any],
    work: Path,
    *,
    delimiter: str | None = None,
    exactly: bool = False,
) -> PlainTable | RegularCsv:
    """Read a landed file as its contract says; `exactly` never answers with a RegularCsv.

    Raises the failures of `collect.contracts` and `readers.contracts`; then nothing is left but files in `work`.
    A RegularCsv may name an unpacked file in `work` instead of `path`.
    """
    source = Source(
        path=path,
        facts=facts,
        filename=filename,
        wanted=wanted,
        reading=read_reading(reading),
        work=work,
        delimiter=delimiter or "",
        exactly=exactly,
    )
    try:
        return _read(source, 0)
    except OSError as error:
        raise FileUnreadable("The landed file cannot be opened.", private=str(error)) from error


def _read(source: Source, layer: int) -> PlainTable | RegularCsv:
    with source.path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if layer > _LAYERS_MAX:
        raise _unknown("an archive inside an archive", "层层嵌套的压缩包")
    if head.startswith(b"\x1f\x8b"):
        inner = source.work / f"unpacked{layer}"
        unpack_gzip(source.path, inner)
        return _inside(source, inner, re.sub(r"\.gz$", "", source.filename, flags=re.IGNORECASE), layer)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _read_zip(source, layer)
    kind = source.reading.format
    if kind == "auto":
        kind = find_kind(head, source.filename)
    reader = _READERS.get(kind)
    if reader is None:
        raise _unknown(f"no {kind}: a shapefile comes as a .zip", "不是打包的shapefile（.zip）")
    return reader(source)


def _inside(source: Source, path: Path, name: str, layer: int) -> PlainTable | RegularCsv:
    inner = replace(source, path=path, facts=scan_file(path), filename=name)
    table = _read(inner, layer + 1)
    note = Note(code="member", zh=f"读取的是压缩包中的{name}", en=f"Read from the archive: {name}")
    return replace(table, notes=(note, *table.notes)) if name != source.filename else table


def find_kind(head: bytes, filename: str) -> str:
    """The form of a file by its first bytes; the name only tells JSON lines from JSON. Raises FormatUnknown."""
    for magic, kind in ((b"\xd0\xcf\x11\xe0", "excel"), (b"PAR1", "parquet")):
        if head.startswith(magic):
            return kind
    for magic, name in _OTHERS:
        if head.startswith(magic):
            raise _unknown(f"a {name} file", f"{name}文件")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = codecs.getincrementaldecoder("utf-16")("replace").decode(head)
    else:
        text = codecs.getincrementaldecoder(guess_encoding(head))("replace").decode(head)
    text = text.lstrip("\ufeff \t\r\n")
    if _HTML.match(text):
        raise _unknown("a web page, perhaps named .xls", "网页（可能被命名为.xls）")
    if _SPREADSHEET_2003 in text:
        raise _unknown("an XML spreadsheet of 2003", "XML电子表格2003")
    if _SQL.match(text):
        raise FormatUnknown(
            "This is a database's dump. Restore it, and connect the database as a source.",
            hint_zh="这是数据库的转储文件。请先恢复到数据库，再把数据库连接为数据源。",
            found="a database dump",
            read=list(FORMATS[1:]),
        )
    return _text_kind(text, filename)


def _text_kind(text: str, filename: str) -> str:
    if _XML.match(text):
        return "xml"
    if _FEATURES.search(text) and text.startswith("{"):
        return "geojson"
    if _JSON_OBJECT.match(text):
        return "jsonl" if _is_lines(text, filename) else "json"
    return "json" if _JSON_ARRAY.match(text) else "csv"


def _is_lines(text: str, filename: str) -> bool:
    if filename.lower().endswith((".jsonl", ".ndjson")):
        return True
    lines = [line for line in text.splitlines() if line.strip()]
    return len(lines) > 1 and lines[0].rstrip().endswith("}") and lines[1].lstrip().startswith("{")


def _unknown(en: str, zh: str) -> FormatUnknown:
    kinds = ", ".join(FORMATS[1:])
    return FormatUnknown(
        f"This is {en}. Read are: {kinds}; also packed as .zip or .gz. Save it as one of them and send that.",
        hint_zh=f"这是{zh}。可以读取：{kinds}，以及.zip、.gz压缩包。请另存后再提交。",
        found=en,
        read=list(FORMATS[1:]),
    )


def _read_zip(source: Source, layer: int) -> PlainTable | RegularCsv:
    members = find_members(source.path)
    names = set(members)
    if "xl/workbook.xml" in names or "xl/workbook.bin" in names or _is_ods(source.path, names):
        return read_excel(source)
    if "word/document.xml" in names or "ppt/presentation.xml" in names:
        raise _unknown("a Word or PowerPoint document", "Word或PowerPoint文档")
    if source.reading.format in ("auto", "shapefile") and any(name.lower().endswith(".shp") for name in names):
        return read_shapefile(source, members)
    chosen = choose_members(members, source.reading.member)
    if not chosen:
        raise member_unknown("none seems to be a table", "没有数据文件", list(members))
    name = chosen[0] if len(chosen) == 1 else _best_member(source, members, chosen)
    inner = source.work / f"unpacked{layer}"
    unpack_member(source.path, members[name], inner)
    return _inside(source, inner, name, layer)


def _is_ods(path: Path, names: set[str]) -> bool:
    if "mimetype" not in names or "content.xml" not in names:
        return False
    with zipfile.ZipFile(path) as archive, archive.open("mimetype") as stream:
        return b"opendocument.spreadsheet" in stream.read(100)


def _best_member(source: Source, members: Mapping[str, zipfile.ZipInfo], chosen: Sequence[str]) -> str:
    """The one text file whose header names all that the contract wants."""
    expected = len(expected_columns(source.wanted, source.reading))
    fitting = [name for name in chosen if expected and _matches(source, members[name]) == expected]
    if len(fitting) != 1:
        names = fitting or list(chosen)
        raise member_unknown(
            f"{len(fitting)} have the contract's columns", f"有{len(fitting)}个文件的表头与契约相符", names
        )
    return fitting[0]


def _matches(source: Source, info: zipfile.ZipInfo) -> int:
    with zipfile.ZipFile(source.path) as archive, archive.open(info) as stream:
        head = stream.read(CSV_SNIFF_BYTES)
    try:
        if find_kind(head, info.filename) != "csv" or not head.strip():
            return 0
        text = codecs.getincrementaldecoder(guess_encoding(head))("replace").decode(head).removeprefix("\ufeff")
        found = find_delimiter(text, source.wanted, source.reading, source.delimiter or source.reading.delimiter)
        names = locate_header(found.rows, source.wanted, source.reading)[2]
    except (FormatUnknown, HeaderNotFound):
        return 0
    return count_matches(names, source.wanted, source.reading)
