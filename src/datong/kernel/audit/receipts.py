"""Receipts: proof of one exchange, checkable offline with nothing but the log's published key.

A receipt is a C2SP `tlog-proof@v1` text. Its `extra` line carries base64(salt | entry); the form calls extra data
unauthenticated, and it is: the check hashes the entry again and climbs to the signed root. In a JSON answer the receipt
is the string member `receipt`, always the last.

    c2sp.org/tlog-proof@v1
    extra <base64(salt 16 | entry)>
    index <n>
    <base64 hash>…
                                        (empty line)
    <the checkpoint, a signed note>
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from binascii import b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from datong.kernel.audit.committer import Committed
from datong.kernel.audit.entries import SALT_BYTES, decode_entry, salted_digest
from datong.kernel.audit.failures import NoteInvalid, ReceiptInvalid
from datong.kernel.audit.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from datong.kernel.audit.notes import Checkpoint, NoteVerifier
from datong.kernel.failures import BadInput
from datong.kernel.limits import AUDIT_RECEIPT_BYTES_MAX

PROOF_HEAD = "c2sp.org/tlog-proof@v1\n"
_MEMBER = b',"receipt":"'
_ONLY_MEMBER = b'{"receipt":"'
_PROOF_HEAD_JSON = (PROOF_HEAD + "extra ").replace("\n", "\\n").encode()
STEPS = ("form", "entry", "checkpoint", "inclusion", "request", "answer", "grant")
"""The steps of a check, in order; ReceiptInvalid names the one that failed in `facts["step"]`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptFacts:
    """What a valid receipt proves. `checked` lists the steps done: request, answer, grant only when they were given."""

    index: int
    entry: Mapping[str, Any]
    entry_bytes: bytes
    checkpoint: Checkpoint
    checked: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proof:
    salt: bytes
    entry: bytes
    index: int
    path: list[bytes]
    note: str


def build_receipt(committed: Committed, *, salt: bytes, entry: bytes) -> str:
    """The receipt of a committed entry; `salt` is the one its rq and rs were made with."""
    extra = b64encode(salt + entry).decode()
    return f"{PROOF_HEAD}extra {extra}\nindex {committed.index}\n{committed.path}\n{committed.checkpoint}"


def attach_receipt(answer: bytes, receipt: str) -> bytes:
    """Put the receipt into a JSON object as its last member. `rs` is the digest of the bytes before this."""
    head = _ONLY_MEMBER if answer == b"{}" else answer[:-1] + _MEMBER
    return b"".join((head, _escape_lines(receipt), b'"}'))


def seal_answer(answer: bytes, committed: Committed, *, salt: bytes, entry: bytes) -> bytes:
    """The hot path's `attach_receipt(answer, build_receipt(…))` for an answer with members: the same bytes (a test
    compares them), written once, and a batch's checkpoint escaped once for all its answers."""
    return b"".join(
        (
            answer[:-1],
            _MEMBER,
            _PROOF_HEAD_JSON,
            b2a_base64(salt + entry, newline=False),
            b"\\nindex %d\\n" % committed.index,
            _escape_lines(committed.path),
            b"\\n",
            _escape_checkpoint(committed.checkpoint),
            b'"}',
        )
    )


def _escape_lines(text: str) -> bytes:
    """A receipt's text inside a JSON string: line ends are all that needs escaping."""
    return text.encode().replace(b"\n", b"\\n")


_escape_checkpoint = lru_cache(maxsize=16)(_escape_lines)


def split_answer(answer: bytes) -> tuple[bytes, str | None]:
    """The exact bytes that were digested, and the receipt; None when the answer carries none."""
    at = answer.rfind(_MEMBER)
    only = at < 0 and answer.startswith(_ONLY_MEMBER)
    start = len(_ONLY_MEMBER) if only else at + len(_MEMBER)
    stop = answer.rfind(b'"')
    if (at < 0 and not only) or answer[stop:].strip() != b'"}' or stop < start:
        return answer, None
    try:
        text = orjson.loads(b'"' + answer[start:stop] + b'"')
    except orjson.JSONDecodeError:
        return answer, None
    return (b"{}" if only else answer[:at] + b"}"), text


def verify_receipt(
    text: str,
    key: NoteVerifier,
    *,
    request: bytes | None = None,
    answer: bytes | Path | None = None,
    grant_digest: str | None = None,
) -> ReceiptFacts:
    """Check a receipt; raises ReceiptInvalid with the step that failed.

    `answer` is the answer as it was received, with or without its receipt member, or for batch the whole file (a Path
    is read in pieces); `request` the exact request body, for a GET its target (`/x/v1/batch/…?…`); `grant_digest` the
    digest of the grant one holds. Facts say which of them were checked.
    """
    proof = _parse(text)
    try:
        entry = decode_entry(proof.entry)
    except ValueError:
        raise ReceiptInvalid("The entry in the receipt is not a JSON object.", step="entry") from None
    try:
        checkpoint = key.open_checkpoint(proof.note)
    except NoteInvalid as problem:
        raise ReceiptInvalid(
            f"The checkpoint is not signed by {key.name}: {problem.hint}", step="checkpoint", origin=key.name
        ) from problem
    leaf = leaf_hash(proof.entry)
    if not verify_inclusion(leaf, proof.index, checkpoint.size, proof.path, checkpoint.root):
        raise ReceiptInvalid(
            "The entry is not in the log that the checkpoint signs: entry, index or path was altered.",
            step="inclusion",
            index=proof.index,
            size=checkpoint.size,
        )
    checked = ["form", "entry", "checkpoint", "inclusion"]
    if request is not None:
        _require(entry.get("rq") == salted_digest(proof.salt, request), "request", "This is not the request made.")
        checked.append("request")
    if answer is not None:
        _require(_answer_matches(entry, proof.salt, answer), "answer", "This is not the answer that was given.")
        checked.append("answer")
    if grant_digest is not None:
        _require(entry.get("grant_digest") == grant_digest, "grant", "The exchange was made under other grant terms.")
        checked.append("grant")
    return ReceiptFacts(
        index=proof.index,
        entry=entry,
        entry_bytes=proof.entry,
        checkpoint=checkpoint,
        checked=tuple(checked),
    )


def _require(holds: bool, step: str, hint: str) -> None:  # noqa: FBT001
    if not holds:
        raise ReceiptInvalid(hint, step=step)


def file_sha256_of(entry: Mapping[str, Any]) -> str | None:
    """For a batch entry, the hex SHA-256 of the whole file: `facts.file_sha256`."""
    facts = entry.get("facts")
    found = facts.get("file_sha256") if isinstance(facts, dict) else None
    return found if isinstance(found, str) else None


def _answer_matches(entry: Mapping[str, Any], salt: bytes, answer: bytes | Path) -> bool:
    expected = file_sha256_of(entry)
    if expected is not None:
        return _digest_hex(answer) == expected
    data = answer.read_bytes() if isinstance(answer, Path) else answer
    return entry.get("rs") in {salted_digest(salt, data), salted_digest(salt, split_answer(data)[0])}


def _digest_hex(answer: bytes | Path) -> str:
    digest = sha256()
    if isinstance(answer, bytes):
        digest.update(answer)
    else:
        with answer.open("rb") as file:
            while piece := file.read(1024 * 1024):
                digest.update(piece)
    return digest.hexdigest()


def _parse(text: str) -> _Proof:
    if len(text) > AUDIT_RECEIPT_BYTES_MAX:
        raise ReceiptInvalid("The file is longer than any receipt.", step="form", limit_bytes=AUDIT_RECEIPT_BYTES_MAX)
    head, blank, note = text.partition("\n\n")
    lines = head.split("\n")
    if not blank or len(lines) < 3 or lines[0] + "\n" != PROOF_HEAD:
        raise ReceiptInvalid("A receipt begins with `c2sp.org/tlog-proof@v1`.", step="form")
    word, _, extra = lines[1].partition(" ")
    index_word, _, index = lines[2].partition(" ")
    index_reads = index.isascii() and index.isdigit() and str(int(index)) == index
    if (word, index_word) != ("extra", "index") or not index_reads:
        raise ReceiptInvalid("The receipt's second line is `extra …`, its third `index …`.", step="form")
    try:
        data = b64decode(extra, validate=True)
        path = [b64decode(line, validate=True) for line in lines[3:]]
    except Base64Error:
        raise ReceiptInvalid("A line of the receipt is not base64.", step="form") from None
    if len(data) <= SALT_BYTES or any(len(node) != HASH_BYTES for node in path):
        raise ReceiptInvalid("The receipt's extra data or a hash has the wrong length.", step="form")
    return _Proof(salt=data[:SALT_BYTES], entry=data[SALT_BYTES:], index=int(index), path=path, note=note)


def read_receipt(data: bytes) -> tuple[str, bytes | None]:
    """A receipt from a file's bytes, in any of its three forms, and the answer if the file is one.

    The forms: the proof text; a JSON answer with a `receipt` member; the base64 of the text, as in `Datong-Receipt`.
    """
    stripped = data.strip()
    if stripped.startswith(b"{"):
        body, receipt = split_answer(data)
        if receipt is None:
            receipt = _receipt_member(stripped)
        if receipt is None:
            raise BadInput("This JSON has no member `receipt`. Give the answer as it was received.")
        return receipt, body
    if not stripped.startswith(b"c2sp.org/"):
        try:
            data = b64decode(stripped, validate=True)
        except Base64Error:
            raise BadInput("This is neither a receipt, nor an answer with one, nor a Datong-Receipt header.") from None
    try:
        return data.decode("utf-8"), None
    except UnicodeDecodeError:
        raise BadInput("A receipt is UTF-8 text.") from None


def _receipt_member(data: bytes) -> str | None:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    receipt = value.get("receipt") if isinstance(value, dict) else None
    return receipt if isinstance(receipt, str) else None


def verify_receipt_file(
    path: Path, key: NoteVerifier, *, answer: Path | None = None, request: Path | None = None
) -> ReceiptFacts:
    """`datong receipt verify FILE`: an answer file proves itself; otherwise what is given is checked."""
    if path.stat().st_size > 64 * 1024 * 1024:
        raise BadInput("This is too large for a receipt or an answer with one.", file=str(path))
    receipt, own_answer = read_receipt(path.read_bytes())
    return verify_receipt(
        receipt, key, request=request.read_bytes() if request else None, answer=answer if answer else own_answer
    )
