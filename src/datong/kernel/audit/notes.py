"""Signed notes and checkpoints (C2SP signed-note 1.0.0, tlog-checkpoint 1.0.0), Ed25519 only.

A log's name *is* its key's name: the key file holds both, so a changed public address does not change a log's origin.
"""

from __future__ import annotations

from base64 import b64decode, b64encode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from datong.kernel.audit.failures import NoteInvalid
from datong.kernel.audit.merkle import HASH_BYTES
from datong.kernel.failures import Misconfigured, NotFound
from datong.kernel.files import write_private
from datong.kernel.ids import random_bytes
from datong.kernel.limits import AUDIT_NOTE_BYTES_MAX

_ED25519 = b"\x01"
_DASH = "\u2014 "
_PRIVATE = "PRIVATE+KEY"


def _check_name(name: str) -> str:
    if not name or "+" in name or not name.isprintable() or any(character.isspace() for character in name):
        raise Misconfigured(
            "A log's name is not empty and has neither spaces nor '+', like `data.example.gov/audit`.", name=name
        )
    return name


def key_id(name: str, public_key: bytes) -> bytes:
    """The first four bytes of SHA-256(name, newline, 0x01, public key)."""
    return sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:4]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A tree head: whose log, how many entries, and the root over them. `text` is the signed note it came in."""

    origin: str
    size: int
    root: bytes
    text: str = ""

    @property
    def body(self) -> str:
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


class NoteVerifier:
    """A public key with its name, as published: `name+hex id+base64(0x01 | key)`."""

    def __init__(self, name: str, public_key: bytes) -> None:
        self.name = _check_name(name)
        self.public_key = public_key
        self.id = key_id(name, public_key)
        self._key = Ed25519PublicKey.from_public_bytes(public_key)

    @classmethod
    def parse(cls, text: str) -> NoteVerifier:
        """Read a published key; NoteInvalid when it does not read or its id is not its own."""
        parts = text.strip().split("+", 2)
        try:
            name, id_hex, encoded = parts
            raw = b64decode(encoded, validate=True)
        except (ValueError, Base64Error):
            raise NoteInvalid("A log key reads `name+id+base64`; take it from /.well-known/datong.json.") from None
        if len(raw) != 1 + HASH_BYTES or raw[:1] != _ED25519 or key_id(name, raw[1:]).hex() != id_hex:
            raise NoteInvalid("The key's id is not that of its name and bytes: it was altered or cut.", name=name)
        return cls(name, raw[1:])

    @property
    def text(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(_ED25519 + self.public_key).decode()}"

    def as_jwk(self) -> dict[str, str]:
        """The same key as a JSON Web Key (RFC 8037 §2)."""
        x = urlsafe_b64encode(self.public_key).rstrip(b"=").decode()
        return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.id.hex(), "use": "sig", "alg": "EdDSA"}

    def open_note(self, note: str) -> str:
        """The text of a note that this key signed; NoteInvalid otherwise. Other keys' signatures are ignored."""
        if len(note) > AUDIT_NOTE_BYTES_MAX:
            raise NoteInvalid("The note is longer than any checkpoint.", limit_bytes=AUDIT_NOTE_BYTES_MAX)
        text, blank, signatures = note.rpartition("\n\n")
        if not blank or not signatures.endswith("\n") or any(c < " " and c != "\n" for c in note):
            raise NoteInvalid("A signed note is a text, a blank line and signature lines.")
        text += "\n"
        verified = False
        for line in signatures[:-1].split("\n"):
            name, raw = _read_signature(line)
            if name != self.name or raw[:4] != self.id:
                continue
            try:
                self._key.verify(raw[4:], text.encode())
            except InvalidSignature:
                raise NoteInvalid("The signature is not over this text.", name=name) from None
            verified = True
        if not verified:
            raise NoteInvalid("The note carries no signature of the expected key.", expected=self.name)
        return text

    def open_checkpoint(self, note: str) -> Checkpoint:
        """A checkpoint of this log, its signature and origin checked."""
        checkpoint = parse_checkpoint_body(self.open_note(note), note)
        if checkpoint.origin != self.name:
            raise NoteInvalid("The checkpoint is of another log.", origin=checkpoint.origin, expected=self.name)
        return checkpoint


def _read_signature(line: str) -> tuple[str, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        raw = b64decode(encoded, validate=True)
    except Base64Error:
        raw = b""
    if not line.startswith(_DASH) or not name or len(raw) < 5:
        raise NoteInvalid("A signature line reads `— name base64`.")
    return name, raw


def parse_checkpoint_body(body: str, note: str = "") -> Checkpoint:
    """The three lines of a checkpoint; extension lines are refused, we never sign any."""
    lines = body.split("\n")
    try:
        origin, size_text, root_text, end = lines
        root = b64decode(root_text, validate=True)
    except (ValueError, Base64Error):
        raise NoteInvalid("A checkpoint's text is three lines: origin, size, root.") from None
    size_reads = size_text.isascii() and size_text.isdigit() and str(int(size_text)) == size_text
    if end or not origin or not size_reads or len(root) != HASH_BYTES:
        raise NoteInvalid("A checkpoint's text is three lines: origin, size, root.")
    return Checkpoint(origin=origin, size=int(size_text), root=root, text=note)


class NoteSigner:
    """The log's private key with its name."""

    def __init__(self, name: str, seed: bytes) -> None:
        self.name = _check_name(name)
        self._seed = seed
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = NoteVerifier(name, self._key.public_key().public_bytes_raw())
        self._line_head = f"\n{_DASH}{name} "

    def __repr__(self) -> str:
        return f"NoteSigner({self.name!r})"

    @classmethod
    def generate(cls, name: str) -> NoteSigner:
        return cls(name, random_bytes(32))

    def sign(self, text: str) -> str:
        """The signed note over a text that ends in a newline. About 35 µs."""
        signature = b64encode(self.verifier.id + self._key.sign(text.encode())).decode()
        return f"{text}{self._line_head}{signature}\n"

    def sign_checkpoint(self, size: int, root: bytes) -> str:
        return self.sign(f"{self.name}\n{size}\n{b64encode(root).decode()}\n")

    def private_text(self) -> str:
        secret = b64encode(_ED25519 + self._seed).decode()
        return f"{_PRIVATE}+{self.name}+{self.verifier.id.hex()}+{secret}\n"


AUDIT_KEY_NAME = "audit.key"
"""The signing key's file in the folder of keys; beside it `.pub`, the published form."""


def load_or_create_signer(path: Path, origin: str) -> NoteSigner:
    """The log's key from its 0600 file, made with the name `origin` when absent (beside it `.pub`, the published form).

    An existing key keeps its own name: a log's origin is decided once, whatever the address becomes.
    """
    if not path.exists():
        write_private(path, NoteSigner.generate(origin).private_text().encode(), only_if_missing=True)
    if path.stat().st_mode & 0o077:
        raise Misconfigured(f"Run `chmod 600 {path}`: others can read the audit log's signing key.", path=str(path))
    signer = parse_signer(path.read_text())
    published = path.with_name(path.name + ".pub")
    if not published.exists():
        published.write_text(signer.verifier.text + "\n")
    return signer


def load_verifier(keys_dir: Path) -> NoteVerifier:
    """This platform's published log key. NotFound before the gateway has started once."""
    published = keys_dir / f"{AUDIT_KEY_NAME}.pub"
    if not published.is_file():
        raise NotFound(
            "This machine has no log of its own: start the gateway once, or name a key with --key.",
            expected=str(published),
        )
    return NoteVerifier.parse(published.read_text(encoding="utf-8").strip())


def parse_signer(text: str) -> NoteSigner:
    """Read a key file's text: `PRIVATE+KEY+name+hex id+base64(0x01 | seed)`."""
    try:
        private, word, name, id_hex, encoded = text.strip().split("+", 4)
        raw = b64decode(encoded, validate=True)
    except (ValueError, Base64Error):
        raise Misconfigured("The audit signing key does not read; restore it from the backup.") from None
    if f"{private}+{word}" != _PRIVATE or raw[:1] != _ED25519 or len(raw) != 1 + 32:
        raise Misconfigured("The audit signing key does not read; restore it from the backup.")
    signer = NoteSigner(name, raw[1:])
    if signer.verifier.id.hex() != id_hex:
        raise Misconfigured("The audit signing key's id is not its own; restore it from the backup.", name=name)
    return signer
