"""Who answers for what: elements with their authority, one element, one field, one resource's fields and stages."""

from __future__ import annotations

import csv
from io import StringIO

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from datong.cases import service as cases
from datong.cases.contracts import Decision
from datong.catalog import service as catalog
from datong.catalog.responsibility import service
from datong.catalog.responsibility.contracts import (
    AUTHORITY_KEPT,
    AUTHORITY_TITLES,
    CLAIM_KIND,
    FIELD_ACCEPTED,
    SOURCE_KIND,
    AuthorityState,
)
from datong.kernel.action.service import is_allowed
from datong.kernel.contracts import Actor, Role, Subject
from datong.kernel.failures import BadInput, Failure, NotFound
from datong.kernel.identity.service import find_agencies
from datong.kernel.ids import ResourceId
from datong.kernel.web.requests import require_member
from datong.ui.web.pages import render_page


@require_safe
def list_elements(request: HttpRequest) -> HttpResponse:
    """Every element in use, disputes and gaps first."""
    actor = require_member(request)
    chosen = request.GET.get("state", "")
    state = AuthorityState(chosen) if chosen in set(AuthorityState) else None
    every = service.find_elements_held(actor)
    lines = [line for line in every if state in (None, line.state)]
    counts = [(s, AUTHORITY_TITLES[s], sum(line.state is s for line in every)) for s in AuthorityState]
    context = {"lines": [(line, AUTHORITY_TITLES[line.state]) for line in lines], "counts": counts, "chosen": state}
    return render(request, "catalog/responsibility.html", {**context, "total": len(every)})


@require_safe
def export_elements(request: HttpRequest) -> HttpResponse:
    """The list 一数一源清单 as CSV, UTF-8 with a byte-order mark."""
    out = StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["数据元", "名称", "状态", "资源", "数据项", "部门", "是否权威来源"])
    for line in service.find_elements_held(require_member(request)):
        for holder in line.holders:
            writer.writerow(
                [
                    line.element, line.title_zh, AUTHORITY_TITLES[line.state][0], holder.resource_title,
                    holder.column_title, holder.agency_name, "是" if holder.is_authority else "否",
                ]
            )  # fmt: skip
    response = HttpResponse("\ufeff" + out.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="elements.csv"'
    return response


@require_safe
def show_element(request: HttpRequest, element_id: str) -> HttpResponse:
    """One element: who holds it, who answers, and the claim that waits."""
    return _element_page(request, require_member(request), element_id)


def _element_page(request: HttpRequest, actor: Actor, element_id: str, failure: Failure | None = None) -> HttpResponse:
    line = service.get_element_line(actor, element_id)
    open_cases = cases.find_open_cases(CLAIM_KIND, Subject(kind="element", id=element_id))
    context = {
        "line": line,
        "state": AUTHORITY_TITLES[line.state],
        "case": open_cases[0] if open_cases else None,
        "may_decide": is_allowed(AUTHORITY_KEPT.verb, actor, Subject(kind="element", id=element_id)),
        "own": [h for h in line.holders if h.agency_id == actor.agency_id and not h.is_authority],
        "may_claim": Role.STEWARD in actor.roles,
        "reason": request.POST.get("reason", ""),
    }
    return render_page(request, "catalog/element.html", context, failure)


@require_POST
def claim_element(request: HttpRequest, element_id: str) -> HttpResponse:
    """Take a free element, or claim another's."""
    actor = require_member(request)
    reason = request.POST.get("reason", "")
    try:
        service.claim_element(actor, element_id, request.POST.get("resource", ""), reason=reason)
    except BadInput as failure:
        return _element_page(request, actor, element_id, failure)
    return redirect("catalog:element", element_id)


@require_POST
def decide_element(request: HttpRequest, element_id: str) -> HttpResponse:
    """The bureau's word on a claim; without the reason that it needs, the form comes back."""
    actor = require_member(request)
    try:
        _decide(request, actor, CLAIM_KIND, Subject(kind="element", id=element_id))
    except BadInput as failure:
        return _element_page(request, actor, element_id, failure)
    return redirect("catalog:element", element_id)


@require_safe
def show_responsibility(request: HttpRequest, resource_id: str) -> HttpResponse:
    """A resource's fields with their sources, and who answers at each stage."""
    actor = require_member(request)
    resource = catalog.get_resource(ResourceId(resource_id), actor)
    stages = service.find_stages(catalog.get_contract(ResourceId(resource_id)))
    context = {
        "resource": resource,
        "fields": service.find_fields(actor, resource_id),
        "stages": stages,
        "gaps": sum(not stage.who for stage in stages),
        "may_disown": Role.STEWARD in actor.roles and actor.agency_id == resource.agency_id,
    }
    return render(request, "catalog/resource_responsibility.html", context)


@require_safe
def show_field(request: HttpRequest, field_id: str) -> HttpResponse:
    """One field: whose it is, the case that asks, and the form that says "not ours"."""
    return _field_page(request, require_member(request), field_id)


def _field_page(request: HttpRequest, actor: Actor, field_id: str, failure: Failure | None = None) -> HttpResponse:
    resource_id, _, column = field_id.rpartition(".")
    resource = catalog.get_resource(ResourceId(resource_id), actor)
    lines = [line for line in service.find_fields(actor, resource_id) if line.column == column]
    open_cases = cases.find_open_cases(SOURCE_KIND, Subject(kind="field", id=field_id))
    case = open_cases[0] if open_cases else None
    subject = Subject(kind="field", id=field_id, agency_id=case.to_agency_id if case else None)
    context = {
        "resource": resource,
        "line": lines[0] if lines else None,
        "field": field_id,
        "case": case,
        "may_decide": case is not None and is_allowed(FIELD_ACCEPTED.verb, actor, subject),
        "may_disown": case is None and Role.STEWARD in actor.roles and actor.agency_id == resource.agency_id,
        "agencies": [agency for agency in find_agencies() if agency.id != resource.agency_id],
        "reason": request.POST.get("reason", ""),
    }
    return render_page(request, "catalog/field.html", context, failure)


@require_POST
def disown_field(request: HttpRequest, field_id: str) -> HttpResponse:
    """Say that a field is another agency's."""
    actor = require_member(request)
    resource_id, _, column = field_id.rpartition(".")
    to_agency, reason = request.POST.get("to_agency", ""), request.POST.get("reason", "")
    try:
        service.disown_field(actor, resource_id, column, to_agency, reason)
    except BadInput as failure:
        return _field_page(request, actor, field_id, failure)
    return redirect("catalog:field", field_id)


@require_POST
def decide_field(request: HttpRequest, field_id: str) -> HttpResponse:
    """The named agency's, or the bureau's, answer; without the reason that it needs, the form comes back."""
    actor = require_member(request)
    try:
        _decide(request, actor, SOURCE_KIND, Subject(kind="field", id=field_id))
    except BadInput as failure:
        return _field_page(request, actor, field_id, failure)
    return redirect("catalog:field", field_id)


def _decide(request: HttpRequest, actor: Actor, kind: str, subject: Subject) -> None:
    waiting = cases.find_open_cases(kind, subject)
    if not waiting:
        raise NotFound("Nothing waits for a decision here.", hint_zh="这里没有待决定的事项。", subject=subject.id)
    decision = Decision.APPROVE if request.POST.get("decision") == "approve" else Decision.REFUSE
    cases.decide_case(actor, waiting[0].id, decision, request.POST.get("reason", ""))
