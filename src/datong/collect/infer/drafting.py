"""The draft contract: ODCS words in canonical YAML, with the evidence for each column as comments above it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from datong.catalog.canonical import canonical_text
from datong.catalog.contract_reader import read_contract
from datong.catalog.odcs import DataContract
from datong.catalog.words import UpdateCycle
from datong.collect.infer.model import ColumnSuggestion

_FREQUENCIES = {
    UpdateCycle.DAILY: (1, "d"),
    UpdateCycle.WEEKLY: (7, "d"),
    UpdateCycle.MONTHLY: (1, "mo"),
    UpdateCycle.QUARTERLY: (3, "mo"),
    UpdateCycle.YEARLY: (12, "mo"),
}
_COLUMN_LINE = re.compile(r"(?P<indent> *)- name: (?P<name>[a-z][a-z0-9_]*)$")
_COMMENT_CHARACTERS_MAX = 300


def draft_mapping(
    resource_id: str,
    title: str,
    agency: str,
    columns: Sequence[ColumnSuggestion],
    *,
    cycle: UpdateCycle | None,
    reading: Mapping[str, Any],
) -> dict[str, Any]:
    """The contract as a mapping. Sharing, opening and the directory code are left to the steward."""
    custom: list[dict[str, Any]] = []
    if agency:
        custom.append({"property": "agency", "value": agency})
    if reading:
        custom.append({"property": "reading", "value": dict(reading)})
    mapping: dict[str, Any] = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": resource_id,
        "name": title[:50],
        "version": "1.0.0",
        "status": "draft",
        "schema": [
            {"name": resource_id, "businessName": title[:50], "properties": [dict(column.words) for column in columns]}
        ],
    }
    if custom:
        mapping["customProperties"] = custom
    if cycle is not None:
        value, unit = _FREQUENCIES[cycle]
        mapping["slaProperties"] = [{"property": "frequency", "value": value, "unit": unit}]
    return mapping


def draft_text(
    mapping: Mapping[str, Any],
    columns: Sequence[ColumnSuggestion],
    head: Sequence[tuple[str, str]],
    todo: Sequence[tuple[str, str]],
) -> str:
    """Canonical YAML; comments on top and above each column. Reading it gives `mapping` again."""
    by_name = {column.name: column for column in columns}
    lines = [*(_comment(zh, "") for zh, _ in head), *(_comment(f"TODO {zh}", "") for zh, _ in todo)]
    in_properties = False
    for line in canonical_text(mapping).splitlines():
        in_properties = in_properties or line.strip() == "properties:"
        found = _COLUMN_LINE.match(line) if in_properties else None
        column = by_name.pop(found["name"], None) if found else None
        if found and column is not None:
            lines += [_comment(zh, found["indent"]) for zh, _ in column.reasons]
        lines.append(line)
    return "\n".join(lines) + "\n"


def _comment(text: str, indent: str) -> str:
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f"{indent}# {flat[:_COMMENT_CHARACTERS_MAX]}"


def find_todo(text: str) -> tuple[tuple[str, str], ...]:
    """What the contract's own check still asks for, (zh, en): the words that only a steward can say."""
    found = read_contract(text)
    if isinstance(found, DataContract):
        return ()
    return tuple((f"{one.message_zh}。{one.remedy_zh}", f"{one.message}. {one.remedy}") for one in found)
