"""Tables of the workflow engine."""

from __future__ import annotations

from django.db import models

from datong.kernel import clock, ids


def _case_id() -> str:
    return ids.new_id("case")


class Case(models.Model):
    id = models.TextField(primary_key=True, default=_case_id)
    number = models.TextField(unique=True)
    kind = models.TextField()
    title_zh = models.TextField()
    title_en = models.TextField()
    subject_kind = models.TextField()
    subject_id = models.TextField()
    from_agency = models.ForeignKey("kernel.Agency", on_delete=models.PROTECT, related_name="+")
    to_agency = models.ForeignKey("kernel.Agency", on_delete=models.PROTECT, related_name="+")
    opened_at = models.DateTimeField(default=clock.now)
    opened_by = models.TextField()
    opened_by_name = models.TextField()
    allowance_days = models.PositiveIntegerField()
    due_on = models.DateField()
    due_provisional = models.BooleanField(default=False)
    state = models.TextField(default="open")
    decision = models.TextField(null=True)
    reason = models.TextField(default="")
    decided_at = models.DateTimeField(null=True)
    decided_by = models.TextField(default="")
    decided_by_name = models.TextField(default="")
    detail = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(fields=["to_agency", "state", "due_on"], name="case_waiting"),
            models.Index(fields=["subject_kind", "subject_id"], name="case_subject"),
        ]
        constraints = [
            models.CheckConstraint(
                name="case_decided_once_and_whole",
                condition=models.Q(state="open", decision__isnull=True, decided_at__isnull=True)
                | models.Q(state="decided", decision__isnull=False, decided_at__isnull=False)
                | models.Q(state="withdrawn", decision__isnull=True),
            )
        ]


class CaseEvent(models.Model):
    """One line of a case's history."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=clock.now)
    what = models.TextField()
    actor_id = models.TextField()
    actor_name = models.TextField()
    note = models.TextField(default="")

    class Meta:
        ordering = ["id"]
