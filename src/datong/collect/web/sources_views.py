"""Pages of connected sources: the list, the editor, one source with its test and its fetches."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from datong.catalog import service as catalog
from datong.collect.service import localise_failure
from datong.collect.sources import service
from datong.collect.sources.contracts import ConnectionReport, SourceKind, SourceView
from datong.collect.sources.options import read_kind
from datong.collect.sources.service.registry import CREATED
from datong.collect.web.sources_form import (
    FETCH_TAGS,
    KIND_HELP,
    TRIGGER_TITLES,
    fields_of,
    general_fields,
    is_named,
    kind_title,
    read_draft,
    schedule_words,
    values_of,
)
from datong.kernel.action.service import is_allowed
from datong.kernel.contracts import Actor, Subject
from datong.kernel.failures import BadInput, Failure
from datong.kernel.ids import AgencyId, ResourceId
from datong.kernel.web.requests import require_member
from datong.ui.web.pages import render_page
from datong.ui.web.words import pick, zh_en

FETCHES_SHOWN_MAX = 30


@require_safe
def list_sources(request: HttpRequest) -> HttpResponse:
    """The sources of the reader's agency; one resource's when `resource` names it."""
    actor = require_member(request)
    resource_id = request.GET.get("resource", "")
    resource = catalog.get_resource(ResourceId(resource_id), actor) if resource_id else None
    found = service.find_sources(actor, resource_id=resource_id or None)
    context = {
        "resource": resource,
        "sources": [(source, kind_title(source.kind), state_of(source)) for source in found],
        "may_create": resource is not None and may_create(actor, resource.agency_id),
    }
    return render(request, "collect/sources.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def create_source(request: HttpRequest, resource_id: str) -> HttpResponse:
    """Choose a kind, then describe it. It begins disabled; its page tests it."""
    actor = require_member(request)
    resource = catalog.get_resource(ResourceId(resource_id), actor)
    chosen = request.POST.get("kind") or request.GET.get("kind", "")
    context: dict[str, Any] = {"resource": resource, "may_create": may_create(actor, resource.agency_id)}
    if not chosen:
        context["kinds"] = [(kind, kind_title(kind), pick(*KIND_HELP[kind])) for kind in SourceKind]
        return render(request, "collect/source_kinds.html", context)
    kind = read_kind(chosen)
    failure: Failure | None = None
    if request.method == "POST":
        try:
            made = service.create_source(actor, read_draft(request.POST, resource_id, kind))
        except Failure as refused:
            failure = refused
        else:
            messages.success(
                request, zh_en("已建立，请先测试连接，再启用", "Made. Test the connection, then enable it"), "ok"
            )
            return redirect("collect:source", source_id=made.id)
    values = request.POST.dict() if request.method == "POST" else {}
    return _editor(request, context, kind, {name: str(value) for name, value in values.items()}, failure)


@require_http_methods(["GET", "HEAD", "POST"])
def edit_source(request: HttpRequest, source_id: str) -> HttpResponse:
    """Change how a source is reached, when it is fetched, and where its records are."""
    actor = require_member(request)
    source = service.get_source(source_id, actor)
    resource = catalog.get_resource(ResourceId(source.resource_id))
    failure: Failure | None = None
    values = values_of(source)
    if request.method == "POST":
        values = {name: str(value) for name, value in request.POST.items()}
        revision = values.get("revision", "")
        try:
            draft = read_draft(request.POST, source.resource_id, source.kind)
            service.change_source(actor, source_id, draft, revision=int(revision) if revision.isdigit() else 0)
        except Failure as refused:
            failure = refused
        else:
            messages.success(request, zh_en("已保存", "Saved"), "ok")
            return redirect("collect:source", source_id=source_id)
    context = {"resource": resource, "source": source, "may_create": may_create(actor, source.agency_id)}
    return _editor(request, context, source.kind, values, failure)


@require_safe
def show_source(request: HttpRequest, source_id: str) -> HttpResponse:
    """How it is set, how it fares, what it brought."""
    actor = require_member(request)
    return render(request, "collect/source.html", _page(actor, source_id))


@require_POST
def act_on_source(request: HttpRequest, source_id: str) -> HttpResponse:
    """`do` is test, fetch, enable, disable, note or remove. A test answers with its report on the page."""
    actor = require_member(request)
    failure: Failure | None = None
    report: ConnectionReport | None = None
    done = request.POST.get("do", "")
    try:
        match done:
            case "test":
                report = service.test_source(actor, source_id)
            case "fetch":
                service.request_fetch(actor, source_id)
            case "enable":
                service.enable_source(actor, source_id)
            case "disable":
                service.disable_source(actor, source_id)
            case "note":
                service.note_case(actor, source_id)
            case "remove":
                resource_id = service.get_source(source_id, actor).resource_id
                service.remove_source(actor, source_id)
                messages.success(request, zh_en("已删除，凭据已销毁", "Removed; its credentials are destroyed"), "ok")
                return redirect("catalog:resource", resource_id)
            case _:
                raise BadInput("Choose what to do.", hint_zh="请选择操作。", field="do")
    except Failure as refused:
        failure = refused
    if report is None and failure is None:
        return redirect("collect:source", source_id=source_id)
    notes = [pick(note.zh, note.en) for note in report.notes] if report else []
    context = _page(actor, source_id) | {"report": report, "notes": notes}
    return render_page(request, "collect/source.html", context, failure)


def may_create(actor: Actor, agency_id: str) -> bool:
    return is_allowed(CREATED, actor, Subject(kind="source", id="", agency_id=AgencyId(agency_id)))


def state_of(source: SourceView) -> tuple[str, str]:
    """A tag: how the source fares, in a word."""
    if source.failures_in_row:
        return "bad", pick(f"连续失败{source.failures_in_row}次", f"failed {source.failures_in_row} ×")
    if source.is_busy:
        return "ac", pick("正在取数", "fetching")
    return ("ok", pick("已启用", "enabled")) if source.enabled else ("", pick("未启用", "disabled"))


def _page(actor: Actor, source_id: str) -> dict[str, Any]:
    source = service.get_source(source_id, actor)
    fetches = service.find_fetches(source_id, actor, limit=FETCHES_SHOWN_MAX)
    return {
        "source": source,
        "resource": catalog.get_resource(ResourceId(source.resource_id)),
        "kind": kind_title(source.kind),
        "state": state_of(source),
        "settings": [
            (field.title, next((choice.title for choice in field.choices if choice.is_chosen), field.value))
            for field in fields_of(source.kind, source.options, source=source, failure=None)
            if source.options.get(field.name)
        ],
        "failure": localise_failure(source.last_failure) if source.last_failure else None,
        "schedule": schedule_words(source.schedule),
        "cursor": source.cursor.get("value"),
        "fetches": [
            (
                fetch,
                (FETCH_TAGS[fetch.state][0], pick(*FETCH_TAGS[fetch.state][1:])),
                pick(*TRIGGER_TITLES[fetch.trigger]),
                localise_failure(fetch.failure) if fetch.failure else None,
            )
            for fetch in fetches
        ],
        "may_change": may_create(actor, source.agency_id),
    }


def _editor(
    request: HttpRequest,
    context: dict[str, Any],
    kind: SourceKind,
    values: dict[str, str],
    failure: Failure | None,
) -> HttpResponse:
    general = general_fields(values, failure)
    fields = fields_of(kind, values, source=context.get("source"), failure=failure)
    context |= {"kind": kind, "kind_title": kind_title(kind), "general": general, "fields": fields}
    context["is_named"] = is_named(failure, [*general, *fields])
    return render_page(request, "collect/source_edit.html", context, failure)
