"""One writer per table, over all processes and hosts: a PostgreSQL advisory lock on a session of its own.

Concurrent MERGEs into one DuckLake table fail or overwrite each other otherwise. The lock ends with the session, so a
killed writer frees it and recovery can tell the dead from the slow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from datong.kernel.config import Secret
from datong.kernel.limits import LAKE_LOCK_WAIT_S_MAX
from datong.lake.contracts import CommitFailed, TableBusy


@dataclass(frozen=True, slots=True)
class TableLock:
    """A lock that this process holds."""

    session: psycopg.Connection[Any]

    def check(self) -> None:
        """Raise CommitFailed when the session, and with it the lock, is gone: called just before the lake commit."""
        try:
            self.session.execute("select 1")
        except psycopg.Error:
            raise CommitFailed("PostgreSQL went away during the write; run it again.") from None


@contextmanager
def hold_table(
    address: Secret, agency: str, table: str, *, wait_s: float = LAKE_LOCK_WAIT_S_MAX
) -> Iterator[TableLock]:
    """Hold the table for the block. Raises TableBusy after `wait_s`."""
    with psycopg.connect(address.reveal(), autocommit=True, application_name="datong-lake-lock") as session:
        session.execute("select set_config('lock_timeout', %s, false)", [f"{int(wait_s * 1000)}ms"])
        try:
            session.execute("select pg_advisory_lock(%s)", [_lock_key(agency, table)])
        except psycopg.errors.LockNotAvailable:
            raise TableBusy(f"It waited {wait_s:g} s; try again later.", table=table, wait_s=wait_s) from None
        yield TableLock(session)


@contextmanager
def try_table(address: Secret, agency: str, table: str) -> Iterator[TableLock | None]:
    """Hold the table if nobody does; None at once otherwise."""
    with psycopg.connect(address.reveal(), autocommit=True, application_name="datong-lake-lock") as session:
        row = session.execute("select pg_try_advisory_lock(%s)", [_lock_key(agency, table)]).fetchone()
        yield TableLock(session) if row is not None and row[0] else None


def _lock_key(agency: str, table: str) -> int:
    digest = hashlib.sha256(f"datong.lake\x1f{agency}\x1f{table}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
