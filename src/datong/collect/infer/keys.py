"""Candidate keys of a table, and values that stand in another table's key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import prod

import duckdb

from datong.catalog.words import LogicalType
from datong.collect.infer.model import ColumnProfile, KeyCandidate, LinkCandidate
from datong.collect.infer.profiling import text_sql
from datong.kernel.limits import INFER_KEY_COLUMNS_MAX, INFER_KEYS_TRIED_MAX
from datong.lake.engine import quote_name

_KEY_LENGTH_MAX = 200
_ESTIMATE_SHARE = 0.7
"""Distinct counts are estimates that may fall short by so much; whoever passes is counted exactly."""
_LINK_SHARE_MIN = 0.98
_LINK_VALUES_MIN = 3


def find_keys(
    connection: duckdb.DuckDBPyConnection, relation: str, profiles: Sequence[ColumnProfile], rows: int
) -> tuple[KeyCandidate, ...]:
    """The smallest keys: single columns, else pairs, else triples. Each is proved by counting all rows."""
    if not rows:
        return ()
    usable = [profile for profile in profiles if _may_be_key(profile)]
    single = [
        p for p in usable if p.distinct >= rows * _ESTIMATE_SHARE and _is_unique(connection, relation, [p.name], rows)
    ]
    if single:
        return tuple(KeyCandidate(columns=(profile.name,)) for profile in sorted(single, key=_key_rank))
    usable.sort(key=lambda profile: -profile.distinct)
    tried = 0
    for size in range(2, INFER_KEY_COLUMNS_MAX + 1):
        found: list[KeyCandidate] = []
        for group in combinations(usable[:8], size):
            if prod(profile.distinct for profile in group) < rows * _ESTIMATE_SHARE:
                continue
            tried += 1
            if tried > INFER_KEYS_TRIED_MAX:
                return tuple(found)
            names = [profile.name for profile in profiles if profile in group]
            if _is_unique(connection, relation, names, rows):
                found.append(KeyCandidate(columns=tuple(names)))
        if found:
            return tuple(found)
    return ()


def _may_be_key(profile: ColumnProfile) -> bool:
    is_measure = profile.guess.logical_type in (LogicalType.NUMBER, LogicalType.BOOLEAN)
    return not profile.nulls and profile.distinct > 1 and not is_measure and profile.length_max <= _KEY_LENGTH_MAX


def _key_rank(profile: ColumnProfile) -> tuple[bool, bool]:
    """Texts and codes before dates, in the table's order."""
    is_date = profile.guess.logical_type in (LogicalType.DATE, LogicalType.TIMESTAMP)
    return is_date, profile.length_max > 40


def _is_unique(connection: duckdb.DuckDBPyConnection, relation: str, names: Sequence[str], rows: int) -> bool:
    """Over 128 bits of hash in one go; equal counts prove it but for a chance of rows² / 2^128."""
    texts = [f"trim({quote_name(name)}::varchar)" for name in names]
    joined = f"concat_ws(chr(31), {', '.join(texts)})"
    row = connection.execute(f"select count(distinct md5_number({joined})) from {relation}").fetchone()
    return row is not None and int(row[0]) == rows


def find_links(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, tuple[str, Sequence[ColumnProfile], Sequence[KeyCandidate]]],
    name: str,
) -> tuple[LinkCandidate, ...]:
    """Columns of table `name` whose values (98 % at least) stand in a single-column key of another table.

    Numbered keys are found in one another by chance; so the names must agree too, unless the values are texts.
    """
    relation, profiles, own_keys = tables[name]
    unique = {key.columns[0] for key in own_keys if len(key.columns) == 1}
    found: list[LinkCandidate] = []
    for profile in profiles:
        if profile.distinct < _LINK_VALUES_MIN or not profile.values:
            continue
        for other, (other_relation, other_profiles, keys) in tables.items():
            targets = {key.columns[0] for key in keys if len(key.columns) == 1} if other != name else set()
            for target in other_profiles:
                if target.name not in targets or not _is_plausible(
                    profile, target, other, is_key=profile.name in unique
                ):
                    continue
                share = _contained(connection, relation, profile, other_relation, target)
                if share >= _LINK_SHARE_MIN:
                    link = LinkCandidate(
                        column=profile.name, to_table=other, to_column=target.name, share=share, values=profile.values
                    )
                    found.append(link)
    best: dict[str, LinkCandidate] = {}
    for link in found:
        if link.column not in best or link.share > best[link.column].share:
            best[link.column] = link
    return tuple(best.values())


def _is_plausible(profile: ColumnProfile, target: ColumnProfile, table: str, *, is_key: bool) -> bool:
    if profile.guess.logical_type is not target.guess.logical_type or profile.distinct > target.distinct * 1.1 + 3:
        return False
    if profile.guess.logical_type not in (LogicalType.STRING, LogicalType.INTEGER):
        return False
    own, other, singular = profile.name.casefold(), target.name.casefold(), table.casefold().rstrip("s")
    named = own == other or own in (f"{singular}_{other}", f"{singular}{other}", f"{table.casefold()}_{other}")
    named = (
        named
        or (bool(profile.title) and profile.title == target.title)
        or (own.endswith(f"_{other}") and len(other) > 3)
    )
    return named or (profile.guess.logical_type is LogicalType.STRING and profile.length_max >= 4 and not is_key)


def _contained(
    connection: duckdb.DuckDBPyConnection, relation: str, profile: ColumnProfile, other: str, target: ColumnProfile
) -> float:
    """The share of distinct values that the target holds."""
    row = connection.execute(
        f"with given as (select distinct {text_sql(profile.name)} as v from {relation}),\n"
        f"known as (select distinct {text_sql(target.name)} as v from {other})\n"
        "select count(*), count(known.v) from given left join known using (v) where given.v is not null"
    ).fetchone()
    return int(row[1]) / int(row[0]) if row and row[0] else 0.0
