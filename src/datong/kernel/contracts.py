"""The kernel's values that cross walls: who acts, what an action is, how it reads in the audit log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from datong.kernel.ids import AgencyId, MemberId
from datong.kernel.plugs import Slot


class Role(StrEnum):
    """The six roles; which may meet in one person is `kernel.identity.model.COMPATIBLE_ROLES`."""

    STEWARD = "steward"  # 数据管理员: describes and collects an agency's data, asks for others' data
    APPROVER = "approver"  # 审批人: decides requests for the agency's data, revokes grants
    BUREAU = "bureau"  # 主管部门: sees all agencies, arbitrates, reviews catalogues
    AUDITOR = "auditor"  # 审计员: reads the audit log, changes nothing
    SECURITY = "security"  # 安全员: assigns roles, issues and revokes system keys
    OPERATOR = "operator"  # 运维员: keeps the machines and accounts, sees no data


ROLE_TITLES: Mapping[Role, tuple[str, str]] = {
    Role.STEWARD: ("数据管理员", "Steward"),
    Role.APPROVER: ("审批人", "Approver"),
    Role.BUREAU: ("主管部门", "Bureau"),
    Role.AUDITOR: ("审计员", "Auditor"),
    Role.SECURITY: ("安全员", "Security officer"),
    Role.OPERATOR: ("运维员", "Operator"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts. `kind` is member, system (a machine client), platform (a job of our own) or anonymous."""

    kind: str
    id: str
    name: str
    name_en: str = ""
    agency_id: AgencyId | None = None
    agency_name: str = ""
    agency_name_en: str = ""
    roles: frozenset[Role] = frozenset()
    agency_ids: frozenset[str] = frozenset()
    """Agencies in which this actor's roles hold: their own and, for a bureau, all (`EVERY_AGENCY`)."""

    @property
    def is_member(self) -> bool:
        return self.kind == "member"


EVERY_AGENCY = "*"
ANONYMOUS = Actor(kind="anonymous", id="anonymous", name="anonymous")


def platform_actor(name: str) -> Actor:
    """A job of the platform's own; only verbs declared with `platform=True` are open to it."""
    return Actor(kind="platform", id=f"platform:{name}", name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an action is about. `agency_id` is the agency whose permission counts."""

    kind: str
    id: str
    agency_id: AgencyId | None = None
    name: str = ""


class Scope(StrEnum):
    """Where a role must be held for an action."""

    OWN_AGENCY = "own-agency"  # the actor's agency is the subject's agency
    ANY_AGENCY = "any-agency"  # holding the role anywhere is enough


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionKind:
    """A verb that may happen: who may do it, and how it reads in the audit log.

    `sentence_zh` / `sentence_en` are `str.format` patterns over the row's facts plus {actor}, {agency}, {subject}.
    A fact `to_agency_en` takes the place of `to_agency` in English, `reason_zh` that of `reason` in Chinese; `title_en`
    is the English name of the subject too.
    Unknown verbs are refused: deny by default. `check` may refuse further by raising a Failure.
    """

    verb: str
    sentence_zh: str
    sentence_en: str
    roles: frozenset[Role] = frozenset()
    scope: Scope = Scope.OWN_AGENCY
    platform: bool = False
    check: Callable[[Actor, Subject | None], None] | None = None


ACTION_KINDS: Slot[ActionKind] = Slot("kernel.action-kinds")


def declare_action(kind: ActionKind) -> ActionKind:
    return ACTION_KINDS.fill(kind.verb, kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class NavItem:
    """A line of the workspace's side bar. `section` is data | sharing | opening | oversight | platform."""

    key: str
    section: str
    order: int
    title_zh: str
    title_en: str
    icon: str
    url_name: str
    roles: frozenset[Role] = frozenset()
    """Shown to these roles; empty means every member."""
    count: Callable[[Actor], int | None] | None = None


NAV_ITEMS: Slot[NavItem] = Slot("kernel.nav-items")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One row of the control plane's audit, as read back."""

    id: str
    at: str
    verb: str
    actor_kind: str
    actor_id: str
    actor_name: str
    agency_id: str
    subject_kind: str
    subject_id: str
    subject_name: str = ""
    agency_name: str = ""
    actor_name_en: str = ""
    subject_name_en: str = ""
    agency_name_en: str = ""
    operation_id: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    seal_seq: int | None = None
    log_index: int | None = None


__all__ = [
    "ACTION_KINDS",
    "ANONYMOUS",
    "EVERY_AGENCY",
    "NAV_ITEMS",
    "ROLE_TITLES",
    "ActionKind",
    "Actor",
    "AgencyId",
    "AuditRow",
    "MemberId",
    "NavItem",
    "Role",
    "Scope",
    "Subject",
    "declare_action",
    "platform_actor",
]
