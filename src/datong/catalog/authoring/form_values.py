"""A contract's mapping to the fields' texts and back. Pure; nothing is checked here but what a field can hold.

`write_resource` and `write_column` change a mapping only where a text says something else than is there, so that an
untouched field keeps its spelling and all that the fields do not show is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from datong.catalog.authoring.fields import (
    COLUMN_BY_KEY,
    COLUMN_FIELDS,
    RESOURCE_BY_KEY,
    RESOURCE_FIELDS,
    ContractField,
    FieldKind,
    Place,
)
from datong.catalog.words import UpdateCycle, cycle_of

Raw = dict[str, Any]
Texts = Mapping[str, str]

_FREQUENCIES: Final[Mapping[str, tuple[Any, str]]] = {
    "hourly": (1, "h"),
    "daily": (1, "d"),
    "weekly": (1, "w"),
    "ten-days": (10, "d"),
    "monthly": (1, "mo"),
    "quarterly": (3, "mo"),
    "half-yearly": (6, "mo"),
    "yearly": (1, "y"),
}
_YES: Final = frozenset({"是", "y", "yes", "true", "1", "√", "✓", "on"})
_NO: Final = frozenset({"", "否", "n", "no", "false", "0", "×"})
_SEPARATORS: Final = re.compile(r"[、,，;；\n]+")
_NUMBER: Final = re.compile(r"[-+]?\d{1,18}(\.\d{1,18})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """A text that a field cannot hold: what was found and what was expected. `column` None is the resource."""

    column: int | None
    key: str
    text: str
    message: str
    message_zh: str


class _UnfitError(ValueError):
    def __init__(self, wanted: str, wanted_zh: str) -> None:
        super().__init__(wanted)
        self.wanted, self.wanted_zh = wanted, wanted_zh


# Out of the mapping -----------------------------------------------------------------------------------------------
def read_resource(raw: Mapping[str, Any]) -> dict[str, str]:
    return {one.key: to_text(_get(raw, one)) for one in RESOURCE_FIELDS}


def read_column(raw: Mapping[str, Any]) -> dict[str, str]:
    return {one.key: to_text(_get(raw, one)) for one in COLUMN_FIELDS}


def columns_of(raw: Mapping[str, Any]) -> list[Raw]:
    """The columns of the one table, as they stand in the mapping; made when absent."""
    tables = raw.get("schema")
    table = tables[0] if isinstance(tables, list) and tables else None
    columns = table.get("properties") if isinstance(table, dict) else None
    return [column for column in columns if isinstance(column, dict)] if isinstance(columns, list) else []


def to_text(value: Any) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return "true"
    if isinstance(value, list):
        return "、".join(str(item) for item in value)
    return str(value)


def title_text(one: ContractField, text: str, language: int = 0) -> str:
    """The text as people read it: words by their titles (0 Chinese, 1 English), flags as 是."""
    if one.kind is FieldKind.FLAG:
        return ("是", "yes")[language] if text == "true" else ""
    if one.kind in {FieldKind.WORD, FieldKind.WORDS}:
        words = [one.words[word][language] if word in one.words else word for word in _split(text)]
        return ("、", ", ")[language].join(words)
    return text


# Into the mapping -------------------------------------------------------------------------------------------------
def write_resource(raw: Raw, texts: Texts) -> list[FieldProblem]:
    """Put the texts of the resource's fields into the mapping; a key that is not given stays as it is."""
    return list(_write(raw, texts, RESOURCE_BY_KEY, None))


def write_column(raw: Raw, texts: Texts, index: int) -> list[FieldProblem]:
    """The same for one column; `index` is told in the problems."""
    return list(_write(raw, texts, COLUMN_BY_KEY, index))


def skeleton(agency: str, resource_id: str = "", title: str = "") -> Raw:
    """A new contract with what every contract has; it does not lint yet."""
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": resource_id,
        "name": title,
        "version": "1.0.0",
        "status": "active",
        "schema": [{"name": resource_id or "table", "properties": []}],
        "slaProperties": [],
        "customProperties": [{"property": "agency", "value": agency}],
    }


def _write(raw: Raw, texts: Texts, fields: Mapping[str, ContractField], column: int | None) -> Iterable[FieldProblem]:
    for key, text in texts.items():
        one = fields.get(key)
        if one is None:
            continue
        try:
            value = from_text(one, text.strip())
        except _UnfitError as unfit:
            yield FieldProblem(
                column=column,
                key=key,
                text=text,
                message=f"“{text}” is not {unfit.wanted}",
                message_zh=f"“{text}”不是{unfit.wanted_zh}",
            )
            continue
        if to_text(value) != to_text(_get(raw, one)):
            _put(raw, one, value)
    if column is None and isinstance(raw.get("schema"), list) and raw["schema"] and "id" in texts:
        table = raw["schema"][0]
        if isinstance(table, dict) and texts["id"].strip() and table.get("name") in {None, "", "table"}:
            table["name"] = texts["id"].strip()


def from_text(one: ContractField, text: str) -> Any:
    """The value that a text means, None for an empty one. Raises a ValueError that says what was expected."""
    if one.kind is FieldKind.FLAG:
        return _flag(text)
    if not text:
        return None
    reader: Callable[[ContractField, str], Any] = _READERS.get(one.kind, lambda _one, text: text)
    return reader(one, text)


def _flag(text: str) -> bool | None:
    if text.lower() in _YES:
        return True
    if text.lower() in _NO:
        return None
    raise _UnfitError("yes or no", "“是”或“否”")


def _word(one: ContractField, text: str) -> str:
    plain = "".join(text.split()).lower()
    for word, titles in one.words.items():
        if plain in {word.lower(), *("".join(title.split()).lower() for title in titles)}:
            return word
    for alias, word in one.aliases.items():
        if plain in {alias.lower(), alias[:-1].lower(), alias[-1].lower()}:
            return word
    raise _UnfitError(
        "one of: " + ", ".join(en for _, en in one.words.values()),
        "下列之一：" + "、".join(zh for zh, _ in one.words.values()),
    )


def _words(one: ContractField, text: str) -> list[str]:
    return list(dict.fromkeys(_word(one, item) for item in _split(text)))


def _list(_one: ContractField, text: str) -> list[str]:
    return list(dict.fromkeys(_split(text)))


def _count(_one: ContractField, text: str) -> int:
    if re.fullmatch(r"\d{1,9}", text, re.ASCII):
        return int(text)
    raise _UnfitError("a whole number", "整数")


def _bound(_one: ContractField, text: str) -> Any:
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)


_READERS: Final[Mapping[FieldKind, Callable[[ContractField, str], Any]]] = {
    FieldKind.WORD: _word,
    FieldKind.WORDS: _words,
    FieldKind.LIST: _list,
    FieldKind.NUMBER: _count,
    FieldKind.BOUND: _bound,
}


def _split(text: str) -> list[str]:
    return [item.strip() for item in _SEPARATORS.split(text) if item.strip()]


# Places -----------------------------------------------------------------------------------------------------------
def _get(raw: Mapping[str, Any], one: ContractField) -> Any:
    if one.place is Place.FIELD:
        return raw.get(one.name)
    if one.place is Place.CUSTOM:
        return _custom(raw, one.name)
    if one.place is Place.STAGE:
        stages = _custom(raw, "stages")
        return stages.get(one.name) if isinstance(stages, dict) else None
    if one.place is Place.FREQUENCY:
        item = _frequency(raw)
        cycle = cycle_of(item.get("value"), item.get("unit")) if item else None
        return cycle.value if cycle else None
    holder = raw.get("description" if one.place is Place.PURPOSE else "logicalTypeOptions")
    name = "purpose" if one.place is Place.PURPOSE else one.name
    if not isinstance(holder, dict):
        return None
    exclusive = f"exclusive{name.capitalize()}"
    return holder.get(name, holder.get(exclusive) if one.kind is FieldKind.BOUND else None)


def _put(raw: Raw, one: ContractField, value: Any) -> None:
    if one.place is Place.FIELD:
        _set(raw, one.name, value)
    elif one.place is Place.CUSTOM:
        _set_custom(raw, one.name, value)
    elif one.place is Place.STAGE:
        stages = _custom(raw, "stages")
        changed = dict(stages) if isinstance(stages, dict) else {}
        _set(changed, one.name, value)
        _set_custom(raw, "stages", changed or None)
    elif one.place is Place.FREQUENCY:
        _set_frequency(raw, value)
    else:
        _set_within(raw, one, value)


def _set(mapping: Raw, name: str, value: Any) -> None:
    if value is None:
        mapping.pop(name, None)
    else:
        mapping[name] = value


def _set_within(raw: Raw, one: ContractField, value: Any) -> None:
    holder_name, name = ("description", "purpose") if one.place is Place.PURPOSE else ("logicalTypeOptions", one.name)
    holder = raw.get(holder_name)
    changed = dict(holder) if isinstance(holder, dict) else {}
    exclusive = f"exclusive{name.capitalize()}"
    if exclusive in changed:
        name = exclusive
    _set(changed, name, value)
    _set(raw, holder_name, changed or None)


def _custom(raw: Mapping[str, Any], name: str) -> Any:
    words = raw.get("customProperties")
    found = [item for item in words if isinstance(item, dict) and item.get("property") == name] if words else []
    return found[0].get("value") if found else None


def _set_custom(raw: Raw, name: str, value: Any) -> None:
    words = raw.get("customProperties")
    items = [dict(item) for item in words if isinstance(item, dict)] if isinstance(words, list) else []
    present = next((item for item in items if item.get("property") == name), None)
    if value is None:
        items = [item for item in items if item.get("property") != name]
    elif present is not None:
        present["value"] = value
    else:
        items.append({"property": name, "value": value})
    _set(raw, "customProperties", items or None)


def _frequency(raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
    items = raw.get("slaProperties")
    if not isinstance(items, list):
        return None
    return next((item for item in items if isinstance(item, dict) and item.get("property") == "frequency"), None)


def _set_frequency(raw: Raw, cycle: str | None) -> None:
    items = raw.get("slaProperties")
    kept = [
        item
        for item in (items if isinstance(items, list) else [])
        if not (isinstance(item, dict) and item.get("property") == "frequency")
    ]
    if cycle:
        value, unit = _FREQUENCIES.get(UpdateCycle(cycle).value, (cycle, ""))
        kept.insert(0, {"property": "frequency", "value": value, **({"unit": unit} if unit else {})})
    _set(raw, "slaProperties", kept or None)
