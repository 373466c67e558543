"""Reading the tree for the laws: modules, their imports, files known to git."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import statement: which module says it, what it names, in which line."""

    module: str
    names: str
    line: int

    @property
    def top(self) -> str:
        return self.names.split(".", 1)[0]


def module_name(path: Path, source: Path = SOURCE) -> str:
    parts = path.relative_to(source).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def find_modules(source: Path = SOURCE, *, tests: bool = False) -> list[Path]:
    """Every Python file below `source`; a part's own tests only when asked for."""
    found = sorted(source.rglob("*.py"))
    return [path for path in found if tests or "tests" not in path.relative_to(source).parts]


def find_imports(path: Path, source: Path = SOURCE) -> Iterator[Import]:
    """All imports of a file, at any depth, `from x import y` as x.y."""
    name = module_name(path, source)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module=name, names=alias.name, line=node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                yield Import(module=name, names=f"{node.module}.{alias.name}", line=node.lineno)


def tracked_files() -> list[Path]:
    """What git tracks or would track: the tree as a stranger gets it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
