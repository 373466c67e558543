"""Tables of the exchange: requests, the grants they became, and what was done under them."""

from __future__ import annotations

from typing import ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from datong.kernel import clock, ids


def _request_id() -> str:
    return ids.new_id("req")


def _grant_id() -> str:
    return ids.new_id("grant")


class Request(models.Model):
    id = models.TextField(primary_key=True, default=_request_id)
    number = models.TextField(unique=True)
    resource = models.ForeignKey("catalog.Resource", on_delete=models.PROTECT, related_name="+")
    owner_agency = models.ForeignKey("kernel.Agency", on_delete=models.PROTECT, related_name="+")
    agency = models.ForeignKey("kernel.Agency", on_delete=models.PROTECT, related_name="+")
    system = models.ForeignKey("kernel.System", on_delete=models.PROTECT, related_name="+")
    draft = models.JSONField(encoder=DjangoJSONEncoder)
    requested_by = models.TextField()
    requested_by_name = models.TextField()
    requested_at = models.DateTimeField(default=clock.now)
    state = models.TextField(default="submitted")
    case = models.OneToOneField("cases.Case", null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["agency", "-requested_at"], name="request_by_agency")]


class Grant(models.Model):
    """A signed permission. Its terms never change; only its state does, forwards."""

    id = models.TextField(primary_key=True, default=_grant_id)
    number = models.TextField(unique=True)
    request = models.OneToOneField(Request, on_delete=models.PROTECT, related_name="+")
    resource = models.ForeignKey("catalog.Resource", on_delete=models.PROTECT, related_name="+")
    owner_agency = models.ForeignKey("kernel.Agency", on_delete=models.PROTECT, related_name="+")
    agency = models.ForeignKey("kernel.Agency", on_delete=models.PROTECT, related_name="+")
    system = models.ForeignKey("kernel.System", on_delete=models.PROTECT, related_name="+")
    purpose = models.TextField()
    purpose_title = models.TextField()
    legal_basis = models.TextField()
    terms = models.JSONField()
    """`exchange.contracts.GrantTerms` as JSON; `digest` is over exactly these."""
    digest = models.TextField()
    policy_digest = models.TextField()
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField()
    state = models.TextField(default="active")
    approved_by = models.TextField()
    approved_by_name = models.TextField()
    approved_at = models.DateTimeField(default=clock.now)
    operation_id = models.TextField(default="")
    served_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.TextField(default="")
    revoked_by_name = models.TextField(default="")
    revoked_reason = models.TextField(default="")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["resource", "state"], name="grant_by_resource"),
            models.Index(fields=["agency", "-approved_at"], name="grant_by_agency"),
            models.Index(fields=["owner_agency", "-approved_at"], name="grant_by_owner"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="grant_state_known", condition=models.Q(state__in=["active", "revoking", "revoked"])
            ),
            models.CheckConstraint(
                name="grant_revoked_says_when",
                condition=~models.Q(state="revoked") | models.Q(revoked_at__isnull=False),
            ),
        ]


class Usage(models.Model):
    """One data-plane entry of the audit log, folded for pages. The log is the truth; this can be rebuilt from it."""

    log_index = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    grant_id = models.TextField(default="")
    resource_id = models.TextField(default="")
    system_id = models.TextField(default="")
    mode = models.TextField()
    outcome = models.TextField()
    code = models.TextField(default="")
    wanted_mode = models.TextField(default="")
    """For a refused call, the mode it asked for."""
    items_count = models.PositiveIntegerField(default=0)
    match_count = models.PositiveIntegerField(default=0)
    differ_count = models.PositiveIntegerField(default=0)
    unknown_count = models.PositiveIntegerField(default=0)
    payload_bytes = models.BigIntegerField(default=0)
    reference = models.TextField(default="")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["grant_id", "-log_index"], name="usage_by_grant")]


class FoldPosition(models.Model):
    """How far the audit log has been folded, per reader."""

    reader = models.TextField(primary_key=True)
    next_index = models.BigIntegerField(default=0)
