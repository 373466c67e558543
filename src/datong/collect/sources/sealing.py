"""Credentials at rest: AES-256-GCM under `keys/sources.key`, bound to their source. Shown to nobody, logged nowhere.

The key is not in the database: a copied database alone opens no source.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from datong.kernel import ids
from datong.kernel.config import Secret, Settings
from datong.kernel.failures import Misconfigured
from datong.kernel.keys import load_or_create_key

_NONCE_BYTES = 12


def seal_secrets(settings: Settings, source_id: str, secrets: Mapping[str, Secret]) -> bytes:
    """b"" for no secrets, so that an empty column says that there are none."""
    if not secrets:
        return b""
    plain = orjson.dumps({name: secret.reveal() for name, secret in secrets.items()})
    nonce = ids.random_bytes(_NONCE_BYTES)
    return nonce + _cipher(settings).encrypt(nonce, plain, source_id.encode())


def open_secrets(settings: Settings, source_id: str, sealed: bytes) -> dict[str, Secret]:
    """Raises Misconfigured when the key is not the one that sealed them."""
    if not sealed:
        return {}
    nonce, body = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        plain = _cipher(settings).decrypt(nonce, body, source_id.encode())
    except InvalidTag:
        raise Misconfigured(
            "Restore keys/sources.key from the backup, or give the source's credentials again.",
            hint_zh="请从备份恢复 keys/sources.key，或重新填写该来源的凭据。",
            source=source_id,
        ) from None
    return {name: Secret(value) for name, value in orjson.loads(plain).items()}


def _cipher(settings: Settings) -> AESGCM:
    return AESGCM(load_or_create_key(settings.keys_dir / "sources.key"))
