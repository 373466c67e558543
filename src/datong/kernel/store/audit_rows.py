"""Writing the kernel's append-only rows. Only `action` calls these."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from datong.kernel.contracts import Actor, Subject
from datong.kernel.store.models import AuditRow, OutboxEvent


def write_audit_row(
    *,
    verb: str,
    actor: Actor,
    subject: Subject | None,
    facts: Mapping[str, Any],
    operation_id: str,
    at: datetime,
) -> str:
    """Insert one audit row and return its id. `agency_id` is the subject's agency, else the actor's."""
    row = AuditRow.objects.create(
        at=at,
        operation_id=operation_id,
        verb=verb,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        agency_id=(subject.agency_id if subject else None) or actor.agency_id or "",
        subject_kind=subject.kind if subject else "",
        subject_id=subject.id if subject else "",
        subject_name=subject.name if subject else "",
        facts=dict(facts),
    )
    return row.id


def write_event(*, name: str, subject: str, payload: Mapping[str, Any], at: datetime) -> str:
    """Insert one outbox row and return the event's id."""
    row = OutboxEvent.objects.create(
        name=name, subject=subject, payload=dict(payload), occurred_at=at, next_attempt_at=at
    )
    return row.id
