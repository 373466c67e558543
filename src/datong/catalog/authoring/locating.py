"""From a finding's path in the contract to the field that people see: which column of the table, which field of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from datong.catalog.authoring.fields import COLUMN_BY_KEY, RESOURCE_BY_KEY
from datong.catalog.contracts import ContractFinding

_COLUMN: Final = re.compile(r"schema\[0\]\.properties\[(\d+)\]\.?(.*)")
_CUSTOM: Final = re.compile(r"customProperties\[(\d+)\].*")
_OPTION: Final = re.compile(r"logicalTypeOptions\.(\w+)")
_BY_CODE: Final[Mapping[str, str]] = {
    "contract.title": "name",
    "contract.agency": "agency",
    "contract.sharing-missing": "sharingType",
    "contract.basis-missing": "sharingBasis",
    "contract.condition-missing": "sharingCondition",
    "contract.modes-missing": "shareModes",
    "contract.verify-missing": "shareModes",
    "contract.update-cycle": "frequency",
    "column.type-missing": "logicalType",
    "column.basis-missing": "sharingBasis",
    "column.condition-missing": "sharingCondition",
    "column.header-twice": "businessName",
    "column.range": "minimum",
}
"""Findings at what is absent stand at its holder; their code says which field is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldPlace:
    """`column` is the index in the table, None for the resource; `key` is "" where no field shows the place."""

    column: int | None
    key: str


def locate(finding: ContractFinding, raw: Mapping[str, Any], columns: list[Mapping[str, Any]]) -> FieldPlace:
    """The field that a finding is about."""
    match = _COLUMN.fullmatch(finding.path)
    if match is None:
        key = _BY_CODE.get(finding.code) or _key(finding.path, raw)
        return FieldPlace(column=None, key=key if key in RESOURCE_BY_KEY else "")
    index = int(match[1])
    holder = columns[index] if index < len(columns) else {}
    key = _BY_CODE.get(finding.code) or _key(match[2], holder)
    return FieldPlace(column=index, key=key if key in COLUMN_BY_KEY else "")


def _key(path: str, holder: Mapping[str, Any]) -> str:
    custom = _CUSTOM.fullmatch(path)
    if custom:
        words, index = holder.get("customProperties"), int(custom[1])
        item = words[index] if isinstance(words, list) and index < len(words) else {}
        name = str(item.get("property", "")) if isinstance(item, dict) else ""
        return "stage.collect" if name == "stages" else name
    option = _OPTION.match(path)
    if option:
        name = option[1]
        return name.removeprefix("exclusive").lower() if name.startswith("exclusive") else name
    head = re.split(r"[.\[]", path, maxsplit=1)[0]
    return {"slaProperties": "frequency", "enum": "codeList"}.get(head, head)
