"""Runs. Rows of data are never here: the landed file is on disk, accepted and quarantined rows are in the lake."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from datong.collect.contracts import CollectMode, RunState
from datong.kernel import clock, ids


def _run_id() -> str:
    return ids.new_id("run")


class Run(models.Model):
    """One file's way from landing to a version."""

    id = models.TextField(primary_key=True, default=_run_id)
    number = models.TextField(unique=True)
    resource_id = models.TextField()
    resource_title = models.TextField()
    agency = models.ForeignKey("kernel.Agency", on_delete=models.PROTECT, related_name="+")
    contract_version = models.TextField()
    mode = models.TextField(default=CollectMode.REPLACE)
    filename = models.TextField()
    digest = models.TextField()
    bytes = models.BigIntegerField()
    file_facts = models.JSONField(default=dict)
    delimiter = models.TextField(default="")
    encoding = models.TextField(default="")
    source_header = models.JSONField(default=list)
    as_of = models.DateField()
    """The day on which codes and birth dates are judged: fixed when the run starts, so that a repeated run agrees."""
    state = models.TextField(default=RunState.RECEIVED)
    rows_read = models.BigIntegerField(default=0)
    rows_accepted = models.BigIntegerField(default=0)
    rows_quarantined = models.BigIntegerField(default=0)
    score = models.FloatField(null=True)
    dimensions = models.JSONField(default=dict)
    rules = models.JSONField(default=list)
    reasons = models.JSONField(default=list)
    steps = models.JSONField(default=dict)
    """Seconds by step name."""
    version_id = models.TextField(null=True)
    version_label = models.TextField(null=True)
    failure = models.JSONField(null=True)
    origin_kind = models.TextField(default="upload")
    origin_source = models.TextField(default="")
    origin_cursor = models.JSONField(default=dict)
    bill = models.JSONField(null=True)
    bill_differences = models.JSONField(default=list)
    blocks = models.JSONField(default=list)
    """Why a blocked run waits."""
    accepted = models.JSONField(default=list)
    """What somebody let pass when resuming it: kind, by, at, reason."""
    notes = models.JSONField(default=list)
    """What the reader skipped or took otherwise than it stood, and what drifted."""
    changes = models.JSONField(default=list)
    """Cells changed by each cleaning step."""
    rows_written = models.JSONField(default=dict)
    """inserted, updated, deleted, unchanged, late."""
    landed_gone_at = models.DateTimeField(null=True)
    """When retention removed the landed file; the digest stays."""
    job_id = models.TextField(null=True)
    started_by = models.TextField()
    started_by_name = models.TextField()
    started_at = models.DateTimeField(default=clock.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["resource_id", "-started_at"], name="collect_run_of_resource"),
            models.Index(fields=["agency", "-started_at"], name="collect_run_of_agency"),
            models.Index(fields=["agency", "digest"], name="collect_run_of_file"),
            models.Index(fields=["finished_at"], name="collect_run_landed", condition=Q(landed_gone_at__isnull=True)),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(rows_read=F("rows_accepted") + F("rows_quarantined")), name="collect_run_no_row_lost"
            )
        ]


from datong.collect.store.source_models import Fetch, Source, SourceFile  # noqa: E402, F401 - tables of connected sources
