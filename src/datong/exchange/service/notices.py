"""A breaking contract is told to those who hold a grant of the resource: a case that their steward acknowledges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datong.cases import service as cases
from datong.cases.contracts import CaseView, Decision
from datong.exchange.store.models import Grant
from datong.kernel import clock
from datong.kernel.action.service import ActionRecord, action
from datong.kernel.contracts import Actor, Subject, platform_actor
from datong.kernel.ids import AgencyId
from datong.kernel.limits import GRANT_NOTICE_DAYS

NOTICE_KIND = "contract-notice"
TOLD, ACKNOWLEDGED, OBJECTED = "grant.notice-sent", "grant.notice-acknowledged", "grant.notice-objected"
EXCHANGE = platform_actor("exchange")


def tell_grantees(payload: Mapping[str, Any]) -> int:
    """Open a notice for every grant of the resource in force; how many. The payload is that of `contract.breaking`."""
    now = clock.now()
    rows = Grant.objects.filter(
        resource_id=str(payload["resource"]), state="active", valid_from__lte=now, valid_until__gt=now
    ).select_related("resource")
    for grant in rows.order_by("pk"):
        _tell(grant, payload)
    return len(rows)


def _tell(grant: Grant, payload: Mapping[str, Any]) -> None:
    subject = Subject(kind="grant", id=grant.id, agency_id=AgencyId(grant.agency_id), name=grant.number)
    resource = grant.resource
    facts = {
        "grant": grant.number, "title": resource.title_zh, "title_en": resource.title_en or resource.pk,
        "version": payload["to"],
    }  # fmt: skip
    with action(TOLD, EXCHANGE, subject, facts=facts):
        cases.open_case(
            kind=NOTICE_KIND,
            title_zh=f"“{resource.title_zh}”的契约有重大变更（{payload['from']}→{payload['to']}），影响授权{grant.number}",
            title_en=f"{facts['title_en']}: breaking change {payload['from']} → {payload['to']}, grant {grant.number}",
            subject=subject,
            actor=EXCHANGE,
            from_agency_id=AgencyId(grant.owner_agency_id),
            to_agency_id=AgencyId(grant.agency_id),
            allowance_days=GRANT_NOTICE_DAYS,
            detail={"breaking": list(payload["breaking"]), "from": payload["from"], "to": payload["to"]},
        )


class ContractNoticeCase:
    """The kind of case by which a grantee says that it has read of a breaking change, or objects to it."""

    key = NOTICE_KIND
    title_zh, title_en = "契约变更告知", "Notice of a contract change"

    def verb_of(self, decision: Decision) -> str:
        return ACKNOWLEDGED if decision is Decision.APPROVE else OBJECTED

    def on_decided(self, case: CaseView, decision: Decision, reason: str, actor: Actor, record: ActionRecord) -> None:
        """Nothing follows but the record; an objection's event reaches whoever listens for the owner."""
        del actor
        grant = Grant.objects.select_related("resource").get(pk=case.subject_id)
        record.facts.update(
            grant=grant.number, reason=reason, title=grant.resource.title_zh,
            title_en=grant.resource.title_en or grant.resource_id, version=case.detail.get("to", ""),
        )  # fmt: skip
        if decision is Decision.REFUSE:
            record.event(OBJECTED, subject=f"grant:{grant.id}", payload={"grant": grant.id, "reason": reason})


def find_notice(grant_id: str) -> CaseView | None:
    """The notice that waits for the grantee, the oldest first."""
    found = cases.find_open_cases(NOTICE_KIND, Subject(kind="grant", id=grant_id))
    return found[0] if found else None
