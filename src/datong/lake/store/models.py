"""Versions, and the commits that make them. Rows of data are never here."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from datong.kernel import clock, ids
from datong.lake.contracts import CommitState


def _version_id() -> str:
    return ids.new_id("ver")


class Version(models.Model):
    """One immutable state of a resource's table; the database refuses to change or delete it."""

    id = models.TextField(primary_key=True, default=_version_id)
    resource_id = models.TextField()
    number = models.PositiveIntegerField()
    label = models.TextField()
    agency = models.TextField()
    table = models.TextField()
    snapshot = models.BigIntegerField()
    run_id = models.TextField(unique=True)
    rows_count = models.BigIntegerField()
    rows_inserted = models.BigIntegerField()
    rows_updated = models.BigIntegerField()
    rows_deleted = models.BigIntegerField()
    payload_bytes = models.BigIntegerField()
    digest = models.TextField()
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering: ClassVar = ["resource_id", "-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["resource_id", "number"], name="lake_version_number_once"),
            models.UniqueConstraint(fields=["agency", "table", "snapshot"], name="lake_version_snapshot_once"),
        ]


class Commit(models.Model):
    """A run's way through the protocol; what is left in `committing` is looked up in the lake by recovery."""

    run_id = models.TextField(primary_key=True)
    resource_id = models.TextField()
    agency = models.TextField()
    agency_id = models.TextField(default="")
    table = models.TextField()
    state = models.TextField(default=CommitState.COMMITTING)
    base_snapshot = models.BigIntegerField()
    """The lake's snapshot when the run first began: the run's own snapshot, if there is one, is later."""
    snapshot = models.BigIntegerField(null=True)
    version = models.ForeignKey(Version, null=True, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField(default="")
    created_at = models.DateTimeField(default=clock.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["agency", "table"], name="lake_commit_pending", condition=models.Q(state=CommitState.COMMITTING)
            )
        ]
