"""Laws of the tables: migrations are complete, and a foreign key points down to a lower part, without a way back."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from datong.app.parts import PARTS
from tests.laws.tree import SOURCE

RELATIONS = {"ForeignKey", "OneToOneField", "ManyToManyField"}


def relation_violations(source: Path) -> list[str]:
    """Relations that point upwards or sideways to a part, or that can be walked back."""
    found = []
    for path in sorted(source.glob("datong/*/store/**/*.py")):
        part = path.relative_to(source).parts[1]
        if "migrations" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RELATIONS:
                found += [f"{part}:{node.lineno} {problem}" for problem in _relation_problems(part, node)]
    return found


def _relation_problems(part: str, call: ast.Call) -> list[str]:
    problems = []
    target = call.args[0] if call.args else None
    named = target.value if isinstance(target, ast.Constant) else ""
    if isinstance(named, str) and "." in named:
        other = named.split(".")[0]
        if other not in PARTS or PARTS.index(other) >= PARTS.index(part):
            problems.append(f"points up to {named}")
    related = next((k.value for k in call.keywords if k.arg == "related_name"), None)
    if not (isinstance(related, ast.Constant) and related.value == "+"):
        problems.append("lacks related_name='+'")
    return problems


def test_relations_point_down_only() -> None:
    assert len(list(SOURCE.glob("datong/*/store/models.py"))) >= 5
    assert relation_violations(SOURCE) == []


@pytest.mark.parametrize(
    "text",
    [
        "x = models.ForeignKey('exchange.Grant', on_delete=models.PROTECT, related_name='+')\n",
        "x = models.ForeignKey('kernel.Agency', on_delete=models.PROTECT)\n",
        "x = models.OneToOneField('kernel.Agency', on_delete=models.PROTECT, related_name='case')\n",
    ],
    ids=["upward", "walked-back", "named-back"],
)
def test_a_planted_relation_is_caught(text: str, tmp_path: Path) -> None:
    store = tmp_path / "datong" / "cases" / "store"
    store.mkdir(parents=True)
    (store / "models.py").write_text(text)
    assert len(relation_violations(tmp_path)) == 1


def _pending_changes() -> list[str]:
    from django.apps import apps as registry
    from django.db.migrations.autodetector import MigrationAutodetector
    from django.db.migrations.loader import MigrationLoader
    from django.db.migrations.state import ProjectState
    from django.utils import translation

    with translation.override(None):  # as `makemigrations` runs
        loader = MigrationLoader(None)
        present = ProjectState.from_apps(registry)
        changes = MigrationAutodetector(loader.project_state(), present).changes(loader.graph)
    return [
        f"{label}: {operation.describe()}"
        for label, found in changes.items()
        if label in PARTS
        for m in found
        for operation in m.operations
    ]


def test_no_migration_is_missing() -> None:
    assert _pending_changes() == []


def test_a_planted_model_change_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    from datong.cases.store.models import Case

    monkeypatch.setattr(Case._meta.get_field("title_zh"), "null", True)
    assert any("title_zh" in change for change in _pending_changes())
