"""Rules against a plain Python oracle: the scan's SQL, the Ibis expressions and Sail say what the oracle says."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datong.quality import ibis_checks, operators, stored
from datong.quality.contracts import ORDINAL, Check, CheckKind, Grade, Severity
from datong.quality.engine_runs import run_plan
from datong.quality.scoring import blocking_findings, grade_of, score_run
from datong.quality.tests.rules_contract import (
    COLUMNS,
    NAMES,
    broken_by_ibis,
    broken_by_sql,
    broken_by_stored,
    contract_of,
    open_rows,
    plan_of,
)

Row = Mapping[str, str | None]
TEXTS = {
    "id": st.sampled_from([*map(str, range(8)), None, "x", "1.5", " 3", "9" * 19]),
    "kind": st.sampled_from(["甲", "乙", "a", "c", "d", "丁", "甲乙丙丁", "", " ", "　", None]),
    "code": st.sampled_from(["AB1", "AB12", "ab1", "AB1234", "无", "-", None, "AB1\n", "ＡＢ1"]),
    "amount": st.sampled_from(["0", "-0.0", "99.99", "100", "1e1", "-5", "nan", "inf", "1_0", None, "五"]),
    "lent_on": st.sampled_from(["2020-01-01", "2019/12/31", "20240229", "2023-02-29", "2026年11月1日", None, "昨天"]),
    "due_on": st.sampled_from(["2020-01-15", "2024-03-01", "2024-05-01", "2019.1.2", None, "2026-12-01"]),
    "returned": st.sampled_from(["是", "否", "true", "F", "也许", None, "1"]),
}
ROWS = st.lists(st.fixed_dictionaries(TEXTS), max_size=60)


# The oracle ---------------------------------------------------------------------------------------------------------
def _day(text: str | None) -> date | None:
    found = re.fullmatch(r"([0-9]{4})[-/.年]?([0-9]{1,2})[-/.月]?([0-9]{1,2})日?", text or "", re.ASCII)
    if not found:
        return None
    try:
        return date(*map(int, found.groups()))
    except ValueError:
        return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "x")
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in (text or "") else None


def _whole(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r" *[+-]?[0-9]{1,18} *", text) else None


def _truth(text: str | None) -> bool | None:
    word = (text or "").lower()
    return (
        True
        if word in ("true", "1", "是", "y", "yes", "t")
        else False
        if word in ("false", "0", "否", "n", "no", "f")
        else None
    )


READ = {"id": _whole, "amount": _number, "lent_on": _day, "due_on": _day, "returned": _truth}


def _is_missing(text: str | None) -> bool:
    return text is None or not text.strip(" \t　")


def _broken(row: Row) -> set[str]:
    found = {f"{name}.type" for name, read in READ.items() if row[name] is not None and read(row[name]) is None}
    kind, code, amount = row["kind"], row["code"], _number(row["amount"])
    lent, due, returned = _day(row["lent_on"]), _day(row["due_on"]), _truth(row["returned"])
    if _is_missing(row["id"]):
        found.add("id.required")
    if kind is not None and kind not in ("甲", "乙", "丙", "a", "b", "c", "d"):
        found.add("kind.code-list")
    if kind is not None and len(kind) > 3:
        found.add("kind.length")
    if _is_missing(kind):
        found.add("kind.missing")
    if _is_missing(code) or code in ("无", "N/A", "-"):
        found.add("code.missing")
    if code is not None and not re.fullmatch(r"[A-Z]{2}[0-9]{1,3}", code):
        found.add("code.pattern")
    if amount is not None and not 0 <= amount < 100:
        found.add("amount.range")
    if lent is not None and lent < date(2020, 1, 1):
        found.add("lent_on.range")
    if kind == "甲" and due is None and row["due_on"] is None:
        found.add("due_on.missing")
    if lent is not None and due is not None and lent > due:
        found.add("lent_on.compare.due_on")
    late = None if lent is None or due is None else (due - lent).days + 1 > 30
    holds = (True, None if returned is None else not returned, None if amount is None else amount == 0, late)
    if True not in holds[1:] and None not in holds[1:] and kind not in ("c", "d"):
        found.add("returned.expression")
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS)
def test_sql_and_ibis_say_what_the_oracle_says(rows: list[Row]) -> None:
    plan = plan_of()
    with open_rows(plan, rows) as engine:
        by_sql, by_ibis = broken_by_sql(plan, engine), broken_by_ibis(plan, engine)
        by_stored = broken_by_stored(plan, engine)
    for names in (("id",), ("code",)):
        keys = [tuple(_typed_key(row, name) for name in names) for row in rows]
        rule = "id.unique" if names == ("id",) else "code.duplicate"
        assert by_stored[rule] == [None not in key and keys.count(key) > 1 for key in keys]
    for check in plan.row_checks:
        assert by_stored[check.id] == by_ibis[check.id], check.id
        due = [check.id in _broken(row) for row in rows]
        assert by_sql[check.id] == due, check.id
        if check.kind is not CheckKind.TYPE:  # a typed table has no badly typed value left
            assert by_ibis[check.id] == [d or _has_no_value(check, row) for d, row in zip(due, rows, strict=True)], (
                check.id
            )


def _typed_key(row: Row, name: str) -> Any:
    return _whole(row["id"]) if name == "id" else row[name]


def _has_no_value(check: Check, row: Row) -> bool:
    """A typed table has NULL where the file had a text of another type, and a rule on presence sees that."""
    is_presence = check.kind in (CheckKind.REQUIRED, CheckKind.MISSING) and check.column in READ
    wanted = not check.when or row["kind"] == "甲"
    return is_presence and wanted and READ[check.column](row[check.column]) is None


def test_a_violation_written_the_wrong_way_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the Ibis form of a range forgets that an exclusive end is outside."""
    rows = [dict.fromkeys(NAMES) | {"id": "1", "amount": "100"}]
    monkeypatch.setattr(operators, "at_least", operators.greater)
    monkeypatch.setattr(operators, "at_most", operators.less)
    monkeypatch.setattr(operators, "greater", lambda left, right: left > right + 1)
    plan = plan_of(COLUMNS.replace("exclusiveMaximum: 100", "maximum: 99.5"))
    with open_rows(plan, rows) as engine:
        assert broken_by_sql(plan, engine)["amount.range"] != broken_by_ibis(plan, engine)["amount.range"]


def test_two_keys_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a hash that is the same for all keys; and what it would cost to believe it."""
    rows = [dict.fromkeys(NAMES) | {"id": key} for key in ("1", "2", "3", "2")]
    plan = plan_of()
    monkeypatch.setattr(stored, "_hash_sql", lambda _check: "7::ubigint")
    with open_rows(plan, rows) as engine:
        assert broken_by_stored(plan, engine)["id.unique"] == [False, True, False, True]
        monkeypatch.setattr(stored, "_rows_sql", lambda term: f"select * from datong_broken where {term.is_broken}")
        assert broken_by_stored(plan, engine)["id.unique"] == [True] * 4


def test_more_keys_than_are_sorted_are_grouped(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [dict.fromkeys(NAMES) | {"id": key} for key in ("1", "2", None, "2", None)]
    monkeypatch.setattr(stored, "QUALITY_SORTED_KEYS_MAX", 1)
    with open_rows(plan_of(), rows) as engine:
        assert broken_by_stored(plan_of(), engine)["id.unique"] == [False, True, False, True, False]


def test_more_rules_than_one_word_holds() -> None:
    plan = plan_of()
    many = replace(
        plan, row_checks=tuple(replace(check, id=f"{check.id}.{i}") for i in range(7) for check in plan.row_checks)
    )
    assert len(many.row_checks) > stored.WORD_BITS
    rows = [dict.fromkeys(NAMES) | {"id": "1", "amount": "100"}, dict.fromkeys(NAMES) | {"id": "2", "code": "x"}]
    with open_rows(plan, rows) as engine:
        found, due = broken_by_stored(many, engine), broken_by_stored(plan, engine)
    assert all(found[f"{check.id}.{i}"] == due[check.id] for i in range(7) for check in plan.row_checks)
    assert due["amount.range"] == [True, False]


def test_every_kind_of_rule_is_compiled() -> None:
    plan = plan_of()
    ids = {check.id for check in plan.all_checks}
    assert {
        "kind.missing",
        "code.missing",
        "due_on.missing",
        "returned.expression",
        "code.duplicate",
        "id.unique",
    } <= ids
    by_id = {check.id: check for check in plan.all_checks}
    assert by_id["kind.missing"].severity is Severity.WARN  # it tolerates rows, so it lets them in
    assert by_id["due_on.missing"].severity is Severity.REJECT
    assert by_id["returned.expression"].blocks
    assert by_id["returned.expression"].weight == 2


# Sets ---------------------------------------------------------------------------------------------------------------
SET_RULES = """
      - type: custom
        engine: datong
        implementation: foreign-key
        customProperties:
          - {property: columns, value: [kind]}
          - {property: resource, value: kinds}
          - {property: references, value: [kind]}
      - type: custom
        engine: datong
        name: 金额不超过上限
        implementation: cross-table
        customProperties:
          - {property: resource, value: kinds}
          - {property: on, value: {kind: kind}}
          - {property: expect, value: amount <= most}
      - {metric: rowCount, mustBeBetween: [2, 5]}
      - type: custom
        engine: datong
        implementation: row-change
        customProperties: [{property: percentMax, value: 50}]
      - type: custom
        engine: datong
        implementation: table-freshness
        customProperties: [{property: column, value: lent_on}, {property: daysMax, value: 31}]
      - type: custom
        engine: datong
        implementation: drift
        customProperties: [{property: column, value: amount}, {property: bins, value: 4}]
      - {type: sql, query: "select count(*) from ${object} where amount > 50", mustBeLessThan: 2, name: 大额不多}
"""


def _set_answers(
    rows: list[Row], *, history: tuple[int, ...] = (), before: str = "select 1.0 as amount"
) -> dict[str, Any]:
    from datong.quality.contracts import History

    plan = plan_of(more=SET_RULES, history=History(row_counts=history))
    with open_rows(plan, rows) as engine:
        for reference in plan.references:
            source = "values ('甲', 10.0), ('乙', 20.0)" if reference.resource_id == "kinds" else before
            names = "(kind, most)" if reference.resource_id == "kinds" else ""
            engine.execute(f"create view {reference.relation}{names} as {source}")
        answers: dict[str, Any] = {}
        for check in plan.set_checks:
            answers[check.id] = sorted(engine.execute(check.sql("texts")).fetchall())
            assert sorted(engine.execute(check.sql("typed", is_typed=True)).fetchall()) == answers[check.id], check.id
    return answers


def _row(**values: str) -> Row:
    return dict.fromkeys(NAMES) | values


def test_set_checks_find_their_rows() -> None:
    rows = [
        _row(id="1", kind="甲", code="AA1", amount="5", lent_on="2026-11-20"),
        _row(id="2", kind="丁", code="AA1", amount="60", lent_on="2020-01-01"),
        _row(id="3", kind="乙", code="AA1", amount="21"),
        _row(id="4", code="BB1", amount="99"),
    ]
    answers = _set_answers(rows, history=(10, 12))
    assert answers["kind.foreign-key.kinds"] == [(1,)]
    assert answers["amount.cross-table.kinds"] == [(2,)]
    assert answers["code.duplicate"] == [(0,), (1,)]
    assert answers["row-count"] == [(4.0, False)]
    assert answers["row-change"] == [(pytest.approx(100 * 7 / 11), True)]
    assert answers["lent_on.table-fresh"] == [(4.0, False)]
    assert answers["sql"] == [(2.0, True)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS)
def test_set_checks_say_what_the_oracle_says(rows: list[Row]) -> None:
    answers = _set_answers(rows)
    known, most = {"甲", "乙"}, {"甲": 10.0, "乙": 20.0}
    unknown = [i for i, row in enumerate(rows) if row["kind"] is not None and row["kind"] not in known]
    assert answers["kind.foreign-key.kinds"] == [(i,) for i in unknown]
    amounts = [_number(row["amount"]) for row in rows]
    above = [
        i
        for i, (row, a) in enumerate(zip(rows, amounts, strict=True))
        if a is not None and a > most.get(row["kind"] or "", math.inf)
    ]
    assert answers["amount.cross-table.kinds"] == [(i,) for i in above]
    codes = [row["code"] for row in rows]
    surplus = [i for i, code in enumerate(codes) if code is not None and code in codes[i + 1 :]]
    assert answers["code.duplicate"] == [(i,) for i in surplus]
    assert answers["row-count"] == [(float(len(rows)), not 2 <= len(rows) <= 5)]
    assert answers["sql"] == [
        (float(sum(a is not None and a > 50 for a in amounts)), sum(a is not None and a > 50 for a in amounts) >= 2)
    ]


def test_a_table_that_is_empty_stale_or_like_its_past() -> None:
    answers = _set_answers([], before="select range::double as amount from range(100)")
    assert answers["row-count"] == [(0.0, True)]
    assert answers["lent_on.table-fresh"][0][1] is True
    rows = [_row(id=str(i), amount=str(i), lent_on="2026-01-01") for i in range(100)]
    same = _set_answers(rows, before="select range::double as amount from range(100)")
    moved = _set_answers(rows, before="select range::double + 60 as amount from range(100)")
    assert same["amount.drift"][0] == (pytest.approx(0.0, abs=0.01), False)
    assert moved["amount.drift"][0][1] is True
    assert same["lent_on.table-fresh"][0][1] is True


def test_psi_is_the_textbook_sum() -> None:
    """Half below and half above the median before; a quarter and three quarters now: Σ (p − q) ln(p / q)."""
    rows = [_row(id=str(i), amount="1" if i < 25 else "9") for i in range(100)]
    columns = SET_RULES.replace("bins, value: 4", "bins, value: 2")
    plan = plan_of(more=columns)
    check = next(check for check in plan.set_checks if check.kind is CheckKind.DRIFT)
    with open_rows(plan, rows) as engine:
        engine.execute(
            f"create view {check.references[0].relation} as select (range % 2) * 8.0 + 1 as amount from range(100)"
        )
        measured = engine.execute(check.sql("texts")).fetchall()[0][0]
    p, q = (0.25, 0.75), (0.5, 0.5)
    assert measured == pytest.approx(sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True)), abs=1e-3)


@pytest.mark.parametrize(
    "rule",
    [
        "{type: sql, query: \"select count(*) from read_csv('/etc/passwd')\", mustBe: 0}",
        '{type: sql, query: "select count(*) from other_table", mustBe: 0}',
        '{type: sql, query: "drop table loans", mustBe: 0}',
        '{type: custom, engine: datong, implementation: "amount > (select 1)"}',
        "{type: custom, engine: datong, implementation: nothing <= amount}",
        "{type: custom, engine: soda, implementation: amount <= id}",
        "{metric: rowCount, mustBe: x}",
        "{metric: rowCount, mustBeBetween: [1]}",
    ],
)
def test_a_rule_off_the_list_is_refused(rule: str) -> None:
    from datong.kernel.failures import BadInput

    with pytest.raises(BadInput):
        plan_of(more=f"      - {rule}\n")


# Score --------------------------------------------------------------------------------------------------------------
def test_score_of_tolerance_weight_waiver_and_what_was_not_evaluated() -> None:
    plan = plan_of(more=SET_RULES)
    bad = {"kind.missing": 1, "returned.expression": 5, "row-count": 0}
    score = score_run(plan, 10, bad, measured_by_check={"row-count": 4.0})
    rules = {rule.check_id: rule for rule in score.rules}
    assert (rules["kind.missing"].measured, rules["kind.missing"].is_broken, rules["kind.missing"].score) == (
        10.0,
        False,
        100.0,
    )
    assert score_run(plan, 10, {"kind.missing": 2}).rules[_place(plan, "kind.missing")].is_broken
    assert not rules["kind.foreign-key.kinds"].is_evaluated
    # consistency: the comparison 100 with weight 1, the expression 50 with weight 2
    assert score.dimensions["consistency"] == pytest.approx((100 + 2 * 50) / 3, abs=0.01)
    assert [finding.check_id for finding in blocking_findings(plan, score)] == ["returned.expression"]
    waived = replace(plan, waived=frozenset({"returned.expression"}))
    lifted = score_run(waived, 10, bad)
    assert blocking_findings(waived, lifted) == ()
    assert lifted.dimensions["consistency"] == 100
    assert [grade_of(score) for score in (100, 95, 94.99, 75, 60, 0)] == [
        Grade.EXCELLENT, Grade.EXCELLENT, Grade.GOOD, Grade.MEDIUM, Grade.FAIR, Grade.POOR,
    ]  # fmt: skip


def _place(plan: Any, check_id: str) -> int:
    return [check.id for check in plan.all_checks].index(check_id)


# Another engine -----------------------------------------------------------------------------------------------------
@pytest.mark.skipif(find_spec("pysail") is None, reason="pysail is not installed")
def test_sail_counts_and_names_the_rows_that_duckdb_does(tmp_path: Path) -> None:
    texts = {name: list(strategy.elements) for name, strategy in TEXTS.items()}  # type: ignore[attr-defined]
    rows = [
        {name: values[(i * (k + 3)) % len(values)] for k, (name, values) in enumerate(texts.items())}
        for i in range(200)
    ]
    rows = [row | {"id": str(i)} for i, row in enumerate(rows)]
    rows[7] |= {"kind": "甲", "amount": "99.99"}
    plan = plan_of(more=SET_RULES)
    exported, kinds = tmp_path / "rows.parquet", tmp_path / "kinds.parquet"
    with open_rows(plan, rows) as engine:
        engine.execute(f"copy (select ordinal as {ORDINAL}, * exclude ordinal from typed) to '{exported}'")
        engine.execute(f"copy (select * from (values ('甲', 10.0), ('乙', 20.0)) as t (kind, most)) to '{kinds}'")
    runs = {
        name: run_plan(plan, exported, 200, engine=name, keys=["id"], references={"kinds": kinds})
        for name in ("duckdb", "sail")
    }
    by_id = {finding.check_id: finding for finding in runs["duckdb"].findings}
    assert list(by_id) == [check.id for check in plan.all_checks]
    assert all(finding == by_id[finding.check_id] for finding in runs["sail"].findings if not finding.skipped_en)
    counts = Counter({finding.check_id: finding.rows_bad for finding in runs["sail"].findings})
    assert counts["returned.expression"] == sum("returned.expression" in _broken(row) for row in rows) > 0
    skipped = {finding.check_id for finding in runs["sail"].findings if finding.skipped_en}
    assert {"sql", "amount.drift", "amount.cross-table.kinds"} <= skipped
    assert by_id["sql"].rows_bad == 1
    assert by_id["amount.cross-table.kinds"].rows_bad == _above_most(rows) > 0
    assert by_id["amount.drift"].skipped_en
    with pytest.raises(Exception, match="engine does not see"):
        run_plan(plan, exported, 199, engine="sail")


def _above_most(rows: Sequence[Row]) -> int:
    most = {"甲": 10.0, "乙": 20.0}
    return sum((_number(row["amount"]) or 0) > most.get(row["kind"] or "", math.inf) for row in rows)


def test_a_pattern_that_engines_read_differently_is_duckdb_only() -> None:
    plan = plan_of(COLUMNS.replace("[A-Z]{2}[0-9]{1,3}", "[A-Z]{2}\\\\d+"))
    check = next(check for check in plan.row_checks if check.kind is CheckKind.PATTERN)
    assert "DuckDB only" in (ibis_checks.why_duckdb_only(check) or ("", ""))[1]


def test_lint_says_which_rules_collection_would_refuse() -> None:
    from datong.catalog.odcs import find_objections

    rules = """
      - {type: custom, engine: datong, implementation: nothing <= amount, name: 一}
      - {metric: rowCount, mustBeGreaterThan: 1}
      - type: custom
        engine: datong
        implementation: amount > 0
        customProperties: [{property: when, value: "read_csv('x')"}]
"""
    found = find_objections(contract_of(more=rules))
    assert [finding.code for finding in found] == ["rule-unsupported", "rule-unsupported"]
    assert [finding.path for finding in found] == ["schema[0].quality[2]", "schema[0].quality[4]"]
    assert find_objections(contract_of()) == ()
