"""A row's place in the file survives the check pass: no check joins, and every line number of a long file is right."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from datong.collect import scan
from datong.collect.checking import check_file
from datong.collect.contracts import RowsLost
from datong.collect.delimited import WantedColumn, scan_file
from datong.quality.contracts import SET_KINDS, Check, CheckKind, CheckPlan, ColumnPlan, Dimension
from datong.quality.sql import Bindings

AS_OF = date(2026, 11, 24)
TYPES = ("string", "integer", "number", "date", "timestamp", "boolean")
ROWS = 250_000


def _check(kind: CheckKind, column: str, **params: object) -> Check:
    return Check(
        id=f"{column}.{kind.value}",
        kind=kind,
        column=column,
        columns=(column,),
        dimension=Dimension.ACCURACY,
        reason_zh="不符",
        reason_en="wrong",
        params=params,
    )


def _plan(*checks: Check) -> CheckPlan:
    return CheckPlan(
        resource_id="things",
        contract_version="1.0.0",
        as_of=AS_OF,
        columns=tuple(ColumnPlan(name=kind, title=kind, logical_type=kind) for kind in TYPES),
        row_checks=tuple(check for check in checks if check.kind is not CheckKind.UNIQUE),
        unique_checks=tuple(check for check in checks if check.kind is CheckKind.UNIQUE),
    )


CODES = tuple(f"{code:06d}" for code in range(40))
SPANS = tuple((code, "1949-10-01", "2020-01-01") for code in CODES)
EVERY = [
    *[_check(CheckKind.TYPE, kind) for kind in TYPES if kind != "string"],
    _check(CheckKind.REQUIRED, "string"),
    _check(CheckKind.LENGTH, "string", min=1, max=20),
    _check(CheckKind.PATTERN, "string", pattern="[a-z]+"),
    _check(CheckKind.RANGE, "number", min=0, max=10),
    _check(CheckKind.CODE_LIST, "string", values=CODES),
    _check(CheckKind.USCC, "string"),
    _check(CheckKind.RESIDENT_ID, "string"),
    _check(CheckKind.ORG_CODE, "string"),
    _check(CheckKind.DIVISION, "string", intervals=SPANS, as_of_column="date"),
    _check(CheckKind.COMPARE, "integer", operator="<=", right="number"),
    _check(CheckKind.FRESH, "date", not_before=AS_OF),
    _check(CheckKind.MISSING, "string", tokens=tuple("abcdefgh")),
    _check(CheckKind.EXPRESSION, "string", text="string in ('a','b','c','d','e','f','g') and integer in (1,2,3,4,5,6)"),
    _check(CheckKind.UNIQUE, "string"),
]


def _file(path: Path) -> scan.PlainFile:
    return scan.PlainFile(
        path=path, delimiter=",", newline="\n", header=TYPES, header_lines=1, has_quotes=False, lines=None
    )


def _explain(check: Check, path: Path) -> str:
    bindings = Bindings()
    with duckdb.connect() as engine:
        engine.execute("set threads = 2")
        statement = scan._marks_sql(_plan(check), _file(path), bindings)
        return str(engine.execute(f"explain {statement}", bindings.values).fetchall()[0][1])


@pytest.fixture
def things(tmp_path: Path) -> Path:
    """Every thousandth row is wrong: in turn its boolean, its key, its date; the text of a row is its own line."""
    path = tmp_path / "things.csv"
    with path.open("w", encoding="utf-8") as out:
        out.write(",".join(TYPES) + "\n")
        for line in range(2, ROWS + 2):
            wrong = line % 3000 if line % 1000 == 0 else -1
            key = line + 1 if wrong == 1000 else line
            flag, day = "maybe" if wrong == 0 else "yes", "2026-02-30" if wrong == 2000 else "2026-02-03"
            out.write(f"line-{key},{line},{line},{day},2026-02-03 10:11:12,{flag}\n")
    return path


@pytest.mark.parametrize("check", EVERY, ids=lambda check: check.id)
def test_no_check_joins(check: Check, things: Path) -> None:
    plan = _explain(check, things)
    assert "READ_CSV" in plan
    assert "JOIN" not in plan


def test_a_check_that_joins_is_seen(things: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "violation_sql", lambda *_: "string in ('a', 'b', 'c', 'd', 'e')")
    assert "JOIN" in _explain(EVERY[0], things)


def test_kinds_are_all_here() -> None:
    assert {check.kind for check in EVERY} == set(CheckKind) - SET_KINDS


def test_every_line_of_a_long_file(things: Path, tmp_path: Path) -> None:
    checks = [_check(CheckKind.TYPE, "boolean"), _check(CheckKind.TYPE, "date"), _check(CheckKind.UNIQUE, "string")]
    wanted = [WantedColumn(name=name, aliases=()) for name in TYPES]
    checked = check_file(things, scan_file(things), wanted, _plan(*checks), tmp_path)
    found = duckdb.execute(f"select line, rule from read_parquet('{checked.quarantine}') order by line").fetchall()
    rules = ["boolean.type", "string.unique", "date.type"]
    assert found == [(line, rules[line % 3000 // 1000]) for line in range(1000, ROWS + 2, 1000)]


@pytest.mark.parametrize("newline", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("block_bytes", [1, 2, 5, 64 * 1024])
def test_records_by_their_ordinals(
    newline: str, block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "_BLOCK_BYTES", block_bytes)
    path = tmp_path / "given.csv"
    path.write_bytes(newline.join(["甲,b", "1,一", ",二", "3,三", "4,", "5,五"]).encode())
    file = scan.PlainFile(
        path=path, delimiter=",", newline=newline, header=("a", "b"), header_lines=1, has_quotes=False, lines=6
    )
    assert list(scan.read_records(file, [0, 1, 3, 4])) == [["1", "一"], [None, "二"], ["4", None], ["5", "五"]]


def test_a_line_that_is_not_the_marked_row_stops_the_run(
    things: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the lines are read one off, so their keys are not those that were marked."""
    real = scan.read_records
    monkeypatch.setattr(scan, "read_records", lambda file, ordinals: real(file, [o - 1 for o in ordinals]))
    wanted = [WantedColumn(name=name, aliases=()) for name in TYPES]
    plan = _plan(_check(CheckKind.UNIQUE, "string"))
    with pytest.raises(RowsLost):
        check_file(things, scan_file(things), wanted, plan, tmp_path)
