"""Asking: every finding, what is withheld, whose system, and what a changed contract does to a waiting request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from datong.cases.contracts import CaseAlreadyDecided, CaseState, Decision, ReasonNeeded
from datong.cases.service import decide_case, get_case
from datong.exchange import service
from datong.exchange.contracts import Mode, RowCondition
from datong.exchange.requests import (
    RequestInvalid,
    RequestNotFound,
    RequestState,
    WithheldResource,
)
from datong.exchange.store.models import Grant, Request
from datong.exchange.tests.conftest import COMPARE, MASKED, PLAIN, Market, columns
from datong.kernel import clock
from datong.kernel.contracts import Role
from datong.kernel.failures import NotAllowed, NotFound
from datong.kernel.identity import service as identity
from datong.kernel.ids import RequestId, ResourceId, SystemId
from datong.kernel.limits import (
    GRANT_RATE_PER_MINUTE_DEFAULT,
    GRANT_ROW_CONDITIONS_MAX,
    GRANT_ROW_VALUES_MAX,
    PURPOSE_CHARACTERS_MAX,
    REQUEST_TEXT_CHARACTERS_MAX,
)
from datong.kernel.store.models import AuditRow, OutboxEvent


def where(column: str, operator: str, *values: str) -> RowCondition:
    return RowCondition(column=column, operator=operator, values=values)


def in_days(days: int) -> Callable[[], dict[str, Any]]:
    return lambda: {"valid_until": clock.today() + timedelta(days=days)}


VERIFY_FINDINGS: list[tuple[Any, str]] = [
    ({"modes": ()}, "modes"),
    ({"modes": (Mode.QUERY,)}, "modes"),
    ({"columns": ()}, "columns"),
    ({"columns": columns(name=COMPARE)}, "columns"),  # verify without its key
    ({"columns": (*columns(id_number=COMPARE, name=COMPARE), *columns(name=PLAIN))}, "columns"),
    ({"columns": columns(id_number=COMPARE, nickname=COMPARE)}, "columns"),
    ({"columns": columns(id_number=COMPARE, diagnosis=COMPARE)}, "columns"),  # withheld
    ({"columns": columns(id_number=COMPARE, remark=MASKED)}, "columns"),  # no mask
    ({"columns": columns(id_number=COMPARE, income=COMPARE)}, "columns"),  # cannot be verified
    ({"rows": (where("income", ">=", "10"),)}, "rows"),  # rows are for batch
    ({"purpose": ""}, "purpose"),
    ({"purpose": "养老"}, "purpose"),
    ({"purpose": "a b"}, "purpose"),
    ({"purpose": "a" * (PURPOSE_CHARACTERS_MAX + 1)}, "purpose"),
    ({"purpose_title": "无"}, "purpose_title"),
    ({"purpose_title": "长" * (REQUEST_TEXT_CHARACTERS_MAX + 1)}, "purpose_title"),
    ({"legal_basis": "    "}, "legal_basis"),
    (in_days(-1), "valid_until"),
    (in_days(366), "valid_until"),
    ({"rate_per_minute": 0}, "rate_per_minute"),
    ({"rate_per_minute": GRANT_RATE_PER_MINUTE_DEFAULT + 1}, "rate_per_minute"),
    ({"daily_cap": -1}, "daily_cap"),
]
BATCH_FINDINGS: list[tuple[Any, str]] = [
    ({"columns": columns(id_number=COMPARE)}, "columns"),  # nothing would leave
    ({"rows": (where('income" or 1=1 --', "=", "1"),)}, "rows"),
    ({"rows": (where("income", "like", "1%"),)}, "rows"),
    ({"rows": (where("income", "=", "1 or 1=1"),)}, "rows"),
    ({"rows": (where("income", "=", "1.5"),)}, "rows"),
    ({"rows": (where("income", "=", str(2**63)),)}, "rows"),
    ({"rows": (where("born_on", "<=", "yesterday"),)}, "rows"),
    ({"rows": (where("remark", "=", "a\0b"),)}, "rows"),
    ({"rows": (where("remark", "="),)}, "rows"),
    ({"rows": (where("remark", "=", "a", "b"),)}, "rows"),
    ({"rows": (where("remark", "in"),)}, "rows"),
    ({"rows": (where("remark", "=", "a" * 201),)}, "rows"),
    ({"rows": (where("remark", "in", *map(str, range(GRANT_ROW_VALUES_MAX + 1))),)}, "rows"),
    ({"rows": tuple(where("remark", "=", str(n)) for n in range(GRANT_ROW_CONDITIONS_MAX + 1))}, "rows"),
    ({"rows": (where("diagnosis", "=", "隐疾一号"),)}, "rows"),  # which rows come would tell a withheld value
]


def test_each_thing_that_cannot_stand_is_found(market: Market) -> None:
    for base, findings in ((market.draft(), VERIFY_FINDINGS), (market.batch_draft(), BATCH_FINDINGS)):
        for change, field in findings:
            draft = replace(base, **(change() if callable(change) else change))
            with pytest.raises(RequestInvalid) as invalid:
                market.ask(draft)
            found = invalid.value.findings
            assert {finding.field for finding in found} == {field}, (change, found)
            assert all(finding.message and finding.message_zh for finding in found)
    assert not Request.objects.exists()
    assert not OutboxEvent.objects.filter(name__startswith="request.").exists()


def test_all_findings_come_at_once(market: Market) -> None:
    draft = market.draft(purpose="", legal_basis="", columns=columns(nickname=PLAIN), daily_cap=-1)
    with pytest.raises(RequestInvalid) as invalid:
        market.ask(draft)
    assert {f.field for f in invalid.value.findings} == {"purpose", "legal_basis", "columns", "daily_cap"}


def test_a_request_opens_the_owner_s_case(market: Market) -> None:
    asked = market.ask(market.draft(valid_until=clock.today()))
    case = get_case(market.cast.actor(f"{market.owner}.approver"), asked.case_id)
    assert (asked.state, case.state, case.number) == (RequestState.SUBMITTED, CaseState.OPEN, asked.number)
    assert case.deadline.allowance_days == 10
    assert (case.from_agency_name, case.to_agency_name) == ("市人社局", "市公安局")
    row = AuditRow.objects.get(verb="request.submitted")
    assert (row.facts["number"], row.facts["columns"]) == (asked.number, ["id_number", "name"])
    assert OutboxEvent.objects.filter(name="request.submitted", subject=f"request:{asked.id}").exists()


def test_who_may_ask_for_what(market: Market) -> None:
    cast = market.cast
    for who in ("hrss.approver", "hrss.nobody", "data.bureau", "operator", "security", "auditor"):
        with pytest.raises(NotAllowed):
            service.request_access(cast.actor(who), market.draft())
    elsewhere = identity.create_system(
        cast.actor("operator"), agency_id=cast.agencies[market.owner].id, name="户籍系统"
    )
    with pytest.raises(NotAllowed, match="your own agency"):
        market.ask(market.draft(system_id=elsewhere.id))
    owner = cast.actor(f"{market.owner}.steward")
    with pytest.raises(RequestInvalid) as own:
        service.request_access(owner, market.draft(system_id=elsewhere.id))
    assert [f.field for f in own.value.findings] == ["resource"]
    with pytest.raises(NotFound):
        market.ask(market.draft(system_id=SystemId("sys_none")))
    with pytest.raises(NotFound):
        market.ask(market.draft(resource_id=ResourceId("none")))
    assert not Request.objects.exists()


def withhold(text: str) -> str:
    return (
        text.replace(
            "{property: sharingType, value: conditional}\n  - {property: sharingCondition, value: 测试}",
            "{property: sharingType, value: withheld}\n  - {property: sharingBasis, value: 《保守国家秘密法》第九条}",
        )
        .replace("{property: verify, value: true}", "{property: verify, value: false}")
        .replace("[verify, batch]", "[]")
    )


def test_a_withheld_resource_is_refused_with_its_legal_basis(market: Market) -> None:
    asked = market.ask()
    market.apply(version="2.0.0", base="1.0.0", change=withhold)
    with pytest.raises(WithheldResource, match="保守国家秘密法"):
        market.ask()
    with pytest.raises(WithheldResource):  # also what was asked before
        market.approve(asked)
    assert not Grant.objects.exists()


def test_an_approval_judges_the_request_on_the_contract_of_its_day(market: Market) -> None:
    asked, late = market.ask(), market.ask(market.draft(valid_until=clock.today()))
    with clock.use_clock(clock.now() + timedelta(days=2)), pytest.raises(RequestInvalid) as expired:
        market.approve(late)
    assert [f.field for f in expired.value.findings] == ["valid_until"]
    market.apply(
        version="2.0.0",
        base="1.0.0",
        change=lambda text: text.replace(
            "          - {property: verify, value: true}\n          - {property: mask, value: surname}",
            "          - {property: mask, value: surname}",
        ),
    )
    with pytest.raises(RequestInvalid) as changed:
        market.approve(asked)
    assert "name" in changed.value.findings[0].message
    assert not Grant.objects.exists()
    assert get_case(market.cast.actor("auditor"), asked.case_id).state is CaseState.OPEN


def test_a_refusal_tells_its_reason_and_makes_no_grant(market: Market) -> None:
    asked = market.ask()
    approver = market.cast.actor(f"{market.owner}.approver")
    with pytest.raises(ReasonNeeded):
        decide_case(approver, asked.case_id, Decision.REFUSE, "不")
    decide_case(approver, asked.case_id, Decision.REFUSE, "依据不足，请补充")
    seen = service.get_request(market.cast.actor("hrss.steward"), asked.id)
    assert (seen.state, seen.grant_id) == (RequestState.REFUSED, None)
    event = OutboxEvent.objects.get(name="request.refused")
    assert event.payload["reason"] == "依据不足，请补充"
    assert not Grant.objects.exists()


def test_a_request_can_be_taken_back_while_it_is_undecided(market: Market) -> None:
    asked = market.ask()
    for who in (f"{market.owner}.steward", "hrss.approver", "auditor"):
        with pytest.raises(NotAllowed):
            service.withdraw_request(market.cast.actor(who), asked.id)
    service.withdraw_request(market.cast.actor("hrss.steward"), asked.id, "改用公开数据")
    assert service.get_request(market.cast.actor("auditor"), asked.id).state is RequestState.WITHDRAWN
    with pytest.raises(CaseAlreadyDecided):
        market.approve(asked)


def test_nobody_approves_what_they_asked_for_themselves(market: Market) -> None:
    """A member who asked, then moved to the owner's agency and became its approver."""
    asked = market.ask()
    cast = market.cast
    security, member = cast.actor("security"), cast.members["hrss.steward"]
    identity.withdraw_role(security, member, Role.STEWARD, reason="调任")
    user = cast.user("hrss.steward")
    user.agency_id = cast.agencies[market.owner].id
    user.save()
    identity.assign_role(security, member, Role.APPROVER)
    with pytest.raises(NotAllowed, match="Somebody else"):
        decide_case(cast.actor("hrss.steward"), asked.case_id, Decision.APPROVE, "")
    assert not Grant.objects.exists()


def test_requests_are_seen_by_the_two_agencies_and_the_overseers(market: Market) -> None:
    asked = market.ask()
    for who in ("hrss.nobody", f"{market.owner}.approver", "data.bureau", "auditor"):
        actor = market.cast.actor(who)
        assert service.get_request(actor, asked.id) == asked
        assert service.find_requests(actor) == [asked]
    for who in ("operator", "security"):
        with pytest.raises(RequestNotFound):
            service.get_request(market.cast.actor(who), asked.id)
        assert service.find_requests(market.cast.actor(who)) == []
    with pytest.raises(RequestNotFound):
        service.get_request(market.cast.actor("auditor"), RequestId("req_none"))
    granted = market.approve(asked)
    assert service.find_requests(market.cast.actor("auditor"))[0].grant_id == granted.id
