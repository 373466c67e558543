"""A breaking contract reaches those who hold a grant, and only them."""

from __future__ import annotations

import pytest
from django.test import Client

from datong.cases.contracts import Decision, ReasonNeeded
from datong.cases.service import decide_case, find_waiting
from datong.catalog.lineage.contracts import Dataset, EdgeKind
from datong.catalog.lineage.service import find_downstream
from datong.exchange.service import revoke_grant
from datong.exchange.service.notices import NOTICE_KIND, find_notice
from datong.exchange.tests.conftest import Market
from datong.kernel.events.service import deliver_pending
from datong.kernel.failures import NotAllowed
from datong.kernel.store.models import AuditRow, OutboxEvent


def drop_rate(text: str) -> str:
    start = text.index("      - name: rate")
    return text[:start] + text[text.index("      - name: born_on") :]


def waiting(market: Market) -> list[str]:
    return [case.subject_id for case in find_waiting(market.cast.actor("hrss.steward"), kind=NOTICE_KIND)]


def test_a_breaking_contract_is_told_to_the_holder_of_a_grant_in_force(market: Market) -> None:
    grant, ended = market.grant(), market.grant(market.batch_draft())
    revoke_grant(market.cast.actor(f"{market.owner}.approver"), ended.id, "不再需要")
    market.apply(version="1.0.1", base="1.0.0", change=lambda text: text.replace("月收入", "每月收入"))
    deliver_pending()
    assert waiting(market) == [], "a correction is no news"
    market.apply(version="2.0.0", base="1.0.1", change=drop_rate)
    deliver_pending()
    assert waiting(market) == [grant.id]
    deliver_pending()
    assert waiting(market) == [grant.id]
    notice = find_notice(grant.id)
    assert notice is not None
    assert any("rate" in change["sentence_en"] for change in notice.detail["breaking"])
    with pytest.raises(NotAllowed):
        decide_case(market.cast.actor(f"{market.owner}.steward"), notice.id, Decision.APPROVE, "")
    with pytest.raises(ReasonNeeded):
        decide_case(market.cast.actor("hrss.steward"), notice.id, Decision.REFUSE, "")
    decide_case(market.cast.actor("hrss.steward"), notice.id, Decision.REFUSE, "费率仍要用")
    assert OutboxEvent.objects.get(name="grant.notice-objected").payload["reason"] == "费率仍要用"


def test_what_leaves_under_a_grant_is_on_the_lineage_until_it_ends(market: Market, client: Client) -> None:
    grant = market.grant(market.batch_draft())
    start = Dataset(name=market.resource_id)
    edges = {edge.source_column: edge.kind for edge in find_downstream(start)}
    assert edges == {
        "id_number": EdgeKind.TRANSFORMATION,
        "name": EdgeKind.TRANSFORMATION,
        "income": EdgeKind.IDENTITY,
    }
    for name, sees in ((f"{market.owner}.steward", True), ("hrss.approver", False)):
        client.force_login(market.cast.user(name))
        page = client.get(f"/resources/{market.resource_id}/lineage.json").json()
        assert bool(page["edges"]) is sees
    revoke_grant(market.cast.actor(f"{market.owner}.approver"), grant.id, "不再需要")
    assert find_downstream(start) == []
    market.grant()
    assert find_downstream(start) == [], "what is only compared never leaves"


def test_the_grants_page_shows_what_changes_and_takes_the_answer(market: Market, client: Client) -> None:
    grant = market.grant()
    market.apply(version="2.0.0", base="1.0.0", change=drop_rate)
    deliver_pending()
    client.force_login(market.cast.user("hrss.steward"))
    address = f"/exchange/grants/{grant.id}/"
    assert "契约有重大变更" in client.get(address).content.decode()
    assert client.post(f"{address}notice", {"decision": "object"}).status_code == 400
    assert client.post(f"{address}notice", {"decision": "read"}).status_code == 302
    assert "契约有重大变更" not in client.get(address).content.decode()
    assert AuditRow.objects.filter(verb="grant.notice-acknowledged").count() == 1
    assert client.post(f"{address}notice", {"decision": "read"}).status_code == 404
