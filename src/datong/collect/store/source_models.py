"""Connected sources, their fetches, and the files that folder sources have taken. Credentials are sealed bytes."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from datong.collect.sources.contracts import FetchState, Trigger
from datong.kernel import clock, ids


def _source_id() -> str:
    return ids.new_id("source")


def _fetch_id() -> str:
    return ids.new_id("fetch")


class Source(models.Model):
    """Where a resource's data come from. A removed source stays as a row, without credentials, for its history."""

    id = models.TextField(primary_key=True, default=_source_id)
    resource_id = models.TextField()
    resource_title = models.TextField()
    agency = models.ForeignKey("kernel.Agency", on_delete=models.PROTECT, related_name="+")
    title = models.TextField()
    kind = models.TextField()
    options = models.JSONField(default=dict)
    sealed = models.BinaryField(default=b"")
    secret_names = models.JSONField(default=list)
    schedule = models.TextField(default="")
    after_resource = models.TextField(default="")
    enabled = models.BooleanField(default=False)
    revision = models.IntegerField(default=1)
    cursor = models.JSONField(default=dict)
    """How far the last run that ended had read."""
    seen = models.BinaryField(default=b"")
    failures_in_row = models.IntegerField(default=0)
    last_failure = models.JSONField(null=True)
    case_id = models.TextField(null=True)
    checked_at = models.DateTimeField(null=True)
    fetched_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=clock.now)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["resource_id"], name="collect_source_of_resource"),
            models.Index(fields=["due_at"], condition=Q(enabled=True), name="collect_source_due"),
            models.Index(fields=["after_resource"], condition=Q(enabled=True), name="collect_source_after"),
        ]


class Fetch(models.Model):
    """One fetch of a source. `cursor` and `seen` become the source's when its run has ended."""

    id = models.TextField(primary_key=True, default=_fetch_id)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+")
    trigger = models.TextField(default=Trigger.HAND.value)
    state = models.TextField(default=FetchState.FETCHING.value)
    started_by = models.TextField()
    started_by_name = models.TextField()
    started_at = models.DateTimeField(default=clock.now)
    finished_at = models.DateTimeField(null=True)
    attempts = models.IntegerField(default=0)
    job_id = models.TextField(null=True)
    filename = models.TextField(default="")
    rows = models.BigIntegerField(null=True)
    bytes = models.BigIntegerField(default=0)
    run_id = models.TextField(null=True)
    run_number = models.TextField(default="")
    cursor = models.JSONField(default=dict)
    seen = models.BinaryField(default=b"")
    has_more = models.BooleanField(default=False)
    failure = models.JSONField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["source", "-started_at"], name="collect_fetch_of_source"),
            models.Index(fields=["run_id"], name="collect_fetch_of_run"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source"],
                condition=Q(state__in=[FetchState.FETCHING.value, FetchState.LANDED.value]),
                name="collect_fetch_one_at_a_time",
            )
        ]


class SourceFile(models.Model):
    """A file that a folder source has taken: the ledger."""

    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+")
    fetch = models.ForeignKey(Fetch, on_delete=models.PROTECT, related_name="+")
    name = models.TextField()
    bytes = models.BigIntegerField()
    modified_ns = models.BigIntegerField()
    digest = models.TextField()
    state = models.TextField(default=FetchState.LANDED.value)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["source", "name"], name="collect_file_of_source")]
