"""Contracts for tests, as mappings that a test changes before writing them."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from datong.catalog.canonical import canonical_text
from datong.catalog.odcs import DataContract, parse_contract

CASES = Path(__file__).parent / "cases"
Mapping = dict[str, Any]


def demo_text(name: str) -> str:
    """The text of a demo contract that the package ships."""
    return files("datong.testing").joinpath("contracts", f"{name}.odcs.yaml").read_text(encoding="utf-8")


def demo_names() -> list[str]:
    found = files("datong.testing").joinpath("contracts").iterdir()
    return sorted(path.name.removesuffix(".odcs.yaml") for path in found if path.name.endswith(".odcs.yaml"))


def changed(text: str, change: Callable[[Mapping], object]) -> DataContract:
    """The contract after a change of its mapping."""
    raw = parse_contract(text).raw
    change(raw)
    return parse_contract(canonical_text(raw))


def column(raw: Mapping, name: str) -> Mapping:
    found: Mapping = next(item for item in raw["schema"][0]["properties"] if item["name"] == name)
    return found


def set_word(holder: Mapping, name: str, value: object) -> None:
    """Set a custom property; None removes it."""
    words = [item for item in holder.get("customProperties", []) if item["property"] != name]
    if value is not None:
        words.append({"property": name, "value": value})
    holder["customProperties"] = words
