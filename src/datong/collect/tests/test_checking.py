"""The check pass against a plain Python oracle on random dirty files; and what it does beside the rules of one row:
columns of other names, cleaning, rules over other rows and other tables, other forms of file, progress."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from random import Random  # noqa: TID251 - a type; the generator is `seeded`
from typing import Any

import duckdb
import pytest

from datong.collect import scan
from datong.collect.checking import CheckedFile, Manner, check_file
from datong.collect.cleaning import CleaningContext
from datong.collect.contracts import StepChanges
from datong.collect.delimited import WantedColumn, scan_file
from datong.collect.drift import map_columns
from datong.collect.watching import watch
from datong.kernel.ids import seeded
from datong.quality.contracts import (
    Bound,
    Check,
    CheckKind,
    CheckPlan,
    ColumnPlan,
    Dimension,
    Operator,
    Reference,
    SetCheck,
    Severity,
)
from datong.quality.scoring import blocking_findings
from datong.quality.sql import Bindings, violation_sql

AS_OF = date(2026, 11, 24)
COLUMNS = ("code", "name", "amount", "day")
WANTED = tuple(WantedColumn(name=name, aliases=()) for name in COLUMNS)
TYPES = {"amount": "number", "day": "date"}
PLANS = {name: ColumnPlan(name=name, title=name, logical_type=TYPES.get(name, "string")) for name in COLUMNS}


def _check(kind: CheckKind, column: str, severity: Severity = Severity.REJECT, **params: Any) -> Check:
    return Check(
        id=f"{column}.{kind.value}",
        kind=kind,
        column=column,
        columns=(column,),
        dimension=Dimension.ACCURACY,
        severity=severity,
        reason_zh="不符",
        reason_en="wrong",
        params=params,
    )


ROW_CHECKS = (
    _check(CheckKind.REQUIRED, "code"),
    _check(CheckKind.PATTERN, "name", pattern="[一-龥]{2,4}"),
    _check(CheckKind.TYPE, "amount"),
    _check(CheckKind.RANGE, "amount", Severity.WARN, min="0", max="100"),
    _check(CheckKind.TYPE, "day"),
)
PLAN = CheckPlan(
    resource_id="things",
    contract_version="1.0.0",
    as_of=AS_OF,
    columns=tuple(PLANS.values()),
    row_checks=ROW_CHECKS,
    unique_checks=(_check(CheckKind.UNIQUE, "code"),),
)
Row = tuple[str, str, str, str]


@dataclass(kw_only=True)
class Result:
    checked: CheckedFile
    accepted: list[tuple[Any, ...]]
    refused: dict[int, str]
    fields: dict[int, list[str | None]]


def run(path: Path, work: Path, plan: CheckPlan = PLAN, manner: Manner | None = None) -> Result:
    work.mkdir(exist_ok=True)
    checked = check_file(path, scan_file(path), WANTED, plan, work, manner=manner)
    with scan.open_engine(work) as engine:
        accepted = engine.execute(checked.source_sql).fetchall()
        rows = (
            engine.execute(
                f"select line, rule, fields from read_parquet('{checked.quarantine}') order by line"
            ).fetchall()
            if checked.quarantine
            else []
        )
    assert checked.rows_read == checked.rows_accepted + checked.rows_quarantined
    assert len(accepted) == checked.rows_accepted
    return Result(
        checked=checked,
        accepted=accepted,
        refused={line: rule for line, rule, _ in rows},
        fields={line: json.loads(text) for line, _, text in rows},
    )


# The oracle ----------------------------------------------------------------------------------------------------------
@dataclass(kw_only=True)
class Expected:
    accepted: list[tuple[Any, ...]] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    warned: int = 0


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[+-]?[0-9]+([.][0-9]+)?", text) else None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def judge(rows: Sequence[tuple[int, Row]]) -> Expected:
    """Row by row, in the order of the plan's rules; of one code, the last row that breaks nothing else stays."""
    expected = Expected()
    passed: dict[str, tuple[int, tuple[Any, ...]]] = {}
    for line, (code, name, amount, day) in rows:
        number = _number(amount)
        expected.warned += number is not None and not 0 <= number <= 100
        if not code.strip(" \t"):
            expected.refused[line] = "code.required"
        elif name and not re.fullmatch("[一-龥]{2,4}", name):
            expected.refused[line] = "name.pattern"
        elif amount and number is None:
            expected.refused[line] = "amount.type"
        elif day and _day(day) is None:
            expected.refused[line] = "day.type"
        else:
            if code in passed:
                expected.refused[passed[code][0]] = "code.unique"
            passed[code] = (line, (code, name or None, number, _day(day) if day else None))
    expected.accepted = [values for _, values in passed.values()]
    return expected


def make_rows(rng: Random, count: int, *, quoted: bool) -> list[Row]:
    odd = ["张,三", '李"四"', "王\n五", "赵\n\n六"] if quoted else []
    odd_number = "1,5" if quoted else "1;5"
    rows = []
    for number in range(count):
        code = rng.choice(["", " ", f"c{rng.randrange(count)}"]) if rng.random() < 0.1 else f"c{number}"
        name = rng.choice(["", "张", "abc", "欧阳 修", *odd]) if rng.random() < 0.1 else rng.choice(["张三", "欧阳修"])
        amount = rng.choice(["", "-1", "abc", odd_number, "200"]) if rng.random() < 0.1 else f"{number % 100}.5"
        day = rng.choice(["", "2026-02-30", "x"]) if rng.random() < 0.1 else f"2026-01-{number % 28 + 1:02d}"
        rows.append((code, name, amount, day))
    return rows


def write_csv(path: Path, rows: Sequence[Row], newline: str) -> list[tuple[int, Row]]:
    """Write the file; the rows with their source lines."""
    placed, line = [], 2
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator=newline)
        writer.writerow(COLUMNS)
        for row in rows:
            told = tuple(cell.replace("\n", newline) for cell in row)
            writer.writerow(told)
            placed.append((line, told))
            line += 1 + sum(cell.count("\n") for cell in row)
    return [(line, (row[0], row[1], row[2], row[3])) for line, row in placed]


def _sorted(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=repr)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("quoted", [False, True], ids=["plain", "quoted"])
def test_the_pass_and_the_oracle_agree(seed: int, newline: str, quoted: bool, tmp_path: Path) -> None:
    rng = seeded(seed)
    path = tmp_path / "given.csv"
    rows = write_csv(path, make_rows(rng, 3000, quoted=quoted), newline)
    expected, found = judge(rows), run(path, tmp_path / "work")
    assert len(expected.refused) > 100
    assert found.refused == expected.refused
    assert _sorted(found.accepted) == _sorted(expected.accepted)
    by_line = {line: [cell or None for cell in row] for line, row in rows}
    assert found.fields == {line: by_line[line] for line in expected.refused}
    assert {rule.check_id: rule.rows_bad for rule in found.checked.score.rules}["amount.range"] == expected.warned


def test_a_wrong_verdict_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: one kind of rule finds nothing."""
    real: Callable[..., str] = violation_sql
    monkeypatch.setattr(
        "datong.collect.scan.violation_sql", lambda c, *a: "false" if c.id == "day.type" else real(c, *a)
    )
    path = tmp_path / "given.csv"
    rows = write_csv(path, make_rows(seeded(1), 500, quoted=False), "\n")
    assert run(path, tmp_path / "work").refused != judge(rows).refused


# Columns and cells ---------------------------------------------------------------------------------------------------
def test_columns_in_another_order_with_others_between(tmp_path: Path) -> None:
    path = tmp_path / "given.csv"
    path.write_text("extra,amount,code,name\nx,1,a,张三\ny,z,b,李四\n", encoding="utf-8")
    manner = Manner(mapper=lambda header, _rows: map_columns(header, WANTED, "map", optional=["day"]))
    found = run(path, tmp_path / "work", manner=manner)
    assert found.accepted == [("a", "张三", 1.0, None)]
    assert found.refused == {3: "amount.type"}
    assert found.fields[3] == ["y", "z", "b", "李四"]
    assert {(each.kind, each.header or each.column) for each in found.checked.drift} == {
        ("new", "extra"),
        ("missing", "day"),
    }


@dataclass(frozen=True)
class Step:
    step: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cleaned:
    name: str
    cleaning: tuple[Step, ...]


CLEANED = (
    Cleaned("code", (Step("width"), Step("trim"))),
    Cleaned("day", (Step("date"),)),
)


@pytest.mark.parametrize("quoted", [False, True], ids=["plain", "quoted"])
def test_cells_are_cleaned_before_they_are_judged(quoted: bool, tmp_path: Path) -> None:
    path = tmp_path / "given.csv"
    path.write_text(
        "code,name,amount,day\n"
        "Ａ１,张三,1,2026年1月5日\n"
        + ('b,"李四",2,2026/1/6\n' if quoted else "b,李四,2,2026/1/6\n")
        + "A1 ,王五,3,2026-01-07\n　,赵六,4,2026-01-08\nc,钱七,5,一月\n",
        encoding="utf-8",
    )
    manner = Manner(cleaned=CLEANED, cleaning=CleaningContext(as_of=AS_OF))
    found = run(path, tmp_path / "work", manner=manner)
    assert _sorted(found.accepted) == _sorted(
        [("b", "李四", 2.0, date(2026, 1, 6)), ("A1", "王五", 3.0, date(2026, 1, 7))]
    )
    assert found.refused == {2: "code.unique", 5: "code.required", 6: "day.type"}
    assert found.fields[2] == ["Ａ１", "张三", "1", "2026年1月5日"]  # as it came
    assert found.checked.changes == (
        StepChanges(column="code", step="width", changed=2),
        StepChanges(column="code", step="trim", changed=2),
        StepChanges(column="day", step="date", changed=2),
    )
    with duckdb.connect() as engine:
        assert engine.execute(f"select code from {found.checked.raw_sql} limit 1").fetchall() == [("Ａ１",)]


STEPS = ("width", "trim", "upper", "lower", "date", "phone", "name")


def test_no_cleaning_joins(tmp_path: Path) -> None:
    """As no check does: a join may hand rows on in another order, and lines would be wrong."""
    unit = Step("unit", {"from": "万元", "to": "元"})
    named = Step("division-name", {})
    cleaned = (Cleaned("code", (*map(Step, STEPS), unit)), Cleaned("name", (named,)))
    context = CleaningContext(as_of=AS_OF, division_codes={"": {f"{n}区": f"{n:06d}" for n in range(50)}})
    file = scan.PlainFile(
        path=tmp_path / "given.csv",
        delimiter=",",
        newline="\n",
        header=COLUMNS,
        header_lines=1,
        has_quotes=False,
        lines=None,
        cleaned=cleaned,
        cleaning=context,
    )
    file.path.write_text("code,name,amount,day\na,1区,1,\n", encoding="utf-8")
    bindings = Bindings()
    with scan.open_engine(tmp_path) as engine:
        plan = engine.execute(f"explain {scan._marks_sql(PLAN, file, bindings)}", bindings.values).fetchall()[0][1]
    assert "READ_CSV" in plan
    assert "JOIN" not in plan


def test_the_first_of_a_key_may_stay(tmp_path: Path) -> None:
    path = tmp_path / "given.csv"
    path.write_text("code,name,amount,day\na,张三,1,\na,李四,2,\na,王五,3,\n", encoding="utf-8")
    unique = replace(PLAN.unique_checks[0], params={"keep": "first"})
    found = run(path, tmp_path / "work", replace(PLAN, unique_checks=(unique,)))
    assert found.accepted == [("a", "张三", 1.0, None)]
    assert list(found.refused) == [3, 4]


# Other rows, other tables --------------------------------------------------------------------------------------------
def _set_check(kind: CheckKind, column: str, severity: Severity = Severity.REJECT, **more: Any) -> SetCheck:
    return SetCheck(
        id=f"{column or 'table'}.{kind.value}",
        kind=kind,
        column=column,
        columns=(column,) if column else (),
        dimension=Dimension.CONSISTENCY,
        severity=severity,
        reason_zh="不符",
        reason_en="wrong",
        **more,
    )


CODES = Reference(resource_id="codes", columns=("code",))
KNOWN = _set_check(
    CheckKind.FOREIGN_KEY, "name", params={"targets": ("code",)}, references=(CODES,), plans=(PLANS["name"],)
)
NAMES = Manner(references={"codes": "(values ('张三'), ('李四')) as t(code)"})


@pytest.mark.parametrize("quoted", [False, True], ids=["plain", "quoted"])
@pytest.mark.parametrize("keyed", [False, True], ids=["no-key", "keyed"])
def test_a_rule_over_another_table_refuses_its_rows(quoted: bool, keyed: bool, tmp_path: Path) -> None:
    path = tmp_path / "given.csv"
    name = '"王五"' if quoted else "王五"
    path.write_text(f"code,name,amount,day\na,张三,1,\nb,{name},2,\nc,李四,x,\nd,,4,\n", encoding="utf-8")
    plan = replace(PLAN, set_checks=(KNOWN,), unique_checks=PLAN.unique_checks if keyed else ())
    found = run(path, tmp_path / "work", plan, NAMES)
    assert [row[0] for row in found.accepted] == ["a", "d"]
    assert found.refused == {3: "name.foreign-key", 4: "amount.type"}
    assert found.fields[3] == ["b", "王五", "2", None]


@pytest.mark.parametrize("keyed", [False, True], ids=["no-key", "keyed"])
def test_a_surplus_row_goes_and_its_twin_stays(keyed: bool, tmp_path: Path) -> None:
    """Two rows alike to the last letter: the rule over other rows refuses one, and only one."""
    path = tmp_path / "given.csv"
    path.write_text("code,name,amount,day\na,张三,1,\na,张三,1,\nb,李四,2,\na,张三,1,\n", encoding="utf-8")
    twice = _set_check(CheckKind.DUPLICATE, "name", plans=(PLANS["name"],))
    plan = replace(PLAN, set_checks=(twice,), unique_checks=PLAN.unique_checks if keyed else ())
    found = run(path, tmp_path / "work", plan)
    assert _sorted(found.accepted) == [("a", "张三", 1.0, None), ("b", "李四", 2.0, None)]
    rule = "code.unique" if keyed else "name.duplicate"
    assert found.refused == {2: rule, 3: rule}


def test_a_warning_counts_and_lets_the_row_in(tmp_path: Path) -> None:
    path = tmp_path / "given.csv"
    path.write_text("code,name,amount,day\na,张三,1,\nb,王五,2,\n", encoding="utf-8")
    found = run(path, tmp_path / "work", replace(PLAN, set_checks=(replace(KNOWN, severity=Severity.WARN),)), NAMES)
    assert len(found.accepted) == 2
    assert found.checked.score.rules[-1].rows_bad == 1


def test_a_rule_without_its_table_is_not_evaluated(tmp_path: Path) -> None:
    path = tmp_path / "given.csv"
    path.write_text("code,name,amount,day\na,王五,1,\n", encoding="utf-8")
    found = run(path, tmp_path / "work", replace(PLAN, set_checks=(KNOWN,)))
    assert not found.checked.score.rules[-1].is_evaluated
    assert len(found.accepted) == 1


def test_a_rule_over_the_table_measures_and_may_block(tmp_path: Path) -> None:
    path = tmp_path / "given.csv"
    path.write_text("code,name,amount,day\na,张三,1,\nb,张,2,\n", encoding="utf-8")
    count = _set_check(
        CheckKind.ROW_COUNT,
        "",
        Severity.WARN,
        bound=Bound(operator=Operator.GREATER_OR_EQUAL, low=2),
        blocks=True,
        plans=(PLANS["code"],),
    )
    plan = replace(PLAN, set_checks=(count,))
    found = run(path, tmp_path / "work", plan)
    assert found.checked.score.rules[-1].measured == 1.0  # the refused row is not counted
    assert [finding.check_id for finding in blocking_findings(plan, found.checked.score)] == ["table.row-count"]


# Other forms ---------------------------------------------------------------------------------------------------------
def test_json_records_are_counted_as_records(tmp_path: Path) -> None:
    path = tmp_path / "given.json"
    rows = [
        {"code": "a", "name": "张三", "amount": 1, "day": None},
        {"code": "b", "name": "x", "amount": 2, "day": None},
    ]
    path.write_text(json.dumps(rows), encoding="utf-8")
    found = run(path, tmp_path / "work", manner=Manner(filename="given.json"))
    assert (found.checked.kind, found.checked.position_word) == ("json", "record")
    assert found.accepted == [("a", "张三", 1.0, None)]
    assert found.refused == {2: "name.pattern"}


def test_shifts_may_fall(tmp_path: Path) -> None:
    """Two records on one line of XML: a later record may stand at a lower place than its number."""
    path = tmp_path / "given.xml"
    row = "<r><code>{}</code><name>{}</name><amount>1</amount><day>2026-01-01</day></r>"
    path.write_text(
        f"<rows>\n\n\n{row.format('a', '张三')}{row.format('b', 'x')}{row.format('c', 'y')}\n"
        f"{row.format('d', 'z')}</rows>",
        encoding="utf-8",
    )
    found = run(path, tmp_path / "work", manner=Manner(filename="given.xml"))
    places = sorted(found.refused)
    unit = found.checked.position_word
    assert len(found.accepted) == 1
    assert places == ([4, 5] if unit == "line" else [2, 3, 4]), unit


# Progress ------------------------------------------------------------------------------------------------------------
def test_a_long_statement_tells_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datong.collect.watching.COLLECT_PROGRESS_S", 0.001)
    path = tmp_path / "given.csv"
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    writer.writerows((f"c{n}", "张三", "1.5", "2026-01-05") for n in range(100_000))
    path.write_text(buffer.getvalue(), encoding="utf-8", newline="")
    told: list[tuple[str, int, int]] = []
    work = tmp_path / "work"
    work.mkdir()
    facts = scan_file(path)
    check_file(path, facts, WANTED, PLAN, work, progress=lambda *step: told.append(step))
    done = [done for step, done, _ in told if step == "check"]
    assert done
    assert done == sorted(done)
    assert {total for _, _, total in told} == {facts.bytes}


def test_who_watches_may_stop_it() -> None:
    class Enough(Exception):
        pass

    def stop(_share: float) -> None:
        raise Enough

    with duckdb.connect() as engine, pytest.raises(Enough):
        watch(engine, "create table t as select sum(sin(a.range)) from range(1000000) a, range(100000) b", None, stop)
