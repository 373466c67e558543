"""Pages where contracts are written: the editor, the review with its decision, the Excel template there and back.

Every state has a URL and every form works without a script; with one, findings come while one types.
"""

from __future__ import annotations

import base64
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from datong.cases import service as cases
from datong.cases.contracts import CaseState, Decision
from datong.catalog import service as catalog
from datong.catalog.authoring import service
from datong.catalog.authoring.contracts import DraftState, DraftView
from datong.catalog.authoring.fields import COLUMN_FIELDS, GROUPS, RESOURCE_FIELDS
from datong.catalog.authoring.form_values import columns_of, write_column, write_resource
from datong.catalog.canonical import canonical_text
from datong.catalog.contracts import ResourceNotFound
from datong.catalog.odcs import DataContract, parse_contract
from datong.catalog.web.editor_present import (
    FIXED_KEYS,
    EditorValues,
    check_groups,
    column_form,
    column_table,
    derived,
    diff_lines,
    group_lines,
    place_errors,
    rule_lines,
    suggestions,
    tabs,
    texts_of_post,
)
from datong.catalog.workbook.marking import mark_workbook
from datong.catalog.workbook.reading import WorkbookFaulty
from datong.catalog.workbook.writing import write_template
from datong.catalog.yaml_text import read_yaml
from datong.kernel.action.service import is_allowed
from datong.kernel.contracts import Actor, Subject
from datong.kernel.failures import BadInput, Failure, TooLarge
from datong.kernel.ids import AgencyId, CaseId, ResourceId
from datong.kernel.limits import CELL_FINDINGS_SHOWN_MAX, WORKBOOK_BYTES_MAX, WORKBOOK_INLINE_BYTES_MAX
from datong.kernel.web.requests import accepts_upload, require_member
from datong.ui.web.pages import render_page
from datong.ui.web.words import pick, zh_en

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TAB_DEFAULT = "basic"


# Drafts and beginnings --------------------------------------------------------------------------------------------
@require_safe
def list_drafts(request: HttpRequest) -> HttpResponse:
    """The open drafts of the reader's agency, and the ways to begin one."""
    actor = require_member(request)
    context = {"drafts": service.find_drafts(actor), "may_write": _may_write(actor)}
    return render(request, "catalog/drafts.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def begin_contract(request: HttpRequest) -> HttpResponse:
    """A new contract from nothing: an id and a title, then the editor."""
    actor = require_member(request)
    typed = {key: request.POST.get(key, "").strip() for key in ("id", "title")}
    failure: Failure | None = None
    if request.method == "POST":
        try:
            if not typed["id"].replace("_", "").isalnum() or not typed["title"]:
                raise BadInput(
                    "Give an id of lower-case letters, digits and underscores, and a title.",
                    hint_zh="请填写资源标识（小写字母、数字、下划线）和名称。",
                )
            draft = service.new_draft(actor, typed["id"], typed["title"])
        except Failure as found:
            failure = found
        else:
            return redirect(_address(draft.resource_id))
    context = {"typed": typed, "may_write": _may_write(actor)}
    return render_page(request, "catalog/new_contract.html", context, failure)


# The editor -------------------------------------------------------------------------------------------------------
@require_safe
def edit_contract(request: HttpRequest, resource_id: str) -> HttpResponse:
    """The contract as a form or as YAML, with what is wrong, what changes, and what that breaks."""
    draft = service.open_draft(require_member(request), resource_id)
    return _editor(request, draft, EditorValues(raw=_mapping(draft.text)), request.GET)


@require_POST
def save_contract(request: HttpRequest, resource_id: str) -> HttpResponse:
    """Save one tab, one column or the YAML into the draft. What cannot be saved comes back as it was typed."""
    actor = require_member(request)
    draft = service.open_draft(actor, resource_id)
    data = request.POST
    text, values = _edited(draft, data)
    failure: Failure | None = None
    if not values.problems:
        try:
            revision = int(data.get("revision", "0")) if data.get("revision", "0").isdigit() else -1
            saved = service.save_draft(
                actor, resource_id, text, base_version=data.get("base") or draft.base_version, revision=revision
            )
        except Failure as found:
            failure = found
        else:
            messages.success(request, zh_en("草稿已保存", "The draft is saved"), "ok")
            return redirect(_address(saved.resource_id, data))
    return _editor(request, draft, values, data, text=text, failure=failure)


@require_POST
def check_contract(request: HttpRequest, resource_id: str) -> HttpResponse:
    """What would be wrong if this were saved: the findings panel alone, for the script. Nothing is written."""
    draft = service.open_draft(require_member(request), resource_id)
    text, values = _edited(draft, request.POST)
    review = service.review_text(text, base_version=draft.base_version)
    context = {"review": review, "problems": values.problems, "groups": check_groups(review)}
    return render(request, "catalog/parts/editor_findings.html", context)


def _edited(draft: DraftView, data: QueryDict) -> tuple[str, EditorValues]:
    """The draft's text with what was typed put in, and the values for the page if it comes back."""
    part = data.get("part", "")
    if part == "yaml":
        text = data.get("text", "").replace("\r\n", "\n")
        return text, EditorValues(raw=_mapping(text))
    raw = _mapping(draft.text)
    if raw is None:
        return draft.text, EditorValues(raw=None)
    columns = columns_of(raw)
    if part in GROUPS:
        fields = [one for one in RESOURCE_FIELDS if one.group == part and one.key not in FIXED_KEYS]
        typed = texts_of_post(data, fields)
        problems = write_resource(raw, typed)
        return canonical_text(raw), EditorValues(raw=raw, typed=typed, problems=problems)
    name = data.get("column", "")
    index = next((turn for turn, column in enumerate(columns) if column.get("name") == name), None)
    if part == "remove" and index is not None:
        del columns[index]
    elif part in {"up", "down"} and index is not None:
        other = min(max(index + (-1 if part == "up" else 1), 0), len(columns) - 1)
        columns[index], columns[other] = columns[other], columns[index]
    elif part == "column":
        typed = texts_of_post(data, COLUMN_FIELDS)
        column = columns[index] if index is not None else {}
        problems = write_column(column, typed, len(columns) if index is None else index)
        if index is None:
            columns.append(column)
        _put_columns(raw, columns)
        return canonical_text(raw), EditorValues(raw=raw, typed=typed, problems=problems)
    _put_columns(raw, columns)
    return canonical_text(raw), EditorValues(raw=raw)


def _put_columns(raw: dict[str, Any], columns: list[dict[str, Any]]) -> None:
    tables = raw.get("schema")
    if isinstance(tables, list) and tables and isinstance(tables[0], dict):
        tables[0]["properties"] = columns
    else:
        raw["schema"] = [{"name": raw.get("id") or "table", "properties": columns}]


def _editor(
    request: HttpRequest,
    draft: DraftView,
    values: EditorValues,
    place: QueryDict,
    *,
    text: str | None = None,
    failure: Failure | None = None,
) -> HttpResponse:
    """The editor's page. `text` is what the page holds; without one, what the draft holds."""
    text = draft.text if text is None else text
    review = service.review_text(text, base_version=draft.base_version)
    contract = None if review.findings else parse_contract(text)
    errors = place_errors(values.raw, review.findings, values.problems)
    as_yaml = values.raw is None or place.get("view") == "yaml" or place.get("part") == "yaml"
    tab = place.get("tab", TAB_DEFAULT)
    names = [str(column.get("name", "")) for column in columns_of(values.raw or {})]
    chosen = (place.get("column", "") if place.get("part") in {None, "column"} else "") if tab == "columns" else ""
    index = names.index(chosen) if chosen in names else None
    if values.problems and chosen and index is None:
        index = len(names) - 1
    current = _current(draft)
    lines, changes_count = diff_lines(current.text if current else "", values.raw, text)
    context = {
        "draft": draft,
        "text": text,
        "values": values,
        "review": review,
        "contract": contract,
        "current": current,
        "title": _title(draft, contract, values.raw),
        "version": (values.raw or {}).get("version") or "",
        "as_yaml": as_yaml,
        "tab": tab,
        "tabs": tabs(values, errors, tab),
        "column": chosen,
        "column_fields": column_form(values, index, errors) if chosen else None,
        "columns_count": len(names),
        "columns": column_table(values.raw or {}, current, errors) if tab == "columns" else None,
        "rules": rule_lines(values.raw or {}) if tab == "rules" else None,
        "fields": group_lines(values, tab, errors) if tab in GROUPS else None,
        "own_errors": errors.get((index, ""), ()) if chosen else (),
        "groups": check_groups(review),
        "derived": derived(contract),
        "diff": lines,
        "changes_count": changes_count,
        "suggestions": suggestions() if chosen else None,
        "is_locked": draft.state is DraftState.SUBMITTED,
        "problems": values.problems,
    }
    if values.problems and failure is None:
        failure = BadInput("See the fields marked below.", hint_zh="请看下面标出的字段。")
    return render_page(request, "catalog/editor.html", context, failure)


# Review and decision ----------------------------------------------------------------------------------------------
@require_safe
def show_draft(request: HttpRequest, draft_id: str) -> HttpResponse:
    """A draft as its approver reads it: what changes, what breaks, the four checks, and the decision."""
    return _draft_page(request, draft_id, None)


@require_POST
def submit_draft(request: HttpRequest, draft_id: str) -> HttpResponse:
    """A draft that the four checks let through goes to the approvers."""
    return _then_draft(request, draft_id, service.submit_draft, ("已提交审核", "Submitted for approval"))


@require_POST
def rebase_draft(request: HttpRequest, draft_id: str) -> HttpResponse:
    """The writer has read what changed meanwhile: the draft now stands on the contract in force."""
    return _then_draft(
        request,
        draft_id,
        service.rebase_draft,
        ("草稿已改为基于现行版本", "The draft now stands on the contract in force"),
    )


@require_POST
def discard_draft(request: HttpRequest, draft_id: str) -> HttpResponse:
    """Give the draft up; one that is submitted is only taken back."""
    actor = require_member(request)
    draft = service.get_draft(actor, draft_id)
    service.discard_draft(actor, draft_id)
    if draft.state is DraftState.SUBMITTED:
        messages.success(request, zh_en("已撤回，可以继续修改", "Withdrawn; you may go on editing"), "ok")
        return redirect(_address(draft.resource_id))
    messages.success(request, zh_en("草稿已放弃", "The draft is given up"), "ok")
    return redirect("catalog:drafts")


@require_POST
def decide_draft(request: HttpRequest, draft_id: str) -> HttpResponse:
    """Approve or refuse; a refusal without a reason comes back with its field marked."""
    actor = require_member(request)
    approves = request.POST.get("decision") == Decision.APPROVE.value
    decision = Decision.APPROVE if approves else Decision.REFUSE
    try:
        draft = service.decide_draft(actor, draft_id, decision, request.POST.get("reason", ""))
    except Failure as failure:
        if failure.status in {403, 404}:
            raise
        return _draft_page(request, draft_id, failure)
    if approves:
        messages.success(request, zh_en("已批准，契约生效", "Approved; the contract is in force"), "ok")
        return redirect("catalog:resource", resource_id=draft.resource_id)
    messages.success(request, zh_en("已退回", "Refused; the steward has been told"), "ok")
    return redirect("catalog:draft", draft_id=draft_id)


def _then_draft(request: HttpRequest, draft_id: str, verb: Any, done: tuple[str, str]) -> HttpResponse:
    """Do it and show the draft; what keeps it from being done is shown on the draft's page."""
    actor = require_member(request)
    try:
        draft = verb(actor, draft_id)
    except Failure as failure:
        if failure.status in {403, 404}:
            raise
        return _draft_page(request, draft_id, failure)
    messages.success(request, pick(*done), "ok")
    return redirect("catalog:draft", draft_id=draft.id)


def _draft_page(request: HttpRequest, draft_id: str, failure: Failure | None) -> HttpResponse:
    actor = require_member(request)
    draft = service.get_draft(actor, draft_id)
    is_open = draft.state in {DraftState.DRAFT, DraftState.SUBMITTED}
    review = service.review_text(draft.text, base_version=draft.base_version) if is_open else None
    current = _current(draft) if is_open else None
    lines, changes_count = diff_lines(current.text if current else "", _mapping(draft.text), draft.text)
    contract = parse_contract(draft.text) if review and not review.findings else None
    case = cases.get_case(actor, CaseId(draft.case_id)) if draft.case_id else None
    subject = Subject(kind="case", id=draft.case_id, agency_id=AgencyId(draft.agency_id), name=draft.title_zh)
    is_waiting = case is not None and case.state is CaseState.OPEN
    context = {
        "draft": draft,
        "review": review,
        "groups": check_groups(review) if review else [],
        "current": current,
        "contract": contract,
        "title": _title(draft, contract, None),
        "diff": lines,
        "changes_count": changes_count,
        "case": case,
        "may_decide": is_waiting and is_allowed(service.APPROVED, actor, subject),
        "may_write": is_open and service.may_edit(actor, draft.agency_id),
        "reason": request.POST.get("reason", ""),
    }
    return render_page(request, "catalog/draft.html", context, failure)


# The Excel template -----------------------------------------------------------------------------------------------
@require_safe
def get_template(request: HttpRequest, resource_id: str = "") -> HttpResponse:
    """The template, empty or prefilled with a resource's contract in force."""
    actor = require_member(request)
    contracts = []
    if resource_id:
        catalog.get_resource(ResourceId(resource_id), actor)
        contracts = [catalog.get_contract(ResourceId(resource_id))]
    return _workbook(write_template(contracts), f"{resource_id or 'datong-template'}.xlsx")


@accepts_upload
@require_http_methods(["GET", "HEAD", "POST"])
def import_workbook(request: HttpRequest) -> HttpResponse:
    """Take a filled-in template in: faults cell by cell, or a draft for each resource. `copy` gives it back marked."""
    actor = require_member(request)
    context: dict[str, Any] = {"limit_bytes": WORKBOOK_BYTES_MAX, "may_write": _may_write(actor)}
    failure: Failure | None = None
    if request.method == "POST":
        try:
            payload = _uploaded(request)
            book = service.read_book(actor, payload)
            if request.POST.get("action") == "copy":
                return _workbook(mark_workbook(payload, book.findings), "marked.xlsx")
            if not book.findings:
                drafts = service.save_book(actor, book)
                messages.success(
                    request, zh_en("已存为{n}份草稿", "{n} draft is saved|{n} drafts are saved", n=len(drafts)), "ok"
                )
                return redirect("catalog:drafts")
            marked = mark_workbook(payload, book.findings)
            context |= {
                "book": book,
                "findings": book.findings[:CELL_FINDINGS_SHOWN_MAX],
                "copy": base64.b64encode(marked).decode() if len(marked) <= WORKBOOK_INLINE_BYTES_MAX else "",
                "media_type": XLSX,
            }
            failure = WorkbookFaulty(
                f"{len(book.findings)} cells to mend; nothing was saved.",
                hint_zh=f"共{len(book.findings)}处须修改，没有保存任何内容。",
            )
        except Failure as found:
            failure = found
    return render_page(request, "catalog/import.html", context, failure)


def _uploaded(request: HttpRequest) -> bytes:
    file = request.FILES.get("file")
    if file is None:
        raise BadInput("Choose the filled-in template.", hint_zh="请选择填好的模板。")
    if (file.size or 0) > WORKBOOK_BYTES_MAX:
        raise TooLarge(
            f"A workbook has at most {WORKBOOK_BYTES_MAX} bytes.",
            hint_zh=f"工作簿最大{WORKBOOK_BYTES_MAX}字节。",
            size_bytes=file.size,
        )
    payload: bytes = file.read()
    return payload


def _workbook(payload: bytes, name: str) -> HttpResponse:
    response = HttpResponse(payload, content_type=XLSX)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


# Within -----------------------------------------------------------------------------------------------------------
def _current(draft: DraftView) -> DataContract | None:
    try:
        return catalog.get_contract(ResourceId(draft.resource_id))
    except ResourceNotFound:
        return None


def _title(draft: DraftView, contract: DataContract | None, raw: dict[str, Any] | None) -> str:
    """What the draft calls its resource, in the page's language where it can be read as a contract."""
    if contract is not None:
        return pick(contract.title_zh, contract.title_en)
    return str((raw or {}).get("name") or draft.title_zh or draft.resource_id)


def _mapping(text: str) -> dict[str, Any] | None:
    """The text as a mapping that the form can show; None when it is not YAML or not one."""
    document = read_yaml(text)
    return document.data if isinstance(document.data, dict) and not document.findings else None


def _may_write(actor: Actor) -> bool:
    return actor.agency_id is not None and service.may_edit(actor, actor.agency_id)


def _address(resource_id: str, data: QueryDict | None = None) -> str:
    """The editor's address, at the tab that was saved."""
    query: dict[str, str] = {}
    if data is not None and data.get("part") == "yaml":
        query["view"] = "yaml"
    elif data is not None and data.get("tab"):
        query["tab"] = data.get("tab", "")
    path = reverse("catalog:edit", args=[resource_id])
    return f"{path}?{urlencode(query)}" if query else path
