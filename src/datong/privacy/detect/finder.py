"""Looking at whole columns: one scan for their sizes, one for the kinds that the sizes allow. Never a sample."""

# ruff: noqa: S608 - names go through quote_name, the relation is the caller's

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb

from datong.catalog.words import Mask
from datong.kernel.limits import DETECT_COLUMNS_AT_ONCE, DETECT_SAMPLES_MAX
from datong.lake.engine import quote_name
from datong.privacy.detect.expressions import NAMED_TESTS, TESTS, embedded_sql, embedded_value_sql
from datong.privacy.detect.kinds import EMBEDDED, EMBEDDED_SHARE_MIN, KINDS
from datong.privacy.detect.model import ColumnSeen, Kind, Role, SensitiveColumn
from datong.privacy.masks import MASKS

_LENGTHS = {
    "resident_id": (15, 18),
    "mobile": (11, 16),
    "landline": (7, 24),
    "bank_card": (16, 23),
    "passport": (9, 9),
    "hk_mo_permit": (8, 13),
    "plate": (7, 10),
    "email": (6, 254),
    "ip": (3, 39),
    "mac": (17, 17),
    "address": (6, 200),
    "person_name": (2, 20),
    "birth_date": (4, 24),
    "coordinates": (1, 80),
    "uscc": (18, 18),
}
"""Characters that a value of the kind may have; a column wholly outside is not tested for it."""
_EMBEDDED_CHARACTERS_MIN = 11
"""A shorter text holds a mobile number at the most, and then it is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    values: int
    shortest: int
    longest: int
    distinct: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Test:
    """One count to take: of the values of a column that pass for a kind."""

    column: ColumnSeen
    kind: Kind
    expression: str
    sample: str
    by_name: bool
    is_embedded: bool = False


def detect_columns(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[ColumnSeen]
) -> tuple[SensitiveColumn, ...]:
    """What sensitive data the columns of a relation hold, the likeliest kind first per column.

    `relation` is SQL that can stand after FROM: a table, a view, a table function or a query in brackets. All rows are
    read, in two scans. A column may be of several kinds (a remark with phone numbers and identity numbers).
    """
    found: list[SensitiveColumn] = []
    for start in range(0, len(columns), DETECT_COLUMNS_AT_ONCE):
        some = columns[start : start + DETECT_COLUMNS_AT_ONCE]
        sizes = _measure(connection, relation, some)
        tests = [test for column in some for test in _plan(column, sizes[column.name])]
        found += _decide(connection, relation, tests, sizes)
    place = {column.name: number for number, column in enumerate(columns)}
    found += [_named(column, kind) for column in columns for kind in KINDS.values() if _is_named_only(column, kind)]
    return tuple(sorted(_settle(found), key=lambda each: (place[each.column], -each.confidence)))


def names_kind(column: ColumnSeen, kind: Kind) -> bool:
    """Whether the column's name, title or comment speaks for a kind."""
    return any(re.search(kind.names, _spaced(text)) for text in (column.name, column.title, column.comment) if text)


def _spaced(text: str) -> str:
    """fooBar → foo_bar, lower case: word ends are then where expressions look for them."""
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text).lower()


def _denies(column: ColumnSeen, kind: Kind) -> bool:
    return bool(kind.not_names) and any(
        re.search(kind.not_names, _spaced(text)) for text in (column.name, column.title) if text
    )


def _text(column: ColumnSeen) -> str:
    return f"trim({quote_name(column.name)}::varchar)"


def _measure(connection: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[ColumnSeen]) -> dict[str, _Size]:
    parts = []
    for column in columns:
        text = f"nullif({_text(column)}, '')"
        parts += [f"count({text})", f"min(length({text}))", f"max(length({text}))", f"approx_count_distinct({text})"]
    row = connection.execute(f"select {', '.join(parts)} from {relation}").fetchone() or ()
    return {
        column.name: _Size(
            values=int(row[4 * i] or 0),
            shortest=int(row[4 * i + 1] or 0),
            longest=int(row[4 * i + 2] or 0),
            distinct=int(row[4 * i + 3] or 0),
        )
        for i, column in enumerate(columns)
    }


def _plan(column: ColumnSeen, size: _Size) -> list[_Test]:
    tests: list[_Test] = []
    if not size.values:
        return tests
    text = _text(column)
    for code, expression in TESTS.items():
        kind = KINDS[code]
        low, high = _LENGTHS[code]
        by_name = names_kind(column, kind)
        if size.longest < low or size.shortest > high or (_denies(column, kind) and not by_name):
            continue
        if code == "birth_date" and not by_name:
            continue
        build = NAMED_TESTS.get(code, expression) if by_name else expression
        tests.append(_Test(column=column, kind=kind, expression=build(text), sample=text, by_name=by_name))
    if size.longest > _EMBEDDED_CHARACTERS_MIN:
        tests += [
            _Test(
                column=column,
                kind=KINDS[code],
                expression=embedded_sql(code, text),
                sample=embedded_value_sql(code, text),
                by_name=False,
                is_embedded=True,
            )
            for code in EMBEDDED
        ]
    return tests


def _count(connection: duckdb.DuckDBPyConnection, relation: str, tests: Sequence[_Test]) -> list[int]:
    """Per test: how many rows pass. One scan."""
    if not tests:
        return []
    counts = ", ".join(f"count_if({test.expression})" for test in tests)
    row = connection.execute(f"select {counts} from {relation}").fetchone() or ()
    return [int(count or 0) for count in row]


def _examples(connection: duckdb.DuckDBPyConnection, relation: str, test: _Test) -> tuple[str, ...]:
    """A few values that pass, masked; the scan ends with the last of them."""
    rows = connection.execute(
        f"select {test.sample} from {relation} where {test.expression} limit {DETECT_SAMPLES_MAX}"
    ).fetchall()
    mask = MASKS[test.kind.mask].apply if test.kind.mask is not Mask.NONE else str
    return tuple(dict.fromkeys(mask(str(row[0])) for row in rows))


def _decide(
    connection: duckdb.DuckDBPyConnection, relation: str, tests: Sequence[_Test], sizes: Mapping[str, _Size]
) -> list[SensitiveColumn]:
    found = []
    for test, matched in zip(tests, _count(connection, relation, tests), strict=True):
        kind, size = test.kind, sizes[test.column.name]
        share = matched / size.values
        least = EMBEDDED_SHARE_MIN if test.is_embedded else kind.share_named if test.by_name else kind.share_min
        if not matched or share < least:
            continue
        if not test.by_name and not test.is_embedded and size.distinct < kind.distinct_min:
            continue
        confidence = 0.6 + 0.39 * share if test.by_name else 0.5 * share + (0.3 if test.is_embedded else 0.4)
        found.append(
            replace(
                _named(test.column, kind),
                values=size.values,
                matched=matched,
                by_name=test.by_name,
                is_embedded=test.is_embedded,
                mask=Mask.ALL if test.is_embedded else kind.mask,
                identifier=kind.identifier.value if kind.identifier and not test.is_embedded else "",
                samples=_examples(connection, relation, test),
                confidence=round(confidence, 2),
            )
        )
    return found


def _is_named_only(column: ColumnSeen, kind: Kind) -> bool:
    return not kind.reads_values and names_kind(column, kind)


def _named(column: ColumnSeen, kind: Kind) -> SensitiveColumn:
    """What the name alone says."""
    return SensitiveColumn(
        column=column.name,
        kind=kind.code,
        title_zh=kind.title_zh,
        title_en=kind.title_en,
        role=kind.role,
        grade=kind.grade,
        mask=kind.mask,
        is_sensitive=kind.is_sensitive,
        identifier="",
        values=0,
        matched=0,
        by_name=True,
        is_embedded=False,
        samples=(),
        confidence=0.6,
    )


_BEATS = {
    "uscc": ("bank_card", "resident_id"),
    "resident_id": ("bank_card",),
    "mobile": ("landline", "bank_card"),
    "hk_mo_permit": ("passport",),
    "address": ("person_name",),
    "coordinates": ("ip",),
}


def _settle(found: Sequence[SensitiveColumn]) -> list[SensitiveColumn]:
    """Of kinds whose values look alike, the one with more of them; what stands whole is not told as embedded too."""
    by_column: dict[str, list[SensitiveColumn]] = {}
    for each in found:
        by_column.setdefault(each.column, []).append(each)
    kept = []
    for group in by_column.values():
        whole = {each.kind: each.share for each in group if not each.is_embedded}
        for each in group:
            if each.is_embedded and each.kind in whole:
                continue
            beaten = any(
                each.kind in losers and whole.get(winner, -1) >= each.share for winner, losers in _BEATS.items()
            )
            if not beaten or each.is_embedded:
                kept.append(each)
    return kept


def is_personal(found: Sequence[SensitiveColumn]) -> bool:
    """Whether a table with these findings is about persons: it holds a direct identifier of one."""
    return any(each.role is Role.DIRECT for each in found)
