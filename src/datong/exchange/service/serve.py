"""What the data plane obeys: putting grants, keys, keyed rows and files into the serving store, and keeping it true.

PostgreSQL decides, the serving store obeys. Every function here may be repeated: it reads what was decided, and makes
the store say that.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from django.db import transaction
from django.db.models import QuerySet

from datong.catalog import service as catalog
from datong.catalog.odcs import Column, DataContract, Validity
from datong.exchange import bulk, model
from datong.exchange.contracts import GrantTerms, Mode, ResourceEntry, ServedColumn, SystemEntry
from datong.exchange.requests import GrantState, GrantTampered
from datong.exchange.serving.compile import ServingWriter, open_writer
from datong.exchange.store.models import Grant
from datong.kernel import clock
from datong.kernel.config import Settings, load_settings
from datong.kernel.failures import Failure, Misconfigured
from datong.kernel.faults import fault_point
from datong.kernel.identity import service as identity
from datong.kernel.identity.contracts import ActiveKey
from datong.kernel.ids import GrantId, ResourceId, SystemId
from datong.lake import service as lake
from datong.lake.contracts import VersionView

log = logging.getLogger("datong.exchange")


def serve_grant(grant_id: GrantId) -> bool:
    """Let a grant in, while its row is locked and only if it is still active. False when it is not, or no more.

    Raises GrantTampered.
    """
    writer = open_writer(load_settings())
    with transaction.atomic():
        grant = Grant.objects.select_for_update().filter(pk=grant_id, state=GrantState.ACTIVE).first()
        if grant is None:
            return False
        served = writer.put_grant(model.checked_terms(grant.terms, grant.digest))
        fault_point("exchange.grant-in-serving-store")
        if served and grant.served_at is None:
            grant.served_at = clock.now()
            grant.save(update_fields=["served_at"])
        return served


def serve_keys(system_id: SystemId | None = None) -> int:
    """Let in every key that opens something now, of one system or of all; gives how many.

    The keys' rows are held meanwhile: a key whose revocation has begun cannot come back in.
    """
    writer = open_writer(load_settings())
    with transaction.atomic():
        keys = identity.find_active_keys(system_id, hold=True)
        for key in keys:
            writer.put_system(bytes.fromhex(key.token_sha256), _system_entry(key))
    return len(keys)


def serve_resource(resource_id: ResourceId) -> int:
    """Serve the newest version under the grants in force: keyed rows for verify, one file per policy for batch.

    What no grant in force needs is deleted; what is there already is not made again. One policy that cannot be made
    keeps none of the others back: its failure is raised at the end. Gives the number of rows served for verify.
    """
    settings = load_settings()
    writer = open_writer(settings)
    with _only_server_of(settings, resource_id):
        version = lake.current_version(resource_id)
        grants = _find_terms_in_force(resource_id)
        _remove_unneeded(settings, writer, resource_id, grants)
        if version is None or not grants:
            return 0
        contract = catalog.get_contract(resource_id)
        entry = _describe(writer, contract)
        count, failures = 0, []
        if any(Mode.VERIFY in terms.modes for terms in grants) and entry.key_columns:
            try:
                count = _serve_rows(writer, entry, contract, version)
            except Failure as failure:
                failures.append(failure)
        for terms in {t.policy_digest: t for t in grants if Mode.BATCH in t.modes}.values():
            try:
                _materialise(settings, writer, terms, contract, version)
            except Failure as failure:
                failures.append(failure)
        if failures:
            raise failures[0]
        return count


def is_served(grant_id: GrantId) -> bool:
    """Whether every mode of a grant answers now: the grant is in, its rows and files are made."""
    grant = Grant.objects.get(pk=grant_id)
    terms = model.terms_from_plain(grant.terms)
    with open_writer(load_settings()).read() as reader:
        resource = reader.find_resource(terms.resource_id)
        has_rows = resource is not None and resource.generation > 0
        has_files = bool(reader.find_files(terms.policy_digest))
    return (
        grant.served_at is not None
        and (Mode.VERIFY not in terms.modes or has_rows)
        and (Mode.BATCH not in terms.modes or has_files)
    )


def reconcile_serving() -> dict[str, int]:
    """Make the serving store say what PostgreSQL decided; gives what had to be mended.

    A grant or key that is active and not served comes in; one that is served and not active goes out; rows and files
    of grants that have ended are deleted. A grant whose terms were altered never comes in.
    """
    writer = open_writer(load_settings())
    with writer.read() as reader:
        served = {entry.terms.grant_id: entry for entry in reader.all_grants() if entry.revoked_at_ms is None}
        served_tokens = reader.all_token_digests()
    active = dict(Grant.objects.filter(state=GrantState.ACTIVE).values_list("pk", "digest"))
    put = tampered = 0
    for grant_id, digest in sorted(active.items()):
        if grant_id in served and served[grant_id].digest == digest:
            continue
        try:
            put += serve_grant(GrantId(grant_id))
        except GrantTampered as failure:
            log.error("grant %s: its stored terms were altered", failure.facts["grant"])
            tampered += 1
    gone = sorted(set(served) - set(active))
    for grant_id in gone:
        row = Grant.objects.filter(pk=grant_id).first()
        reason = row.revoked_reason if row else ""
        writer.remove_grant(served[grant_id].terms, revoked_at_ms=clock.epoch_ms(), reason=reason)
    keys_put, keys_removed = _reconcile_keys(writer, served_tokens)
    ended = _find_resources_to_clear()
    for resource_id in ended:
        serve_resource(resource_id)
    return {
        "grants_put": put,
        "grants_removed": len(gone),
        "grants_tampered": tampered,
        "keys_put": keys_put,
        "keys_removed": keys_removed,
        "resources_cleared": len(ended),
    }


def _reconcile_keys(writer: ServingWriter, served: set[bytes]) -> tuple[int, int]:
    """(put, removed). `served` was read before the keys, so one issued meanwhile is never taken for a stranger."""
    with transaction.atomic():
        keys = {bytes.fromhex(key.token_sha256): key for key in identity.find_active_keys(hold=True)}
        for digest in set(keys) - served:
            writer.put_system(digest, _system_entry(keys[digest]))
    for digest in served - set(keys):
        writer.remove_token(digest)
    return len(set(keys) - served), len(served - set(keys))


def _find_in_force() -> QuerySet[Grant]:
    return Grant.objects.filter(state=GrantState.ACTIVE, valid_until__gt=clock.now())


def _find_terms_in_force(resource_id: ResourceId) -> list[GrantTerms]:
    """Terms of the grants that let something be read now; altered ones are left out and logged."""
    found = []
    for grant in _find_in_force().filter(resource=resource_id).order_by("pk"):
        try:
            found.append(model.checked_terms(grant.terms, grant.digest))
        except GrantTampered:
            log.error("grant %s: its stored terms were altered", grant.number)
    return found


def _find_resources_to_clear() -> list[ResourceId]:
    """Resources that still have rows or files which no grant in force needs: grants expire without an event."""
    settings = load_settings()
    made = {path.name for path in settings.bulk_dir.iterdir()} if settings.bulk_dir.exists() else set()
    in_force = _find_in_force()
    needed = set(in_force.values_list("policy_digest", flat=True))
    left = set(Grant.objects.filter(policy_digest__in=made - needed).values_list("resource_id", flat=True))
    verifiable = {row.resource_id for row in in_force.only("resource_id", "terms") if Mode.VERIFY in row.terms["modes"]}
    with open_writer(settings).read() as reader:
        for resource_id in (
            Grant.objects.exclude(resource__in=verifiable).values_list("resource_id", flat=True).distinct()
        ):
            served = reader.find_resource(resource_id)
            if served is not None and served.generation:
                left.add(resource_id)
    return sorted(map(ResourceId, left))


def _remove_unneeded(
    settings: Settings, writer: ServingWriter, resource_id: ResourceId, in_force: list[GrantTerms]
) -> None:
    if not any(Mode.VERIFY in terms.modes for terms in in_force):
        writer.remove_resource(resource_id)
    needed = {terms.policy_digest for terms in in_force if Mode.BATCH in terms.modes}
    policies = Grant.objects.filter(resource=resource_id).values_list("policy_digest", flat=True).distinct()
    for policy_digest in set(policies) - needed:
        writer.remove_files(policy_digest)
        bulk.remove_policy(settings.bulk_dir, policy_digest)


def _serve_rows(writer: ServingWriter, entry: ResourceEntry, contract: DataContract, version: VersionView) -> int:
    """Write the version's keyed rows, unless just these are served."""
    with writer.read() as reader:
        present = reader.find_resource(entry.resource_id)
    if present is not None and present.generation and present.version_id == version.id:
        as_served = replace(entry, generation=present.generation, version_id=version.id, rows_count=present.rows_count)
        if as_served == present:
            return present.rows_count
    return writer.write_generation(entry, version.id, _keyed_batches(contract, version))


@contextmanager
def _only_server_of(settings: Settings, resource_id: ResourceId) -> Iterator[None]:
    """One at a time per resource, across threads and processes: the later one reads the newer version and grants."""
    handle = os.open(settings.serving_dir / f"{resource_id}.serve.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _system_entry(key: ActiveKey) -> SystemEntry:
    return SystemEntry(
        system_id=key.system_id,
        name=key.system_name,
        agency_id=key.agency_id,
        agency_name=key.agency_name,
        key_id=key.key_id,
        valid_until_ms=int(key.expires_at.timestamp() * 1000),
    )


def _describe(writer: ServingWriter, contract: DataContract) -> ResourceEntry:
    resource = catalog.get_resource(ResourceId(contract.id))
    return writer.put_resource(
        resource_id=contract.id,
        agency_id=resource.agency_id,
        title_zh=contract.title_zh,
        title=contract.title_en,
        key_columns=[_served(column) for column in contract.lookup_columns],
        verify_columns=[_served(column) for column in contract.verify_columns],
        has_validity=contract.validity is not None,
    )


def _served(column: Column) -> ServedColumn:
    return ServedColumn(name=column.name, kind=column.logical_type.value)


def _keyed_batches(contract: DataContract, version: VersionView) -> Iterator[pa.RecordBatch]:
    names = list(dict.fromkeys(c.name for c in (*contract.lookup_columns, *contract.verify_columns)))
    bounds = [contract.validity.from_column, contract.validity.to_column] if contract.validity else []
    for batch in lake.read_version(version, columns=list(dict.fromkeys([*names, *bounds]))):
        if contract.validity is None:
            yield batch
        else:
            yield _with_validity(batch, names, contract.validity)


def _with_validity(batch: pa.RecordBatch, names: list[str], validity: Validity) -> pa.RecordBatch:
    """The batch with `valid_from` and `valid_to` as days; a month or year ends on its last day."""
    first = pc.cast(batch.column(validity.from_column), pa.date32())
    last = pc.cast(batch.column(validity.to_column), pa.date32())
    if validity.unit in ("month", "year"):
        ends = [None if day is None else _last_day(day, validity.unit) for day in last.to_pylist()]
        last = pa.array(ends, pa.date32())
    if taken := {"valid_from", "valid_to"} & set(names) - {validity.from_column, validity.to_column}:
        raise Misconfigured("Only the columns that bound a row's validity can have these names.", columns=sorted(taken))
    columns = {name: batch.column(name) for name in names}
    return pa.RecordBatch.from_pydict({**columns, "valid_from": first, "valid_to": last})


def _last_day(day: date, unit: str) -> date:
    if unit == "year":
        return day.replace(month=12, day=31)
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _materialise(
    settings: Settings, writer: ServingWriter, terms: GrantTerms, contract: DataContract, version: VersionView
) -> None:
    """Make the policy's files, unless those of this version are there; then delete the older ones."""
    with writer.read() as reader:
        present = reader.find_files(terms.policy_digest)
    if not bulk.is_made(settings.bulk_dir, present, version):
        present = list(bulk.materialise(settings, terms, contract, version))
        for entry in present:
            writer.put_file(terms.policy_digest, entry)
    bulk.remove_superseded(settings.bulk_dir, terms.policy_digest, [entry.path for entry in present])
