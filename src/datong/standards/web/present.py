"""Words and lines for the pages of standards."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from datong.kernel import clock
from datong.kernel.failures import BadInput
from datong.kernel.web.requests import actor_of
from datong.standards.contracts import KIND_TITLES, Edition, Element

TYPE_TITLES: Mapping[str, tuple[str, str]] = {
    "string": ("字符", "Text"),
    "integer": ("整数", "Integer"),
    "number": ("数值", "Number"),
    "date": ("日期", "Date"),
    "timestamp": ("日期时间", "Date and time"),
    "boolean": ("是否", "Yes or no"),
}
IDENTIFIER_TITLES: Mapping[str, tuple[str, str]] = {
    "uscc": ("统一社会信用代码（GB 32100）", "Unified social credit code (GB 32100)"),
    "resident_id": ("公民身份号码（GB 11643）", "Resident identity number (GB 11643)"),
    "org_code": ("组织机构代码（GB 11714）", "Organisation code (GB 11714)"),
    "division_code": ("行政区划代码（GB/T 2260）", "Division code (GB/T 2260)"),
}
CHANGE_TITLES: Mapping[str, tuple[str, str]] = {
    "added": ("新增", "added"),
    "dropped": ("取消", "dropped"),
    "moved": ("改码", "moved"),
    "retitled": ("改名", "retitled"),
    "same": ("不变", "the same"),
    "": ("", ""),
}


def shell_of(request: HttpRequest) -> str:
    """Members read standards in their workspace, everybody else on a public page."""
    return "ui/work.html" if actor_of(request).is_member else "ui/base.html"


def read_day(request: HttpRequest, name: str = "on") -> dt.date:
    """The day in the address, today where there is none. BadInput when it is no date."""
    text = request.GET.get(name, "").strip()
    if not text:
        return clock.today()
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise BadInput(
            "Write the day as YYYY-MM-DD.", hint_zh="日期的写法是 YYYY-MM-DD。", field=name, value=text[:20]
        ) from None


def kind_title(edition: Edition) -> tuple[str, str]:
    return KIND_TITLES[edition.kind]


def form_words(element: Element) -> tuple[str, str]:
    """Type and form of an element: 字符 an18."""
    zh, en = TYPE_TITLES.get(element.type, (element.type, element.type))
    return f"{zh} {element.form}".strip(), f"{en} {element.form}".strip()


def element_lines(elements: Any) -> list[dict[str, Any]]:
    return [{"element": element, "form": form_words(element)} for element in elements]
