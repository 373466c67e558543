"""An action is one transaction with its permission, its audit row and its events, or it is nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.db import connection, transaction

from datong.kernel.action.service import action, is_allowed
from datong.kernel.contracts import ANONYMOUS, Actor, Role, Subject, platform_actor
from datong.kernel.failures import BadInput, Conflict, NotAllowed
from datong.kernel.identity import service as identity
from datong.kernel.limits import AUDIT_FACTS_BYTES_MAX
from datong.kernel.store.models import Agency, AuditRow, OutboxEvent
from datong.kernel.tests.verbs import declared
from datong.testing.cast import Cast, make_cast


@pytest.fixture(autouse=True)
def _verbs() -> Iterator[None]:
    with declared():
        yield


def subject_of(cast: Cast, agency: str) -> Subject:
    return Subject(kind="thing", id="thing_1", agency_id=cast.agencies[agency].id, name="一件事")


def test_writes_change_audit_row_and_event_together(cast: Cast) -> None:
    with action("test.approved", cast.actor("psb.approver"), subject_of(cast, "psb"), {"days": 30}) as record:
        Agency.objects.filter(code="psb").update(name_en="changed")
        record.facts["columns"] = ["name"]
        record.event("test.approved", subject="thing:thing_1", payload={"days": 30})
        assert record.done(7) == 7
    row = AuditRow.objects.get(verb="test.approved")
    assert (row.actor_id, row.subject_id, row.agency_id) == (
        cast.members["psb.approver"],
        "thing_1",
        cast.agencies["psb"].id,
    )
    assert row.facts == {"days": 30, "columns": ["name"]}
    event = OutboxEvent.objects.get(name="test.approved")
    assert (event.subject, event.payload, event.delivered_at) == ("thing:thing_1", {"days": 30}, None)


def test_a_failure_inside_leaves_nothing(cast: Cast) -> None:
    with (  # noqa: PT012
        pytest.raises(Conflict),
        action("test.approved", cast.actor("psb.approver"), subject_of(cast, "psb")) as record,
    ):
        Agency.objects.filter(code="psb").update(name_en="changed")
        record.event("test.approved", subject="thing:thing_1")
        raise Conflict("planted")
    assert not AuditRow.objects.filter(verb__in=["test.approved", "action.refused"]).exists()
    assert not OutboxEvent.objects.filter(name="test.approved").exists()
    assert Agency.objects.get(code="psb").name_en != "changed"


@pytest.mark.parametrize(
    ("who", "agency"),
    [
        ("psb.steward", "psb"),  # not the role
        ("psb.nobody", "psb"),  # no role
        ("amr.approver", "psb"),  # the role, in another agency
        ("operator", "psb"),
        ("security", "psb"),
        ("auditor", "psb"),
        ("data.bureau", "psb"),
    ],
)
def test_refuses_who_may_not_and_audits_the_attempt(cast: Cast, who: str, agency: str) -> None:
    ran = False
    with pytest.raises(NotAllowed), action("test.approved", cast.actor(who), subject_of(cast, agency)):
        ran = True
    assert not ran
    row = AuditRow.objects.get(verb="action.refused")
    assert (row.actor_id, row.facts["wanted_verb"], row.subject_id) == (cast.members[who], "test.approved", "thing_1")
    assert not is_allowed("test.approved", cast.actor(who), subject_of(cast, agency))


def test_unknown_verbs_anonymous_and_systems_are_refused(cast: Cast) -> None:
    with pytest.raises(NotAllowed), action("never.declared", cast.actor("psb.steward"), subject_of(cast, "psb")):
        pass
    with pytest.raises(NotAllowed), action("test.noted", ANONYMOUS):
        pass
    system = identity.actor_of_token(cast.key.token)
    assert system is not None
    assert system.kind == "system"
    with pytest.raises(NotAllowed), action("test.noted", system):
        pass
    with pytest.raises(NotAllowed), action("test.approved", platform_actor("job"), subject_of(cast, "psb")):
        pass
    assert AuditRow.objects.filter(verb="action.refused").count() == 4


def test_a_subject_without_agency_needs_a_wider_verb(cast: Cast) -> None:
    with pytest.raises(NotAllowed), action("test.approved", cast.actor("psb.approver"), Subject(kind="x", id="1")):
        pass
    with action("test.noted", cast.actor("psb.approver"), Subject(kind="x", id="1"), {"what": "x"}):
        pass


def test_only_the_bureaus_own_role_reaches_other_agencies(cast: Cast) -> None:
    with action("test.overseen", cast.actor("data.bureau"), subject_of(cast, "psb")):
        pass
    with pytest.raises(NotAllowed), action("test.overseen", cast.actor("amr.steward"), subject_of(cast, "psb")):
        pass


def test_roles_claimed_by_a_stale_or_forged_actor_count_nothing(cast: Cast) -> None:
    stale = cast.actor("psb.approver")
    identity.withdraw_role(cast.actor("security"), cast.members["psb.approver"], Role.APPROVER, reason="调离岗位")
    assert Role.APPROVER in stale.roles
    with pytest.raises(NotAllowed), action("test.approved", stale, subject_of(cast, "psb")):
        pass
    forged = replace(cast.actor("psb.nobody"), roles=frozenset(Role))
    with pytest.raises(NotAllowed), action("test.approved", forged, subject_of(cast, "psb")):
        pass
    identity.deactivate_member(cast.actor("operator"), cast.members["psb.steward"], reason="离职")
    leaver = Actor(kind="member", id=cast.members["psb.steward"], name="x", roles=frozenset({Role.STEWARD}))
    with pytest.raises(NotAllowed), action("test.noted", leaver):
        pass


def test_nested_actions_share_an_operation_and_an_inner_refusal_is_kept(cast: Cast) -> None:
    approver = cast.actor("psb.approver")
    with pytest.raises(NotAllowed), action("test.noted", approver, facts={"what": "outer"}):  # noqa: SIM117
        with action("test.overseen", approver, subject_of(cast, "psb")):
            pass
    rows = list(AuditRow.objects.filter(actor_id=approver.id))
    assert [row.verb for row in rows] == ["action.refused"]
    with action("test.noted", approver, facts={"what": "outer"}):  # noqa: SIM117
        with action("test.approved", approver, subject_of(cast, "psb")):
            pass
    assert len(set(AuditRow.objects.filter(verb__startswith="test.").values_list("operation_id", flat=True))) == 1


def test_facts_have_a_limit(cast: Cast) -> None:
    with pytest.raises(BadInput), action("test.noted", cast.actor("psb.steward")) as record:
        record.facts["what"] = "字" * AUDIT_FACTS_BYTES_MAX


@pytest.mark.django_db(transaction=True)
def test_a_withdrawal_waits_for_a_running_action_and_then_holds() -> None:
    cast = make_cast()
    approver, security = cast.actor("psb.approver"), cast.actor("security")
    withdrawn = threading.Event()

    def withdraw() -> None:
        identity.withdraw_role(security, cast.members["psb.approver"], Role.APPROVER, reason="调离岗位")
        withdrawn.set()
        connection.close()

    thread = threading.Thread(target=withdraw)
    with action("test.approved", approver, subject_of(cast, "psb")):
        thread.start()
        assert not withdrawn.wait(0.5), "the role was withdrawn under a running action"
    thread.join(10)
    assert withdrawn.is_set()
    with pytest.raises(NotAllowed), action("test.approved", approver, subject_of(cast, "psb")):
        pass


@pytest.mark.django_db(transaction=True)
def test_two_actions_of_one_member_do_not_wait_for_each_other() -> None:
    cast = make_cast()
    approver = cast.actor("psb.approver")
    done = threading.Event()

    def act() -> None:
        with action("test.approved", approver, subject_of(cast, "psb")):
            pass
        done.set()
        connection.close()

    with action("test.approved", approver, subject_of(cast, "psb")):
        thread = threading.Thread(target=act)
        thread.start()
        assert done.wait(10)
    thread.join(10)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        "update kernel_audit_row set facts = '{}'",
        "update kernel_audit_row set actor_id = 'x'",
        "update kernel_audit_row set at = now()",
        "delete from kernel_audit_row",
        "truncate kernel_audit_row",
        "update kernel_audit_row set seal_seq = 8 where seal_seq = 7",
        "update kernel_audit_row set seal_seq = null where seal_seq = 7",
    ],
)
def test_raw_sql_cannot_change_audit_rows(statement: str) -> None:
    with action("test.noted", platform_actor("test"), facts={"what": "kept"}):
        pass
    with connection.cursor() as cursor:
        cursor.execute("update kernel_audit_row set seal_seq = 7 where verb = 'test.noted'")
        with pytest.raises(Exception, match="audit rows are never"), transaction.atomic():
            cursor.execute(statement)
        with transaction.atomic():  # the planted violation: without its guard the row would change
            cursor.execute("alter table kernel_audit_row disable trigger user")
            cursor.execute(statement)
            transaction.set_rollback(True)
    assert AuditRow.objects.get(verb="test.noted").facts == {"what": "kept"}
