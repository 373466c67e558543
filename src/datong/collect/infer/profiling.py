"""Measuring a table: every row, in one scan for all columns and one for what the first leaves open.

A type is what all values have, or all but 0.5 %; the exceptions are counted and one is shown. Never the first rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from datong.catalog.words import LogicalType
from datong.collect.infer.model import NULL_WORDS, SURE_NULL_WORDS, ColumnProfile, TypeGuess
from datong.kernel.limits import INFER_COLUMNS_AT_ONCE, INFER_VALUES_SHOWN_MAX, INFER_WORDS_MAX
from datong.lake.engine import quote_name, quote_text

FAILING_SHARE_MAX = 0.005
_DAYS = {
    "yyyy-MM-dd": (r"\d{4}-\d{2}-\d{2}( 00:00:00([.]0+)?)?", "%Y-%m-%d", 10),
    "yyyy/MM/dd": (r"\d{4}/\d{2}/\d{2}", "%Y/%m/%d", 0),
    "yyyy/M/d": (r"\d{4}/\d{1,2}/\d{1,2}", "%Y/%m/%d", 0),
    "yyyy.MM.dd": (r"\d{4}[.]\d{2}[.]\d{2}", "%Y.%m.%d", 0),
    "yyyyMMdd": (r"(18|19|20|21)\d{6}", "%Y%m%d", 0),
    "yyyy年M月d日": (r"\d{4}年\d{1,2}月\d{1,2}日", "%Y年%m月%d日", 0),
    "yyyy-MM": (r"(18|19|20|21)\d{2}-\d{2}", "%Y-%m", 0),
    "yyyyMM": (r"(18|19|20|21)\d{4}", "%Y%m", 0),
    "yyyy年M月": (r"\d{4}年\d{1,2}月", "%Y年%m月", 0),
}
_TIMES = {
    "yyyy-MM-dd HH:mm:ss": (
        r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}([.]\d+)?([+]\d{2}(:?\d{2})?)?",
        "%Y-%m-%d %H:%M:%S",
        19,
    ),
    "yyyy-MM-dd'T'HH:mm:ss": (
        r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}([.]\d+)?(Z|[+]\d{2}:?\d{2})?",
        "%Y-%m-%dT%H:%M:%S",
        19,
    ),
    "yyyy/MM/dd HH:mm:ss": (r"\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}", "%Y/%m/%d %H:%M:%S", 0),
    "yyyy-MM-dd HH:mm": (r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}", "%Y-%m-%d %H:%M", 0),
    "yyyyMMddHHmmss": (r"(18|19|20|21)\d{12}", "%Y%m%d%H%M%S", 0),
}
_INTEGER = r"[-+]?\d{1,18}"
_NUMBER = r"[-+]?(\d{1,20}([.]\d*)?|[.]\d+)([eE][-+]?\d{1,3})?"
_ZEROS = r"[-+]?0\d.*"
_BOOLEANS = ("true", "false", "是", "否")
_SHAPES = (("[0-9]", "9"), ("[A-Z]", "A"), ("[a-z]", "a"), (r"[\x{3400}-\x{9FFF}]", "汉"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceColumn:
    """A column as the source tells of it."""

    name: str
    title: str = ""
    comment: str = ""
    declared_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counts:
    """The first scan of one column."""

    values: int
    words: int
    sure_words: int
    distinct: int
    length_min: int
    length_max: int
    integers: int
    numbers: int
    zeros: int
    booleans: int
    dates: Mapping[str, int]
    shape: str


def profile_table(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[SourceColumn]
) -> tuple[int, tuple[ColumnProfile, ...]]:
    """Rows, and a profile per column."""
    row = connection.execute(f"select count(*) from {relation}").fetchone()
    rows = int(row[0]) if row else 0
    profiles: list[ColumnProfile] = []
    for start in range(0, len(columns), INFER_COLUMNS_AT_ONCE):
        some = columns[start : start + INFER_COLUMNS_AT_ONCE]
        counts = _count(connection, relation, some)
        profiles += _measure(connection, relation, some, counts, rows)
    return rows, tuple(profiles)


def text_sql(column: str, words: Sequence[str] = ()) -> str:
    """The trimmed text of a cell, NULL where it is empty or one of the words for nothing."""
    text = f"nullif(trim({quote_name(column)}::varchar), '')"
    if not words:
        return text
    return f"case when {text} not in ({', '.join(map(quote_text, words))}) then {text} end"


def _count(connection: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[SourceColumn]) -> list[_Counts]:
    forms = {**_DAYS, **_TIMES}
    parts: list[str] = []
    for column in columns:
        text, bare = text_sql(column.name), text_sql(column.name, NULL_WORDS)
        shape = bare
        for pattern, letter in _SHAPES:
            shape = f"regexp_replace({shape}, '{pattern}', '{letter}', 'g')"
        parts += [
            f"count({text})",
            f"count({text}) - count({bare})",
            f"count({text}) - count({text_sql(column.name, SURE_NULL_WORDS)})",
            f"approx_count_distinct({bare})",
            f"min(length({bare}))",
            f"max(length({bare}))",
            f"count_if(regexp_full_match({bare}, '{_INTEGER}'))",
            f"count_if(regexp_full_match({bare}, '{_NUMBER}'))",
            f"count_if(regexp_full_match({bare}, '{_ZEROS}') and not regexp_full_match({bare}, '[-+]?0[.].*'))",
            f"count_if(lower({bare}) in ({', '.join(map(quote_text, _BOOLEANS))}))",
            f"case when min({shape}) = max({shape}) then min({shape}) end",
        ]
        parts += [
            f"count_if(case when regexp_full_match({bare}, '{pattern}') then "
            f"try_strptime({f'left({bare}, {cut})' if cut else bare}, '{form}') is not null else false end)"
            for pattern, form, cut in forms.values()
        ]
    row = connection.execute(f"select {', '.join(parts)} from {relation}").fetchone() or ()
    width = 11 + len(forms)
    return [_as_counts(row[i * width : (i + 1) * width], list(forms)) for i in range(len(columns))]


def _as_counts(cells: Sequence[Any], forms: Sequence[str]) -> _Counts:
    numbers = [int(cell or 0) for cell in (*cells[:10], *cells[11:])]
    return _Counts(
        values=numbers[0],
        words=numbers[1],
        sure_words=numbers[2],
        distinct=numbers[3],
        length_min=numbers[4],
        length_max=numbers[5],
        integers=numbers[6],
        numbers=numbers[7],
        zeros=numbers[8],
        booleans=numbers[9],
        dates=dict(zip(forms, numbers[10:], strict=True)),
        shape=str(cells[10] or ""),
    )


def _guess(counts: _Counts) -> TypeGuess:
    """The narrowest type that (nearly) all values have. Leading zeros keep a number a text."""
    total = counts.values - counts.words
    most = int(total * FAILING_SHARE_MAX)
    if not total:
        return TypeGuess(logical_type=LogicalType.STRING)
    if counts.booleans == total:
        return TypeGuess(logical_type=LogicalType.BOOLEAN)
    format_found = max(counts.dates, key=lambda form: counts.dates[form])
    dates = counts.dates[format_found]
    is_compact = format_found in ("yyyyMMdd", "yyyyMM", "yyyyMMddHHmmss")
    if total - dates <= (0 if is_compact else most) and not (is_compact and counts.distinct < 2):
        kind = LogicalType.TIMESTAMP if format_found in _TIMES else LogicalType.DATE
        return TypeGuess(logical_type=kind, date_format=format_found, failing=total - dates)
    if total - counts.numbers <= most and not counts.zeros:
        is_whole = total - counts.integers <= most and counts.numbers - counts.integers <= 0
        kind = LogicalType.INTEGER if is_whole else LogicalType.NUMBER
        return TypeGuess(logical_type=kind, failing=total - counts.numbers)
    return TypeGuess(logical_type=LogicalType.STRING)


def _measure(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    columns: Sequence[SourceColumn],
    counts: Sequence[_Counts],
    rows: int,
) -> list[ColumnProfile]:
    """The second scan: range, quartiles, common values, in the type that was found."""
    parts: list[str] = []
    guesses = [_guess(count) for count in counts]
    for column, guess in zip(columns, guesses, strict=True):
        text = text_sql(column.name, _words(guess))
        typed = _typed_sql(text, guess)
        number = f"try_cast({text} as double)" if guess.logical_type in _NUMERIC else "null::double"
        parts += [
            f"min({typed})::varchar",
            f"max({typed})::varchar",
            f"approx_quantile({number}, [0.25, 0.5, 0.75])",
            f"max(case when {text} not ilike '%e%' then length(rtrim(split_part({text}, '.', 2), '0')) end)",
            f"approx_top_k({text}, {INFER_VALUES_SHOWN_MAX})",
            f"count({text})",
        ]
    row = connection.execute(f"select {', '.join(parts)} from {relation}").fetchone() or ()
    profiles = []
    for i, (column, count, guess) in enumerate(zip(columns, counts, guesses, strict=True)):
        low, high, quartiles, scale, top, values = row[6 * i : 6 * i + 6]
        profile = ColumnProfile(
            name=column.name,
            title=column.title,
            comment=column.comment,
            declared_type=column.declared_type,
            values=int(values),
            nulls=rows - int(values),
            null_words=(),
            distinct=count.distinct,
            distinct_is_exact=False,
            guess=guess,
            length_min=count.length_min,
            length_max=count.length_max,
            has_leading_zeros=count.zeros > 0,
            minimum=str(low if low is not None else ""),
            maximum=str(high if high is not None else ""),
            quartiles=tuple(round(value, 4) for value in quartiles or () if value is not None),
            scale=int(scale or 0) if guess.logical_type is LogicalType.NUMBER else 0,
            shape=count.shape,
            top=tuple((str(value), 0) for value in top or ()),
        )
        has_words = count.words if guess.logical_type is not LogicalType.STRING else count.sure_words
        profiles.append(_look_closer(connection, relation, profile, has_words=bool(has_words)))
    return profiles


_NUMERIC = (LogicalType.INTEGER, LogicalType.NUMBER)


def _words(guess: TypeGuess) -> tuple[str, ...]:
    return NULL_WORDS if guess.logical_type is not LogicalType.STRING else SURE_NULL_WORDS


def _typed_sql(text: str, guess: TypeGuess) -> str:
    if guess.logical_type is LogicalType.INTEGER:
        return f"try_cast({text} as hugeint)"
    if guess.logical_type is LogicalType.NUMBER:
        return f"try_cast({text} as double)"
    if guess.date_format:
        _, form, cut = {**_DAYS, **_TIMES}[guess.date_format]
        kind = "date" if guess.logical_type is LogicalType.DATE else "timestamp"
        return f"try_strptime({f'left({text}, {cut})' if cut else text}, '{form}')::{kind}"
    return text


def typed_text_sql(profile: ColumnProfile) -> str:
    """The column's values in the type that was found, NULL where one does not have it."""
    return _typed_sql(text_sql(profile.name, _words(profile.guess)), profile.guess)


def _look_closer(
    connection: duckdb.DuckDBPyConnection, relation: str, profile: ColumnProfile, *, has_words: bool
) -> ColumnProfile:
    """What only some columns need: the words for nothing, a failing value, the counts of common values, few values."""
    bare = text_sql(profile.name, _words(profile.guess))
    if has_words:
        text = text_sql(profile.name)
        words = ", ".join(map(quote_text, _words(profile.guess)))
        found = connection.execute(f"select distinct {text} from {relation} where {text} in ({words})").fetchall()
        profile = replace(profile, null_words=tuple(sorted(str(row[0]) for row in found)))
    if profile.guess.failing:
        typed = _typed_sql(bare, profile.guess)
        row = connection.execute(
            f"select {bare} from {relation} where {bare} is not null and {typed} is null limit 1"
        ).fetchone()
        profile = replace(profile, guess=replace(profile.guess, example=str(row[0]) if row else ""))
    if profile.distinct <= 2 * INFER_WORDS_MAX:
        counted = connection.execute(
            f"select {bare} as v, count(*) from {relation} where {bare} is not null group by v order by 2 desc, v"
        ).fetchall()
        values = tuple(str(row[0]) for row in counted)
        profile = replace(
            profile,
            distinct=len(values),
            distinct_is_exact=True,
            few=values if len(values) <= INFER_WORDS_MAX else (),
            top=tuple((str(value), int(count)) for value, count in counted[:INFER_VALUES_SHOWN_MAX]),
        )
    return profile


def sample_values(
    connection: duckdb.DuckDBPyConnection, relation: str, profile: ColumnProfile, count: int
) -> list[str]:
    """Distinct values spread over the whole table, the same ones every time."""
    if profile.few:
        return list(profile.few)
    bare = text_sql(profile.name, _words(profile.guess))
    rows = connection.execute(
        f"select v from (select distinct {bare} as v from {relation}) "
        f"where v is not null order by hash(v) limit {count}"
    ).fetchall()
    return [str(row[0]) for row in rows]
