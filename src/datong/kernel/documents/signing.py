"""Signatures over documents: detached JWS with EdDSA (RFC 7515, RFC 8037), under a key of their own.

The key is not the audit log's: who renders reports (control, worker) never holds what the log is signed with. Both
public keys are in `/.well-known/jwks.json`. A replaced key stays published, so that old documents can be checked.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from datong.kernel import clock
from datong.kernel.config import load_settings
from datong.kernel.documents.contracts import DocumentFacts, DocumentInvalid, JwkSet, SignedDocument
from datong.kernel.failures import Misconfigured
from datong.kernel.files import write_private
from datong.kernel.keys import load_or_create_key
from datong.kernel.limits import DOCUMENT_SIGNATURE_BYTES_MAX

DOCUMENT_KEY_NAME: Final = "documents.key"
PUBLIC_KEYS_NAME: Final = "documents.jwks"
"""Beside the key: the public keys, present and past, as they are published."""


def sign_document(body: bytes, *, kind: str, subject: str) -> SignedDocument:
    """Sign a document as it will be handed out, to the byte: its `kind` (`conformance-report`), its `subject`.

    The protected header carries kind, subject, issuer and time, so none of them can be changed afterwards.
    """
    settings = load_settings()
    key = Ed25519PrivateKey.from_private_bytes(load_or_create_key(settings.keys_dir / DOCUMENT_KEY_NAME))
    jwk = _as_jwk(key.public_key())
    _publish(settings.keys_dir, jwk)
    header = orjson.dumps(
        {
            "alg": "EdDSA",
            "kid": jwk["kid"],
            "iss": settings.public_url,
            "iat": clock.iso(clock.now()),
            "kind": kind,
            "subject": subject,
        },
        option=orjson.OPT_SORT_KEYS,
    )
    protected = _encode(header)
    signature = key.sign(protected + b"." + _encode(body))
    jws = (protected + b".." + _encode(signature)).decode()
    return SignedDocument(digest=sha256(body).hexdigest(), jws=jws)


def verify_document(body: bytes, jws: str, jwks: JwkSet) -> DocumentFacts:
    """What the signature proves about these bytes; DocumentInvalid names the step that failed. Needs no server."""
    protected, header, signature = _read(jws)
    key = _find_key(jwks, str(header["kid"]))
    try:
        key.verify(signature, protected + b"." + _encode(body))
    except InvalidSignature:
        raise DocumentInvalid(
            "The document or its signature was altered, or they do not belong together.",
            hint_zh="文件或签名被改动过，或者二者不是一对。",
            step="signature",
            digest=sha256(body).hexdigest(),
        ) from None
    return DocumentFacts(
        kind=str(header["kind"]),
        subject=str(header["subject"]),
        issuer=str(header["iss"]),
        signed_at=str(header["iat"]),
        key_id=str(header["kid"]),
        digest=sha256(body).hexdigest(),
    )


def load_public_keys(keys_dir: Path) -> list[dict[str, str]]:
    """This platform's public document keys, newest last; empty before the first document was signed."""
    path = keys_dir / PUBLIC_KEYS_NAME
    if not path.is_file():
        return []
    try:
        keys: list[dict[str, str]] = orjson.loads(path.read_bytes())["keys"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise Misconfigured(f"Restore {path} from the backup: it does not read.", path=str(path)) from None
    return keys


def _publish(keys_dir: Path, jwk: dict[str, str]) -> None:
    known = load_public_keys(keys_dir)
    if jwk not in known:
        write_private(keys_dir / PUBLIC_KEYS_NAME, orjson.dumps({"keys": [*known, jwk]}, option=orjson.OPT_INDENT_2))


def _as_jwk(key: Ed25519PublicKey) -> dict[str, str]:
    """RFC 8037 §2; `kid` is the thumbprint of RFC 7638 (members in alphabetical order, no blanks)."""
    x = _encode(key.public_bytes_raw()).decode()
    thumbprint = sha256(orjson.dumps({"crv": "Ed25519", "kty": "OKP", "x": x})).digest()
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": x,
        "kid": _encode(thumbprint).decode(),
        "use": "sig",
        "alg": "EdDSA",
    }


def _read(jws: str) -> tuple[bytes, dict[str, Any], bytes]:
    text = jws.strip()
    try:
        protected, payload, signature = text.split(".")
        header = orjson.loads(_decode(protected))
        signature_bytes = _decode(signature)
    except (ValueError, Base64Error, UnicodeEncodeError):
        raise _unreadable() from None
    wanted = {"alg", "kid", "iss", "iat", "kind", "subject"}
    if len(text) > DOCUMENT_SIGNATURE_BYTES_MAX or payload or not isinstance(header, dict) or set(header) != wanted:
        raise _unreadable()
    if header["alg"] != "EdDSA":
        raise _unreadable()
    return protected.encode(), header, signature_bytes


def _unreadable() -> DocumentInvalid:
    return DocumentInvalid(
        "A signature reads `header..signature`, as it was handed out with the document (a .jws file).",
        hint_zh="签名的形式是“header..signature”，随文件一同给出（.jws 文件）。",
        step="form",
    )


def _find_key(jwks: JwkSet, key_id: str) -> Ed25519PublicKey:
    keys = jwks.get("keys")
    for jwk in keys if isinstance(keys, list) else ():
        if isinstance(jwk, dict) and jwk.get("kid") == key_id and jwk.get("crv") == "Ed25519":
            try:
                return Ed25519PublicKey.from_public_bytes(_decode(str(jwk["x"])))
            except (KeyError, ValueError, Base64Error):
                break
    raise DocumentInvalid(
        "None of the given keys made this signature: take /.well-known/jwks.json from the node that issued it.",
        hint_zh="所给公钥中没有签发该文件的密钥，请从签发节点的 /.well-known/jwks.json 获取。",
        step="key",
        key_id=key_id,
    )


def _encode(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
