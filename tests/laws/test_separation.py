"""Administration, security and audit never meet in one person, and none of them can come to grant data.

Walks every pair of roles, and every declared verb with every role, against tables written by hand. A new verb needs a
line in `VERBS`. That the database refuses the same is tested in `datong/kernel/tests/test_identity.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, product

import pytest

from datong.kernel.action.service import action
from datong.kernel.contracts import ACTION_KINDS, ActionKind, Actor, Role, Subject, declare_action, platform_actor
from datong.kernel.failures import Failure, NotAllowed
from datong.kernel.identity import service as identity
from datong.kernel.identity.model import is_compatible
from datong.kernel.ids import MemberId
from datong.testing.cast import Cast, make_cast

APPROVER, AUDITOR, BUREAU = Role.APPROVER, Role.AUDITOR, Role.BUREAU
OPERATOR, SECURITY, STEWARD = Role.OPERATOR, Role.SECURITY, Role.STEWARD
NOBODY: frozenset[Role] = frozenset()

MEETING: frozenset[frozenset[Role]] = frozenset({frozenset({STEWARD, APPROVER}), frozenset({STEWARD, BUREAU})})
"""The only pairs that may meet in one person."""

OFFICES = frozenset({OPERATOR, SECURITY, AUDITOR})

VERBS: Mapping[str, frozenset[Role]] = {
    "action.refused": NOBODY,
    "agency.created": frozenset({OPERATOR}),
    "conformance.assessed": frozenset({STEWARD, BUREAU}),
    "authority.claimed": frozenset({STEWARD}),
    "authority.kept": frozenset({BUREAU}),
    "authority.moved": frozenset({BUREAU}),
    "authority.released": frozenset({STEWARD}),
    "authority.taken": frozenset({STEWARD}),
    "contract.applied": frozenset({STEWARD}),
    "contract.approved": frozenset({APPROVER}),
    "contract.draft-discarded": frozenset({STEWARD}),
    "contract.draft-saved": frozenset({STEWARD}),
    "contract.refused": frozenset({APPROVER}),
    "contract.submitted": frozenset({STEWARD}),
    "field.accepted": frozenset({STEWARD, APPROVER, BUREAU}),
    "field.disowned": frozenset({STEWARD}),
    "field.returned": frozenset({STEWARD, APPROVER, BUREAU}),
    "grant.notice-acknowledged": frozenset({STEWARD}),
    "grant.notice-objected": frozenset({STEWARD}),
    "grant.notice-sent": NOBODY,
    "grant.revocation-started": frozenset({APPROVER}),
    "grant.revoked": frozenset({APPROVER}),
    "member.created": frozenset({OPERATOR}),
    "member.deactivated": frozenset({OPERATOR}),
    "member.password-changed": NOBODY,
    "member.sign-in-failed": NOBODY,
    "member.signed-in": NOBODY,
    "platform.bootstrapped": NOBODY,
    "changes.read": frozenset({STEWARD, APPROVER}),
    "landed.expired": NOBODY,
    "quality.engine-run": frozenset({STEWARD}),
    "quality.order-closed": NOBODY,
    "quality.order-opened": NOBODY,
    "quality.order-overdue": NOBODY,
    "quality.order-withdrawn": frozenset({BUREAU}),
    "quality.reported": NOBODY,
    "quality.rows-read": frozenset({STEWARD, APPROVER}),
    "quality.waived": frozenset({APPROVER}),
    "quality.waiver-ended": frozenset({APPROVER}),
    "quarantine.exported": frozenset({STEWARD, APPROVER}),
    "run.blocked": NOBODY,
    "search.synonyms-added": frozenset({BUREAU}),
    "run.failure-closed": frozenset({STEWARD, APPROVER}),
    "run.given-up": frozenset({STEWARD, APPROVER}),
    "run.resumed": frozenset({STEWARD, APPROVER}),
    "request.approved": frozenset({APPROVER}),
    "request.refused": frozenset({APPROVER}),
    "request.submitted": frozenset({STEWARD}),
    "request.withdrawn": frozenset({STEWARD}),
    "role.assigned": frozenset({SECURITY}),
    "role.withdrawn": frozenset({SECURITY}),
    "run.failed": NOBODY,
    "run.finished": NOBODY,
    "run.started": frozenset({STEWARD}),
    "standard.imported": frozenset({BUREAU}),
    "source.case-noted": frozenset({STEWARD}),
    "source.changed": frozenset({STEWARD}),
    "source.created": frozenset({STEWARD}),
    "source.disabled": frozenset({STEWARD}),
    "source.enabled": frozenset({STEWARD}),
    "source.failed": NOBODY,
    "source.fetch-asked": frozenset({STEWARD}),
    "source.recovered": NOBODY,
    "source.removed": frozenset({STEWARD}),
    "source.tested": frozenset({STEWARD}),
    "system-key.issued": frozenset({SECURITY}),
    "system-key.revoked": frozenset({SECURITY}),
    "system.created": frozenset({OPERATOR}),
    "version.recorded": frozenset({STEWARD}),
}
"""Which roles may do what. Empty: only the platform's own jobs."""

OFFICE_VERBS = frozenset(
    {
        "agency.created",
        "member.created",
        "member.deactivated",
        "role.assigned",
        "role.withdrawn",
        "system-key.issued",
        "system-key.revoked",
        "system.created",
    }
)
"""All that the offices do. None of it touches data or a grant."""


def violations(verbs: Mapping[str, ActionKind]) -> list[str]:
    found = [f"{verb}: no line in VERBS" for verb in verbs if verb not in VERBS]
    found += [f"{verb}: in VERBS, but nobody declares it" for verb in VERBS if verb not in verbs]
    for verb, kind in verbs.items():
        if verb in VERBS and kind.roles != VERBS[verb]:
            found.append(f"{verb}: declared for {_names(kind.roles)}, not {_names(VERBS[verb])}")
        if kind.roles & OFFICES and verb not in OFFICE_VERBS:
            found.append(f"{verb}: an office may do it")
        if AUDITOR in kind.roles:
            found.append(f"{verb}: the auditor changes something")
        if verb in OFFICE_VERBS and len(kind.roles) != 1:
            found.append(f"{verb}: more than one office may do it")
        found += [
            f"{verb}: one person may assign roles and decide data"
            for one, other in product(kind.roles, VERBS["role.assigned"])
            if one not in OFFICES and is_compatible(one, other)
        ]
    return found


def _names(roles: frozenset[Role]) -> str:
    return ", ".join(sorted(role.value for role in roles)) or "nobody"


def test_every_pair_of_roles() -> None:
    for one, other in combinations(Role, 2):
        assert is_compatible(one, other) == (frozenset({one, other}) in MEETING), (one, other)
        assert is_compatible(other, one) == is_compatible(one, other)
    assert not any(pair & OFFICES for pair in MEETING)


def test_every_declared_verb_is_for_whom_the_table_says() -> None:
    kinds = dict(ACTION_KINDS.items())
    assert len(kinds) > 10
    found = violations(kinds)
    assert not found, "\n".join(found)


def test_planted_violations_are_caught() -> None:
    kinds = dict(ACTION_KINDS.items())

    def with_kind(verb: str, *roles: Role) -> list[str]:
        kind = ActionKind(verb=verb, sentence_zh="", sentence_en="", roles=frozenset(roles))
        return violations({**kinds, verb: kind})

    assert "request.approved: an office may do it" in with_kind("request.approved", APPROVER, OPERATOR)
    assert "role.assigned: declared for operator, security, not security" in with_kind(
        "role.assigned", SECURITY, OPERATOR
    )
    assert "audit.erased: no line in VERBS" in with_kind("audit.erased", STEWARD)
    assert "run.started: the auditor changes something" in with_kind("run.started", STEWARD, AUDITOR)


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def actors(cast: Cast) -> dict[Role, Actor]:
    names = {
        APPROVER: "psb.approver",
        AUDITOR: "auditor",
        BUREAU: "data.bureau",
        OPERATOR: "operator",
        SECURITY: "security",
        STEWARD: "psb.steward",
    }
    return {role: cast.actor(name) for role, name in names.items()}


def may(verb: str, actor: Actor, subject: Subject) -> bool:
    """Whether the action lets the actor in, whatever its further checks say."""
    try:
        with action(verb, actor, subject):
            raise _Undone
    except _Undone:
        return True
    except NotAllowed:
        return False


class _Undone(Failure):
    """Rolls the tried action back."""


def test_every_role_tries_every_verb(cast: Cast) -> None:
    subject = Subject(kind="thing", id="thing_1", agency_id=cast.agencies["psb"].id, name="一件事")
    tried = 0
    for verb, (role, actor) in product(VERBS, actors(cast).items()):
        kind = ACTION_KINDS.get(verb)
        if kind.check is None:
            assert may(verb, actor, subject) == (role in VERBS[verb]), (verb, role)
            tried += 1
    for verb, roles in VERBS.items():
        if ACTION_KINDS.get(verb).check is None:
            assert may(verb, platform_actor("job"), subject) == ACTION_KINDS.get(verb).platform
            assert ACTION_KINDS.get(verb).platform or roles, f"{verb}: nobody at all may do it"
    assert tried > 100


def test_no_officer_can_make_themselves_or_each_other_deciders_of_data(cast: Cast) -> None:
    """Every officer tries to give every role to every officer, and each to their own account."""
    people = actors(cast)
    refused = 0
    for giver, receiver, role in product(OFFICES, OFFICES, Role):
        try:
            identity.assign_role(people[giver], _member(people[receiver]), role)
        except NotAllowed:
            refused += 1
        assert identity.get_member(_member(people[receiver])).roles == (receiver,), (giver, receiver, role)
    assert refused >= len(OFFICES) ** 2 * len(Role) - len(OFFICES)


def _member(actor: Actor) -> MemberId:
    return MemberId(actor.id)


def test_a_verb_is_declared_once() -> None:
    with pytest.raises(RuntimeError, match="already filled"):
        declare_action(ActionKind(verb="role.assigned", sentence_zh="", sentence_en="", roles=frozenset(Role)))
