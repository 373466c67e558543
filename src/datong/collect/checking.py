"""From a landed file to what may be committed: find the form, read fast or exactly, check, write the work files.

No Django. The result is a folder of small Parquet files beside the landed CSV: `quarantine` (one row per refused
record), `survivors` (rows of repeated keys that stay) and `excluded` (hashes that keep refused rows out of the second
read). The accepted rows are a SELECT over the CSV itself, so good rows are held nowhere on their way into the lake.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from datong.collect.cleaning import CleanedColumn, CleaningContext, changes_sql
from datong.collect.contracts import FileEmpty, RowsLost, StepChanges
from datong.collect.delimited import ByteFacts, FileForm, WantedColumn, read_head, scan_file
from datong.collect.drift import ColumnFinding, ColumnMapping, map_columns
from datong.collect.exact import UnshapedRow, transcode
from datong.collect.noted import write_noted_file
from datong.collect.readers.contracts import Note, PlainTable, RegularCsv
from datong.collect.readers.source import read_source
from datong.collect.scan import (
    WORD_BITS,
    Irregular,
    Marked,
    PlainFile,
    accepted_sql,
    excluded_sql,
    mark_rows,
    open_engine,
    placed_sql,
    skipped_name,
    survivors_sql,
    words_count,
)
from datong.collect.watching import watch
from datong.kernel.clock import monotonic_s
from datong.kernel.limits import CSV_SNIFF_BYTES
from datong.quality.contracts import CheckPlan, Dimension, Reference, RuleScore, RunScore, Severity
from datong.quality.scoring import rule_score, score_rules, score_run
from datong.quality.sql import Literals, text_sql

SHAPE_RULE = "row.shape"
SHAPE_REASON = ("行的字段数或引号有误", "The row does not have the header's shape")
_SAMPLE_ROWS = 200
Progress = Callable[[str, int, int], None]
"""Called as (step, bytes of the file done, bytes in all): read, check, quarantine."""
Mapper = Callable[[Sequence[str], Sequence[Sequence[str]]], ColumnMapping]
"""From the header and some first rows to the contract's columns; raises ColumnsDiffer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Quarantined rows by their first reason."""

    rule: str
    column: str
    reason_zh: str
    reason_en: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a contract wants its files read, beside the names of its columns.

    `cleaned` are columns with their steps, `cleaning` what the steps need. `references` are the other tables that set
    checks read, as SQL relations by `Reference.resource_id`; a check whose table is not here is not evaluated. `key`
    are the columns that name a row in the table.
    """

    filename: str = ""
    reading: Mapping[str, Any] = field(default_factory=dict)
    delimiter: str | None = None
    mapper: Mapper | None = None
    cleaned: tuple[CleanedColumn, ...] = ()
    cleaning: CleaningContext | None = None
    references: Mapping[str, str] = field(default_factory=dict)
    key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What a check starts from."""

    path: Path
    facts: ByteFacts
    wanted: Sequence[WantedColumn]
    plan: CheckPlan
    work: Path
    manner: Manner
    progress: Progress

    def read(self, *, exactly: bool) -> PlainTable | RegularCsv:
        return read_source(
            self.path,
            self.facts,
            self.manner.filename,
            self.wanted,
            self.manner.reading,
            self.work,
            delimiter=self.manner.delimiter,
            exactly=exactly,
        )

    def map(self, found: PlainTable | RegularCsv) -> ColumnMapping:
        if self.manner.mapper is None:
            return map_columns(found.source_header, self.wanted)
        return self.manner.mapper(found.source_header, _first_rows(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What the file turned out to be, and the marks of its rows."""

    source: PlainTable | RegularCsv
    mapping: ColumnMapping
    marked: Marked
    unshaped: tuple[UnshapedRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFile:
    """What a file turned out to be. Rows read = accepted + quarantined, compared with the file's own counts.

    Whether a rule blocks the version: `quality.scoring.blocking_findings` of the plan and `score`.
    """

    form: FileForm
    rows_read: int
    rows_accepted: int
    rows_quarantined: int
    score: RunScore
    reasons: tuple[Reason, ...]
    raw_sql: str
    """Every row of the file as it came, in SQL: the contract's columns under their names, all texts; in the file's
    order where insertion order is kept. Reads the file and the work folder."""
    source_sql: str
    """The accepted rows, typed, in the contract's columns; reads the file and the work folder."""
    quarantine: Path | None
    read_exactly: bool
    seconds: Mapping[str, float]
    kind: str = "csv"
    position_word: str = "line"
    """What a quarantined row's `line` counts in the source: line, row or record."""
    notes: tuple[Note, ...] = ()
    drift: tuple[ColumnFinding, ...] = ()
    """Columns that were mapped, skipped or taken as empty."""
    changes: tuple[StepChanges, ...] = ()
    """How many cells each cleaning step changed, refused rows included."""
    noted: Path | None = None
    """Accepted rows that break a rule, with their lines; see `noted`."""


def check_file(
    path: Path,
    facts: ByteFacts,
    wanted: Sequence[WantedColumn],
    plan: CheckPlan,
    work: Path,
    *,
    manner: Manner | None = None,
    delimiter: str | None = None,
    progress: Progress = lambda _step, _done, _total: None,
) -> CheckedFile:
    """Check a landed file. Raises the failures of a file that is no table of this contract; then nothing is written.

    `delimiter` is what the person said who handed the file in.
    """
    started = monotonic_s()
    manner = replace(manner or Manner(), delimiter=delimiter) if delimiter else manner or Manner()
    given = _Given(path=path, facts=facts, wanted=wanted, plan=plan, work=work, manner=manner, progress=progress)
    progress("read", 0, facts.bytes)
    source = given.read(exactly=False)
    read_s = monotonic_s()
    with open_engine(work) as engine:
        known = _register_references(engine, plan, manner.references)
        found = _mark(engine, given, source, known)
        checked_s = monotonic_s()
        progress("quarantine", facts.bytes, facts.bytes)
        result = _finish(engine, found, work, manner.key)
    seconds = {"read": read_s - started, "check": checked_s - read_s, "quarantine": monotonic_s() - checked_s}
    return replace(result, seconds=seconds)


def _register_references(
    engine: duckdb.DuckDBPyConnection, plan: CheckPlan, relations: Mapping[str, str]
) -> frozenset[str]:
    """Views of the other tables that are there; the names of their relations."""
    known: list[Reference] = [each for each in plan.references if each.resource_id in relations]
    for reference in known:
        engine.execute(f"create view {reference.relation} as select * from {relations[reference.resource_id]}")
    return frozenset(reference.relation for reference in known)


def _mark(
    engine: duckdb.DuckDBPyConnection, given: _Given, source: PlainTable | RegularCsv, known: frozenset[str]
) -> _Found:
    """Fast where the file proves regular, exact otherwise. Leaves table `shifts` for the source positions."""
    if isinstance(source, RegularCsv):
        regular = _mark_regular(engine, given, source, known)
        if regular is not None:
            return regular
        source = given.read(exactly=True)
        if isinstance(source, RegularCsv):
            raise RowsLost("an exact reading gave no plain table")
    _refuse_no_rows(source.records + len(source.unshaped))
    mapping = given.map(source)
    file = PlainFile(
        path=source.path,
        delimiter=",",
        newline="\n",
        header=_file_header(mapping),
        header_lines=1,
        has_quotes=True,
        lines=None,
        records=source.records,
        absent=mapping.absent,
        cleaned=given.manner.cleaned,
        cleaning=given.manner.cleaning,
    )
    marked = _mark_rows(engine, given, file, known)
    _shifts_from_records(engine, source)
    return _Found(source=source, mapping=mapping, marked=marked, unshaped=source.unshaped)


def _mark_regular(
    engine: duckdb.DuckDBPyConnection, given: _Given, source: RegularCsv, known: frozenset[str]
) -> _Found | None:
    """None where the scan found that the file is not regular."""
    plain, facts = source.path, source.facts
    if source.encoding != "utf-8":
        plain = given.work / "utf8.csv"
        transcode(source.path, source.encoding, plain)
        facts = scan_file(plain)
    if facts.newline is None:
        return None
    mapping = given.map(source)
    file = PlainFile(
        path=plain,
        delimiter=source.delimiter,
        newline=facts.newline,
        header=_file_header(mapping),
        header_lines=source.header_lines,
        skip_lines=source.skip_lines,
        has_quotes=facts.has_quotes,
        lines=facts.lines,
        absent=mapping.absent,
        cleaned=given.manner.cleaned,
        cleaning=given.manner.cleaning,
    )
    try:
        marked = _mark_rows(engine, given, file, known)
    except Irregular:
        return None
    _shifts_from_marks(engine, file)
    return _Found(source=source, mapping=mapping, marked=marked)


def _mark_rows(engine: duckdb.DuckDBPyConnection, given: _Given, file: PlainFile, known: frozenset[str]) -> Marked:
    def execute(connection: duckdb.DuckDBPyConnection, statement: str, values: Mapping[str, Any]) -> None:
        total = given.facts.bytes
        watch(connection, statement, values, lambda share: given.progress("check", int(share * total), total))

    return mark_rows(engine, given.plan, file, references=known, execute=execute)


def _file_header(mapping: ColumnMapping) -> tuple[str, ...]:
    return tuple(name or skipped_name(place) for place, name in enumerate(mapping.header))


def _first_rows(found: PlainTable | RegularCsv) -> list[list[str]]:
    """Some rows below the header, for who judges columns by their content."""
    if isinstance(found, PlainTable):
        with found.path.open(encoding="utf-8", newline="") as file:
            return list(islice(csv.reader(file), 1, _SAMPLE_ROWS + 1))
    head = read_head(found.path, found.encoding, bytes_max=CSV_SNIFF_BYTES).splitlines(keepends=True)
    return list(islice(csv.reader(head[found.header_lines :], delimiter=found.delimiter), _SAMPLE_ROWS))


def _refuse_no_rows(rows: int) -> None:
    if rows == 0:
        raise FileEmpty("There is a header line and nothing below it.", hint_zh="文件只有表头，没有数据行。", rows=0)


def _shifts_from_marks(engine: duckdb.DuckDBPyConnection, file: PlainFile) -> None:
    """From ordinal `from_ordinal` on, source line = ordinal + shift."""
    first = file.header_lines + 1
    inner = (
        f"union all select rowid + 1, {first} + sum(inner_lines) over (order by rowid) from marks where inner_lines > 0"
        if file.has_quotes
        else ""
    )
    engine.execute(
        f"create or replace temp table shifts as select 0::bigint as from_ordinal, {first}::bigint as shift {inner}"
    )


def _shifts_from_records(engine: duckdb.DuckDBPyConnection, source: PlainTable) -> None:
    table = pa.table(
        {
            "from_ordinal": pa.array(list(source.shift_from), pa.int64()),
            "shift": pa.array(list(source.shift), pa.int64()),
        }
    )
    engine.register("given_shifts", table)
    engine.execute("create or replace temp table shifts as select * from given_shifts")
    engine.unregister("given_shifts")


def _finish(engine: duckdb.DuckDBPyConnection, found: _Found, work: Path, key: Sequence[str]) -> CheckedFile:
    marked, unshaped = found.marked, found.unshaped
    refused = _count(engine, "select count(*) from refused")
    survivors = _count(engine, "select count(*) from survivors")
    rows_read = marked.rows + len(unshaped)
    _refuse_no_rows(rows_read)
    plan, file = marked.plan, marked.file
    source = Literals()
    excluded = None
    if refused or survivors:
        excluded = work / "excluded.parquet"
        _copy(engine, excluded_sql(marked), excluded)
    sql = accepted_sql(plan, file, excluded, marked.exclude_by, source)
    if survivors:
        kept = work / "survivors.parquet"
        _copy(engine, "select fields from survivors", kept)
        sql = f"{sql} union all {survivors_sql(plan, file, kept, Literals())}"
    quarantine = None
    reasons: tuple[Reason, ...] = ()
    if refused or unshaped:
        quarantine = work / "quarantine.parquet"
        reasons = _write_quarantine(engine, marked, unshaped, quarantine)
    noted = work / "noted.parquet"
    has_noted = write_noted_file(marked, key, noted)
    quarantined = refused + len(unshaped)
    if sum(reason.rows for reason in reasons) != quarantined:
        raise RowsLost(f"{quarantined} rows refused, {sum(r.rows for r in reasons)} have a reason")
    return CheckedFile(
        form=_form_of(found),
        rows_read=rows_read,
        rows_accepted=rows_read - quarantined,
        rows_quarantined=quarantined,
        score=_score(marked, rows_read, len(unshaped)),
        reasons=reasons,
        raw_sql=file.raw_sql(),
        source_sql=sql,
        quarantine=quarantine,
        noted=noted if has_noted else None,
        read_exactly=isinstance(found.source, PlainTable),
        seconds={},
        kind=found.source.kind,
        position_word=found.source.position_word,
        notes=found.source.notes,
        drift=found.mapping.findings,
        changes=_count_changes(engine, file),
    )


def _count_changes(engine: duckdb.DuckDBPyConnection, file: PlainFile) -> tuple[StepChanges, ...]:
    columns = [column for column in file.cleaned if column.cleaning]
    if not columns or file.cleaning is None:
        return ()
    counts = engine.execute(changes_sql(columns, file.raw_sql(), file.cleaning)).fetchall()[0]
    steps = [(column.name, step.step) for column in columns for step in column.cleaning]
    return tuple(
        StepChanges(column=name, step=step, changed=int(count))
        for (name, step), count in zip(steps, counts, strict=True)
    )


def _form_of(found: _Found) -> FileForm:
    source = found.source
    return FileForm(
        encoding=source.encoding,
        delimiter=source.delimiter,
        header=tuple(name or "" for name in found.mapping.header),
        source_header=source.source_header,
        header_lines=source.header_lines if isinstance(source, RegularCsv) else 1,
    )


def _score(marked: Marked, rows: int, unshaped: int) -> RunScore:
    """Rows without the header's shape are a rule of their own: they reached no other."""
    scored = score_run(marked.plan, rows, marked.bad_by_check, measured_by_check=marked.measured_by_check)
    if not unshaped:
        return scored
    shape = RuleScore(
        check_id=SHAPE_RULE,
        kind="shape",
        column="",
        dimension=Dimension.CONFORMITY.value,
        severity=Severity.REJECT.value,
        reason_zh=SHAPE_REASON[0],
        reason_en=SHAPE_REASON[1],
        rows_bad=unshaped,
        score=rule_score(rows, unshaped),
    )
    return score_rules((*scored.rules, shape))


def _write_quarantine(
    engine: duckdb.DuckDBPyConnection, marked: Marked, unshaped: Sequence[UnshapedRow], target: Path
) -> tuple[Reason, ...]:
    """One row per refused record, with its first broken rule; table `quarantined`, then a file."""
    _register_rules(engine, marked)
    engine.execute(
        "create or replace temp table quarantined as\n"
        "with broken as (\n"
        f"  select refused.ordinal, rules.* from refused join rules on {_bit_sql(marked)}),\n"
        "told as (\n"
        "  select ordinal, min(position) as first_rule, list(id order by position) as ids\n"
        "  from broken group by ordinal)\n"
        "select placed.line, rules.column_name, rules.id as rule, rules.reason_zh, rules.reason_en,\n"
        "  refused.fields[rules.field_position] as value, told.ids[2:] as others,\n"
        "  to_json(refused.fields)::varchar as fields\n"
        "from told join refused using (ordinal) join rules on rules.position = told.first_rule\n"
        f"join {placed_sql('refused')} as placed using (ordinal)"
    )
    if unshaped:
        table = pa.table(
            {
                "line": pa.array([row.line for row in unshaped], pa.int64()),
                "zh": pa.array([row.reason_zh for row in unshaped], pa.string()),
                "en": pa.array([row.reason_en for row in unshaped], pa.string()),
                "fields": pa.array([list(row.fields) for row in unshaped], pa.list_(pa.string())),
            }
        )
        engine.register("given_unshaped", table)
        engine.execute(
            f"insert into quarantined select line, '', {text_sql(SHAPE_RULE)}, zh, en, null, [], "
            "to_json(fields)::varchar from given_unshaped"
        )
        engine.unregister("given_unshaped")
    _copy(engine, "select * from quarantined order by line", target)
    rows = engine.execute(
        "select rule, any_value(column_name), any_value(reason_zh), any_value(reason_en), count(*) "
        "from quarantined group by rule order by count(*) desc, rule"
    ).fetchall()
    return tuple(
        Reason(
            rule=rule,
            column=column,
            reason_zh=SHAPE_REASON[0] if rule == SHAPE_RULE else zh,
            reason_en=SHAPE_REASON[1] if rule == SHAPE_RULE else en,
            rows=count,
        )
        for rule, column, zh, en, count in rows
    )


def _register_rules(engine: duckdb.DuckDBPyConnection, marked: Marked) -> None:
    """Table `rules`: the rejecting checks with their bit and the place of their column in the file."""
    checks = [(i, c) for i, c in enumerate(marked.plan.all_checks) if c.severity is Severity.REJECT]
    position_of = marked.file.position_of
    table = pa.table(
        {
            "position": pa.array([i for i, _ in checks], pa.int32()),
            "word": pa.array([i // WORD_BITS for i, _ in checks], pa.int32()),
            "bit": pa.array([1 << (i % WORD_BITS) for i, _ in checks], pa.int64()),
            "id": pa.array([c.id for _, c in checks], pa.string()),
            "column_name": pa.array([c.column for _, c in checks], pa.string()),
            "reason_zh": pa.array([c.reason_zh for _, c in checks], pa.string()),
            "reason_en": pa.array([c.reason_en for _, c in checks], pa.string()),
            "field_position": pa.array([position_of(c.column) for _, c in checks], pa.int32()),
        }
    )
    engine.register("given_rules", table)
    engine.execute("create or replace temp table rules as select * from given_rules")
    engine.unregister("given_rules")


def _bit_sql(marked: Marked) -> str:
    words = range(words_count(marked.plan))
    return " or ".join(f"(rules.word = {i} and refused.w{i} & rules.bit <> 0)" for i in words)


def _copy(engine: duckdb.DuckDBPyConnection, query: str, target: Path) -> None:
    engine.execute(f"copy ({query}) to {text_sql(str(target))} (format parquet)")


def _count(engine: duckdb.DuckDBPyConnection, query: str) -> int:
    row = engine.execute(query).fetchone()
    return int(row[0]) if row else 0
