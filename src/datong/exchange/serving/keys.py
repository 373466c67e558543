"""The serving master key and what is derived from it. Keys live in `settings.keys_dir`, never beside the data.

Each resource has two BLAKE2b keys of its own (RFC 7693 keyed mode), one for record keys and one for claims,
derived from the master key with the resource's id, so that equal values in two resources have unequal MACs.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from datong.kernel.keys import load_or_create_key

KEY_FILE_NAME = "serving.key"
KEY_BYTES = 32
MAC_BYTES = 16


class MasterKey:
    """32 secret bytes; shows itself nowhere."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "MasterKey(…)"

    def __reduce__(self) -> str:
        raise TypeError("a MasterKey is not sent to another process")

    def derive(self, use: str, resource_id: str) -> bytes:
        """A 32-byte key for one use in one resource; the uses are `key` and `claim`."""
        label = use.encode() + b"\x00" + resource_id.encode()
        return hashlib.blake2b(label, key=self._value, digest_size=KEY_BYTES, person=b"datong-serving").digest()


def load_master_key(keys_dir: Path) -> MasterKey:
    """Read the key file, making it at the first start; one that others can read is refused (Misconfigured)."""
    return MasterKey(load_or_create_key(keys_dir / KEY_FILE_NAME, KEY_BYTES))
