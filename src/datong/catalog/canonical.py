"""The canonical text of a contract: one key order and one style, so that equal contracts have equal digests."""

from __future__ import annotations

from typing import Any

from datong.catalog.yaml_text import write_yaml

_FIRST = [
    "apiVersion",
    "kind",
    "id",
    "name",
    "version",
    "status",
    "tenant",
    "domain",
    "dataProduct",
    "title",
    "description",
    "schema",
    "property",
    "value",
    "vendor",
    "username",
    "role",
    "channel",
    "url",
    "type",
    "server",
    "environment",
    "physicalName",
    "physicalType",
    "businessName",
    "logicalType",
    "logicalTypeOptions",
    "primaryKey",
    "primaryKeyPosition",
    "required",
    "unique",
    "classification",
    "metric",
    "unit",
]
_LAST = ["customProperties", "properties", "quality", "slaProperties", "team", "support"]
_RANKS = {**{key: (0, rank) for rank, key in enumerate(_FIRST)}, **{key: (2, rank) for rank, key in enumerate(_LAST)}}


def canonical_text(raw: Any) -> str:
    """The canonical YAML of a contract's mapping. Lists keep their order; reading the text gives an equal mapping."""
    return write_yaml(_ordered(raw))


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value, key=lambda key: (_RANKS.get(key, (1, 0)), key))}
    return [_ordered(item) for item in value] if isinstance(value, list) else value
