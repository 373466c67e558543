"""Fetching from a database, the same for every dialect: everything, or what is new by a cursor that only grows.

By cursor, all statements of one fetch read one snapshot of a read-only transaction:

1. *late rows*: those between the last value less the look-back and the last value that have not been delivered;
2. *new rows*: those beyond the last value, up to a bound that never parts rows of equal value;
3. *the window*: digests of the rows between the bound less the look-back and the bound, for the next fetch's first
   step.

So rows that share a value are each delivered once, and a row that becomes visible late is delivered when it comes into
sight within the look-back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import sqlglot
from sqlglot import exp

from datong.catalog.values import DataContract
from datong.collect.sources.contracts import (
    Batch,
    ConnectionReport,
    CursorUnusable,
    FetchContext,
    KnownFile,
    Note,
    QueryNotAllowed,
)
from datong.collect.sources.options import wrong
from datong.collect.sources.tables import (
    RowDigests,
    TableFile,
    match_columns,
    pack_digests,
    report_of,
    unpack_digests,
)
from datong.kernel.limits import (
    SOURCE_BATCH_ROWS_MAX,
    SOURCE_CLOCK_SKEW_S_MAX,
    SOURCE_STATEMENT_S_MAX,
    SOURCE_TEST_ROWS_MAX,
    SOURCE_TEST_S_MAX,
    SOURCE_WINDOW_ROWS_MAX,
)

_NAME = re.compile(r"[^\W\d][\w$]*", re.UNICODE)
_FORBIDDEN = (exp.DML, exp.DDL, exp.Command, exp.Into, exp.Lock, exp.Set, exp.Transaction)
_CURSOR_MODES = frozenset({"upsert", "append"})
ALL = "all"
"""In a cursor's `seen`: the window had too many rows to remember, so that all of it is delivered again."""


class CursorShape(StrEnum):
    NUMBER = "number"
    TIME = "time"
    DATE = "date"
    TEXT = "text"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceColumn:
    """A column of the table or query. `type` is the database's own word for it."""

    name: str
    type: str
    shape: CursorShape


class Session(Protocol):
    """One read-only transaction on the source: one snapshot."""

    product: str
    reached: str

    def describe(self, base: str) -> list[SourceColumn]: ...
    def clock_skew_s(self) -> float | None: ...
    def scalar(self, sql: str) -> str | None: ...
    def rows(self, sql: str) -> Iterator[Sequence[str | None]]: ...
    def write(self, sql: str, out: TableFile) -> None:
        """Every row of the statement into the file, as texts, without holding them."""
        ...

    def quote(self, name: str) -> str: ...
    def text(self, column: SourceColumn) -> str:
        """The column as exact text, of the relation `s`."""
        ...

    def literal(self, column: SourceColumn, value: str) -> str: ...
    def minus(self, column: SourceColumn, literal: str, look_back: int) -> str: ...


class Dialect(Protocol):
    name: str
    """As sqlglot calls it."""
    port: int

    def open(self, context: FetchContext, *, statement_s: int) -> AbstractContextManager[Session]: ...


class DatabaseConnector:
    """The reader of a database in one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def check(self, options: Mapping[str, str], contract: DataContract) -> None:
        table, query = options.get("table", ""), options.get("query", "")
        if bool(table) == bool(query):
            raise wrong("table", "Give either a table or a query.", "表和查询二选一。")
        if query:
            check_query(query, self._dialect.name)
        else:
            _check_table(table)
        if int(options.get("batch_rows", "1")) not in range(1, SOURCE_BATCH_ROWS_MAX + 1):
            raise wrong("batch_rows", f"1 to {SOURCE_BATCH_ROWS_MAX}.", f"每批1至{SOURCE_BATCH_ROWS_MAX}行。")
        if options.get("method") == "cursor":
            _check_cursor(options, contract)

    def test(self, context: FetchContext) -> ConnectionReport:
        self.check(context.options, context.contract)
        with self._dialect.open(context, statement_s=SOURCE_TEST_S_MAX) as session:
            base = _base(session, context.options)
            columns = session.describe(base)
            counted = session.scalar(
                f"select count(*) from (select 1 as n from {base} s limit {SOURCE_TEST_ROWS_MAX}) c"
            )
            rows = int(counted or 0)
            notes = []
            if context.options.get("method") == "cursor":
                cursor = _find_cursor(columns, context.options)
                _refuse_nulls(session, base, cursor)
                notes.append(
                    Note(
                        zh=f"游标列 {cursor.name}（{cursor.type}）可用",
                        en=f"Cursor {cursor.name} ({cursor.type}) can be used",
                    )
                )
            skew_s = session.clock_skew_s()
            if skew_s is not None and abs(skew_s) > SOURCE_CLOCK_SKEW_S_MAX:
                notes.append(Note(zh=f"对方时钟相差{skew_s:.0f}秒", en=f"The other clock differs by {skew_s:.0f} s"))
            return report_of(
                [column.name for column in columns],
                context.contract,
                reached=session.reached,
                product=session.product,
                rows=rows,
                rows_is_floor=rows == SOURCE_TEST_ROWS_MAX,
                clock_skew_s=skew_s,
                notes=notes,
            )

    def fetch(self, context: FetchContext) -> Batch | None:
        self.check(context.options, context.contract)
        with self._dialect.open(context, statement_s=SOURCE_STATEMENT_S_MAX) as session:
            base = _base(session, context.options)
            columns = session.describe(base)
            taken = _choose(columns, context.contract)
            if context.options.get("method") == "cursor":
                return _fetch_by_cursor(session, context, base, taken, _find_cursor(columns, context.options))
            return _fetch_all(session, context, base, taken)

    def settle(self, context: FetchContext, file: KnownFile, *, is_taken: bool) -> None:
        """A database keeps no files."""


def check_query(query: str, dialect: str) -> None:
    """One SELECT that writes and locks nothing. The read-only transaction holds what the parser lets through."""
    try:
        parsed = sqlglot.parse(query, dialect=dialect)
    except sqlglot.errors.SqlglotError as problem:
        raise QueryNotAllowed(
            f"It cannot be read: {str(problem).splitlines()[0]}", hint_zh="查询语句无法解析。", field="query"
        ) from None
    statements = [statement for statement in parsed if statement is not None]
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise QueryNotAllowed(
            "Give one SELECT, without a semicolon.", hint_zh="请只写一条 SELECT，不带分号。", field="query"
        )
    bad = next((node for node in statements[0].walk() if isinstance(node, _FORBIDDEN)), None)
    if bad is not None or query.rstrip().endswith(";"):
        what = type(bad).__name__.upper() if bad is not None else ";"
        raise QueryNotAllowed(f"{what} is not allowed in it.", hint_zh=f"查询中不能有 {what}。", field="query")


def _check_table(table: str) -> None:
    parts = table.split(".")
    if not 1 <= len(parts) <= 2 or not all(_NAME.fullmatch(part) for part in parts):
        raise wrong("table", "Give schema.table or table.", "请填“模式.表名”或“表名”。")


def _check_cursor(options: Mapping[str, str], contract: DataContract) -> None:
    if not _NAME.fullmatch(options.get("cursor", "")):
        raise wrong("cursor", "Name the cursor column.", "请填写游标列。")
    if contract.collect_mode.value not in _CURSOR_MODES:
        raise CursorUnusable(
            "The contract's mode replaces the whole table. By cursor it must be upsert or append.",
            hint_zh="契约的归集方式是整表替换；按游标取数须为更新插入（upsert）或追加（append）。",
            field="method",
            collect_mode=contract.collect_mode.value,
        )


def _base(session: Session, options: Mapping[str, str]) -> str:
    query = options.get("query", "")
    if query:
        return f"({query}\n)"
    return ".".join(session.quote(part) for part in options["table"].split("."))


def _choose(columns: Sequence[SourceColumn], contract: DataContract) -> list[SourceColumn]:
    """The columns that the contract describes; all when it knows none, so that the run says what differs."""
    matched, _, _ = match_columns([column.name for column in columns], contract)
    return [column for column in columns if column.name in matched] or list(columns)


def _find_cursor(columns: Sequence[SourceColumn], options: Mapping[str, str]) -> SourceColumn:
    name = options["cursor"]
    found = next((column for column in columns if column.name == name), None)
    if found is None:
        present = ", ".join(column.name for column in columns)
        raise CursorUnusable(
            f"There is no column {name}. Present: {present}.",
            hint_zh=f"没有列{name}，现有：{present}。",
            field="cursor",
        )
    if found.shape is CursorShape.OTHER:
        raise CursorUnusable(
            f"{name} is {found.type}; a cursor is an exact number, a date, a time or a text.",
            hint_zh=f"{name}的类型是{found.type}；游标须为整数、定点数、日期、时间或文本。",
            field="cursor",
        )
    if found.shape is CursorShape.TEXT and options.get("look_back", "0") != "0":
        raise CursorUnusable("A text has no look-back.", hint_zh="文本游标不能回看。", field="look_back")
    return found


def _refuse_nulls(session: Session, base: str, cursor: SourceColumn) -> None:
    empty = session.scalar(f"select 1 from {base} s where s.{session.quote(cursor.name)} is null limit 1")
    if empty is not None:
        raise CursorUnusable(
            f"Some rows have no {cursor.name}: a cursor would never see them.",
            hint_zh=f"有的行{cursor.name}为空，按游标永远取不到。",
            field="cursor",
        )


def _fetch_all(session: Session, context: FetchContext, base: str, taken: Sequence[SourceColumn]) -> Batch:
    path = context.work / "rows.csv"
    with TableFile(path, [column.name for column in taken]) as out:
        session.write(f"select {_texts(session, taken)} from {base} s", out)
    return Batch(path=path, filename=_filename(context), rows=out.rows, cursor={})


def _fetch_by_cursor(
    session: Session, context: FetchContext, base: str, taken: Sequence[SourceColumn], cursor: SourceColumn
) -> Batch | None:
    _refuse_nulls(session, base, cursor)
    place = f"s.{session.quote(cursor.name)}"
    texts = _texts(session, taken)
    last = context.cursor.get("value")
    beyond = f"{place} > {session.literal(cursor, last)}" if last is not None else "1 = 1"
    limit = int(context.options["batch_rows"])
    value = f"{session.text(cursor)} as cursor_value"
    bound = session.scalar(f"select {value} from {base} s where {beyond} order by {place} limit 1 offset {limit - 1}")
    has_more = bound is not None
    if bound is None:
        bound = session.scalar(f"select {value} from {base} s where {beyond} order by {place} desc limit 1")
    path = context.work / "rows.csv"
    with TableFile(path, [column.name for column in taken]) as out:
        if last is not None:
            _write_late_rows(session, context, out, select=f"select {texts} from {base} s", place=place, cursor=cursor)
        if bound is not None:
            until = f"{place} <= {session.literal(cursor, bound)}"
            session.write(f"select {texts} from {base} s where {beyond} and {until} order by {place}", out)
    if out.rows == 0:
        return None
    end = bound if bound is not None else str(last)
    window = f"select {texts} from {base} s where {_window(session, context, place, cursor, end)}"
    seen = _window_digests(session, window, context)
    return Batch(
        path=path,
        filename=_filename(context),
        rows=out.rows,
        cursor={"column": cursor.name, "value": end, "seen": ALL if seen is None else ""},
        seen=seen or b"",
        has_more=has_more,
    )


def _write_late_rows(
    session: Session, context: FetchContext, out: TableFile, *, select: str, place: str, cursor: SourceColumn
) -> None:
    """What is in the last window now and was not delivered with it."""
    sql = f"{select} where {_window(session, context, place, cursor, context.cursor['value'])}"
    if context.cursor.get("seen") == ALL:
        session.write(sql, out)
        return
    delivered, digests = unpack_digests(context.seen), RowDigests()
    for row in session.rows(sql):
        if digests.add(row) not in delivered:
            out.write(row)


def _window(session: Session, context: FetchContext, place: str, cursor: SourceColumn, end: str) -> str:
    literal = session.literal(cursor, end)
    look_back = int(context.options.get("look_back", "0"))
    start = session.minus(cursor, literal, look_back) if look_back else literal
    return f"{place} >= {start} and {place} <= {literal}"


def _window_digests(session: Session, sql: str, context: FetchContext) -> bytes | None:
    """None when the window holds more rows than are remembered: with keys they are then delivered again."""
    digests = RowDigests()
    packed = [digests.add(row) for row in session.rows(f"{sql} limit {SOURCE_WINDOW_ROWS_MAX + 1}")]
    if len(packed) <= SOURCE_WINDOW_ROWS_MAX:
        return pack_digests(packed)
    if context.contract.collect_mode.value == "append":
        raise CursorUnusable(
            f"More than {SOURCE_WINDOW_ROWS_MAX} rows lie within the look-back: shorten it, or give the contract a key "
            "and the mode upsert.",
            hint_zh=f"回看范围内超过{SOURCE_WINDOW_ROWS_MAX}行：请缩短回看，或为契约设主键并改为 upsert。",
            field="look_back",
        )
    return None


def _texts(session: Session, columns: Sequence[SourceColumn]) -> str:
    return ", ".join(f"{session.text(column)} as {session.quote(column.name)}" for column in columns)


def _filename(context: FetchContext) -> str:
    return f"{context.options.get('table') or 'query'}.csv"
