"""What standards plug into the kernel: the verb of importing, its line in the side bar, the snapshot after it."""

from __future__ import annotations

from datong.kernel.contracts import NAV_ITEMS, ActionKind, NavItem, Role, Scope, declare_action
from datong.kernel.plugs import handlers
from datong.standards import jobs

STANDARD_IMPORTED = ActionKind(
    verb="standard.imported",
    sentence_zh="{actor} 导入了“{subject}”{edition} 版，共 {entries} 条",
    sentence_en="{actor} imported edition {edition} of “{subject}”, {entries} entries",
    roles=frozenset({Role.BUREAU}),
    scope=Scope.ANY_AGENCY,
)

NAVIGATION = NavItem(
    key="standards.browse",
    section="data",
    order=15,
    title_zh="数据标准",
    title_en="Standards",
    icon="book",
    url_name="standards:home",
)


def plug() -> None:
    declare_action(STANDARD_IMPORTED)
    NAV_ITEMS.fill(NAVIGATION.key, NAVIGATION)
    handlers.on("standard.imported", "standards.write-snapshot", jobs.on_standard_imported)
