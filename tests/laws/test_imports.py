"""Who may import what. Each law is a function over a tree, so that a planted violation can be shown to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.laws.tree import ROOT, SOURCE, find_imports, find_modules, module_name

PURE_NAMES = {"model", "contracts", "mapping", "protocol"}
IMPURE = {"django", "starlette", "duckdb", "httpx", "granian", "lmdb"}
DJANGO_FAMILY = {"django", "allauth", "csp", "django_htmx", "whitenoise"}
BANNED = (
    ("django.dispatch", "fill a slot or handle an event instead of Django signals"),
    ("django.db.models.signals", "fill a slot or handle an event instead of Django signals"),
    ("django.apps.apps", "call the other part's service instead of apps.get_model"),
)


def pure_violations(source: Path) -> list[str]:
    found = []
    for path in find_modules(source):
        if PURE_NAMES & set(module_name(path, source).split(".")[2:]):
            found += [f"{i.module}:{i.line} imports {i.names}" for i in find_imports(path, source) if i.top in IMPURE]
    return found


def may_use_django(module: str) -> bool:
    parts = module.split(".")
    if parts[:3] == ["datong", "app", "control"] or parts[:2] == ["datong", "testing"]:
        return True  # the control plane itself, and what only tests load
    inside = parts[2:]
    return bool({"service", "store", "web", "templatetags"} & set(inside))


def django_violations(source: Path) -> list[str]:
    found = []
    for path in find_modules(source):
        name = module_name(path, source)
        if not may_use_django(name):
            found += [
                f"{name}:{i.line} imports {i.names}" for i in find_imports(path, source) if i.top in DJANGO_FAMILY
            ]
    return found


def pack_violations(source: Path) -> list[str]:
    """A pack imports the sdk, its own folder and nothing else of Datong."""
    found = []
    for path in find_modules(source):
        name = module_name(path, source)
        parts = name.split(".")
        if parts[:2] != ["datong", "packs"] or len(parts) < 3:
            continue
        own = ".".join(parts[:3])
        for i in find_imports(path, source):
            ours = i.names.startswith("datong.")
            if ours and not i.names.startswith(("datong.sdk.", own + ".")) and i.names != own:
                found.append(f"{name}:{i.line} imports {i.names}")
    return found


def banned_violations(source: Path) -> list[str]:
    return [
        f"{i.module}:{i.line} imports {i.names}: {remedy}"
        for path in find_modules(source, tests=True)
        for i in find_imports(path, source)
        for banned, remedy in BANNED
        if i.names == banned or i.names.startswith(banned + ".")
    ]


LAWS = {
    "pure": (pure_violations, "datong/exchange/model.py", "import duckdb\n"),
    "pure-nested": (pure_violations, "datong/kernel/identity/model.py", "def f():\n    from django.db import models\n"),
    "django": (django_violations, "datong/exchange/serving/decide.py", "from django.conf import settings\n"),
    "django-kernel": (django_violations, "datong/kernel/plugs.py", "import django\n"),
    "packs": (pack_violations, "datong/packs/health/service.py", "from datong.lake.service import read_version\n"),
    "packs-each-other": (pack_violations, "datong/packs/health/model.py", "from datong.packs.credit import model\n"),
    "banned": (banned_violations, "datong/cases/service.py", "from django.db.models.signals import post_save\n"),
    "banned-apps": (banned_violations, "datong/cases/store/models.py", "from django.apps import apps\n"),
}


@pytest.mark.parametrize("law", sorted(LAWS))
def test_the_tree_obeys(law: str) -> None:
    violations, _, _ = LAWS[law]
    assert len(find_modules(SOURCE)) > 50, "the tree was not found"
    assert violations(SOURCE) == []


@pytest.mark.parametrize("law", sorted(LAWS))
def test_a_planted_violation_is_caught(law: str, tmp_path: Path) -> None:
    violations, place, text = LAWS[law]
    planted = tmp_path / place
    planted.parent.mkdir(parents=True)
    planted.write_text(text)
    assert len(violations(tmp_path)) == 1


def _lint_imports(folder: Path, config: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--config", config, "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"},
    )


STOREYS = [
    "app",
    "testing",
    "portal",
    "exchange",
    "collect",
    "quality",
    "privacy",
    "lake",
    "catalog",
    "standards",
    "cases",
    "ui",
    "kernel",
]


@pytest.mark.parametrize(
    ("place", "text", "said"),
    [
        ("kernel/clock.py", "import datong.catalog.service\n", "datong.kernel.clock -> datong.catalog.service"),
        ("lake/engine.py", "from datong.collect import service\n", "datong.lake.engine -> datong.collect"),
        ("extra/__init__.py", "", "extra"),
        ("exchange/serving/store.py", "import django\n", "django"),
    ],
    ids=["upward", "sideways-up", "unplaced-part", "django-in-the-data-plane"],
)
def test_a_planted_import_against_the_storeys_is_caught(tmp_path: Path, place: str, text: str, said: str) -> None:
    """A small tree of the same parts, one import against the storeys, and the project's own contract file."""
    needed = ["app/gateway/__init__.py", "app/supervisor.py", "exchange/serving/__init__.py", "exchange/contracts.py"]
    needed += [f"{part}/__init__.py" for part in STOREYS]
    needed += ["catalog/service.py", "collect/service.py", "kernel/audit/__init__.py"]
    needed += [f"kernel/audit/{name}.py" for name in ("log", "committer", "receipts", "verify")]
    for name in [*needed, "__init__.py"]:
        path = tmp_path / "datong" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    healthy = _lint_imports(tmp_path, ROOT / ".importlinter")
    assert healthy.returncode == 0, healthy.stdout + healthy.stderr
    planted = tmp_path / "datong" / place
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(text)
    caught = _lint_imports(tmp_path, ROOT / ".importlinter")
    assert caught.returncode != 0
    assert said in caught.stdout
