"""Workbooks, JSON, XML, Parquet, maps and archives: cells, source positions, what is told, what is refused."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datong.collect.delimited import WantedColumn
from datong.collect.readers import archives, excel, json_text
from datong.collect.readers.contracts import (
    ArchiveUnsafe,
    FileMalformed,
    FormatUnknown,
    MemberUnknown,
    PlainTable,
    RecordsNotFound,
    RegularCsv,
    SheetUnknown,
    SourceTooLarge,
)
from datong.collect.tests.test_readers_text import REAL, WANTED, codes_of, read, real, rows_of
from datong.lake.engine import find_extension

PEOPLE = [
    WantedColumn(name="code", aliases=("统一社会信用代码",)),
    WantedColumn(name="city", aliases=("市",)),
    WantedColumn(name="day", aliases=("成立日期",)),
    WantedColumn(name="capital", aliases=("注册资本",), units=("万元",)),
]


def workbook(*sheets: tuple[str, Sequence[Any]], merges: tuple[str, ...] = ()) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
        for cells in merges:
            sheet.merge_cells(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


FIRMS: list[list[Any]] = [
    ["某市企业登记表"],
    ["统一社会信用代码", "地址", None, "成立日期", "注册资本（万元）"],
    [None, "省", "市", None, None],
    ["91A", "北京", "东城", dt.date(2020, 1, 2), 100],
    ["91B", None, "西城", dt.datetime.combine(dt.date(2021, 12, 31), dt.time(8, 30)), 10.5],
    [],
    [110101199003071234, "上海", "黄浦", "2022年1月", "#N/A"],
    ["注：数据截至2022年"],
]
MERGES = ("A1:E1", "A2:A3", "B2:C2", "D2:D3", "E2:E3", "B4:B5")


def test_a_workbook_as_agencies_make_them(tmp_path: Path) -> None:
    content = workbook(("登记", FIRMS), ("说明", [["本表由某局填报"]]), merges=MERGES)
    table = read(content, tmp_path, wanted=PEOPLE, filename="firms.xlsx")
    assert (table.kind, table.position_word) == ("excel", "row")
    assert table.source_header == ("统一社会信用代码", "地址/省", "地址/市", "成立日期", "注册资本（万元）")
    assert rows_of(table) == [
        ["91A", "北京", "东城", "2020-01-02", "100"],
        ["91B", "北京", "西城", "2021-12-31 08:30:00", "10.5"],
        ["110101199003071200", "上海", "黄浦", "2022年1月", "#N/A"],
    ]
    assert isinstance(table, PlainTable)
    assert [table.position_of(n) for n in range(3)] == [4, 5, 7]
    assert set(codes_of(table)) >= {"sheet", "preamble", "header-rows", "header-unit", "long-numbers", "footnotes"}
    assert "formula-errors" in codes_of(table)


def test_hidden_rows_are_read_and_told(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in ([], ["", "code", "name", "amount"], ["", "a", "b", 1], ["", "c", "d", 2]):
        sheet.append(row)
    sheet.row_dimensions[4].hidden = True
    out = io.BytesIO()
    book.save(out)
    table = read(out.getvalue(), tmp_path, filename="h.xlsx")
    assert rows_of(table) == [["a", "b", "1"], ["c", "d", "2"]]
    [note] = [note for note in table.notes if note.code == "hidden-rows"]
    assert (note.first, note.last) == (4, 4)


def test_the_sheet_is_found_by_its_header_or_named(tmp_path: Path) -> None:
    head = ["code", "name", "amount"]
    other, first, second = ("目录", [["x"]]), ("一季度", [head, ["a", "b", 1]]), ("二季度", [head, ["c", "d", 2]])
    assert rows_of(read(workbook(other, first), tmp_path)) == [["a", "b", "1"]]
    both = workbook(other, first, second)
    with pytest.raises(SheetUnknown) as caught:
        read(both, tmp_path)
    assert caught.value.facts["sheets"] == ["一季度", "二季度"]
    named = read(both, tmp_path, {"sheet": "二季度"})
    assert rows_of(named) == [["c", "d", "2"]]
    stacked = read(both, tmp_path, {"sheet": ["一季度", "二季度"]})
    assert rows_of(stacked) == [["a", "b", "1"], ["c", "d", "2"]]
    assert isinstance(stacked, PlainTable)
    assert [stacked.position_of(0), stacked.position_of(1)] == [2, 4]
    with pytest.raises(SheetUnknown):
        read(both, tmp_path, {"sheet": "三季度"})


def test_an_open_document_sheet(tmp_path: Path) -> None:
    def row(*cells: str) -> str:
        texts = "".join(
            f'<table:table-cell office:value-type="string"><text:p>{c}</text:p></table:table-cell>' for c in cells
        )
        return f"<table:table-row>{texts}</table:table-row>"

    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    content = (
        f'<?xml version="1.0"?><office:document-content {spaces}><office:body><office:spreadsheet>'
        f'<table:table table:name="表">{row("code", "name", "amount")}{row("a", "甲", "1")}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
    assert rows_of(read(out.getvalue(), tmp_path, filename="a.ods")) == [["a", "甲", "1"]]


# --- JSON

SCALAR = st.one_of(st.text(max_size=6), st.integers(), st.booleans(), st.none())
RECORDS = st.lists(
    st.dictionaries(st.sampled_from(["code", "name", "amount", "名"]), SCALAR, min_size=1, max_size=4),
    min_size=1,
    max_size=8,
)


def as_cell(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=RECORDS,
    indent=st.sampled_from([None, 2]),
    ascii_only=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]),
    place=st.sampled_from(["top", "nested", "lines"]),
    chunk=st.sampled_from([7, 64, 1 << 18]),
)
def test_json_comes_back(tmp_path: Path, **case: Any) -> None:
    records: list[dict[str, Any]] = case["records"]
    options: dict[str, Any] = {"ensure_ascii": case["ascii_only"]}
    if case["place"] == "lines":
        text = "\n".join(json.dumps(record, **options) for record in records)
    else:
        whole: Any = {"code": 0, "data": {"n": 1.50, "rows": records}} if case["place"] == "nested" else records
        text = json.dumps(whole, indent=case["indent"], **options)
    content = text.encode(case["encoding"], "surrogatepass" if case["encoding"].startswith("utf") else "replace")
    patch = pytest.MonkeyPatch()
    with patch.context() as context:
        context.setattr(json_text, "_CHUNK_CHARACTERS", case["chunk"])
        reading = {"format": "jsonl"} if case["place"] == "lines" else {"format": "json"}
        table = read(content, tmp_path, reading)
    names = list(dict.fromkeys(name for record in records for name in record))
    assert list(table.source_header) == names
    assert rows_of(table) == [[as_cell(record.get(name)) for name in names] for record in records]


def test_json_shapes(tmp_path: Path) -> None:
    nested = {"result": [{"a": {"b": 1.10, "c": [1, "x"]}, "d": None}, {"e": 9007199254740993.0}, 7]}
    table = read(json.dumps(nested).replace("1.1", "1.10").encode(), tmp_path)
    assert table.source_header == ("a.b", "a.c", "d", "e")
    assert rows_of(table)[0] == ["1.10", '[1,"x"]', "", ""]
    assert [row.line for row in table.unshaped] == [3]  # type: ignore[union-attr]
    fields = {"code": "a.b", "name": "a.c.1"}
    picked = read(json.dumps(nested).encode(), tmp_path, {"record_path": "$.result[*]", "fields": fields})
    assert picked.source_header == ("code", "name")
    assert rows_of(picked) == [["1.1", "x"], ["", ""]]
    for wrong in (b'[{"a": 1}, {"a": 2', b'[{"a": 1} {"a": 2}]', b'[{"a": 1}] x'):
        with pytest.raises(FileMalformed):
            read(wrong, tmp_path)
    for empty in (b'{"a": 1}', b"[]"):
        with pytest.raises(RecordsNotFound):
            read(empty, tmp_path, {"format": "json"})
    with pytest.raises(RecordsNotFound):
        read(b'{"a": [{"b": 1}]}', tmp_path, {"record_path": "c"})


def test_a_bad_json_line_is_put_aside(tmp_path: Path) -> None:
    table = read(b'{"code": 1}\n\n{"code": \n{"code": 3}\n', tmp_path, filename="x.jsonl")
    assert rows_of(table) == [["1"], ["3"]]
    assert isinstance(table, PlainTable)
    assert [row.line for row in table.unshaped] == [3]
    assert [table.position_of(0), table.position_of(1)] == [1, 4]


def test_one_json_record_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_text, "READER_RECORD_BYTES_MAX", 1000)
    monkeypatch.setattr(json_text, "_CHUNK_CHARACTERS", 100)
    with pytest.raises(SourceTooLarge):
        read(json.dumps([{"a": "x" * 5000}]).encode(), tmp_path)


# --- XML

XML = """<?xml version="1.0" encoding="{encoding}"?>
<r:list xmlns:r="urn:x" year="2020"><head><name>某局</name></head>
  <item id="1"><name>甲</name><at><city>北京</city></at></item><item id="2"><name>乙</name></item>
  <item id="3"><name>丙</name><tag>x</tag><tag>y</tag></item>
</r:list>"""


@pytest.mark.parametrize("encoding", ["UTF-8", "GB2312", "GB18030", "UTF-16"])
def test_xml_records(encoding: str, tmp_path: Path) -> None:
    text = XML.format(encoding=encoding).replace("丙", "镕" if encoding == "GB2312" else "丙")
    content = text.encode("gb18030" if encoding.startswith("GB") else encoding)
    table = read(content, tmp_path, {"format": "xml"})
    assert table.source_header == ("@id", "name", "at/city", "tag")
    assert rows_of(table)[0] == ["1", "甲", "北京", ""]
    assert rows_of(table)[2][3] == "x;y"
    assert isinstance(table, PlainTable)
    assert [table.position_of(n) for n in range(3)] == [3, 3, 4]
    fields = {"code": "@id", "name": "name", "year": "../@year", "by": "../head/name"}
    mapped = read(content, tmp_path, {"format": "xml", "record_path": "/list/item", "fields": fields})
    assert rows_of(mapped)[1] == ["2", "乙", "2020", "某局"]


def test_xml_keeps_its_doors_shut(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    bombs = [
        f'<!DOCTYPE l [<!ENTITY e SYSTEM "file://{secret}">]><l><i><a>&e;</a></i><i><a>2</a></i></l>',
        '<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><l><i><a>&b;</a></i><i><a>2</a></i></l>',
    ]
    for bomb in bombs:
        with pytest.raises(FileMalformed):
            read(bomb.encode(), tmp_path, {"format": "xml"})
    with pytest.raises(FileMalformed) as caught:
        read(b"<l>\n<i><a>1</a></i>\n<i><a>2</i></l>", tmp_path)
    assert caught.value.facts["line"] == 3
    with pytest.raises(FileMalformed):
        read(b"<l><i><a>1</a></i><i><a>2</a></i>", tmp_path)
    with pytest.raises(RecordsNotFound):
        read(b"<l><i><a>1</a></i><i><a>2</a></i></l>", tmp_path, {"record_path": "nothing"})


# --- Parquet and maps


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    duckdb.sql(
        "copy (select i as code, i * 1.0::double as whole, i / 4::double as part, date '2020-01-01' + i::int as day, "
        "[i] as many, case when i = 1 then null else '甲,\"' || chr(10) || i end as name from range(3) t(i)) "
        f"to '{path}'"
    )
    table = read(path, tmp_path)
    assert table.kind == "parquet"
    assert rows_of(table) == [
        ["0", "0", "0", "2020-01-01", "[0]", '甲,"\n0'],
        ["1", "1", "0.25", "2020-01-02", "[1]", ""],
        ["2", "2", "0.5", "2020-01-03", "[2]", '甲,"\n2'],
    ]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FileMalformed):
        read(path, tmp_path)


def test_geojson(tmp_path: Path) -> None:
    features = [
        {
            "type": "Feature",
            "id": 7,
            "properties": {"name": "甲", "n": 1.50},
            "geometry": {"type": "Point", "coordinates": [1, 2.50]},
        },
        {"type": "Feature", "properties": {"name": "乙"}, "geometry": None},
        {
            "type": "Feature",
            "properties": {},
            "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [0, 0]]]},
        },
        {"type": "Feature", "properties": {}, "geometry": {"type": "Circle", "coordinates": [1, 2]}},
    ]
    table = read(json.dumps({"type": "FeatureCollection", "features": features}).encode(), tmp_path)
    assert table.kind == "geojson"
    assert table.source_header == ("name", "n", "id", "geometry")
    assert rows_of(table) == [
        ["甲", "1.5", "7", "POINT (1 2.5)"],
        ["乙", "", "", ""],
        ["", "", "", "POLYGON ((0 0, 1 0, 0 0))"],
    ]
    assert [row.line for row in table.unshaped] == [4]  # type: ignore[union-attr]


@real
def test_real_map_and_lines(tmp_path: Path) -> None:
    shapes = read(REAL / "geo/china_prefectures.geojson", tmp_path)
    rows = rows_of(shapes)
    assert len(rows) == 367
    connection = duckdb.connect()
    connection.execute(f"load '{find_extension('spatial')}'")
    valid = connection.execute(
        "select count(st_geomfromtext(geometry)) from read_csv(?, all_varchar = true, max_line_size = 10000000)",
        [str(shapes.path)],
    ).fetchone()
    assert valid == (367,)
    assert len(rows_of(read(REAL / "gov/gov_homepages_central.jsonl", tmp_path))) == 44
    objects = read(REAL / "security/mitre_ics_attack_stix20.json", tmp_path, {"fields": {"id": "id", "type": "type"}})
    assert len(rows_of(objects)) == 1825
    fields = {"month": "ObsDimension/@value", "rate": "ObsValue/@value"}
    rates = read(REAL / "sdmx/ECB_EXR_1_M.USD.EUR.SP00.A.xml", tmp_path, {"record_path": "Obs", "fields": fields})
    assert rows_of(rates)[0] == ["1999-01", "1.16078"]


def shapefile(folder: Path, encoding: str) -> bytes:
    """A zipped shapefile, written by GDAL; its table is put into another encoding afterwards."""
    connection = duckdb.connect()
    connection.execute(f"load '{find_extension('spatial')}'")
    connection.execute(
        "copy (select '北京市' as name, 12.5::double as v, date '2020-01-02' as d, st_point(1, 2) as geom "
        "union all select '崇文区', null, null, st_point(3, 4)) "
        f"to '{folder}/a.shp' with (format gdal, driver 'ESRI Shapefile', layer_creation_options 'ENCODING=UTF-8')"
    )
    table = (folder / "a.dbf").read_bytes()
    for word in ("北京市", "崇文区"):
        raw = word.encode()
        table = table.replace(raw, word.encode(encoding).ljust(len(raw)))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for suffix in ("shp", "shx"):
            archive.write(folder / f"a.{suffix}", f"地图/a.{suffix}")
        archive.writestr("地图/a.dbf", table)
    return out.getvalue()


@pytest.mark.parametrize("encoding", ["gbk", "utf-8"])
def test_shapefile(encoding: str, tmp_path: Path) -> None:
    table = read(shapefile(tmp_path, encoding), tmp_path, filename="map.zip")
    assert (table.kind, table.encoding) == ("shapefile", "utf-8" if encoding == "utf-8" else "gb18030")
    rows = rows_of(table)
    assert [(row[0], float(row[1] or 0), row[2], row[3]) for row in rows] == [
        ("北京市", 12.5, "2020-01-02", "POINT (1 2)"),
        ("崇文区", 0.0, "", "POINT (3 4)"),
    ]
    assert codes_of(table) == ["crs"]


# --- archives


def packed(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return out.getvalue()


GOOD = b"code,name,amount\na,b,1\n"


def test_archives(tmp_path: Path) -> None:
    one = read(packed(**{"readme.md": b"x", "a.csv": GOOD}), tmp_path, filename="a.zip")
    assert isinstance(one, RegularCsv)
    assert (one.path.read_bytes(), one.facts.bytes) == (GOOD, len(GOOD))
    found = read(packed(**{"x.csv": b"p,q\n1,2\n", "a.csv": GOOD}), tmp_path)
    assert "a.csv" in found.notes[0].zh
    with pytest.raises(MemberUnknown) as caught:
        read(packed(**{"b.csv": GOOD, "a.csv": GOOD}), tmp_path)
    assert caught.value.facts["members"] == ["b.csv", "a.csv"]
    named = read(
        packed(**{"b.csv": GOOD, "a.csv": b"code,name,amount\nz,z,9\n"}), tmp_path, {"member": "a.*"}, exactly=True
    )
    assert rows_of(named) == [["z", "z", "9"]]
    zipped = read(gzip.compress(GOOD), tmp_path, filename="a.csv.gz", exactly=True)
    assert rows_of(zipped) == [["a", "b", "1"]]
    book = read(packed(**{"表.xlsx": workbook(("s", [["code", "name", "amount"], ["a", "b", 1]]))}), tmp_path)
    assert book.kind == "excel"


def test_names_packed_by_windows(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("NNNN.csv", GOOD)
    content = out.getvalue().replace(b"NNNN", "数据".encode("gbk"))
    table = read(content, tmp_path)
    assert "数据.csv" in table.notes[0].zh


def test_unsafe_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("../a.csv", "/etc/a.csv", "C:/a.csv", "a/../../b.csv"):
        with pytest.raises(ArchiveUnsafe):
            read(packed(**{name: GOOD}), tmp_path)
    with pytest.raises(ArchiveUnsafe):
        read(packed(**{"a.csv": GOOD})[:-30], tmp_path)
    with pytest.raises(ArchiveUnsafe):
        read(gzip.compress(GOOD)[:-8], tmp_path)
    monkeypatch.setattr(archives, "READER_UNPACKED_BYTES_MAX", 1000)
    bomb = b"code,name,amount\n" + b"a,b,1\n" * 1000
    for content in (packed(**{"a.csv": bomb}), gzip.compress(bomb)):
        with pytest.raises(SourceTooLarge):
            read(content, tmp_path)
    monkeypatch.setattr(excel, "READER_EXCEL_BYTES_MAX", 1000)
    with pytest.raises(SourceTooLarge):
        read(workbook(("s", [["code", "name", "amount"]])), tmp_path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"%PDF-1.7", "PDF"),
        (b"<html><table><tr><td>1</td></tr></table></html>", "web page"),
        (b"Rar!\x1a\x07", "RAR"),
        (b"--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n", "database dump"),
        (b"-- MySQL dump 10.13\n/*!40101 SET NAMES utf8 */;\nDROP TABLE IF EXISTS `t`;\n", "database dump"),
        (packed(word__document=b"x", **{"word__document.xml": b"x"}), "Word"),
    ],
)
def test_other_forms_are_named(content: bytes, found: str, tmp_path: Path) -> None:
    with pytest.raises(FormatUnknown) as caught:
        read(content, tmp_path, filename="data.xls")
    assert found in caught.value.facts["found"]
    assert "excel" in caught.value.facts["read"]


def test_a_table_that_speaks_of_sql_is_no_dump(tmp_path: Path) -> None:
    table = read(b"set,create,amount\ncreate table,x,1\n", tmp_path, filename="words.csv")
    assert table.kind == "csv"


@real
def test_a_transit_feed(tmp_path: Path) -> None:
    wanted = [WantedColumn(name=name, aliases=()) for name in ("stop_id", "stop_name", "stop_lat", "stop_lon")]
    table = read(REAL / "transit/gtfs_sample_feed_1.zip", tmp_path, wanted=wanted, exactly=True)
    rows = rows_of(table)
    assert len(rows) == 9
    assert rows[0][0] == "FUR_CREEK_RES"
    with pytest.raises(MemberUnknown):
        read(REAL / "transit/gtfs_sample_feed_1.zip", tmp_path, wanted=WANTED)


def test_the_plain_table_is_read_by_duckdb_as_it_is(tmp_path: Path) -> None:
    """Every cell is text and nothing is lost between the writer's quotes and the scanner's."""
    rows = [['a"b', "x\ny", ","], ["", "'", "\\"], ["\t", "注：", "é"]]
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["code", "name", "amount"], *rows])
    table = read(out.getvalue().encode(), tmp_path, exactly=True)
    scanned = duckdb.execute(
        "select * from read_csv(?, header = true, delim = ',', quote = '\"', escape = '\"', all_varchar = true)",
        [str(table.path)],
    ).fetchall()
    assert [[cell or "" for cell in row] for row in scanned] == [
        [cell.replace("\r\n", "\n") for cell in row] for row in rows
    ]
