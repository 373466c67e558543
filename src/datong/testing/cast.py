"""The people and systems of a test: officers, agencies with steward and approver each, the bureau, one system.

Everything is made by the kernel's own services; only the password hashing is a quick one, because a test makes many
accounts. Sign in with `client.force_login(cast.user("psb.steward"))`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.test.utils import override_settings

from datong.kernel.contracts import Actor, Role
from datong.kernel.identity import service as identity
from datong.kernel.identity.contracts import AgencySummary, KeyIssued, SystemSummary
from datong.kernel.ids import MemberId
from datong.kernel.store.models import Member

AGENCIES: Mapping[str, tuple[str, str]] = {
    "psb": ("市公安局", "Public Security Bureau"),
    "amr": ("市市场监管局", "Market Regulation Bureau"),
    "hrss": ("市人力资源和社会保障局", "Human Resources and Social Security Bureau"),
}
PASSWORD = "a test account's own password"  # noqa: S105 - of accounts that live as long as a test


def quick_passwords() -> override_settings:
    """Cheap hashing for the length of a block."""
    return override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])


@dataclass(kw_only=True)
class Cast:
    """Who there is. Members are named `agency.role` (`psb.steward`); officers by their role alone."""

    agencies: dict[str, AgencySummary] = field(default_factory=dict)
    members: dict[str, MemberId] = field(default_factory=dict)
    system: SystemSummary
    key: KeyIssued
    """A live key of `system`, the system of the agency `hrss`."""

    def actor(self, name: str) -> Actor:
        """The member as an actor, with the roles held now."""
        return identity.actor_of_member(self.members[name])

    def user(self, name: str) -> Member:
        return Member.objects.get(pk=self.members[name])


def make_cast(agencies: Mapping[str, tuple[str, str]] = AGENCIES) -> Cast:
    """Officers and the bureau in the agency `data`; elsewhere a steward, an approver and one without a role."""
    with quick_passwords():
        officers = identity.create_first_officers(
            agency_code="data", agency_name="市数据局", agency_name_en="Data Bureau"
        )
        for created in officers.values():
            identity.change_password(created.id, current=created.first_password, new=PASSWORD)
        operator = identity.actor_of_member(officers[Role.OPERATOR].id)
        security = identity.actor_of_member(officers[Role.SECURITY].id)
        made = {"data": identity.get_agency("data")}
        for code, (name, name_en) in agencies.items():
            made[code] = identity.create_agency(operator, code=code, name=name, name_en=name_en)
        members = {role.value: created.id for role, created in officers.items()}
        wanted = [("data", Role.BUREAU), *[(c, r) for c in agencies for r in (Role.STEWARD, Role.APPROVER, None)]]
        for code, role in wanted:
            name = f"{code}.{role.value if role else 'nobody'}"
            members[name] = add_member(operator, security, made[code], name, *([role] if role else []))
        home = made.get("hrss") or made["data"]
        system = identity.create_system(operator, agency_id=home.id, name="社会保险经办系统")
        key = identity.issue_system_key(security, system.id)
    return Cast(agencies=made, members=members, system=system, key=key)


def add_member(
    operator: Actor, security: Actor, agency: AgencySummary, username: str, *roles: Role, quick: bool = True
) -> MemberId:
    """An account as it comes about in life: made by the operator, taken over by its owner, given roles by security."""
    hashing = quick_passwords() if quick else override_settings()
    with hashing:
        created = identity.create_member(
            operator, username=username, display_name=f"{agency.name}·{username}", agency_id=agency.id
        )
        identity.change_password(created.id, current=created.first_password, new=PASSWORD)
    for role in roles:
        identity.assign_role(security, created.id, role)
    return created.id
