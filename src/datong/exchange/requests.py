"""What crosses the exchange's wall on the control side: requests, grants as people read them, usage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from datong.exchange.contracts import GrantColumn, Mode, RowCondition
from datong.kernel.failures import BadInput, Conflict, Failure, NotAllowed, NotFound, Retry, Unavailable
from datong.kernel.ids import AgencyId, CaseId, GrantId, RequestId, ResourceId, SystemId
from datong.kernel.limits import GRANT_RATE_PER_MINUTE_DEFAULT


class RequestState(StrEnum):
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class GrantState(StrEnum):
    """`revoking` is a revocation that has left the serving store, or is about to, and is not yet recorded as done."""

    ACTIVE = "active"
    REVOKING = "revoking"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDraft:
    """What an agency asks for: 使用依据, 使用场景, 使用范围, 共享方式, 使用时限 (政务数据共享条例)."""

    resource_id: ResourceId
    system_id: SystemId
    modes: tuple[Mode, ...]
    columns: tuple[GrantColumn, ...]
    purpose: str
    """A short code, said again in every call: `pension_eligibility`."""
    purpose_title: str
    legal_basis: str
    valid_until: date
    """The last civil day of use."""
    rows: tuple[RowCondition, ...] = ()
    rate_per_minute: int = GRANT_RATE_PER_MINUTE_DEFAULT
    daily_cap: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestView:
    id: RequestId
    number: str
    draft: RequestDraft
    resource_title: str
    owner_agency_id: AgencyId
    owner_agency_name: str
    agency_id: AgencyId
    agency_name: str
    system_name: str
    requested_by: str
    requested_at: datetime
    state: RequestState
    case_id: CaseId
    grant_id: GrantId | None = None
    resource_title_en: str = ""
    owner_agency_name_en: str = ""
    agency_name_en: str = ""
    requested_by_en: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantView:
    """A grant as people read it: who, why, how much, until when, in what state."""

    id: GrantId
    number: str
    request_id: RequestId
    request_number: str
    resource_id: ResourceId
    resource_title: str
    owner_agency_id: AgencyId
    owner_agency_name: str
    agency_id: AgencyId
    agency_name: str
    system_id: SystemId
    system_name: str
    modes: tuple[Mode, ...]
    columns: tuple[GrantColumn, ...]
    rows: tuple[RowCondition, ...]
    purpose: str
    purpose_title: str
    legal_basis: str
    valid_from: datetime
    valid_until: datetime
    rate_per_minute: int
    daily_cap: int
    state: GrantState
    is_expired: bool
    digest: str
    approved_by: str
    approved_at: datetime
    operation_id: str
    """The approval's audit rows carry it: the grant's own proof."""
    served_at: datetime | None
    revoked_at: datetime | None = None
    revoked_by: str = ""
    revoked_reason: str = ""
    resource_title_en: str = ""
    owner_agency_name_en: str = ""
    agency_name_en: str = ""
    approved_by_en: str = ""
    revoked_by_en: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """One exchange under a grant, folded from the audit log. `log_index` is its receipt's place in the log."""

    log_index: int
    at: datetime
    mode: str
    outcome: str
    code: str
    items_count: int
    match_count: int
    differ_count: int
    unknown_count: int
    payload_bytes: int
    reference: str
    wanted_mode: str = ""
    """For a refused call, the mode it asked for; otherwise `mode` says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageDay:
    day: date
    verify_items: int
    batch_downloads: int
    refusals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFinding:
    """One thing in a request that cannot stand."""

    field: str
    message: str
    message_zh: str


class RequestInvalid(BadInput):
    """All that is wrong with a request, at once."""

    code = "request-invalid"
    title, title_zh = "The request cannot be submitted as it is", "申请内容需要修改"

    def __init__(self, findings: Sequence[RequestFinding]) -> None:
        self.findings = tuple(findings)
        super().__init__(
            " ".join(f.message for f in findings),
            hint_zh="".join(f.message_zh for f in findings),
            findings=[asdict(f) for f in findings],
        )


class WithheldResource(NotAllowed):
    code = "resource-withheld"
    title, title_zh = "This resource is not shared", "该资源不予共享"

    def __init__(self, *, resource: str, legal_basis: str) -> None:
        super().__init__(
            f"Its owner withholds it under {legal_basis}. Talk to the owner or the bureau.",
            hint_zh=f"依据{legal_basis}不予共享。可与提供部门或主管部门协商。",
            resource=resource,
            legal_basis=legal_basis,
        )


class GrantNotFound(NotFound):
    code = "grant-not-found"
    title, title_zh = "There is no such grant, or it is not yours to see", "没有这项授权，或者你无权查看"

    def __init__(self, *, id: str) -> None:  # noqa: A002 - the fact's name
        super().__init__(
            "Look in the list of grants; only the two agencies, the bureau and the auditor see one.",
            hint_zh="请从授权列表进入；只有双方部门、主管部门和审计员可以查看。",
            id=id,
        )


class RequestNotFound(NotFound):
    code = "request-not-found"
    title, title_zh = "There is no such request, or it is not yours to see", "没有这项申请，或者你无权查看"

    def __init__(self, *, id: str) -> None:  # noqa: A002 - the fact's name
        super().__init__(
            "Look in the list of requests; only the two agencies, the bureau and the auditor see one.",
            hint_zh="请从申请列表进入；只有双方部门、主管部门和审计员可以查看。",
            id=id,
        )


class FileNotMade(Failure):
    """A policy's batch file could not be written: the contract has changed under the grant, or the disk is full."""

    code, status, retry = "file-not-made", 500, Retry.LATER
    title, title_zh = "The batch file of a grant could not be made", "授权对应的批量文件未能生成"

    def __init__(self, *, grant: str, private: str) -> None:
        super().__init__(
            "See whether the contract still has the granted columns, and the disk has room; then run the job again.",
            hint_zh="请检查数据契约是否仍有授权的数据项、磁盘空间是否充足，然后重新执行任务。",
            private=private,
            grant=grant,
        )


class GrantTampered(Failure):
    """The stored terms do not have the digest that was approved and audited: nothing is served from them."""

    code, status, retry = "grant-tampered", 500, Retry.NEVER
    title, title_zh = "The grant's stored terms are not those that were approved", "授权内容与批准时不一致"

    def __init__(self, *, grant: str) -> None:
        super().__init__(
            "Tell the auditor: the approval's audit record holds the digest of the terms.",
            hint_zh="请联系审计员：批准时的审计记录中有授权内容的摘要。",
            grant=grant,
        )


class RevocationUnconfirmed(Unavailable):
    """The grant has left the serving store, and a gateway that runs has not said that it has seen so."""

    code = "revocation-unconfirmed"
    title, title_zh = "The revocation is under way; a gateway has not confirmed it yet", "正在撤销，网关尚未确认"

    def __init__(self, *, grant: str) -> None:
        super().__init__(
            "No new call is let in by a gateway that works. The platform goes on asking and records the end by itself.",
            hint_zh="正常运行的网关已不再放行；平台会继续确认，确认后自动记为已撤销。",
            grant=grant,
        )


class GrantNotActive(Conflict):
    code = "grant-not-active"
    title, title_zh = "The grant is no longer in force", "该授权已不在有效期"


def as_plain(value: Any) -> Any:
    """Frozen values as JSON-ready members, for the database and the audit log."""
    return asdict(value)
