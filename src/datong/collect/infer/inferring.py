"""`infer_file` and `infer_database`: from an unknown source to draft contracts with their evidence. No Django."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from datong.catalog.words import LogicalType, UpdateCycle
from datong.collect.infer.cycles import guess_cycle
from datong.collect.infer.drafting import draft_mapping, draft_text, find_todo
from datong.collect.infer.keys import find_keys, find_links
from datong.collect.infer.model import ColumnProfile, ColumnSuggestion, InferredTable, KeyCandidate, LinkCandidate
from datong.collect.infer.naming import plain_identifier, unlike
from datong.collect.infer.profiling import profile_table, sample_values
from datong.collect.infer.suggesting import ColumnContext, suggest_column
from datong.collect.infer.tables import FoundTable, Progress, open_database, open_file
from datong.collect.readers.columnar import open_reader
from datong.kernel.limits import CONTRACT_COLUMNS_MAX
from datong.privacy.detect.finder import detect_columns, is_personal
from datong.privacy.detect.model import ColumnSeen, SensitiveColumn
from datong.standards.matching import VALUES_CHECKED_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """A table with all that was counted of it."""

    found: FoundTable
    resource_id: str
    rows: int
    profiles: tuple[ColumnProfile, ...]
    sensitive: tuple[SensitiveColumn, ...]
    keys: tuple[KeyCandidate, ...]
    values: Mapping[str, Sequence[str]]
    cycle: tuple[UpdateCycle | None, tuple[str, str]]


def no_progress(_what: str, _done: int, _total: int) -> None: ...


def infer_file(
    path: Path, filename: str, work: Path, *, agency: str = "", progress: Progress = no_progress
) -> tuple[InferredTable, ...]:
    """A draft for the file, or one a sheet or archive member. Raises what the readers raise."""
    return _infer(open_file(path, filename, work, progress), work, agency)


def infer_database(
    address: str, work: Path, *, agency: str = "", progress: Progress = no_progress
) -> tuple[InferredTable, ...]:
    """A draft for each table and view. Reads only; raises the failures of `collect.sources`."""
    return _infer(open_database(address, work, progress), work, agency)


def _infer(tables: Iterator[FoundTable], work: Path, agency: str) -> tuple[InferredTable, ...]:
    with open_reader(work) as connection:
        measured: dict[str, _Measured] = {}
        for found in tables:
            taken = [each.resource_id for each in measured.values()]
            resource_id = unlike(_resource_id(found.name, agency), taken)
            measured[unlike(found.name, measured)] = _measure(connection, found, resource_id)
        related = {name: (each.found.relation, each.profiles, each.keys) for name, each in measured.items()}
        links = {name: _links(connection, related, name, measured) for name in measured}
        return tuple(_draft(each, links[name], measured, agency) for name, each in measured.items())


def _resource_id(name: str, agency: str) -> str:
    plain = plain_identifier(name, "table")
    return plain if not agency or plain.startswith(f"{agency}_") else f"{agency}_{plain}"[:48].strip("_")


def _measure(connection: duckdb.DuckDBPyConnection, found: FoundTable, resource_id: str) -> _Measured:
    columns = found.columns[:CONTRACT_COLUMNS_MAX]
    rows, profiles = profile_table(connection, found.relation, columns)
    seen = [ColumnSeen(name=column.name, title=column.title, comment=column.comment) for column in columns]
    keys = found.keys or find_keys(connection, found.relation, profiles, rows)
    if found.keys:
        declared = {key.columns for key in found.keys}
        others = find_keys(connection, found.relation, [p for p in profiles if (p.name,) not in declared], rows)
        keys = (*found.keys, *(key for key in others if len(key.columns) == 1))
    return _Measured(
        found=found,
        resource_id=resource_id,
        rows=rows,
        profiles=profiles,
        sensitive=detect_columns(connection, found.relation, seen),
        keys=keys,
        values={p.name: sample_values(connection, found.relation, p, VALUES_CHECKED_MAX) for p in profiles},
        cycle=guess_cycle(connection, found, profiles),
    )


def _links(
    connection: duckdb.DuckDBPyConnection,
    related: Mapping[str, tuple[str, Sequence[ColumnProfile], Sequence[KeyCandidate]]],
    name: str,
    measured: Mapping[str, _Measured],
) -> tuple[LinkCandidate, ...]:
    """Declared foreign keys, and those that the values show."""
    declared = [link for link in measured[name].found.links if link.to_table in measured]
    known = {link.column for link in declared}
    return (*declared, *(link for link in find_links(connection, related, name) if link.column not in known))


def _draft(
    each: _Measured, links: Sequence[LinkCandidate], measured: Mapping[str, _Measured], agency: str
) -> InferredTable:
    key = _choose_key(each)
    unique = frozenset(k.columns[0] for k in each.keys if len(k.columns) == 1 and k is not key)
    linked = {link.column: link for link in links}
    columns: list[ColumnSuggestion] = []
    for profile in each.profiles:
        link = linked.get(profile.name)
        target = measured[link.to_table] if link else None
        context = ColumnContext(
            rows=each.rows,
            values=each.values[profile.name],
            sensitive=[found for found in each.sensitive if found.column == profile.name],
            is_personal=is_personal(each.sensitive),
            key=key,
            unique=unique,
            link=link,
            link_resource=target.resource_id if target else "",
            link_column=plain_identifier(link.to_column, "c") if link else "",
        )
        columns.append(suggest_column(profile, context, [column.name for column in columns]))
    title = each.found.title
    mapping = draft_mapping(each.resource_id, title, agency, columns, cycle=each.cycle[0], reading=each.found.reading)
    todo = find_todo(draft_text(mapping, columns, (), ()))
    head = (
        (
            f"由{each.found.source}读出，{each.rows}行，每行都已读取",
            f"Read from {each.found.source}: all of its {each.rows} rows",
        ),
        *each.found.notes,
        *([each.cycle[1]] if each.cycle[1][0] else []),
    )
    return InferredTable(
        resource_id=each.resource_id,
        title=title,
        source=each.found.source,
        rows=each.rows,
        columns=tuple(columns),
        keys=each.keys,
        links=tuple(links),
        cycle=each.cycle[0],
        cycle_reason=each.cycle[1],
        text=draft_text(mapping, columns, head, todo),
        notes=each.found.notes,
        todo=todo,
    )


def _choose_key(each: _Measured) -> KeyCandidate | None:
    """The declared key; else the first candidate, an identifier before a running number or a date."""
    if not each.keys:
        return None
    if each.keys[0].declared:
        return each.keys[0]
    identifiers = {found.column for found in each.sensitive if found.identifier}
    kinds = {profile.name: profile.guess.logical_type for profile in each.profiles}
    dates = (LogicalType.DATE, LogicalType.TIMESTAMP)
    return min(
        each.keys,
        key=lambda key: (
            not any(column in identifiers for column in key.columns),
            all(kinds[column] in dates for column in key.columns),
        ),
    )


def rename_draft(table: InferredTable, resource_id: str) -> InferredTable:
    """The same draft under another id, e.g. one that is still free."""
    text = table.text.replace(f"\nid: {table.resource_id}\n", f"\nid: {resource_id}\n", 1)
    text = text.replace(f"- name: {table.resource_id}\n", f"- name: {resource_id}\n", 1)
    return replace(table, resource_id=resource_id, text=text)
