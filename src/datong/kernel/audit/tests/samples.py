"""Entries, logs and damage for these tests."""

from __future__ import annotations

import json
from pathlib import Path

from datong.kernel.audit.entries import DataEntry, build_control_entry, salted_digest
from datong.kernel.audit.log import AuditLog
from datong.kernel.audit.notes import NoteSigner
from datong.kernel.limits import AUDIT_SEGMENT_BYTES_MIN

ORIGIN = "log.example/audit"
SIGNER = NoteSigner(ORIGIN, bytes(range(32)))
OTHER_SIGNER = NoteSigner(ORIGIN, bytes(range(1, 33)))
SALT = bytes(range(16))
REQUEST = b'{"purpose":"p","items":[]}'
ANSWER = b'{"items":[{"outcome":"match"}]}'


def data_entry(number: int, *, at: str = "2026-03-01T00:00:00.000Z", reference: str = "") -> bytes:
    return DataEntry(
        kind="verify",
        at=at,
        system="sys_1",
        agency="agency_1",
        resource="population",
        grant="grant_1",
        grant_digest="digest",
        purpose="housing",
        reference=reference or f"case-{number:06d}",
        fields=("name",),
        outcome="answered",
        facts={"match": 1, "differ": 0, "unknown": 0},
        rq=salted_digest(SALT, REQUEST),
        rs=salted_digest(SALT, ANSWER),
    ).encode()


def control_row(seal_seq: int) -> bytes:
    return json.dumps({"id": f"audit_{seal_seq}", "verb": "grant.approved", "facts": {"n": seal_seq}}).encode()


def open_log(folder: Path, *, signer: NoteSigner = SIGNER, segment_bytes: int = AUDIT_SEGMENT_BYTES_MIN) -> AuditLog:
    return AuditLog.open(folder, signer, segment_bytes=segment_bytes)


def fill(log: AuditLog, batches: int, *, per_batch: int = 5, control_every: int = 4) -> None:
    """Batches of data entries; every fourth batch ends with a control row."""
    for batch in range(batches):
        entries = [data_entry(log.size + at) for at in range(per_batch)]
        if control_every and batch % control_every == 0:
            seal_seq = log.last_seal_seq + 1
            entries.append(build_control_entry(seal_seq, control_row(seal_seq)))
        log.append(entries)
