"""Tables of the catalogue. A contract version is immutable, even against raw SQL: migration 0002."""

from __future__ import annotations

from typing import ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from datong.kernel import clock, ids


def _contract_version_id() -> str:
    return ids.new_id("cv")


class Resource(models.Model):
    """A catalogue entry; all but id, state and agency is read out of the current contract version."""

    id = models.TextField(primary_key=True)
    agency = models.ForeignKey("kernel.Agency", on_delete=models.PROTECT, related_name="+")
    title_zh = models.TextField()
    title_en = models.TextField(default="")
    description = models.TextField(default="")
    directory_code = models.TextField(default="")
    sharing = models.TextField()
    update_cycle = models.TextField()
    grade_max = models.PositiveSmallIntegerField()
    columns_count = models.PositiveIntegerField()
    current_version = models.TextField()
    state = models.TextField(default="active")
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="catalog_directory_code_once",
                fields=["directory_code"],
                condition=~models.Q(directory_code=""),
            ),
            models.CheckConstraint(name="catalog_grade_range", condition=models.Q(grade_max__range=(1, 6))),
        ]


class ContractVersion(models.Model):
    """One version of a resource's contract: the canonical text and its SHA-256."""

    id = models.TextField(primary_key=True, default=_contract_version_id)
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="+")
    version = models.TextField()
    text = models.TextField()
    digest = models.TextField()
    applied_by = models.TextField()
    """The actor's id; `applied_by_name` as it was then."""
    applied_by_name = models.TextField(default="")
    applied_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering: ClassVar = ["resource_id", "-applied_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(name="catalog_contract_version_once", fields=["resource", "version"]),
        ]


class Facet(models.Model):
    """A value that a higher part wrote down on a resource, so that search and filters never read up."""

    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="+")
    name = models.TextField()
    value = models.JSONField(encoder=DjangoJSONEncoder)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(name="catalog_facet_once", fields=["resource", "name"]),
        ]


from datong.catalog.store.draft_models import ContractDraft  # noqa: E402
from datong.catalog.store.knowledge_models import SearchEntry, SynonymGroup  # noqa: E402
from datong.catalog.store.lineage_models import LineageEdge, LineageEvent  # noqa: E402
from datong.catalog.store.responsibility_models import ElementAuthority, ElementUse, FieldSource  # noqa: E402

__all__ = [
    "ContractDraft",
    "ContractVersion",
    "ElementAuthority",
    "ElementUse",
    "Facet",
    "FieldSource",
    "LineageEdge",
    "LineageEvent",
    "Resource",
    "SearchEntry",
    "SynonymGroup",
]
