"""What a signed document is, and how its check can fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from datong.kernel.failures import Failure, Retry


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDocument:
    """The proof of one document. The document's bytes are kept by whoever made them, unchanged.

    `digest` is the SHA-256 of the bytes, hexadecimal. `jws` is a detached signature in compact form
    (RFC 7515, appendix F): `header..signature`.
    """

    digest: str
    jws: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFacts:
    """What a valid signature proves: these bytes, of this kind, about this subject, by this node, at this time."""

    kind: str
    subject: str
    issuer: str
    signed_at: str
    """RFC 3339 in UTC, as the signing node's clock had it."""
    key_id: str
    digest: str


class DocumentInvalid(Failure):
    """The signature does not prove the document; `facts["step"]` is form, key or signature."""

    code, status = "document-invalid", 422
    title, title_zh = "The signature does not prove this document", "签名不能证明该文件"

    def __init__(self, hint: str, *, hint_zh: str, step: str, **facts: str) -> None:
        super().__init__(hint, hint_zh=hint_zh, step=step, **facts)


class PdfUnavailable(Failure):
    code, status, retry = "pdf-unavailable", 503, Retry.AFTER_CHANGE
    title, title_zh = "This machine cannot make PDF files", "本机无法生成 PDF"


JwkSet = Mapping[str, object]
"""A JSON Web Key Set as it is published: `{"keys": [{"kty": "OKP", "crv": "Ed25519", …}]}` (RFC 7517 §5)."""
