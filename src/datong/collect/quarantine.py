"""The quarantine of a resource: a table in the agency's lake, `<resource>__quarantine`, one row per refused record.

It is written in the same DuckLake transaction as the accepted rows. Only a run that makes no version (nothing
accepted, or nothing new) writes it alone, replacing whatever an earlier try of the same run left.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from difflib import SequenceMatcher
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

import duckdb
import orjson

from datong.collect.contracts import QuarantinedRow
from datong.kernel.limits import COLLECT_SUGGESTIONS_MAX
from datong.lake.tables import qualify
from datong.quality.contracts import CheckKind
from datong.quality.sql import text_sql
from datong.standards.identifiers import (
    LOOK_ALIKES,
    IdentifierFinding,
    check_org_code,
    check_resident_id,
    check_uscc,
)

_FINDERS: dict[str, Callable[[str], IdentifierFinding | None]] = {
    CheckKind.USCC.value: check_uscc,
    CheckKind.RESIDENT_ID.value: check_resident_id,
    CheckKind.ORG_CODE.value: check_org_code,
}
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
CSV_COLUMNS = ("line", "column", "rule", "reason")


def quarantine_table(table: str) -> str:
    return f"{table}__quarantine"


def write_rows(connection: duckdb.DuckDBPyConnection, table: str, run_id: str, source: Path | None) -> None:
    """Put a run's refused rows into the quarantine, inside the caller's transaction; a second time changes nothing."""
    name = qualify(quarantine_table(table))
    connection.execute(
        f"create table if not exists {name} (run_id varchar, line bigint, column_name varchar, rule varchar, "
        "reason_zh varchar, reason_en varchar, value varchar, others varchar[], fields varchar)"
    )
    connection.execute(f"delete from {name} where run_id = ?", [run_id])
    if source is not None:
        connection.execute(
            f"insert into {name} select {text_sql(run_id)}, line, column_name, rule, reason_zh, reason_en, value, "
            f"others, fields from read_parquet({text_sql(str(source))})"
        )


def read_rows(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    run_id: str,
    header: tuple[str, ...],
    *,
    titles: Mapping[str, str] = MappingProxyType({}),
    rule: str = "",
    after_line: int = 0,
    rows_max: int | None = None,
) -> Iterator[QuarantinedRow]:
    """Refused rows in the file's order; the first COLLECT_SUGGESTIONS_MAX of them say what was probably meant.

    `titles` are the columns' English titles, for the English reasons.
    """
    query = (
        "select line, column_name, rule, reason_zh, reason_en, value, others, fields "
        f"from {qualify(quarantine_table(table))} where run_id = ? and line > ?"
    )
    values: list[object] = [run_id, after_line]
    if rule:
        query += " and rule = ?"
        values.append(rule)
    query += " order by line"
    if rows_max is not None:
        query += f" limit {int(rows_max)}"
    try:
        connection.execute(query, values)
    except duckdb.CatalogException:
        return
    told = 0
    while rows := connection.fetchmany(1000):
        for line, column, broken, zh, en, value, others, fields in rows:
            finding = find_near_miss(broken, value) if told < COLLECT_SUGGESTIONS_MAX else None
            told += finding is not None
            suggestion = explain_suggestion(value, finding) if finding else ("", "")
            yield QuarantinedRow(
                line=line,
                column=column,
                rule=broken,
                reason_zh=finding.message_zh if finding else zh,
                reason_en=f"{titles.get(column, column)} {finding.message_en}"
                if finding
                else name_by_title(en, column, titles),
                value=value,
                suggestion_zh=suggestion[0],
                suggestion_en=suggestion[1],
                others=tuple(others),
                row=_name_fields(header, orjson.loads(fields)),
            )


def name_by_title(reason: str, column: str, titles: Mapping[str, str]) -> str:
    """An English reason that begins with the column's name, with its English title in the name's place."""
    title = titles.get(column)
    return title + reason[len(column) :] if title and column and reason.startswith(column) else reason


def _name_fields(header: tuple[str, ...], fields: list[str | None]) -> dict[str, str | None]:
    """The row under its file's names; surplus fields are called +1, +2…"""
    row = dict(zip(header, fields, strict=False))
    row |= {f"+{i}": value for i, value in enumerate(fields[len(header) :], 1)}
    return row


def find_near_miss(rule: str, value: str | None) -> IdentifierFinding | None:
    """What exactly is wrong with a refused identifier, and the one near value that passes."""
    finder = _FINDERS.get(rule.rpartition(".")[2])
    return finder(value) if finder and value else None


def explain_suggestion(value: str, finding: IdentifierFinding) -> tuple[str, str]:
    """The suggestion in words: which character, which two exchanged. ("", "") when there is none."""
    better = finding.suggestion
    if not better:
        return "", ""
    if len(better) != len(value):
        return f"可能是{better}", f"perhaps {better}"
    places = [i for i, (a, b) in enumerate(zip(value, better, strict=True)) if a != b]
    if len(places) == 1:
        place = places[0]
        wrong, right = value[place], better[place]
        if LOOK_ALIKES.get(wrong.upper()) == right:
            return f"{wrong}改为{right}后相符，可直接采用", f"{wrong} read for {right}: with it the value passes"
        return f"第{place + 1}位疑似录错，改为{right}后相符", f"position {place + 1} is probably {right}"
    if len(places) == 2 and places[1] == places[0] + 1 and value[places[0]] == better[places[1]]:
        return (
            f"第{places[0] + 1}、{places[1] + 1}位疑似颠倒，换位后相符",
            f"positions {places[0] + 1} and {places[1] + 1} are probably exchanged",
        )
    changed = sum(b.size for b in SequenceMatcher(None, value, better).get_matching_blocks())
    return f"可能是{better}（{len(value) - changed}处不同）", f"perhaps {better}"


def write_csv(rows: Iterator[QuarantinedRow], header: tuple[str, ...], out: TextIO, *, spreadsheet_safe: bool) -> int:
    """One line per refused row: source line, column, rule, reason, the row as it came, the suggestion; how many.

    `spreadsheet_safe` puts an apostrophe before a cell that a spreadsheet would take for a formula (OWASP, CSV
    injection); off, the row is exactly as it came.
    """
    writer = csv.writer(out)
    writer.writerow([*CSV_COLUMNS, *header, "suggestion"])
    count = 0
    for row in rows:
        fields = ["" if row.row.get(name) is None else str(row.row[name]) for name in header]
        surplus = [str(value or "") for name, value in row.row.items() if name not in header]
        if spreadsheet_safe:
            fields = [f"'{field}" if field.startswith(_FORMULA_STARTS) else field for field in fields]
        writer.writerow([row.line, row.column, row.rule, row.reason_zh, *fields, row.suggestion_zh, *surplus])
        count += 1
    return count
