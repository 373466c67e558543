"""What may be in the tree: no third-party file, no registry address, no second clock or dice."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.laws.tree import ROOT, SOURCE, find_modules, module_name, tracked_files

ADDRESSES = re.compile(
    "|".join(
        re.escape(part[0] + part[1])
        for part in (
            ("files.python", "hosted"),
            ("py", "pi.org"),
            ("registry.npm", "js"),
            ("deb.deb", "ian.org"),
            ("npm", "mirror"),
        )
    )
)
FOREIGN = re.compile(
    r"\.(min\.(js|css)|woff2?|ttf|xsd|wasm|whl|mo)$|(^|/)(vendor|node_modules|third_party)/|(^|/)uv\.lock$"
)
TIME_AND_DICE = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("uuid", "uuid4"),
    ("uuid", "uuid1"),
    ("secrets", "token_urlsafe"),
    ("secrets", "token_hex"),
    ("secrets", "randbits"),
    ("os", "urandom"),
}
ALLOWED_SOURCES = {"datong.kernel.clock", "datong.kernel.ids"}
BINARY = {".png", ".jpg", ".ico"}


def address_violations(files: list[Path]) -> list[str]:
    texts = ((path, path.read_text(encoding="utf-8", errors="ignore")) for path in files if path.suffix not in BINARY)
    return [path.name for path, text in texts if ADDRESSES.search(text)]


def foreign_violations(names: list[str]) -> list[str]:
    return [name for name in names if FOREIGN.search(name)]


def clock_violations(source: Path) -> list[str]:
    found = []
    for path in find_modules(source):
        name = module_name(path, source)
        if name in ALLOWED_SOURCES:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                owner = node.value
                last = (
                    owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
                )
                if (last, node.attr) in TIME_AND_DICE:
                    found.append(f"{name}:{node.lineno} uses {last}.{node.attr}")
            elif isinstance(node, ast.Import) and any(alias.name == "random" for alias in node.names):
                found.append(f"{name}:{node.lineno} imports random")
    return found


def test_no_registry_address_in_the_tree() -> None:
    files = tracked_files()
    assert len(files) > 100
    assert address_violations(files) == []


def test_a_planted_address_is_caught(tmp_path: Path) -> None:
    planted = tmp_path / "package-lock.json"
    planted.write_text('{"resolved": "https://registry.npm' + 'js.org/x"}')
    assert address_violations([planted]) == ["package-lock.json"]


def test_no_third_party_file_in_the_tree() -> None:
    names = [str(path.relative_to(ROOT)) for path in tracked_files()]
    assert foreign_violations(names) == []


@pytest.mark.parametrize("name", ["src/datong/ui/static/htmx.min.js", "uv.lock", "a/vendor/x.js", "fonts/x.woff2"])
def test_a_planted_third_party_file_is_caught(name: str) -> None:
    assert foreign_violations([name]) == [name]


def test_time_and_randomness_come_from_the_kernel() -> None:
    assert len(find_modules(SOURCE)) > 50
    assert clock_violations(SOURCE) == []


@pytest.mark.parametrize(
    "text", ["import datetime\nx = datetime.datetime.now()\n", "import uuid\nx = uuid.uuid4()\n", "import random\n"]
)
def test_a_planted_clock_is_caught(text: str, tmp_path: Path) -> None:
    (tmp_path / "datong" / "lake").mkdir(parents=True)
    (tmp_path / "datong" / "lake" / "service.py").write_text(text)
    assert len(clock_violations(tmp_path)) == 1
