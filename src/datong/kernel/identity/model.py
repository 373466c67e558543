"""The rules of separation, as data and pure functions.

Administration (operator), security and audit never meet in one person, and none of them meets a role that handles
or decides data: GB/T 22239-2019 8.1.4.2 d) and 8.1.10 ask for the least privilege of administrators and for the
separation of system, audit and security administrators.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from datong.kernel.contracts import EVERY_AGENCY, ActionKind, Actor, Role, Scope, Subject

COMPATIBLE_ROLES: frozenset[frozenset[Role]] = frozenset(
    {
        frozenset({Role.STEWARD, Role.APPROVER}),
        frozenset({Role.STEWARD, Role.BUREAU}),
    }
)
"""Written by hand. Every pair that is not here is incompatible; migration 0002 holds the same list as a trigger."""

FIRST_OFFICES: tuple[Role, ...] = (Role.OPERATOR, Role.SECURITY, Role.AUDITOR)
"""The offices that a new platform fills before anybody can assign roles."""

AGENCY_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
USERNAME = re.compile(r"[a-z][a-z0-9._-]{1,63}")


def is_compatible(role: Role, other: Role) -> bool:
    """Whether both roles may be held by one person at one time."""
    return role == other or frozenset({role, other}) in COMPATIBLE_ROLES


def find_conflicts(held: Iterable[Role], wanted: Role) -> list[Role]:
    """The roles among `held` that forbid `wanted`."""
    return sorted(role for role in held if not is_compatible(role, wanted))


def agencies_of(agency_id: str, roles: frozenset[Role]) -> frozenset[str]:
    """Where a member's roles reach: the own agency; every agency for the bureau."""
    return frozenset({agency_id, EVERY_AGENCY}) if Role.BUREAU in roles else frozenset({agency_id})


def find_acting_role(kind: ActionKind, actor: Actor, subject: Subject | None) -> Role | None:
    """The role in which the actor may do this to this subject, or None: deny by default.

    With `Scope.OWN_AGENCY` the subject's agency must be the actor's own. Only the bureau's own role reaches into
    other agencies: a steward of the bureau is not thereby a steward of everybody's data.
    """
    for role in sorted(kind.roles & actor.roles):
        if kind.scope is Scope.ANY_AGENCY or role is Role.BUREAU:
            return role
        if subject is not None and subject.agency_id is not None and subject.agency_id == actor.agency_id:
            return role
    return None
