"""Who acts, as the database has it now."""

from __future__ import annotations

from django.db import connection

from datong.kernel.contracts import Actor, Role
from datong.kernel.failures import NotAllowed
from datong.kernel.identity.model import agencies_of
from datong.kernel.ids import AgencyId
from datong.kernel.store.models import System

_MEMBER = """
select kernel_member.display_name, kernel_member.name_en, kernel_agency.id, kernel_agency.name, kernel_agency.name_en
from kernel_member
join kernel_agency on kernel_agency.id = kernel_member.agency_id
where kernel_member.id = %s and kernel_member.is_active
"""
_ROLES = "select role from kernel_role_assignment where member_id = %s and withdrawn_at is null"


def read_member_actor(member_id: str, *, lock: bool = False) -> Actor | None:
    """The member with the roles held now; None when absent or inactive.

    `lock` shares the rows until the transaction ends: other actions of the member go on, a withdrawal of the role or
    a deactivation waits for this one.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MEMBER + (" for share of kernel_member" if lock else ""), [member_id])
        found = cursor.fetchone()
        if found is None:
            return None
        cursor.execute(_ROLES + (" for share" if lock else ""), [member_id])
        roles = frozenset(Role(role) for (role,) in cursor.fetchall())
    display_name, name_en, agency_id, agency_name, agency_name_en = found
    return Actor(
        kind="member",
        id=member_id,
        name=display_name,
        name_en=name_en,
        agency_id=AgencyId(agency_id),
        agency_name=agency_name,
        agency_name_en=agency_name_en,
        roles=roles,
        agency_ids=agencies_of(agency_id, roles),
    )


def read_system_actor(system_id: str) -> Actor | None:
    """A machine client. It holds no roles: on the control plane it may read what its agency may, and change nothing."""
    system = System.objects.select_related("agency").filter(pk=system_id).first()
    if system is None:
        return None
    return Actor(
        kind="system",
        id=system.id,
        name=system.name,
        agency_id=AgencyId(system.agency_id),
        agency_name=system.agency.name,
        agency_name_en=system.agency.name_en,
        agency_ids=frozenset({system.agency_id}),
    )


def read_actor_again(actor: Actor) -> Actor:
    """The actor of an action, re-read under lock. Platform jobs have no row and stay as they are."""
    if actor.kind == "member":
        fresh = read_member_actor(actor.id, lock=True)
    elif actor.kind == "system":
        fresh = read_system_actor(actor.id)
    else:
        return actor
    if fresh is None:
        raise NotAllowed(
            "The account is not active any more. Ask the operator of your platform.",
            hint_zh="该账户已停用，请联系运维员。",
            actor=actor.id,
        )
    return fresh
