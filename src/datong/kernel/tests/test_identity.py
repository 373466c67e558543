"""Separation of duties is enforced: by the service, and again by the database."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest
from django.db import connection, transaction

from datong.kernel import clock
from datong.kernel.contracts import Role
from datong.kernel.failures import BadInput, Failure, NotAllowed, NotFound
from datong.kernel.identity import service as identity
from datong.kernel.identity.contracts import (
    KEY_REVOCATIONS,
    AccountNotTakenOver,
    AlreadyBootstrapped,
    AlreadyThere,
    PasswordRefused,
    RoleForOneself,
    RolesIncompatible,
)
from datong.kernel.identity.model import COMPATIBLE_ROLES, is_compatible
from datong.kernel.ids import AgencyId, SystemId
from datong.kernel.store.models import AuditRow, Member, RoleAssignment, SystemKey
from datong.testing.cast import PASSWORD, Cast, add_member

PAIRS = [(one, other) for one, other in product(Role, Role) if one != other]


def test_the_offices_meet_nobody() -> None:
    for office in (Role.OPERATOR, Role.SECURITY, Role.AUDITOR):
        assert not any(office in pair for pair in COMPATIBLE_ROLES)
    assert len(PAIRS) == 30


@pytest.mark.parametrize(("held", "wanted"), PAIRS, ids=lambda role: role.value)
def test_every_pair_of_roles(cast: Cast, held: Role, wanted: Role) -> None:
    """Service and trigger agree with the hand-written list, in both orders."""
    security = cast.actor("security")
    member = add_member(cast.actor("operator"), security, cast.agencies["psb"], "pair", held)
    if is_compatible(held, wanted):
        identity.assign_role(security, member, wanted)
        assert set(identity.get_member(member).roles) == {held, wanted}
        return
    with pytest.raises(RolesIncompatible):
        identity.assign_role(security, member, wanted)
    with pytest.raises(Exception, match="may not meet"), transaction.atomic():
        RoleAssignment.objects.create(member_id=member, role=wanted.value, assigned_by_id=security.id)
    assert identity.get_member(member).roles == (held,)


def test_a_withdrawn_role_no_longer_conflicts(cast: Cast) -> None:
    security, member = cast.actor("security"), cast.members["psb.approver"]
    identity.withdraw_role(security, member, Role.APPROVER, reason="调整分工")
    identity.assign_role(security, member, Role.AUDITOR)
    assert identity.get_member(member).roles == (Role.AUDITOR,)
    with pytest.raises(NotFound):
        identity.withdraw_role(security, member, Role.APPROVER, reason="再收一次")


@pytest.mark.parametrize("who", ["operator", "auditor", "data.bureau", "psb.steward", "psb.approver", "psb.nobody"])
def test_only_security_assigns_roles_and_keys(cast: Cast, who: str) -> None:
    actor = cast.actor(who)
    with pytest.raises(NotAllowed):
        identity.assign_role(actor, cast.members["psb.nobody"], Role.STEWARD)
    with pytest.raises(NotAllowed):
        identity.withdraw_role(actor, cast.members["psb.steward"], Role.STEWARD, reason="越权")
    with pytest.raises(NotAllowed):
        identity.issue_system_key(actor, cast.system.id)
    with pytest.raises(NotAllowed):
        identity.revoke_system_key(actor, cast.key.id, reason="越权")
    assert AuditRow.objects.filter(verb="action.refused", actor_id=actor.id).count() == 4


@pytest.mark.parametrize("who", ["security", "auditor", "data.bureau", "psb.steward", "psb.approver"])
def test_only_the_operator_makes_accounts(cast: Cast, who: str) -> None:
    actor = cast.actor(who)
    agency = cast.agencies["psb"].id
    with pytest.raises(NotAllowed):
        identity.create_member(actor, username="ghost", display_name="影子", agency_id=agency)
    with pytest.raises(NotAllowed):
        identity.create_agency(actor, code="ghost", name="影子局")
    with pytest.raises(NotAllowed):
        identity.create_system(actor, agency_id=agency, name="影子系统")
    with pytest.raises(NotAllowed):
        identity.deactivate_member(actor, cast.members["psb.nobody"], reason="越权")


def test_nobody_assigns_a_role_to_themselves(cast: Cast) -> None:
    security = cast.actor("security")
    with pytest.raises(RoleForOneself):
        identity.assign_role(security, cast.members["security"], Role.STEWARD)
    with pytest.raises(Exception, match=r"themselves|may not meet|role_not_by_oneself"), transaction.atomic():
        RoleAssignment.objects.create(member_id=security.id, role="steward", assigned_by_id=security.id)


def test_raw_sql_cannot_assign_without_a_security_officer(cast: Cast) -> None:
    nobody = cast.members["psb.nobody"]
    for by in (cast.members["operator"], cast.members["psb.approver"], None):
        with pytest.raises(Exception, match=r"security officer|by nobody"), transaction.atomic():
            RoleAssignment.objects.create(member_id=nobody, role="steward", assigned_by_id=by)
    for statement in (
        "update kernel_role_assignment set role = 'approver' where role = 'operator'",
        "update kernel_role_assignment set member_id = %s where role = 'security'",
        "delete from kernel_role_assignment",
    ):
        with pytest.raises(Exception, match=r"only be withdrawn|never deleted"), transaction.atomic():  # noqa: SIM117
            with connection.cursor() as cursor:
                cursor.execute(statement, [nobody] if "%s" in statement else None)


def test_the_trigger_is_what_refuses(cast: Cast) -> None:
    """The planted violation: without the trigger, raw SQL would join operator and approver in one person."""
    with connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")
        cursor.execute("alter table kernel_role_assignment disable trigger user")
    RoleAssignment.objects.create(member_id=cast.members["operator"], role="approver", assigned_by_id=None)
    held = identity.get_member(cast.members["operator"]).roles
    assert not all(is_compatible(one, other) for one, other in product(held, held))


def test_a_role_waits_until_the_member_owns_the_account(cast: Cast) -> None:
    """Who made the account knows its first password, and must not come to act in the member's role."""
    operator, security = cast.actor("operator"), cast.actor("security")
    created = identity.create_member(operator, username="new", display_name="新来的", agency_id=cast.agencies["psb"].id)
    assert created.first_password not in repr(created)
    with pytest.raises(AccountNotTakenOver):
        identity.assign_role(security, created.id, Role.STEWARD)
    with pytest.raises(PasswordRefused):
        identity.change_password(created.id, current="wrong", new=PASSWORD)
    for weak in ("short", "12345678901234", "password123"):
        with pytest.raises(PasswordRefused):
            identity.change_password(created.id, current=created.first_password, new=weak)
    identity.change_password(created.id, current=created.first_password, new=PASSWORD)
    identity.assign_role(security, created.id, Role.STEWARD)
    stored = Member.objects.get(pk=created.id)
    assert stored.password.startswith("argon2$argon2id$")
    assert stored.check_password(PASSWORD)
    assert AuditRow.objects.filter(verb="member.password-changed", subject_id=created.id).count() == 1


def test_no_service_sets_another_members_password() -> None:
    import inspect

    setters = [
        name
        for name, function in inspect.getmembers(identity, inspect.isfunction)
        if function.__module__ == identity.__name__ and "set_password" in inspect.getsource(function)
    ]
    assert sorted(setters) == ["_insert_member", "change_password"]
    assert "current" in inspect.signature(identity.change_password).parameters


def test_bootstrap_works_once(cast: Cast) -> None:
    officers = {cast.members[role] for role in ("operator", "security", "auditor")}
    assert len(officers) == 3
    with pytest.raises(AlreadyBootstrapped):
        identity.create_first_officers(agency_code="again", agency_name="再来一次")


def test_tokens_are_stored_as_digests_and_end(cast: Cast) -> None:
    token = cast.key.token
    stored = SystemKey.objects.get(pk=cast.key.id)
    with connection.cursor() as cursor:
        cursor.execute("select k::text from kernel_system_key k")
        assert not any(token in line for (line,) in cursor.fetchall())
    assert not any(token in str(row.facts) for row in AuditRow.objects.all())
    assert len(stored.token_sha256) == 64
    actor = identity.actor_of_token(token)
    assert actor is not None
    assert (actor.kind, actor.id, actor.roles) == ("system", cast.system.id, frozenset())
    assert identity.actor_of_token(token + "x") is None
    with clock.use_clock(stored.expires_at + timedelta(seconds=1)):
        assert identity.actor_of_token(token) is None
    assert [key.token_sha256 for key in identity.find_active_keys()] == [stored.token_sha256]
    revoked: list[str] = []
    with KEY_REVOCATIONS.filled_with("test", revoked.append):
        identity.revoke_system_key(cast.actor("security"), cast.key.id, reason="设备遗失")
    assert revoked == [stored.token_sha256]
    assert identity.actor_of_token(token) is None
    assert identity.find_active_keys() == []


def test_a_revocation_that_cannot_reach_the_serving_store_does_not_commit(cast: Cast) -> None:
    def refuse(_digest: str) -> None:
        raise BadInput("planted")

    with KEY_REVOCATIONS.filled_with("test", refuse), pytest.raises(BadInput):
        identity.revoke_system_key(cast.actor("security"), cast.key.id, reason="设备遗失")
    assert identity.actor_of_token(cast.key.token) is not None


@pytest.mark.parametrize(
    ("call", "failure"),
    [
        (lambda c: identity.create_agency(c.actor("operator"), code="PSB!", name="x"), BadInput),
        (lambda c: identity.create_agency(c.actor("operator"), code="psb", name="市公安局"), AlreadyThere),
        (lambda c: identity.create_agency(c.actor("operator"), code="x", name="  "), BadInput),
        (
            lambda c: identity.create_agency(c.actor("operator"), code="x", name="局", parent_id=AgencyId("ag_no")),
            NotFound,
        ),
        (lambda c: identity.get_agency("nowhere"), NotFound),
        (lambda c: identity.get_member("nobody"), NotFound),
        (lambda c: identity.issue_system_key(c.actor("security"), c.system.id, days=0), BadInput),
        (lambda c: identity.issue_system_key(c.actor("security"), SystemId("sys_no")), NotFound),
        (
            lambda c: identity.create_member(
                c.actor("operator"), username="psb.steward", display_name="重名", agency_id=c.agencies["psb"].id
            ),
            AlreadyThere,
        ),
    ],
)
def test_bad_input_is_a_clear_failure(cast: Cast, call: object, failure: type[Failure]) -> None:
    with pytest.raises(failure) as caught:
        call(cast)  # type: ignore[operator]
    assert caught.value.hint
    assert caught.value.hint_zh
