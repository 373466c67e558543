"""The check pass: one parallel scan of a CSV file finds every row that breaks a rule, with its ordinal.

DuckDB keeps the order of a file through scan and projection, so the n-th row of the `marks` table is the n-th record of
the file. Each mark is small: bit words of broken rules, hashes of the unique keys, and the row itself only where it is
refused. Good rows are never held: they are read a second time, straight into the lake. The scan proves itself: header lines
+ rows + line ends inside values must equal the line ends counted while the file landed; otherwise `Irregular` sends the
file to the exact reader.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from datong.collect.contracts import RowsLost
from datong.kernel.limits import COLLECT_MEMORY_MB, COLLECT_SPILL_GB_MAX, COLLECT_THREADS_MAX, CSV_LINE_BYTES_MAX
from datong.quality.contracts import Check, CheckKind, CheckPlan, ColumnPlan, Severity
from datong.quality.sql import Bindings, name_sql, text_sql, typed_sql, value_sql, violation_sql

WORD_BITS = 60
"""Rules per BIGINT of a mark."""


class Irregular(Exception):
    """The fast reader did not see every record of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainFile:
    """A UTF-8 file with one kind of line end. `lines` None: its line map is known and the proof is `records`."""

    path: Path
    delimiter: str
    newline: str
    header: tuple[str, ...]
    header_lines: int
    has_quotes: bool
    lines: int | None
    records: int | None = None

    def relation_sql(self) -> str:
        """The table function that reads it: every column as text, strict, nothing sniffed."""
        columns = ", ".join(f"{text_sql(name)}: 'VARCHAR'" for name in self.header)
        newline = {"\n": "\\n", "\r": "\\r", "\r\n": "\\r\\n"}[self.newline]
        return (
            f"read_csv({text_sql(str(self.path))}, auto_detect = false, header = true, delim = {text_sql(self.delimiter)}, "
            f"quote = '\"', escape = '\"', new_line = {text_sql(newline)}, strict_mode = true, "
            f"max_line_size = {CSV_LINE_BYTES_MAX}, columns = {{{columns}}})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """What the scan found. The `marks` and `refused` tables live in `connection` until `close`."""

    connection: duckdb.DuckDBPyConnection
    plan: CheckPlan
    file: PlainFile
    rows: int
    exclude_by: tuple[str, ...]
    """The columns whose hash keeps refused rows out of the second read."""
    bad_by_check: dict[str, int] = field(default_factory=dict)


def open_engine(work: Path) -> duckdb.DuckDBPyConnection:
    """A private DuckDB for one check pass: bounded memory, encrypted spill in the run's own folder, no extensions."""
    connection = duckdb.connect(
        config={
            "threads": str(_threads()),
            "memory_limit": f"{COLLECT_MEMORY_MB}MB",
            "temp_directory": str(work / "spill"),
            "max_temp_directory_size": f"{COLLECT_SPILL_GB_MAX}GB",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
    )
    connection.execute("set preserve_insertion_order = true")
    connection.execute("set temp_file_encryption = true")
    connection.execute("set timezone = 'Asia/Shanghai'")
    return connection


def _threads() -> int:
    return max(1, min(COLLECT_THREADS_MAX, len(os.sched_getaffinity(0))))


def mark_rows(connection: duckdb.DuckDBPyConnection, plan: CheckPlan, file: PlainFile) -> Marked:
    """Run all checks. Leaves table `refused` (ordinal, words, fields) with every row that is not accepted.

    Raises Irregular when the file's own counts disagree with what was read.
    """
    bindings = Bindings()
    statement = _marks_sql(plan, file, bindings)
    try:
        connection.execute(statement, bindings.values)
    except (duckdb.InvalidInputException, duckdb.ConversionException) as failure:
        raise Irregular(str(failure).split("\n", 1)[0]) from failure
    rows, inner = _one(connection, f"select count(*), {_inner_total(file)} from marks")
    _prove(file, int(rows), int(inner))
    keyed = _keyed_checks(plan)
    repeated = [_repeated_hashes(connection, i) for i, _ in enumerate(keyed)]
    connection.execute(_refused_sql(plan))
    if any(repeated):
        _fetch_repeated(connection, plan, file)
    marked = Marked(connection=connection, plan=plan, file=file, rows=int(rows), exclude_by=_exclude_by(plan, file))
    for position, check in enumerate(keyed):
        marked.bad_by_check[check.id] = _settle_unique(connection, plan, file, check, position) if repeated[position] else 0
    _count_bad(connection, plan, marked.bad_by_check)
    _forget_accepted(connection, plan)
    return marked


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    row = connection.execute(sql).fetchone()
    if row is None:
        raise RowsLost(sql)
    return row


def words_count(plan: CheckPlan) -> int:
    return max(1, -(-len(plan.checks) // WORD_BITS))


def reject_masks(plan: CheckPlan) -> list[int]:
    """Per word, the bits whose rule sends a row to quarantine."""
    masks = [0] * words_count(plan)
    for position, check in enumerate(plan.checks):
        if check.severity is Severity.REJECT:
            masks[position // WORD_BITS] |= 1 << (position % WORD_BITS)
    return masks


def _rejected_sql(plan: CheckPlan, prefix: str = "") -> str:
    parts = [f"({prefix}w{i} & {mask}) <> 0" for i, mask in enumerate(reject_masks(plan)) if mask]
    return f"({' or '.join(parts)})" if parts else "false"


def _keyed_checks(plan: CheckPlan) -> list[Check]:
    return list(plan.unique_checks)


def _hash_sql(columns: Sequence[str]) -> str:
    return f"hash({', '.join(name_sql(column) for column in columns)})"


def _marks_sql(plan: CheckPlan, file: PlainFile, bindings: Bindings) -> str:
    """`judged` computes the words; `marks` keeps the fields of refused rows only."""
    words: list[list[str]] = [[] for _ in range(words_count(plan))]
    for position, check in enumerate(plan.row_checks):
        bit = 1 << (position % WORD_BITS)
        broken = violation_sql(check, plan, bindings)
        words[position // WORD_BITS].append(f"case when {broken} then {bit} else 0 end")
    word_columns = [f"{' | '.join(terms) or '0'} as w{i}" for i, terms in enumerate(words)]
    key_columns = [
        f"case when {' and '.join(name_sql(c) + ' is not null' for c in check.columns)} then {_hash_sql(check.columns)} end as h{i}"
        for i, check in enumerate(_keyed_checks(plan))
    ]
    inner = [f"({_inner_sql(file)})::integer as inner_lines"] if _has_inner(file) else []
    fields = "[" + ", ".join(name_sql(name) for name in file.header) + "]"
    names = [f"w{i}" for i in range(len(words))] + [f"h{i}" for i in range(len(key_columns))] + ["inner_lines"] * len(inner)
    judged = ", ".join([*word_columns, *key_columns, *inner])
    return (
        f"create or replace temp table marks as\n"
        f"with source_rows as (select * from {file.relation_sql()}),\n"
        f"judged as (select *, {judged} from source_rows)\n"
        f"select {', '.join(names)}, case when {_rejected_sql(plan)} then {fields} end as fields from judged"
    )


def _has_inner(file: PlainFile) -> bool:
    return file.has_quotes and file.lines is not None


def _inner_sql(file: PlainFile) -> str:
    """Line ends inside the row's values. A pair CR LF counts once."""
    end = {"\n": "chr(10)", "\r": "chr(13)", "\r\n": "chr(10)"}[file.newline]
    terms = [
        f"case when contains({name_sql(n)}, {end}) then strlen({name_sql(n)}) - strlen(replace({name_sql(n)}, {end}, '')) else 0 end"
        for n in file.header
    ]
    return " + ".join(terms)


def _inner_total(file: PlainFile) -> str:
    return "coalesce(sum(inner_lines), 0)" if _has_inner(file) else "0"


def _prove(file: PlainFile, rows: int, inner: int) -> None:
    if file.lines is not None and file.header_lines + rows + inner != file.lines:
        raise Irregular(f"{file.header_lines} header lines, {rows} rows, {inner} inner line ends; {file.lines} lines landed")
    if file.records is not None and rows != file.records:
        raise RowsLost(f"the working file has {file.records} records, {rows} were read")


def _repeated_hashes(connection: duckdb.DuckDBPyConnection, position: int) -> bool:
    """Table `repeated_<n>`: key hashes that occur more than once."""
    connection.execute(
        f"create or replace temp table repeated_{position} as "
        f"select h{position} as h from marks where h{position} is not null group by 1 having count(*) > 1"
    )
    return bool(_one(connection, f"select count(*) from repeated_{position}")[0])


def _refused_sql(plan: CheckPlan) -> str:
    words = ", ".join(f"w{i}" for i in range(words_count(plan)))
    return (
        f"create or replace temp table refused as select rowid as ordinal, {words}, fields "
        f"from marks where {_rejected_sql(plan)}"
    )


def _fetch_repeated(connection: duckdb.DuckDBPyConnection, plan: CheckPlan, file: PlainFile) -> None:
    """Add the rows whose key occurs again, by a numbered scan: `row_number()` over nothing keeps the file's order."""
    wanted = " union ".join(
        f"select rowid as ordinal from marks where h{i} in (select h from repeated_{i})"
        for i in range(len(plan.unique_checks))
    )
    words = ", ".join(f"marks.w{i}" for i in range(words_count(plan)))
    fields = "[" + ", ".join(name_sql(name) for name in file.header) + "]"
    connection.execute(
        f"insert into refused\n"
        f"with wanted as ({wanted}),\n"
        f"new_ordinals as (select ordinal from wanted where ordinal not in (select ordinal from refused)),\n"
        f"numbered as (select row_number() over () - 1 as ordinal, {fields} as fields from {file.relation_sql()})\n"
        f"select numbered.ordinal, {words}, numbered.fields from numbered\n"
        f"join new_ordinals using (ordinal) join marks on marks.rowid = numbered.ordinal"
    )


def field_sql(file: PlainFile, column: str, prefix: str = "") -> str:
    """A column of a refused row, from its list of fields."""
    return f"{prefix}fields[{file.header.index(column) + 1}]"


def _settle_unique(
    connection: duckdb.DuckDBPyConnection, plan: CheckPlan, file: PlainFile, check: Check, position: int
) -> int:
    """Of rows with one key, keep the last that breaks no other rule; the earlier ones break this one. Returns how many."""
    bit_position = len(plan.row_checks) + position
    word, bit = bit_position // WORD_BITS, 1 << (bit_position % WORD_BITS)
    keys = ", ".join(f"{field_sql(file, column)} as k{i}" for i, column in enumerate(check.columns))
    present = " and ".join(f"{field_sql(file, column)} is not null" for column in check.columns)
    connection.execute(
        f"create or replace temp table losers_{position} as\n"
        f"with contenders as (select ordinal, {keys} "
        f"from refused where {present} and not {_rejected_sql(plan)}),\n"
        f"ranked as (select ordinal, last_value(ordinal) over same_key as kept from contenders\n"
        f"window same_key as (partition by {', '.join(f'k{i}' for i in range(len(check.columns)))} order by ordinal "
        f"rows between unbounded preceding and unbounded following))\n"
        f"select ordinal, kept from ranked where ordinal <> kept"
    )
    connection.execute(
        f"update refused set w{word} = w{word} | {bit} where ordinal in (select ordinal from losers_{position})"
    )
    return int(_one(connection, f"select count(*) from losers_{position}")[0])


def _exclude_by(plan: CheckPlan, file: PlainFile) -> tuple[str, ...]:
    """A unique key that is never empty identifies a row; otherwise the whole row does."""
    required = {check.column for check in plan.row_checks if check.kind is CheckKind.REQUIRED and check.severity is Severity.REJECT}
    for check in plan.unique_checks:
        if check.severity is Severity.REJECT and set(check.columns) <= required:
            return check.columns
    return file.header


def _count_bad(connection: duckdb.DuckDBPyConnection, plan: CheckPlan, bad: dict[str, int]) -> None:
    """Rows that break each row rule, refused or not."""
    sums = [
        f"count(*) filter (where w{i // WORD_BITS} & {1 << (i % WORD_BITS)} <> 0)" for i, _ in enumerate(plan.row_checks)
    ]
    if sums:
        for check, count in zip(plan.row_checks, _one(connection, f"select {', '.join(sums)} from marks"), strict=True):
            bad[check.id] = int(count)


def _forget_accepted(connection: duckdb.DuckDBPyConnection, plan: CheckPlan) -> None:
    """Split what was held into `refused` and `survivors`: rows of a repeated key that stay."""
    connection.execute(f"create or replace temp table survivors as select * from refused where not {_rejected_sql(plan)}")
    connection.execute(f"delete from refused where not {_rejected_sql(plan)}")


def accepted_sql(plan: CheckPlan, file: PlainFile, excluded: Path | None, exclude_by: Sequence[str], bindings: Bindings) -> str:
    """The accepted rows of the file, typed, in the contract's column order; `excluded` is a Parquet file of hashes."""
    columns = ", ".join(
        f"{typed_sql(column, value_sql(column, bindings), bindings)} as {name_sql(column.name)}" for column in plan.columns
    )
    kept = f" where {_hash_sql(exclude_by)} not in (select h from read_parquet({text_sql(str(excluded))}))" if excluded else ""
    return f"select {columns} from {file.relation_sql()}{kept}"


def survivors_sql(plan: CheckPlan, file: PlainFile, survivors: Path, bindings: Bindings) -> str:
    """The rows of repeated keys that stay, typed like the rest."""
    texts = ", ".join(f"{field_sql(file, name)} as {name_sql(name)}" for name in file.header)
    columns = ", ".join(
        f"{typed_sql(column, value_sql(column, bindings), bindings)} as {name_sql(column.name)}" for column in plan.columns
    )
    return f"select {columns} from (select {texts} from read_parquet({text_sql(str(survivors))}))"


def column_plan(plan: CheckPlan, name: str) -> ColumnPlan:
    return next(column for column in plan.columns if column.name == name)
