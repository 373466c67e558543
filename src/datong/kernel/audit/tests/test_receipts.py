"""Receipts: what they prove, and that any change of them, of the answer or of the request shows."""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from datong.kernel.audit.committer import Committed
from datong.kernel.audit.entries import DataEntry, decode_entry, salted_digest
from datong.kernel.audit.failures import ReceiptInvalid
from datong.kernel.audit.receipts import (
    attach_receipt,
    build_receipt,
    read_receipt,
    seal_answer,
    split_answer,
    verify_receipt,
    verify_receipt_file,
)
from datong.kernel.audit.tests.samples import (
    ANSWER,
    OTHER_SIGNER,
    REQUEST,
    SALT,
    SIGNER,
    data_entry,
    open_log,
)
from datong.kernel.failures import BadInput

KEY = SIGNER.verifier


def receipt_of(tmp_path: Path, entry: bytes, *, before: int = 37, beside: int = 9) -> str:
    """A receipt for an entry in the middle of a batch of a log that has entries before it."""
    log = open_log(tmp_path / "audit")
    if before:
        log.append([data_entry(number) for number in range(before)])
    entries = [data_entry(1000 + number) for number in range(beside)]
    entries.insert(beside // 2, entry)
    appended = log.append(entries)
    at = beside // 2
    log.close()
    return build_receipt(
        Committed(appended.first_index + at, appended.paths[at], appended.checkpoint), salt=SALT, entry=entry
    )


@pytest.fixture
def receipt(tmp_path: Path) -> str:
    return receipt_of(tmp_path, data_entry(7))


def failed_step(*args: object, **kwargs: object) -> str:
    with pytest.raises(ReceiptInvalid) as caught:
        verify_receipt(*args, **kwargs)  # type: ignore[arg-type]
    return str(caught.value.facts["step"])


def test_a_receipt_proves_entry_request_answer_and_grant(receipt: str) -> None:
    answer = attach_receipt(ANSWER, receipt)
    assert orjson.loads(answer)["receipt"] == receipt
    assert list(orjson.loads(answer))[-1] == "receipt"
    facts = verify_receipt(receipt, KEY, request=REQUEST, answer=answer, grant_digest="digest")
    assert facts.checked == ("form", "entry", "checkpoint", "inclusion", "request", "answer", "grant")
    assert facts.entry == decode_entry(data_entry(7))
    assert (facts.index, facts.checkpoint.size) == (41, 47)
    assert verify_receipt(receipt, KEY).checked == ("form", "entry", "checkpoint", "inclusion")
    assert verify_receipt(receipt, KEY, answer=ANSWER).checked[-1] == "answer"


def test_what_was_not_exchanged_is_refused_at_its_step(receipt: str) -> None:
    answer = attach_receipt(ANSWER, receipt)
    assert failed_step(receipt, KEY, request=REQUEST + b" ") == "request"
    assert failed_step(receipt, KEY, answer=answer.replace(b"match", b"differ")) == "answer"
    assert failed_step(receipt, KEY, answer=b"") == "answer"
    assert failed_step(receipt, KEY, grant_digest="other") == "grant"
    assert failed_step(receipt, OTHER_SIGNER.verifier) == "checkpoint"


def test_every_changed_character_of_a_receipt_is_refused(receipt: str) -> None:
    """But for the salt, which is proven only together with a request or an answer: so those are given."""
    refused = 0
    for at, character in enumerate(receipt):
        changed = receipt[:at] + ("A" if character != "A" else "B") + receipt[at + 1 :]
        with pytest.raises(ReceiptInvalid):
            verify_receipt(changed, KEY, request=REQUEST, answer=ANSWER)
        refused += 1
    assert refused == len(receipt) > 900


def test_an_entry_put_in_anothers_place_is_refused(receipt: str) -> None:
    lines = receipt.split("\n")
    forged_entry = data_entry(7).replace(b"answered", b"refused!")
    lines[1] = "extra " + b64encode(SALT + forged_entry).decode()
    assert failed_step("\n".join(lines), KEY) == "inclusion"
    for index in ("40", "42", "0", "46", "47"):
        lines = receipt.split("\n")
        lines[2] = f"index {index}"
        assert failed_step("\n".join(lines), KEY) == "inclusion"
    lines = receipt.split("\n")
    del lines[3]
    assert failed_step("\n".join(lines), KEY) == "inclusion"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2sp.org/tlog-proof@v1\n\n",
        "c2sp.org/tlog-proof@v1\nextra AAAA\nindex 0\n\nx\n",
        "x" * 300_000,
        "c2sp.org/tlog-proof@v1\nextra ****\nindex 0\n\nx\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n\nx\n",
        "c2sp.org/tlog-proof@v1\nextra AAAA\nindex 007\n\nx\n",
        "c2sp.org/tlog-proof@v2\nextra A\nindex 0\n\nx\n",
    ],
)
def test_what_is_no_receipt_is_refused_at_its_form(text: str) -> None:
    assert failed_step(text, KEY) == "form"


def test_the_hot_path_writes_what_the_two_steps_write(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    entries = [data_entry(number, reference=f'quoted "{number}" 案') for number in range(9)]
    appended = log.append(entries)
    log.close()
    for at, entry in enumerate(entries):
        committed = Committed(appended.first_index + at, appended.paths[at], appended.checkpoint)
        sealed = seal_answer(ANSWER, committed, salt=SALT, entry=entry)
        assert sealed == attach_receipt(ANSWER, build_receipt(committed, salt=SALT, entry=entry))
    assert sealed != seal_answer(ANSWER, committed, salt=SALT, entry=entries[0])


def test_a_receipt_in_an_empty_or_nested_answer_is_cut_exactly(receipt: str) -> None:
    assert split_answer(attach_receipt(b"{}", receipt)) == (b"{}", receipt)
    nested = b'{"a":{"receipt":"x"},"b":","}'
    assert split_answer(nested) == (nested, None)
    assert split_answer(attach_receipt(nested, receipt)) == (nested, receipt)
    assert split_answer(ANSWER) == (ANSWER, None)


def test_a_one_entry_log_has_a_receipt_without_a_path(tmp_path: Path) -> None:
    text = receipt_of(tmp_path, data_entry(7), before=0, beside=0)
    assert verify_receipt(text, KEY, answer=ANSWER).index == 0


def test_files_of_all_three_forms_verify(tmp_path: Path, receipt: str) -> None:
    answer = tmp_path / "answer.json"
    answer.write_bytes(attach_receipt(ANSWER, receipt))
    request = tmp_path / "request.json"
    request.write_bytes(REQUEST)
    assert verify_receipt_file(answer, KEY, request=request).checked[-2:] == ("request", "answer")
    text = tmp_path / "receipt.tlog-proof"
    text.write_text(receipt)
    assert verify_receipt_file(text, KEY, answer=answer).checked[-1] == "answer"
    header = tmp_path / "header"
    header.write_bytes(b64encode(receipt.encode()) + b"\n")
    assert verify_receipt_file(header, KEY).index == 41
    spoilt = tmp_path / "spoilt.json"
    spoilt.write_bytes(answer.read_bytes().replace(b"match", b"matsh"))
    with pytest.raises(ReceiptInvalid):
        verify_receipt_file(spoilt, KEY)
    for content in (b"{}", b"\xff\xfe", b'{"receipt":1}', b"hello"):
        spoilt.write_bytes(content)
        with pytest.raises((BadInput, ReceiptInvalid)):
            verify_receipt_file(spoilt, KEY)


def test_an_answer_written_out_again_by_a_json_tool_says_that_its_bytes_differ(receipt: str) -> None:
    pretty = orjson.dumps(orjson.loads(attach_receipt(ANSWER, receipt)), option=orjson.OPT_INDENT_2)
    found, body = read_receipt(pretty)
    assert found == receipt
    assert failed_step(found, KEY, answer=body) == "answer"


def test_a_batch_receipt_is_checked_against_the_whole_file(tmp_path: Path) -> None:
    data = b"col\n" + b"row\n" * 500_000
    entry = DataEntry(
        kind="batch",
        at="2026-03-01T00:00:00.000Z",
        system="s",
        agency="a",
        resource="r",
        grant="g",
        grant_digest="d",
        purpose="p",
        reference="",
        fields=("c",),
        outcome="answered",
        rq=salted_digest(SALT, b"/x/v1/batch/r"),
        rs=salted_digest(SALT, sha256(data).hexdigest().encode()),
        facts={"file_sha256": sha256(data).hexdigest()},
    ).encode()
    text = receipt_of(tmp_path, entry)
    file = tmp_path / "r.csv"
    file.write_bytes(data)
    assert verify_receipt(text, KEY, answer=file, request=b"/x/v1/batch/r").checked[-1] == "answer"
    file.write_bytes(data[:-1])
    assert failed_step(text, KEY, answer=file) == "answer"


def test_paths_are_the_hashes_of_the_form(receipt: str) -> None:
    head = receipt.partition("\n\n")[0].split("\n")
    assert head[0] == "c2sp.org/tlog-proof@v1"
    assert all(len(b64decode(line, validate=True)) == 32 for line in head[3:])
