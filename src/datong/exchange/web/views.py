"""Pages of the exchange: ask, decide, see a grant with its receipts, revoke. They call services only."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from datong.cases import service as cases
from datong.cases.contracts import CaseState, Decision, ReasonNeeded
from datong.cases.service import decide_case
from datong.catalog import service as catalog
from datong.exchange import service
from datong.exchange.requests import (
    GrantState,
    GrantView,
    RequestInvalid,
    RequestState,
    RequestView,
    RevocationUnconfirmed,
)
from datong.exchange.service.notices import find_notice
from datong.exchange.service.receipts import check_receipt
from datong.exchange.web.forms import build_form, read_draft
from datong.exchange.web.present import (
    access_lines,
    cap_words,
    grant_proof,
    grant_remaining_days,
    grant_tag,
    receipt_facts,
    receipt_lines,
    usage_chart,
)
from datong.kernel.action.service import is_allowed
from datong.kernel.audit.service import find_log_index
from datong.kernel.contracts import Actor, Role, Subject
from datong.kernel.failures import Failure, NotFound
from datong.kernel.identity import service as identity
from datong.kernel.ids import CaseId, GrantId, RequestId, ResourceId
from datong.kernel.web.requests import require_member
from datong.ui.web.pages import render_page
from datong.ui.web.words import pick, zh_en

RECEIPTS_SHOWN_MAX = 20


@require_http_methods(["GET", "HEAD", "POST"])
def ask_for_access(request: HttpRequest, resource_id: str) -> HttpResponse:
    """The request form. It comes back whole, with every finding beside its field, until it can stand."""
    actor = require_member(request)
    resource = catalog.get_resource(ResourceId(resource_id))
    contract = catalog.get_contract(ResourceId(resource_id))
    titles = {column.name: (column.title, column.title_en or column.title) for column in contract.columns}
    columns, modes = service.offered_columns(contract), service.offered_modes(contract)
    systems = identity.find_systems(actor.agency_id)
    data = request.POST if request.method == "POST" else None
    form = build_form(columns, modes, systems, data, titles)
    failure: Failure | None = None
    if data is not None:
        try:
            draft, unreadable = read_draft(ResourceId(resource_id), data)
            if draft is None:
                raise RequestInvalid(unreadable)
            asked = service.request_access(actor, draft)
        except RequestInvalid as invalid:
            form.mark(invalid.findings)
            failure = invalid
        else:
            messages.success(request, zh_en("申请 {n} 已提交", "Request {n} has been submitted", n=asked.number), "ok")
            return redirect("exchange:request", request_id=asked.id)
    context = {
        "resource": resource,
        "contract": contract,
        "form": form,
        "is_own": resource.agency_id == actor.agency_id,
        "may_ask": _may_ask(actor),
    }
    return render_page(request, "exchange/ask.html", context, failure)


@require_safe
def list_requests(request: HttpRequest) -> HttpResponse:
    """Requests of and to the reader's agency."""
    actor = require_member(request)
    context = {"requests": service.find_requests(actor), "may_ask": _may_ask(actor)}
    return render(request, "exchange/requests.html", context)


@require_safe
def show_request(request: HttpRequest, request_id: str) -> HttpResponse:
    """A request as asked, its clock, and the decision form for those who may decide it."""
    return _request_page(request, request_id, None)


@require_POST
def decide_request(request: HttpRequest, request_id: str) -> HttpResponse:
    """Approve or refuse. A refusal without a reason comes back with the reason's field marked."""
    actor = require_member(request)
    asked = service.get_request(actor, RequestId(request_id))
    chosen = request.POST.get("decision", "")
    decision = Decision.APPROVE if chosen == Decision.APPROVE.value else Decision.REFUSE
    try:
        decide_case(actor, CaseId(asked.case_id), decision, request.POST.get("reason", ""))
    except ReasonNeeded as failure:
        return _request_page(request, request_id, failure)
    decided = service.get_request(actor, RequestId(request_id))
    if decided.grant_id:
        messages.success(request, zh_en("已同意，授权已签发", "Approved; the grant is issued"), "ok")
        return redirect("exchange:grant", grant_id=decided.grant_id)
    messages.success(request, zh_en("已答复：不同意", "Refused; the other agency has been told"), "ok")
    return redirect("exchange:request", request_id=request_id)


@require_POST
def withdraw(request: HttpRequest, request_id: str) -> HttpResponse:
    """Take a request back."""
    service.withdraw_request(require_member(request), RequestId(request_id), request.POST.get("note", ""))
    messages.success(request, zh_en("申请已撤回", "The request has been withdrawn"), "ok")
    return redirect("exchange:request", request_id=request_id)


@require_safe
def list_grants(request: HttpRequest) -> HttpResponse:
    """Grants that the reader's agency gave or holds."""
    found = [(grant, grant_tag(grant)) for grant in service.find_grants(require_member(request))]
    return render(request, "exchange/grants.html", {"grants": found})


@require_safe
def show_grant(request: HttpRequest, grant_id: str) -> HttpResponse:
    """Who, why, how much; what is seen; what was used, with its receipts; the way to end it."""
    return _grant_page(request, grant_id, None)


@require_POST
def revoke(request: HttpRequest, grant_id: str) -> HttpResponse:
    """End a grant, with a reason that the other agency reads. Until a gateway has confirmed it, the page says so."""
    try:
        grant = service.revoke_grant(require_member(request), GrantId(grant_id), request.POST.get("reason", ""))
    except ReasonNeeded as failure:
        return _grant_page(request, grant_id, failure)
    except RevocationUnconfirmed:
        return HttpResponseRedirect(request.path.removesuffix("revocation"))
    messages.success(
        request,
        zh_en("授权 {n} 已撤销，下一次调用即被拒绝", "Grant {n} is revoked; the next call is refused", n=grant.number),
        "ok",
    )
    return HttpResponseRedirect(request.path.removesuffix("revocation"))


@require_POST
def answer_notice(request: HttpRequest, grant_id: str) -> HttpResponse:
    """The grantee has read of a breaking contract, or objects with a reason."""
    actor = require_member(request)
    notice = find_notice(service.get_grant(actor, GrantId(grant_id)).id)
    if notice is None:
        raise NotFound("No notice waits here.", hint_zh="这里没有待知悉的告知。", grant=grant_id)
    decision = Decision.REFUSE if request.POST.get("decision") == "object" else Decision.APPROVE
    try:
        decide_case(actor, notice.id, decision, request.POST.get("reason", ""))
    except ReasonNeeded as failure:
        return _grant_page(request, grant_id, failure)
    return HttpResponseRedirect(request.path.removesuffix("notice"))


@require_safe
def show_receipt(request: HttpRequest, log_index: int) -> HttpResponse:
    """One receipt against the log: the two halves, and what was checked while this page was built."""
    check = check_receipt(require_member(request), log_index)
    return render(request, "exchange/receipt.html", {"check": check, "line": receipt_facts(check)})


def _request_page(request: HttpRequest, request_id: str, failure: Failure | None) -> HttpResponse:
    actor = require_member(request)
    asked = service.get_request(actor, RequestId(request_id))
    case = cases.get_case(actor, CaseId(asked.case_id))
    resource = catalog.get_resource(asked.draft.resource_id)
    contract = catalog.get_contract(asked.draft.resource_id)
    subject = Subject(kind="case", id=case.id, agency_id=case.to_agency_id, name=case.title_zh)
    is_open = case.state is CaseState.OPEN
    context = {
        "asked": asked,
        "case": case,
        "history": cases.find_history(case.id),
        "resource": resource,
        "lines": access_lines(asked.draft.columns, asked.draft.modes, contract),
        "other_count": len(contract.columns) - len(asked.draft.columns),
        "caps": cap_words(asked.draft.daily_cap, asked.draft.rate_per_minute),
        "may_decide": is_open and is_allowed("request.approved", actor, subject),
        "may_withdraw": is_open and _may_withdraw(actor, asked),
        "steps": _request_steps(asked),
        "reason": request.POST.get("reason", ""),
    }
    return render_page(request, "exchange/request.html", context, failure)


def _may_ask(actor: Actor) -> bool:
    return is_allowed("request.submitted", actor, Subject(kind="request", id="", agency_id=actor.agency_id))


def _may_withdraw(actor: Actor, asked: RequestView) -> bool:
    return is_allowed("request.withdrawn", actor, Subject(kind="request", id=asked.id, agency_id=asked.agency_id))


def _request_steps(asked: RequestView) -> list[dict[str, Any]]:
    """Submitted → decided → served, for the steps component."""
    owner = pick(asked.owner_agency_name, asked.owner_agency_name_en)
    decided = {
        RequestState.SUBMITTED: ("now", zh_en("等待{who}答复", "waiting for {who}", who=owner)),
        RequestState.APPROVED: ("done", zh_en("同意", "approved")),
        RequestState.REFUSED: ("bad", zh_en("不同意", "refused")),
        RequestState.WITHDRAWN: ("", zh_en("申请方已撤回", "withdrawn by the asker")),
    }[asked.state]
    granted = asked.grant_id is not None
    return [
        {"state": "done", "title": zh_en("提交", "Submitted"), "note": pick(asked.requested_by, asked.requested_by_en)},
        {"state": decided[0], "title": zh_en("答复", "Decision"), "note": decided[1]},
        {
            "state": "done" if granted else "",
            "title": zh_en("授权", "Grant"),
            "note": zh_en("已签发", "issued") if granted else "",
        },
    ]


def _grant_page(request: HttpRequest, grant_id: str, failure: Failure | None) -> HttpResponse:
    actor = require_member(request)
    grant = service.get_grant(actor, GrantId(grant_id))
    contract = catalog.get_contract(grant.resource_id)
    context = {
        "grant": grant,
        "contract": contract,
        "tag": grant_tag(grant),
        "proof": grant_proof(find_log_index(grant.operation_id)),
        "caps": cap_words(grant.daily_cap, grant.rate_per_minute),
        "days_left": grant_remaining_days(grant),
        "keys_count": len([key for key in identity.find_keys(grant.system_id) if key.revoked_at is None]),
        "lines": access_lines(grant.columns, grant.modes, contract),
        "other_count": len(contract.columns) - len(grant.columns),
        "chart": usage_chart(service.summarise_usage(grant.id)),
        "receipts": receipt_lines(service.find_usage(grant.id, rows_max=RECEIPTS_SHOWN_MAX)),
        "receipts_count": service.count_usage(grant.id),
        "may_revoke": grant.state is GrantState.ACTIVE and _may_revoke(actor, grant),
        "reason": request.POST.get("reason", ""),
        "notice": find_notice(grant.id),
        "may_answer": actor.agency_id == grant.agency_id and Role.STEWARD in actor.roles,
    }
    return render_page(request, "exchange/grant.html", context, failure)


def _may_revoke(actor: Actor, grant: GrantView) -> bool:
    return is_allowed("grant.revoked", actor, Subject(kind="grant", id=grant.id, agency_id=grant.owner_agency_id))
