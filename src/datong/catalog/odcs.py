"""The data contract: Open Data Contract Standard 3.1 text into frozen values, and back.

The schema is the one of the standard's own package; what the standard has no word for sits in `customProperties`
(docs/reference/contract.md). All that Datong does not use is kept and written back.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from datong.catalog.canonical import canonical_text
from datong.catalog.contract_reader import read_contract
from datong.catalog.contracts import CONTRACT_CHECKS, ContractFinding, ContractInvalid
from datong.catalog.values import (
    CleaningStep,
    Column,
    DataContract,
    DirectoryMetadata,
    ForeignKey,
    QualityRule,
    Sharing,
    Validity,
)
from datong.catalog.words import (
    CollectMode,
    DriftPolicy,
    IdentifierKind,
    LogicalType,
    Mask,
    ShareMode,
    SharingType,
    UpdateCycle,
)
from datong.catalog.yaml_text import read_yaml
from datong.kernel.failures import BadInput, TooLarge
from datong.kernel.limits import CONTRACT_BYTES_MAX

__all__ = [
    "CleaningStep",
    "CollectMode",
    "Column",
    "ContractFinding",
    "ContractInvalid",
    "DataContract",
    "DirectoryMetadata",
    "DriftPolicy",
    "ForeignKey",
    "IdentifierKind",
    "LogicalType",
    "Mask",
    "QualityRule",
    "ShareMode",
    "Sharing",
    "SharingType",
    "UpdateCycle",
    "Validity",
    "canonical_text",
    "find_objections",
    "lint_contract",
    "load_contract",
    "parse_contract",
]


def lint_contract(text: str) -> tuple[ContractFinding, ...]:
    """Every finding in a contract's text, ordered by line; empty when Datong can keep it."""
    try:
        parse_contract(text)
    except ContractInvalid as invalid:
        return invalid.findings
    return ()


def find_objections(contract: DataContract, text: str | None = None) -> tuple[ContractFinding, ...]:
    """What higher parts would refuse of a contract that the catalogue can keep, e.g. a rule that no engine runs.

    Placed in `text`, the contract as it was written, or in its canonical text. Empty where no part is plugged in.
    """
    objections = [objection for check in CONTRACT_CHECKS.values() for objection in check(contract)]
    if not objections:
        return ()
    document = read_yaml((text or contract.text).removeprefix("\ufeff"))
    document.findings.clear()
    for found in objections:
        path = tuple(int(step) if step.isdigit() else step for step in re.split(r"[.\[\]]+", found.path) if step)
        document.add(path, found.code, (found.message, found.message_zh), (found.remedy, found.remedy_zh))
    return tuple(sorted(document.findings))


def parse_contract(text: str, source_name: str = "") -> DataContract:
    """Read a contract. Raises `ContractInvalid` with all findings, `TooLarge` beyond CONTRACT_BYTES_MAX."""
    payload_bytes = len(text.encode("utf-8", "surrogatepass"))
    if payload_bytes > CONTRACT_BYTES_MAX:
        raise TooLarge(
            f"A contract has at most {CONTRACT_BYTES_MAX} bytes; this one has {payload_bytes}.",
            hint_zh=f"一份契约最大{CONTRACT_BYTES_MAX}字节，本文件{payload_bytes}字节。",
            limit_bytes=CONTRACT_BYTES_MAX,
            payload_bytes=payload_bytes,
            source_name=source_name,
        )
    try:
        return _parse_cached(text)
    except ContractInvalid as invalid:
        raise ContractInvalid(invalid.findings, source_name=source_name) from None


@lru_cache(maxsize=256)
def _parse_cached(text: str) -> DataContract:
    found = read_contract(text)
    if isinstance(found, DataContract):
        return found
    raise ContractInvalid(found)


def load_contract(path: Path) -> DataContract:
    """Read a contract file, UTF-8 with or without a byte order mark."""
    if path.stat().st_size > CONTRACT_BYTES_MAX:
        raise TooLarge(
            f"A contract has at most {CONTRACT_BYTES_MAX} bytes; {path.name} has {path.stat().st_size}.",
            limit_bytes=CONTRACT_BYTES_MAX,
            source_name=path.name,
        )
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise BadInput(
            f"{path.name} is not UTF-8 (byte {problem.start}). Save it as UTF-8 and try again.",
            hint_zh=f"{path.name}不是UTF-8编码（第{problem.start}字节），请另存为UTF-8。",
            source_name=path.name,
            byte_offset=problem.start,
        ) from None
    return parse_contract(text, source_name=path.name)
