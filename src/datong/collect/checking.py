"""From a landed file to what may be committed: find the form, read fast or exactly, check, write the work files.

No Django. The result is a folder of small Parquet files beside the landed CSV: `quarantine` (one row per refused
record), `survivors` (rows of repeated keys that stay) and `excluded` (hashes that keep refused rows out of the second
read). The accepted rows are a SELECT over the CSV itself, so good rows are held nowhere on their way into the lake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa

from datong.collect.contracts import FileEmpty, FileUnreadable, RowsLost
from datong.collect.delimited import (
    ByteFacts,
    FileForm,
    WantedColumn,
    find_encoding,
    find_form,
    guess_encoding,
    read_head,
    refuse_unreadable,
    scan_file,
)
from datong.collect.exact import Normalised, UnshapedRow, normalise, transcode
from datong.collect.scan import (
    WORD_BITS,
    Irregular,
    Marked,
    PlainFile,
    accepted_sql,
    excluded_sql,
    mark_rows,
    open_engine,
    survivors_sql,
)
from datong.kernel.clock import monotonic_s
from datong.kernel.limits import CSV_SNIFF_BYTES
from datong.quality.contracts import CheckPlan, Dimension, RuleScore, RunScore, Severity
from datong.quality.model import rule_score, score_rules, score_run
from datong.quality.sql import Literals, text_sql

SHAPE_RULE = "row.shape"
SHAPE_REASON = ("行的字段数或引号有误", "The row does not have the header's shape")
Progress = Callable[[str, int, int], None]
"""Called as (step, steps done, steps in all)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Quarantined rows by their first reason."""

    rule: str
    column: str
    reason_zh: str
    reason_en: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What a check starts from."""

    path: Path
    facts: ByteFacts
    wanted: Sequence[WantedColumn]
    plan: CheckPlan
    work: Path
    delimiter: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFile:
    """What a file turned out to be. Rows read = accepted + quarantined, compared with the file's own counts."""

    form: FileForm
    rows_read: int
    rows_accepted: int
    rows_quarantined: int
    score: RunScore
    reasons: tuple[Reason, ...]
    source_sql: str
    """The accepted rows, typed, in the contract's columns; reads the file and the work folder."""
    quarantine: Path | None
    read_exactly: bool
    seconds: Mapping[str, float]


def check_file(
    path: Path,
    facts: ByteFacts,
    wanted: Sequence[WantedColumn],
    plan: CheckPlan,
    work: Path,
    *,
    delimiter: str | None = None,
    progress: Progress = lambda _step, _done, _total: None,
) -> CheckedFile:
    """Check a landed file. Raises the failures of a file that is no table of this contract; then nothing is written."""
    started = monotonic_s()
    progress("read", 0, 3)
    given = _Given(path=path, facts=facts, wanted=wanted, plan=plan, work=work, delimiter=delimiter)
    form = _find_form(given)
    read_s = monotonic_s()
    progress("check", 1, 3)
    with open_engine(work) as engine:
        marked, unshaped, exactly = _mark(engine, given, form)
        checked_s = monotonic_s()
        progress("quarantine", 2, 3)
        result = _finish(engine, marked, unshaped, form, work)
    seconds = {"read": read_s - started, "check": checked_s - read_s, "quarantine": monotonic_s() - checked_s}
    progress("quarantine", 3, 3)
    return replace(result, read_exactly=exactly, seconds=seconds)


def _find_form(given: _Given) -> FileForm:
    try:
        with given.path.open("rb") as file:
            head = file.read(CSV_SNIFF_BYTES)
    except OSError as error:
        raise FileUnreadable("The landed file cannot be opened.", private=str(error)) from error
    refuse_unreadable(given.facts, head)
    encoding = guess_encoding(head)
    if encoding != "utf-8":
        encoding = find_encoding(given.path)
    return find_form(read_head(given.path, encoding), encoding, given.wanted, delimiter=given.delimiter)


def _mark(
    engine: duckdb.DuckDBPyConnection, given: _Given, form: FileForm
) -> tuple[Marked, tuple[UnshapedRow, ...], bool]:
    """Fast where the file proves regular, exact otherwise. Leaves table `shifts` for the source lines."""
    plan, path = given.plan, given.path
    plain, plain_facts = path, given.facts
    if form.encoding != "utf-8":
        plain = given.work / "utf8.csv"
        transcode(path, form.encoding, plain)
        plain_facts = scan_file(plain)
    newline = plain_facts.newline
    if newline is not None:
        file = PlainFile(
            path=plain,
            delimiter=form.delimiter,
            newline=newline,
            header=form.header,
            header_lines=form.header_lines,
            has_quotes=plain_facts.has_quotes,
            lines=plain_facts.lines,
        )
        try:
            marked = mark_rows(engine, plan, file)
        except Irregular:
            pass
        else:
            _shifts_from_marks(engine, file)
            return marked, (), False
    if form.encoding == "utf-8":
        encoding = find_encoding(path)
        if encoding != "utf-8":
            form = find_form(read_head(path, encoding), encoding, given.wanted, delimiter=given.delimiter)
    normalised = normalise(path, form, given.work / "plain.csv")
    _refuse_no_rows(normalised.records + len(normalised.unshaped))
    file = PlainFile(
        path=normalised.path,
        delimiter=",",
        newline="\n",
        header=form.header,
        header_lines=1,
        has_quotes=True,
        lines=None,
        records=normalised.records,
    )
    marked = mark_rows(engine, plan, file)
    _shifts_from_records(engine, normalised)
    return marked, normalised.unshaped, True


def _refuse_no_rows(rows: int) -> None:
    if rows == 0:
        raise FileEmpty("There is a header line and nothing below it.", hint_zh="文件只有表头，没有数据行。", rows=0)


def _shifts_from_marks(engine: duckdb.DuckDBPyConnection, file: PlainFile) -> None:
    """From ordinal `from_ordinal` on, source line = ordinal + shift; shifts only grow."""
    first = file.header_lines + 1
    inner = (
        f"union all select rowid + 1, {first} + sum(inner_lines) over (order by rowid) from marks where inner_lines > 0"
        if file.has_quotes
        else ""
    )
    engine.execute(
        f"create or replace temp table shifts as select 0::bigint as from_ordinal, {first}::bigint as shift {inner}"
    )


def _shifts_from_records(engine: duckdb.DuckDBPyConnection, normalised: Normalised) -> None:
    table = pa.table(
        {"from_ordinal": pa.array(normalised.shift_from, pa.int64()), "shift": pa.array(normalised.shift, pa.int64())}
    )
    engine.register("given_shifts", table)
    engine.execute("create or replace temp table shifts as select * from given_shifts")
    engine.unregister("given_shifts")


def _finish(
    engine: duckdb.DuckDBPyConnection,
    marked: Marked,
    unshaped: tuple[UnshapedRow, ...],
    form: FileForm,
    work: Path,
) -> CheckedFile:
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
    quarantined = refused + len(unshaped)
    if sum(reason.rows for reason in reasons) != quarantined:
        raise RowsLost(f"{quarantined} rows refused, {sum(r.rows for r in reasons)} have a reason")
    return CheckedFile(
        form=form,
        rows_read=rows_read,
        rows_accepted=rows_read - quarantined,
        rows_quarantined=quarantined,
        score=_score(plan, rows_read, marked.bad_by_check, len(unshaped)),
        reasons=reasons,
        source_sql=sql,
        quarantine=quarantine,
        read_exactly=False,
        seconds={},
    )


def _score(plan: CheckPlan, rows: int, bad: Mapping[str, int], unshaped: int) -> RunScore:
    """Rows without the header's shape are a rule of their own: they reached no other."""
    scored = score_run(plan, rows, bad)
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
        "  from broken group by ordinal),\n"
        "steps as (\n"
        "  select from_ordinal as ordinal, shift, false as is_row from shifts\n"
        "  union all select ordinal, null, true from refused),\n"
        "placed as (\n"
        "  select ordinal, ordinal + max(shift) over (order by ordinal, is_row) as line, is_row from steps)\n"
        "select placed.line, rules.column_name, rules.id as rule, rules.reason_zh, rules.reason_en,\n"
        "  refused.fields[rules.field_position] as value, told.ids[2:] as others,\n"
        "  to_json(refused.fields)::varchar as fields\n"
        "from told join refused using (ordinal) join rules on rules.position = told.first_rule\n"
        "join placed on placed.ordinal = refused.ordinal and placed.is_row"
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
    checks = [(i, c) for i, c in enumerate(marked.plan.checks) if c.severity is Severity.REJECT]
    header = marked.file.header
    table = pa.table(
        {
            "position": pa.array([i for i, _ in checks], pa.int32()),
            "word": pa.array([i // WORD_BITS for i, _ in checks], pa.int32()),
            "bit": pa.array([1 << (i % WORD_BITS) for i, _ in checks], pa.int64()),
            "id": pa.array([c.id for _, c in checks], pa.string()),
            "column_name": pa.array([c.column for _, c in checks], pa.string()),
            "reason_zh": pa.array([c.reason_zh for _, c in checks], pa.string()),
            "reason_en": pa.array([c.reason_en for _, c in checks], pa.string()),
            "field_position": pa.array([header.index(c.column) + 1 for _, c in checks], pa.int32()),
        }
    )
    engine.register("given_rules", table)
    engine.execute("create or replace temp table rules as select * from given_rules")
    engine.unregister("given_rules")


def _bit_sql(marked: Marked) -> str:
    words = -(-len(marked.plan.checks) // WORD_BITS)
    return " or ".join(f"(rules.word = {i} and refused.w{i} & rules.bit <> 0)" for i in range(max(1, words)))


def _copy(engine: duckdb.DuckDBPyConnection, query: str, target: Path) -> None:
    engine.execute(f"copy ({query}) to {text_sql(str(target))} (format parquet)")


def _count(engine: duckdb.DuckDBPyConnection, query: str) -> int:
    row = engine.execute(query).fetchone()
    return int(row[0]) if row else 0
