"""The verbs of the workflow engine: open a case, decide it, see what waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datong.cases import model
from datong.cases.contracts import (
    CASE_KINDS,
    CaseAlreadyDecided,
    CaseState,
    CaseStep,
    CaseView,
    Decision,
)
from datong.cases.store.models import Case, CaseEvent
from datong.kernel import clock
from datong.kernel.action.service import action
from datong.kernel.contracts import EVERY_AGENCY, Actor, Role, Subject
from datong.kernel.failures import NotAllowed, NotFound
from datong.kernel.identity.service import find_english_names
from datong.kernel.ids import AgencyId, CaseId
from datong.kernel.limits import PAGE_ROWS_MAX
from datong.kernel.numbers.service import next_number


def open_case(
    *,
    kind: str,
    title_zh: str,
    title_en: str,
    subject: Subject,
    actor: Actor,
    from_agency_id: AgencyId,
    to_agency_id: AgencyId,
    allowance_days: int,
    number: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> CaseView:
    """Open a case inside the caller's action. The deadline counts `allowance_days` working days from tomorrow."""
    CASE_KINDS.get(kind)
    opened_at = clock.now()
    due_on, provisional = model.first_deadline(clock.civil_date(opened_at), allowance_days)
    case = Case.objects.create(
        number=number or next_number("C"),
        kind=kind,
        title_zh=title_zh,
        title_en=title_en,
        subject_kind=subject.kind,
        subject_id=subject.id,
        from_agency_id=from_agency_id,
        to_agency_id=to_agency_id,
        opened_at=opened_at,
        opened_by=actor.id,
        opened_by_name=actor.name,
        allowance_days=allowance_days,
        due_on=due_on,
        due_provisional=provisional,
        detail=dict(detail or {}),
    )
    _write_step(case, "opened", actor)
    return _view(case)


def decide_case(actor: Actor, case_id: CaseId, decision: Decision, reason: str) -> CaseView:
    """Decide a case, once. A refusal needs a reason; who may decide is the permission of the decision's own verb.

    Raises CaseAlreadyDecided, ReasonNeeded, NotAllowed, NotFound.
    """
    decision = Decision(decision)
    case = _find(case_id)
    kind = CASE_KINDS.get(case.kind)
    subject = Subject(kind="case", id=case.id, agency_id=AgencyId(case.to_agency_id), name=case.title_zh)
    facts = {"case": case.number, "reason": reason.strip(), **_told_facts(case)}
    with action(kind.verb_of(decision), actor, subject, facts=facts) as record:
        if decision is Decision.REFUSE:
            reason = model.require_reason(reason)
        locked = _lock_open(case_id)
        locked.state = CaseState.DECIDED
        locked.decision = decision.value
        locked.reason = reason.strip()
        locked.decided_at = clock.now()
        locked.decided_by = actor.id
        locked.decided_by_name = actor.name
        locked.save()
        _write_step(locked, decision.value, actor, locked.reason)
        view = _view(locked)
        kind.on_decided(view, decision, locked.reason, actor, record)
        return record.done(view)


def withdraw_case(case_id: CaseId, actor: Actor, note: str) -> None:
    """Close an open case without a decision, inside the caller's action."""
    case = _lock_open(case_id)
    case.state = CaseState.WITHDRAWN
    case.save(update_fields=["state"])
    _write_step(case, "withdrawn", actor, note)


def settle_case(case_id: CaseId, actor: Actor, note: str) -> None:
    """Close an open case because what it asked for has come about, inside the caller's action; nobody decided it."""
    case = _lock_open(case_id)
    case.state, case.decision, case.reason = CaseState.DECIDED, Decision.APPROVE.value, note
    case.decided_at, case.decided_by, case.decided_by_name = clock.now(), actor.id, actor.name
    case.save()
    _write_step(case, "settled", actor, note)


def add_note(case_id: CaseId, actor: Actor, note: str) -> None:
    """Add a line to an open case's history, inside the caller's action."""
    _write_step(_lock_open(case_id), "noted", actor, note)


def get_case(actor: Actor, case_id: CaseId) -> CaseView:
    """One case, for members of either agency, and for those who see all agencies."""
    case = _find(case_id)
    if not _may_see(actor, case):
        raise NotAllowed(
            "Only the two agencies of this case see it.", hint_zh="只有办件双方部门可以查看。", case=case.number
        )
    return _view(case)


def find_waiting(actor: Actor, *, kind: str | None = None) -> list[CaseView]:
    """Open cases that this actor's agency must decide, the most urgent first."""
    if not actor.is_member or actor.agency_id is None:
        return []
    found = Case.objects.select_related("from_agency", "to_agency").filter(state=CaseState.OPEN)
    found = found.filter(to_agency_id=actor.agency_id)
    if kind:
        found = found.filter(kind=kind)
    cases = list(found.order_by("due_on", "opened_at")[:PAGE_ROWS_MAX])
    english = find_english_names(case.opened_by for case in cases)
    return [_view(case, english) for case in cases]


def find_history(case_id: CaseId) -> list[CaseStep]:
    events = list(CaseEvent.objects.filter(case_id=case_id).order_by("id"))
    english = find_english_names(event.actor_id for event in events)
    return [
        CaseStep(
            at=event.at,
            what=event.what,
            actor_name=event.actor_name,
            note=event.note,
            actor_name_en=english.get(event.actor_id, ""),
        )
        for event in events
    ]


def find_case_of(subject: Subject) -> CaseView | None:
    """The newest case about a subject."""
    case = (
        Case.objects.select_related("from_agency", "to_agency")
        .filter(subject_kind=subject.kind, subject_id=subject.id)
        .order_by("-opened_at")
        .first()
    )
    return _view(case) if case else None


def find_open_cases(kind: str, subject: Subject) -> list[CaseView]:
    """The open cases of a kind about a subject, oldest first."""
    found = Case.objects.select_related("from_agency", "to_agency").filter(
        kind=kind, subject_kind=subject.kind, subject_id=subject.id, state=CaseState.OPEN
    )
    return [_view(case) for case in found.order_by("opened_at")]


def _find(case_id: CaseId) -> Case:
    case = Case.objects.select_related("from_agency", "to_agency").filter(pk=case_id).first()
    if case is None:
        raise NotFound("Check the address.", hint_zh="请检查地址。", kind="case", id=case_id)
    return case


def _lock_open(case_id: CaseId) -> Case:
    """The case under a row lock until the transaction ends, so that of two who decide at once one comes too late."""
    case = Case.objects.select_for_update().filter(pk=case_id).first()
    if case is None:
        raise NotFound("Check the address.", hint_zh="请检查地址。", kind="case", id=case_id)
    if case.state == CaseState.WITHDRAWN:
        hint, hint_zh = "The asker withdrew it.", "申请方已撤回。"
    elif case.decided_at is not None:
        day = clock.civil_date(case.decided_at)
        hint, hint_zh = f"{case.decided_by_name} decided it on {day}.", f"{case.decided_by_name}已于{day}办结。"
    else:
        return case
    raise CaseAlreadyDecided(hint, hint_zh=hint_zh, case=case.number, state=case.state, decision=case.decision)


def _may_see(actor: Actor, case: Case) -> bool:
    if not actor.is_member:
        return False
    if Role.AUDITOR in actor.roles or EVERY_AGENCY in actor.agency_ids:
        return True
    return actor.agency_id in (case.from_agency_id, case.to_agency_id)


def _told_facts(case: Case) -> dict[str, Any]:
    told = case.detail.get("told")
    return dict(told) if isinstance(told, dict) else {}


def _write_step(case: Case, what: str, actor: Actor, note: str = "") -> None:
    CaseEvent.objects.create(case=case, what=what, actor_id=actor.id, actor_name=actor.name, note=note)


def _view(case: Case, english: Mapping[str, str] | None = None) -> CaseView:
    """`english` are the members' English names, where they are known already."""
    if english is None:
        english = find_english_names([case.opened_by, case.decided_by])
    ended_at = case.decided_at
    if case.state == CaseState.WITHDRAWN:
        ended_at = CaseEvent.objects.filter(case=case).latest("id").at
    return CaseView(
        id=CaseId(case.id),
        number=case.number,
        kind=case.kind,
        title_zh=case.title_zh,
        title_en=case.title_en,
        subject_kind=case.subject_kind,
        subject_id=case.subject_id,
        from_agency_id=AgencyId(case.from_agency_id),
        from_agency_name=case.from_agency.name,
        to_agency_id=AgencyId(case.to_agency_id),
        to_agency_name=case.to_agency.name,
        opened_at=case.opened_at,
        opened_by=case.opened_by_name,
        deadline=model.deadline_of(
            opened_on=clock.civil_date(case.opened_at),
            due_on=case.due_on,
            allowance_days=case.allowance_days,
            provisional=case.due_provisional,
            today=clock.civil_date(ended_at) if ended_at else clock.today(),
            stopped=case.state == CaseState.WITHDRAWN,
        ),
        state=CaseState(case.state),
        decision=Decision(case.decision) if case.decision else None,
        reason=case.reason,
        decided_at=case.decided_at,
        decided_by=case.decided_by_name,
        detail=case.detail,
        from_agency_name_en=case.from_agency.name_en,
        to_agency_name_en=case.to_agency.name_en,
        opened_by_en=english.get(case.opened_by, ""),
        decided_by_en=english.get(case.decided_by, ""),
    )
