"""Signed notes, checkpoints and the key file."""

from __future__ import annotations

from pathlib import Path

import pytest

from datong.kernel.audit.failures import NoteInvalid
from datong.kernel.audit.notes import NoteSigner, NoteVerifier, load_or_create_signer, parse_signer
from datong.kernel.audit.tests.samples import ORIGIN, OTHER_SIGNER, SIGNER
from datong.kernel.failures import Misconfigured

# The example key and note with which the note format's first implementation tests itself.
EXAMPLE_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
EXAMPLE_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_a_note_made_elsewhere_opens() -> None:
    key = NoteVerifier.parse(EXAMPLE_KEY)
    assert key.text == EXAMPLE_KEY
    assert key.open_note(EXAMPLE_NOTE).endswith("what your problem is.\n")
    with pytest.raises(NoteInvalid):
        key.open_note(EXAMPLE_NOTE.replace("answer", "Answer"))


def test_a_checkpoint_reads_back_and_every_change_of_a_character_shows() -> None:
    note = SIGNER.sign_checkpoint(1234, b"\x07" * 32)
    checkpoint = SIGNER.verifier.open_checkpoint(note)
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (ORIGIN, 1234, b"\x07" * 32)
    assert note.startswith(checkpoint.body + "\n— ")
    refused = 0
    for at, character in enumerate(note):
        changed = note[:at] + ("A" if character != "A" else "B") + note[at + 1 :]
        with pytest.raises(NoteInvalid):
            SIGNER.verifier.open_checkpoint(changed)
        refused += 1
    assert refused == len(note)


def test_another_keys_signature_is_not_ours_but_may_stand_beside_it() -> None:
    body = SIGNER.sign_checkpoint(3, b"\x01" * 32)
    with pytest.raises(NoteInvalid):
        SIGNER.verifier.open_checkpoint(OTHER_SIGNER.sign_checkpoint(3, b"\x01" * 32))
    witness = NoteSigner("witness.example", b"\x05" * 32)
    text = body.partition("\n\n")[0] + "\n"
    cosigned = body + witness.sign(text).partition("\n\n")[2]
    assert SIGNER.verifier.open_checkpoint(cosigned).size == 3
    assert witness.verifier.open_note(cosigned) == text


@pytest.mark.parametrize(
    "text",
    ["", "a", "a\n1\n", f"{ORIGIN}\n01\nBwcH\n", f"{ORIGIN}\n1\nBwcH\n", f"{ORIGIN}\n-1\n{'A' * 43}=\n", "x\n²\nAA\n"],
)
def test_what_is_signed_but_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteInvalid):
        SIGNER.verifier.open_checkpoint(SIGNER.sign(text))


@pytest.mark.parametrize("text", ["", "name", "name+00000000+AAAA", EXAMPLE_KEY.replace("c74f", "c74e"), "a+b+c+d"])
def test_a_key_that_does_not_read_is_refused(text: str) -> None:
    with pytest.raises(NoteInvalid):
        NoteVerifier.parse(text)


def test_the_key_file_is_private_and_keeps_its_name(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "audit.key"
    first = load_or_create_signer(path, "127.0.0.1:8600/audit")
    assert path.stat().st_mode & 0o777 == 0o600
    assert NoteVerifier.parse(path.with_name("audit.key.pub").read_text()).id == first.verifier.id
    again = load_or_create_signer(path, "elsewhere.example/audit")
    assert (again.name, again.verifier.text) == (first.name, first.verifier.text)
    assert "seed" not in repr(first)
    assert (
        list(path.parent.iterdir()) == sorted([path, path.with_name("audit.key.pub")])
        or len(list(path.parent.iterdir())) == 2
    )
    path.chmod(0o640)
    with pytest.raises(Misconfigured, match="chmod 600"):
        load_or_create_signer(path, "x")


def test_a_damaged_key_file_is_a_clear_failure() -> None:
    text = SIGNER.private_text()
    assert parse_signer(text).verifier.id == SIGNER.verifier.id
    for damaged in ("", text[:20], text.replace(ORIGIN, "other"), "PUBLIC" + text):
        with pytest.raises(Misconfigured):
            parse_signer(damaged)
    with pytest.raises(Misconfigured):
        NoteSigner("has space", b"\x01" * 32)
