"""Which resource answers for an element, and whose each field is."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from datong.kernel import clock


class ElementUse(models.Model):
    """A column of a current contract that holds an element; written with the contract."""

    resource = models.ForeignKey("catalog.Resource", on_delete=models.CASCADE, related_name="+")
    column_name = models.TextField()
    column_title = models.TextField()
    element = models.TextField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(name="catalog_element_use_once", fields=["resource", "column_name"]),
        ]
        indexes: ClassVar = [models.Index(name="catalog_element_use", fields=["element"])]


class ElementAuthority(models.Model):
    """The one column from which an element is to be taken."""

    element = models.TextField(primary_key=True)
    resource = models.ForeignKey("catalog.Resource", on_delete=models.CASCADE, related_name="+")
    column_name = models.TextField()
    since = models.DateTimeField(default=clock.now)
    decided_by = models.TextField()
    decided_by_name = models.TextField()
    case_id = models.TextField(default="")


class FieldSource(models.Model):
    """Where a field was found to come from when its holder said "not ours": it overrules the contract's own word."""

    resource = models.ForeignKey("catalog.Resource", on_delete=models.CASCADE, related_name="+")
    column_name = models.TextField()
    agency = models.ForeignKey("kernel.Agency", on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(default=clock.now)
    decided_by = models.TextField()
    case_id = models.TextField(default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(name="catalog_field_source_once", fields=["resource", "column_name"]),
        ]
