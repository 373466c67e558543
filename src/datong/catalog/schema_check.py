"""A contract against the JSON Schema of the standard's package, in our words.

The schema composes with `allOf` and `unevaluatedProperties`, so that one wrong value also reports its neighbours as
unexpected. Such echoes are dropped: a field that the standard names is never called unknown.
"""

from __future__ import annotations

import difflib
import json
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs

from datong.catalog.yaml_text import Path, YamlDocument

_ECHOES = {"AnyOf", "OneOfNotValid", "OneOfMultipleValid", "FalseSchema", "Not", "Constant"}
_TYPE_ZH = {
    "string": "文字",
    "integer": "整数",
    "number": "数字",
    "boolean": "true或false",
    "array": "列表",
    "object": "键值对",
}


@cache
def odcs_schema() -> dict[str, Any]:
    """The standard's JSON Schema, from the package that publishes it."""
    text = files("open_data_contract_standard").joinpath("schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@cache
def _validator() -> Any:
    return jsonschema_rs.validator_for(odcs_schema())


@cache
def _known_fields() -> frozenset[str]:
    """Every field name that the standard has anywhere."""
    names: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            properties = node.get("properties")
            if isinstance(properties, dict):
                names.update(properties)
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(odcs_schema())
    return frozenset(names)


def check_schema(document: YamlDocument) -> None:
    """Add a finding for every place where the document breaks the standard's schema."""
    errors = [
        (tuple(error.instance_path), type(error.kind).__name__, error)
        for error in _validator().iter_errors(_with_types(document.data))
    ]
    precise = {path for path, kind, _ in errors if kind not in _ECHOES and not kind.startswith("Unevaluated")}
    seen: set[tuple[Path, str, str]] = set()
    for path, kind, error in errors:
        is_echo = kind in _ECHOES and any(other[: len(path)] == path for other in precise)
        mark = (path, kind, error.message)
        if is_echo or mark in seen:
            continue
        seen.add(mark)
        _add(document, path, kind, error)


def _add(document: YamlDocument, path: Path, kind: str, error: Any) -> None:
    facts = error.kind.as_dict()
    if kind in {"AdditionalProperties", "UnevaluatedProperties"}:
        _add_unknown(document, path, facts["unexpected"], everything=kind == "AdditionalProperties")
    elif kind == "Required":
        _add_missing(document, path, str(facts["property"]))
    elif kind == "Type":
        names = [str(name) for name in facts["types"]]
        document.add(
            path,
            "odcs.type",
            (
                f"Expected {' or '.join(names)}, found {_shown(error.instance)}",
                f"这里应为{'或'.join(_TYPE_ZH.get(n, n) for n in names)}，实际是{_shown(error.instance)}",
            ),
            ("Change the value; put text that looks like a number in quotes.", "请修改该值；像数字的文字请加引号。"),
        )
    elif kind == "Enum":
        _add_enum(document, path, error, facts)
    elif kind == "OneOfNotValid" and path[-2:-1] == ("quality",):
        document.add(
            path,
            "odcs.quality-operator",
            ("A library rule needs exactly one comparison", "质量规则需要且只能有一个比较条件"),
            ("Add e.g. `mustBe: 0` or `mustBeLessThan: 5`.", "请加一个比较条件，如 mustBe: 0。"),
        )
    else:
        document.add(
            path,
            "odcs.schema",
            (f"The standard does not allow this: {_cut(error.message)}", f"不符合ODCS标准：{_cut(error.message)}"),
            ("See the field in docs/reference/contract.md.", "请对照契约参考文档中该字段的说明。"),
        )


def _add_unknown(document: YamlDocument, path: Path, names: list[str], *, everything: bool) -> None:
    for name in names:
        if name in _known_fields() and not everything:
            continue
        near = difflib.get_close_matches(name, _known_fields() - {name}, n=1, cutoff=0.75)
        if name in _known_fields():
            document.add(
                (*path, name),
                "odcs.misplaced-field",
                (f"The field `{name}` does not belong here", f"字段“{name}”不能写在此处"),
                (
                    "It may belong to another logicalType or level; move or remove it.",
                    "它属于其他类型或层级，请移动或删除。",
                ),
            )
            continue
        document.add(
            (*path, name),
            "odcs.unknown-field",
            (f"The standard has no field `{name}` here", f"标准在此处没有字段“{name}”"),
            (
                f"Did you mean `{near[0]}`?" if near else "Remove it, or put it into `customProperties`.",
                f"是否应为“{near[0]}”？" if near else "请删除，或放入customProperties。",
            ),
        )


def _add_missing(document: YamlDocument, path: Path, name: str) -> None:
    document.add(
        path,
        "odcs.missing-field",
        (f"The field `{name}` is missing", f"缺少字段“{name}”"),
        (f"Add `{name}:` here.", f"请在此处补上{name}。"),
    )


def _with_types(data: Any) -> Any:
    """The data with a type for columns that have none: our own rule asks for it, while the schema's conditions on
    logicalType also hold where it is absent and would report every one of them."""
    tables = data.get("schema") if isinstance(data, dict) else None
    if not isinstance(tables, list):
        return data
    return {**data, "schema": [_table_with_types(table) for table in tables]}


def _table_with_types(table: Any) -> Any:
    columns = table.get("properties") if isinstance(table, dict) else None
    if not isinstance(columns, list):
        return table
    return {**table, "properties": [_column_with_type(column) for column in columns]}


def _column_with_type(column: Any) -> Any:
    if not isinstance(column, dict) or "logicalType" in column:
        return column
    return {**{key: value for key, value in column.items() if key != "logicalTypeOptions"}, "logicalType": "string"}


def _add_enum(document: YamlDocument, path: Path, error: Any, facts: dict[str, Any]) -> None:
    options = [str(option) for option in facts["options"]]
    near = difflib.get_close_matches(str(error.instance), options, n=1, cutoff=0.6)
    listing = ", ".join(options)
    if path and path[-1] == "logicalType" and path[-3:-2] == ("properties",):
        listing = "string, integer, number, date, timestamp, boolean"
    document.add(
        path,
        "odcs.unknown-word",
        (f"{_shown(error.instance)} is not a word of this field", f"{_shown(error.instance)}不是此字段的可用值"),
        (
            (f"Did you mean `{near[0]}`? " if near else "") + f"One of: {listing}.",
            (f"是否应为“{near[0]}”？" if near else "") + f"可用值：{listing}。",
        ),
    )


def _shown(value: Any) -> str:
    return _cut(json.dumps(value, ensure_ascii=False), 60)


def _cut(text: str, characters: int = 160) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"
