"""Rows that a rule lets in although they break it: where they stand in the file, kept for whoever looks at them.

The scan's marks know them already; what is kept of them, at most COLLECT_NOTED_ROWS_MAX a run, is their source line,
rules, key and fields. Every such rule has its equal share, so that a rule that all rows break leaves room for others.
A run without them pays nothing. They lie in a table beside the quarantine, `<resource>__noted`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from datong.collect.contracts import RowsLost
from datong.collect.scan import (
    WORD_BITS,
    Marked,
    placed_sql,
    read_records,
    word_columns_sql,
    words_count,
)
from datong.kernel.limits import COLLECT_NOTED_ROWS_MAX
from datong.lake.tables import qualify
from datong.quality.contracts import Severity
from datong.quality.sql import Bindings, Literals, accepted_value_sql, text_sql, value_sql, violation_sql


def noted_table(table: str) -> str:
    return f"{table}__noted"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Rules whose rows are fetched together, by their places in the plan, and the most rows."""

    positions: tuple[int, ...]
    rows_max: int

    @property
    def is_marked(self) -> str:
        return " or ".join(_bit_sql(position) for position in self.positions)


def write_noted_file(marked: Marked, key: Sequence[str], target: Path) -> bool:
    """The accepted rows that break a rule as Parquet: line, rules, key, fields; whether there are any.

    `key` are the columns that name a row in the table. Needs the tables `marks`, `refused` and `shifts`. Raises
    RowsLost when the rows read again are not those that were marked.
    """
    groups = _groups(marked)
    if not groups:
        return False
    connection = marked.connection
    names = [f"w{i}" for i in range(words_count(marked.plan))]
    words = ", ".join(names)
    columns = ", ".join(f"{name} bigint" for name in ["ordinal", *names])
    connection.execute(f"create or replace temp table noted ({columns}, fields varchar[])")
    if _is_by_line(marked):
        _fetch_by_line(marked, groups, words)
    else:
        for group in groups:
            _fetch_by_scan(marked, group, words)
    _prove(marked)
    connection.execute("delete from noted where ordinal in (select ordinal from refused)")
    connection.execute(f"copy ({_told_sql(marked, key)}) to {text_sql(str(target))} (format parquet)")
    return True


def _groups(marked: Marked) -> list[_Group]:
    """All rules with few rows together; each that has more than its share alone."""
    soft = [
        (position, marked.bad_by_check.get(check.id, 0))
        for position, check in enumerate(marked.plan.row_checks)
        if check.severity is Severity.WARN and marked.bad_by_check.get(check.id)
    ]
    if not soft:
        return []
    share = max(1, COLLECT_NOTED_ROWS_MAX // len(soft))
    few = [position for position, count in soft if count <= share]
    many = [[position] for position, count in soft if count > share]
    return [_Group(positions=tuple(each), rows_max=share * len(each)) for each in (few, *many) if each]


def _bit_sql(position: int) -> str:
    return f"w{position // WORD_BITS} & {1 << (position % WORD_BITS)} <> 0"


def _asked_sql(group: _Group, words: str) -> str:
    """The first marked rows of a group in the file's order, among them some that another rule refuses."""
    return f"select rowid as ordinal, {words} from marks where {group.is_marked} order by rowid limit {group.rows_max}"


def _is_by_line(marked: Marked) -> bool:
    """Whether every record of the file is one line."""
    if marked.file.lines is None:
        return False
    if not marked.file.has_quotes:
        return True
    inner = marked.connection.execute("select coalesce(max(inner_lines), 0) from marks").fetchall()
    return bool(inner[0][0] == 0)


def _fetch_by_line(marked: Marked, groups: Sequence[_Group], words: str) -> None:
    """The lines are read by their numbers."""
    connection = marked.connection
    asked = " union ".join(f"({_asked_sql(group, words)})" for group in groups)
    connection.execute(f"create or replace temp table asked as select * from ({asked}) order by ordinal")
    ordinals = [int(row[0]) for row in connection.execute("select ordinal from asked order by ordinal").fetchall()]
    fields = list(read_records(marked.file, ordinals)) if ordinals else []
    given = pa.table({"ordinal": pa.array(ordinals, pa.int64()), "fields": pa.array(fields, pa.list_(pa.string()))})
    connection.register("given_records", given)
    connection.execute(
        f"insert into noted select ordinal, {words}, fields from asked join given_records using (ordinal)"
    )
    connection.unregister("given_records")
    connection.execute("drop table asked")


def _fetch_by_scan(marked: Marked, group: _Group, words: str) -> None:
    """The file is scanned again by the same rules: the n-th row that breaks them is the n-th that was marked."""
    connection, bindings = marked.connection, Bindings()
    broken = " or ".join(
        f"({violation_sql(marked.plan.row_checks[position], marked.plan, bindings)})" for position in group.positions
    )
    fields = f"[{', '.join(marked.file.raw_names)}] as fields"
    connection.execute(f"create or replace temp table asked as {_asked_sql(group, words)}")
    connection.execute(
        f"create or replace temp table fetched as select {fields} "
        f"from {bindings.over(marked.file.relation_sql())} where {broken} limit {group.rows_max}",
        bindings.values,
    )
    connection.execute(
        f"insert into noted select asked.ordinal, {words}, fetched.fields from asked "
        "join fetched on asked.rowid = fetched.rowid where asked.ordinal not in (select ordinal from noted)"
    )
    counts = connection.execute("select (select count(*) from asked), (select count(*) from fetched)").fetchall()[0]
    if counts[0] != counts[1]:
        raise RowsLost(f"{counts[0]} noted rows asked for, {counts[1]} found")
    connection.execute("drop table asked")
    connection.execute("drop table fetched")


def _prove(marked: Marked) -> None:
    """The fetched fields break the very rules that were marked."""
    bindings = Bindings()
    found = word_columns_sql(marked.plan, bindings)
    same = " and ".join(f"({column.rpartition(' as ')[0]}) = marked_{i}" for i, column in enumerate(found))
    marks = ", ".join(f"w{i} as marked_{i}" for i, _ in enumerate(found))
    source = bindings.over(marked.file.from_fields_sql(f"(select fields, {marks} from noted)"))
    wrong = marked.connection.execute(f"select count(*) from {source} where not ({same})", bindings.values).fetchall()
    if wrong[0][0]:
        raise RowsLost(f"{wrong[0][0]} noted rows are not those that were marked")


def _told_sql(marked: Marked, key: Sequence[str]) -> str:
    """Line, rules, key as the table has it and fields of every noted row, in the file's order."""
    columns = {column.name: column for column in marked.plan.columns}
    soft = [
        f"case when {_bit_sql(position)} then {text_sql(check.id)} end"
        for position, check in enumerate(marked.plan.row_checks)
        if check.severity is Severity.WARN
    ]
    bindings = Literals()
    keys = [
        f"({accepted_value_sql(columns[name], value_sql(columns[name], bindings), bindings)})::varchar" for name in key
    ]
    rules = f"list_filter([{', '.join(soft)}], rule -> rule is not null)"
    source = bindings.over(marked.file.from_fields_sql("noted"))
    return (
        f"with keyed as (select ordinal, {rules} as rules, [{', '.join(keys)}]::varchar[] as key, "
        f"to_json(fields)::varchar as fields from {source})\n"
        f"select line, rules, key, fields from keyed join {placed_sql('noted')} as placed using (ordinal) order by line"
    )


def write_noted(
    connection: duckdb.DuckDBPyConnection, table: str, run_id: str, source: Path | None, *, is_whole: bool
) -> None:
    """Put a run's noted rows beside the table, inside the caller's transaction; a second time changes nothing.

    A run whose file is the whole table takes the place of all others.
    """
    if source is None:
        return
    name = qualify(noted_table(table))
    connection.execute(
        f"create table if not exists {name} "
        "(run_id varchar, line bigint, rules varchar[], key varchar[], fields varchar)"
    )
    connection.execute(f"delete from {name}" + ("" if is_whole else f" where run_id = {text_sql(run_id)}"))
    connection.execute(
        f"insert into {name} select {text_sql(run_id)}, line, rules, key, fields "
        f"from read_parquet({text_sql(str(source))})"
    )


def find_lines(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rule: str,
    keys: Sequence[tuple[str | None, ...]],
    *,
    run_id: str | None,
) -> dict[tuple[str | None, ...], tuple[int, str]]:
    """Where rows of these keys that break the rule stand: line and run, the latest; of one run, or of all."""
    given = pa.table({"key": pa.array([list(key) for key in keys], pa.list_(pa.string()))})
    own = f"and run_id = {text_sql(run_id)}" if run_id else ""
    try:
        connection.register("given_keys", given)
        found = connection.execute(
            f"select key, arg_max(line, (run_id, line)), max(run_id) from {qualify(noted_table(table))} "
            f"where list_contains(rules, {text_sql(rule)}) {own} and key in (select key from given_keys) group by key"
        ).fetchall()
    except duckdb.CatalogException:
        return {}
    finally:
        connection.unregister("given_keys")
    return {tuple(key): (int(line), str(run)) for key, line, run in found}
