"""Identity's values, slots and failures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from datong.kernel.contracts import Role
from datong.kernel.failures import BadInput, Conflict, NotAllowed
from datong.kernel.ids import AgencyId, KeyId, MemberId, SystemId
from datong.kernel.plugs import Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencySummary:
    id: AgencyId
    code: str
    name: str
    name_en: str
    division_code: str
    uscc: str
    parent_id: AgencyId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSummary:
    id: MemberId
    username: str
    display_name: str
    name_en: str
    agency_id: AgencyId
    agency_name: str
    roles: tuple[Role, ...]
    is_active: bool
    must_change_password: bool
    agency_name_en: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberCreated:
    """`first_password` is shown once, to whoever made the account; the member must change it before any role comes."""

    id: MemberId
    username: str
    first_password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSummary:
    id: SystemId
    name: str
    agency_id: AgencyId
    agency_name: str
    agency_name_en: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySummary:
    """A system's key without its secret. `shown` are the token's first characters."""

    id: KeyId
    system_id: SystemId
    shown: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyIssued:
    """`token` is shown once and stored nowhere."""

    id: KeyId
    system_id: SystemId
    token: str = field(repr=False)
    token_sha256: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveKey:
    """What the serving store needs to know one caller by the digest of its token."""

    key_id: KeyId
    token_sha256: str
    system_id: SystemId
    system_name: str
    agency_id: AgencyId
    agency_name: str
    expires_at: datetime


KEY_REVOCATIONS: Slot[Callable[[str], None]] = Slot("kernel.key-revocations")
"""Called with a token's SHA-256 (hex) before the revocation commits, so that a crash fails closed."""


class RolesIncompatible(NotAllowed):
    code = "roles-incompatible"
    title, title_zh = "These roles may not meet in one person", "这些角色不得由同一人兼任"


class RoleForOneself(NotAllowed):
    code = "role-for-oneself"
    title, title_zh = "Nobody assigns a role to themselves", "任何人不得给自己授予角色"


class AccountNotTakenOver(Conflict):
    code = "account-not-taken-over"
    title, title_zh = "The member has not changed the first password yet", "该人员尚未修改初始密码"


class AlreadyThere(Conflict):
    code = "already-there"
    title, title_zh = "Something with this name exists", "同名对象已存在"


class PasswordRefused(BadInput):
    code = "password-refused"
    title, title_zh = "This password cannot be used", "密码不符合要求"


class AlreadyBootstrapped(NotAllowed):
    code = "already-bootstrapped"
    title, title_zh = "This platform already has members", "平台已完成初始化"
