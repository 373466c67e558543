"""What the gateway says about itself and its log to anybody: tiles, checkpoint, keys, health."""

from __future__ import annotations

import asyncio
import hmac
from pathlib import Path

import orjson

from datong.app.gateway.http import JSON, NO_STORE, Answer, problem_answer
from datong.kernel.audit.committer import Committer
from datong.kernel.audit.reader import LogReader
from datong.kernel.documents.signing import load_public_keys
from datong.kernel.failures import Failure, NotFound, Retry, Unavailable
from datong.kernel.keys import load_or_create_key

READER_KEY_NAME = "audit-reader.key"
TILE_CACHE = ("cache-control", "public, max-age=31536000, immutable")


class EntriesWithheld(Failure):
    code, status, retry = "audit-entries-withheld", 401, Retry.AFTER_CHANGE
    title, title_zh = "The log's entries are for its monitors", "日志条目仅供审计监督方读取"

    def __init__(self) -> None:
        super().__init__(
            "Hash tiles and checkpoint are public and prove any receipt. A monitor sends the key that the auditor gave "
            "it as a bearer token; the platform's own auditor uses `datong audit export`.",
            hint_zh="哈希切片与检查点是公开的，足以验证任何回执。监督方请以 Bearer 令牌出示审计员发放的密钥。",
        )


class PublicLog:
    """Reads of the log's published files. Disk work is done in a thread, off the hot loop."""

    def __init__(self, audit_dir: Path, keys_dir: Path) -> None:
        self._reader = LogReader(audit_dir)
        self.keys_dir = keys_dir
        self._turn = asyncio.Lock()
        self._reader_key = load_or_create_key(keys_dir / READER_KEY_NAME).hex()
        """Entries name systems, purposes and case numbers, so they are not for everybody."""

    async def answer(self, path: str, authorization: str, language: str) -> Answer:
        """`path` is below `/audit/`: `checkpoint`, `tile/<level>/<n>` or `tile/entries/<n>` (C2SP tlog-tiles)."""
        if path.startswith("tile/entries/"):
            token = authorization.partition(" ")[2].strip()
            if not hmac.compare_digest(token.encode(), self._reader_key.encode()):
                return problem_answer(EntriesWithheld(), language)
        async with self._turn:
            found = await asyncio.to_thread(self._reader.read_published, path)
        if found is None:
            missing = NotFound("The log has published no such tile yet.", hint_zh="日志尚未发布该切片。", path=path)
            return problem_answer(missing, language)
        body, media_type = found
        caching = NO_STORE if path == "checkpoint" else TILE_CACHE
        return Answer(status=200, headers=[("content-type", media_type), caching], body=body)

    def close(self) -> None:
        self._reader.close()


def describe_node(committer: Committer, public_url: str) -> Answer:
    """`/.well-known/datong.json`: where things are, and the key that receipts and checkpoints are checked with."""
    verifier = committer.log.signer.verifier
    value = {
        "name": "Datong",
        "url": public_url,
        "exchange": f"{public_url}/x/v1/{{mode}}/{{resource}}",
        "modes": ["verify", "batch"],
        "receipt_format": "c2sp.org/tlog-proof@v1",
        "audit": {
            "origin": verifier.name,
            "key": verifier.text,
            "checkpoint": f"{public_url}/audit/checkpoint",
            "tiles": f"{public_url}/audit/tile/",
        },
        "jwks": f"{public_url}/.well-known/jwks.json",
    }
    return Answer(status=200, headers=[JSON, ("cache-control", "public, max-age=300")], body=orjson.dumps(value))


def publish_keys(committer: Committer, keys_dir: Path) -> Answer:
    """`/.well-known/jwks.json` (RFC 7517): the log's Ed25519 key, and those that documents are signed with."""
    body = orjson.dumps({"keys": [committer.log.signer.verifier.as_jwk(), *load_public_keys(keys_dir)]})
    return Answer(status=200, headers=[JSON, ("cache-control", "public, max-age=300")], body=body)


def report_readiness(committer: Committer, *, control_answers: bool, language: str) -> Answer:
    """Ready is: the data plane can answer. Control is named but does not count, since `/x/` goes on without it."""
    if not committer.is_healthy:
        return problem_answer(
            Unavailable("The audit log cannot be written.", hint_zh="审计日志不可写。", audit="down"), language
        )
    value = {"ready": True, "store": "up", "audit": "up", "control": "up" if control_answers else "down"}
    return Answer(status=200, headers=[JSON, NO_STORE], body=orjson.dumps(value))
