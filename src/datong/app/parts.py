"""The parts of the platform, storey by storey from the ground up. The order is that of wiring and of Django apps."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

PARTS: tuple[str, ...] = (
    "kernel",
    "ui",
    "standards",
    "cases",
    "catalog",
    "lake",
    "records",
    "privacy",
    "quality",
    "collect",
    "registry",
    "indicators",
    "alerts",
    "exchange",
    "publish",
    "market",
    "federation",
    "portal",
)
"""Storeys of design §3, lowest first. A part that does not exist yet is skipped, file by file."""

WINGS: tuple[str, ...] = ("quality/assess",)
"""Folders within a part that have doors of their own (web, cli, plugs), opened after those of all parts."""

ROOT = Path(__file__).resolve().parent.parent


def part_dir(part: str) -> Path:
    return ROOT / part


def django_apps() -> list[str]:
    """The store packages of the parts that have tables."""
    return [f"datong.{part}.store" for part in PARTS if (part_dir(part) / "store" / "apps.py").is_file()]


def existing_modules(name: str) -> list[tuple[str, str]]:
    """(part, dotted module) for every part that has the module `name`, e.g. `plugs`, `web.urls`.

    The kernel's own `plugs.py` is the mechanism itself, not something plugged in.
    """
    found = []
    for part in (*PARTS, *WINGS):
        if (part, name) == ("kernel", "plugs"):
            continue
        path = part_dir(part).joinpath(*name.split("."))
        package = f"datong.{part.replace('/', '.')}"
        if path.with_suffix(".py").is_file() and find_spec(package) is not None:
            found.append((part, f"{package}.{name}"))
    return found


def existing_dirs(name: str) -> list[Path]:
    """The folder `name` of every part that has it, e.g. `web/templates`, `static`."""
    return [part_dir(part) / name for part in (*PARTS, *WINGS) if (part_dir(part) / name).is_dir()]
