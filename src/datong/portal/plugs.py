"""What the portal plugs into the kernel: the first entry of the side bar, and the audit list."""

from __future__ import annotations

from datong.kernel.contracts import NAV_ITEMS, NavItem, Role

AUDIT_READERS = frozenset({Role.AUDITOR, Role.SECURITY, Role.BUREAU, Role.STEWARD, Role.APPROVER})


def plug() -> None:
    from datong.portal.service import count_waiting

    NAV_ITEMS.fill(
        "work",
        NavItem(
            key="work",
            section="work",
            order=10,
            title_zh="待我处理",
            title_en="My work",
            icon="inbox",
            url_name="portal:home",
            count=count_waiting,
        ),
    )
    NAV_ITEMS.fill(
        "audit",
        NavItem(
            key="audit",
            section="oversight",
            order=90,
            title_zh="审计查询",
            title_en="Audit",
            icon="shield-check",
            url_name="portal:audit",
            roles=AUDIT_READERS,
        ),
    )
