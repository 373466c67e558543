"""Edges of column lineage, and the OpenLineage events that tell of them."""

from __future__ import annotations

from typing import ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from datong.kernel import clock


class LineageEdge(models.Model):
    """One column into another, as the job's latest run drew it. A dataset is `namespace\\nname`."""

    job = models.TextField()
    source = models.TextField()
    source_title = models.JSONField(default=list)
    source_column = models.TextField()
    target = models.TextField()
    target_title = models.JSONField(default=list)
    target_column = models.TextField()
    kind = models.TextField()
    detail = models.JSONField(default=list)
    masks = models.BooleanField(default=False)
    run_id = models.TextField()
    at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="catalog_lineage_edge_once",
                fields=["job", "source", "source_column", "target", "target_column", "kind"],
            ),
        ]
        indexes: ClassVar = [
            models.Index(name="catalog_lineage_source", fields=["source", "source_column"]),
            models.Index(name="catalog_lineage_target", fields=["target", "target_column"]),
        ]


class LineageEvent(models.Model):
    """One OpenLineage RunEvent; sent to the deployment's endpoint where one is set, in order."""

    id = models.BigAutoField(primary_key=True)
    job = models.TextField()
    run_id = models.TextField(unique=True)
    event = models.JSONField(encoder=DjangoJSONEncoder)
    at = models.DateTimeField(default=clock.now)
    sent_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(name="catalog_lineage_unsent", fields=["id"], condition=models.Q(sent_at__isnull=True)),
        ]
