"""Cases: clocks that count working days, one decision, its reason, its permission, and the act in its transaction."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime

import pytest
from django.db import connection

from datong.cases.contracts import CaseAlreadyDecided, CaseState, CaseView, Decision, ReasonNeeded
from datong.cases.model import deadline_of
from datong.cases.service import decide_case, find_case_of, find_history, find_waiting, get_case, withdraw_case
from datong.cases.store.models import Case
from datong.cases.tests.conftest import APPROVED, REFUSED, Desk, wait_for_a_lock
from datong.kernel import clock
from datong.kernel.contracts import Actor, Role, Subject
from datong.kernel.failures import BadInput, NotAllowed, NotFound
from datong.kernel.identity import service as identity
from datong.kernel.ids import CaseId
from datong.kernel.store.models import AuditRow


def noon(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 4, 0, tzinfo=UTC)


# Clocks ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("opened", "days", "due_on", "provisional"),
    [
        (noon(2025, 9, 25), 10, date(2025, 10, 15), False),  # over the long October holiday, with two 调休 days
        (noon(2026, 2, 10), 7, date(2026, 2, 26), False),  # over the spring festival
        (noon(2026, 12, 28), 10, date(2027, 1, 12), True),  # into a year without a notice: only 1 January is known
        (datetime(2026, 3, 2, 16, 30, tzinfo=UTC), 1, date(2026, 3, 4), False),  # 00:30 on the 3rd in China
    ],
)
def test_a_deadline_counts_working_days(
    desk: Desk, opened: datetime, days: int, due_on: date, provisional: bool
) -> None:
    with clock.use_clock(opened):
        deadline = desk.open(days=days).deadline
    assert (deadline.due_on, deadline.provisional) == (due_on, provisional)
    assert (deadline.used_days, deadline.left_days, deadline.is_late) == (0, days, False)


def test_the_clock_runs_out_and_a_decision_stops_it(desk: Desk) -> None:
    with clock.use_clock(noon(2025, 9, 25)):
        case = desk.open(days=10)
    reader = desk.cast.actor("psb.approver")
    seen = []
    for day in (date(2025, 10, 14), date(2025, 10, 15), date(2025, 10, 16), date(2025, 10, 20)):
        with clock.use_clock(noon(day.year, day.month, day.day)):
            deadline = get_case(reader, case.id).deadline
            seen.append((deadline.used_days, deadline.left_days, deadline.is_late))
    assert seen == [(9, 1, False), (10, 0, False), (11, -1, True), (13, -3, True)]
    with clock.use_clock(noon(2025, 10, 14)):
        decide_case(reader, case.id, Decision.APPROVE, "")
    with clock.use_clock(noon(2025, 12, 1)):
        assert get_case(reader, case.id).deadline.used_days == 9, "the clock stands still once it is decided"


def test_it_is_late_on_the_weekend_after_its_day() -> None:
    """Due on Friday: on Saturday no working day has gone by since, and it is late all the same."""
    friday, saturday = date(2026, 3, 6), date(2026, 3, 7)

    def seen_on(today: date, *, stopped: bool = False) -> bool:
        deadline = deadline_of(
            opened_on=date(2026, 3, 2),
            due_on=friday,
            allowance_days=4,
            provisional=False,
            today=today,
            stopped=stopped,
        )
        return deadline.is_late

    assert [seen_on(friday), seen_on(saturday), seen_on(saturday, stopped=True)] == [False, True, False]


# One decision ------------------------------------------------------------------------------------------------------
def test_a_case_is_decided_once(desk: Desk) -> None:
    case = desk.open()
    approver = desk.cast.actor("psb.approver")
    decided = decide_case(approver, case.id, Decision.REFUSE, " 依据不足，请补充 ")
    assert (decided.state, decided.decision, decided.reason, decided.decided_by) == (
        CaseState.DECIDED,
        Decision.REFUSE,
        "依据不足，请补充",
        approver.name,
    )
    with pytest.raises(CaseAlreadyDecided) as again:
        decide_case(approver, case.id, Decision.APPROVE, "")
    assert approver.name in again.value.hint
    assert approver.name in again.value.hint_zh
    assert get_case(approver, case.id) == decided


def test_of_two_who_decide_at_once_one_comes_too_late(committing_desk: Desk) -> None:
    """Two connections: the second waits for the first one's row and then reads what it decided."""
    desk = committing_desk
    case = desk.open()
    approver = desk.cast.actor("psb.approver")
    first_is_inside, second_waits = threading.Event(), threading.Event()
    calls: list[Decision] = []

    def hold(_case: CaseView, decision: Decision, _actor: Actor) -> None:
        calls.append(decision)
        first_is_inside.set()
        assert second_waits.wait(20)

    desk.kind.acts.append(hold)
    outcomes: dict[str, object] = {}

    def decide(name: str, decision: Decision, reason: str) -> None:
        try:
            outcomes[name] = decide_case(approver, case.id, decision, reason).decision
        except CaseAlreadyDecided as failure:
            outcomes[name] = failure.facts["decision"]
        finally:
            connection.close()

    first = threading.Thread(target=decide, args=("first", Decision.APPROVE, ""))
    first.start()
    assert first_is_inside.wait(20)
    second = threading.Thread(target=decide, args=("second", Decision.REFUSE, "另一位审批人"))
    second.start()
    wait_for_a_lock(second)
    second_waits.set()
    first.join(20)
    second.join(20)
    assert outcomes == {"first": Decision.APPROVE, "second": "approve"}
    assert calls == [Decision.APPROVE], "the act happened once"
    assert [step.what for step in find_history(case.id)] == ["opened", "approve"]


def test_a_refusal_needs_a_reason(desk: Desk) -> None:
    case = desk.open()
    for reason in ("", "   ", "不行", "  不 行 "):
        with pytest.raises(ReasonNeeded):
            decide_case(desk.cast.actor("psb.approver"), case.id, Decision.REFUSE, reason)
    assert not find_traces_of_a_decision(case.id)


OTHERS = (
    "hrss.approver",
    "amr.approver",
    "hrss.steward",
    "psb.steward",
    "psb.nobody",
    "data.bureau",
    "operator",
    "security",
    "auditor",
)


def test_only_the_deciding_agency_s_approver_decides(desk: Desk) -> None:
    case = desk.open()
    for who in OTHERS:
        actor = desk.cast.actor(who)
        for decision in Decision:
            with pytest.raises(NotAllowed):
                decide_case(actor, case.id, decision, "")
        refused = AuditRow.objects.filter(verb="action.refused", actor_id=actor.id)
        assert {row.facts["wanted_verb"] for row in refused} == {APPROVED, REFUSED}
    assert not find_traces_of_a_decision(case.id)


def test_a_role_withdrawn_meanwhile_decides_nothing(desk: Desk) -> None:
    case = desk.open()
    approver = desk.cast.actor("psb.approver")
    identity.withdraw_role(desk.cast.actor("security"), desk.cast.members["psb.approver"], Role.APPROVER, reason="调离")
    with pytest.raises(NotAllowed):
        decide_case(approver, case.id, Decision.APPROVE, "")


# The act and its transaction -----------------------------------------------------------------------------------------
def test_what_fails_in_the_act_undoes_the_decision(desk: Desk) -> None:
    case = desk.open()
    approver = desk.cast.actor("psb.approver")

    def fail(view: CaseView, _decision: Decision, _actor: Actor) -> None:
        assert view.state is CaseState.DECIDED
        Case.objects.filter(pk=view.id).update(title_zh="half done")
        raise BadInput("The act cannot be done.")

    desk.kind.acts.append(fail)
    with pytest.raises(BadInput):
        decide_case(approver, case.id, Decision.APPROVE, "")
    assert not find_traces_of_a_decision(case.id)
    desk.kind.acts.clear()
    decide_case(approver, case.id, Decision.APPROVE, "")
    assert find_traces_of_a_decision(case.id) == ["state", "history", "audit"]


def test_the_check_sees_an_act_outside_the_transaction(desk: Desk) -> None:
    """The planted violation: a decision that is written before its act, and stands when the act fails."""
    case = desk.open()
    Case.objects.filter(pk=case.id).update(state="decided", decision="approve", decided_at=clock.now())
    assert find_traces_of_a_decision(case.id) == ["state"]


def find_traces_of_a_decision(case_id: CaseId) -> list[str]:
    row = Case.objects.get(pk=case_id)
    traces = {
        "state": row.state != CaseState.OPEN or row.title_zh != "申请",
        "history": [step.what for step in find_history(case_id)] != ["opened"],
        "audit": AuditRow.objects.filter(verb=APPROVED, subject_id=case_id).exists(),
    }
    return [name for name, is_there in traces.items() if is_there]


# Reading -------------------------------------------------------------------------------------------------------------
def test_the_history_is_complete(desk: Desk) -> None:
    with clock.use_clock(noon(2026, 3, 2)):
        decided = desk.open(subject_id="decided")
        withdrawn = desk.open(subject_id="withdrawn")
    asker, approver = desk.cast.actor("hrss.steward"), desk.cast.actor("psb.approver")
    with clock.use_clock(noon(2026, 3, 3)):
        decide_case(approver, decided.id, Decision.REFUSE, "依据不足")
        withdraw_case(withdrawn.id, asker, "改用公开数据")
    told = [[(s.at, s.what, s.actor_name, s.note) for s in find_history(c.id)] for c in (decided, withdrawn)]
    opened = (noon(2026, 3, 2), "opened", asker.name, "")
    assert told == [
        [opened, (noon(2026, 3, 3), "refuse", approver.name, "依据不足")],
        [opened, (noon(2026, 3, 3), "withdrawn", asker.name, "改用公开数据")],
    ]
    row = AuditRow.objects.get(verb="test.refused", subject_id=decided.id)
    assert (row.actor_id, row.facts["case"], row.facts["reason"]) == (approver.id, decided.number, "依据不足")
    with clock.use_clock(noon(2026, 6, 1)):
        view = get_case(asker, withdrawn.id)
    assert (view.state, view.deadline.used_days, view.deadline.is_late) == (CaseState.WITHDRAWN, 1, False)
    with pytest.raises(CaseAlreadyDecided):
        decide_case(approver, withdrawn.id, Decision.APPROVE, "")
    with pytest.raises(CaseAlreadyDecided):
        withdraw_case(decided.id, asker, "")


def test_what_waits_is_the_deciding_agency_s_and_the_most_urgent_first(desk: Desk) -> None:
    slow, urgent, done = desk.open(days=10), desk.open(days=1), desk.open(days=5)
    approver = desk.cast.actor("psb.approver")
    decide_case(approver, done.id, Decision.APPROVE, "")
    assert [case.id for case in find_waiting(approver)] == [urgent.id, slow.id]
    assert find_waiting(approver, kind="another.kind") == []
    assert find_waiting(desk.cast.actor("hrss.approver")) == []
    newest = find_case_of(Subject(kind="thing", id="thing"))
    assert newest is not None
    assert newest.id == done.id
    assert find_case_of(Subject(kind="thing", id="none")) is None


def test_the_two_agencies_and_the_overseers_see_a_case(desk: Desk) -> None:
    case = desk.open()
    for who in ("hrss.steward", "psb.nobody", "data.bureau", "auditor"):
        assert get_case(desk.cast.actor(who), case.id).number == case.number
    for who in ("amr.approver", "operator", "security"):
        with pytest.raises(NotAllowed):
            get_case(desk.cast.actor(who), case.id)
    with pytest.raises(NotFound):
        get_case(desk.cast.actor("auditor"), CaseId("case_none"))
