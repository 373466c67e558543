"""The decision: may this system, for this purpose and in this mode, touch these columns now? Pure, microseconds.

A system may hold several grants for one resource. The first that allows the ask decides; when none does, the refusal
that came closest to allowing it is given, because it tells the caller what is missing.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import UTC, datetime

import msgspec

from datong.exchange.contracts import (
    ColumnNotGranted,
    GrantEntry,
    GrantExpired,
    GrantNotYetValid,
    GrantRevoked,
    Mode,
    ModeNotGranted,
    NoGrant,
    PurposeNotGranted,
    Refusal,
)
from datong.kernel.clock import iso


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a system wants to do. `columns` are those it names; batch names none and gets what the grant has."""

    resource_id: str
    mode: Mode
    purpose: str
    columns: tuple[str, ...]
    now_ms: int


def decide(grants: Sequence[GrantEntry], ask: Ask) -> GrantEntry:
    """The grant that allows the ask. Raises the Refusal that says why none does; NoGrant when there is none at all."""
    closest: tuple[int, Refusal] | None = None
    for grant in grants:
        failed = _find_failed_step(grant, ask)
        if failed is None:
            return grant
        if closest is None or failed[0] > closest[0]:
            closest = failed
    raise closest[1] if closest else NoGrant(resource=ask.resource_id)


def _find_failed_step(grant: GrantEntry, ask: Ask) -> tuple[int, Refusal] | None:  # noqa: PLR0911 - one return a rule
    """The step at which this grant refuses, numbered by how close it came, and None when it allows."""
    terms = grant.terms
    if grant.revoked_at_ms is not None:
        at = _instant(grant.revoked_at_ms)
        return 0, GrantRevoked(terms, revoked_at=at, reason=grant.revoked_reason)
    if ask.now_ms >= terms.valid_until_ms:
        return 1, GrantExpired(terms, expired_at=_instant(terms.valid_until_ms))
    if ask.now_ms < terms.valid_from_ms:
        return 2, GrantNotYetValid(terms, valid_from=_instant(terms.valid_from_ms))
    if ask.mode not in terms.modes:
        return 3, ModeNotGranted(terms, mode=ask.mode)
    if ask.purpose != terms.purpose:
        return 4, PurposeNotGranted(terms, purpose=ask.purpose)
    missing = find_missing(ask.columns, grant.comparable)
    if missing:
        return 5, ColumnNotGranted(terms, columns=missing, granted=grant.comparable)
    return None


def find_missing(columns: Sequence[str], granted: Container[str]) -> tuple[str, ...]:
    """The columns that are not granted, in their order. Nearly always none, and then without building anything."""
    for column in columns:
        if column not in granted:
            return tuple([c for c in columns if c not in granted])
    return ()


def _instant(instant_ms: int) -> str:
    return iso(datetime.fromtimestamp(instant_ms / 1000, UTC))
