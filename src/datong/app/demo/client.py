"""The asking system's side: plain HTTP calls with its bearer token, and every receipt checked offline."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from datong.kernel.audit.notes import NoteVerifier
from datong.kernel.audit.receipts import ReceiptFacts, verify_receipt

PIECE_BYTES = 64 * 1024
"""Small, so that the demonstration fetches in several ranges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer of the gateway. `receipt` is None for a refusal that carries none."""

    status: int
    body: Mapping[str, Any]
    receipt: ReceiptFacts | None
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file fetched in ranges, and what its receipts say."""

    data: bytes
    sha256: str
    pieces: int
    receipts: tuple[ReceiptFacts, ...]


class SystemClient:
    """Calls the exchange as one system."""

    def __init__(self, address: str, token: str, key: NoteVerifier) -> None:
        self._http = httpx.Client(
            base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False
        )
        self._key = key

    def close(self) -> None:
        self._http.close()

    def verify(
        self, resource: str, purpose: str, items: Sequence[Mapping[str, Any]], reference: str = "DEMO-1"
    ) -> Answer:
        body = orjson.dumps({"purpose": purpose, "reference": reference, "items": list(items)})
        answer = self._http.post(f"/x/v1/verify/{resource}", content=body, headers={"Content-Type": "application/json"})
        receipt = None
        if answer.is_success:
            receipt = verify_receipt(answer.json()["receipt"], self._key, request=body, answer=answer.content)
        return Answer(status=answer.status_code, body=answer.json(), receipt=receipt, raw=answer.content)

    def fetch(self, resource: str, purpose: str, file_format: str, reference: str = "DEMO-2") -> Download:
        """Fetch a batch file in ranges of PIECE_BYTES, checking each piece's receipt."""
        query = {"purpose": purpose, "reference": reference, "format": file_format}
        data, receipts, total = b"", [], None
        while total is None or len(data) < total:
            last = len(data) + PIECE_BYTES - 1
            answer = self._http.get(
                f"/x/v1/batch/{resource}", params=query, headers={"Range": f"bytes={len(data)}-{last}"}
            )
            answer.raise_for_status()
            total = int(answer.headers["Content-Range"].rpartition("/")[2])
            data += answer.content
            receipts.append(verify_receipt(b64decode(answer.headers["Datong-Receipt"]).decode(), self._key))
        digest = hashlib.sha256(data).hexdigest()
        for receipt in receipts:
            if receipt.entry["facts"]["file_sha256"] != digest:
                raise RuntimeError("the downloaded file is not the one that its receipt names")
        return Download(data=data, sha256=digest, pieces=len(receipts), receipts=tuple(receipts))
