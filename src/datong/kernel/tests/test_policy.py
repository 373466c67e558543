"""The list and the explanation are the same SQL: they can never disagree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from django.db import connection
from psycopg import sql

from datong.kernel.failures import NotAllowed
from datong.kernel.policy.contracts import POLICY_RULES, PolicyRule
from datong.kernel.policy.service import explain, find_allowed, find_allowed_ids, require
from datong.testing.cast import Cast

OWN = PolicyRule(
    key="test.own-agency",
    subject_kind="agency",
    verbs=frozenset({"agency.read"}),
    fragment="""
        select id as subject_id, true as allowed, 'own' as reason_code, '本机构' as reason_zh, 'your own' as reason_en
        from kernel_agency where id = %(agency_id)s or %(everywhere)s
    """,
)
CLOSED = PolicyRule(
    key="test.closed",
    subject_kind="agency",
    verbs=frozenset({"agency.read"}),
    fragment="""
        select id, false, 'closed', '未开放', 'closed' from kernel_agency where code = 'amr'
    """,
)


@pytest.fixture(autouse=True)
def _rules() -> Iterator[None]:
    with ExitStack() as stack:
        for rule in (OWN, CLOSED):
            stack.enter_context(POLICY_RULES.filled_with(rule.key, rule))
        yield


def test_list_and_explanation_agree_for_everybody(cast: Cast) -> None:
    seen = 0
    for name in cast.members:
        actor = cast.actor(name)
        allowed = find_allowed_ids(actor, "agency.read", "agency", limit=100)
        for agency in cast.agencies.values():
            decision = explain(actor, "agency.read", "agency", agency.id)
            assert decision.allowed == (agency.id in allowed)
            assert decision.reasons
            seen += decision.allowed
    assert seen > 0


def test_any_refusal_wins_and_silence_refuses(cast: Cast) -> None:
    amr = cast.agencies["amr"].id
    own = explain(cast.actor("amr.steward"), "agency.read", "agency", amr)
    assert [(reason.code, reason.allowed) for reason in own.reasons] == [("closed", False), ("own", True)]
    assert (own.allowed, own.deciding.code) == (False, "closed")
    foreign = explain(cast.actor("psb.steward"), "agency.read", "agency", cast.agencies["hrss"].id)
    assert (foreign.allowed, foreign.deciding.code) == (False, "policy.no-rule")
    unknown = explain(cast.actor("psb.steward"), "agency.burn", "agency", cast.agencies["psb"].id)
    assert not unknown.allowed
    with pytest.raises(NotAllowed) as refused:
        require(cast.actor("amr.steward"), "agency.read", "agency", amr)
    assert refused.value.hint_zh == "未开放"
    assert require(cast.actor("psb.steward"), "agency.read", "agency", cast.agencies["psb"].id).deciding.code == "own"


def test_the_query_composes_and_values_stay_values(cast: Cast) -> None:
    query = find_allowed(cast.actor("data.bureau"), "agency.read", "agency")
    statement = sql.SQL(
        "with allowed as ({}) select code from kernel_agency join allowed on subject_id = id order by code"
    ).format(query.statement)
    with connection.cursor() as cursor:
        cursor.execute(statement, dict(query.parameters))
        assert [code for (code,) in cursor.fetchall()] == ["data", "hrss", "psb"]
        text = query.statement.as_string(cursor.connection)
    assert not any(str(value) in text for name, value in query.parameters.items() if name.endswith("_id"))
    hostile = "x' or true --"
    assert not explain(cast.actor("psb.steward"), "agency.read", "agency", hostile).allowed
    assert not explain(cast.actor("psb.steward"), hostile, "agency", cast.agencies["psb"].id).allowed
