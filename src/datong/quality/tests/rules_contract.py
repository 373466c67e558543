"""A contract with a rule of every kind, and the ways a test looks at its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import duckdb
import ibis  # type: ignore[import-untyped]

from datong.catalog.odcs import parse_contract
from datong.quality.contracts import CheckPlan, History
from datong.quality.model import compile_checks
from datong.quality.sql import Bindings, name_sql, typed_sql, value_sql, violation_sql

AS_OF = date(2026, 11, 24)
HEAD = """
apiVersion: v3.1.0
kind: DataContract
id: test_loans
name: 测试借阅
version: 1.0.0
status: active
schema:
  - name: loans
    businessName: 测试借阅
    properties:
"""
TAIL = """
slaProperties:
  - {property: frequency, value: 1, unit: mo}
customProperties:
  - {property: agency, value: psb}
  - {property: sharingType, value: unconditional}
  - {property: shareModes, value: [query]}
  - {property: titleEn, value: Test loans}
"""
COLUMNS = """
      - name: id
        businessName: 编号
        logicalType: integer
        primaryKey: true
        primaryKeyPosition: 1
        required: true
        classification: 一般1级
      - name: kind
        businessName: 类别
        logicalType: string
        classification: 一般1级
        logicalTypeOptions: {maxLength: 3}
        quality:
          - metric: invalidValues
            arguments: {validValues: [甲, 乙, 丙, a, b, c, d]}
            mustBe: 0
          - {metric: nullValues, mustBeLessThan: 20, unit: percent}
      - name: code
        businessName: 代码
        logicalType: string
        classification: 一般1级
        logicalTypeOptions: {pattern: "[A-Z]{2}[0-9]{1,3}"}
        quality:
          - metric: missingValues
            arguments: {missingValues: [无, N/A, "-"]}
            mustBe: 0
            severity: warn
          - {metric: duplicateValues, mustBeLessOrEqualTo: 1}
      - name: amount
        businessName: 金额
        logicalType: number
        classification: 一般1级
        logicalTypeOptions: {minimum: 0, exclusiveMaximum: 100}
      - name: lent_on
        businessName: 借出日期
        logicalType: date
        classification: 一般1级
        logicalTypeOptions: {minimum: "2020-01-01"}
      - name: due_on
        businessName: 应还日期
        logicalType: date
        classification: 一般1级
        quality:
          - metric: nullValues
            mustBe: 0
            customProperties:
              - {property: when, value: "kind = '甲'"}
      - name: returned
        businessName: 已归还
        logicalType: boolean
        classification: 一般1级
    quality:
      - {type: custom, engine: datong, implementation: lent_on <= due_on, name: 先借后还}
      - type: custom
        engine: datong
        name: 归还的金额为零
        implementation: "not returned or amount = 0 or days_between(due_on, lent_on) + 1 > 30"
        customProperties:
          - {property: exception, value: "kind in ('c', 'd')"}
          - {property: blocks, value: true}
          - {property: weight, value: 2}
"""
NAMES = ("id", "kind", "code", "amount", "lent_on", "due_on", "returned")


def contract_of(columns: str = COLUMNS, more: str = "") -> Any:
    return parse_contract(HEAD + columns + more + TAIL)


def plan_of(columns: str = COLUMNS, more: str = "", history: History | None = None) -> CheckPlan:
    return compile_checks(contract_of(columns, more), AS_OF, history=history)


def open_rows(plan: CheckPlan, rows: Sequence[Mapping[str, str | None]]) -> duckdb.DuckDBPyConnection:
    """The rows as the file's texts in table `texts`, and typed in table `typed`, both with `ordinal`."""
    engine = duckdb.connect()
    names = [column.name for column in plan.columns]
    columns = ", ".join(f"{name_sql(name)} varchar" for name in names)
    engine.execute(f"create table texts (ordinal bigint, {columns})")
    places = ", ".join("?" for _ in range(len(names) + 1))
    if rows:
        engine.executemany(
            f"insert into texts values ({places})",
            [[i, *(row.get(name) for name in names)] for i, row in enumerate(rows)],
        )
    bindings = Bindings()
    typed = [f"{typed_sql(c, value_sql(c, bindings), bindings)} as {name_sql(c.name)}" for c in plan.columns]
    engine.execute(
        f"create table typed as select ordinal, {', '.join(typed)} from {bindings.over('texts')}", bindings.values
    )
    return engine


def broken_by_sql(plan: CheckPlan, engine: duckdb.DuckDBPyConnection) -> dict[str, list[bool]]:
    """Per row check, whether each row breaks it, by the SQL that the scan uses."""
    found = {}
    for check in plan.row_checks:
        bindings = Bindings()
        broken = violation_sql(check, plan, bindings)
        query = f"select coalesce({broken}, false) from (select * from {bindings.over('texts')}) order by ordinal"
        found[check.id] = [row[0] for row in engine.execute(query, bindings.values).fetchall()]
    return found


def broken_by_ibis(plan: CheckPlan, engine: duckdb.DuckDBPyConnection) -> dict[str, list[bool]]:
    """The same by the Ibis expressions over typed columns; a row that breaks a type check has NULL there."""
    from datong.quality.ibis_checks import violation

    connection = ibis.duckdb.from_connection(engine)
    table = connection.table("typed")
    broken = {f"c{i}": violation(check, plan, table).fill_null(False) for i, check in enumerate(plan.row_checks)}
    answered = connection.to_pyarrow(table.select(table.ordinal, **broken).order_by("ordinal"))
    return {check.id: answered[f"c{i}"].to_pylist() for i, check in enumerate(plan.row_checks)}


def broken_by_stored(plan: CheckPlan, engine: duckdb.DuckDBPyConnection) -> dict[str, list[bool]]:
    """The same by the run over a stored table, which knows failing rows by their numbers."""
    from datong.quality.contracts import ORDINAL
    from datong.quality.stored import run_stored

    ordinals = [row[0] for row in engine.execute("select ordinal from typed order by ordinal").fetchall()]
    relation = f"(select ordinal as {ORDINAL}, * exclude ordinal from typed)"
    run = run_stored(engine, relation, plan, len(ordinals))
    failing = {finding.check_id: {key[0] for key in finding.keys} for finding in run.findings}
    assert all(finding.rows_bad == len(failing[finding.check_id]) for finding in run.findings if finding.keys)
    return {check: [ordinal in found for ordinal in ordinals] for check, found in failing.items()}
