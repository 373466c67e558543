"""The serving store: one LMDB environment, written by control and worker, read by the gateway without a lock.

Named databases and their records (values are MessagePack of the frozen values in `exchange.contracts`):
  meta       next_resource_no
  systems    sha256(token)                       → SystemEntry
  grants     system \\0 resource \\0 grant       → GrantEntry, tombstones included
  resources  resource                            → ResourceEntry, whose `generation` is the switch
  rows       no u32 | generation u32 | key MAC   → records of [first day i32, last day i32] and one MAC a field
  files      policy digest                       → list of FileEntry, the newest of each format
A reader works on a snapshot and moves to the newest one when the file `last_txn` beside the data has changed: each
writer puts its transaction's number there after its commit and before it returns. (Asking LMDB itself gives up the
interpreter's lock, which costs a call on the hot route more than all else in the look-up.)
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import lmdb
import msgspec

from datong.exchange.contracts import FileEntry, GrantEntry, ResourceEntry, SystemEntry
from datong.kernel.config import make_private_dir
from datong.kernel.failures import Unavailable
from datong.kernel.limits import SERVING_MAP_BYTES, SERVING_READERS_MAX

DATABASES = ("meta", "systems", "grants", "resources", "rows", "files")
LAST_TXN_NAME = "last_txn"
LAST_TXN_BYTES = 8
VALIDITY = struct.Struct(">ii")
ROW_PREFIX = struct.Struct(">II")

T = TypeVar("T")


def hash_token(token: str) -> bytes:
    """The only form in which a bearer token is stored."""
    return hashlib.sha256(token.encode()).digest()


def grant_key(system_id: str, resource_id: str, grant_id: str) -> bytes:
    return f"{system_id}\0{resource_id}\0{grant_id}".encode()


def row_prefix(resource_no: int, generation: int) -> bytes:
    return ROW_PREFIX.pack(resource_no, generation)


def _map_last_txn(path: Path) -> mmap.mmap:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if os.fstat(handle).st_size < LAST_TXN_BYTES:
            os.truncate(handle, LAST_TXN_BYTES)
        return mmap.mmap(handle, LAST_TXN_BYTES)
    finally:
        os.close(handle)


class Environment:
    """The opened LMDB files. One process opens a folder once: LMDB's file locks belong to the process."""

    def __init__(self, folder: Path, *, writable: bool) -> None:
        if not writable and not (folder / "data.mdb").exists():
            Environment(folder, writable=True).close()
        make_private_dir(folder)
        try:
            self.env = lmdb.open(
                str(folder),
                map_size=SERVING_MAP_BYTES,
                max_dbs=len(DATABASES) + 2,
                max_readers=SERVING_READERS_MAX,
                readonly=not writable,
                create=writable,
                mode=0o600,
                readahead=False,
                max_spare_txns=4,
            )
            self.dbs: dict[str, Any] = {name: self.env.open_db(name.encode(), create=writable) for name in DATABASES}
        except lmdb.Error as problem:
            raise Unavailable(
                "The serving store cannot be opened; `datong doctor` says more.", private=str(problem)
            ) from problem
        self.folder = folder
        self.env.reader_check()
        self.last_txn = _map_last_txn(folder / LAST_TXN_NAME)

    @contextmanager
    def write(self) -> Iterator[lmdb.Transaction]:
        """One durable transaction: it is on the disk when the block has ended."""
        with self.env.begin(write=True) as transaction:
            txn_id = transaction.id()
            yield transaction
        self.last_txn[:] = txn_id.to_bytes(LAST_TXN_BYTES, "big")

    def close(self) -> None:
        self.last_txn.close()
        self.env.close()


class ServingReader:
    """What the gateway asks. Call `refresh` at the start of a request; answers until the next are one snapshot."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._env = environment.env
        self._dbs = environment.dbs
        self._rows = environment.dbs["rows"]
        self._system_decoder = msgspec.msgpack.Decoder(SystemEntry)
        self._grant_decoder = msgspec.msgpack.Decoder(GrantEntry)
        self._resource_decoder = msgspec.msgpack.Decoder(ResourceEntry)
        self._files_decoder = msgspec.msgpack.Decoder(list[FileEntry])
        self._systems: dict[bytes, SystemEntry | None] = {}
        self._grants: dict[tuple[str, str], tuple[GrantEntry, ...]] = {}
        self._resources: dict[str, ResourceEntry | None] = {}
        self._last_txn = environment.last_txn
        self._seen = self._last_txn[:]
        self._transaction = self._env.begin()
        self.txn_id: int = self._transaction.id()

    def refresh(self) -> int:
        """Move to the newest snapshot if a writer has finished since; gives the snapshot's transaction."""
        marked = self._last_txn[:]
        if marked != self._seen:
            self._seen = marked
            self._move_on()
        return self.txn_id

    def refresh_surely(self) -> int:
        """The same by LMDB's own word: also after a writer that died between its commit and its mark."""
        if self._env.info()["last_txnid"] != self.txn_id:
            self._move_on()
        return self.txn_id

    def _move_on(self) -> None:
        """The caches of grants and keys live no longer than their snapshot."""
        self._transaction.abort()
        self._transaction = self._env.begin()
        self.txn_id = self._transaction.id()
        self._systems.clear()
        self._grants.clear()
        self._resources.clear()

    def find_system(self, token_digest: bytes) -> SystemEntry | None:
        found = self._systems.get(token_digest)
        if found is None:
            value = self._get("systems", token_digest)
            if value is None:
                return None  # not remembered: strangers would fill the memory
            found = self._systems[token_digest] = self._system_decoder.decode(value)
        return found

    def find_grants(self, system_id: str, resource_id: str) -> tuple[GrantEntry, ...]:
        pair = (system_id, resource_id)
        found = self._grants.get(pair)
        if found is None:
            found = tuple(self._scan_grants(grant_key(system_id, resource_id, "")))
            if found:
                self._grants[pair] = found
        return found

    def find_resource(self, resource_id: str) -> ResourceEntry | None:
        found = self._resources.get(resource_id)
        if found is None:
            value = self._get("resources", resource_id.encode())
            if value is None:
                return None
            found = self._resources[resource_id] = self._resource_decoder.decode(value)
        return found

    def find_files(self, policy_digest: str) -> list[FileEntry]:
        value = self._get("files", policy_digest.encode())
        return [] if value is None else self._files_decoder.decode(value)

    def get_row(self, key: bytes) -> bytes | None:
        found: bytes | None = self._transaction.get(key, None, self._rows)
        return found

    def all_grants(self) -> Iterator[GrantEntry]:
        """Every grant, tombstones too: for the reconciler and for rebuilding daily counts."""
        yield from self._scan_grants(b"")

    def all_token_digests(self) -> set[bytes]:
        """The digest of every token that opens something: for the reconciler."""
        with self._transaction.cursor(db=self._dbs["systems"]) as cursor:
            return {bytes(key) for key in cursor.iternext(keys=True, values=False)}

    def close(self) -> None:
        self._transaction.abort()

    def _get(self, database: str, key: bytes) -> bytes | None:
        if not 0 < len(key) <= 511:  # LMDB's own bound on a key
            return None
        found: bytes | None = self._transaction.get(key, db=self._dbs[database])
        return found

    def _scan_grants(self, prefix: bytes) -> Iterator[GrantEntry]:
        if len(prefix) > 511:
            return
        with self._transaction.cursor(db=self._dbs["grants"]) as cursor:
            found = cursor.set_range(prefix) if prefix else cursor.first()
            while found and cursor.key().startswith(prefix):
                yield self._grant_decoder.decode(cursor.value())
                found = cursor.next()
