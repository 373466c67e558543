"""Rows that a rule lets in although they break it: their lines, by the oracle of the check pass, within the limit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from datong.collect import noted, scan
from datong.collect.checking import CheckedFile, Manner
from datong.collect.contracts import RowsLost
from datong.collect.tests.test_checking import PLAN, Row, judge, make_rows, run, write_csv
from datong.kernel.ids import seeded
from datong.quality.contracts import CheckPlan, Severity

KEYED = Manner(key=("code",))


def read_noted(checked: CheckedFile) -> dict[int, tuple[list[str], list[str | None], list[str | None]]]:
    if checked.noted is None:
        return {}
    rows = duckdb.sql(f"select line, rules, key, fields from read_parquet('{checked.noted}')").fetchall()
    return {line: (rules, key, json.loads(fields)) for line, rules, key, fields in rows}


def is_outside(row: Row) -> bool:
    return row[2] in ("-1", "200")


def due(rows: Sequence[tuple[int, Row]]) -> dict[int, Row]:
    refused = judge(rows).refused
    return {line: row for line, row in rows if is_outside(row) and line not in refused}


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("quoted", [False, True], ids=["plain", "quoted"])
def test_noted_rows_are_those_of_the_oracle(newline: str, quoted: bool, tmp_path: Path) -> None:
    path = tmp_path / "given.csv"
    rows = write_csv(path, make_rows(seeded(5), 3000, quoted=quoted), newline)
    expected = due(rows)
    assert len(expected) > 50
    found = read_noted(run(path, tmp_path / "work", manner=KEYED).checked)
    assert found == {
        line: (["amount.range"], [row[0]], [cell or None for cell in row]) for line, row in expected.items()
    }


def test_an_irregular_file_too(tmp_path: Path) -> None:
    """The exact reader's working file, whose lines are not the source's."""
    path = tmp_path / "given.csv"
    path.write_bytes(b'code,name,amount,day\r\na,"\xe5\xbc\xa0\n\xe4\xb8\x89",200,\nb,\xe6\x9d\x8e\xe5\x9b\x9b,-1,\r\n')
    plan = replace(PLAN, row_checks=tuple(check for check in PLAN.row_checks if check.column != "name"))
    found = run(path, tmp_path / "work", plan, manner=KEYED)
    assert found.checked.read_exactly
    assert {line: key for line, (_, key, _) in read_noted(found.checked).items()} == {2: ["a"], 4: ["b"]}


def softened() -> CheckPlan:
    """Every rule lets rows in but the type rules and the key."""
    hard = ("code.required", "amount.type", "day.type")
    checks = tuple(c if c.id in hard else replace(c, severity=Severity.WARN) for c in PLAN.row_checks)
    return replace(PLAN, row_checks=checks)


@pytest.mark.parametrize("quoted", [False, True], ids=["plain", "quoted"])
def test_a_rule_that_all_rows_break_leaves_room(quoted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noted, "COLLECT_NOTED_ROWS_MAX", 20)
    path = tmp_path / "given.csv"
    name = '"王\n五"' if quoted else "Wang"
    lines = [f"c{i},{name},1,\n" for i in range(400)] + ["x,张三,200,\n", "y,李四,-1,\n"]
    path.write_text("code,name,amount,day\n" + "".join(lines), encoding="utf-8")
    found = read_noted(run(path, tmp_path / "work", softened(), KEYED).checked)
    assert [line for line, (rules, _, _) in found.items() if rules == ["name.pattern"]] == [
        2 + i * (1 + quoted) for i in range(10)
    ]
    assert [line for line, (rules, _, _) in found.items() if rules == ["amount.range"]] == [
        402 + 400 * quoted,
        403 + 400 * quoted,
    ]
    assert len(found) == 12


def test_nothing_is_kept_where_nothing_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(noted, "_asked_sql", lambda *given: asked.append(given))
    path = tmp_path / "given.csv"
    path.write_text("code,name,amount,day\na,张三,1,\nb,李,2,\n", encoding="utf-8")
    found = run(path, tmp_path / "work", manner=KEYED)
    assert found.checked.noted is None
    assert not asked
    assert not (tmp_path / "work" / "noted.parquet").exists()


@pytest.mark.parametrize("quoted", [False, True], ids=["plain", "quoted"])
def test_rows_that_are_not_the_marked_ones_stop_the_run(
    quoted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the marks are one row off."""
    real = noted._asked_sql
    monkeypatch.setattr(
        noted, "_asked_sql", lambda *given: real(*given).replace("rowid as ordinal", "rowid + 1 as ordinal")
    )
    path = tmp_path / "given.csv"
    name = '"张\n三"' if quoted else "张三"
    path.write_text(f"code,name,amount,day\na,{name},200,\nb,李四,1,\n", encoding="utf-8")
    if quoted:  # fields of records of several lines come by their turn; there the file itself is exchanged
        monkeypatch.setattr(scan.PlainFile, "relation_sql", _last_amount(scan.PlainFile.relation_sql))
    with pytest.raises(RowsLost):
        run(path, tmp_path / "work", manner=KEYED)


def _last_amount(real: Any) -> Any:
    """The relation as it is at first, and with no amount out of range when it is read again."""
    calls: list[int] = []

    def relation(file: scan.PlainFile) -> str:
        calls.append(1)
        sql = str(real(file))
        return sql if len(calls) == 1 else f"(select * replace ('1' as amount) from {sql})"

    return relation
