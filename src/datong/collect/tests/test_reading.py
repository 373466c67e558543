"""Files as they come: encodings, delimiters, line ends, quotes; two readers that agree; and refusals that say where."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datong.collect.checking import CheckedFile, check_file
from datong.collect.contracts import (
    ColumnsDiffer,
    EncodingMixed,
    EncodingUnreadable,
    FileEmpty,
    FileNotText,
    FileUnreadable,
    LineTooLong,
    QuoteUnclosed,
    RowsUnshaped,
)
from datong.collect.delimited import ByteScanner, WantedColumn, find_encoding, scan_file
from datong.collect.landing import land_file
from datong.collect.readers.contracts import ArchiveUnsafe
from datong.kernel.config import load_settings
from datong.kernel.failures import Failure, TooLarge
from datong.quality.contracts import Check, CheckKind, CheckPlan, ColumnPlan, Dimension

COLUMNS = ("code", "name", "amount")
WANTED = (
    WantedColumn(name="code", aliases=("代码",)),
    WantedColumn(name="name", aliases=("名称", "Name")),
    WantedColumn(name="amount", aliases=("金额",)),
)


def _check(kind: CheckKind, column: str, **params: object) -> Check:
    return Check(
        id=f"{column}.{kind.value}",
        kind=kind,
        column=column,
        columns=(column,),
        dimension=Dimension.ACCURACY,
        reason_zh=f"{column}不符",
        reason_en=f"{column} is wrong",
        params=params,
    )


PLAN = CheckPlan(
    resource_id="things",
    contract_version="1.0.0",
    as_of=date(2026, 11, 24),
    columns=tuple(
        ColumnPlan(name=name, title=name, logical_type="number" if name == "amount" else "string") for name in COLUMNS
    ),
    row_checks=(_check(CheckKind.REQUIRED, "code"), _check(CheckKind.TYPE, "amount")),
    unique_checks=(_check(CheckKind.UNIQUE, "code"),),
)


@dataclass(kw_only=True)
class Read:
    """What came of a file: accepted rows in order, and the lines of the refused ones with their first rule."""

    checked: CheckedFile
    rows: list[tuple[object, ...]]
    refused: dict[int, str]


def read_bytes(content: bytes, folder: Path, plan: CheckPlan = PLAN, *, delimiter: str | None = None) -> Read:
    path = folder / "given.csv"
    path.write_bytes(content)
    work = folder / "work"
    work.mkdir(exist_ok=True)
    checked = check_file(path, scan_file(path), WANTED, plan, work, delimiter=delimiter)
    import duckdb

    engine = duckdb.connect()
    rows = engine.execute(checked.source_sql).fetchall()
    refused: dict[int, str] = {}
    if checked.quarantine:
        found = engine.execute(f"select line, rule from read_parquet('{checked.quarantine}') order by line").fetchall()
        refused = dict(found)
        assert len(found) == len(refused), "one row per line"
    assert checked.rows_read == len(rows) + len(refused)
    return Read(checked=checked, rows=rows, refused=refused)


GOOD = "code,name,amount\na,张三,1\nb,李四,2.5\n"


@pytest.mark.parametrize(
    ("content", "exactly"),
    [
        pytest.param(GOOD.encode(), False, id="utf-8"),
        pytest.param(b"\xef\xbb\xbf" + GOOD.encode(), False, id="byte-order-mark"),
        pytest.param(GOOD.encode("gb18030"), False, id="gb18030"),
        pytest.param(GOOD.encode("utf-16"), False, id="utf-16"),
        pytest.param(GOOD.replace("\n", "\r\n").encode(), False, id="crlf"),
        pytest.param(GOOD.replace("\n", "\r").encode(), False, id="cr"),
        pytest.param(GOOD.rstrip("\n").encode(), False, id="no-last-line-end"),
        pytest.param(GOOD.replace("2.5\n", "2.5\r\n").encode(), True, id="mixed-line-ends"),
        pytest.param(GOOD.replace(",", ";").encode(), False, id="semicolons"),
        pytest.param(GOOD.replace(",", "\t").encode(), False, id="tabs"),
        pytest.param(GOOD.replace(",", "|").encode(), False, id="bars"),
        pytest.param(GOOD.replace(",", "^").encode(), False, id="carets"),
        pytest.param(GOOD.replace(",", "~").encode(), False, id="tildes"),
        pytest.param("金额 ,代码,NAME\n1,a,张三\n2.5,b,李四\n".encode(), False, id="titles-in-another-order"),
        pytest.param(GOOD.replace("\n", ",\n").encode(), True, id="trailing-delimiters"),
        pytest.param(GOOD.replace("\nb", "\n\nb").encode(), True, id="blank-line"),
    ],
)
def test_every_form_reads_the_same(content: bytes, exactly: bool, tmp_path: Path) -> None:
    read = read_bytes(content, tmp_path)
    assert read.rows == [("a", "张三", 1.0), ("b", "李四", 2.5)]
    assert read.checked.read_exactly is exactly


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("blank", ["", "\n"])
def test_lines_are_true_under_quoted_line_ends(newline: str, blank: str, tmp_path: Path) -> None:
    text = (
        f'code,name,amount\na,"two\nlines, ""quoted""",1\n{blank},missing,1\nb,"three\n\nlines",x\n'
        "b,bad,2\nb,kept,3\nc,short\nd,long,1,2\ne,end,4\n"
    )
    read = read_bytes(text.replace("\n", newline).encode(), tmp_path)
    shift = len(blank)
    shape = "row.shape"
    assert read.refused == {
        4 + shift: "code.required",
        5 + shift: "amount.type",
        8 + shift: "code.unique",
        10 + shift: shape,
        11 + shift: shape,
    }
    assert sorted(str(row[0]) for row in read.rows) == ["a", "b", "e"]
    assert ("b", "kept", 3.0) in read.rows
    assert read.checked.read_exactly, "rows without the header's shape go to the exact reader"


def test_lines_are_true_without_ragged_rows(tmp_path: Path) -> None:
    text = 'code,name,amount\na,"two\nlines",1\n,missing,1\nb,"x\ny\nz",bad\nc,fine,1\n,late,2\n'
    read = read_bytes(text.encode(), tmp_path)
    assert read.refused == {4: "code.required", 5: "amount.type", 9: "code.required"}
    assert not read.checked.read_exactly


def test_a_wrong_line_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted violation: without the shifts of quoted line ends the refused lines are others."""
    from datong.collect import checking

    monkeypatch.setattr(
        checking,
        "_shifts_from_marks",
        lambda engine, _file: engine.execute(
            "create temp table shifts as select 0::bigint as from_ordinal, 2::bigint as shift"
        ),
    )
    read = read_bytes(b'code,name,amount\na,"two\nlines",1\n,missing,1\n', tmp_path)
    assert read.refused != {4: "code.required"}


VALUES = st.text(alphabet=st.sampled_from("ab1, ;\"'\n张\t#\\-."), max_size=6)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=12))
def test_both_readers_agree_with_python(rows: list[tuple[str, str, str]], tmp_path: Path) -> None:
    """Every value, line and verdict of random rows, read fast and (after a blank line) exactly."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    starts = []
    for row in rows:
        starts.append(out.getvalue().count("\n") + 1)
        writer.writerow(row)
    text = out.getvalue()
    plain = CheckPlan(
        resource_id="things",
        contract_version="1.0.0",
        as_of=PLAN.as_of,
        columns=tuple(ColumnPlan(name=name, title=name, logical_type="string") for name in COLUMNS),
        row_checks=(_check(CheckKind.REQUIRED, "code"),),
        unique_checks=(),
    )
    expected_refused = {
        line for line, row in zip(starts, rows, strict=True) if not row[0].strip(" \t　\n") and "\n" not in row[0]
    }
    expected = [
        tuple(value or None for value in row)
        for line, row in zip(starts, rows, strict=True)
        if line not in expected_refused
    ]
    for content, exactly in ((text, False), (text + "\n", True)):
        read = read_bytes(content.encode(), tmp_path, plain)
        assert read.rows == expected
        assert set(read.refused) == expected_refused
        assert read.checked.read_exactly is exactly


@pytest.mark.parametrize(
    ("content", "failure", "facts"),
    [
        pytest.param(b"", FileEmpty, {}, id="empty"),
        pytest.param(b"\xef\xbb\xbf\n\n", FileEmpty, {}, id="blank"),
        pytest.param(b"code,name,amount\n", FileEmpty, {"rows": 0}, id="header-only"),
        pytest.param(b"PK\x03\x04....", ArchiveUnsafe, {}, id="cut-workbook"),
        pytest.param(b"code,name,amount\na,\x00,1\n", FileNotText, {}, id="zero-bytes"),
        pytest.param(GOOD.encode() + b"c,\xff\xfe\xff,1\n", EncodingUnreadable, {"line": 4}, id="no-encoding"),
        pytest.param(
            GOOD.encode() + "c,王五赵六,1\n".encode("gb18030"),
            EncodingMixed,
            {"line": 4, "byte_offset": 43},
            id="gb-in-utf-8",
        ),
        pytest.param(GOOD.encode("gb18030") + "c,王五赵六,1\n".encode(), EncodingMixed, {"line": 4}, id="utf-8-in-gb"),
        pytest.param(
            b"code,name\na,b\n",
            ColumnsDiffer,
            {"missing": ["amount"], "extra": [], "repeated": []},
            id="missing-column",
        ),
        pytest.param(
            b"code,name,amount,x\na,b,1,2\n", ColumnsDiffer, {"missing": [], "extra": ["x"]}, id="extra-column"
        ),
        pytest.param(
            "code,name,amount,名称\na,b,1,2\n".encode(), ColumnsDiffer, {"repeated": ["name"]}, id="repeated-column"
        ),
        pytest.param(
            b'code,name,amount\na,b,1\nc,"never closed,2\nd,e,3\n', QuoteUnclosed, {"line": 3}, id="open-quote"
        ),
    ],
)
def test_refused_with_the_place(
    content: bytes, failure: type[Failure], facts: dict[str, object], tmp_path: Path
) -> None:
    with pytest.raises(failure) as caught:
        read_bytes(content, tmp_path)
    assert {name: caught.value.facts[name] for name in facts} == facts
    assert caught.value.hint
    assert caught.value.hint_zh


def test_limits_have_their_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datong.collect import exact

    monkeypatch.setattr(exact, "CSV_LINE_BYTES_MAX", 1000)
    monkeypatch.setattr(exact, "COLLECT_UNSHAPED_ROWS_MAX", 2)
    with pytest.raises(LineTooLong) as long:
        read_bytes(b"code,name,amount\na,b,1\n\nc," + b"x" * 2000 + b",2\n", tmp_path)
    assert long.value.facts["line"] == 4
    with pytest.raises(RowsUnshaped):
        read_bytes(b"code,name,amount\na\nb\nc\nd,e,1\n", tmp_path)
    with pytest.raises(TooLarge):
        land_file(load_settings(), "limits", io.BytesIO(b"x" * 100), bytes_max=99)
    assert list((load_settings().landing_dir / "limits").iterdir()) == []


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(FileUnreadable):
            land_file(load_settings(), "unreadable", path)


def test_chunks_do_not_matter() -> None:
    """A pair CR LF cut by two chunks is one line end."""
    data = b"a\r\nb\rc\nd\r\n\r\n"
    whole = ByteScanner()
    whole.update(data)
    for cut in range(len(data) + 1):
        scanner = ByteScanner()
        scanner.update(data[:cut])
        scanner.update(data[cut:])
        assert scanner.facts() == whole.facts()
    assert (whole.facts().lf, whole.facts().cr, whole.facts().crlf) == (1, 1, 3)


def test_notes_above_the_header_are_skipped_and_lines_still_true(tmp_path: Path) -> None:
    read = read_bytes(b"notes\nmore notes\ncode,name,amount\na,b,1\nb,c,x\n", tmp_path)
    assert read.rows == [("a", "b", 1.0)]
    assert read.refused == {5: "amount.type"}
    assert [note.code for note in read.checked.notes] == ["preamble"]
    assert not read.checked.read_exactly


def test_a_short_gb_word_is_not_taken_for_utf_8(tmp_path: Path) -> None:
    """联通 in GBK is well-formed UTF-8; the rest of the file decides."""
    path = tmp_path / "telecom.csv"
    path.write_bytes("code,name,amount\na,联通,1\nb,中国移动通信,2\n".encode("gb18030"))
    assert find_encoding(path) == "gb18030"


REAL = Path(__file__).resolve().parents[5] / "shared" / "data"


@pytest.mark.skipif(not REAL.is_dir(), reason="the shared real files are not on this machine")
def test_the_statistics_export_is_read_below_its_notes(tmp_path: Path) -> None:
    """Its columns are those of no contract here, and the refusal names the ones of its third line."""
    content = (REAL / "macro/nbs_quarterly_gdp_current_prices.csv").read_bytes()
    with pytest.raises(ColumnsDiffer) as caught:
        read_bytes(content, tmp_path)
    assert caught.value.facts["present"][0] == "Indicators"
