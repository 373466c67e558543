"""The tables of an unknown source, each as a relation that DuckDB can scan: files of any form, PostgreSQL, MySQL.

A file's tables are its sheets or an archive's members. A database is read in one read-only transaction, one table after
another, into the work folder; its declared types, keys, foreign keys and comments come along as evidence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

import python_calamine as calamine

from datong.catalog.values import DataContract
from datong.collect.contracts import FileEmpty
from datong.collect.delimited import scan_file
from datong.collect.infer.model import KeyCandidate, LinkCandidate
from datong.collect.infer.profiling import SourceColumn
from datong.collect.readers.archives import choose_members, find_members
from datong.collect.readers.contracts import HeaderNotFound, PlainTable
from datong.collect.readers.source import find_kind, read_source
from datong.collect.sources.contracts import FetchContext
from datong.collect.sources.mysql import MysqlDialect
from datong.collect.sources.postgres import PostgresDialect
from datong.collect.sources.sql import Dialect, Session
from datong.collect.sources.tables import TableFile
from datong.kernel.config import Secret
from datong.kernel.failures import BadInput
from datong.kernel.limits import INFER_ROWS_MAX, INFER_STATEMENT_S_MAX, INFER_TABLES_MAX
from datong.lake.engine import quote_text

SCHEMES = {"postgres": "postgres", "postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql"}
_PERIOD = re.compile(
    r"(19|20)\d{2}年?([-/.]?(0?[1-9]|1[0-2])月?)?|(19|20)\d{2}年?第?[一二三四1-4]季度?|"
    r"[1-4]Q ?(19|20)\d{2}|(19|20)\d{2} ?[-_]?Q[1-4]|Q[1-4] ?(19|20)\d{2}|(0?[1-9]|1[0-2])月|第?[一二三四1-4]季度",
    re.IGNORECASE,
)
"""A year, a month or a quarter, as statistics write them into headers."""
_PERIODS_MIN = 4
_PRIMARY_KEY = re.compile(r"PRIMARY KEY \((?P<columns>[^)]*)\)")
_BACKTICKED = re.compile(r"`([^`]+)`")
_FOREIGN_KEY = re.compile(r"FOREIGN KEY \(`([^`]+)`\) REFERENCES `([^`]+)` \(`([^`]+)`\)")
Progress = Callable[[str, int, int], None]
"""Called as (what is being read, tables done, tables in all)."""


class DatabaseAddressInvalid(BadInput):
    code = "database-address-invalid"
    title, title_zh = "The database's address cannot be read", "数据库地址无法识别"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTable:
    """A table of the source. `relation` stands after FROM; all its columns are texts."""

    name: str
    title: str
    relation: str
    columns: tuple[SourceColumn, ...]
    source: str
    reading: Mapping[str, Any]
    notes: tuple[tuple[str, str], ...] = ()
    keys: tuple[KeyCandidate, ...] = ()
    links: tuple[LinkCandidate, ...] = ()


def is_database(source: str) -> bool:
    return source.partition("://")[0].lower() in SCHEMES and "://" in source


def open_file(path: Path, filename: str, work: Path, progress: Progress) -> Iterator[FoundTable]:
    """The tables of a file. Raises what the readers raise; sheets and members without a table are left out."""
    readings = _readings(path)
    for number, (name, reading) in enumerate(readings):
        progress(name or filename, number, len(readings))
        folder = work / f"table{number}"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            table = read_source(path, scan_file(path), filename, [], reading, folder, exactly=True)
        except (FileEmpty, HeaderNotFound):
            if len(readings) == 1:
                raise
            continue
        turned = _turned(table.source_header, reading)
        if turned is not None:
            table = read_source(path, scan_file(path), filename, [], turned, folder, exactly=True)
        if isinstance(table, PlainTable):
            yield _as_found(table, name or PurePosixPath(filename).stem, filename, turned or reading)


def _turned(header: tuple[str, ...], reading: Mapping[str, Any]) -> dict[str, Any] | None:
    """A wide table, most of whose headers are periods, is read as a long one: one row a series and period."""
    periods = [name for name in header if _PERIOD.fullmatch(name.strip())]
    kept = [name for name in header if name not in periods]
    if len(periods) < _PERIODS_MIN or not kept or len(kept) > len(periods):
        return None
    return {**reading, "unpivot": {"keep": kept, "name": "period", "value": "value"}}


def _readings(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """(name, reading) of each table: one for a plain file, one a sheet of a workbook, one a member of an archive."""
    with path.open("rb") as file:
        head = file.read(8192)
    if head.startswith(b"PK"):
        members = find_members(path)
        if not any(name.startswith("xl/") or name == "content.xml" for name in members):
            names = choose_members(members, "")
            is_map = any(name.lower().endswith(".shp") for name in members)
            return (
                [(PurePosixPath(name).stem, {"member": name}) for name in names]
                if len(names) > 1 and not is_map
                else [("", {})]
            )
    elif head.startswith(b"\x1f\x8b") or find_kind(head, path.name) != "excel":
        return [("", {})]
    try:
        with closing(calamine.CalamineWorkbook.from_path(str(path))) as book:
            sheets = [meta.name for meta in book.sheets_metadata if meta.visible is calamine.SheetVisibleEnum.Visible]
            filled = [name for name in sheets if book.get_sheet_by_name(name).height > 1]
    except calamine.CalamineError:
        return [("", {})]
    return [(name, {"sheet": name}) for name in filled] if len(filled) > 1 else [("", {})]


def _as_found(table: PlainTable, name: str, filename: str, reading: Mapping[str, Any]) -> FoundTable:
    notes = [(note.zh, note.en) for note in table.notes]
    if table.unshaped:
        count, line = len(table.unshaped), table.unshaped[0].line
        notes.append(
            (
                f"{count}行没有表头的字段数，首见第{line}行",
                f"{count} rows lack the header's shape, the first on line {line}",
            )
        )
    header = _distinct(table.source_header)
    return FoundTable(
        name=name,
        title=name,
        relation=_csv_sql(table.path, header),
        columns=tuple(
            SourceColumn(name=unique, title=source) for unique, source in zip(header, table.source_header, strict=True)
        ),
        source=filename,
        reading=dict(reading),
        notes=tuple(notes),
    )


def _distinct(header: tuple[str, ...]) -> list[str]:
    """The header with repeated names told apart, as DuckDB needs them (without regard to case)."""
    seen: set[str] = set()
    names = []
    for name in header:
        unique, number = name, 2
        while unique.casefold() in seen:
            unique, number = f"{name}_{number}", number + 1
        seen.add(unique.casefold())
        names.append(unique)
    return names


def _csv_sql(path: Path, header: list[str]) -> str:
    columns = ", ".join(f"{quote_text(name)}: 'VARCHAR'" for name in header)
    return (
        f"read_csv({quote_text(str(path))}, auto_detect = false, header = true, delim = ',', quote = '\"', "
        f"escape = '\"', new_line = '\\n', max_line_size = 16777216, buffer_size = 33554432, columns = {{{columns}}})"
    )


# Databases --------------------------------------------------------------------------------------------------------


def open_database(address: str, work: Path, progress: Progress) -> Iterator[FoundTable]:
    """The tables and views of a database: `postgres://user:password@host:5432/name?schema=s&table=a&table=b`.

    Raises DatabaseAddressInvalid and the failures of sources: a host that may not be reached, a refused password.
    """
    kind, options, secret, asked = _read_address(address)
    dialect: Dialect = PostgresDialect() if kind == "postgres" else MysqlDialect()
    work.mkdir(parents=True, exist_ok=True)
    context = FetchContext(
        source_id="infer",
        options=options,
        secrets={"password": secret} if secret else {},
        contract=cast("DataContract", None),  # a session reads none
        cursor={},
        seen=b"",
        work=work,
    )
    with dialect.open(context, statement_s=INFER_STATEMENT_S_MAX) as session:
        catalogue = _Catalogue(session, kind, asked)
        names = catalogue.tables()[:INFER_TABLES_MAX]
        for number, (schema, name) in enumerate(names):
            progress(name, number, len(names))
            yield _copy_table(session, catalogue, (schema, name), work / f"table{number}.csv")


def _read_address(address: str) -> tuple[str, dict[str, str], Secret | None, Mapping[str, list[str]]]:
    parts = urlsplit(address)
    kind = SCHEMES.get(parts.scheme.lower(), "")
    database = parts.path.strip("/")
    if not kind or not parts.hostname or not database or not parts.username:
        raise DatabaseAddressInvalid(
            "Write postgres://user:password@host:5432/database, or mysql:// with the same parts.",
            hint_zh="请写成postgres://用户:密码@主机:5432/数据库，或同样形式的mysql://。",
        )
    try:
        port = parts.port
    except ValueError:
        raise DatabaseAddressInvalid("The port is no number.", hint_zh="端口不是数字。") from None
    asked = parse_qs(parts.query)
    options = {"host": parts.hostname, "database": unquote(database), "user": unquote(parts.username)}
    options |= {"port": str(port)} if port else {}
    options |= {"tls": asked["tls"][0]} if "tls" in asked else {}
    return kind, options, Secret(unquote(parts.password)) if parts.password else None, asked


class _Catalogue:
    """What the database says of its tables, from the information schema and, for comments, its own catalogue."""

    def __init__(self, session: Session, kind: str, asked: Mapping[str, list[str]]) -> None:
        self._session, self._kind, self._asked = session, kind, asked

    def tables(self) -> list[tuple[str, str]]:
        hidden = "'information_schema', 'pg_catalog', 'mysql', 'performance_schema', 'sys', 'pg_toast'"
        here = "" if self._kind == "postgres" else " and table_schema = database()"
        rows = self._session.rows(
            "select table_schema, table_name from information_schema.tables "
            f"where table_schema not in ({hidden}){here} order by 1, 2"
        )
        schemas, tables = set(self._asked.get("schema", ())), set(self._asked.get("table", ()))
        found = [(str(row[0]), str(row[1])) for row in rows]
        return [(s, t) for s, t in found if (not schemas or s in schemas) and (not tables or t in tables)]

    def columns(self, schema: str, name: str) -> tuple[SourceColumn, ...]:
        place = f"table_schema = {_text(schema)} and table_name = {_text(name)}"
        if self._kind == "postgres":
            comment = f"coalesce(col_description({self._regclass(schema, name)}, ordinal_position), '')"
        else:
            comment = "column_comment"
        rows = self._session.rows(
            f"select column_name, data_type, {comment} from information_schema.columns where {place} "
            "order by ordinal_position"
        )
        return tuple(
            SourceColumn(
                name=str(row[0]),
                declared_type=str(row[1]),
                title=title_of(str(row[2] or "")),
                comment=str(row[2] or ""),
            )
            for row in rows
        )

    def comment(self, schema: str, name: str) -> str:
        if self._kind == "postgres":
            return self._session.scalar(f"select obj_description({self._regclass(schema, name)})") or ""
        return (
            self._session.scalar(
                "select table_comment from information_schema.tables "
                f"where table_schema = {_text(schema)} and table_name = {_text(name)}"
            )
            or ""
        )

    def key(self, schema: str, name: str) -> tuple[KeyCandidate, ...]:
        """The declared primary key. The information schema hides it from who may only select, so it is not asked."""
        if self._kind == "postgres":
            rows = self._session.rows(
                "select a.attname from pg_constraint c cross join unnest(c.conkey) with ordinality k (attnum, place) "
                "join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.attnum "
                f"where c.contype = 'p' and c.conrelid = {self._regclass(schema, name)} order by k.place"
            )
            columns = tuple(str(row[0]) for row in rows)
        else:
            found = _PRIMARY_KEY.search(self._definition(schema, name))
            columns = tuple(_BACKTICKED.findall(found["columns"])) if found else ()
        return (KeyCandidate(columns=columns, declared=True),) if columns else ()

    def links(self, schema: str, name: str) -> tuple[LinkCandidate, ...]:
        """Declared foreign keys of one column."""
        if self._kind == "postgres":
            rows = self._session.rows(
                "select a.attname, r.relname, b.attname from pg_constraint c join pg_class r on r.oid = c.confrelid "
                "join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1] "
                "join pg_attribute b on b.attrelid = c.confrelid and b.attnum = c.confkey[1] "
                f"where c.contype = 'f' and cardinality(c.conkey) = 1 and c.conrelid = {self._regclass(schema, name)}"
            )
            found = [(str(row[0]), str(row[1]), str(row[2])) for row in rows]
        else:
            found = [(m[1], m[2], m[3]) for m in _FOREIGN_KEY.finditer(self._definition(schema, name))]
        return tuple(
            LinkCandidate(column=own, to_table=table, to_column=other, share=1.0, values=0, declared=True)
            for own, table, other in found
        )

    def _definition(self, schema: str, name: str) -> str:
        """MySQL's own statement for the table; a view has one without keys."""
        row = next(iter(self._session.rows(f"show create table {self._quoted(schema, name)}")), None)
        return str(row[1]) if row else ""

    def _regclass(self, schema: str, name: str) -> str:
        return f"{_text(self._quoted(schema, name))}::regclass"

    def _quoted(self, schema: str, name: str) -> str:
        return f"{self._session.quote(schema)}.{self._session.quote(name)}"

    def base(self, schema: str, name: str) -> str:
        return self._quoted(schema, name)


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'" if "\\" in value else quote_text(value)


def title_of(comment: str) -> str:
    """The first words of a comment, before its explanation: 联系电话（手机优先） → 联系电话."""
    return re.split(r"[,，;；:：(（。\n]", comment.strip(), maxsplit=1)[0].strip()[:50]


def _copy_table(session: Session, catalogue: _Catalogue, place: tuple[str, str], target: Path) -> FoundTable:
    """All rows of a table as texts in the work folder, with what the database says of it."""
    schema, name = place
    base = catalogue.base(schema, name)
    columns = catalogue.columns(schema, name)
    counted = int(session.scalar(f"select count(*) from {base} s") or 0)
    notes: list[tuple[str, str]] = []
    limit = ""
    if counted > INFER_ROWS_MAX:
        notes.append(
            (
                f"表有{counted}行，超过{INFER_ROWS_MAX}行的上限，只读取了结构",
                f"The table has {counted} rows, more than {INFER_ROWS_MAX}; only its structure was read",
            )
        )
        limit = " limit 0"
    described = {column.name: column for column in session.describe(base)}
    texts = ", ".join(session.text(described[column.name]) for column in columns)
    with TableFile(target, [column.name for column in columns]) as out:
        session.write(f"select {texts} from {base} s{limit}", out)
    comment = catalogue.comment(schema, name)
    found = FoundTable(
        name=name,
        title=title_of(comment) or name,
        relation=_csv_sql(target, _distinct(tuple(column.name for column in columns))),
        columns=columns,
        source=f"{session.reached} {schema}.{name}",
        reading={},
        notes=tuple(notes),
        keys=catalogue.key(schema, name),
        links=catalogue.links(schema, name),
    )
    return (
        found
        if not comment
        else replace(found, notes=((f"表注释：{comment}", f"Table comment: {comment}"), *found.notes))
    )
