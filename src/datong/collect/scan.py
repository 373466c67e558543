"""The check pass: one parallel scan of a CSV file finds every row that breaks a rule, with its ordinal.

DuckDB keeps the order of a file through scan and projection, so the n-th row of the `marks` table is the n-th record
of the file. Each mark is small: bit words of broken rules, hashes of the unique keys, and the row itself only where
it is refused. Good rows are never held: they are read a second time, straight into the lake. The scan proves itself:
header lines + rows + line ends inside values must equal the line ends counted while the file landed; otherwise
`Irregular` sends the file to the exact reader.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from datong.collect.cleaning import CleanedColumn, CleaningContext, cleaned_relation, raw_name
from datong.collect.contracts import RowsLost
from datong.kernel.limits import (
    COLLECT_LINES_FETCHED_MAX,
    COLLECT_MEMORY_MB,
    COLLECT_SORTED_KEYS_MAX,
    COLLECT_SPILL_GB_MAX,
    COLLECT_THREADS_MAX,
    CSV_BUFFER_BYTES,
    CSV_LINE_BYTES_MAX,
)
from datong.lake.engine import find_extension
from datong.quality.contracts import Check, CheckKind, CheckPlan, Severity
from datong.quality.sets import columns_read
from datong.quality.sql import Bindings, accepted_value_sql, enum_sql, name_sql, text_sql, value_sql, violation_sql

WORD_BITS = 60
"""Rules per BIGINT of a mark."""
_BLOCK_BYTES = 1024 * 1024
_UNDER_CHECK, _EVERY_ROW = "rows_under_check", "rows_read"
_ROW_BY_ROW = {CheckKind.FOREIGN_KEY, CheckKind.CROSS_TABLE}
Execute = Callable[[duckdb.DuckDBPyConnection, str, Mapping[str, Any]], None]


class Irregular(Exception):  # noqa: N818 - a condition, caught one call up
    """The fast reader did not see every record of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainFile:
    """A UTF-8 file with one kind of line end. `lines` None: its line map is known and the proof is `records`.

    `header` names every column of the file, the contract's by their names and the others by `skipped_name`; `absent`
    are columns of the contract that the file does not have. Columns of `cleaned` are cleaned as they are read.
    """

    path: Path
    delimiter: str
    newline: str
    header: tuple[str, ...]
    header_lines: int
    has_quotes: bool
    lines: int | None
    records: int | None = None
    skip_lines: int = 0
    absent: tuple[str, ...] = ()
    cleaned: tuple[CleanedColumn, ...] = ()
    cleaning: CleaningContext | None = None

    def relation_sql(self) -> str:
        """The relation that reads it, cleaned where the contract says so."""
        return self._cleaned(self.raw_sql())

    def raw_sql(self) -> str:
        """Every column of the file as text, as it came: nothing sniffed, malformed quotes refused."""
        columns = ", ".join(f"{text_sql(name)}: 'VARCHAR'" for name in self.header)
        newline = {"\n": "\\n", "\r": "\\r", "\r\n": "\\r\\n"}[self.newline]
        skip = f"skip = {self.skip_lines}, " if self.skip_lines else ""
        return self._with_absent(
            f"read_csv({text_sql(str(self.path))}, auto_detect = false, header = true, {skip}"
            f"delim = {text_sql(self.delimiter)}, "
            f"quote = '\"', escape = '\"', new_line = {text_sql(newline)}, "
            f"max_line_size = {CSV_LINE_BYTES_MAX}, buffer_size = {CSV_BUFFER_BYTES}, columns = {{{columns}}})"
        )

    def from_fields_sql(self, source: str) -> str:
        """The same columns, of records held as lists: `source` has a column `fields`, and keeps its others."""
        texts = ", ".join(f"fields[{place}] as {name_sql(name)}" for place, name in enumerate(self.header, 1))
        return self._cleaned(self._with_absent(f"(select *, {texts} from {source})"))

    def _with_absent(self, relation: str) -> str:
        if not self.absent:
            return relation
        empty = ", ".join(f"null::varchar as {name_sql(name)}" for name in self.absent)
        return f"(select *, {empty} from {relation})"

    def _cleaned(self, relation: str) -> str:
        if self.cleaned and self.cleaning is not None:
            relation = cleaned_relation(self.cleaned, relation, self.cleaning)
        return relation

    @property
    def raw_names(self) -> list[str]:
        """The columns of the relation that hold the file's fields as they came, quoted, in the file's order."""
        cleaned = {column.name for column in self.cleaned if column.cleaning}
        return [name_sql(raw_name(name) if name in cleaned else name) for name in self.header]

    def position_of(self, column: str) -> int | None:
        """The place of a column in the file, from 1; None where the file does not have it."""
        return self.header.index(column) + 1 if column in self.header else None


def skipped_name(position: int) -> str:
    """The name of a column of the file that the contract does not have."""
    return f"\x1f{position}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """What the scan found. The `marks` and `refused` tables live in `connection` until `close`."""

    connection: duckdb.DuckDBPyConnection
    plan: CheckPlan
    file: PlainFile
    rows: int
    exclude_by: str
    """The hash, in SQL, that keeps refused rows out of the second read."""
    bad_by_check: dict[str, int] = field(default_factory=dict)
    measured_by_check: dict[str, float] = field(default_factory=dict)


def open_engine(work: Path) -> duckdb.DuckDBPyConnection:
    """A private DuckDB for one check pass: bounded memory, encrypted spill in the run's own folder, nothing installed.

    What an earlier, killed pass spilled there goes first.
    """
    shutil.rmtree(work / "spill", ignore_errors=True)
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
    for extension in ("icu", "json", "httpfs"):  # httpfs: without it DuckDB does not encrypt what it spills
        connection.execute(f"load {text_sql(str(find_extension(extension)))}")
    connection.execute("set preserve_insertion_order = true")
    connection.execute("set temp_file_encryption = true")
    connection.execute("set timezone = 'Asia/Shanghai'")
    return connection


def _threads() -> int:
    return max(1, min(COLLECT_THREADS_MAX, len(os.sched_getaffinity(0))))


def mark_rows(
    connection: duckdb.DuckDBPyConnection,
    plan: CheckPlan,
    file: PlainFile,
    *,
    references: Collection[str] = (),
    execute: Execute | None = None,
) -> Marked:
    """Run all checks. Leaves table `refused` (ordinal, words, fields) with every row that is not accepted.

    `references` are the relations of `Reference.relation` that the connection has. `execute` runs the statement that
    reads the file, for who wants to watch it. Raises Irregular when the file's own counts disagree with what was read.
    """
    bindings = Bindings()
    statement = _marks_sql(plan, file, bindings)
    try:
        if execute is None:
            connection.execute(statement, bindings.values)
        else:
            execute(connection, statement, bindings.values)
    except (duckdb.InvalidInputException, duckdb.ConversionException) as failure:
        raise Irregular(str(failure).split("\n", 1)[0]) from failure
    rows, inner = _one(connection, f"select count(*), {_inner_total(file)} from marks")
    _prove(file, int(rows), int(inner))
    keyed = plan.unique_checks
    repeated = [_repeated_hashes(connection, i, int(rows)) for i, _ in enumerate(keyed)]
    connection.execute(_refused_sql(plan))
    for position, is_repeated in enumerate(repeated):
        if is_repeated:
            held = _Held(mark=f"h{position}", hash_sql=_key_hash_sql(keyed[position]), wanted=f"repeated_{position}")
            _fetch_held(connection, plan, file, held)
    marked = Marked(connection=connection, plan=plan, file=file, rows=int(rows), exclude_by=_exclude_by(plan, file))
    for position, check in enumerate(keyed):
        marked.bad_by_check[check.id] = (
            _settle_unique(connection, plan, file, check, position) if repeated[position] else 0
        )
    _count_bad(connection, plan, marked.bad_by_check)
    _run_set_checks(marked, references)
    _forget_accepted(connection, plan)
    return marked


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    row = connection.execute(sql).fetchone()
    if row is None:
        raise RowsLost(sql)
    return row


def words_count(plan: CheckPlan) -> int:
    return max(1, -(-len(plan.all_checks) // WORD_BITS))


def reject_masks(plan: CheckPlan) -> list[int]:
    """Per word, the bits whose rule sends a row to quarantine."""
    masks = [0] * words_count(plan)
    for position, check in enumerate(plan.all_checks):
        if check.severity is Severity.REJECT:
            masks[position // WORD_BITS] |= 1 << (position % WORD_BITS)
    return masks


def word_columns_sql(plan: CheckPlan, bindings: Bindings) -> list[str]:
    """`… as w0`, `… as w1`: the bits of the row checks that a row of the file breaks."""
    words: list[list[str]] = [[] for _ in range(words_count(plan))]
    for position, check in enumerate(plan.row_checks):
        bit = 1 << (position % WORD_BITS)
        broken = violation_sql(check, plan, bindings)
        words[position // WORD_BITS].append(f"case when {broken} then {bit} else 0 end")
    return [f"({' | '.join(terms) or '0'})::bigint as w{i}" for i, terms in enumerate(words)]


def placed_sql(rows: str) -> str:
    """`ordinal` and source `line` of the rows of a table, by the table `shifts`."""
    return (
        "(with steps as (\n"
        "  select from_ordinal as ordinal, shift, false as is_row from shifts\n"
        f"  union all select ordinal, null, true from {rows}),\n"
        "placed as (\n"
        "  select ordinal, ordinal + last_value(shift ignore nulls) over (order by ordinal, is_row) as line, is_row\n"
        "  from steps)\n"
        "select ordinal, line from placed where is_row)"
    )


def rejected_sql(plan: CheckPlan, prefix: str = "") -> str:
    parts = [f"({prefix}w{i} & {mask}) <> 0" for i, mask in enumerate(reject_masks(plan)) if mask]
    return f"({' or '.join(parts)})" if parts else "false"


def _hash_sql(columns: Sequence[str]) -> str:
    return f"hash({', '.join(name_sql(column) for column in columns)})"


def _marks_sql(plan: CheckPlan, file: PlainFile, bindings: Bindings) -> str:
    """`judged` computes the words; `marks` keeps the fields of refused rows only."""
    word_columns = word_columns_sql(plan, bindings)
    key_columns = [f"{_key_hash_sql(check)} as h{i}" for i, check in enumerate(plan.unique_checks)]
    inner = [f"({_inner_sql(file)})::integer as inner_lines"] if _has_inner(file) else []
    held = [f"{name_sql(column.name)} as s{i}" for i, column in enumerate(columns_read(plan.set_checks))]
    if _refuses_by_sets(plan):
        key_columns.append(f"{_row_hash_sql(file)} as hr")
    names = [part.rpartition(" as ")[2] for part in (*word_columns, *key_columns, *held, *inner)]
    judged = ", ".join([*word_columns, *key_columns, *held, *inner])
    return (
        f"create or replace temp table marks as\n"
        f"with judged as (select *, {judged} from {bindings.over(file.relation_sql())})\n"
        f"select {', '.join(names)}, case when {rejected_sql(plan)} then {_fields_sql(file)} end as fields from judged"
    )


def _has_inner(file: PlainFile) -> bool:
    return file.has_quotes and file.lines is not None


def _inner_sql(file: PlainFile) -> str:
    """Line ends inside the row's values. A pair CR LF counts once."""
    end = {"\n": "chr(10)", "\r": "chr(13)", "\r\n": "chr(10)"}[file.newline]
    terms = [
        f"case when contains({name}, {end}) then strlen({name}) - strlen(replace({name}, {end}, '')) else 0 end"
        for name in file.raw_names
    ]
    return " + ".join(terms)


def _inner_total(file: PlainFile) -> str:
    return "coalesce(sum(inner_lines), 0)" if _has_inner(file) else "0"


def _prove(file: PlainFile, rows: int, inner: int) -> None:
    if file.lines is not None and file.header_lines + rows + inner != file.lines:
        raise Irregular(
            f"{file.header_lines} header lines, {rows} rows, {inner} inner line ends; {file.lines} lines landed"
        )
    if file.records is not None and rows != file.records:
        raise RowsLost(f"the working file has {file.records} records, {rows} were read")


def _repeated_hashes(connection: duckdb.DuckDBPyConnection, position: int, rows: int) -> bool:
    """Table `repeated_<n>`: key hashes that occur more than once.

    Sorting 64-bit numbers takes an eighth of the time of grouping by them; beyond what may be held they are grouped,
    because DuckDB can spill.
    """
    present = f"select h{position} as h from marks where h{position} is not null"
    if rows > COLLECT_SORTED_KEYS_MAX:
        connection.execute(
            f"create or replace temp table repeated_{position} as {present} group by h having count(*) > 1"
        )
        return bool(_one(connection, f"select count(*) from repeated_{position}")[0])
    hashes = np.ma.getdata(connection.execute(present).fetchnumpy()["h"])
    hashes.sort()
    repeated = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
    connection.register("given_hashes", pa.table({"h": pa.array(repeated, pa.uint64())}))
    connection.execute(f"create or replace temp table repeated_{position} as select h from given_hashes")
    connection.unregister("given_hashes")
    return bool(len(repeated))


def _refused_sql(plan: CheckPlan) -> str:
    words = ", ".join(f"w{i}" for i in range(words_count(plan)))
    return (
        f"create or replace temp table refused as select rowid as ordinal, {words}, fields "
        f"from marks where {rejected_sql(plan)}"
    )


def _key_hash_sql(check: Check) -> str:
    """The hash of a key, NULL where a part of it is missing: an absent key is no repetition."""
    present = " and ".join(f"{name_sql(column)} is not null" for column in check.columns)
    return f"case when {present} then {_hash_sql(check.columns)} end"


def _row_hash_sql(file: PlainFile) -> str:
    return f"hash({', '.join(file.raw_names)})"


def _fields_sql(file: PlainFile) -> str:
    return f"[{', '.join(file.raw_names)}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """Rows to be held with their fields: those whose hash, column `mark` of `marks` and `hash_sql` over the file, is in
    table `wanted`."""

    mark: str
    hash_sql: str
    wanted: str


def _fetch_held(connection: duckdb.DuckDBPyConnection, plan: CheckPlan, file: PlainFile, held: _Held) -> None:
    """Add these rows to `refused`.

    Without quotes a record is a line, and so few lines are read by their numbers; otherwise the file is scanned again.
    """
    ordinals = [
        int(row[0])
        for row in connection.execute(
            f"select rowid from marks where {held.mark} in (select h from {held.wanted}) "
            "and rowid not in (select ordinal from refused) order by rowid"
        ).fetchall()
    ]
    if not ordinals:
        return
    if file.lines is None or file.has_quotes or len(ordinals) > COLLECT_LINES_FETCHED_MAX:
        _scan_held(connection, plan, file, held)
        return
    given = pa.table(
        {
            "ordinal": pa.array(ordinals, pa.int64()),
            "fields": pa.array(list(read_records(file, ordinals)), pa.list_(pa.string())),
        }
    )
    words = ", ".join(f"w{i}" for i in range(words_count(plan)))
    connection.register("given_records", given)
    added = _one(
        connection,
        f"insert into refused with given as (select ordinal, fields, {held.hash_sql} as given_hash "
        f"from {file.from_fields_sql('given_records')}) select ordinal, {words}, given.fields from given "
        f"join marks on marks.rowid = ordinal and given_hash = {held.mark}",
    )
    connection.unregister("given_records")
    if added[0] != len(ordinals):
        raise RowsLost(f"{len(ordinals)} lines asked for, {added[0]} have the hash that was marked")


def read_records(file: PlainFile, ordinals: Sequence[int]) -> Iterator[list[str | None]]:
    """The fields of some records, by their ascending ordinals, of a file where every record is one line."""
    end = file.newline.encode()
    wanted = iter(ordinals)
    line = next(wanted) + file.header_lines
    first, rest = 0, b""
    with file.path.open("rb", buffering=0) as stream:
        while block := stream.read(_BLOCK_BYTES):
            block = rest + block
            ends = np.flatnonzero(np.frombuffer(block, np.uint8) == end[-1])
            while line < first + len(ends):
                at = line - first
                start = int(ends[at - 1]) + 1 if at else 0
                yield _fields(block[start : int(ends[at]) + 1 - len(end)], file.delimiter)
                line = next(wanted, -1)
                if line < 0:
                    return
                line += file.header_lines
            rest = block[int(ends[-1]) + 1 :] if len(ends) else block
            first += len(ends)
    yield _fields(rest, file.delimiter)


def _fields(line: bytes, delimiter: str) -> list[str | None]:
    if b'"' in line:
        return [field or None for field in next(csv.reader([line.decode()], delimiter=delimiter))]
    return [field or None for field in line.decode().split(delimiter)]


def _scan_held(connection: duckdb.DuckDBPyConnection, plan: CheckPlan, file: PlainFile, held: _Held) -> None:
    """The same by a second parallel scan.

    Both tables hold these rows in the file's order: within one hash the n-th of the one is the n-th of the other.
    """
    hashes = [str(row[0]) for row in connection.execute(f"select h from {held.wanted}").fetchall()]
    connection.execute(
        f"create or replace temp table fetched as select h, {_fields_sql(file)} as fields "
        f"from (select *, {held.hash_sql} as h from {file.relation_sql()}) "
        f"where try_cast(h::varchar as {enum_sql(hashes)}) is not null"
    )
    words = ", ".join(f"w{i}" for i in range(words_count(plan)))
    connection.execute(
        f"insert into refused\n"
        f"with asked as (select rowid as ordinal, {words}, {held.mark} as h, "
        f"row_number() over (partition by {held.mark} order by rowid) as turn from marks "
        f"where {held.mark} in (select h from {held.wanted})),\n"
        f"given as (select fields, h, row_number() over (partition by h order by rowid) as turn from fetched)\n"
        f"select ordinal, {words}, fields from asked join given using (h, turn) "
        f"where ordinal not in (select ordinal from refused)"
    )
    connection.execute("drop table fetched")


def _settle_unique(
    connection: duckdb.DuckDBPyConnection, plan: CheckPlan, file: PlainFile, check: Check, position: int
) -> int:
    """Of rows with one key, keep the last that breaks no other rule (the first, where the check says so); the others
    break this one; how many."""
    bit_position = len(plan.row_checks) + position
    keys = ", ".join(f"{name_sql(column)} as k{i}" for i, column in enumerate(check.columns))
    present = " and ".join(f"{name_sql(column)} is not null" for column in check.columns)
    kept = "first_value" if check.params.get("keep") == "first" else "last_value"
    contenders = file.from_fields_sql(f"(select ordinal, fields from refused where not {rejected_sql(plan)})")
    connection.execute(
        f"create or replace temp table losers as\n"
        f"with contenders as (select ordinal, {keys} from {contenders} where {present}),\n"
        f"ranked as (select ordinal, {kept}(ordinal) over same_key as kept from contenders\n"
        f"window same_key as (partition by {', '.join(f'k{i}' for i in range(len(check.columns)))} order by ordinal "
        f"rows between unbounded preceding and unbounded following))\n"
        f"select ordinal, kept from ranked where ordinal <> kept"
    )
    return _mark_bit(connection, bit_position, "losers")


def _mark_bit(connection: duckdb.DuckDBPyConnection, bit_position: int, table: str) -> int:
    """Note on rows of `refused` that they break a check: those with an ordinal in `table`; how many."""
    word, bit = bit_position // WORD_BITS, 1 << (bit_position % WORD_BITS)
    connection.execute(f"update refused set w{word} = w{word} | {bit} where ordinal in (select ordinal from {table})")
    return int(_one(connection, f"select count(*) from {table}")[0])


# Checks over other rows and other tables ---------------------------------------------------------------------------
def _refuses_by_sets(plan: CheckPlan) -> bool:
    return any(check.severity is Severity.REJECT and not check.is_table_level for check in plan.set_checks)


def _run_set_checks(marked: Marked, references: Collection[str]) -> None:
    """Each set check; one whose other table is not there is left out.

    What a row has in another table is asked of every row; what the table is as a whole, of the rows not refused.
    """
    connection, plan, file = marked.connection, marked.plan, marked.file
    if not plan.set_checks:
        return
    columns = [f"s{i} as {name_sql(column.name)}" for i, column in enumerate(columns_read(plan.set_checks))]
    rows = f"select {', '.join(['rowid as ordinal', *columns])} from marks"
    connection.execute(f"create or replace temp view {_EVERY_ROW} as {rows}")
    connection.execute(
        f"create or replace temp view {_UNDER_CHECK} as {rows} "
        f"where not {rejected_sql(plan)} and rowid not in (select ordinal from refused where {rejected_sql(plan)})"
    )
    for position, check in enumerate(plan.set_checks, len(plan.checks)):
        if any(reference.relation not in references for reference in check.references):
            continue
        if check.is_table_level:
            measured, is_broken = _one(connection, check.sql(_UNDER_CHECK))
            marked.bad_by_check[check.id] = int(bool(is_broken))
            if measured is not None:
                marked.measured_by_check[check.id] = float(measured)
            continue
        found = check.sql(_EVERY_ROW if check.kind in _ROW_BY_ROW else _UNDER_CHECK)
        connection.execute(f"create or replace temp table failing as select distinct ordinal from ({found})")
        count = int(_one(connection, "select count(*) from failing")[0])
        marked.bad_by_check[check.id] = count
        if count and check.severity is Severity.REJECT:
            connection.execute(
                "create or replace temp table failing_rows as "
                "select distinct hr as h from marks where rowid in (select ordinal from failing)"
            )
            _fetch_held(connection, plan, file, _Held(mark="hr", hash_sql=_row_hash_sql(file), wanted="failing_rows"))
            _mark_bit(connection, position, "failing")


def _exclude_by(plan: CheckPlan, file: PlainFile) -> str:
    """A unique key that is never empty identifies a row; otherwise the whole row does."""
    required = {
        check.column
        for check in plan.row_checks
        if check.kind is CheckKind.REQUIRED
        and check.severity is Severity.REJECT
        and not (check.when or check.exception)
    }
    for check in plan.unique_checks:
        if check.severity is Severity.REJECT and set(check.columns) <= required:
            return _hash_sql(check.columns)
    return _row_hash_sql(file)


def _count_bad(connection: duckdb.DuckDBPyConnection, plan: CheckPlan, bad: dict[str, int]) -> None:
    """Rows that break each row rule, refused or not."""
    sums = [
        f"count(*) filter (where w{i // WORD_BITS} & {1 << (i % WORD_BITS)} <> 0)"
        for i, _ in enumerate(plan.row_checks)
    ]
    if sums:
        for check, count in zip(plan.row_checks, _one(connection, f"select {', '.join(sums)} from marks"), strict=True):
            bad[check.id] = int(count)


def _forget_accepted(connection: duckdb.DuckDBPyConnection, plan: CheckPlan) -> None:
    """Split what was held into `refused` and `survivors`: rows of a repeated key that stay."""
    connection.execute(
        f"create or replace temp table survivors as select * from refused where not {rejected_sql(plan)}"
    )
    connection.execute(f"delete from refused where not {rejected_sql(plan)}")


def accepted_sql(plan: CheckPlan, file: PlainFile, excluded: Path | None, exclude_by: str, bindings: Bindings) -> str:
    """The accepted rows of the file, typed, in the contract's column order; `excluded` is a Parquet file of hashes."""
    kept = f" where {exclude_by} not in (select h from read_parquet({text_sql(str(excluded))}))" if excluded else ""
    columns = _typed_columns(plan, bindings)
    return f"select {columns} from {bindings.over(file.relation_sql())}{kept}"


def survivors_sql(plan: CheckPlan, file: PlainFile, survivors: Path, bindings: Bindings) -> str:
    """The rows of repeated keys that stay, typed like the rest."""
    columns = _typed_columns(plan, bindings)
    source = file.from_fields_sql(f"(select fields from read_parquet({text_sql(str(survivors))}))")
    return f"select {columns} from {bindings.over(source)}"


def _typed_columns(plan: CheckPlan, bindings: Bindings) -> str:
    return ", ".join(
        f"{accepted_value_sql(column, value_sql(column, bindings), bindings)} as {name_sql(column.name)}"
        for column in plan.columns
    )


def excluded_sql(marked: Marked) -> str:
    """The hashes of every held row, by what identifies a row."""
    held = "(select fields from refused union all select fields from survivors)"
    return f"select distinct {marked.exclude_by} as h from {marked.file.from_fields_sql(held)}"
