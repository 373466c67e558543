"""Every change is one action: permission, rule, write, audit row, event — one PostgreSQL transaction.

    with action("grant.approved", actor, Subject(kind="grant", id=grant.id, agency_id=owner)) as record:
        grant.state = "granted"
        grant.save()
        record.event("grant.approved", subject=f"grant:{grant.id}", payload={...})

The actor's roles are read again inside the transaction and stay locked until it ends, so a session that began before
a role was withdrawn cannot act with it. What fails leaves nothing behind. A refusal leaves one audit row
`action.refused`, written after the rollback.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson
from django.db import transaction

from datong.kernel import clock, ids
from datong.kernel.contracts import ACTION_KINDS, ROLE_TITLES, ActionKind, Actor, Subject
from datong.kernel.failures import BadInput, Failure, NotAllowed
from datong.kernel.identity import verbs
from datong.kernel.identity.model import find_acting_role
from datong.kernel.limits import AUDIT_FACTS_BYTES_MAX
from datong.kernel.logs import operation_id as log_operation_id
from datong.kernel.store.actors import read_actor_again
from datong.kernel.store.audit_rows import write_audit_row, write_event

verbs.plug()

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class ActionRecord:
    """What an action says about itself. `facts` become the audit row's; `actor` is the actor as re-read."""

    verb: str
    actor: Actor
    subject: Subject | None
    operation_id: str
    facts: dict[str, Any] = field(default_factory=dict)
    events: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)

    def event(self, name: str, *, subject: str, payload: Mapping[str, Any] | None = None) -> None:
        """Tell the listeners of `name` after the commit, in order among the events of `subject`."""
        self.events.append((name, subject, payload or {}))

    def done(self, value: T) -> T:
        """The action's result, returned as it came."""
        return value


@dataclass(slots=True)
class _Operation:
    """The outermost action and the refusals met inside it, which are written once its rollback is over."""

    id: str
    refusals: list[tuple[str, Actor, Subject | None, NotAllowed]] = field(default_factory=list)


_operation: ContextVar[_Operation | None] = ContextVar("operation", default=None)


@contextmanager
def action(
    verb: str, actor: Actor, subject: Subject | None = None, facts: Mapping[str, Any] | None = None
) -> Iterator[ActionRecord]:
    """Run the block as one declared action. Raises NotAllowed before the block when the actor may not do it.

    Actions nest: the inner one is a savepoint of the outer transaction and shares its operation id. When the inner
    fails and the outer goes on, the outer's work stands.
    """
    outer = _operation.get()
    operation = outer or _Operation(log_operation_id.get() or ids.new_id("op"))
    token = _operation.set(operation)
    try:
        with transaction.atomic():
            acting = read_actor_again(actor)
            check_permission(verb, acting, subject)
            record = ActionRecord(
                verb=verb, actor=acting, subject=subject, operation_id=operation.id, facts=dict(facts or {})
            )
            yield record
            _write(record)
    except NotAllowed as refusal:
        if not any(known is refusal for *_, known in operation.refusals):
            operation.refusals.append((verb, actor, subject, refusal))
        raise
    finally:
        _operation.reset(token)
        if outer is None:
            _write_refusals(operation)


def check_permission(verb: str, actor: Actor, subject: Subject | None) -> ActionKind:
    """The declared kind of the verb when this actor may do it to this subject; NotAllowed otherwise."""
    kind = ACTION_KINDS.find(verb)
    if kind is None:
        raise NotAllowed(
            f"Nobody may do “{verb}”: no part declares it.",
            hint_zh=f"没有声明过“{verb}”这一操作，一律拒绝。",
            verb=verb,
        )
    if actor.kind == "platform":
        allowed = kind.platform
    else:
        allowed = find_acting_role(kind, actor, subject) is not None
    if not allowed:
        raise _refusal(kind, actor, subject)
    if kind.check is not None:
        kind.check(actor, subject)
    return kind


def is_allowed(verb: str, actor: Actor, subject: Subject | None) -> bool:
    """Whether `action` would let this actor in now: for showing or hiding a button, never instead of `action`."""
    try:
        check_permission(verb, actor, subject)
    except Failure:
        return False
    return True


def note_refusal(verb: str, actor: Actor, refusal: NotAllowed) -> None:
    """Audit a refusal that came before any action began, e.g. at a page's door. One that `action` raised is audited."""
    if not refusal.is_audited:
        _write_refusals(_Operation(log_operation_id.get() or ids.new_id("op"), [(verb, actor, None, refusal)]))


def _refusal(kind: ActionKind, actor: Actor, subject: Subject | None) -> NotAllowed:
    if not kind.roles:
        who_zh, who_en = "只有平台自身的任务可以执行。", "Only the platform's own jobs may do this."
    else:
        titles = [ROLE_TITLES[role] for role in sorted(kind.roles)]
        who_zh = f"需要角色：{'、'.join(zh for zh, _ in titles)}。"
        who_en = f"It takes the role {' or '.join(en for _, en in titles)}."
        if kind.roles & actor.roles:
            who_zh += "你的角色只在本机构内有效。"
            who_en += " Your role holds in your own agency only."
    return NotAllowed(
        f"{who_en} Ask the security officer if it should be yours.",
        hint_zh=f"{who_zh}如确有需要，请联系安全员。",
        verb=kind.verb,
        subject=subject.id if subject else "",
        roles_needed=sorted(kind.roles),
        roles_held=sorted(actor.roles),
    )


def _write(record: ActionRecord) -> None:
    size_bytes = len(orjson.dumps(record.facts, default=str))
    if size_bytes > AUDIT_FACTS_BYTES_MAX:
        raise BadInput(
            f"Name fewer things at once: an action's facts may take {AUDIT_FACTS_BYTES_MAX} bytes.",
            verb=record.verb,
            size_bytes=size_bytes,
        )
    at = clock.now()
    write_audit_row(
        verb=record.verb,
        actor=record.actor,
        subject=record.subject,
        facts=record.facts,
        operation_id=record.operation_id,
        at=at,
    )
    for name, subject, payload in record.events:
        write_event(name=name, subject=subject, payload=payload, at=at)


def _write_refusals(operation: _Operation) -> None:
    for verb, actor, subject, refusal in operation.refusals:
        refusal.is_audited = True
        with transaction.atomic():
            write_audit_row(
                verb="action.refused",
                actor=actor,
                subject=subject,
                facts={
                    "wanted_verb": verb,
                    "code": refusal.code,
                    "reason": refusal.hint[:500],
                    "reason_zh": refusal.hint_zh[:500],
                },
                operation_id=operation.id,
                at=clock.now(),
            )
