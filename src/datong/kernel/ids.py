"""The only source of ids, tokens and randomness. An id is a typed string: kind, underscore, 26 sortable characters."""

from __future__ import annotations

import os
import random
import secrets
from typing import NewType

from datong.kernel import clock

AgencyId = NewType("AgencyId", str)
MemberId = NewType("MemberId", str)
SystemId = NewType("SystemId", str)
KeyId = NewType("KeyId", str)
ResourceId = NewType("ResourceId", str)
"""A resource's id is its contract's ODCS `id`: lower-case words joined by underscores, stable, used in addresses."""
ContractVersionId = NewType("ContractVersionId", str)
RunId = NewType("RunId", str)
VersionId = NewType("VersionId", str)
CaseId = NewType("CaseId", str)
RequestId = NewType("RequestId", str)
GrantId = NewType("GrantId", str)
EventId = NewType("EventId", str)
AuditRowId = NewType("AuditRowId", str)
JobId = NewType("JobId", str)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TOKEN_BYTES = 32
_SALTS_AT_ONCE = 256


def new_id(kind: str) -> str:
    """`kind_` + 48 bits of milliseconds + 80 random bits in Crockford base 32: sorts by birth, as ULID does."""
    number = (clock.epoch_ms() << 80) | secrets.randbits(80)
    digits = []
    for _ in range(26):
        digits.append(_ALPHABET[number & 31])
        number >>= 5
    return f"{kind}_{''.join(reversed(digits))}"


def new_token(prefix: str = "dt") -> str:
    """A bearer secret with 256 random bits, e.g. `dt_…`. Only its SHA-256 is ever stored."""
    return f"{prefix}_{secrets.token_urlsafe(_TOKEN_BYTES)}"


def random_bytes(count: int) -> bytes:
    """Bytes from the operating system's generator: salts, nonces, keys."""
    return secrets.token_bytes(count)


class SaltPool:
    """Salts from the operating system's generator, fetched some hundreds at once: asking for each costs a system call,
    during which other threads take the interpreter. No byte is given twice; a forked child begins with an empty pool.
    """

    def __init__(self, salt_bytes: int) -> None:
        self._salt_bytes = salt_bytes
        self._salts: list[bytes] = []
        os.register_at_fork(after_in_child=self._salts.clear)

    def draw(self) -> bytes:
        if not self._salts:
            size = self._salt_bytes
            block = random_bytes(_SALTS_AT_ONCE * size)
            self._salts.extend([block[at : at + size] for at in range(0, len(block), size)])
        return self._salts.pop()


def seeded(seed: int) -> random.Random:
    """A repeatable generator for synthetic data and tests; never for secrets."""
    return random.Random(seed)  # noqa: S311
