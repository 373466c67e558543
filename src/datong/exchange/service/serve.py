"""What the data plane obeys: putting grants, keys, keyed rows and files into the serving store, and keeping it true.

PostgreSQL decides, the serving store obeys. Every function here may be repeated: it reads what was decided, and makes
the store say that.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from django.db import transaction

from datong.catalog import service as catalog
from datong.catalog.odcs import Column, DataContract, Validity
from datong.exchange import bulk, model
from datong.exchange.contracts import GrantTerms, Mode, ResourceEntry, ServedColumn, SystemEntry
from datong.exchange.requests import GrantState
from datong.exchange.service.requests import served_keys
from datong.exchange.serving.compile import ServingWriter, open_writer
from datong.exchange.store.models import Grant
from datong.kernel import clock
from datong.kernel.config import load_settings
from datong.kernel.identity import service as identity
from datong.kernel.identity.contracts import ActiveKey
from datong.kernel.ids import GrantId, ResourceId, SystemId
from datong.lake import service as lake
from datong.lake.contracts import VersionView


def serve_grant(grant_id: GrantId) -> bool:
    """Let a grant in, while its row is locked and only if it is still active. False when it is not, or no more."""
    writer = open_writer(load_settings())
    with transaction.atomic():
        grant = Grant.objects.select_for_update().filter(pk=grant_id, state=GrantState.ACTIVE).first()
        if grant is None:
            return False
        served = writer.put_grant(model.terms_from_plain(grant.terms))
        if served and grant.served_at is None:
            grant.served_at = clock.now()
            grant.save(update_fields=["served_at"])
        return served


def serve_keys(system_id: SystemId | None = None) -> int:
    """Let in every key that opens something now, of one system or of all; gives how many."""
    writer = open_writer(load_settings())
    keys = identity.find_active_keys(system_id)
    for key in keys:
        writer.put_system(bytes.fromhex(key.token_sha256), _system_entry(key))
    return len(keys)


def serve_resource(resource_id: ResourceId) -> int:
    """Serve the newest version under the grants in force: keyed rows for verify, one file per policy for batch.

    Gives the number of rows now served for verify. Does nothing before the first version.
    """
    version = lake.current_version(resource_id)
    if version is None:
        return 0
    contract = catalog.get_contract(resource_id)
    grants = [
        model.terms_from_plain(g.terms) for g in Grant.objects.filter(resource=resource_id, state=GrantState.ACTIVE)
    ]
    writer = open_writer(load_settings())
    entry = _describe(writer, contract)
    count = 0
    if any(Mode.VERIFY in terms.modes for terms in grants) and entry.key_columns:
        count = writer.write_generation(entry, version.id, _keyed_batches(contract, version))
    for terms in {t.policy_digest: t for t in grants if Mode.BATCH in t.modes}.values():
        _materialise(writer, terms, contract, version)
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


def unserve_policy(policy_digest: str) -> None:
    """Delete a policy's files when no grant in force has it any more."""
    if not Grant.objects.filter(policy_digest=policy_digest, state=GrantState.ACTIVE).exists():
        open_writer(load_settings()).remove_files(policy_digest)
        bulk.remove_policy(load_settings().bulk_dir, policy_digest)


def reconcile_serving() -> dict[str, int]:
    """Make the serving store say what PostgreSQL decided; gives what had to be mended.

    A grant or key that is active and not served comes in; one that is served and not active goes out.
    """
    writer = open_writer(load_settings())
    with writer.read() as reader:
        served = {entry.terms.grant_id: entry for entry in reader.all_grants() if entry.revoked_at_ms is None}
        served_tokens = reader.all_token_digests()
    active = set(Grant.objects.filter(state=GrantState.ACTIVE).values_list("pk", flat=True))
    put = sum(serve_grant(GrantId(grant_id)) for grant_id in sorted(active - set(served)))
    gone = sorted(set(served) - active)
    for grant_id in gone:
        row = Grant.objects.filter(pk=grant_id).first()
        reason = row.revoked_reason if row else ""
        writer.remove_grant(served[grant_id].terms, revoked_at_ms=clock.epoch_ms(), reason=reason)
    keys = {bytes.fromhex(key.token_sha256): key for key in identity.find_active_keys()}
    for digest in served_tokens - set(keys):
        writer.remove_token(digest)
    for digest in set(keys) - served_tokens:
        writer.put_system(digest, _system_entry(keys[digest]))
    return {
        "grants_put": put,
        "grants_removed": len(gone),
        "keys_put": len(set(keys) - served_tokens),
        "keys_removed": len(served_tokens - set(keys)),
    }


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
        key_columns=[_served(column) for column in served_keys(contract)],
        verify_columns=[_served(column) for column in contract.verify_columns],
        has_validity=contract.validity is not None,
    )


def _served(column: Column) -> ServedColumn:
    return ServedColumn(name=column.name, kind=column.logical_type.value)


def _keyed_batches(contract: DataContract, version: VersionView) -> Iterator[pa.RecordBatch]:
    names = list(dict.fromkeys(c.name for c in (*served_keys(contract), *contract.verify_columns)))
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
    columns = [*(batch.column(name) for name in names), first, last]
    return pa.RecordBatch.from_arrays(columns, names=[*names, "valid_from", "valid_to"])


def _last_day(day: datetime, unit: str) -> datetime:
    if unit == "year":
        return day.replace(month=12, day=31)
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _materialise(writer: ServingWriter, terms: GrantTerms, contract: DataContract, version: VersionView) -> None:
    settings = load_settings()
    kept = []
    for entry in bulk.materialise(settings, terms, contract, version):
        writer.put_file(terms.policy_digest, entry)
        kept.append(entry.path)
    bulk.remove_superseded(settings.bulk_dir, terms.policy_digest, kept)
