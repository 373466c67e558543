"""Agencies, members, roles, systems and keys: created by the operator, empowered by the security officer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import connection

from datong.kernel import clock, ids
from datong.kernel.action.service import action
from datong.kernel.contracts import ROLE_TITLES, Actor, Role, Subject, platform_actor
from datong.kernel.failures import BadInput, NotAllowed, NotFound
from datong.kernel.identity.contracts import (
    KEY_REVOCATIONS,
    AccountNotTakenOver,
    ActiveKey,
    AgencySummary,
    AlreadyBootstrapped,
    AlreadyThere,
    KeyIssued,
    KeySummary,
    MemberCreated,
    MemberSummary,
    PasswordRefused,
    RoleForOneself,
    RolesIncompatible,
    SystemSummary,
)
from datong.kernel.identity.model import AGENCY_CODE, FIRST_OFFICES, USERNAME, find_conflicts
from datong.kernel.ids import AgencyId, KeyId, MemberId, SystemId
from datong.kernel.limits import NAME_CHARACTERS_MAX, SYSTEM_KEY_DAYS_DEFAULT, SYSTEM_KEY_DAYS_MAX
from datong.kernel.store.actors import read_member_actor, read_system_actor
from datong.kernel.store.models import Agency, Member, RoleAssignment, System, SystemKey

_SHOWN_CHARACTERS = 8
_LAST_USED_STEP = timedelta(minutes=1)


# Actors -----------------------------------------------------------------------------------------------------------
def actor_of_member(member: MemberId | Member) -> Actor:
    """The member as an actor, with the roles held now. NotFound when there is none, or it is inactive."""
    member_id = member.pk if isinstance(member, Member) else member
    actor = read_member_actor(member_id)
    if actor is None:
        raise NotFound("No active member has this id.", hint_zh="没有这个在用人员。", member=str(member_id))
    return actor


def actor_of_sign_in(username: str, password: str) -> Actor:
    """The member who knows the password: for a terminal, where there is no session. One answer for every refusal."""
    row = Member.objects.filter(username=username, is_active=True).first()
    holds = row.check_password(password) if row else Member().check_password(password)
    if row is None or not holds or row.must_change_password:
        if row is not None:
            note_sign_in(MemberId(row.pk), succeeded=False, address="terminal")
        raise NotAllowed(
            "User name or password is not right, or the first password has not been changed yet.",
            hint_zh="用户名或密码不正确，或者尚未修改初始密码。",
        )
    return actor_of_member(row)


def actor_of_token(token: str) -> Actor | None:
    """The system whose live key this is; None for a token that is unknown, expired or revoked."""
    now = clock.now()
    key = SystemKey.objects.filter(
        token_sha256=token_digest(token), revoked_at__isnull=True, expires_at__gt=now
    ).first()
    if key is None:
        return None
    if key.last_used_at is None or now - key.last_used_at > _LAST_USED_STEP:
        SystemKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return read_system_actor(key.system_id)


def token_digest(token: str) -> str:
    """SHA-256 of the token in hex: the only form kept. 256 random bits need neither salt nor stretching."""
    return hashlib.sha256(token.encode()).hexdigest()


# Agencies ---------------------------------------------------------------------------------------------------------
def create_agency(
    actor: Actor,
    *,
    code: str,
    name: str,
    name_en: str = "",
    division_code: str = "",
    uscc: str = "",
    parent_id: AgencyId | None = None,
) -> AgencySummary:
    """A new organisation in the tree. Its identifiers are checked by the caller: `standards` is above the kernel."""
    if not AGENCY_CODE.fullmatch(code):
        raise BadInput(
            "Give the agency a code of lower-case letters, digits and underscores, e.g. psb.",
            hint_zh="机构代号用小写字母、数字和下划线，例如 psb。",
            code=code,
        )
    name = _clean_name(name)
    subject, facts = Subject(kind="agency", id=code, name=name), {"code": code, "title_en": name_en}
    with action("agency.created", actor, subject, facts) as record:
        if Agency.objects.filter(code=code).exists():
            raise AlreadyThere("Choose another code.", hint_zh="请换一个机构代号。", code=code)
        if parent_id is not None and not Agency.objects.filter(pk=parent_id).exists():
            raise NotFound("The parent agency does not exist.", hint_zh="上级机构不存在。", parent=parent_id)
        row = Agency.objects.create(
            code=code, name=name, name_en=name_en, division_code=division_code, uscc=uscc, parent_id=parent_id
        )
        record.subject = Subject(kind="agency", id=row.id, agency_id=AgencyId(row.id), name=row.name)
        record.event("agency.created", subject=f"agency:{row.id}", payload={"agency": row.id, "code": code})
        return record.done(_agency_summary(row))


def get_agency(agency: AgencyId | str) -> AgencySummary:
    """By id or by code."""
    row = Agency.objects.filter(pk=agency).first() or Agency.objects.filter(code=agency).first()
    if row is None:
        raise NotFound("There is no agency with this id or code.", hint_zh="没有这个机构。", agency=str(agency))
    return _agency_summary(row)


def find_agencies() -> list[AgencySummary]:
    return [_agency_summary(row) for row in Agency.objects.order_by("code")]


def find_agencies_with(role: Role) -> list[AgencySummary]:
    """Agencies that have an active member in this role, by code."""
    holders = RoleAssignment.objects.filter(role=role.value, withdrawn_at=None, member__is_active=True)
    rows = Agency.objects.filter(pk__in=holders.values("member__agency_id"))
    return [_agency_summary(row) for row in rows.order_by("code")]


# Members and roles ------------------------------------------------------------------------------------------------
def create_member(
    actor: Actor, *, username: str, display_name: str, agency_id: AgencyId, name_en: str = ""
) -> MemberCreated:
    """An account without any role. The random first password is in the result and nowhere else."""
    display_name = _clean_name(display_name)
    if not USERNAME.fullmatch(username):
        raise BadInput(
            "Give a user name of lower-case letters, digits, dots, dashes and underscores.",
            hint_zh="用户名用小写字母、数字、点、横线和下划线。",
            username=username,
        )
    agency = get_agency(agency_id)
    subject = Subject(kind="member", id=username, agency_id=agency.id, name=display_name)
    with action("member.created", actor, subject, {"username": username}) as record:
        row, password = _insert_member(username, display_name, name_en, agency.id)
        record.subject = Subject(kind="member", id=row.id, agency_id=agency.id, name=display_name)
        return record.done(MemberCreated(id=MemberId(row.id), username=username, first_password=password))


def deactivate_member(actor: Actor, member_id: MemberId, *, reason: str) -> None:
    """End an account: its sessions stop, its roles are kept for the record but count no more."""
    member = _get_member(member_id)
    with action("member.deactivated", actor, _member_subject(member), {"reason": reason}):
        Member.objects.filter(pk=member_id).update(is_active=False)
        _end_sessions(member_id)


def assign_role(actor: Actor, member_id: MemberId, role: Role) -> None:
    """Give a member a role.

    Refused: to oneself; beside an incompatible role; to an account whose first password is still known to the
    operator who made it. The database refuses the first two again, by trigger.
    """
    member = _get_member(member_id)
    facts = {"role": role.value, "role_zh": ROLE_TITLES[role][0]}
    with action("role.assigned", actor, _member_subject(member), facts) as record:
        if actor.id == member.id:
            raise RoleForOneself(
                "Another security officer must do it.",
                hint_zh="须由另一名安全员办理。",
                member=member.id,
                role=role.value,
            )
        Member.objects.select_for_update().get(pk=member.id)
        held = _held_roles(member.id)
        if role in held:
            return record.done(None)
        conflicts = find_conflicts(held, role)
        if conflicts:
            raise RolesIncompatible(
                f"Withdraw {', '.join(conflicts)} first, or choose another person.",
                hint_zh=f"请先收回：{'、'.join(ROLE_TITLES[other][0] for other in conflicts)}，或另选他人。",
                role=role.value,
                held=sorted(held),
            )
        if member.must_change_password:
            raise AccountNotTakenOver(
                "The member must sign in and change the first password before a role can be assigned.",
                hint_zh="请其先登录并修改初始密码，再授予角色。",
                member=member.id,
            )
        RoleAssignment.objects.create(member=member, role=role.value, assigned_by_id=actor.id)
        record.event("role.assigned", subject=f"member:{member.id}", payload={"member": member.id, "role": role.value})
        return record.done(None)


def withdraw_role(actor: Actor, member_id: MemberId, role: Role, *, reason: str) -> None:
    """Take a role back, at once: actions that already run finish, later ones are refused."""
    member = _get_member(member_id)
    facts = {"role": role.value, "role_zh": ROLE_TITLES[role][0], "reason": reason}
    with action("role.withdrawn", actor, _member_subject(member), facts) as record:
        changed = RoleAssignment.objects.filter(member_id=member.id, role=role.value, withdrawn_at__isnull=True).update(
            withdrawn_at=clock.now(), withdrawn_by_id=actor.id
        )
        if not changed:
            raise NotFound("The member does not hold this role.", hint_zh="该人员没有这个角色。", role=role.value)
        record.event("role.withdrawn", subject=f"member:{member.id}", payload={"member": member.id, "role": role.value})


def get_member(member_id: MemberId | str) -> MemberSummary:
    """By id or by user name."""
    row = (
        Member.objects.select_related("agency").filter(pk=member_id).first()
        or Member.objects.select_related("agency").filter(username=member_id).first()
    )
    if row is None:
        raise NotFound("There is no such member.", hint_zh="没有这个人员。", member=str(member_id))
    return _member_summary(row)


def find_members(agency_id: AgencyId | None = None) -> list[MemberSummary]:
    rows = Member.objects.select_related("agency").order_by("username")
    return [_member_summary(row) for row in (rows.filter(agency_id=agency_id) if agency_id else rows)]


def find_english_names(member_ids: Iterable[str]) -> dict[str, str]:
    """The English names of members that have one, by id: rows keep the name of who acted in Chinese only."""
    rows = Member.objects.filter(pk__in=set(member_ids)).exclude(name_en="")
    return dict(rows.values_list("pk", "name_en"))


def change_password(member_id: MemberId, *, current: str, new: str) -> None:
    """A member changes the own password, knowing the current one. There is no other way to set a password."""
    member = _get_member(member_id)
    if not member.check_password(current):
        raise PasswordRefused("The current password is not right.", hint_zh="当前密码不正确。")
    try:
        validate_password(new, member)
    except ValidationError as problem:
        raise PasswordRefused(" ".join(problem.messages), hint_zh="".join(problem.messages)) from None
    if new == current:
        raise PasswordRefused("Choose one that differs from the current.", hint_zh="新密码不能与当前密码相同。")
    with action("member.password-changed", platform_actor("accounts"), _member_subject(member)):
        member.set_password(new)
        member.must_change_password = False
        member.save(update_fields=["password", "must_change_password"])


def note_sign_in(member_id: MemberId, *, succeeded: bool, address: str) -> None:
    """Audit a sign-in, or a failed one in the name of an existing member. `address` is the client's IP."""
    member = _get_member(member_id)
    verb = "member.signed-in" if succeeded else "member.sign-in-failed"
    with action(verb, platform_actor("accounts"), _member_subject(member), {"address": address}):
        pass


def create_first_officers(
    *,
    agency_code: str,
    agency_name: str,
    agency_name_en: str = "",
    usernames: dict[Role, str] | None = None,
    display_names: dict[Role, str] | None = None,
) -> dict[Role, MemberCreated]:
    """The operator, security officer and auditor of a new platform, three persons; only while there is no member.

    From then on accounts and roles come through `create_member` and `assign_role` only.
    """
    names = {role: (usernames or {}).get(role, role.value) for role in FIRST_OFFICES}
    shown = {role: (display_names or {}).get(role, ROLE_TITLES[role][0]) for role in FIRST_OFFICES}
    with action(
        "platform.bootstrapped", platform_actor("bootstrap"), facts={"usernames": sorted(names.values())}
    ) as record:
        _lock("kernel.bootstrap")
        if Member.objects.exists():
            raise AlreadyBootstrapped("Ask the operator for an account.", hint_zh="请向运维员申请账户。")
        agency, _ = Agency.objects.get_or_create(
            code=agency_code, defaults={"name": _clean_name(agency_name), "name_en": agency_name_en}
        )
        created = {}
        for role in FIRST_OFFICES:
            row, password = _insert_member(names[role], shown[role], ROLE_TITLES[role][1], AgencyId(agency.id))
            RoleAssignment.objects.create(member=row, role=role.value, assigned_by=None)
            created[role] = MemberCreated(id=MemberId(row.id), username=row.username, first_password=password)
        return record.done(created)


# Systems and keys -------------------------------------------------------------------------------------------------
def create_system(actor: Actor, *, agency_id: AgencyId, name: str) -> SystemSummary:
    """Register a machine client. It can do nothing until the security officer issues a key and an owner grants."""
    name = _clean_name(name)
    agency = get_agency(agency_id)
    with action("system.created", actor, Subject(kind="system", id=name, agency_id=agency.id, name=name)) as record:
        if System.objects.filter(agency_id=agency.id, name=name).exists():
            raise AlreadyThere("Choose another name.", hint_zh="请换一个名称。", name=name)
        row = System.objects.create(agency_id=agency.id, name=name)
        record.subject = Subject(kind="system", id=row.id, agency_id=agency.id, name=name)
        return record.done(_system_summary(row))


def get_system(system_id: SystemId) -> SystemSummary:
    row = System.objects.select_related("agency").filter(pk=system_id).first()
    if row is None:
        raise NotFound("There is no such system.", hint_zh="没有这个应用系统。", system=system_id)
    return _system_summary(row)


def find_systems(agency_id: AgencyId | None = None) -> list[SystemSummary]:
    rows = System.objects.select_related("agency").order_by("name")
    return [_system_summary(row) for row in (rows.filter(agency_id=agency_id) if agency_id else rows)]


def issue_system_key(actor: Actor, system_id: SystemId, *, days: int = SYSTEM_KEY_DAYS_DEFAULT) -> KeyIssued:
    """A new bearer token for a system. The event `system-key.issued` carries its digest to the serving store."""
    if not 1 <= days <= SYSTEM_KEY_DAYS_MAX:
        raise BadInput(
            f"A key may live from 1 to {SYSTEM_KEY_DAYS_MAX} days.",
            hint_zh=f"密钥有效期为 1 至 {SYSTEM_KEY_DAYS_MAX} 天。",
            days=days,
        )
    system = get_system(system_id)
    token = ids.new_token()
    expires_at = clock.now() + timedelta(days=days)
    facts = {"shown": token[:_SHOWN_CHARACTERS], "expires_at": clock.iso(expires_at), "days": days}
    with action("system-key.issued", actor, _system_subject(system), facts) as record:
        row = SystemKey.objects.create(
            system_id=system_id,
            token_sha256=token_digest(token),
            shown=token[:_SHOWN_CHARACTERS],
            created_by_id=actor.id,
            expires_at=expires_at,
        )
        record.facts["key"] = row.id
        record.event("system-key.issued", subject=f"system:{system_id}", payload={"key": row.id, "system": system_id})
        return record.done(
            KeyIssued(
                id=KeyId(row.id),
                system_id=system_id,
                token=token,
                token_sha256=row.token_sha256,
                expires_at=expires_at,
            )
        )


def revoke_system_key(actor: Actor, key_id: KeyId, *, reason: str) -> None:
    """End a key. It leaves the serving store (slot KEY_REVOCATIONS) before this commits: a crash fails closed."""
    key = SystemKey.objects.filter(pk=key_id).first()
    if key is None:
        raise NotFound("There is no such key.", hint_zh="没有这个密钥。", key=key_id)
    system = get_system(SystemId(key.system_id))
    facts = {"key": key.id, "shown": key.shown, "reason": reason}
    with action("system-key.revoked", actor, _system_subject(system), facts) as record:
        SystemKey.objects.filter(pk=key_id, revoked_at__isnull=True).update(revoked_at=clock.now())
        for revoke in KEY_REVOCATIONS.values():
            revoke(key.token_sha256)
        record.event("system-key.revoked", subject=f"system:{system.id}", payload={"key": key.id, "system": system.id})


def find_keys(system_id: SystemId) -> list[KeySummary]:
    return [
        KeySummary(
            id=KeyId(row.id),
            system_id=SystemId(row.system_id),
            shown=row.shown,
            created_at=row.created_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
            last_used_at=row.last_used_at,
        )
        for row in SystemKey.objects.filter(system_id=system_id).order_by("-created_at")
    ]


def find_active_keys(system_id: SystemId | None = None, *, hold: bool = False) -> list[ActiveKey]:
    """Every key that opens something now: what the serving store is filled and reconciled from.

    `hold` keeps them from being revoked until the caller's transaction ends.
    """
    rows = SystemKey.objects.select_related("system__agency").filter(
        revoked_at__isnull=True, expires_at__gt=clock.now()
    )
    if hold:
        rows = rows.select_for_update(of=("self",))
    return [
        ActiveKey(
            key_id=KeyId(row.id),
            token_sha256=row.token_sha256,
            system_id=SystemId(row.system_id),
            system_name=row.system.name,
            agency_id=AgencyId(row.system.agency_id),
            agency_name=row.system.agency.name,
            expires_at=row.expires_at,
        )
        for row in (rows.filter(system_id=system_id) if system_id else rows).order_by("id")
    ]


# Within -----------------------------------------------------------------------------------------------------------
def _insert_member(username: str, display_name: str, name_en: str, agency_id: AgencyId) -> tuple[Member, str]:
    if Member.objects.filter(username=username).exists():
        raise AlreadyThere("Choose another user name.", hint_zh="请换一个用户名。", username=username)
    password = ids.new_token("first")
    row = Member(username=username, display_name=display_name, name_en=name_en, agency_id=agency_id)
    row.set_password(password)
    row.save()
    return row, password


def _held_roles(member_id: str) -> list[Role]:
    rows = RoleAssignment.objects.filter(member_id=member_id, withdrawn_at__isnull=True).order_by("role")
    return [Role(role) for role in rows.values_list("role", flat=True)]


def _get_member(member_id: str) -> Member:
    row = Member.objects.select_related("agency").filter(pk=member_id).first()
    if row is None:
        raise NotFound("There is no such member.", hint_zh="没有这个人员。", member=member_id)
    return row


def _end_sessions(member_id: str) -> None:
    """Delete the member's web sessions; a bounded table, walked once."""
    for session in Session.objects.filter(expire_date__gt=clock.now()).iterator():
        data: dict[str, Any] = session.get_decoded()
        if data.get("_auth_user_id") == member_id:
            session.delete()


def _lock(name: str) -> None:
    """Hold a named lock until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def _clean_name(name: str) -> str:
    cleaned = " ".join(name.split())
    if not 1 <= len(cleaned) <= NAME_CHARACTERS_MAX:
        raise BadInput(
            f"Give a name of 1 to {NAME_CHARACTERS_MAX} characters.",
            hint_zh=f"名称须为 1 至 {NAME_CHARACTERS_MAX} 个字。",
            characters=len(cleaned),
        )
    return cleaned


def _member_subject(row: Member) -> Subject:
    return Subject(kind="member", id=row.id, agency_id=AgencyId(row.agency_id), name=row.display_name)


def _system_subject(system: SystemSummary) -> Subject:
    return Subject(kind="system", id=system.id, agency_id=system.agency_id, name=system.name)


def _agency_summary(row: Agency) -> AgencySummary:
    return AgencySummary(
        id=AgencyId(row.id),
        code=row.code,
        name=row.name,
        name_en=row.name_en,
        division_code=row.division_code,
        uscc=row.uscc,
        parent_id=AgencyId(row.parent_id) if row.parent_id else None,
    )


def _member_summary(row: Member) -> MemberSummary:
    return MemberSummary(
        id=MemberId(row.id),
        username=row.username,
        display_name=row.display_name,
        name_en=row.name_en,
        agency_id=AgencyId(row.agency_id),
        agency_name=row.agency.name,
        roles=tuple(_held_roles(row.id)),
        is_active=row.is_active,
        must_change_password=row.must_change_password,
        agency_name_en=row.agency.name_en,
    )


def _system_summary(row: System) -> SystemSummary:
    return SystemSummary(
        id=SystemId(row.id),
        name=row.name,
        agency_id=AgencyId(row.agency_id),
        agency_name=row.agency.name,
        agency_name_en=row.agency.name_en,
    )
