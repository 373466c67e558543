"""Grants as both planes know them: the signed terms, their compiled form in the serving store, and every refusal.

Instants are milliseconds since the epoch in UTC, because the data plane compares them on every call.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from datong.kernel.failures import BadInput, Failure, Retry, Unavailable
from datong.kernel.limits import GRANT_RATE_PER_MINUTE_DEFAULT

ACCESS_PATH = "/exchange/request/{resource}"
"""The page where access to a resource is asked for; every refusal for want of a grant names it."""


class Mode(StrEnum):
    """使用方式: how a grant lets a system use a resource."""

    VERIFY = "verify"  # 核验: ask whether a claim is true, see no data
    QUERY = "query"  # 查询: read single records by key
    BATCH = "batch"  # 批量: fetch the whole filtered, masked file
    SUBSCRIBE = "subscribe"  # 订阅: be told of changes
    COMPUTE = "compute"  # 可用不可见: send a computation, receive its checked result


class Treatment(StrEnum):
    """What a grant lets happen with one column."""

    COMPARE = "compare"  # may be claimed in verify; never leaves
    PLAIN = "plain"  # leaves as it is, and may be claimed
    MASKED = "masked"  # leaves masked; may not be claimed, since comparing would undo the mask


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantColumn:
    name: str
    treatment: Treatment
    mask: str = ""
    """For a masked column, the name of its mask in `privacy.masks`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCondition:
    """One condition on the rows that a grant covers; all of a grant's conditions hold together.

    `operator` is one of `exchange.model.ROW_OPERATORS`; `values` are text in the column's canonical form.
    """

    column: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantTerms:
    """What was approved. `digest` fixes it: a receipt carries the digest, so both sides know under which terms."""

    grant_id: str
    number: str
    system_id: str
    resource_id: str
    purpose: str
    modes: tuple[Mode, ...]
    columns: tuple[GrantColumn, ...]
    rows: tuple[RowCondition, ...] = ()
    """Which rows of a batch file; empty is all."""
    valid_from_ms: int
    valid_until_ms: int
    """The first millisecond in which it no longer holds."""
    rate_per_minute: int = GRANT_RATE_PER_MINUTE_DEFAULT
    """Items a minute: one for each verified item, one for each batch download."""
    daily_cap: int = 0
    """Items a civil day in China; 0 is no cap."""

    @property
    def digest(self) -> str:
        """SHA-256 over the terms as canonical JSON (sorted members, no spaces, UTF-8), in hex."""
        return _digest_json(asdict(self))

    @property
    def policy_digest(self) -> str:
        """What decides the bytes of a materialised file: resource, columns, masks, rows. Equal policies share files."""
        columns = sorted(
            (c.name, c.treatment.value, c.mask) for c in self.columns if c.treatment is not Treatment.COMPARE
        )
        rows = sorted((r.column, r.operator, list(r.values)) for r in self.rows)
        return _digest_json({"resource": self.resource_id, "columns": columns, "rows": rows})


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantEntry:
    """A grant compiled for the serving store. A revoked one stays as a tombstone, so that the refusal can say so."""

    terms: GrantTerms
    digest: str
    policy_digest: str
    comparable: tuple[str, ...]
    """Columns that may be claimed, in the terms' order."""
    revoked_at_ms: int | None = None
    revoked_reason: str = ""


def compile_grant(terms: GrantTerms) -> GrantEntry:
    return GrantEntry(
        terms=terms,
        digest=terms.digest,
        policy_digest=terms.policy_digest,
        comparable=tuple(c.name for c in terms.columns if c.treatment is not Treatment.MASKED),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemEntry:
    """Who a bearer token is. One entry for each key of the system."""

    system_id: str
    name: str
    agency_id: str
    agency_name: str
    key_id: str
    valid_until_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedColumn:
    """A column as the serving store canonicalises it; `kind` is the contract's logical type."""

    name: str
    kind: str = "string"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceEntry:
    """A resource in the serving store. `generation` 0 means that no rows are served yet."""

    resource_id: str
    resource_no: int
    agency_id: str
    title_zh: str
    title: str = ""
    key_columns: tuple[ServedColumn, ...] = ()
    verify_columns: tuple[ServedColumn, ...] = ()
    has_validity: bool = False
    """Rows carry a first and a last day on which they hold, and a verify item may say `as_of`."""
    generation: int = 0
    version_id: str = ""
    rows_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One materialised file of a policy: path below the bulk folder, digest of the whole file, size."""

    path: str
    format: str
    media_type: str
    sha256: str
    file_bytes: int
    rows_count: int
    version_id: str


def _digest_json(value: Mapping[str, Any]) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Refusal(Failure):
    """The data plane says no. `facts` tell the caller what to change; how to ask for access is in the hint."""

    code, status, retry = "exchange-refused", 403, Retry.AFTER_CHANGE
    title, title_zh = "The exchange is refused", "交换被拒绝"


class UnknownToken(Refusal):
    code, status = "token-unknown", 401
    title, title_zh = "The bearer token is not one of ours", "令牌无效"

    def __init__(self) -> None:
        super().__init__(
            "Send `Authorization: Bearer <token>` with a key that your agency's security officer issued and that has "
            "not been withdrawn.",
            hint_zh="请在请求头中携带 Authorization: Bearer <令牌>；令牌由本部门安全员签发，且未被停用。",
        )


class NoGrant(Refusal):
    """Also the answer for a resource that does not exist: a stranger learns nothing about what is held here."""

    code = "grant-missing"
    title, title_zh = "Your system holds no grant for this resource", "贵系统没有该资源的授权"

    def __init__(self, *, resource: str) -> None:
        page = ACCESS_PATH.format(resource=resource)
        super().__init__(
            f"Ask the providing agency for access at {page}, naming this system and your purpose.",
            hint_zh=f"请在 {page} 向提供部门申请，写明本系统与用途。",
            resource=resource,
            ask_at=page,
        )


class GrantFailure(Refusal):
    """A refusal under a grant that the caller holds: its number may be told, and the record names the grant."""

    terms: GrantTerms


class _GrantRefusal(GrantFailure):
    def __init__(self, hint: str, hint_zh: str, terms: GrantTerms, **facts: Any) -> None:
        page = ACCESS_PATH.format(resource=terms.resource_id)
        super().__init__(
            f"{hint} Ask for access at {page}.",
            hint_zh=f"{hint_zh}申请入口：{page}。",
            grant=terms.number,
            resource=terms.resource_id,
            ask_at=page,
            **facts,
        )
        self.terms = terms


class GrantExpired(_GrantRefusal):
    code = "grant-expired"
    title, title_zh = "The grant has expired", "授权已到期"

    def __init__(self, terms: GrantTerms, *, expired_at: str) -> None:
        super().__init__(
            f"It ended at {expired_at}; request it anew.",
            f"授权已于 {expired_at} 到期，请重新申请。",
            terms,
            expired_at=expired_at,
        )


class GrantNotYetValid(_GrantRefusal):
    code = "grant-not-yet-valid"
    title, title_zh = "The grant is not valid yet", "授权尚未生效"

    def __init__(self, terms: GrantTerms, *, valid_from: str) -> None:
        super().__init__(
            f"It begins at {valid_from}; call again then.",
            f"授权自 {valid_from} 起生效，请届时再试。",
            terms,
            valid_from=valid_from,
        )


class GrantRevoked(_GrantRefusal):
    code = "grant-revoked"
    title, title_zh = "The grant was revoked", "授权已被撤销"

    def __init__(self, terms: GrantTerms, *, revoked_at: str, reason: str) -> None:
        super().__init__(
            f"The providing agency ended it at {revoked_at}; its reason is in `facts`.",
            f"提供部门已于 {revoked_at} 撤销，原因见 facts。",
            terms,
            revoked_at=revoked_at,
            reason=reason,
        )


class ColumnNotGranted(_GrantRefusal):
    code = "column-not-granted"
    title, title_zh = "The grant does not cover this column", "授权不包含该数据项"

    def __init__(self, terms: GrantTerms, *, columns: tuple[str, ...], granted: tuple[str, ...]) -> None:
        super().__init__(
            "Leave out the columns named in `facts`, or request them.",
            "请去掉 facts 中列出的数据项，或另行申请。",
            terms,
            columns=list(columns),
            granted=list(granted),
        )


class PurposeNotGranted(_GrantRefusal):
    code = "purpose-not-granted"
    title, title_zh = "The grant is for another purpose", "授权用途不符"

    def __init__(self, terms: GrantTerms, *, purpose: str) -> None:
        super().__init__(
            f"This grant is for the purpose {terms.purpose!r} only.",
            f"该授权仅限用途“{terms.purpose}”。",
            terms,
            purpose=purpose,
            granted=terms.purpose,
        )


class ModeNotGranted(_GrantRefusal):
    code = "mode-not-granted"
    title, title_zh = "The grant does not allow this mode", "授权不包含该使用方式"

    def __init__(self, terms: GrantTerms, *, mode: Mode) -> None:
        granted = [m.value for m in terms.modes]
        super().__init__(
            f"It allows {', '.join(granted)}.",
            f"授权的使用方式为 {'、'.join(granted)}。",
            terms,
            mode=mode.value,
            granted=granted,
        )


class RateExceeded(GrantFailure):
    """Over the grant's rate or daily cap. `retry_after_s` is also the answer's Retry-After."""

    code, status, retry = "rate-exceeded", 429, Retry.LATER
    title, title_zh = "More calls than the grant allows", "调用超出授权频次"

    def __init__(self, terms: GrantTerms, *, period: str, limit: int, retry_after_s: int) -> None:
        super().__init__(
            f"The grant allows {limit} items a {period}; call again in {retry_after_s} s.",
            hint_zh=f"授权上限为每{'日' if period == 'day' else '分钟'} {limit} 项，请在 {retry_after_s} 秒后重试。",
            grant=terms.number,
            resource=terms.resource_id,
            period=period,
            limit=limit,
            retry_after_s=retry_after_s,
        )
        self.terms = terms


class KeyInvalid(BadInput):
    code = "key-invalid"
    title, title_zh = "An item's key is not this resource's key", "查询主键与资源不符"

    def __init__(self, *, item: int, expected: tuple[str, ...], got: tuple[str, ...], reason: str = "") -> None:
        super().__init__(
            f"Give each item exactly the key columns {', '.join(expected)}. {reason}".strip(),
            hint_zh=f"每一项须且仅须给出主键 {'、'.join(expected)}。",
            item=item,
            expected=list(expected),
            got=list(got),
        )


class ValueInvalid(BadInput):
    code = "value-invalid"
    title, title_zh = "A value cannot be read as its column's type", "取值与数据项类型不符"

    def __init__(self, *, column: str, kind: str, item: int | None = None) -> None:
        super().__init__(
            f"Column {column} holds {kind}: give a value of that type, dates as YYYY-MM-DD.",
            hint_zh=f"数据项 {column} 的类型为 {kind}，日期请写作 YYYY-MM-DD。",
            column=column,
            kind=kind,
            item=item,
        )


class AsOfNotOffered(BadInput):
    code = "as-of-not-offered"
    title, title_zh = "This resource has no history to ask about", "该资源不支持按日期核验"

    def __init__(self, *, resource: str) -> None:
        super().__init__(
            "Leave `as_of` out: the resource's contract declares no validity columns.",
            hint_zh="请去掉 as_of：该资源的数据契约没有声明有效期数据项。",
            resource=resource,
        )


class NotServed(Unavailable):
    code = "resource-not-served"
    title, title_zh = "The resource is granted but not served yet", "资源已授权，尚未完成发布"

    def __init__(self, *, resource: str, mode: Mode) -> None:
        super().__init__(
            "The serving copy is being made; call again in a minute. If it lasts, tell the providing agency.",
            hint_zh="服务副本正在生成，请一分钟后重试；若持续如此，请联系提供部门。",
            resource=resource,
            mode=mode.value,
        )
