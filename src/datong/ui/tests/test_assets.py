"""The built front-end files: every icon that a page names is in the sprite, and the lock names no address."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.urls import reverse

import datong
from datong.kernel.contracts import NAV_ITEMS

SOURCE = Path(datong.__file__).parent
ROOT = SOURCE.parent.parent
VENDOR = SOURCE / "ui" / "static" / "vendor"
HOW = "run `python tools/build_assets.py`"
NAMED = re.compile(r"""{%\s*icon\s+["']([a-z0-9-]+)["']""")


def named_icons() -> set[str]:
    """In templates, and in the side bar's entries."""
    texts = [path.read_text(encoding="utf-8") for path in SOURCE.rglob("templates/**/*.html")]
    return {name for text in texts for name in NAMED.findall(text)} | {item.icon for item in NAV_ITEMS.values()}


def missing_icons(names: set[str], sprite: str) -> list[str]:
    return sorted(name for name in names if f'<symbol id="{name}"' not in sprite)


def test_every_named_icon_is_in_the_sprite() -> None:
    sprite = VENDOR / "icons.svg"
    assert sprite.is_file(), HOW
    names = named_icons()
    assert len(names) >= 10
    assert missing_icons(names, sprite.read_text(encoding="utf-8")) == [], HOW
    assert missing_icons({"no-such-icon"}, sprite.read_text(encoding="utf-8")) == ["no-such-icon"]


@pytest.mark.parametrize("name", ["tabler.min.css", "htmx.min.js", "echarts.js"])
def test_the_third_party_files_are_there(name: str) -> None:
    assert (VENDOR / name).stat().st_size > 10_000, HOW


def test_the_lock_pins_by_digest_and_names_no_address() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert len(packages) >= 5
    for path, package in packages.items():
        assert "resolved" not in package, path
        assert not path or package["integrity"].startswith("sha512-"), path


def test_every_entry_of_the_side_bar_leads_somewhere() -> None:
    assert len(NAV_ITEMS.values()) >= 5
    for item in NAV_ITEMS.values():
        assert reverse(item.url_name).startswith("/")
        assert item.title_zh
        assert item.title_en
