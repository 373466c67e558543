"""Reports, work orders, waivers. Rows of data are never here: a report has counts, and its rules' names."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from datong.kernel import clock, ids
from datong.quality.contracts import OrderState


def _report_id() -> str:
    return ids.new_id("qr")


def _order_id() -> str:
    return ids.new_id("qo")


def _waiver_id() -> str:
    return ids.new_id("qw")


class Report(models.Model):
    """The signed quality report of one version. `body` is the JSON as signed, to the byte."""

    id = models.TextField(primary_key=True, default=_report_id)
    number = models.TextField(unique=True)
    resource_id = models.TextField()
    resource_title = models.TextField()
    agency = models.ForeignKey("kernel.Agency", on_delete=models.PROTECT, related_name="+")
    run_id = models.TextField(unique=True)
    run_number = models.TextField()
    version_id = models.TextField(null=True)
    version_label = models.TextField(default="")
    contract_version = models.TextField()
    rows_read = models.BigIntegerField()
    rows_accepted = models.BigIntegerField()
    rows_quarantined = models.BigIntegerField()
    score = models.FloatField()
    dimensions = models.JSONField(default=dict)
    body = models.TextField()
    digest = models.TextField()
    jws = models.TextField()
    recorded_at = models.DateTimeField(default=clock.now)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["resource_id", "-recorded_at"], name="quality_report_of_resource"),
            models.Index(fields=["agency", "-recorded_at"], name="quality_report_of_agency"),
        ]


class Order(models.Model):
    """A broken rule of a resource as its provider's task. The deadline and the history are the case's."""

    id = models.TextField(primary_key=True, default=_order_id)
    case = models.OneToOneField("cases.Case", null=True, on_delete=models.PROTECT, related_name="+")
    resource_id = models.TextField()
    resource_title = models.TextField()
    agency = models.ForeignKey("kernel.Agency", on_delete=models.PROTECT, related_name="+")
    rule_id = models.TextField()
    column = models.TextField(default="")
    reason_zh = models.TextField()
    reason_en = models.TextField()
    severity = models.TextField()
    state = models.TextField(default=OrderState.OPEN)
    rows_bad = models.BigIntegerField()
    opened_run = models.TextField()
    last_run = models.TextField()
    closed_run = models.TextField(default="")
    opened_at = models.DateTimeField(default=clock.now)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["agency", "state"], name="quality_order_of_agency")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["resource_id", "rule_id"], condition=models.Q(state="open"), name="quality_order_open_once"
            )
        ]


class Waiver(models.Model):
    """Somebody's word that a rule need not hold until a day, which belongs to it."""

    id = models.TextField(primary_key=True, default=_waiver_id)
    resource_id = models.TextField()
    resource_title = models.TextField()
    agency = models.ForeignKey("kernel.Agency", on_delete=models.PROTECT, related_name="+")
    rule_id = models.TextField()
    until = models.DateField()
    reason = models.TextField()
    granted_by = models.TextField()
    granted_by_name = models.TextField()
    granted_at = models.DateTimeField(default=clock.now)
    ended_at = models.DateTimeField(null=True)
    ended_by_name = models.TextField(default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["resource_id", "rule_id"],
                condition=models.Q(ended_at__isnull=True),
                name="quality_waiver_one_at_a_time",
            )
        ]
