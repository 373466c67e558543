"""Grants: made by an approval, ended by a revocation.

A revocation is three steps, so that every crash fails closed (docs/explanation/commit-protocols.md):
`revoking` is committed; the grant leaves the serving store and the gateway has seen so; `revoked` is committed.
`finish_revocations` completes those that a crash left half-way.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from datong.cases.model import require_reason
from datong.catalog import service as catalog
from datong.catalog.lineage.contracts import Dataset, Impact
from datong.catalog.lineage.service import forget_lineage, record_lineage
from datong.catalog.odcs import Mask
from datong.exchange import model
from datong.exchange.contracts import GrantTerms
from datong.exchange.lineage import grant_job, granted_columns
from datong.exchange.requests import (
    GrantNotActive,
    GrantNotFound,
    GrantState,
    GrantTampered,
    GrantView,
    RequestDraft,
    RevocationUnconfirmed,
)
from datong.exchange.serving.acknowledge import wait_acknowledged
from datong.exchange.serving.compile import open_writer
from datong.exchange.sight import SEE
from datong.exchange.store.models import Grant, Request
from datong.kernel import clock, ids
from datong.kernel.action.service import ActionRecord, action
from datong.kernel.config import load_settings
from datong.kernel.contracts import Actor, Subject, platform_actor
from datong.kernel.faults import fault_point
from datong.kernel.identity.service import find_english_names
from datong.kernel.ids import AgencyId, GrantId, RequestId, ResourceId, SystemId
from datong.kernel.limits import PAGE_ROWS_MAX
from datong.kernel.numbers.service import next_number
from datong.kernel.policy import service as policy

log = logging.getLogger("datong.exchange")

REVOCATION_STARTED, REVOKED = "grant.revocation-started", "grant.revoked"
_RELATED = ("resource", "owner_agency", "agency", "system", "request")


def create_grant(request: Request, draft: RequestDraft, actor: Actor, record: ActionRecord) -> Grant:
    """The grant that an approval makes, inside its action; it is served after the commit."""
    contract = catalog.get_contract(ResourceId(request.resource_id))
    masks = {column.name: column.mask.value for column in contract.columns if column.mask is not Mask.NONE}
    grant_id, number, now = GrantId(ids.new_id("grant")), next_number("G"), clock.now()
    terms = model.terms_of(draft, grant_id=grant_id, number=number, masks=masks, valid_from=now)
    grant = Grant.objects.create(
        id=grant_id,
        number=number,
        request=request,
        resource_id=request.resource_id,
        owner_agency_id=request.owner_agency_id,
        agency_id=request.agency_id,
        system_id=request.system_id,
        purpose=draft.purpose,
        purpose_title=draft.purpose_title,
        legal_basis=draft.legal_basis,
        terms=asdict(terms),
        digest=terms.digest,
        policy_digest=terms.policy_digest,
        valid_from=now,
        valid_until=model.end_of_civil_day(draft.valid_until),
        approved_by=actor.id,
        approved_by_name=actor.name,
        operation_id=record.operation_id,
    )
    record.facts.update(
        grant=number,
        grant_id=grant_id,
        digest=terms.digest,
        columns=[f"{c.name}:{c.treatment.value}" for c in terms.columns],
        modes=[mode.value for mode in terms.modes],
        purpose=draft.purpose,
        valid_until=draft.valid_until.isoformat(),
    )
    source = Dataset(name=contract.id, title_zh=contract.title_zh, title_en=contract.title_en)
    types = {column.name: column.logical_type.value for column in contract.columns}
    record_lineage(grant_job(number), grant_id, [granted_columns(terms, source, types)])
    payload = {"grant": grant_id, "resource": request.resource_id}
    record.event("grant.approved", subject=f"grant:{grant_id}", payload=payload)
    return grant


def revoke_grant(actor: Actor, grant_id: GrantId, reason: str) -> GrantView:
    """End a grant: the next call under it is refused.

    Raises GrantNotActive, ReasonNeeded, NotAllowed, GrantNotFound, RevocationUnconfirmed (the worker goes on then).
    """
    grant = _find(grant_id)
    facts = {"grant": grant.number, "reason": reason.strip()}
    with action(REVOCATION_STARTED, actor, _subject(grant), facts=facts):
        reason = require_reason(reason)
        locked = Grant.objects.select_for_update().get(pk=grant.pk)
        if locked.state != GrantState.ACTIVE:
            raise GrantNotActive(
                f"It is {locked.state}.", hint_zh="该授权已撤销或正在撤销。", grant=locked.number, state=locked.state
            )
        locked.state = GrantState.REVOKING
        locked.revoked_reason = reason
        locked.revoked_by, locked.revoked_by_name = actor.id, actor.name
        locked.save(update_fields=["state", "revoked_reason", "revoked_by", "revoked_by_name"])
    fault_point("exchange.revocation-started")
    _finish_revocation(grant_id, actor)
    return get_view(grant_id)


def finish_revocations() -> int:
    """Complete the revocations that a crash left half-way; gives how many."""
    finished = 0
    for grant_id in list(Grant.objects.filter(state=GrantState.REVOKING).values_list("pk", flat=True)):
        try:
            finished += _finish_revocation(GrantId(grant_id), platform_actor("worker"))
        except RevocationUnconfirmed as unconfirmed:
            log.warning("%s: %s", unconfirmed.title, unconfirmed.facts["grant"])
    return finished


def _finish_revocation(grant_id: GrantId, actor: Actor) -> bool:
    """Steps 2 and 3. False: another process has finished it meanwhile, and its audit row is the only one."""
    grant = _find(grant_id)
    settings = load_settings()
    txn_id = open_writer(settings).remove_grant(
        _revocable_terms(grant), revoked_at_ms=clock.epoch_ms(), reason=grant.revoked_reason
    )
    fault_point("exchange.grant-left-serving-store")
    if not wait_acknowledged(settings.socket("gateway"), txn_id):
        raise RevocationUnconfirmed(grant=grant.number)
    facts = {"grant": grant.number, "reason": grant.revoked_reason}
    with transaction.atomic():
        locked = Grant.objects.select_for_update().get(pk=grant.pk)
        if locked.state != GrantState.REVOKING:
            return False
        with action(REVOKED, actor, _subject(grant), facts=facts) as record:
            locked.state, locked.revoked_at = GrantState.REVOKED, clock.now()
            forget_lineage(grant_job(locked.number))
            locked.save(update_fields=["state", "revoked_at"])
            payload = {"grant": grant.pk, "resource": grant.resource_id}
            record.event("grant.revoked", subject=f"grant:{grant.pk}", payload=payload)
    return True


def _revocable_terms(grant: Grant) -> GrantTerms:
    """The stored terms under the row's own ids: whoever altered the terms cannot move the tombstone elsewhere."""
    terms = model.terms_from_plain(grant.terms)
    return replace(terms, grant_id=grant.pk, system_id=grant.system_id, resource_id=grant.resource_id)


def get_grant(actor: Actor, grant_id: GrantId) -> GrantView:
    grant = _find(grant_id)
    if not policy.explain(actor, SEE, "grant", grant.pk).allowed:
        raise GrantNotFound(id=grant_id)
    return _view(grant)


def get_view(grant_id: GrantId) -> GrantView:
    """A grant without asking who looks: for the platform's own steps."""
    return _view(_find(grant_id))


def get_terms(grant_id: GrantId) -> GrantTerms:
    grant = _find(grant_id)
    return model.checked_terms(grant.terms, grant.digest)


def find_grants(actor: Actor, *, resource_id: ResourceId | None = None) -> list[GrantView]:
    """Grants that the actor's agency gave or holds; all of them for bureau and auditor. Newest first.

    One whose terms were altered is left out and logged: `get_grant` says so by GrantTampered.
    """
    rows = policy.keep_allowed(_rows(), actor, SEE, "grant")
    if resource_id:
        rows = rows.filter(resource_id=resource_id)
    found = list(rows.order_by("-approved_at")[:PAGE_ROWS_MAX])
    english = find_english_names(name for row in found for name in (row.approved_by, row.revoked_by))
    return [view for row in found if (view := _view_unless_altered(row, english))]


def find_grant_impacts(actor: Actor, resource_id: str, columns: Sequence[str]) -> list[Impact]:
    """Grants in force that carry these columns, as far as the actor may see them: what a change would take away."""
    impacts = []
    for grant in find_grants(actor, resource_id=ResourceId(resource_id)):
        carried = tuple(column.name for column in grant.columns if column.name in columns)
        if grant.state is GrantState.ACTIVE and not grant.is_expired and carried:
            impacts.append(
                Impact(
                    kind_zh="授权",
                    kind_en="Grant",
                    title_zh=f"{grant.number}·{grant.agency_name}·{grant.system_name}",
                    title_en=f"{grant.number}: {grant.agency_name_en or grant.agency_name}",
                    address=f"/exchange/grants/{grant.id}/",
                    columns=carried,
                )
            )
    return impacts


def holds_grant(actor: Actor, resource_id: str) -> bool:
    """Whether the actor's agency holds a grant of the resource that is in force: it may read its quality reports."""
    if not actor.is_member or actor.agency_id is None:
        return False
    now = clock.now()
    return Grant.objects.filter(
        agency_id=actor.agency_id, resource_id=resource_id, state="active", valid_from__lte=now, valid_until__gt=now
    ).exists()


def _rows() -> QuerySet[Grant, Any]:
    return Grant.objects.select_related(*_RELATED)


def _find(grant_id: GrantId) -> Grant:
    grant: Grant | None = _rows().filter(pk=grant_id).first()
    if grant is None:
        raise GrantNotFound(id=grant_id)
    return grant


def _subject(grant: Grant) -> Subject:
    return Subject(kind="grant", id=grant.pk, agency_id=AgencyId(grant.owner_agency_id), name=grant.number)


def _view_unless_altered(grant: Grant, english: Mapping[str, str]) -> GrantView | None:
    try:
        return _view(grant, english)
    except GrantTampered:
        log.error("grant %s: its stored terms were altered", grant.number)
        return None


def _view(grant: Grant, english: Mapping[str, str] | None = None) -> GrantView:
    """`english` are the members' English names, where they are known already."""
    if english is None:
        english = find_english_names([grant.approved_by, grant.revoked_by])
    terms = model.checked_terms(grant.terms, grant.digest)
    return GrantView(
        id=GrantId(grant.id),
        number=grant.number,
        request_id=RequestId(grant.request_id),
        request_number=grant.request.number,
        resource_id=ResourceId(grant.resource_id),
        resource_title=grant.resource.title_zh,
        owner_agency_id=AgencyId(grant.owner_agency_id),
        owner_agency_name=grant.owner_agency.name,
        agency_id=AgencyId(grant.agency_id),
        agency_name=grant.agency.name,
        system_id=SystemId(grant.system_id),
        system_name=grant.system.name,
        modes=terms.modes,
        columns=terms.columns,
        rows=terms.rows,
        purpose=grant.purpose,
        purpose_title=grant.purpose_title,
        legal_basis=grant.legal_basis,
        valid_from=grant.valid_from,
        valid_until=grant.valid_until,
        rate_per_minute=terms.rate_per_minute,
        daily_cap=terms.daily_cap,
        state=GrantState(grant.state),
        is_expired=clock.now() >= grant.valid_until,
        digest=grant.digest,
        approved_by=grant.approved_by_name,
        approved_at=grant.approved_at,
        operation_id=grant.operation_id,
        served_at=grant.served_at,
        revoked_at=grant.revoked_at,
        revoked_by=grant.revoked_by_name,
        revoked_reason=grant.revoked_reason,
        resource_title_en=grant.resource.title_en,
        owner_agency_name_en=grant.owner_agency.name_en,
        agency_name_en=grant.agency.name_en,
        approved_by_en=english.get(grant.approved_by, ""),
        revoked_by_en=english.get(grant.revoked_by, ""),
    )
