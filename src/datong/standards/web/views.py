"""Pages of standards: open to everybody, in the workspace for members; importing is the bureau's. Services only."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import quote

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from datong.kernel.contracts import Role
from datong.kernel.failures import BadInput, Failure, NotFound
from datong.kernel.limits import STANDARD_FILE_BYTES_MAX, STANDARD_SHOWN_ROWS_MAX
from datong.kernel.web.requests import accepts_upload, actor_of, require_member
from datong.standards import browse, service
from datong.standards.code_lists import find_editions
from datong.standards.contracts import CodeListUnknown, Edition, EditionKind
from datong.standards.divisions import NATION_CODE, national_divisions
from datong.standards.elements import find_elements, find_placed, get_element
from datong.standards.importing import Heading
from datong.standards.representation import read_representation
from datong.standards.web.present import (
    CHANGE_TITLES,
    IDENTIFIER_TITLES,
    element_lines,
    kind_title,
    read_day,
    shell_of,
)
from datong.ui.web.pages import render_page
from datong.ui.web.words import zh_en

HITS_MAX = 30
GONE_MAX = 60


def _render(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return render(request, f"standards/{template}.html", {"shell": shell_of(request), **context})


@require_safe
def show_home(request: HttpRequest) -> HttpResponse:
    """What there is; with words in `q`, the elements, codes and divisions that have them."""
    query = request.GET.get("q", "").strip()
    day = read_day(request)
    context: dict[str, Any] = {
        "query": query,
        "may_import": service.may_import(actor_of(request)),
        "shelves": [(shelf, kind_title(shelf.latest)) for shelf in browse.find_shelves()],
        "elements_count": len(find_elements(limit=STANDARD_SHOWN_ROWS_MAX)),
        "divisions": national_divisions(),
    }
    if query:
        context |= {
            "quoted_query": quote(query),
            "elements": element_lines(find_elements(query, limit=HITS_MAX)),
            "hits": browse.find_codes(query, day, limit=HITS_MAX),
        }
    return _render(request, "home", context)


@require_safe
def list_elements(request: HttpRequest) -> HttpResponse:
    """All data elements, or those of one set, or those that have the words."""
    query, chosen = request.GET.get("q", "").strip(), request.GET.get("set", "")
    sets = browse.find_shelves(EditionKind.ELEMENTS)
    found = find_elements(query, limit=STANDARD_SHOWN_ROWS_MAX)
    if chosen:
        own = {element.id for shelf in sets if shelf.name == chosen for element in shelf.latest.elements}
        found = [element for element in found if element.id in own]
    return _render(
        request, "elements", {"query": query, "chosen": chosen, "sets": sets, "elements": element_lines(found)}
    )


@require_safe
def show_element(request: HttpRequest, element_id: str) -> HttpResponse:
    """One element: what it means, which form its values take, and what each edition says of it."""
    element = get_element(element_id)
    code_list = service.find_edition(element.code_list.partition("@")[0]) if element.code_list else None
    context = {
        "element": element,
        "form": read_representation(element.form),
        "type": element_lines([element])[0]["form"],
        "identifier": IDENTIFIER_TITLES.get(element.identifier),
        "code_list": code_list,
        "codes": code_list.codes[:12] if code_list else (),
        "placed": find_placed(element_id),
    }
    return _render(request, "element", context)


@require_safe
def show_list(request: HttpRequest, list_name: str) -> HttpResponse:
    """The codes of an edition on a day, level by level, or those that have the words."""
    edition = _edition(list_name, request.GET.get("edition", ""))
    if edition.kind is EditionKind.ELEMENTS:
        return redirect(f"/standards/elements/?set={list_name}")
    under, query = request.GET.get("under", ""), request.GET.get("q", "").strip()
    day = read_day(request)
    lines = browse.list_codes(edition, day, under=under, text=query)
    editions = find_editions(list_name)
    context = {
        "edition": edition,
        "editions": editions,
        "others": [each for each in editions if each.edition != edition.edition],
        "day": day,
        "query": query,
        "under": under,
        "path": browse.path_of(edition, under) if under else [],
        "lines": lines[:STANDARD_SHOWN_ROWS_MAX],
        "lines_count": len(lines),
        "has_english": any(line.code.title_en for line in lines),
        "imported": service.find_imports().get(edition.label),
    }
    return _render(request, "list", context)


@require_safe
def show_code(request: HttpRequest, list_name: str, list_code: str) -> HttpResponse:
    """One code through the editions of its list."""
    lines = browse.code_through_editions(list_name, list_code)
    if not any(line.code for line in lines):
        raise NotFound("The list has no such code.", hint_zh="该代码集没有这个代码。", list=list_name, code=list_code)
    edition = lines[-1].edition
    present = next((line for line in reversed(lines) if line.code is not None), lines[-1])
    context = {
        "edition": edition,
        "code": list_code,
        "entry": present.code,
        "is_present": lines[-1].code is not None,
        "path": browse.path_of(present.edition, list_code),
        "below": browse.list_codes(present.edition, None, under=list_code),
        "lines": [(line, CHANGE_TITLES[line.change]) for line in lines],
        "steps": [step for step in edition.succession if list_code in (step.code, step.to_code)],
    }
    return _render(request, "code", context)


@require_safe
def compare_list(request: HttpRequest, list_name: str) -> HttpResponse:
    """What differs between two editions: `from` and `to`; without them, the last two."""
    editions = find_editions(list_name)
    if len(editions) < 2:
        raise NotFound("There is only one edition of it.", hint_zh="该代码集只有一个版本，无可比较。", list=list_name)
    old = request.GET.get("from") or editions[-2].edition
    new = request.GET.get("to") or editions[-1].edition
    leaves_only = request.GET.get("leaves") == "1"
    changes = service.compare(list_name, old, new, leaves_only=leaves_only)
    if changes is None:
        raise CodeListUnknown("Take two of its editions.", hint_zh="请选择两个已有的版本。", list=list_name)
    kind = request.GET.get("kind", "")
    shown = [change for change in changes if kind in ("", change.kind)]
    context = {
        "edition": editions[-1],
        "editions": editions,
        "old": old,
        "new": new,
        "leaves_only": leaves_only,
        "kind": kind,
        "counts": [
            (each, CHANGE_TITLES[each], sum(change.kind == each for change in changes))
            for each in ("retitled", "moved", "added", "dropped")
        ],
        "changes": [(change, CHANGE_TITLES[change.kind]) for change in shown[:STANDARD_SHOWN_ROWS_MAX]],
        "changes_count": len(shown),
    }
    return _render(request, "compare", context)


@require_safe
def list_divisions(request: HttpRequest) -> HttpResponse:
    """The tree on a day, one level at a time, and what once stood there with its successors."""
    table, day = national_divisions(), read_day(request)
    under = request.GET.get("under", NATION_CODE)
    query = request.GET.get("q", "").strip()
    view = browse.view_division(under, day)
    if query:
        found = [
            entry
            for entry in table.entries()
            if entry.is_valid_on(day) and (query == entry.code or query in entry.name) and not entry.is_placeholder
        ]
        shown = found[:STANDARD_SHOWN_ROWS_MAX]
    else:
        shown = table.children(under, day)
    context = {
        "table": table,
        "day": day,
        "is_covered": table.covers(day),
        "query": query,
        "view": view,
        "lines": [(entry, len(table.children(entry.code, day))) for entry in shown],
        "gone": [] if query else browse.gone_divisions(under, day, limit=GONE_MAX),
        "marks": _marks(table.first, table.last),
    }
    return _render(request, "divisions", context)


@require_safe
def show_division(request: HttpRequest, division_code: str) -> HttpResponse:
    """One division: its names in time, what it came from, what stands in its place today."""
    day = read_day(request)
    view = browse.view_division(division_code, day)
    if not view.history:
        raise NotFound("There is no such division code.", hint_zh="没有这个行政区划代码。", code=division_code)
    return _render(request, "division", {"view": view, "day": day, "name": view.history[-1].name})


@accepts_upload
@require_http_methods(["GET", "HEAD", "POST"])
def import_standard(request: HttpRequest) -> HttpResponse:
    """The bureau's form: files of one edition, and what they do not say of themselves."""
    actor = require_member(request, Role.BUREAU)
    failure: Failure | None = None
    given = {name: request.POST.get(name, "").strip() for name in Heading.__dataclass_fields__}
    if request.method == "POST":
        try:
            sent = request.FILES.getlist("files")
            if not sent:
                raise BadInput("Choose a file.", hint_zh="请选择文件。", field="files")
            if any((each.size or 0) > STANDARD_FILE_BYTES_MAX for each in sent):
                raise BadInput("A file is too large.", hint_zh="文件过大。", limit_bytes=STANDARD_FILE_BYTES_MAX)
            done = service.import_files(actor, [(each.name or "file", each.read()) for each in sent], Heading(**given))
        except Failure as refused:
            failure = refused
        else:
            text = (
                zh_en("已导入{l}，共{n}条。", "Imported {l}, {n} entries.", l=done.label, n=done.entries_count)
                if done.changed
                else zh_en("{l}此前已导入，内容相同。", "{l} is there already, the same.", l=done.label)
            )
            messages.success(request, text)
            for warning in done.warnings[:HITS_MAX]:
                messages.warning(request, f"{warning.file}:{warning.line} {warning.message_zh}")
            return redirect("standards:list", list_name=done.label.partition("@")[0])
    context = {"shell": shell_of(request), "given": given, "limit_bytes": STANDARD_FILE_BYTES_MAX}
    return render_page(request, "standards/import.html", context, failure)


def _edition(name: str, label: str) -> Edition:
    edition = service.find_edition(name, label)
    if edition is None:
        raise CodeListUnknown(
            "Take a list and an edition from /standards/.", hint_zh="请从“数据标准”页选择代码集与版本。", name=name
        )
    return edition


def _marks(first: dt.date | None, last: dt.date | None) -> list[dt.date]:
    """Some days to jump to: every tenth year of the table, and its last day."""
    if first is None or last is None:
        return []
    return [*(dt.date(year, 12, 31) for year in range(first.year, last.year, 10)), last]
