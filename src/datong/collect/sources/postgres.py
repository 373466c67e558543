"""PostgreSQL and what speaks its protocol (Kingbase). Rows come by COPY, as the server's own exact texts."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql as names
from psycopg.rows import tuple_row

from datong.collect.sources.contracts import FetchContext, SourceRefused, SourceUnreachable
from datong.collect.sources.guard import Target, find_target
from datong.collect.sources.sql import CursorShape, SourceColumn
from datong.collect.sources.tables import TableFile
from datong.kernel import clock
from datong.kernel.failures import Failure
from datong.kernel.limits import SOURCE_CONNECT_S_MAX

_TLS = {"prefer": "prefer", "verify": "verify-full", "off": "disable"}
_SHAPES = {
    "smallint": CursorShape.NUMBER,
    "integer": CursorShape.NUMBER,
    "bigint": CursorShape.NUMBER,
    "numeric": CursorShape.NUMBER,
    "date": CursorShape.DATE,
    "timestamp without time zone": CursorShape.TIME,
    "timestamp with time zone": CursorShape.TIME,
    "text": CursorShape.TEXT,
    "character varying": CursorShape.TEXT,
    "uuid": CursorShape.TEXT,
}
_ROWS_AT_ONCE = 10_000


class PostgresDialect:
    name = "postgres"
    port = 5432

    @contextmanager
    def open(self, context: FetchContext, *, statement_s: int) -> Iterator[PostgresSession]:
        options = context.options
        target = find_target(options["host"], int(options.get("port") or self.port))
        try:
            connection = _connect(context, target, statement_s)
        except psycopg.OperationalError as problem:
            raise _connect_failure(target, problem) from None
        try:
            with connection:
                yield PostgresSession(connection, target)
        except psycopg.Error as problem:
            raise _statement_failure(problem) from None
        finally:
            connection.close()


def _connect(context: FetchContext, target: Target, statement_s: int) -> psycopg.Connection[Any]:
    options, secret = context.options, context.secrets.get("password")
    tls = options.get("tls", "prefer")
    roots = ssl.get_default_verify_paths().cafile or "system"
    connection: psycopg.Connection[Any] = psycopg.connect(
        host=target.host,
        hostaddr=target.address,
        port=target.port,
        dbname=options["database"],
        user=options["user"],
        password=secret.reveal() if secret else None,
        passfile="/dev/null",
        sslmode=_TLS[tls],
        sslrootcert=roots if tls == "verify" else None,
        gssencmode="disable",
        connect_timeout=SOURCE_CONNECT_S_MAX,
        client_encoding="utf8",
        application_name="datong",
        options=(
            f"-c default_transaction_read_only=on -c statement_timeout={statement_s * 1000} "
            "-c timezone=Asia/Shanghai -c datestyle=ISO -c intervalstyle=iso_8601 -c extra_float_digits=1"
        ),
        row_factory=tuple_row,
    )
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    return connection


class PostgresSession:
    def __init__(self, connection: psycopg.Connection[Any], target: Target) -> None:
        self._connection = connection
        self.reached = str(target)
        self.product = f"PostgreSQL {connection.info.parameter_status('server_version') or ''}".strip()

    def describe(self, base: str) -> list[SourceColumn]:
        found = self._connection.execute(f"select * from {base} s limit 0").description or []
        types = [(column.name, column.type_code, getattr(column, "_fmod", -1)) for column in found]
        described = []
        for name, oid, _ in types:
            row = self._connection.execute("select format_type(%s, null)", [oid]).fetchone()
            type_name = str(row[0]) if row else ""
            described.append(SourceColumn(name=name, type=type_name, shape=_SHAPES.get(type_name, CursorShape.OTHER)))
        return described

    def clock_skew_s(self) -> float | None:
        row = self._connection.execute("select clock_timestamp()").fetchone()
        there: datetime | None = row[0] if row else None
        return (there - clock.now()).total_seconds() if there else None

    def scalar(self, sql: str) -> str | None:
        row = self._connection.execute(sql).fetchone()
        return None if row is None or row[0] is None else str(row[0])

    def rows(self, sql: str) -> Iterator[Sequence[str | None]]:
        with self._connection.cursor(name="datong_rows") as cursor:
            cursor.itersize = _ROWS_AT_ONCE
            yield from cursor.execute(sql)

    def write(self, sql: str, out: TableFile) -> None:
        with self._connection.cursor() as cursor:
            with cursor.copy(f"copy ({sql}) to stdout (format csv)") as copy:
                for block in copy:
                    out.write_bytes(block)
            out.rows += cursor.rowcount

    def quote(self, name: str) -> str:
        return names.Identifier(name).as_string(self._connection)

    def text(self, column: SourceColumn) -> str:
        return f"(s.{self.quote(column.name)})::text"

    def literal(self, column: SourceColumn, value: str) -> str:
        return f"{names.Literal(value).as_string(self._connection)}::{column.type}"

    def minus(self, column: SourceColumn, literal: str, look_back: int) -> str:
        match column.shape:
            case CursorShape.TIME:
                return f"({literal} - interval 'PT{look_back}S')"
            case CursorShape.NUMBER:
                return f"({literal}::numeric - {look_back})"
            case _:
                return f"({literal} - {look_back})"


def _connect_failure(target: Target, problem: psycopg.OperationalError) -> Failure:
    text = str(problem)
    if "SSL" in text or "certificate" in text:
        return no_tls(target, text)
    if "FATAL" in text or "authentication" in text:
        return SourceRefused(
            f"{target} refuses the user, password or database.",
            hint_zh=f"{target}不接受该用户、口令或数据库。",
            host=target.host,
            private=text,
        )
    return SourceUnreachable(
        f"{target} does not answer as PostgreSQL does.",
        hint_zh=f"{target}没有按 PostgreSQL 协议应答。",
        host=target.host,
        private=text,
    )


def no_tls(target: Target, private: str) -> SourceRefused:
    """TLS was asked for. The machine's own list of certificate authorities decides; an operator adds one there."""
    return SourceRefused(
        f"{target} offers no TLS with a certificate that this machine trusts for {target.host}.",
        hint_zh=f"{target}没有出示本机信任的证书，无法建立加密连接。",
        host=target.host,
        private=private,
    )


def _statement_failure(problem: psycopg.Error) -> Failure:
    told = problem.diag.message_primary or ""
    if isinstance(problem, psycopg.errors.QueryCanceled):
        return SourceUnreachable("The statement took too long.", hint_zh="查询超时。", private=str(problem))
    if problem.sqlstate is None or isinstance(problem, psycopg.errors.OperatorIntervention):
        return SourceUnreachable("The connection broke.", hint_zh="连接中断。", private=str(problem))
    return SourceRefused(f"The database says: {told}.", hint_zh=f"数据库答复：{told}。", sqlstate=problem.sqlstate)
