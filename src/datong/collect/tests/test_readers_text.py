"""CSV as it comes, read back cell by cell: encodings, delimiters, quotes, line ends; notes, headers, wide tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from datong.collect.contracts import FileEmpty, QuoteUnclosed
from datong.collect.delimited import WantedColumn, scan_file
from datong.collect.readers.contracts import HeaderNotFound, PlainTable, ReadingInvalid, RegularCsv, UnitDiffers
from datong.collect.readers.source import read_source

REAL = Path(__file__).resolve().parents[5] / "shared" / "data"
real = pytest.mark.skipif(not REAL.is_dir(), reason="the shared real files are not on this machine")
WANTED = [
    WantedColumn(name="code", aliases=("代码",)),
    WantedColumn(name="name", aliases=("名称",)),
    WantedColumn(name="amount", aliases=("金额",), units=("万元",)),
]


def read(
    content: bytes | Path, folder: Path, reading: dict[str, Any] | None = None, **options: Any
) -> PlainTable | RegularCsv:
    path = content if isinstance(content, Path) else folder / "given"
    if isinstance(content, bytes):
        path.write_bytes(content)
    wanted = options.pop("wanted", WANTED)
    name = options.pop("filename", "given.csv")
    return read_source(path, scan_file(path), name, wanted, reading or {}, folder, **options)


def plain(content: bytes | Path, folder: Path, reading: dict[str, Any] | None = None, **options: Any) -> PlainTable:
    """`read` where a plain table is expected."""
    table = read(content, folder, reading, **options)
    assert isinstance(table, PlainTable)
    return table


def rows_of(table: PlainTable | RegularCsv) -> list[list[str]]:
    """The plain table's rows; it must be what it says: header, count, LF."""
    assert isinstance(table, PlainTable)
    with table.path.open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file, strict=True))
    assert tuple(header) == table.source_header
    assert len(rows) == table.records
    return rows


def codes_of(table: PlainTable | RegularCsv) -> list[str]:
    return [note.code for note in table.notes]


# --- round trip

TEXT = st.text(
    st.one_of(
        st.sampled_from("甲乙丙丁省市县,;\t|\"' \n0123456789Aa㐂（）"),
        st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5),
    ),
    max_size=8,
).filter(lambda text: not text.startswith("\ufeff"))
ROWS = st.lists(st.lists(TEXT, min_size=3, max_size=3).filter(lambda row: any(row[1:])), min_size=1, max_size=12)
CASES = {
    "rows": ROWS,
    "encoding": st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]),
    "delimiter": st.sampled_from([",", "\t", ";", "|", "^"]),
    "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    "line_end": st.sampled_from(["\n", "\r\n", "\r"]),
}
Reader = Callable[[bytes, Path], PlainTable | RegularCsv]


def check_round_trip(read_it: Reader, rows: list[list[str]], encoding: str, delimiter: str, **form: Any) -> None:
    """What was written must come back, cell by cell. Line ends inside cells are as they were written."""
    line_end = form["line_end"]
    rows = [[cell.replace("\n", line_end) for cell in row] for row in rows]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=form["quoting"], lineterminator=line_end)
    writer.writerows([["代码", "名称", "金额"], *rows])
    with TemporaryDirectory() as folder:
        table = read_it(text.getvalue().encode(encoding), Path(folder))
        assert isinstance(table, PlainTable)
        assert table.source_header == ("代码", "名称", "金额")
        assert not table.unshaped
        assert rows_of(table) == rows
        assert table.delimiter == delimiter
        lines = 2
        for number, row in enumerate(rows):
            assert table.position_of(number) == lines
            lines += 1 + sum(cell.count(line_end) for cell in row)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(**CASES)
@example(rows=[["", '甲"乙', "\n"]], encoding="gb18030", delimiter="|", quoting=csv.QUOTE_MINIMAL, line_end="\r")
def test_what_was_written_comes_back(**case: Any) -> None:
    check_round_trip(lambda content, folder: read(content, folder, exactly=True), **case)


@pytest.mark.parametrize(
    ("case", "spoil"),
    [
        ({"encoding": "gb18030"}, lambda content: content.replace("甲".encode("gb18030"), "乙".encode("gb18030"))),
        ({"delimiter": ";"}, lambda content: content.replace(b";", b",")),
        ({"quoting": csv.QUOTE_ALL}, lambda content: content.replace(b'"', b"")),
        ({"line_end": "\r"}, lambda content: content + b"x\ry\r"),
    ],
)
def test_the_round_trip_notices_a_spoiled_file(case: dict[str, Any], spoil: Callable[[bytes], bytes]) -> None:
    base: dict[str, Any] = {"encoding": "utf-8", "delimiter": ",", "quoting": csv.QUOTE_MINIMAL, "line_end": "\n"}
    rows = [["1", "甲,1", "2"], ["2", "丙", ""]]
    with pytest.raises(AssertionError):
        check_round_trip(lambda c, f: read(spoil(c), f, exactly=True), rows, **{**base, **case})


# --- what stays where it is, and what does not


def test_a_regular_file_is_left_where_it_is(tmp_path: Path) -> None:
    table = read(b"code,name,amount\na,b,1\n", tmp_path)
    assert isinstance(table, RegularCsv)
    assert (table.header_lines, table.skip_lines, table.path) == (1, 0, tmp_path / "given")
    above = read("某市登记表\n单位：万元\n代码,名称,金额\na,b,1\n".encode("gb18030"), tmp_path)
    assert isinstance(above, RegularCsv)
    assert (above.encoding, above.header_lines, above.skip_lines) == ("gb18030", 3, 2)
    assert codes_of(above) == ["preamble", "header-unit"]
    assert above.notes[0].text == "某市登记表\n单位：万元"


@pytest.mark.parametrize(
    "content",
    [
        b'"a note, ""quoted""",,\ncode,name,amount\na,b,1\n',
        "code,name,amount\na,b,1\n注：1. 数据为初步数\n".encode(),
        "code,name,amount\na,b,1\n数据来源：某局,,\n".encode(),
        b"code,name,amount,\na,b,1,\n",
        b"code\t,name\t,amount\t,\na\t,b\t,1\t,\n",
        b"code    name     amount\na       b        1\n",
    ],
)
def test_other_files_become_plain(content: bytes, tmp_path: Path) -> None:
    assert rows_of(read(content, tmp_path)) == [["a", "b", "1"]]


def test_footnotes_are_told_and_a_cut_row_is_not_one(tmp_path: Path) -> None:
    body = "code,name,amount\na,b,1\nc,d\n\n注：1. 数据为初步数，\n2. 表中,数据,不含,港澳\n资料来源：某局\n"
    table = plain(body.encode(), tmp_path)
    assert rows_of(table) == [["a", "b", "1"]]
    assert [(row.line, row.fields) for row in table.unshaped] == [(3, ("c", "d"))]
    [note] = table.notes
    assert (note.code, note.first, note.last) == ("footnotes", 5, 7)
    assert "不含 港澳" in note.text


def test_a_note_between_rows_is_no_footnote(tmp_path: Path) -> None:
    table = plain("code,name,amount\na,b,1\n注：以下为补报\nc,d,2\n".encode(), tmp_path, exactly=True)
    assert rows_of(table) == [["a", "b", "1"], ["c", "d", "2"]]
    assert [row.line for row in table.unshaped] == [3]
    assert table.notes == ()


def test_headers_of_two_rows(tmp_path: Path) -> None:
    wanted = [WantedColumn(name=name, aliases=(title,)) for name, title in (("id", "编号"), ("p", "省"), ("c", "市"))]
    table = read("登记表,,\n编号,地址,\n,省,市\n1,北京,东城\n".encode(), tmp_path, wanted=wanted)
    assert table.source_header == ("编号", "地址/省", "地址/市")
    assert rows_of(table) == [["1", "北京", "东城"]]
    assert codes_of(table) == ["preamble", "header-rows"]


def test_names_are_recognised_as_agencies_write_them(tmp_path: Path) -> None:
    table = read("*代 码,名称＊,金额（万元）\na,b,1\n".encode(), tmp_path)
    assert codes_of(table) == ["header-unit"]
    with pytest.raises(UnitDiffers) as caught:
        read("代码,名称,金额（亿元）\na,b,1\n".encode(), tmp_path)
    assert (caught.value.facts["column"], caught.value.facts["found"]) == ("amount", "亿元")
    with pytest.raises(UnitDiffers):
        read("单位：元\n代码,名称,金额\na,b,1\n".encode(), tmp_path)
    told = read("代码,名称,金额（亿元）\na,b,1\n".encode(), tmp_path, {"unit_in_header": False})
    assert told.notes == ()


def test_what_the_contract_says_of_reading_is_done(tmp_path: Path) -> None:
    table = plain(b"a,b,1\nc,d,2\n", tmp_path, {"no_header": True})
    assert table.source_header == ("code", "name", "amount")
    assert [table.position_of(0), table.position_of(1)] == [1, 2]
    cut = plain(b"code,name,amount\na,b,1\nc,d,2\nsum,,3\n", tmp_path, {"last_rows_ignored": 1})
    assert rows_of(cut) == [["a", "b", "1"], ["c", "d", "2"]]
    assert codes_of(cut) == ["footnotes"]
    ended = plain(b"code,name,amount\na,b,1\nTOTAL,x,3\nmore,y,4\n", tmp_path, {"footer_pattern": "^TOTAL"})
    assert rows_of(ended) == [["a", "b", "1"]]
    placed = plain(b"x,y,z\nx,y,z\na,b,1\n", tmp_path, {"first_row": 2}, exactly=True)
    assert (rows_of(placed), placed.source_header) == ([["a", "b", "1"]], ("x", "y", "z"))
    named = read("代码|名称|金额\na|b|1\n".encode("gbk"), tmp_path, {"encoding": "GBK", "delimiter": "|"})
    assert (named.encoding, named.delimiter) == ("gb18030", "|")
    filled = plain(b"code,name,amount\na,b\nc,d,2\ne\n", tmp_path, {"fill_short_rows": True})
    assert rows_of(filled) == [["a", "b", ""], ["c", "d", "2"], ["e", "", ""]]
    assert (codes_of(filled), filled.unshaped) == (["short-rows"], ())
    assert [row.line for row in plain(b"code,name,amount\na,b\nc,d,2\n", tmp_path, exactly=True).unshaped] == [2]
    wrongs: list[dict[str, Any]] = [
        {"colour": 1},
        {"first_row": "x"},
        {"footer_pattern": "("},
        {"unpivot": {"keep": []}},
        {"format": "x"},
    ]
    for wrong in wrongs:
        with pytest.raises(ReadingInvalid):
            read(b"code,name,amount\na,b,1\n", tmp_path, wrong)


def test_a_wide_table_is_turned_long(tmp_path: Path) -> None:
    wanted = [
        WantedColumn(name=name, aliases=(title,)) for name, title in (("i", "指标"), ("q", "季度"), ("v", "数值"))
    ]
    reading = {"unpivot": {"keep": ["i"], "name": "q", "value": "v"}}
    table = plain("指标,1季度,2季度\nGDP,1,2\nCPI,,4\n".encode(), tmp_path, reading, wanted=wanted)
    assert table.source_header == ("指标", "q", "v")
    assert rows_of(table) == [["GDP", "1季度", "1"], ["GDP", "2季度", "2"], ["CPI", "2季度", "4"]]
    assert [table.position_of(n) for n in range(3)] == [2, 2, 3]
    assert "1个空单元格" in table.notes[-1].zh
    with pytest.raises(HeaderNotFound):
        read("别的,1季度\nGDP,1\n".encode(), tmp_path, reading, wanted=wanted)


@pytest.mark.parametrize(
    ("content", "failure"),
    [
        (b"", FileEmpty),
        (b"code,name,amount\n\n\n", FileEmpty),
        (b'code,name,amount\na,"b,1\n', QuoteUnclosed),
        (b'code,"name,amount\n', QuoteUnclosed),
    ],
)
def test_refusals(content: bytes, failure: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(failure):
        read(content, tmp_path, exactly=True)


# --- real files


@real
@pytest.mark.parametrize("name", ["nbs_quarterly_gdp_current_prices.csv", "nbs_quarterly_gdp_indices.csv"])
def test_the_statistics_export_is_read(name: str, tmp_path: Path) -> None:
    wanted = [
        WantedColumn(name="indicator", aliases=("Indicators",)),
        *(WantedColumn(name=n, aliases=()) for n in ("quarter", "value")),
    ]
    reading = {"unpivot": {"keep": ["indicator"], "name": "quarter", "value": "value"}}
    table = plain(REAL / "macro" / name, tmp_path, reading, wanted=wanted)
    rows = rows_of(table)
    assert len(rows) == 32 * 18
    assert not table.unshaped
    assert {row[1] for row in rows} >= {"1Q 2026", "4Q 2021"}
    assert all(float(row[2]) > 0 for row in rows)
    assert codes_of(table) == ["preamble", "footnotes", "unpivoted"]
    assert (table.position_of(0), table.position_of(len(rows) - 1)) == (4, 35)


@real
def test_a_word_list_with_lone_carriage_returns(tmp_path: Path) -> None:
    wanted = [WantedColumn(name="word", aliases=()), WantedColumn(name="count", aliases=())]
    table = plain(REAL / "names/THUOCL_diming.txt", tmp_path, {"no_header": True}, wanted=wanted)
    rows = rows_of(table)
    assert rows[0] == ["中国", "1932582"]
    assert len(rows) + len(table.unshaped) == 44_804
    food = plain(REAL / "names/THUOCL_food.txt", tmp_path, {"no_header": True}, wanted=wanted)
    assert len(rows_of(food)) == 8_974
