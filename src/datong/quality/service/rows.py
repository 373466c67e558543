"""Rows of a version that break a rule which lets them in, and a run of all rules on another engine.

Rows that a rule refuses are in the quarantine of their run, with their source lines; these here are in the lake, and
are found again in a version by the same rules, over typed values. Collection kept the source lines of the first of
them; who has them is found by key (`LINE_READERS`).
"""

# ruff: noqa: S608 - names go through sql.name_sql, values through sql.text_sql

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

import duckdb

from datong.catalog.service import get_contract, get_resource
from datong.catalog.values import Column, DataContract
from datong.catalog.words import Mask
from datong.kernel import clock
from datong.kernel.action.service import action
from datong.kernel.config import load_settings
from datong.kernel.contracts import Actor
from datong.kernel.ids import ResourceId
from datong.kernel.limits import QUALITY_FINDINGS_SHOWN_MAX
from datong.lake import service as lake
from datong.lake.contracts import VersionNotFound, VersionView
from datong.lake.engine import get_lake
from datong.lake.tables import at_snapshot
from datong.privacy.masks import get_mask
from datong.quality.contracts import (
    LINE_READERS,
    ORDINAL,
    Check,
    CheckKind,
    CheckPlan,
    EngineRun,
    FailingRow,
    OrderNotFound,
    PlainExportRefused,
    RuleUnsupported,
    SetCheck,
)
from datong.quality.model import compile_checks
from datong.quality.service.subjects import ENGINE_RUN, ROWS_READ, subject_of
from datong.quality.sql import Literals, name_sql, text_sql, violation_sql
from datong.standards.divisions import national_divisions

MASKED_FROM_GRADE = 3
"""Values of columns of this grade and above are masked on pages; a column's own mask is used where it has one."""
_ROWS_AT_ONCE = 1000
SPREADSHEET_STARTS = ("=", "+", "-", "@", "\t", "\r")


def find_failing_rows(actor: Actor, resource_id: str, rule_id: str) -> tuple[int, list[FailingRow]]:
    """How many rows of the present version break the rule, and the first QUALITY_FINDINGS_SHOWN_MAX, values masked.

    Raises NotAllowed, OrderNotFound for a rule that the contract does not have.
    """
    resource = get_resource(ResourceId(resource_id), actor)
    facts = {"rule": rule_id, "title_en": resource.title_en}
    with (
        action(ROWS_READ, actor, subject_of(resource), facts=facts),
        _open_plan(resource_id) as (plan, contract, source),
    ):
        check = _check_of(plan, rule_id)
        query = _failing_sql(plan, check, contract)
        count = int(source.execute(f"select count(*) from ({query})").fetchall()[0][0])
        rows = source.execute(f"{query} order by 1 limit {QUALITY_FINDINGS_SHOWN_MAX}").fetchall()
        lines = _find_lines(resource_id, check, contract, rows)
        return count, [_masked(row, check, contract, place) for row, place in zip(rows, lines, strict=True)]


def write_failing_rows_csv(actor: Actor, resource_id: str, rule_id: str, out: TextIO) -> int:
    """All of them as CSV: number in the version, line and run of the file, key, values of the rule's columns; how many.

    Line and run are empty for rows beyond COLLECT_NOTED_ROWS_MAX, and where the contract has no key.

    For the agency's own stewards and approvers: values are as they are, and a cell that a spreadsheet would take for a
    formula gets an apostrophe. Leaves an audit row.
    """
    resource = get_resource(ResourceId(resource_id), actor)
    facts = {"rule": rule_id, "title_en": resource.title_en}
    with (
        action(ROWS_READ, actor, subject_of(resource), facts=facts),
        _open_plan(resource_id) as (plan, contract, source),
    ):
        check = _check_of(plan, rule_id)
        source.execute(f"{_failing_sql(plan, check, contract)} order by 1")
        writer = csv.writer(out)
        writer.writerow(["row", "line", "run", *_names(check, contract)])
        count = 0
        while rows := source.fetchmany(_ROWS_AT_ONCE):
            lines = _find_lines(resource_id, check, contract, rows)
            for (number, *values), (line, run) in zip(rows, lines, strict=True):
                writer.writerow([number, "" if line is None else line, run, *(_safe(value) for value in values)])
            count += len(rows)
        return count


def run_on_engine(actor: Actor, resource_id: str, engine: str, *, plain: bool = False) -> EngineRun:
    """All rules of the present contract over the present version on `engine`: duckdb, sail or sc://host:port.

    DuckDB reads the lake itself. For any other engine the version leaves the lake as plain Parquet, in a private folder
    that is deleted afterwards: `plain` says that the actor wants that, and the audit log keeps it. The row count is
    compared before any rule runs. Raises PlainExportRefused, EngineUnavailable, RowsDiffer, VersionNotFound.
    """
    resource = get_resource(ResourceId(resource_id), actor)
    version = _version(resource_id)
    facts = {"engine": engine, "version": version.label, "plain": plain, "title_en": resource.title_en}
    with action(ENGINE_RUN, actor, subject_of(resource), facts=facts) as record:
        if engine == "duckdb":
            run = _run_in_lake(resource_id, version)
        elif plain:
            run = _run_exported(resource_id, version, engine)
        else:
            raise PlainExportRefused(
                "Say --plain if a private copy may lie on this machine's disk while the rules run, or use duckdb.",
                hint_zh="如允许运行期间在本机磁盘留有明文副本，请加 --plain；否则请用 duckdb。",
                engine=engine,
                grade_max=resource.grade_max,
            )
        record.facts.update(rows=run.rows, rules=len(run.findings))
        return record.done(run)


def _run_in_lake(resource_id: str, version: VersionView) -> EngineRun:
    from datong.quality.stored import needs_row_numbers, run_stored

    contract = get_contract(ResourceId(resource_id))
    plan = compile_checks(contract, clock.today(), divisions=national_divisions())
    keys = [column.name for column in contract.key_columns]
    references = {}
    for reference in plan.references:
        present = lake.current_version(ResourceId(reference.resource_id))
        if present is not None and present.agency == version.agency:
            references[reference.resource_id] = _version_sql(present, reference.columns)
    names = [column.name for column in contract.columns]
    number = ORDINAL if needs_row_numbers(plan, keys) else None
    relation = _version_sql(version, names, number=number)
    with get_lake(load_settings()).connect(version.agency) as connection:
        return run_stored(connection, relation, plan, version.rows_count, keys=keys, references=references)


def _version_sql(version: VersionView, columns: Sequence[str], *, number: str | None = None) -> str:
    """A version's rows as a relation in SQL; `number` names a column with each row's number, from 1."""
    names = ", ".join([f"row_number() over () as {number}"] * bool(number) + [*map(name_sql, columns)])
    return f"(select {names} from {at_snapshot(version.table, version.snapshot)})"


def _run_exported(resource_id: str, version: VersionView, engine: str) -> EngineRun:
    from datong.quality.engine_runs import run_plan

    contract = get_contract(ResourceId(resource_id))
    plan = compile_checks(contract, clock.today(), divisions=national_divisions())
    with TemporaryDirectory(prefix="quality-", dir=load_settings().home) as folder:
        exported = _export(version, [column.name for column in contract.columns], Path(folder) / "rows.parquet")
        references = {}
        for reference in plan.references:
            present = lake.current_version(ResourceId(reference.resource_id))
            if present is not None:
                path = Path(folder) / f"{reference.relation}.parquet"
                references[reference.resource_id] = _export(present, reference.columns, path)
        keys = [column.name for column in contract.key_columns]
        return run_plan(plan, exported, version.rows_count, engine=engine, keys=keys, references=references)


def _version(resource_id: str) -> VersionView:
    version = lake.current_version(ResourceId(resource_id))
    if version is None:
        raise VersionNotFound("Collect a file first.", hint_zh="请先归集数据。", resource=resource_id)
    return version


def _export(version: VersionView, columns: Sequence[str], target: Path) -> Path:
    """Route A: DuckDB writes the pinned version as Parquet, with ORDINAL beside its columns."""
    relation = _version_sql(version, columns, number=ORDINAL)
    with get_lake(load_settings()).connect(version.agency) as connection:
        connection.execute(f"copy (select * from {relation}) to {text_sql(str(target))} (format parquet)")
    target.chmod(0o600)
    return target


@contextmanager
def _open_plan(resource_id: str) -> Iterator[tuple[CheckPlan, DataContract, duckdb.DuckDBPyConnection]]:
    """The plan of the present contract, and the lake with the present version as temporary view `version_rows`."""
    version = _version(resource_id)
    contract = get_contract(ResourceId(resource_id))
    plan = compile_checks(contract, clock.today(), divisions=national_divisions())
    relation = _version_sql(version, [column.name for column in contract.columns], number="ordinal")
    with get_lake(load_settings()).connect(version.agency) as connection:
        connection.execute(f"create or replace temp view version_rows as select * from {relation}")
        try:
            yield plan, contract, connection
        finally:
            connection.execute("drop view if exists version_rows")


def _check_of(plan: CheckPlan, rule_id: str) -> Check:
    check = next((check for check in plan.all_checks if check.id == rule_id), None)
    if check is None:
        raise OrderNotFound("The contract has no such rule.", hint_zh="契约中没有这条规则。", rule=rule_id)
    if check.is_table_level or (isinstance(check, SetCheck) and check.references):
        raise RuleUnsupported(
            "This rule is about the whole table or another one: it has no rows of its own.",
            hint_zh="该规则针对整表或其他表，没有逐行结果。",
            rule=rule_id,
        )
    return check


def _names(check: Check, contract: DataContract) -> list[str]:
    return list(dict.fromkeys([*(column.name for column in contract.key_columns), *(check.columns or (check.column,))]))


def _failing_sql(plan: CheckPlan, check: Check, contract: DataContract) -> str:
    """The failing rows: ordinal, key columns, the rule's columns, as text."""
    shown = ", ".join(f"{name_sql(name)}::varchar" for name in _names(check, contract))
    if isinstance(check, SetCheck):
        return (
            f"select ordinal, {shown} from version_rows where ordinal in ({check.sql('version_rows', is_typed=True)})"
        )
    if check.kind is CheckKind.UNIQUE:
        keys = ", ".join(map(name_sql, check.columns))
        present = " and ".join(f"{name_sql(name)} is not null" for name in check.columns)
        repeated = f"select {keys} from version_rows where {present} group by all having count(*) > 1"
        return f"select ordinal, {shown} from version_rows semi join ({repeated}) using ({keys})"
    bindings = Literals()
    broken = violation_sql(check, plan.over_typed, bindings)
    return f"select ordinal, {shown} from {bindings.over('version_rows')} where {broken}"


def _find_lines(
    resource_id: str, check: Check, contract: DataContract, rows: Sequence[tuple[Any, ...]]
) -> list[tuple[int | None, str]]:
    """Line and run of each row, by its key; (None, "") where nobody kept them."""
    width = len(contract.key_columns)
    keys = [tuple(row[1 : 1 + width]) for row in rows]
    found: dict[tuple[str | None, ...], tuple[int, str]] = {}
    for reader in LINE_READERS.values() if width else ():
        found.update(reader(resource_id, check.id, keys))
    return [found.get(key, (None, "")) for key in keys]


def _masked(row: tuple[object, ...], check: Check, contract: DataContract, place: tuple[int | None, str]) -> FailingRow:
    number, *values = row
    shown = {
        name: mask_value(contract.by_name[name], None if value is None else str(value))
        for name, value in zip(_names(check, contract), values, strict=True)
    }
    keys = {column.name for column in contract.key_columns}
    return FailingRow(
        row=int(str(number)),
        key={name: value for name, value in shown.items() if name in keys},
        value=shown.get(check.column),
        line=place[0],
        run_number=place[1],
    )


def mask_value(column: Column, value: str | None) -> str | None:
    """A value as a page may show it: the column's own mask; both ends only from MASKED_FROM_GRADE on."""
    if value is None:
        return None
    if column.mask is not Mask.NONE:
        return get_mask(column.mask.value).apply(value)
    return get_mask(Mask.ENDS.value).apply(value) if column.grade >= MASKED_FROM_GRADE else value


def _safe(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(SPREADSHEET_STARTS) else text
