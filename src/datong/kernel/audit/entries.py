"""What a log entry says. Entries are JSON objects of at most 65,535 bytes, in one of two shapes.

A *data-plane* entry records one exchange or its refusal:
`{"v":1,"kind","at","system","agency","resource","grant","grant_digest","purpose","reference","fields","outcome","facts","rq","rs"}`
where `kind` is verify, query, batch …, or refused; `rq` and `rs` are salted SHA-256 digests of the request and of the
answer, so that whoever holds both and the receipt can prove them while the log reveals neither.

A *control* entry carries one row of the control plane's audit under its seal number:
`{"v":1,"kind":"control","seal_seq":N,"row":{…}}`; a row too long for an entry goes in as its digest:
`{"v":1,"kind":"control","seal_seq":N,"row_sha256":"base64","row_bytes":M}`.
"""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

from datong.kernel.limits import AUDIT_ENTRY_BYTES_MAX

ENTRY_VERSION = 1
SALT_BYTES = 16
_CONTROL_HEAD = b'{"v":1,"kind":"control","seal_seq":'
_CONTROL_SEQ = re.compile(rb'\{"v":1,"kind":"control","seal_seq":([1-9][0-9]*),"')


def salted_digest(salt: bytes, data: bytes) -> str:
    """base64(SHA-256(salt | data)): without the salt, short requests could be guessed from their digests."""
    return b2a_base64(sha256(salt + data).digest(), newline=False).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataEntry:
    """One exchange. `outcome` is answered or the failure's code; `facts` holds counts, never claims or keys."""

    kind: str
    at: str
    system: str
    agency: str
    resource: str
    grant: str
    grant_digest: str
    purpose: str
    reference: str
    fields: tuple[str, ...]
    outcome: str
    rq: str
    rs: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The leaf's bytes; member order is fixed, so that equal entries are equal bytes."""
        return orjson.dumps(
            {
                "v": ENTRY_VERSION,
                "kind": self.kind,
                "system": self.system,
                "agency": self.agency,
                "resource": self.resource,
                "grant": self.grant,
                "grant_digest": self.grant_digest,
                "purpose": self.purpose,
                "fields": self.fields,
                "outcome": self.outcome,
                "at": self.at,
                "reference": self.reference,
                "facts": dict(self.facts),
                "rq": self.rq,
                "rs": self.rs,
            }
        )


class EntryTemplate:
    """The hot path's encoder: all that one (grant, kind, fields, outcome) has in common is encoded once.

    `fill` gives the same bytes as `DataEntry.encode` (a property test compares them).
    """

    __slots__ = ("_head",)

    def __init__(
        self,
        *,
        kind: str,
        system: str,
        agency: str,
        resource: str,
        grant: str,
        grant_digest: str,
        purpose: str,
        fields: tuple[str, ...],
        outcome: str,
    ) -> None:
        common = {
            "v": ENTRY_VERSION,
            "kind": kind,
            "system": system,
            "agency": agency,
            "resource": resource,
            "grant": grant,
            "grant_digest": grant_digest,
            "purpose": purpose,
            "fields": fields,
            "outcome": outcome,
        }
        self._head = orjson.dumps(common)[:-1] + b',"at":"'

    def fill(self, *, at: str, reference: str, facts: bytes, rq: str, rs: str) -> bytes:
        """`facts` is already JSON; `at`, `rq` and `rs` have nothing to escape; the reference is the caller's text."""
        return b"".join(
            (
                self._head,
                at.encode(),
                b'","reference":',
                orjson.dumps(reference),
                b',"facts":',
                facts,
                b',"rq":"',
                rq.encode(),
                b'","rs":"',
                rs.encode(),
                b'"}',
            )
        )


def build_control_entry(seal_seq: int, row: bytes) -> bytes:
    """The entry of one control row; `row` is a JSON object in the control plane's canonical form."""
    head = b'%s%d,"row' % (_CONTROL_HEAD, seal_seq)
    entry = b'%s":%s}' % (head, row)
    if len(entry) <= AUDIT_ENTRY_BYTES_MAX:
        return entry
    return b'%s_sha256":"%s","row_bytes":%d}' % (head, b64encode(sha256(row).digest()), len(row))


def seal_seq_of(entry: bytes) -> int | None:
    """The seal number of a control entry; None for every other."""
    if not entry.startswith(_CONTROL_HEAD):
        return None
    found = _CONTROL_SEQ.match(entry)
    return int(found[1]) if found else None


def decode_entry(entry: bytes) -> dict[str, Any]:
    """An entry as a mapping; ValueError when it is not a JSON object."""
    value = orjson.loads(entry)
    if not isinstance(value, dict):
        raise ValueError("an entry is a JSON object")
    return value
