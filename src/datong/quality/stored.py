"""A plan's rules over a version as DuckDB holds it: two scans, whatever the number of rules.

The first reads the unique keys alone, as hashes, and finds the repeated ones. The second judges every row by all rules,
foreign keys included, and keeps only what is broken: its key and a bit for each rule. Counts and failing keys come from
that small table. Rows are typed already, so no text is parsed and no type checked.
"""

# ruff: noqa: S608 - names go through sql.name_sql, values through sql.literal_sql

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from datong.kernel import clock
from datong.kernel.limits import QUALITY_KEYS_FETCHED_MAX, QUALITY_SORTED_KEYS_MAX
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
from datong.quality.sets import DUCKDB_TYPES
from datong.quality.sql import Bindings, Literals, name_sql, violation_sql

WORD_BITS = 60
"""Rules per BIGINT of the broken rows."""
_TYPED, _BROKEN = "datong_typed", "datong_broken"
_JUDGED_AT_COLLECTION = "由归集时判定", "judged when it is collected: it needs the versions before"
_NO_REFERENCE = "被引用的资源还没有数据", "the resource it refers to has no version yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Term:
    """A rule that the second scan judges: true in SQL where the row breaks it, or may."""

    check: Check
    sql: str
    place: int
    repeats: bool = False
    """The row's key has the hash of a repeated one; the kept rows tell whether it is."""

    @property
    def is_broken(self) -> str:
        return f"w{self.place // WORD_BITS} & {1 << (self.place % WORD_BITS)} <> 0"


def needs_row_numbers(plan: CheckPlan, keys: Sequence[str]) -> bool:
    """Whether the relation must have ORDINAL; numbering rows keeps DuckDB to one thread."""
    return not keys or any(check.kind is CheckKind.CROSS_TABLE for check in plan.set_checks)


def run_stored(
    source: duckdb.DuckDBPyConnection,
    relation: str,
    plan: CheckPlan,
    rows: int,
    *,
    keys: Sequence[str] = (),
    references: Mapping[str, str] | None = None,
) -> EngineRun:
    """Run all rules over `relation`, SQL with the plan's columns and, where `needs_row_numbers`, ORDINAL.

    `keys` are the columns that name a failing row; without them its ORDINAL does. `references` are the other tables in
    SQL, by resource. Raises RowsDiffer when the relation has not `rows` rows.
    """
    started_s = clock.monotonic_s()
    names = list(keys) or [ORDINAL]
    with _views(source, relation, plan, references or {}) as known:
        found = _one(source, f"select count(*) from {_TYPED}")
        if found != rows:
            raise RowsDiffer(
                "The run was stopped.", hint_zh="执行已停止。", engine="duckdb", exported=rows, found=found
            )
        bindings = Literals()
        terms = _terms(source, plan.over_typed, known, bindings, rows)
        _keep_broken(source, terms, bindings, names)
        findings = tuple(_findings(source, plan, terms, known, names))
    return EngineRun(engine="duckdb", rows=rows, findings=findings, seconds=clock.monotonic_s() - started_s)


@contextmanager
def _views(
    source: duckdb.DuckDBPyConnection, relation: str, plan: CheckPlan, references: Mapping[str, str]
) -> Iterator[frozenset[str]]:
    """The rows in the plan's types and the other tables as views; gives the relations of those that are there."""
    source.execute(f"create or replace temp view {_TYPED} as {_typed_sql(source, relation, plan)}")
    known = frozenset(each.relation for each in plan.references if each.resource_id in references)
    try:
        for each in plan.references:
            if each.relation in known:
                origin = references[each.resource_id]
                source.execute(f"create or replace temp view {each.relation} as select * from {origin}")
        yield known
    finally:
        for table in (_BROKEN, *(f"{_BROKEN}_{i}" for i in range(len(_repeatable(plan))))):
            source.execute(f"drop table if exists {table}")
        for view in (_TYPED, *known):
            source.execute(f"drop view if exists {view}")


def _typed_sql(source: duckdb.DuckDBPyConnection, relation: str, plan: CheckPlan) -> str:
    """Another writer may have stored a decimal or a narrower number."""
    present = {str(row[0]): str(row[1]) for row in source.execute(f"describe select * from {relation}").fetchall()}
    columns = []
    for column in plan.columns:
        wanted, name = DUCKDB_TYPES[column.logical_type].upper(), name_sql(column.name)
        is_so = present[column.name] == wanted or column.logical_type == "timestamp"
        columns.append(name if is_so else f"{name}::{wanted} as {name}")
    numbers = [ORDINAL] if ORDINAL in present else []
    return f"select {', '.join([*numbers, *columns])} from {relation}"


def _one(source: duckdb.DuckDBPyConnection, query: str) -> int:
    row = source.execute(query).fetchone()
    return int(row[0]) if row else 0


# Before the scan ----------------------------------------------------------------------------------------------------
def _terms(
    source: duckdb.DuckDBPyConnection, plan: CheckPlan, known: frozenset[str], bindings: Bindings, rows: int
) -> list[_Term]:
    """Every rule that looks at a row, at its key, or for its key in another table."""
    found: list[tuple[Check, str, bool]] = [
        (check, violation_sql(check, plan, bindings), False)
        for check in plan.row_checks
        if check.kind is not CheckKind.TYPE
    ]
    found += [
        (check, _unknown_sql(check), False)
        for check in plan.set_checks
        if check.kind is CheckKind.FOREIGN_KEY and check.references[0].relation in known
    ]
    for place, check in enumerate(_repeatable(plan)):
        if _find_repeated(source, check, place, rows):
            found.append((check, f"{_hash_sql(check)} in (select h from {_BROKEN}_{place})", True))
    return [_Term(check=check, sql=sql, place=i, repeats=repeats) for i, (check, sql, repeats) in enumerate(found)]


def _repeatable(plan: CheckPlan) -> list[Check]:
    return [*plan.unique_checks, *(check for check in plan.set_checks if check.kind is CheckKind.DUPLICATE)]


def _present_sql(names: Sequence[str]) -> str:
    return " and ".join(f"{name_sql(name)} is not null" for name in names)


def _row_sql(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def _unknown_sql(check: SetCheck) -> str:
    """The whole key is there and the other table does not have it."""
    types = {plan.name: DUCKDB_TYPES[plan.logical_type] for plan in check.plans}
    theirs = [
        f"try_cast({name_sql(target)} as {types[own]})"
        for own, target in zip(check.columns, check.params["targets"], strict=True)
    ]
    own = _row_sql([name_sql(name) for name in check.columns])
    there = " and ".join(f"{each} is not null" for each in theirs)
    return (
        f"{_present_sql(check.columns)} and {own} not in "
        f"(select {_row_sql(theirs)} from {check.references[0].relation} where {there})"
    )


def _hash_sql(check: Check) -> str:
    """The hash of a whole key; NULL where a part is missing, which repeats nothing."""
    return f"case when {_present_sql(check.columns)} then hash({', '.join(map(name_sql, check.columns))}) end"


def _find_repeated(source: duckdb.DuckDBPyConnection, check: Check, place: int, rows: int) -> bool:
    """Table `h` of the hashes that more than one row has; whether there are any.

    Sorting 64-bit numbers takes a quarter of the time of grouping by them; beyond what may be held they are grouped.
    """
    table = f"{_BROKEN}_{place}"
    hashes = f"select {_hash_sql(check)} as h from {_TYPED} where {_present_sql(check.columns)}"
    if rows > QUALITY_SORTED_KEYS_MAX:
        source.execute(f"create or replace temp table {table} as {hashes} group by h having count(*) > 1")
    else:
        given = _numbers(source.execute(hashes).to_arrow_table()["h"])
        given.sort()
        repeated = np.unique(given[1:][given[1:] == given[:-1]])
        source.register("datong_given", pa.table({"h": pa.array(repeated, pa.uint64())}))
        source.execute(f"create or replace temp table {table} as select h from datong_given")
        source.unregister("datong_given")
    return bool(_one(source, f"select count(*) from {table}"))


def _numbers(column: pa.ChunkedArray[Any]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """A copy that may be sorted; of numbers without NULL."""
    return np.concatenate([np.empty(0, np.uint64), *(chunk.to_numpy() for chunk in column.chunks)])


# The scan and what it kept ------------------------------------------------------------------------------------------
def _keep_broken(
    source: duckdb.DuckDBPyConnection, terms: Sequence[_Term], bindings: Bindings, names: Sequence[str]
) -> None:
    """Table of the rows that break a rule: their key, the columns of keys that may repeat, the bits."""
    words: list[list[str]] = [[] for _ in range(max(1, -(-len(terms) // WORD_BITS)))]
    for term in terms:
        words[term.place // WORD_BITS].append(f"case when {term.sql} then {1 << (term.place % WORD_BITS)} else 0 end")
    columns = dict.fromkeys([*names, *(name for term in terms if term.repeats for name in term.check.columns)])
    judged = [f"({' | '.join(parts) or '0'})::bigint as w{i}" for i, parts in enumerate(words)]
    broken = " or ".join(f"w{i} <> 0" for i, _ in enumerate(words))
    source.execute(
        f"create or replace temp table {_BROKEN} as\n"
        f"with judged as (select {', '.join([*map(name_sql, columns), *judged])} from {bindings.over(_TYPED)})\n"
        f"select * from judged where {broken}",
    )


def _findings(
    source: duckdb.DuckDBPyConnection,
    plan: CheckPlan,
    terms: Sequence[_Term],
    known: frozenset[str],
    names: Sequence[str],
) -> Iterator[EngineFinding]:
    """Every rule of the plan in its order."""
    by_id = {term.check.id: term for term in terms}
    counts = _counts(source, terms)
    for check in plan.all_checks:
        term = by_id.get(check.id)
        if term is not None:
            count = counts[term.check.id]
            rows = _rows_sql(term) if count else ""
        elif isinstance(check, SetCheck) and check.kind is not CheckKind.DUPLICATE:
            if why := _why_not(check, known):
                yield EngineFinding(check_id=check.id, rows_bad=0, skipped_zh=why[0], skipped_en=why[1])
                continue
            count, rows = _ask(source, check)
        else:
            count, rows = 0, ""
        yield EngineFinding(check_id=check.id, rows_bad=count, keys=_fetch_keys(source, rows, names) if rows else ())


def _rows_sql(term: _Term) -> str:
    """The kept rows that break a rule. Two keys may share a hash: here they are compared themselves."""
    rows = f"select * from {_BROKEN} where {term.is_broken}"
    if not term.repeats:
        return rows
    return f"{rows} qualify count(*) over (partition by {', '.join(map(name_sql, term.check.columns))}) > 1"


def _counts(source: duckdb.DuckDBPyConnection, terms: Sequence[_Term]) -> dict[str, int]:
    counted = [f"count(*) filter (where {term.is_broken})" for term in terms]
    if not counted:
        return {}
    found = source.execute(f"select {', '.join(counted)} from {_BROKEN}").fetchall()[0]
    counts = {term.check.id: int(count) for term, count in zip(terms, found, strict=True)}
    for term in terms:
        if term.repeats:
            counts[term.check.id] = _one(source, f"select count(*) from ({_rows_sql(term)})")
    return counts


def _why_not(check: SetCheck, known: frozenset[str]) -> tuple[str, str] | None:
    if check.kind in (CheckKind.ROW_CHANGE, CheckKind.DRIFT):
        return _JUDGED_AT_COLLECTION
    if any(reference.relation not in known for reference in check.references):
        return _NO_REFERENCE
    return None


def _ask(source: duckdb.DuckDBPyConnection, check: SetCheck) -> tuple[int, str]:
    """A rule on the table as a whole, or on rows beside another table's: how many break it, and which in SQL."""
    if check.is_table_level:
        asked = check.sql(f"(select 0::bigint as ordinal, * from {_TYPED})", is_typed=True)
        return int(bool(source.execute(asked).fetchall()[0][1])), ""
    broken = check.sql(f"(select {ORDINAL} as ordinal, * from {_TYPED})", is_typed=True)
    rows = f"select * from {_TYPED} where {ORDINAL} in (select ordinal from ({broken}))"
    count = _one(source, f"select count(*) from ({rows})")
    return count, rows if count else ""


def _fetch_keys(source: duckdb.DuckDBPyConnection, rows: str, names: Sequence[str]) -> tuple[tuple[Any, ...], ...]:
    """The first keys in their order."""
    keys = ", ".join(map(name_sql, names))
    query = f"select {keys} from ({rows}) order by {keys} limit {QUALITY_KEYS_FETCHED_MAX}"
    found = source.execute(query).to_arrow_table()
    return tuple(zip(*(column.to_pylist() for column in found.columns), strict=True))
