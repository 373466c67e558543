"""Tables of the kernel. Rules that must hold even against raw SQL are triggers in migration 0002."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from datong.kernel import clock, ids


def _agency_id() -> str:
    return ids.new_id("ag")


def _member_id() -> str:
    return ids.new_id("mem")


def _role_id() -> str:
    return ids.new_id("role")


def _system_id() -> str:
    return ids.new_id("sys")


def _key_id() -> str:
    return ids.new_id("key")


def _audit_id() -> str:
    return ids.new_id("aud")


def _event_id() -> str:
    return ids.new_id("evt")


def _job_id() -> str:
    return ids.new_id("job")


class Agency(models.Model):
    """An organisation in the agency tree. `code` is short and stable: psb, amr."""

    id = models.TextField(primary_key=True, default=_agency_id)
    code = models.TextField(unique=True)
    name = models.TextField()
    name_en = models.TextField(default="")
    division_code = models.TextField(default="")
    uscc = models.TextField(default="")
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering: ClassVar = ["code"]
        constraints: ClassVar = [
            models.CheckConstraint(name="agency_code_plain", condition=models.Q(code__regex=r"^[a-z][a-z0-9_]{0,39}$")),
            models.CheckConstraint(name="agency_not_own_parent", condition=~models.Q(parent=models.F("id"))),
        ]


class MemberManager(BaseUserManager["Member"]):
    """Finds members for sign-in. It cannot create one: that is an action of `kernel.identity.service`."""

    def get_by_natural_key(self, username: str | None) -> Member:
        return self.get(username=username)


class Member(AbstractBaseUser):
    """A person acting for an agency. There is no staff or superuser flag: only roles count."""

    id = models.TextField(primary_key=True, default=_member_id)
    username = models.TextField(unique=True)
    display_name = models.TextField()
    name_en = models.TextField(default="")
    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="+")
    is_active = models.BooleanField(default=True)
    must_change_password = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=clock.now)

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[MemberManager] = MemberManager()

    class Meta:
        ordering: ClassVar = ["username"]

    def __str__(self) -> str:
        return self.display_name or self.username


class RoleAssignment(models.Model):
    """A role that a member holds or held. `assigned_by` is null only for the first officers of a new platform."""

    id = models.TextField(primary_key=True, default=_role_id)
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    role = models.TextField()
    assigned_by = models.ForeignKey(Member, null=True, on_delete=models.PROTECT, related_name="+")
    assigned_at = models.DateTimeField(default=clock.now)
    withdrawn_by = models.ForeignKey(Member, null=True, on_delete=models.PROTECT, related_name="+")
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "kernel_role_assignment"
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="role_held_once", fields=["member", "role"], condition=models.Q(withdrawn_at__isnull=True)
            ),
            models.CheckConstraint(name="role_not_by_oneself", condition=~models.Q(assigned_by=models.F("member"))),
            models.CheckConstraint(
                name="role_known",
                condition=models.Q(role__in=["steward", "approver", "bureau", "auditor", "security", "operator"]),
            ),
        ]


class System(models.Model):
    """A machine client of an agency."""

    id = models.TextField(primary_key=True, default=_system_id)
    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="+")
    name = models.TextField()
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [models.UniqueConstraint(name="system_name_once", fields=["agency", "name"])]


class SystemKey(models.Model):
    """A bearer token's digest. `shown` is its first characters, so that people can tell keys apart."""

    id = models.TextField(primary_key=True, default=_key_id)
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="+")
    token_sha256 = models.TextField(unique=True)
    shown = models.TextField()
    created_by = models.ForeignKey(Member, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "kernel_system_key"


class AuditRow(models.Model):
    """One action, written in its transaction. `seal_seq`, `log_index` and `entry_sha256` are filled once, later."""

    id = models.TextField(primary_key=True, default=_audit_id)
    at = models.DateTimeField(default=clock.now)
    operation_id = models.TextField()
    verb = models.TextField()
    actor_kind = models.TextField()
    actor_id = models.TextField()
    actor_name = models.TextField()
    agency_id = models.TextField(default="")
    subject_kind = models.TextField(default="")
    subject_id = models.TextField(default="")
    subject_name = models.TextField(default="")
    facts = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    seal_seq = models.BigIntegerField(null=True, unique=True)
    log_index = models.BigIntegerField(null=True, unique=True)
    entry_sha256 = models.TextField(null=True)

    class Meta:
        db_table = "kernel_audit_row"
        indexes: ClassVar = [
            models.Index(fields=["-at", "-id"], name="audit_by_time"),
            models.Index(fields=["subject_kind", "subject_id"], name="audit_by_subject"),
            models.Index(fields=["actor_id"], name="audit_by_actor"),
            models.Index(fields=["agency_id", "-at", "-id"], name="audit_by_agency"),
            models.Index(fields=["verb", "-at", "-id"], name="audit_by_verb"),
            models.Index(fields=["operation_id"], name="audit_by_operation"),
            models.Index(fields=["id"], name="audit_unnumbered", condition=models.Q(seal_seq__isnull=True)),
            models.Index(
                fields=["seal_seq"],
                name="audit_unsealed",
                condition=models.Q(seal_seq__isnull=False, log_index__isnull=True),
            ),
        ]


class OutboxEvent(models.Model):
    """Something that happened, waiting to be told. `position` gives the order within one subject."""

    position = models.BigAutoField(primary_key=True)
    id = models.TextField(unique=True, default=_event_id)
    name = models.TextField()
    subject = models.TextField()
    payload = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    occurred_at = models.DateTimeField(default=clock.now)
    delivered_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=clock.now)
    last_problem = models.JSONField(null=True)

    class Meta:
        db_table = "kernel_outbox_event"
        indexes: ClassVar = [
            models.Index(
                fields=["subject", "position"],
                name="outbox_pending",
                condition=models.Q(delivered_at__isnull=True),
            )
        ]


class HandledEvent(models.Model):
    """That one handler has handled one event: written in the handler's own transaction."""

    event_id = models.TextField()
    handler = models.TextField()
    handled_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "kernel_handled_event"
        constraints: ClassVar = [models.UniqueConstraint(name="handled_once", fields=["event_id", "handler"])]


class Job(models.Model):
    """A piece of work and how far it is. `key` makes enqueuing idempotent among jobs that have not failed.

    `worker` is the process that runs it, `queue_id` its row in procrastinate's queue.
    """

    id = models.TextField(primary_key=True, default=_job_id)
    name = models.TextField()
    args = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    key = models.TextField(null=True)
    state = models.TextField(default="waiting")
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True)
    note = models.TextField(default="")
    attempts = models.PositiveIntegerField(default=0)
    failure = models.JSONField(null=True)
    worker = models.TextField(default="")
    queue_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(default=clock.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["state", "created_at"], name="job_by_state")]
        constraints: ClassVar = [
            models.UniqueConstraint(name="job_key_once", fields=["key"], condition=~models.Q(state="failed")),
            models.CheckConstraint(
                name="job_state_known", condition=models.Q(state__in=["waiting", "running", "done", "failed"])
            ),
        ]
