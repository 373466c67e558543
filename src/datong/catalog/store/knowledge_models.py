"""What the catalogue keeps beside its records so that people find them."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.search import SearchVectorField
from django.db import models

from datong.kernel import clock


class SearchEntry(models.Model):
    """The searchable form of one resource, written in the transaction that changes the resource or its facets."""

    resource = models.OneToOneField("catalog.Resource", primary_key=True, on_delete=models.CASCADE, related_name="+")
    title_text = models.TextField()
    columns_text = models.TextField()
    description_text = models.TextField()
    title_terms = SearchVectorField()
    terms = SearchVectorField()
    facets = ArrayField(models.TextField())
    """`name:value`, e.g. `agency:psb`, `sharing:conditional`, `quality:90`."""
    quality = models.FloatField(null=True)
    updated_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(name="catalog_search_updated", fields=["-updated_at", "resource"])]


class SynonymGroup(models.Model):
    """Words that a searcher may use for one another."""

    words = ArrayField(models.TextField(), unique=True)
    added_by = models.TextField()
    added_at = models.DateTimeField(default=clock.now)
