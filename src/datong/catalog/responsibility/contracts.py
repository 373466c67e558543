"""The values of responsibility, its verbs and its failures."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from datong.kernel.contracts import ActionKind, Role, Scope
from datong.kernel.failures import BadInput, Conflict

CLAIM_KIND, SOURCE_KIND = "authority-claim", "field-source"

AUTHORITY_TAKEN = ActionKind(
    verb="authority.taken",
    sentence_zh="{agency}{actor}登记“{subject}”为数据元 {element} 的权威来源",
    sentence_en="{actor} of {agency} registered “{subject}” as the authority for element {element}",
    roles=frozenset({Role.STEWARD}),
)
AUTHORITY_CLAIMED = ActionKind(
    verb="authority.claimed",
    sentence_zh="{agency}{actor}主张“{subject}”应为数据元 {element} 的权威来源：{reason}",
    sentence_en="{actor} of {agency} claimed element {element} for “{subject}”: {reason}",
    roles=frozenset({Role.STEWARD}),
)
AUTHORITY_MOVED = ActionKind(
    verb="authority.moved",
    sentence_zh="{actor} 裁定数据元 {element} 的权威来源改为“{title}”",
    sentence_en="{actor} decided that element {element} is to be taken from “{title_en}”",
    roles=frozenset({Role.BUREAU}),
    scope=Scope.ANY_AGENCY,
)
AUTHORITY_KEPT = ActionKind(
    verb="authority.kept",
    sentence_zh="{actor} 裁定数据元 {element} 的权威来源不变：{reason}",
    sentence_en="{actor} decided that the authority for element {element} stays: {reason}",
    roles=frozenset({Role.BUREAU}),
    scope=Scope.ANY_AGENCY,
)
AUTHORITY_RELEASED = ActionKind(
    verb="authority.released",
    sentence_zh="{agency}{actor}不再以“{subject}”为数据元 {element} 的权威来源",
    sentence_en="{actor} of {agency} gave up the authority of “{subject}” for element {element}",
    roles=frozenset({Role.STEWARD}),
)
FIELD_DISOWNED = ActionKind(
    verb="field.disowned",
    sentence_zh="{agency}{actor}称“{subject}”的“{column_title}”不由本部门产生，应为{to_agency}：{reason}",
    sentence_en="{actor} of {agency} said that {column} of “{subject}” is {to_agency_en}'s: {reason}",
    roles=frozenset({Role.STEWARD}),
)
FIELD_ACCEPTED = ActionKind(
    verb="field.accepted",
    sentence_zh="{agency}{actor}确认“{title}”的“{column_title}”由{to_agency}产生",
    sentence_en="{actor} of {agency} accepted {column} of “{title_en}” as {to_agency_en}'s",
    roles=frozenset({Role.STEWARD, Role.APPROVER, Role.BUREAU}),
)
FIELD_RETURNED = ActionKind(
    verb="field.returned",
    sentence_zh="{agency}{actor}不认领“{title}”的“{column_title}”：{reason}",
    sentence_en="{actor} of {agency} did not accept {column} of “{title_en}”: {reason}",
    roles=frozenset({Role.STEWARD, Role.APPROVER, Role.BUREAU}),
)
ACTIONS = (
    AUTHORITY_TAKEN,
    AUTHORITY_CLAIMED,
    AUTHORITY_MOVED,
    AUTHORITY_KEPT,
    AUTHORITY_RELEASED,
    FIELD_DISOWNED,
    FIELD_ACCEPTED,
    FIELD_RETURNED,
)


class AuthorityState(StrEnum):
    """HELD: one column answers. OPEN: nobody does. LOST: the column that did is gone. DISPUTED: a case is open."""

    HELD = "held"
    OPEN = "open"
    LOST = "lost"
    DISPUTED = "disputed"


AUTHORITY_TITLES = {
    AuthorityState.HELD: ("已确定", "Settled"),
    AuthorityState.OPEN: ("未确定", "Open"),
    AuthorityState.LOST: ("来源已失效", "Lost"),
    AuthorityState.DISPUTED: ("有争议", "Disputed"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A column that holds an element."""

    resource_id: str
    resource_title: str
    resource_title_en: str
    agency_id: str
    agency: str
    agency_name: str
    agency_name_en: str
    column: str
    column_title: str
    is_authority: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementLine:
    """An element with all who hold it, and which of them answers."""

    element: str
    title_zh: str
    title_en: str
    state: AuthorityState
    holders: tuple[Holder, ...]
    since: str | None
    decided_by: str

    @property
    def authority(self) -> Holder | None:
        return next((holder for holder in self.holders if holder.is_authority), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldLine:
    """One field of a resource: its element, who answers for the element, whose the field is, by what material."""

    column: str
    title_zh: str
    title_en: str
    element: str
    authority_zh: str
    authority_en: str
    is_authority: bool
    agency: str
    agency_name: str
    agency_name_en: str
    material: str
    is_decided: bool
    """Its source was settled in a case; otherwise the contract says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLine:
    """Who answers at one stage of the data's life; "" is a gap."""

    stage: str
    title_zh: str
    title_en: str
    who: str


class ElementNotHeld(BadInput):
    code = "element-not-held"
    title, title_zh = "The resource has no column of this element", "该资源没有这个数据元的数据项"


class AuthorityDisputed(Conflict):
    code = "authority-disputed"
    title, title_zh = "A claim on this element is being decided", "该数据元的权威来源正在裁定"


class FieldSourceOpen(Conflict):
    code = "field-source-open"
    title, title_zh = "Whose field this is is being decided", "该数据项的来源正在认定"
