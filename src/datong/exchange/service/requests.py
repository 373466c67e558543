"""Asking for access, and what the owner's decision does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from datong.cases import model as case_model
from datong.cases import service as cases
from datong.cases.contracts import CaseView, Decision
from datong.catalog import service as catalog
from datong.catalog.odcs import DataContract, Mask, SharingType
from datong.exchange import model
from datong.exchange.contracts import Mode
from datong.exchange.requests import (
    RequestDraft,
    RequestFinding,
    RequestInvalid,
    RequestNotFound,
    RequestState,
    RequestView,
    WithheldResource,
)
from datong.exchange.service import grants
from datong.exchange.sight import SEE
from datong.exchange.store.models import Grant, Request
from datong.kernel import clock, ids
from datong.kernel.action.service import ActionRecord, action
from datong.kernel.contracts import Actor, Subject
from datong.kernel.failures import NotAllowed
from datong.kernel.identity import service as identity
from datong.kernel.ids import AgencyId, CaseId, GrantId, RequestId, ResourceId
from datong.kernel.limits import PAGE_ROWS_MAX
from datong.kernel.numbers.service import next_number
from datong.kernel.policy import service as policy

CASE_KIND = "exchange.request"
SUBMITTED, APPROVED, REFUSED, WITHDRAWN = (
    "request.submitted",
    "request.approved",
    "request.refused",
    "request.withdrawn",
)


def offered_columns(contract: DataContract) -> dict[str, model.OfferedColumn]:
    """What of a contract can be asked for, and on which terms."""
    keys = {column.name for column in contract.lookup_columns}
    return {
        column.name: model.OfferedColumn(
            name=column.name,
            title=column.title,
            is_key=column.name in keys,
            is_withheld=column.sharing is SharingType.WITHHELD,
            withheld_basis=column.sharing_basis,
            may_be_claimed=column.verify,
            grade=column.grade,
            mask="" if column.mask is Mask.NONE else column.mask.value,
            logical_type=column.logical_type.value,
        )
        for column in contract.columns
    }


def offered_modes(contract: DataContract) -> frozenset[Mode]:
    return frozenset(Mode(mode.value) for mode in contract.sharing.modes)


def request_access(actor: Actor, draft: RequestDraft) -> RequestView:
    """Ask another agency for a resource. Opens the owner's case with its clock; all findings come at once.

    Raises RequestInvalid, WithheldResource, NotAllowed (own resource, another agency's system).
    """
    resource = catalog.get_resource(draft.resource_id)
    contract = catalog.get_contract(draft.resource_id)
    request_id = RequestId(ids.new_id("req"))
    subject = Subject(kind="request", id=request_id, agency_id=actor.agency_id, name=resource.title_zh)
    titles = {"title": resource.title_zh, "title_en": resource.title_en}
    with action(SUBMITTED, actor, subject, facts={"resource": resource.id, **titles}) as record:
        if actor.agency_id is None or identity.get_system(draft.system_id).agency_id != actor.agency_id:
            raise NotAllowed(
                "Ask for a system of your own agency.", hint_zh="只能为本部门的应用系统申请。", system=draft.system_id
            )
        if resource.agency_id == actor.agency_id:
            finding = RequestFinding(
                field="resource",
                message="The resource is your own agency's.",
                message_zh="这是本部门的资源，无须申请。",
            )
            raise RequestInvalid([finding])
        _check_draft(draft, contract)
        number = next_number("Q")
        record.facts.update(number=number, **_told(draft))
        row = Request.objects.create(
            id=request_id,
            number=number,
            resource_id=resource.id,
            owner_agency_id=resource.agency_id,
            agency_id=actor.agency_id,
            system_id=draft.system_id,
            draft=asdict(draft),
            requested_by=actor.id,
            requested_by_name=actor.name,
        )
        case = cases.open_case(
            kind=CASE_KIND,
            title_zh=f"{actor.agency_name}申请“{resource.title_zh}”",
            title_en=f"{actor.agency_name_en or actor.agency_name} requests “{resource.title_en or resource.title_zh}”",
            subject=subject,
            actor=actor,
            from_agency_id=actor.agency_id,
            to_agency_id=AgencyId(resource.agency_id),
            allowance_days=case_model.NATIONAL.allowance_days[f"request.{contract.sharing.type.value}"],
            number=number,
            detail={"told": {**titles, "to_agency": actor.agency_name, "to_agency_en": actor.agency_name_en}},
        )
        row.case_id = case.id
        row.save(update_fields=["case"])
        record.event("request.submitted", subject=f"request:{row.id}", payload={"request": row.id, "case": case.id})
        return record.done(_view(_find(request_id), None))


def withdraw_request(actor: Actor, request_id: RequestId, note: str = "") -> None:
    """Take a request back while it is undecided."""
    row = _find(request_id)
    subject = Subject(kind="request", id=row.id, agency_id=AgencyId(row.agency_id), name=row.resource.title_zh)
    with action(WITHDRAWN, actor, subject, facts={"number": row.number}):
        cases.withdraw_case(CaseId(row.case_id or ""), actor, note)
        Request.objects.filter(pk=row.pk).update(state=RequestState.WITHDRAWN)


class RequestCase:
    """The kind of case that a request is."""

    key = CASE_KIND
    title_zh, title_en = "共享申请", "Request"

    def verb_of(self, decision: Decision) -> str:
        return APPROVED if decision is Decision.APPROVE else REFUSED

    def on_decided(self, case: CaseView, decision: Decision, reason: str, actor: Actor, record: ActionRecord) -> None:
        """Approval makes the grant, in the decision's transaction; refusal closes the request with its reason.

        The request is judged once more: since it was made the contract may have changed, or its last day passed.
        """
        row = Request.objects.select_for_update().get(pk=case.subject_id)
        if decision is Decision.APPROVE:
            if actor.id == row.requested_by:
                raise NotAllowed(
                    "Somebody else must approve what you asked for yourself.", hint_zh="不能审批自己提交的申请。"
                )
            draft = model.draft_from_plain(row.draft)
            _check_draft(draft, catalog.get_contract(ResourceId(row.resource_id)))
            row.state = RequestState.APPROVED
            grants.create_grant(row, draft, actor, record)
        else:
            row.state = RequestState.REFUSED
            payload = {"request": row.id, "reason": reason}
            record.event("request.refused", subject=f"request:{row.id}", payload=payload)
        row.save(update_fields=["state"])


def get_request(actor: Actor, request_id: RequestId) -> RequestView:
    row = _find(request_id)
    if not policy.explain(actor, SEE, "request", row.pk).allowed:
        raise RequestNotFound(id=request_id)
    return _view(row, _find_grant_id(row))


def find_requests(actor: Actor, *, resource_id: ResourceId | None = None) -> list[RequestView]:
    """Requests that concern the actor's agency, as asker or as owner; all of them for bureau and auditor."""
    rows = Request.objects.select_related("resource", "owner_agency", "agency", "system")
    rows = policy.keep_allowed(rows, actor, SEE, "request")
    if resource_id:
        rows = rows.filter(resource_id=resource_id)
    found = list(rows.order_by("-requested_at")[:PAGE_ROWS_MAX])
    grant_ids = dict(Grant.objects.filter(request__in=found).values_list("request_id", "pk"))
    english = identity.find_english_names(row.requested_by for row in found)
    return [_view(row, grant_ids.get(row.pk), english) for row in found]


def _find(request_id: RequestId) -> Request:
    row = Request.objects.select_related("resource", "owner_agency", "agency", "system").filter(pk=request_id).first()
    if row is None:
        raise RequestNotFound(id=request_id)
    return row


def _check_draft(draft: RequestDraft, contract: DataContract) -> None:
    """Whether the request can stand on the contract as it is today. Raises WithheldResource, RequestInvalid."""
    if contract.sharing.type is SharingType.WITHHELD:
        raise WithheldResource(resource=contract.id, legal_basis=contract.sharing.basis)
    model.check_request(draft, offered_columns(contract), offered_modes(contract), clock.today())


def _told(draft: RequestDraft) -> Mapping[str, Any]:
    return {
        "columns": [column.name for column in draft.columns],
        "modes": [mode.value for mode in draft.modes],
        "purpose": draft.purpose,
        "purpose_title": draft.purpose_title,
        "legal_basis": draft.legal_basis,
        "valid_until": draft.valid_until.isoformat(),
    }


def _find_grant_id(row: Request) -> str | None:
    return Grant.objects.filter(request_id=row.pk).values_list("pk", flat=True).first()


def _view(row: Request, grant_id: str | None, english: Mapping[str, str] | None = None) -> RequestView:
    """`english` are the members' English names, where they are known already."""
    if english is None:
        english = identity.find_english_names([row.requested_by])
    return RequestView(
        id=RequestId(row.id),
        number=row.number,
        draft=model.draft_from_plain(row.draft),
        resource_title=row.resource.title_zh,
        owner_agency_id=AgencyId(row.owner_agency_id),
        owner_agency_name=row.owner_agency.name,
        agency_id=AgencyId(row.agency_id),
        agency_name=row.agency.name,
        system_name=row.system.name,
        requested_by=row.requested_by_name,
        requested_at=row.requested_at,
        state=RequestState(row.state),
        case_id=CaseId(row.case_id or ""),
        grant_id=GrantId(grant_id) if grant_id else None,
        resource_title_en=row.resource.title_en,
        owner_agency_name_en=row.owner_agency.name_en,
        agency_name_en=row.agency.name_en,
        requested_by_en=english.get(row.requested_by, ""),
    )
