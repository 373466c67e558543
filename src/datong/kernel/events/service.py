"""Telling what happened: outbox rows to the handlers that listen, once per handler, in order per subject.

A handler runs in one transaction with the row that says it has handled the event. One that fails is tried again with
a growing delay; until it succeeds, later events of the same subject wait, and those of other subjects go on.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import connection, transaction

from datong.kernel import clock, ids
from datong.kernel.failures import Bug, Failure
from datong.kernel.limits import EVENT_RETRY_DELAY_S_MAX, EVENTS_PER_DELIVERY_MAX
from datong.kernel.logs import operation_id
from datong.kernel.plugs import Event, handlers
from datong.kernel.store.models import HandledEvent, OutboxEvent

log = logging.getLogger("datong.events")

_HEADS = """
with heads as (
    select distinct on (subject) position, next_attempt_at
    from kernel_outbox_event
    where delivered_at is null
    order by subject, position
)
select position from heads where next_attempt_at <= %s order by position limit %s
"""


def deliver_pending(limit: int = EVENTS_PER_DELIVERY_MAX) -> int:
    """Deliver up to `limit` events; returns how many were delivered. Safe to run in several processes at once."""
    delivered = 0
    while delivered < limit:
        heads = _find_heads(limit - delivered)
        done = sum(_deliver(position) for position in heads)
        delivered += done
        if not done:
            break
    return delivered


def count_pending() -> int:
    """Events not delivered yet: a metric."""
    return OutboxEvent.objects.filter(delivered_at__isnull=True).count()


def _find_heads(limit: int) -> list[int]:
    """The first undelivered event of each subject, when its time has come."""
    with connection.cursor() as cursor:
        cursor.execute(_HEADS, [clock.now(), limit])
        return [position for (position,) in cursor.fetchall()]


def _deliver(position: int) -> bool:
    """Run an event's handlers. False: another process has it, it has been delivered meanwhile, or a handler failed."""
    with transaction.atomic():
        row = (
            OutboxEvent.objects.select_for_update(skip_locked=True)
            .filter(position=position, delivered_at__isnull=True)
            .first()
        )
        if row is None:
            return False
        event = Event(
            id=row.id,
            name=row.name,
            subject=row.subject,
            payload=row.payload,
            occurred_at=clock.iso(row.occurred_at),
        )
        token = operation_id.set(event.id)
        try:
            problem = _handle(event)
        finally:
            operation_id.reset(token)
        if problem is None:
            row.delivered_at = clock.now()
        else:
            row.attempts += 1
            row.next_attempt_at = clock.now() + timedelta(seconds=_delay_s(row.attempts))
            row.last_problem = problem.as_problem()
        row.save(update_fields=["delivered_at", "attempts", "next_attempt_at", "last_problem"])
        return problem is None


def _handle(event: Event) -> Failure | None:
    """Every handler that has not handled the event yet, each in its own savepoint; the first failure stops."""
    for name, handler in handlers.of(event.name):
        if HandledEvent.objects.filter(event_id=event.id, handler=name).exists():
            continue
        try:
            with transaction.atomic():
                HandledEvent.objects.create(event_id=event.id, handler=name)
                handler(event)
        except Failure as failure:
            log.warning("handler %s of %s failed: %s", name, event.name, failure.code)
            return failure
        except Exception:
            bug = Bug("The log has the details under this reference.")
            bug.reference = ids.new_id("ref")
            log.exception("handler %s of %s broke", name, event.name, extra={"facts": {"reference": bug.reference}})
            return bug
    return None


def _delay_s(attempts: int) -> float:
    return float(min(0.5 * 2 ** min(attempts, 12), EVENT_RETRY_DELAY_S_MAX))
