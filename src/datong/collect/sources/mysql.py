"""MySQL and MariaDB. Rows come through an unbuffered cursor, as the texts of the text protocol."""

from __future__ import annotations

import ssl
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pymysql
from pymysql.constants import CR, ER, FIELD_TYPE, FLAG
from pymysql.cursors import Cursor, SSCursor

from datong.collect.sources.contracts import FetchContext, SourceRefused, SourceUnreachable
from datong.collect.sources.guard import Target, find_target, open_socket
from datong.collect.sources.postgres import no_tls
from datong.collect.sources.sql import CursorShape, SourceColumn
from datong.collect.sources.tables import TableFile
from datong.kernel import clock
from datong.kernel.failures import Failure
from datong.kernel.limits import SOURCE_CONNECT_S_MAX

_NUMBERS = frozenset(
    {FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.LONG, FIELD_TYPE.INT24, FIELD_TYPE.LONGLONG, FIELD_TYPE.NEWDECIMAL}
)
_TEXTS = frozenset({FIELD_TYPE.VAR_STRING, FIELD_TYPE.STRING, FIELD_TYPE.VARCHAR})
_TYPE_NAMES = {code: name.lower() for name, code in vars(FIELD_TYPE).items() if isinstance(code, int)}
_FLOAT = "float"
_ROWS_AT_ONCE = 5000
_BINARY_CHARSET = 63
_UNREACHABLE = frozenset({CR.CR_SERVER_LOST, CR.CR_SERVER_GONE_ERROR, CR.CR_CONN_HOST_ERROR})
_TOO_LONG = frozenset({1969, 3024})
"""ER_STATEMENT_TIMEOUT of MariaDB, ER_QUERY_TIMEOUT of MySQL."""


class MysqlDialect:
    name = "mysql"
    port = 3306

    @contextmanager
    def open(self, context: FetchContext, *, statement_s: int) -> Iterator[MysqlSession]:
        options = context.options
        target = find_target(options["host"], int(options.get("port") or self.port))
        try:
            connection = _connect(context, target, statement_s)
        except pymysql.Error as problem:
            raise _failure(problem, target) from None
        try:
            yield MysqlSession(connection, target)
        except pymysql.Error as problem:
            raise _failure(problem, target) from None
        finally:
            if connection.open:
                connection.close()


def _connect(context: FetchContext, target: Target, statement_s: int) -> Any:
    options, secret = context.options, context.secrets.get("password")
    tls = options.get("tls", "prefer")
    connection = pymysql.Connection(
        host=target.host,
        port=target.port,
        user=options["user"],
        password=secret.reveal().encode() if secret else b"",  # a str would be sent as latin-1
        database=options["database"],
        charset="utf8mb4",
        conv={},
        connect_timeout=SOURCE_CONNECT_S_MAX,
        read_timeout=statement_s + SOURCE_CONNECT_S_MAX,
        local_infile=False,
        ssl=ssl.create_default_context() if tls == "verify" else None,
        ssl_disabled=tls == "off",
        autocommit=True,
        defer_connect=True,
    )
    connection.connect(open_socket(target))
    with connection.cursor() as cursor:
        is_mariadb = "mariadb" in _version(connection).lower()
        cursor.execute(
            f"set session max_statement_time = {statement_s}"
            if is_mariadb
            else f"set session max_execution_time = {statement_s * 1000}"
        )
        cursor.execute("set session time_zone = '+08:00'")
        cursor.execute("set session transaction isolation level repeatable read")
        cursor.execute("start transaction with consistent snapshot, read only")
    return connection


class MysqlSession:
    def __init__(self, connection: Any, target: Target) -> None:
        self._connection = connection
        self._floats: frozenset[str] = frozenset()
        self.reached = str(target)
        version = _version(connection)
        self.product = f"MariaDB {version}" if "mariadb" in version.lower() else f"MySQL {version}"

    def describe(self, base: str) -> list[SourceColumn]:
        with self._connection.cursor(Cursor) as cursor:
            cursor.execute(f"select * from {base} s limit 0")
            fields = cursor._result.fields
        self._floats = frozenset(field.name for field in fields if field.type_code == FIELD_TYPE.FLOAT)
        return [
            SourceColumn(name=field.name, type=_TYPE_NAMES.get(field.type_code, ""), shape=_shape(field))
            for field in fields
        ]

    def clock_skew_s(self) -> float | None:
        there = self.scalar("select unix_timestamp(now(6))")
        return None if there is None else float(there) - clock.now().timestamp()

    def scalar(self, sql: str) -> str | None:
        with self._connection.cursor(Cursor) as cursor:
            cursor.execute(sql)
            row = cursor.fetchone()
        return None if row is None else _text(row[0])

    def rows(self, sql: str) -> Iterator[Sequence[str | None]]:
        with self._connection.cursor(SSCursor) as cursor:
            cursor.execute(sql)
            floats = [at for at, field in enumerate(cursor._result.fields) if field.name in self._floats]
            while block := cursor.fetchmany(_ROWS_AT_ONCE):
                for row in block:
                    values = [_text(value) for value in row]
                    for at in floats:
                        values[at] = _shortest(values[at])
                    yield values

    def write(self, sql: str, out: TableFile) -> None:
        for row in self.rows(sql):
            out.write(row)

    def quote(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def text(self, column: SourceColumn) -> str:
        return f"s.{self.quote(column.name)}" if column.type != _FLOAT else f"(s.{self.quote(column.name)} + 0e0)"

    def literal(self, column: SourceColumn, value: str) -> str:
        quoted = str(self._connection.escape(value))
        match column.shape:
            case CursorShape.NUMBER:
                return f"cast({quoted} as decimal(65, 30))" if "." in value else str(int(value))
            case CursorShape.TIME:
                return f"cast({quoted} as datetime(6))"
            case CursorShape.DATE:
                return f"cast({quoted} as date)"
            case _:
                return quoted

    def minus(self, column: SourceColumn, literal: str, look_back: int) -> str:
        match column.shape:
            case CursorShape.TIME:
                return f"({literal} - interval {look_back} second)"
            case CursorShape.DATE:
                return f"({literal} - interval {look_back} day)"
            case _:
                return f"(cast({literal} as decimal(65, 30)) - {look_back})"


def _version(connection: Any) -> str:
    """MariaDB puts 5.5.5- before its own version, for old clients."""
    return str(connection.get_server_info()).removeprefix("5.5.5-")


def _shape(field: Any) -> CursorShape:
    if field.type_code in _NUMBERS:
        return CursorShape.NUMBER
    if field.type_code in {FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP}:
        return CursorShape.TIME
    if field.type_code in {FIELD_TYPE.DATE, FIELD_TYPE.NEWDATE}:
        return CursorShape.DATE
    if field.type_code in _TEXTS and not (field.flags & FLAG.BINARY and field.charsetnr == _BINARY_CHARSET):
        return CursorShape.TEXT
    return CursorShape.OTHER


def _text(value: Any) -> str | None:
    """The protocol's text; binary columns as PostgreSQL writes them, `\\x` and hexadecimal digits."""
    if value is None or isinstance(value, str):
        return value
    return "\\x" + bytes(value).hex()


def _shortest(text: str | None) -> str | None:
    """A FLOAT sent as its double, in the fewest digits that give the same FLOAT back; the server's own text has six."""
    if text is None:
        return None
    value = float(text)
    exact = struct.pack("<f", value)
    return next(
        (short for digits in range(6, 10) if struct.pack("<f", float(short := f"{value:.{digits}g}")) == exact), text
    )


def _failure(problem: pymysql.Error, target: Target) -> Failure:
    code, told = (problem.args[0], str(problem.args[-1])) if problem.args else (0, "")
    if code == CR.CR_SSL_CONNECTION_ERROR or "certificate" in told.lower():
        return no_tls(target, told)
    if code in _TOO_LONG:
        return SourceUnreachable("The statement took too long.", hint_zh="查询超时。", private=str(problem))
    if code in _UNREACHABLE or isinstance(problem, pymysql.err.InterfaceError):
        return SourceUnreachable(f"The connection to {target} broke.", hint_zh=f"与{target}的连接中断。", private=told)
    if code in {ER.ACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR, ER.BAD_DB_ERROR}:
        return SourceRefused(
            f"{target} refuses the user, password or database.",
            hint_zh=f"{target}不接受该用户、口令或数据库。",
            private=told,
        )
    return SourceRefused(f"The database says: {told}.", hint_zh=f"数据库答复：{told}。", error=code)
