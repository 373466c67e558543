"""The tables: every change has its migration, foreign keys look down only, and nobody reaches back through them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.apps import apps
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.models import ForeignObject
from django.utils import translation

from datong.app.parts import PARTS

STOREY = {part: storey for storey, part in enumerate(PARTS)}


@dataclass(frozen=True, kw_only=True)
class Link:
    """A foreign key: from which part's table to which, and its way back."""

    name: str
    source: str
    target: str
    back: str | None


def find_links() -> Iterator[Link]:
    """The foreign keys of our own tables, many-to-many tables among them."""
    for model in apps.get_models(include_auto_created=True):
        if model._meta.app_label not in STOREY:
            continue
        for field in model._meta.get_fields():
            if isinstance(field, ForeignObject) and field.model is model:
                related = field.remote_field.related_name
                target = field.related_model
                assert not isinstance(target, str)
                yield Link(
                    name=f"{model._meta.label}.{field.name}",
                    source=model._meta.app_label,
                    target=target._meta.app_label,
                    back=related,
                )


def link_violations(links: list[Link]) -> list[str]:
    found = []
    for link in links:
        if link.target not in STOREY:
            found.append(f"{link.name}: to a table of {link.target}, which is no part")
        elif STOREY[link.target] > STOREY[link.source]:
            found.append(f"{link.name}: looks up, from {link.source} to {link.target}")
        if link.back != "+":
            found.append(f"{link.name}: related_name is not '+'")
    return found


def missing_migrations(loader: MigrationLoader, state: ProjectState) -> list[str]:
    """Changes of our models that no migration makes. Without translations, as `makemigrations` looks at them."""
    with translation.override(None):
        changes = MigrationAutodetector(loader.project_state(), state).changes(graph=loader.graph)
    return [
        f"{app}: {operation.describe()}" for app, todo in changes.items() for m in todo for operation in m.operations
    ]


def test_foreign_keys_look_down_and_not_back() -> None:
    links = list(find_links())
    assert len(links) > 5
    found = link_violations(links)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("link", "said"),
    [
        (Link(name="kernel.Agency.case", source="kernel", target="cases", back="+"), "looks up"),
        (Link(name="cases.Case.agency", source="cases", target="kernel", back="cases"), "related_name"),
        (Link(name="cases.Case.agency", source="cases", target="kernel", back=None), "related_name"),
        (Link(name="cases.Case.user", source="cases", target="auth", back="+"), "no part"),
    ],
)
def test_a_planted_link_is_caught(link: Link, said: str) -> None:
    assert any(said in violation for violation in link_violations([link]))


def test_every_model_change_has_its_migration() -> None:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    found = missing_migrations(loader, ProjectState.from_apps(apps))
    assert not found, "\n".join(found)
    assert {part for part, _ in loader.graph.nodes} >= {"kernel", "procrastinate"}


def test_a_planted_model_change_is_caught() -> None:
    changed = ProjectState.from_apps(apps)
    changed.remove_field("kernel", "agency", "uscc")
    loader = MigrationLoader(None, ignore_no_migrations=True)
    assert any(text.startswith("kernel: Remove field uscc") for text in missing_migrations(loader, changed))
