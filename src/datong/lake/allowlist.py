"""Which SQL of others may run: one `select` over the named tables, with no way to files, settings or the catalogue.

DuckDB's own parser gives the tree (`json_serialize_sql`, which takes select statements only); this walks it. A table is
named without schema and is one of the given ones or a `with` name in scope; table functions are a closed list. DuckDB's
own lock-down stands behind it: no file system beyond the lake's folders, no changed settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb

from datong.kernel.limits import RUNNER_QUERY_CHARACTERS_MAX
from datong.lake.contracts import QueryRefused

TABLE_REFERENCES = frozenset({"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "PIVOT"})
TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest"})
DENIED_FUNCTIONS = frozenset(
    {
        "current_catalog",
        "current_connection_id",
        "current_database",
        "current_query",
        "current_query_id",
        "current_schema",
        "current_schemas",
        "current_setting",
        "currval",
        "getenv",
        "getvariable",
        "in_search_path",
        "nextval",
        "parse_duckdb_log_message",
        "sleep_ms",
        "stats",
        "txid_current",
        "write_log",
    }
)
"""Scalar functions that tell of the process or act on it."""


def check_query(query: str, tables: Iterable[str]) -> None:
    """Raise QueryRefused unless the text is one allowed select over these tables."""
    if len(query) > RUNNER_QUERY_CHARACTERS_MAX:
        raise QueryRefused(f"Shorten it to {RUNNER_QUERY_CHARACTERS_MAX} characters.", characters=len(query))
    names = frozenset(name.lower() for name in tables)
    with duckdb.connect(config={"autoload_known_extensions": False}) as parser:
        parsed = json.loads(parser.execute("select json_serialize_sql(?)", [query]).fetchall()[0][0])
    if parsed["error"]:
        raise QueryRefused(
            "Write one select statement that DuckDB can parse.",
            hint_zh="请只写一条 DuckDB 能解析的 select 语句。",
            said=parsed["error_message"],
        )
    if len(parsed["statements"]) != 1:
        raise QueryRefused(
            "Write one statement.", hint_zh="一次只能执行一条语句。", statements=len(parsed["statements"])
        )
    _Walk(names).visit(parsed["statements"][0]["node"], names)


class _Walk:
    def __init__(self, tables: frozenset[str]) -> None:
        self.tables = tables

    def visit(self, node: Any, names: frozenset[str]) -> None:
        """Check a node with the table names that are in scope there."""
        if isinstance(node, list):
            for item in node:
                self.visit(item, names)
        elif isinstance(node, dict):
            if "cte_map" in node:
                names = self._enter_with(node["cte_map"]["map"], names)
            self._check(node, names)
            if node.get("type") == "RECURSIVE_CTE_NODE":
                self.visit(node["left"], names)
                self.visit(node["right"], names | {node["cte_name"].lower()})
                return
            for key, child in node.items():
                if key != "cte_map":
                    self.visit(child, names)

    def _enter_with(self, entries: list[Mapping[str, Any]], names: frozenset[str]) -> frozenset[str]:
        """Each `with` name is known after its own query, not in it: there it would be some table of that name."""
        for entry in entries:
            self.visit(entry["value"], names)
            names |= {entry["key"].lower()}
        return names

    def _check(self, node: Mapping[str, Any], names: frozenset[str]) -> None:
        if "sample" in node and "alias" in node and node.get("type") not in TABLE_REFERENCES:
            raise self._refusal(str(node.get("type")).lower())
        if "table_name" in node and node.get("type") == "BASE_TABLE":
            name = node["table_name"]
            if node["schema_name"] or node["catalog_name"] or name.lower() not in names or node.get("at_clause"):
                raise self._refusal(name)
        if node.get("type") == "TABLE_FUNCTION" and node["function"]["function_name"].lower() not in TABLE_FUNCTIONS:
            raise self._refusal(node["function"]["function_name"])
        if node.get("class") == "FUNCTION":
            name = node["function_name"].lower()
            is_builtin = node["schema"] in {"", "main"} and node["catalog"] in {"", "system"}
            if name in DENIED_FUNCTIONS or not is_builtin:
                raise self._refusal(name)

    def _refusal(self, name: str) -> QueryRefused:
        return QueryRefused(
            f"Use only the tables {', '.join(sorted(self.tables)) or '(none)'} and functions that compute.",
            hint_zh=f"只能使用数据表 {'、'.join(sorted(self.tables)) or '（无）'} 以及计算函数。",
            refused=name,
            tables=sorted(self.tables),
        )
