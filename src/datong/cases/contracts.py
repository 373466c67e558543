"""Values and slots of the workflow engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol

from datong.kernel.contracts import Actor
from datong.kernel.failures import BadInput, Conflict, Retry
from datong.kernel.ids import AgencyId, CaseId
from datong.kernel.plugs import Slot


class CaseState(StrEnum):
    OPEN = "open"
    DECIDED = "decided"
    WITHDRAWN = "withdrawn"


class Decision(StrEnum):
    APPROVE = "approve"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """A date that counts working days. `provisional`: it rests on a year whose holidays are not published yet."""

    due_on: date
    allowance_days: int
    used_days: int
    left_days: int
    """Negative once it is late, also on a weekend after the day; 0 on the day itself."""
    provisional: bool = False
    stopped: bool = False
    """Withdrawn: the clock stands still and nothing is late."""

    @property
    def is_late(self) -> bool:
        return self.left_days < 0 and not self.stopped


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """A case as read: who asks whom for what, by when, and what came of it."""

    id: CaseId
    number: str
    kind: str
    title_zh: str
    title_en: str
    subject_kind: str
    subject_id: str
    from_agency_id: AgencyId
    from_agency_name: str
    to_agency_id: AgencyId
    to_agency_name: str
    opened_at: datetime
    opened_by: str
    deadline: Deadline
    state: CaseState
    decision: Decision | None = None
    reason: str = ""
    decided_at: datetime | None = None
    decided_by: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    from_agency_name_en: str = ""
    to_agency_name_en: str = ""
    opened_by_en: str = ""
    decided_by_en: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStep:
    """One line of a case's history."""

    at: datetime
    what: str
    actor_name: str
    note: str
    actor_name_en: str = ""


class CaseKind(Protocol):
    """What a higher part supplies for its kind of case."""

    key: str
    title_zh: str
    title_en: str

    def verb_of(self, decision: Decision) -> str:
        """The declared action that this decision is: it carries the permission and the audit sentence."""
        ...

    def on_decided(self, case: CaseView, decision: Decision, reason: str, actor: Actor, record: Any) -> None:
        """Act on the decision, inside its transaction. `record` is the kernel's ActionRecord."""
        ...


CASE_KINDS: Slot[CaseKind] = Slot("cases.kinds")
CASE_PAGES: Slot[str] = Slot("cases.pages")
"""By kind, the name of the route where its cases are decided; it takes the id of the case's subject."""


class CaseAlreadyDecided(Conflict):
    code = "case-already-decided"
    title, title_zh = "This case is closed already", "该办件已经办结"


class ReasonNeeded(BadInput):
    code, retry = "reason-needed", Retry.AFTER_CHANGE
    title, title_zh = "A refusal needs a reason", "不予同意须写明理由"
