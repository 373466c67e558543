"""The writer's side of the serving store, for control and worker: grants, system keys, resources, rows, files.

Every call is durable when it returns, and gives the number of its LMDB transaction where a caller must wait until the
gateways have seen it. Rows of a new generation are written in bounded transactions beside the old ones; one last
transaction moves the pointer, so a reader sees the old rows or the new ones, never a mix. A crash leaves the old.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lmdb
import msgspec

from datong.exchange.contracts import (
    FileEntry,
    GrantEntry,
    GrantTerms,
    ResourceEntry,
    ServedColumn,
    SystemEntry,
    ValueInvalid,
    compile_grant,
)
from datong.exchange.serving.keys import load_master_key
from datong.exchange.serving.macs import CANONICAL, NULL_MAC, ResourceMacs
from datong.exchange.serving.store import (
    ROW_PREFIX,
    VALIDITY,
    Environment,
    ServingReader,
    grant_key,
    hash_token,
    row_prefix,
)
from datong.kernel.config import Settings
from datong.kernel.failures import Conflict, NotFound
from datong.kernel.limits import SERVING_WRITE_ROWS_MAX

if TYPE_CHECKING:
    import pyarrow as pa

DAY_FIRST = -(2**31)
DAY_LAST = 2**31 - 1

_encode = msgspec.msgpack.encode
_open_writers: dict[Path, ServingWriter] = {}
_open_lock = threading.Lock()


def open_writer(settings: Settings) -> ServingWriter:
    """This process's writer; LMDB allows a process to open a folder only once, so it is shared between threads."""
    folder = settings.serving_dir
    with _open_lock:
        if folder not in _open_writers:
            _open_writers[folder] = ServingWriter(folder, settings.keys_dir)
        return _open_writers[folder]


class ServingWriter:
    """Writes what the gateway obeys. Thread-safe: LMDB lets one transaction write at a time."""

    def __init__(self, folder: Path, keys_dir: Path) -> None:
        self._environment = Environment(folder, writable=True)
        self._dbs = self._environment.dbs
        self._master = load_master_key(keys_dir)
        self._folder = folder

    # Systems and grants --------------------------------------------------------------------------------------------
    def put_system(self, token_digest: bytes, entry: SystemEntry) -> int:
        """Let a key in. `token_digest` is SHA-256 of the bearer token (`store.hash_token`)."""
        with self._environment.write() as txn:
            txn.put(token_digest, _encode(entry), db=self._dbs["systems"])
            return int(txn.id())

    def put_token(self, token: str, entry: SystemEntry) -> int:
        return self.put_system(hash_token(token), entry)

    def remove_token(self, token_digest: bytes) -> int:
        """Withdraw one key, known by its token's digest, whether or not it ever came in."""
        with self._environment.write() as txn:
            txn.delete(token_digest, db=self._dbs["systems"])
            return int(txn.id())

    def remove_system(self, system_id: str, *, key_id: str | None = None) -> int:
        """Withdraw one key of a system, or all of them. Its grants stay, without anybody who could use them."""
        decoder = msgspec.msgpack.Decoder(SystemEntry)
        with self._environment.write() as txn, txn.cursor(db=self._dbs["systems"]) as cursor:
            found = cursor.first()
            while found:
                entry = decoder.decode(cursor.value())
                if entry.system_id == system_id and key_id in (None, entry.key_id):
                    found = cursor.delete()
                    found = found and bool(cursor.key())
                else:
                    found = cursor.next()
            return int(txn.id())

    def put_grant(self, terms: GrantTerms) -> bool:
        """Let a grant in. False, and nothing changes, when it was revoked before: a late event revives nothing."""
        key = grant_key(terms.system_id, terms.resource_id, terms.grant_id)
        with self._environment.write() as txn:
            present = txn.get(key, db=self._dbs["grants"])
            if present and msgspec.msgpack.decode(present, type=GrantEntry).revoked_at_ms is not None:
                return False
            txn.put(key, _encode(compile_grant(terms)), db=self._dbs["grants"])
            return True

    def remove_grant(self, terms: GrantTerms, *, revoked_at_ms: int, reason: str) -> int:
        """Take a grant out, leaving a tombstone, whether or not it ever came in. Gives the transaction to wait for."""
        entry = replace(compile_grant(terms), revoked_at_ms=revoked_at_ms, revoked_reason=reason)
        with self._environment.write() as txn:
            txn.put(
                grant_key(terms.system_id, terms.resource_id, terms.grant_id), _encode(entry), db=self._dbs["grants"]
            )
            return int(txn.id())

    # Resources and their rows --------------------------------------------------------------------------------------
    def put_resource(
        self,
        *,
        resource_id: str,
        agency_id: str,
        title_zh: str,
        title: str = "",
        key_columns: Sequence[ServedColumn] = (),
        verify_columns: Sequence[ServedColumn] = (),
        has_validity: bool = False,
    ) -> ResourceEntry:
        """Describe a resource. Rows already served keep their columns until the next generation."""
        with self._environment.write() as txn:
            present = self._read_resource(txn, resource_id)
            entry = ResourceEntry(
                resource_id=resource_id,
                resource_no=present.resource_no if present else self._next_resource_no(txn),
                agency_id=agency_id,
                title_zh=title_zh,
                title=title,
                key_columns=tuple(key_columns),
                verify_columns=tuple(verify_columns),
                has_validity=has_validity,
            )
            served = entry
            if present and present.generation:
                served = replace(present, agency_id=agency_id, title_zh=title_zh, title=title)
            txn.put(resource_id.encode(), _encode(served), db=self._dbs["resources"])
            return entry

    def write_generation(self, resource: ResourceEntry, version_id: str, batches: Iterable[pa.RecordBatch]) -> int:
        """Serve these rows from now on, and give their count.

        Each batch has the key columns and the verify columns under their names, and with `has_validity` also
        `valid_from` and `valid_to` (dates; the first and the last day on which the row holds; null is open).
        Raises ValueInvalid for a value that is not of its column's type, Conflict for a repeated key without validity,
        NotFound for a resource that `put_resource` never saw; the rows served before stay in service then.
        """
        with self._only_writer_of(resource.resource_id):
            generation, old = self._begin_generation(resource)
            macs = ResourceMacs(self._master, resource.resource_id, [c.name for c in resource.verify_columns])
            prefix = row_prefix(resource.resource_no, generation)
            count = 0
            for batch in batches:
                for start in range(0, batch.num_rows, SERVING_WRITE_ROWS_MAX):
                    piece = batch.slice(start, SERVING_WRITE_ROWS_MAX)
                    self._write_rows(prefix, encode_rows(resource, macs, piece), has_validity=resource.has_validity)
                    count += piece.num_rows
            self._switch_generation(resource, generation, version_id, count)
            if old:
                self._delete_rows(row_prefix(resource.resource_no, old))
        return count

    def remove_resource(self, resource_id: str) -> None:
        """Stop serving a resource and delete its rows."""
        with self._only_writer_of(resource_id):
            with self._environment.write() as txn:
                present = self._read_resource(txn, resource_id)
                txn.delete(resource_id.encode(), db=self._dbs["resources"])
            if present and present.generation:
                self._delete_rows(row_prefix(present.resource_no, present.generation))

    # Files for batch -----------------------------------------------------------------------------------------------
    def put_file(self, policy_digest: str, entry: FileEntry) -> None:
        """Serve this file for the policy in place of the one of the same format."""
        with self._environment.write() as txn:
            value = txn.get(policy_digest.encode(), db=self._dbs["files"])
            files = msgspec.msgpack.decode(value, type=list[FileEntry]) if value else []
            kept = [f for f in files if f.format != entry.format]
            txn.put(policy_digest.encode(), _encode([*kept, entry]), db=self._dbs["files"])

    def remove_files(self, policy_digest: str) -> None:
        with self._environment.write() as txn:
            txn.delete(policy_digest.encode(), db=self._dbs["files"])

    @contextmanager
    def read(self) -> Iterator[ServingReader]:
        """A reader on this process's environment, for reconciling what is served with what was decided."""
        reader = ServingReader(self._environment)
        try:
            yield reader
        finally:
            reader.close()

    def close(self) -> None:
        with _open_lock:
            _open_writers.pop(self._folder, None)
        self._environment.close()

    # Steps ---------------------------------------------------------------------------------------------------------
    def _read_resource(self, txn: lmdb.Transaction, resource_id: str) -> ResourceEntry | None:
        value = txn.get(resource_id.encode(), db=self._dbs["resources"])
        return msgspec.msgpack.decode(value, type=ResourceEntry) if value else None

    def _next_resource_no(self, txn: lmdb.Transaction) -> int:
        meta = self._dbs["meta"]
        number = int.from_bytes(txn.get(b"next_resource_no", db=meta) or b"\x01", "big")
        txn.put(b"next_resource_no", (number + 1).to_bytes(4, "big"), db=meta)
        return number

    def _begin_generation(self, resource: ResourceEntry) -> tuple[int, int]:
        """The new generation's number and the served one's; rows that a crashed writer left are deleted first."""
        with self._environment.write() as txn:
            present = self._read_resource(txn, resource.resource_id)
        if present is None or present.resource_no != resource.resource_no:
            raise NotFound("Describe the resource with put_resource first.", resource=resource.resource_id)
        while (left := self._find_left_generation(resource.resource_no, present.generation)) is not None:
            self._delete_rows(row_prefix(resource.resource_no, left))
        return present.generation + 1, present.generation

    def _find_left_generation(self, resource_no: int, served: int) -> int | None:
        """A generation of the resource other than the served one that still has rows."""
        with self._environment.env.begin() as txn, txn.cursor(db=self._dbs["rows"]) as cursor:
            for start in (0, served + 1):
                if cursor.set_range(row_prefix(resource_no, start)):
                    number, generation = ROW_PREFIX.unpack(cursor.key()[: ROW_PREFIX.size])
                    if number == resource_no and generation != served:
                        return int(generation)
        return None

    def _write_rows(self, prefix: bytes, rows: list[tuple[bytes, bytes]], *, has_validity: bool) -> None:
        rows.sort()
        with self._environment.write() as txn:
            db = self._dbs["rows"]
            for mac, record in rows:
                key = prefix + mac
                if txn.put(key, record, db=db, overwrite=False):
                    continue
                if not has_validity:
                    raise Conflict("Two rows have the same key; the contract's key must be unique.", rows_count=2)
                txn.put(key, bytes(txn.get(key, db=db) or b"") + record, db=db)

    def _switch_generation(self, resource: ResourceEntry, generation: int, version_id: str, count: int) -> None:
        with self._environment.write() as txn:
            present = self._read_resource(txn, resource.resource_id)
            served = replace(
                resource,
                title_zh=present.title_zh if present else resource.title_zh,
                title=present.title if present else resource.title,
                generation=generation,
                version_id=version_id,
                rows_count=count,
            )
            txn.put(resource.resource_id.encode(), _encode(served), db=self._dbs["resources"])

    def _delete_rows(self, prefix: bytes) -> None:
        more = True
        while more:
            with self._environment.write() as txn, txn.cursor(db=self._dbs["rows"]) as cursor:
                more = cursor.set_range(prefix) and bytes(cursor.key()).startswith(prefix)
                for _ in range(SERVING_WRITE_ROWS_MAX):
                    if not (more and cursor.delete() and bytes(cursor.key()).startswith(prefix)):
                        more = False
                        break

    @contextmanager
    def _only_writer_of(self, resource_id: str) -> Iterator[None]:
        """Across processes and threads, one writer of a resource's rows at a time; the lock dies with its process."""
        path = self._folder / f"{resource_id}.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def encode_rows(resource: ResourceEntry, macs: ResourceMacs, batch: pa.RecordBatch) -> list[tuple[bytes, bytes]]:
    """(key MAC, record) of each row. A loop over rows, bounded by SERVING_WRITE_ROWS_MAX: digests are per value."""
    keys = [_canonical_column(batch, column, required=True) for column in resource.key_columns]
    key_macs = [macs.key_mac(parts) for parts in zip(*keys, strict=True)]
    records = _validity(batch) if resource.has_validity else [b""] * batch.num_rows
    for column in resource.verify_columns:
        values = _canonical_column(batch, column, required=False)
        name, claim_mac = column.name, macs.claim_mac
        records = [
            record + (NULL_MAC if value is None else claim_mac(name, mac, value))
            for record, mac, value in zip(records, key_macs, values, strict=True)
        ]
    return list(zip(key_macs, records, strict=True))


def _canonical_column(batch: pa.RecordBatch, column: ServedColumn, *, required: bool) -> list[Any]:
    canonical = CANONICAL[column.kind]
    values = batch.column(column.name).to_pylist()
    try:
        if required:
            return [canonical(value) for value in values]
        return [None if value is None else canonical(value) for value in values]
    except (ValueError, TypeError):
        raise ValueInvalid(column=column.name, kind=column.kind) from None


def _validity(batch: pa.RecordBatch) -> list[bytes]:
    epoch = date(1970, 1, 1)
    first = [DAY_FIRST if d is None else (d - epoch).days for d in batch.column("valid_from").to_pylist()]
    last = [DAY_LAST if d is None else (d - epoch).days for d in batch.column("valid_to").to_pylist()]
    return [VALIDITY.pack(a, b) for a, b in zip(first, last, strict=True)]
