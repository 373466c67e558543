"""A plan's rules over a pinned version on an engine of choice: counts and the keys of failing rows.

DuckDB runs them by `stored`, every other engine by the Ibis expressions of the closed list: it gets the version as
Parquet that DuckDB wrote from the lake at one snapshot, and its row count must equal DuckDB's before any rule runs.
Rules off the closed list are not run there and say why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import ibis  # type: ignore[import-untyped]

from datong.kernel import clock
from datong.kernel.limits import QUALITY_KEYS_FETCHED_MAX, QUALITY_MEMORY_MIB
from datong.quality.contracts import (
    ORDINAL,
    Check,
    CheckKind,
    CheckPlan,
    EngineFinding,
    EngineRun,
    RowsDiffer,
    SetCheck,
)
from datong.quality.engines import TIME_ZONE, open_engine
from datong.quality.expressions import IBIS_TYPES
from datong.quality.ibis_checks import set_violations, violation, why_duckdb_only
from datong.quality.sql import text_sql
from datong.quality.stored import run_stored


def run_plan(
    plan: CheckPlan,
    exported: Path,
    rows: int,
    *,
    engine: str,
    keys: Sequence[str] = (),
    references: Mapping[str, Path] | None = None,
) -> EngineRun:
    """Run the plan's rules on `engine` over `exported`, a Parquet file of `rows` rows with a column ORDINAL.

    `keys` are the columns that name a failing row; without them its ORDINAL does. `references` are the other tables.
    Raises EngineUnavailable, RowsDiffer.
    """
    if engine == "duckdb":
        return _run_duckdb(plan, exported, rows, keys, references or {})
    with open_engine(engine) as connection:
        others = {name: connection.read_parquet(str(path)) for name, path in (references or {}).items()}
        table = connection.read_parquet(str(exported))
        return run_plan_on(connection, table, plan, rows, engine=engine, keys=keys, others=others)


def _run_duckdb(
    plan: CheckPlan, exported: Path, rows: int, keys: Sequence[str], references: Mapping[str, Path]
) -> EngineRun:
    """The same without Ibis, in a DuckDB of its own that spills beside the file."""
    spill = str(exported.parent / "spill")
    with duckdb.connect(config={"memory_limit": f"{QUALITY_MEMORY_MIB}MiB", "temp_directory": spill}) as source:
        source.execute(f"set timezone = '{TIME_ZONE}'")
        others = {name: f"read_parquet({text_sql(str(path))})" for name, path in references.items()}
        relation = f"read_parquet({text_sql(str(exported))})"
        return run_stored(source, relation, plan, rows, keys=keys, references=others)


def run_plan_on(
    connection: Any,
    table: Any,
    plan: CheckPlan,
    rows: int,
    *,
    engine: str,
    keys: Sequence[str] = (),
    others: Mapping[str, Any] | None = None,
) -> EngineRun:
    """The same over an open Ibis connection and its tables."""
    started_s = clock.monotonic_s()
    typed = _typed(table, plan)
    found = int(connection.to_pyarrow(typed.count()).as_py())
    if found != rows:
        raise RowsDiffer("The run was stopped.", hint_zh="执行已停止。", engine=engine, exported=rows, found=found)
    findings = tuple(_findings(connection, plan, typed, others or {}, list(keys) or [ORDINAL]))
    return EngineRun(engine=engine, rows=rows, findings=findings, seconds=clock.monotonic_s() - started_s)


def _typed(table: Any, plan: CheckPlan) -> Any:
    """The table with the plan's types: an engine may read a zoned timestamp or a decimal as its own."""
    wanted = {column.name: IBIS_TYPES[column.logical_type] for column in plan.columns}
    present = table.schema()
    return table.mutate(
        **{
            name: table[name].cast(kind)
            for name, kind in wanted.items()
            if present[name] != ibis.dtype(kind) and not kind.startswith("timestamp")
        }
    )


def _findings(
    connection: Any, plan: CheckPlan, table: Any, others: Mapping[str, Any], keys: list[str]
) -> Iterator[EngineFinding]:
    """Row rules in one pass that counts, then the keys of those that are broken; the rest one by one."""
    portable: list[Check] = []
    for check in plan.row_checks:
        why = why_duckdb_only(check)
        if why is None:
            portable.append(check)
        else:
            yield EngineFinding(check_id=check.id, rows_bad=0, skipped_zh=why[0], skipped_en=why[1])
    if portable:
        broken = {f"c{i}": violation(check, plan, table).fill_null(False) for i, check in enumerate(portable)}
        marked = table.mutate(**broken)
        counted = connection.to_pyarrow(
            marked.aggregate(**{name: marked[name].cast("int64").sum().fill_null(0) for name in broken})
        ).to_pylist()[0]
        for name, check in zip(broken, portable, strict=True):
            count = int(counted[name])
            rows = marked.filter(marked[name])
            yield EngineFinding(
                check_id=check.id, rows_bad=count, keys=_fetch_keys(connection, rows, keys) if count else ()
            )
    for check in (*plan.unique_checks, *plan.set_checks):
        yield _set_finding(connection, check, table, others, keys)


def _set_finding(
    connection: Any, check: Check, table: Any, others: Mapping[str, Any], keys: list[str]
) -> EngineFinding:
    why = why_duckdb_only(check)
    if why is None and isinstance(check, SetCheck):
        if check.is_table_level and check.kind is not CheckKind.ROW_COUNT:
            why = "整表规则由归集时判定", "a rule on the whole table is judged when it is collected"
        elif any(reference.resource_id not in others for reference in check.references):
            why = "被引用的资源还没有数据", "the resource it refers to has no version yet"
    if why is not None:
        return EngineFinding(check_id=check.id, rows_bad=0, skipped_zh=why[0], skipped_en=why[1])
    if check.kind is CheckKind.ROW_COUNT:
        count = float(connection.to_pyarrow(table.count()).as_py())
        is_met = check.bound is not None and check.bound.is_met(count)
        return EngineFinding(check_id=check.id, rows_bad=0 if is_met else 1)
    rows = set_violations(check, table, dict(others))
    count = int(connection.to_pyarrow(rows.count()).as_py())
    return EngineFinding(check_id=check.id, rows_bad=count, keys=_fetch_keys(connection, rows, keys) if count else ())


def _fetch_keys(connection: Any, rows: Any, keys: list[str]) -> tuple[tuple[Any, ...], ...]:
    """The keys of these rows in order (sorted here: Sail cannot order by a column that it filtered)."""
    found = connection.to_pyarrow(rows.select(*keys).limit(QUALITY_KEYS_FETCHED_MAX))
    ordered = found.sort_by([(key, "ascending") for key in keys])
    return tuple(zip(*(column.to_pylist() for column in ordered.columns), strict=True))
