"""The side bar: the kernel's NAV_ITEMS slot, seen by one actor."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from datong.kernel.contracts import NAV_ITEMS, Actor, NavItem
from datong.ui.web.words import pick, zh_en

SECTIONS: tuple[tuple[str, str, str], ...] = (
    ("work", "", ""),
    ("data", "数据", "Data"),
    ("sharing", "共享", "Sharing"),
    ("opening", "开放", "Opening"),
    ("oversight", "监督", "Oversight"),
    ("platform", "平台", "Platform"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NavLine:
    title: str
    icon: str
    url: str
    is_here: bool
    count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NavSection:
    title: str
    lines: tuple[NavLine, ...]


def nav_sections(actor: Actor, path: str) -> list[NavSection]:
    """The entries this actor may use, by section; the entry whose address starts the page's is marked."""
    items = [item for item in NAV_ITEMS.values() if _is_shown(item, actor)]
    here = _entry_of(items, path)
    sections = []
    for key, zh, en in SECTIONS:
        found = sorted((item for item in items if item.section == key), key=lambda item: (item.order, item.key))
        if found:
            lines = tuple(_line(item, actor, is_here=item.key == here) for item in found)
            sections.append(NavSection(title=str(zh_en(zh, en)), lines=lines))
    return sections


TABS_MAX = 3


def tab_lines(actor: Actor, path: str) -> list[NavLine]:
    """The phone's tab bar: one entry of each of the first sections, then the reader's own page."""
    firsts = [section.lines[0] for section in nav_sections(actor, path)][:TABS_MAX]
    mine = reverse("ui:me")
    return [*firsts, NavLine(title=str(zh_en("我的", "Me")), icon="user", url=mine, is_here=path == mine, count=None)]


def _is_shown(item: NavItem, actor: Actor) -> bool:
    return actor.is_member and (not item.roles or bool(item.roles & actor.roles))


def _entry_of(items: list[NavItem], path: str) -> str | None:
    """The key of the entry with the longest address that begins the page's address."""
    addresses = {item.key: reverse(item.url_name) for item in items}
    fitting = [key for key, url in addresses.items() if path == url or (url != "/" and path.startswith(url))]
    return max(fitting, key=lambda key: len(addresses[key]), default=None)


def _line(item: NavItem, actor: Actor, *, is_here: bool) -> NavLine:
    return NavLine(
        title=pick(item.title_zh, item.title_en),
        icon=item.icon,
        url=reverse(item.url_name),
        is_here=is_here,
        count=item.count(actor) if item.count else None,
    )
