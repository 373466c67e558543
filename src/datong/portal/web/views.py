"""The workspace's own pages. They call services only."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from datong.cases.contracts import CASE_PAGES, CaseView
from datong.cases.model import NATIONAL
from datong.collect.web.present import run_tag
from datong.exchange.requests import RequestState, RequestView
from datong.kernel.audit import service as audit
from datong.kernel.contracts import ACTION_KINDS, Actor, AuditRow, Role
from datong.kernel.web.requests import language_of, require_member
from datong.portal import service

ACTIONS_SHOWN_MAX = 12
STEPS_DONE = {RequestState.SUBMITTED: 2, RequestState.APPROVED: 4, RequestState.REFUSED: 3, RequestState.WITHDRAWN: 1}


@require_safe
def show_home(request: HttpRequest) -> HttpResponse:
    """待我处理: what waits, what came in, what was asked for."""
    actor = require_member(request)
    due, kind = request.GET.get("due", ""), request.GET.get("kind", "")
    work = service.gather_workspace(actor, due=due, kind=kind)
    decides = bool(actor.roles & service.DECIDERS)
    context = {
        "work": work,
        "decides": decides,
        "actions": [] if decides else _recent_actions(request, actor),
        "due": due,
        "kind": kind,
        "profile": NATIONAL,
        "may_ask": Role.STEWARD in actor.roles,
        "groups": [(group, [(each, _case_page(each.case)) for each in group.cases]) for group in work.kinds],
        "runs": [(run, run_tag(run)) for run in work.runs],
        "requests": [(asked, *_request_progress(asked)) for asked in work.requests],
    }
    return render(request, "portal/home.html", context)


@require_safe
def list_audit(request: HttpRequest) -> HttpResponse:
    """The audit log as sentences, newest first, each with its place in the Merkle log."""
    actor = require_member(request)
    verb = request.GET.get("verb", "")
    page = audit.find_audit_rows(
        actor,
        verb=verb,
        subject_kind=request.GET.get("kind", ""),
        subject_id=request.GET.get("subject", ""),
        actor_id=request.GET.get("actor", ""),
        cursor=request.GET.get("cursor") or None,
    )
    language = language_of(request)
    context = {
        "page": page,
        "verb": verb,
        "verbs": sorted(name for name, _ in ACTION_KINDS.items()),
        "rows": [(row, audit.sentence_of(row, language)) for row in page.items],
        "is_filtered": any(request.GET.get(name) for name in ("verb", "kind", "subject", "actor")),
    }
    return render(request, "portal/audit.html", context)


def _recent_actions(request: HttpRequest, actor: Actor) -> list[tuple[AuditRow, str]]:
    """What those who decide no case are here for: the latest actions that they may read, as sentences."""
    page = audit.find_audit_rows(actor, limit=ACTIONS_SHOWN_MAX)
    return [(row, audit.sentence_of(row, language_of(request))) for row in page.items]


def _case_page(case: CaseView) -> str:
    return reverse(CASE_PAGES.get(case.kind), args=[case.subject_id])


def _request_progress(asked: RequestView) -> tuple[int, bool]:
    """How many of four steps are done, and whether it ended without a grant."""
    return STEPS_DONE[asked.state], asked.state is RequestState.REFUSED
