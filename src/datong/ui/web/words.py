"""Two languages, side by side. A text is written once, in both, where it is used; so it cannot lack one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from datong.kernel.failures import Failure


def is_chinese() -> bool:
    """Whether this request's language is Chinese, which is also the default."""
    return not (get_language() or "zh-hans").startswith("en")


def zh_en(zh: str, en: str, /, **values: Any) -> SafeString:
    """The text in the request's language, with `{name}` replaced by the escaped value.

    English may hold a singular and a plural form, `"{n} row|{n} rows"`; the value named `n` chooses.
    """
    text = zh if is_chinese() else _number_form(en, values.get("n"))
    return format_html(text, **values) if values else SafeString(text)


def _number_form(en: str, count: Any) -> str:
    if "|" not in en:
        return en
    one, _, many = en.partition("|")
    return one if str(count) == "1" else many


def pick(zh: str, en: str) -> str:
    """One of two stored titles; the other where one is empty."""
    return (zh or en) if is_chinese() else (en or zh)


def failure_lines(failure: Failure) -> tuple[str, str]:
    """A failure's title and hint in the request's language."""
    problem = failure.as_problem("zh" if is_chinese() else "en")
    return problem["title"], problem["hint"]


def local_moment(moment: datetime) -> datetime:
    """The moment in the platform's time zone, China Standard Time."""
    return timezone.localtime(moment)
