"""Documentation as a test: every setting, limit, command and endpoint has its heading in the reference."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from datong.kernel import limits
from datong.kernel.config import SETTINGS
from tests.laws.tree import ROOT

REFERENCE = ROOT / "docs" / "reference"


def headings(path: Path) -> set[str]:
    """The headings of a page, without their code marks."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {re.sub(r"^#+\s+", "", line).replace("`", "").strip() for line in lines if line.startswith("#")}


def missing(expected: Iterable[str], page: Path) -> list[str]:
    present = headings(page)
    return sorted(name for name in expected if name not in present)


def command_names() -> list[str]:
    from datong.app.cli import app
    from typer.main import get_command

    def walk(command: object, path: tuple[str, ...]) -> Iterable[str]:
        children = getattr(command, "commands", None)
        if children is None:
            yield "datong " + " ".join(path)
            return
        for name, child in children.items():
            yield from walk(child, (*path, name))

    return list(walk(get_command(app), ()))


def endpoint_names() -> list[str]:
    from datong.app.wiring import find_endpoints

    return find_endpoints()


def expected_names() -> dict[str, list[str]]:
    return {
        "settings.md": [setting.name for setting in SETTINGS],
        "limits.md": [name for name in vars(limits) if name.isupper()],
        "command-line.md": command_names(),
        "endpoints.md": endpoint_names(),
    }


@pytest.mark.parametrize("page", ["settings.md", "limits.md", "command-line.md", "endpoints.md"])
def test_everything_has_its_heading(page: str) -> None:
    expected = expected_names()[page]
    assert len(expected) >= 5
    assert missing(expected, REFERENCE / page) == []


def test_a_missing_heading_is_caught(tmp_path: Path) -> None:
    page = tmp_path / "settings.md"
    page.write_text("# Settings\n\n## `DATONG_HOME`\n")
    assert missing(["DATONG_HOME", "DATONG_PORT"], page) == ["DATONG_PORT"]
