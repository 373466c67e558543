"""The same as JSON, readable by anybody: `/api/v1/standards/…`."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from datong.kernel.failures import NotFound
from datong.standards import service
from datong.standards.code_lists import find_code_lists, get_code_list
from datong.standards.contracts import CodeListUnknown, EditionKind
from datong.standards.elements import find_placed, get_element
from datong.standards.facts import division_facts, head_of
from datong.standards.snapshot import load_shelf
from datong.standards.web.present import read_day


@require_safe
def list_editions(_request: HttpRequest) -> HttpResponse:
    """Every edition without its entries."""
    return _answer({"items": [head_of(edition) for edition in load_shelf().editions]})


@require_safe
def show_list(request: HttpRequest, list_name: str) -> HttpResponse:
    """A list: `edition` pins one, `on` takes the codes that hold on a day; without either every entry of the latest."""
    label = request.GET.get("edition", "")
    edition = service.find_edition(list_name, label)
    if edition is None:
        raise CodeListUnknown(
            "Take a name and an edition from /api/v1/standards/.",
            hint_zh="请从 /api/v1/standards/ 取名称与版本。",
            name=list_name,
            edition=label,
            known=[each.name for each in find_code_lists()],
        )
    if edition.kind is EditionKind.ELEMENTS:
        return _answer({**head_of(edition), "items": [asdict(element) for element in edition.elements]})
    day = read_day(request) if request.GET.get("on") else None
    codes: Any = edition.codes
    if day is not None and not label:
        codes = get_code_list(list_name).codes
    return _answer(
        {
            **head_of(edition),
            "on": day,
            "items": [asdict(code) for code in codes if day is None or code.is_valid_on(day)],
            "succession": [asdict(step) for step in edition.succession],
        }
    )


@require_safe
def show_element(_request: HttpRequest, element_id: str) -> HttpResponse:
    """A data element, and the editions that it stands in."""
    element = get_element(element_id)
    return _answer({**asdict(element), "editions": [placed.edition.label for placed in find_placed(element_id)]})


@require_safe
def show_division(request: HttpRequest, division_code: str) -> HttpResponse:
    """A division's names in time and what became of it; `on` is the day that is asked for."""
    facts = division_facts(division_code, read_day(request))
    if not facts["history"]:
        raise NotFound("No such division code.", hint_zh="没有这个行政区划代码。", code=division_code)
    return _answer(facts)


def _answer(value: Any) -> HttpResponse:
    return HttpResponse(orjson.dumps(value, default=_text), content_type="application/json")


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, dt.date) else str(value)
