"""Grants: what an approval gives, who gives and ends it, and terms that nobody may alter."""

from __future__ import annotations

import socket
import threading
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import pytest

from datong.cases.contracts import Decision, ReasonNeeded
from datong.cases.service import decide_case
from datong.exchange import service
from datong.exchange.contracts import GrantRevoked, GrantTerms, Mode, NoGrant, RowCondition
from datong.exchange.requests import GrantNotActive, GrantNotFound, GrantState, GrantTampered, RevocationUnconfirmed
from datong.exchange.serving.compile import ServingWriter
from datong.exchange.serving.decide import Ask, decide
from datong.exchange.sight import SEE
from datong.exchange.store.models import Grant
from datong.exchange.tests.conftest import MASKED, PLAIN, Market, columns
from datong.kernel import clock
from datong.kernel.config import load_settings, make_private_dir
from datong.kernel.contracts import ANONYMOUS
from datong.kernel.events.service import deliver_pending
from datong.kernel.failures import NotAllowed
from datong.kernel.ids import GrantId
from datong.kernel.policy import service as policy
from datong.kernel.store.models import AuditRow


def can_use(writer: ServingWriter, terms: GrantTerms, *, mode: Mode = Mode.VERIFY) -> str:
    """What a gateway that opens the serving store now says: granted, or the refusal's code."""
    ask = Ask(resource_id=terms.resource_id, mode=mode, purpose=terms.purpose, columns=(), now_ms=clock.epoch_ms())
    with writer.read() as reader:
        try:
            decide(reader.find_grants(terms.system_id, terms.resource_id), ask)
        except (NoGrant, GrantRevoked) as refusal:
            return refusal.code
    return "granted"


def test_an_approval_gives_what_was_asked_under_a_digest(market: Market) -> None:
    rows = (RowCondition(column="income", operator=">=", values=("10",)),)
    asked = market.ask(market.batch_draft(rows=rows, rate_per_minute=60, daily_cap=5))
    grant = market.approve(asked)
    terms = service.get_terms(grant.id)
    stored = Grant.objects.get()
    assert terms.digest == stored.digest == grant.digest
    assert GrantTerms(**{**asdict(terms), "modes": terms.modes, "columns": terms.columns, "rows": rows}) == terms
    assert [(c.name, c.treatment, c.mask) for c in terms.columns] == [
        ("id_number", MASKED, "id_6_4"),  # the contract's mask, not the asker's
        ("name", MASKED, "surname"),
        ("income", PLAIN, ""),
    ]
    assert (terms.rate_per_minute, terms.daily_cap, terms.rows) == (60, 5, rows)
    end = grant.valid_until.astimezone(clock.CIVIL_ZONE)
    assert (end - timedelta(seconds=1)).date() == asked.draft.valid_until, "the last day is included"
    row = AuditRow.objects.get(verb="request.approved")
    assert (row.facts["digest"], row.facts["grant"], row.operation_id) == (
        grant.digest,
        grant.number,
        grant.operation_id,
    )


def test_the_asker_cannot_choose_a_mask(market: Market) -> None:
    chosen = tuple(
        type(column)(name=column.name, treatment=column.treatment, mask="ends")
        for column in columns(id_number=MASKED, income=PLAIN)
    )
    terms = service.get_terms(market.grant(market.batch_draft(columns=chosen)).id)
    assert [column.mask for column in terms.columns] == ["id_6_4", ""]


def test_only_the_owner_s_approver_gives_and_ends_a_grant(market: Market) -> None:
    asked, grant = market.ask(), market.grant()
    others = (
        "hrss.steward",
        "hrss.approver",
        f"{market.owner}.steward",
        "data.bureau",
        "operator",
        "security",
        "auditor",
    )
    for who in others:
        actor = market.cast.actor(who)
        with pytest.raises(NotAllowed):
            decide_case(actor, asked.case_id, Decision.APPROVE, "")
        with pytest.raises(NotAllowed):
            service.revoke_grant(actor, grant.id, "用途已经办结")
        wanted = {r.facts["wanted_verb"] for r in AuditRow.objects.filter(verb="action.refused", actor_id=actor.id)}
        assert wanted == {"request.approved", "grant.revocation-started"}
    assert Grant.objects.get().state == GrantState.ACTIVE


def test_a_revocation_needs_a_reason_and_happens_once(market: Market, writer: ServingWriter) -> None:
    grant = market.grant()
    terms = service.get_terms(grant.id)
    assert can_use(writer, terms) == "grant-missing"
    assert deliver_pending() > 0
    assert can_use(writer, terms) == "granted"
    approver = market.cast.actor(f"{market.owner}.approver")
    for reason in ("", "  ", "不行"):
        with pytest.raises(ReasonNeeded):
            service.revoke_grant(approver, grant.id, reason)
    assert can_use(writer, terms) == "granted"
    revoked = service.revoke_grant(approver, grant.id, " 用途已经办结 ")
    assert (revoked.state, revoked.revoked_reason, revoked.revoked_by) == (
        GrantState.REVOKED,
        "用途已经办结",
        approver.name,
    )
    assert can_use(writer, terms) == "grant-revoked"
    with pytest.raises(GrantNotActive):
        service.revoke_grant(approver, grant.id, "再次撤销看看")
    with pytest.raises(GrantNotFound):
        service.revoke_grant(approver, GrantId("grant_none"), "再次撤销看看")
    verbs = AuditRow.objects.filter(subject_id=grant.id).values_list("verb", flat=True)
    assert sorted(verbs) == ["grant.revocation-started", "grant.revoked"]
    assert service.finish_revocations() == 0


def test_a_late_approval_event_revives_nothing(market: Market, writer: ServingWriter) -> None:
    """The revocation overtakes the outbox: the event that would let the grant in comes after its end."""
    grant = market.grant()
    terms = service.get_terms(grant.id)
    service.revoke_grant(market.cast.actor(f"{market.owner}.approver"), grant.id, "批准后立即撤销")
    assert deliver_pending() > 0
    assert not service.serve_grant(grant.id)
    assert can_use(writer, terms) == "grant-revoked"
    # The store holds by itself, too: what put the grant in without asking PostgreSQL would change nothing.
    assert not writer.put_grant(terms)
    Grant.objects.filter(pk=grant.id).update(state=GrantState.ACTIVE)
    assert not service.serve_grant(grant.id)
    assert can_use(writer, terms) == "grant-revoked"


def test_a_gateway_that_does_not_answer_keeps_a_revocation_open(market: Market, writer: ServingWriter) -> None:
    """The grant is out, and nobody is told that it is done; once the gateway has answered, the worker finishes."""
    grant = market.grant()
    deliver_pending()
    approver = market.cast.actor(f"{market.owner}.approver")
    path = load_settings().socket("gateway")
    make_private_dir(path.parent)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        answering = threading.Thread(target=answer_with_old_snapshots, args=(listener, 1))
        answering.start()
        with pytest.raises(RevocationUnconfirmed):
            service.revoke_grant(approver, grant.id, "用途已经办结")
        answering.join(10)
        assert can_use(writer, service.get_terms(grant.id)) == "grant-revoked"
        assert Grant.objects.get().state == GrantState.REVOKING
        answering = threading.Thread(target=answer_with_old_snapshots, args=(listener, 1))
        answering.start()
        assert service.finish_revocations() == 0
        answering.join(10)
    path.unlink()
    assert service.finish_revocations() == 1
    assert Grant.objects.get().state == GrantState.REVOKED
    assert AuditRow.objects.filter(verb="grant.revoked").count() == 1


def answer_with_old_snapshots(listener: socket.socket, times: int) -> None:
    for _ in range(times):
        channel, _ = listener.accept()
        with channel:
            channel.recv(100)
            channel.sendall(b'{"txn_id":0}\n')


def test_altered_terms_are_seen_everywhere(market: Market, writer: ServingWriter) -> None:
    """Somebody with the database's password widens a grant: it is neither shown nor served, and can be revoked."""
    grant = market.grant()
    row = Grant.objects.get()
    row.terms = {**row.terms, "purpose": "anything", "system_id": "sys_other"}
    row.save()
    with pytest.raises(GrantTampered, match="auditor"):
        service.get_grant(market.cast.actor("auditor"), grant.id)
    assert service.find_grants(market.cast.actor("auditor")) == [], "and it breaks no list of others"
    with pytest.raises(GrantTampered):
        service.get_terms(grant.id)
    with pytest.raises(GrantTampered):
        service.serve_grant(grant.id)
    mended = service.reconcile_serving()
    assert (mended["grants_put"], mended["grants_tampered"]) == (0, 1)
    assert list_served(writer) == []
    with pytest.raises(GrantTampered):
        service.revoke_grant(market.cast.actor(f"{market.owner}.approver"), grant.id, "条款被改动")
    assert Grant.objects.get().state == GrantState.REVOKED
    with writer.read() as reader:
        assert [(e.terms.system_id, e.revoked_reason) for e in reader.all_grants()] == [
            (market.cast.system.id, "条款被改动")
        ]


def list_served(writer: ServingWriter) -> list[str]:
    with writer.read() as reader:
        return [entry.terms.grant_id for entry in reader.all_grants() if entry.revoked_at_ms is None]


def test_grants_are_seen_by_the_two_agencies_and_the_overseers(market: Market, home: Path) -> None:
    grant = market.grant()
    for who in ("hrss.nobody", f"{market.owner}.steward", "data.bureau", "auditor"):
        assert service.find_grants(market.cast.actor(who)) == [grant]
    for who in ("operator", "security"):
        assert service.find_grants(market.cast.actor(who)) == []
        with pytest.raises(GrantNotFound):
            service.get_grant(market.cast.actor(who), grant.id)


def test_the_list_and_the_explanation_are_one_query(market: Market) -> None:
    """Who is no party is told why, in the words of the same rule that keeps the grant out of their list."""
    grant = market.grant()
    for who, allowed, reason in (
        ("hrss.steward", True, "exchange.own-use"),
        (f"{market.owner}.approver", True, "exchange.own-data"),
        ("auditor", True, "exchange.oversight"),
        ("data.bureau", True, "exchange.oversight"),
        ("operator", False, "exchange.no-party"),
        ("security", False, "exchange.no-party"),
    ):
        actor = market.cast.actor(who)
        decision = policy.explain(actor, SEE, "grant", grant.id)
        assert (decision.allowed, decision.deciding.code) == (allowed, reason)
        assert [found.id for found in service.find_grants(actor)] == ([grant.id] if allowed else [])
    assert not policy.explain(ANONYMOUS, SEE, "grant", grant.id).allowed
