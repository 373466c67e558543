"""What crosses the wall of authoring: drafts as read, what a change would do, and the failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from datong.catalog.authoring.checks import CheckFinding
from datong.catalog.contracts import ContractChange, ContractFinding
from datong.kernel.failures import Conflict, NotFound, Retry


class DraftState(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REFUSED = "refused"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftView:
    """A draft. `revision` 0: nothing is saved yet, the text is the contract in force or a new skeleton."""

    id: str
    resource_id: str
    agency_id: str
    agency: str
    title_zh: str
    text: str
    base_version: str | None
    revision: int
    state: DraftState
    saved_by: str = ""
    saved_at: str = ""
    case_id: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftReview:
    """All that is to be known of a text before it comes in force.

    `findings` keep it from being a contract; then there are no changes and no checks. `required_version` is the lowest
    that the change allows, `version_is_enough` whether the text says so; `current_version` None is a new resource.
    """

    findings: tuple[ContractFinding, ...]
    objections: tuple[ContractFinding, ...] = ()
    breaking: tuple[ContractChange, ...] = ()
    compatible: tuple[ContractChange, ...] = ()
    checks: tuple[CheckFinding, ...] = ()
    current_version: str | None = None
    required_version: str = ""
    version_is_enough: bool = True
    is_stale: bool = False
    """The contract in force is another than the one the draft was made from."""

    @property
    def may_submit(self) -> bool:
        blocked = any(one.blocks for one in self.checks)
        return not (self.findings or self.objections or blocked or self.is_stale) and self.version_is_enough


class DraftNotFound(NotFound):
    code = "contract-draft-not-found"
    title, title_zh = "There is no such draft, or you may not see it", "没有这份草稿，或者你无权查看"


class DraftChanged(Conflict):
    """Somebody saved the draft since it was read; what was typed comes back with the page."""

    code = "contract-draft-changed"
    title, title_zh = "Somebody else saved this draft meanwhile", "草稿已被他人保存"


class DraftUnderReview(Conflict):
    """A submitted draft is not edited: what the approver reads must stay."""

    code = "contract-draft-under-review"
    title, title_zh = "The draft is being decided", "草稿正在审核"


class ChecksBlock(Conflict):
    """The four checks found what keeps the contract from being submitted."""

    code, status, retry = "contract-checks-block", 422, Retry.AFTER_CHANGE
    title, title_zh = "The four checks keep the contract from being submitted", "四性检查未通过，不能提交"

    def __init__(self, findings: Sequence[CheckFinding]) -> None:
        self.findings = tuple(one for one in findings if one.blocks)
        first = self.findings[0]
        super().__init__(
            f"{len(self.findings)} to mend; the first: {first.message}. {first.remedy}",
            hint_zh=f"共{len(self.findings)}处须修改，第一处：{first.message_zh}。{first.remedy_zh}",
            findings=[one.as_dict() for one in self.findings],
        )
