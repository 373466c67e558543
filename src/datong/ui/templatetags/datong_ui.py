"""`{% load datong_ui %}`: every component of the look, as tags and filters. `/design/` shows each in every state."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from unicodedata import east_asian_width

from django import template
from django.middleware.csrf import get_token
from django.templatetags.static import static
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString

from datong.kernel import clock
from datong.kernel.contracts import ANONYMOUS, ROLE_TITLES, Actor
from datong.ui import components
from datong.ui.web import words
from datong.ui.web.navigation import nav_sections, tab_lines
from datong.ui.web.theme import theme_of

register = template.Library()
PARTS = "ui/parts/"
MISSING = "—"
FULL_SCORE = 100


# Words ---------------------------------------------------------------------------------------------------------------


@register.simple_tag
def zh_en(zh: str, en: str, **values: Any) -> SafeString:
    """The text in the page's language: `{% zh_en "共{n}行" "{n} row|{n} rows" n=count %}`.

    Both texts are literals, which may hold markup; a variable in their place is escaped (`beside` is for stored pairs).
    """
    return words.zh_en(conditional_escape(zh), conditional_escape(en), **values)


@register.simple_tag
def lang_code() -> str:
    """The page's language for `<html lang>`."""
    return "zh-CN" if words.is_chinese() else "en-GB"


@register.simple_tag(takes_context=True)
def theme(context: template.Context) -> str:
    """light or dark, as this browser last chose; known before the first byte, so nothing flashes."""
    return theme_of(context.get("request"))


@register.filter
def of_language(pair: tuple[str, str]) -> str:
    """One of a (Chinese, English) pair."""
    return pair[0] if words.is_chinese() else pair[1]


@register.filter
def named(key: str, titles: Mapping[str, str]) -> str:
    """What people call it: `{{ column|named:titles }}`; the key itself where it has no title."""
    return titles.get(key) or key


@register.filter
def clipped(text: str, columns_max: int) -> str:
    """At most so many columns of text, a Chinese character counting two: for a drawing, where nothing wraps."""
    used = 0
    for place, character in enumerate(text):
        used += 2 if east_asian_width(character) in "WF" else 1
        if used > columns_max:
            return f"{text[:place].rstrip()}…"
    return text


@register.filter
def of_both(text: str) -> str:
    """The page's language of a note that was kept in both, as `中文 / English`; any other note as it is."""
    zh, slash, en = text.partition(" / ")
    return words.pick(zh, en) if slash else text


@register.filter
def beside(zh: str, en: str) -> str:
    """A stored name in the page's language: `{{ me.name|beside:me.name_en }}`; the Chinese one where it is alone."""
    return words.pick(zh, en)


@register.filter
def weekday(pair: tuple[str, str]) -> str:
    """星期二 / Tue, from a strip day's pair."""
    return f"星期{pair[0]}" if words.is_chinese() else pair[1]


@register.filter
def title_of(value: Any) -> str:
    """The title of anything that has `title_zh` and `title_en` (or `title`)."""
    return words.pick(getattr(value, "title_zh", ""), getattr(value, "title_en", "") or getattr(value, "title", ""))


@register.filter
def reason_of(value: Any) -> str:
    """The reason of anything that has `reason_zh` and `reason_en`."""
    return words.pick(value.reason_zh, value.reason_en)


@register.filter
def suggestion_of(value: Any) -> str:
    """The suggestion of anything that has `suggestion_zh` and `suggestion_en`."""
    return words.pick(value.suggestion_zh, value.suggestion_en)


@register.filter
def role_title(role: Any) -> str:
    return of_language(ROLE_TITLES[role])


@register.filter
def facet(facets: Mapping[str, Any], name: str) -> Any:
    """A value that a higher part wrote beside a resource, or None."""
    return facets.get(name)


# Figures and times ---------------------------------------------------------------------------------------------------


@register.filter
def number(value: float | None) -> str:
    """Thousands separated, a true minus; a dash where there is no value."""
    if value is None:
        return MISSING
    return f"{value:,}".replace("-", "−")


@register.filter
def plain(value: float) -> str:
    """A number for an SVG attribute: never localised."""
    return str(value) if isinstance(value, int) else f"{value:g}"


@register.filter
def blank(value: Any) -> Any:
    """None as nothing, for cells that a script reads."""
    return "" if value is None else value


@register.filter
def dash(value: Any) -> Any:
    return MISSING if value in (None, "") else value


@register.filter
def score(value: float | None) -> str:
    """A quality score without decimals; only a full 100 reads as 100."""
    if value is None:
        return MISSING
    return f"{math.floor(value * 10) / 10:.1f}" if FULL_SCORE - 1 < value < FULL_SCORE else f"{value:.0f}"


@register.filter
def change(after: float | None, before: float | None) -> str:
    """The difference with its sign, rounded: +2, −1, 平."""
    if after is None or before is None:
        return ""
    return change_of(after, round(after) - round(before))


@register.filter
def change_of(_score: float | None, difference: float | None) -> str:
    if difference is None:
        return ""
    if difference == 0:
        return words.zh_en("平", "same")
    return f"{difference:+.0f}".replace("-", "−")


@register.filter
def percent(part: float, whole: float) -> str:
    """A share with enough digits to be seen: 0.031%, 99.976%; nought and the whole without any."""
    if not whole:
        return f"0{_percent_sign()}"
    share = 100 * part / whole
    digits = 0 if part in (0, whole) else 1 if 1 <= share <= 99 else 3
    return f"{share:.{digits}f}{_percent_sign()}"


@register.filter
def size(value: int | None) -> SafeString | str:
    """Bytes as B, kB, MB or GB (powers of 1000), the unit small and grey."""
    if value is None:
        return MISSING
    amount, unit = float(value), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    text = f"{amount:.0f}" if unit == "B" or amount >= 100 else f"{amount:.1f}"
    return format_html('{}<span class="dt-u">{}</span>', text, unit)


@register.filter
def seconds(value: float | None) -> str:
    """A duration: 0.4秒 / 0.4 s; under a tenth of a second in milliseconds."""
    if value is None:
        return MISSING
    if value < 0.1:
        return words.zh_en("{n}毫秒", "{n} ms", n=f"{value * 1000:.0f}")
    return words.zh_en("{n}秒", "{n} s", n=f"{value:.1f}" if value < 100 else f"{value:,.0f}")


@register.filter
def day(value: date | datetime | str | None) -> str:
    """2026-11-24."""
    if value is None or value == "":
        return MISSING
    if isinstance(value, str):
        return value[:10]
    if isinstance(value, datetime):
        value = words.local_moment(value)
    return f"{value:%Y-%m-%d}"


@register.filter
def last_day(end: datetime | None) -> str:
    """The last civil day before an end that no longer belongs to the period."""
    return MISSING if end is None else day(end - timedelta(seconds=1))


@register.filter
def moment(value: datetime | str | None) -> str:
    """2026-11-24 14:05, in China Standard Time."""
    found = _as_moment(value)
    return MISSING if found is None else f"{found:%Y-%m-%d %H:%M}"


@register.filter
def unbroken(text: str) -> SafeString:
    """Text that no line break parts: a date in a heading."""
    return format_html('<span class="dt-nowrap">{}</span>', text)


@register.filter
def exact_moment(value: datetime | str | None) -> str:
    """2026-11-24 14:05:07.114."""
    found = _as_moment(value)
    return MISSING if found is None else f"{found:%Y-%m-%d %H:%M:%S}.{found.microsecond // 1000:03d}"


@register.filter
def short_moment(value: datetime | str | None) -> str:
    """14:05 today, 11-24 14:05 in this year, otherwise with the year. For work lists."""
    found = _as_moment(value)
    if found is None:
        return MISSING
    now = words.local_moment(clock.now())
    if found.date() == now.date():
        return f"{found:%H:%M}"
    return f"{found:%m-%d %H:%M}" if found.year == now.year else f"{found:%Y-%m-%d}"


@register.filter
def short_day(value: date | datetime | None) -> str:
    """11-24 in this year, otherwise 2025-11-24."""
    if value is None:
        return MISSING
    if isinstance(value, datetime):
        value = words.local_moment(value).date()
    return f"{value:%m-%d}" if value.year == words.local_moment(clock.now()).year else f"{value:%Y-%m-%d}"


@register.filter
def digest(value: str | None) -> str:
    """The ends of a long digest, without the name of its algorithm: 64ef…06b9."""
    if not value:
        return MISSING
    value = value.rpartition(":")[2]
    return value if len(value) <= 12 else f"{value[:4]}…{value[-4:]}"


# Components ----------------------------------------------------------------------------------------------------------


@register.simple_tag
def icon(name: str) -> SafeString:
    """An outline icon beside its word. Names are found in the templates by tools/build_assets.py."""
    return format_html(
        '<svg class="dt-i" aria-hidden="true"><use href="{}#{}"/></svg>', static("vendor/icons.svg"), name
    )


@register.inclusion_tag(PARTS + "seal.html")
def seal(size: str = "") -> dict[str, str]:
    return {"size": size}


@register.inclusion_tag(PARTS + "word.html")
def wordmark() -> dict[str, str]:
    return {}


@register.inclusion_tag(PARTS + "tally.html")
def tally(state: str, left: Any, right: Any, url: str = "") -> dict[str, Any]:
    """凭签: who it came from | what proves it. State: recorded, proven, pending or broken."""
    return {
        "state": state,
        "left": left,
        "right": right,
        "url": url,
        "mark": {"proven": "✓ ", "broken": "✕ "}.get(state, ""),
    }


@register.simple_tag
def sharing(kind: str) -> SafeString:
    """共享类型: a circle, filled, half or struck."""
    shapes = {
        "unconditional": '<circle cx="7" cy="7" r="5.7" fill="currentColor" stroke="currentColor" stroke-width="1.5"/>',
        "conditional": '<circle cx="7" cy="7" r="5.7" fill="none" stroke="currentColor" stroke-width="1.5"/>'
        '<path d="M7 1.3A5.7 5.7 0 0 0 7 12.7Z" fill="currentColor"/>',
        "withheld": '<circle cx="7" cy="7" r="5.7" fill="none" stroke="currentColor" stroke-width="1.5"/>'
        '<path d="M3 11 11 3" stroke="currentColor" stroke-width="1.5"/>',
    }
    return _badge(kind, shapes, components.SHARING)


@register.simple_tag
def opening(kind: str) -> SafeString:
    """开放类型: a square, filled, half or struck."""
    square = '<rect x="1.5" y="1.5" width="11" height="11" rx="1" fill="{}" stroke="currentColor" stroke-width="1.5"/>'
    shapes = {
        "unconditional": square.format("currentColor"),
        "conditional": square.format("none") + '<path d="M1.5 1.5H7V12.5H1.5Z" fill="currentColor"/>',
        "withheld": square.format("none") + '<path d="M2 12 12 2" stroke="currentColor" stroke-width="1.5"/>',
    }
    return _badge(kind, shapes, components.OPENING)


@register.simple_tag
def grade(level: int | None) -> SafeString:
    """GB/T 43697 grade 1–6 as a ladder of six steps with its name."""
    if not level:
        return format_html('<span class="dt-tiny">{}</span>', words.zh_en("未分级", "Not graded"))
    steps = format_html_join("", "<u{}></u>", ((SafeString(' class="on"') if k < level else "",) for k in range(6)))
    title = of_language(components.GRADES[level - 1])
    return format_html('<span class="dt-grade" data-g="{}"><i aria-hidden="true">{}</i>{}</span>', level, steps, title)


@register.simple_tag
def lamp(level: int) -> SafeString:
    """五色灯: the seat is the state, cold to hot."""
    names = (("过冷", "Cold"), ("偏冷", "Cool"), ("正常", "Normal"), ("偏热", "Warm"), ("过热", "Hot"))
    seats = format_html_join("", "<u{}></u>", ((SafeString(' class="on"') if k == level else "",) for k in range(1, 6)))
    return format_html(
        '<span class="dt-lamp" data-l="{}"><i aria-hidden="true">{}</i><b>{}</b></span>',
        level,
        seats,
        of_language(names[level - 1]),
    )


@register.inclusion_tag(PARTS + "quality.html")
def quality(score: float | None, dimensions: Mapping[str, float | None] | None = None) -> dict[str, Any]:
    """The total score with six bars in GB/T 36344's order."""
    found = dimensions or {}
    values = [found.get(key, found.get(zh)) for key, zh, _ in components.DIMENSIONS]
    named = [
        f"{of_language((zh, en))} {value:.0f}"
        for (_, zh, en), value in zip(components.DIMENSIONS, values, strict=True)
        if value is not None
    ]
    title = " · ".join(named) or str(words.zh_en("质量评分", "Quality score"))
    return {"score": score, "bars": components.quality_bars(values), "title": title}


@register.simple_tag
def bar(value: float, of: float = 100, level: str = "") -> SafeString:
    """A measured length under a figure that says the same. `level`: empty, warn, bad, or `auto` for a score."""
    share = 0.0 if not of else min(1.0, max(0.0, value / of))
    level = components.bar_level(value) if level == "auto" else level
    return format_html(
        '<svg class="dt-bar {}" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        '<rect width="{}" height="6"/></svg>',
        level,
        f"{share * 100:g}",
    )


@register.inclusion_tag(PARTS + "deadline.html")
def deadline(due: Any) -> dict[str, Any]:
    """A date with a duty: what is left of the allowance, in working days. Takes the cases' Deadline."""
    share = components.used_share(used_days=due.used_days, allowance_days=due.allowance_days)
    state = components.due_state(left_days=due.left_days, stopped=due.stopped)
    return {
        "due": due,
        "state": state,
        "width": round(44 * (1.0 if state == "late" else share), 1),
        "late_days": -due.left_days,
    }


@register.inclusion_tag(PARTS + "day_strip.html")
def day_strip(days: Sequence[components.StripDay], late_count: int, url: str, later_count: int = 0) -> dict[str, Any]:
    """The coming days with what is due on each; before and after them what is late and what is due later."""
    return {"days": days, "late_count": late_count, "later_count": later_count, "url": url}


@register.simple_tag
def tag(kind: str, text: Any) -> SafeString:
    """The state of a thing: ok, warn, bad, ac (accent) or an empty string."""
    return format_html('<span class="dt-tag {}">{}</span>', kind, text)


@register.simple_tag
def mask(text: Any = "") -> SafeString:
    """A value that exists and is withheld. For a value that does not exist write the word instead."""
    return format_html('<span class="dt-mask">{}</span>', text or words.zh_en("不可见", "hidden"))


@register.simple_tag
def stat(value: Any, unit: str, label: Any) -> SafeString:
    """One large figure."""
    unit_html = format_html('<span class="dt-u">{}</span>', unit) if unit else ""
    shown = number(value) if isinstance(value, int) else value
    return format_html('<div class="dt-stat"><b>{}{}</b><span>{}</span></div>', shown, unit_html, label)


@register.inclusion_tag(PARTS + "steps.html")
def steps(steps: Sequence[Any]) -> dict[str, Any]:
    """A process in time. Each step has state (done, now, bad or empty), title, note."""
    return {"steps": steps}


@register.inclusion_tag(PARTS + "equation.html")
def equation(read: int, accepted: int, held: int, note: str = "") -> dict[str, Any]:
    """接收 ＝ 入湖 ＋ 隔离."""
    bar = components.sum_bar(accepted=accepted, held=held)
    return {"read": read, "accepted": accepted, "held": held, "bar": bar, "share": percent(held, read), "note": note}


@register.simple_tag
def pips(done: int, of: int = 4, failed: bool = False) -> SafeString:  # noqa: FBT001, FBT002
    """How far a request is, beside words that say it."""
    names = ["on" if k < done else "" for k in range(of)]
    if failed and done:
        names[done - 1] = "bad"
    return format_html(
        '<div class="dt-pips" aria-hidden="true">{}</div>',
        format_html_join("", '<i class="{}"></i>', ((n,) for n in names)),
    )


@register.inclusion_tag(PARTS + "empty.html")
def nothing(title: Any, hint: Any = "", url: str = "", label: Any = "") -> dict[str, Any]:
    """Nothing here: the fact, and the way on."""
    return {"title": title, "hint": hint, "url": url, "label": label}


@register.inclusion_tag(PARTS + "pager.html", takes_context=True)
def pager(context: template.Context, page: Any) -> dict[str, Any]:
    """The foot of a keyset-paged list (kernel.paging.Page)."""
    next_url = ""
    if page.next_cursor:
        query = context["request"].GET.copy()
        query["cursor"] = page.next_cursor
        next_url = "?" + query.urlencode()
    return {"next_url": next_url, "count": page.count, "is_estimate": page.count_is_estimate}


@register.inclusion_tag(PARTS + "chart.html")
def chart(chart: Any) -> dict[str, Any]:
    """A figure that holds its table; the script draws from the table. Takes `ui.web.charts.Chart`."""
    return {"chart": chart}


@register.simple_tag
def spark(values: Sequence[float]) -> SafeString:
    """The last periods beside a figure."""
    path = components.spark_path(values)
    return (
        format_html('<svg class="dt-spark" width="96" height="24" aria-hidden="true"><path d="{}"/></svg>', path)
        if path
        else SafeString("")
    )


# Shell ---------------------------------------------------------------------------------------------------------------


@register.inclusion_tag(PARTS + "side_bar.html", takes_context=True)
def side_bar(context: template.Context) -> dict[str, Any]:
    request = context["request"]
    return {"sections": nav_sections(_actor(context), request.path)}


@register.inclusion_tag(PARTS + "tabs.html", takes_context=True)
def tab_bar(context: template.Context) -> dict[str, Any]:
    """The phone's tabs: the first three entries this actor has, and their own page."""
    return {"lines": tab_lines(_actor(context), context["request"].path)}


@register.inclusion_tag(PARTS + "preferences.html", takes_context=True)
def preferences(context: template.Context) -> dict[str, Any]:
    """The theme and language switches."""
    request = context["request"]
    return {
        "here": request.get_full_path(),
        "other_theme": "light" if theme_of(request) == "dark" else "dark",
        "is_chinese": words.is_chinese(),
        "csrf_token": get_token(request),
    }


@register.simple_tag(takes_context=True)
def actor(context: template.Context) -> Actor:
    """Who is looking at the page."""
    return _actor(context)


def _actor(context: template.Context) -> Actor:
    return getattr(context.get("request"), "actor", ANONYMOUS)


def _badge(kind: str, shapes: Mapping[str, str], titles: Mapping[str, tuple[str, str]]) -> SafeString:
    return format_html(
        '<span class="dt-b{}"><svg viewBox="0 0 14 14" aria-hidden="true">{}</svg>{}</span>',
        " no" if kind == "withheld" else "",
        SafeString(shapes[kind]),
        of_language(titles[kind]),
    )


def _as_moment(value: datetime | str | None) -> datetime | None:
    if value is None or value == "":
        return None
    return words.local_moment(datetime.fromisoformat(value) if isinstance(value, str) else value)


def _percent_sign() -> str:
    return "%" if words.is_chinese() else " %"
