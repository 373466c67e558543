"""ODCS `relationships` into foreign keys: at a column to one column, at the table of one or several columns.

`to` is `resource.column` (the standard's shorthand, `table.column`) or `schema/resource/properties/column` (its
fully qualified form, where a file may stand before `#`). The other resource's existence is asked at approval, because
contracts may be written in any order.
"""

from __future__ import annotations

import re
from typing import Any, Final

from datong.catalog.reading import Part
from datong.catalog.values import ForeignKey

_SHORT: Final = re.compile(r"([a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*)")
_QUALIFIED: Final = re.compile(r"(?:[^#]+#)?/?schema/([a-z][a-z0-9_]*)/properties/([a-z][a-z0-9_]*)")


def read_column_references(part: Part, column: str) -> tuple[ForeignKey, ...]:
    """The relationships of one column."""
    found = []
    for item in part.mappings("relationships"):
        target = _targets(item, "to")
        if target and len(target) == 1:
            found.append(ForeignKey(columns=(column,), resource_id=target[0][0], to_columns=(target[0][1],)))
        elif target:
            item.add("relationship.width", _ONE_COLUMN, _AT_THE_TABLE, key="to")
    return tuple(found)


def read_table_references(table: Part, columns: frozenset[str]) -> tuple[ForeignKey, ...]:
    """The relationships of the table. A wrong or unpaired one is a finding and left out."""
    found = []
    for item in table.mappings("relationships"):
        here, there = _targets(item, "from"), _targets(item, "to")
        if not here or not there:
            continue
        names = tuple(column for _, column in here)
        unknown = [name for name in names if name not in columns]
        resources = {resource for resource, _ in there}
        if unknown:
            item.add(
                "relationship.column",
                (f"The table has no column `{unknown[0]}`", f"本表没有列“{unknown[0]}”"),
                ("Name columns of this table in `from`.", "from中请写本表的列。"),
                key="from",
            )
        elif len(names) != len(there) or len(resources) != 1:
            item.add("relationship.width", _SAME_WIDTH, _PAIR_THEM, key="to")
        else:
            found.append(
                ForeignKey(
                    columns=names,
                    resource_id=next(iter(resources)),
                    to_columns=tuple(column for _, column in there),
                )
            )
    return tuple(found)


def _targets(item: Part, key: str) -> list[tuple[str, str]] | None:
    """(resource, column) of every reference; None after a finding or when absent."""
    value: Any = item.data.get(key)
    texts = value if isinstance(value, list) else [value] if isinstance(value, str) else []
    found = []
    for text in texts:
        match = _SHORT.fullmatch(str(text)) or _QUALIFIED.fullmatch(str(text))
        if match is None:
            item.add(
                "relationship.form",
                (f"`{text}` does not name a column of a resource", f"“{text}”没有写明资源和列"),
                ("Write resource.column, e.g. psb_population.id_number.", "请写资源.列，如psb_population.id_number。"),
                key=key,
            )
            return None
        found.append((match[1], match[2]))
    return found or None


_ONE_COLUMN = ("A column refers to one column", "一列只能引用一列")
_AT_THE_TABLE = (
    "Write a key of several columns at the table, with `from` and `to`.",
    "多列外键请写在表上，用from和to。",
)
_SAME_WIDTH = ("`from` and `to` do not pair, or `to` names two resources", "from与to不对应，或to写了两个资源")
_PAIR_THEM = ("Name as many columns of one resource as in `from`.", "请写同一资源中与from一一对应的列。")
