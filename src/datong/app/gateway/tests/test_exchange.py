"""Verify and batch through the real door: a process, a socket, an LMDB folder, the log on disk."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from datong.app.gateway.tests.support import (
    CSV_BYTES,
    DAY_MS,
    PEOPLE,
    STRANGER_TOKEN,
    TOKEN,
    GatewayProcess,
    drop_grants,
    prepare,
    question,
    read_log,
    settings_of,
    terms,
)
from datong.exchange.contracts import Mode
from datong.exchange.serving.acknowledge import ask_gateway, wait_acknowledged
from datong.exchange.serving.compile import ServingWriter
from datong.kernel import clock
from datong.kernel.audit.failures import ReceiptInvalid
from datong.kernel.audit.receipts import verify_receipt
from datong.kernel.limits import VERIFY_BODY_BYTES_MAX, VERIFY_ITEMS_MAX


@dataclass(frozen=True)
class Place:
    gateway: GatewayProcess
    writer: ServingWriter


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    settings = settings_of(tmp_path_factory.mktemp("gw"))
    writer = prepare(settings)
    gateway = GatewayProcess(settings).start()
    yield Place(gateway, writer)
    gateway.kill()
    writer.close()


@pytest.fixture(autouse=True)
def granted(place: Place) -> None:
    """Each test begins with the grant that `prepare` made, and no other."""
    drop_grants(place.writer)
    place.writer.put_grant(terms())


def entry_of(answer: httpx.Response, place: Place, request: bytes | None = None) -> dict[str, Any]:
    """The log entry that the answer's receipt proves, the receipt checked against answer and request."""
    receipt = answer.json()["receipt"]
    facts = verify_receipt(receipt, place.gateway.log_key(), answer=answer.content, request=request)
    assert "answer" in facts.checked
    return dict(facts.entry)


def test_true_false_and_unknown(place: Place) -> None:
    body = {
        "purpose": "insurance-check",
        "reference": "案-1",
        "items": [
            {"key": {"id_number": PEOPLE[3][0]}, "claims": {"name": PEOPLE[3][1], "born": "1950-01-03"}},
            {"key": {"id_number": PEOPLE[3][0]}, "claims": {"name": "李四", "born": "1950-01-03"}},
            {"key": {"id_number": "110105000000000000"}, "claims": {"name": "李四"}},
            {"key": {"id_number": f" {PEOPLE[4][0]} "}},
        ],
    }
    answer = place.gateway.verify(body)
    assert answer.status_code == 200
    assert answer.json()["items"] == [
        {"outcome": "match", "fields": {"name": "match", "born": "match"}},
        {"outcome": "differ", "fields": {"name": "differ", "born": "match"}},
        {"outcome": "unknown", "fields": {}},
        {"outcome": "match", "fields": {}},
    ]
    entry = entry_of(answer, place, json.dumps(body, ensure_ascii=False).encode())
    assert list(answer.json())[-1] == "receipt"
    assert entry["outcome"] == "answered"
    assert entry["reference"] == "案-1"
    assert entry["grant"] == "grant_people"
    assert len(entry["grant_digest"]) == 64
    assert entry["facts"] == {"items": 4, "match": 2, "differ": 1}
    assert PEOPLE[3][0] not in json.dumps(entry)


def test_an_altered_answer_fails_its_receipt(place: Place) -> None:
    answer = place.gateway.verify(question(7, name="李四"))
    forged = answer.content.replace(b'"differ"', b'"match"')
    assert forged != answer.content
    with pytest.raises(ReceiptInvalid):
        verify_receipt(answer.json()["receipt"], place.gateway.log_key(), answer=forged)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"valid_until_ms": 1}, "grant-expired"),
        ({"valid_from_ms": 4_000_000_000_000, "valid_until_ms": 4_100_000_000_000}, "grant-not-yet-valid"),
        ({"modes": (Mode.BATCH,)}, "mode-not-granted"),
        ({"purpose": "tax-audit"}, "purpose-not-granted"),
        ({"rate_per_minute": 0}, "rate-exceeded"),
        ({"columns": ()}, "column-not-granted"),
        ({"resource_id": "other"}, "grant-missing"),
    ],
)
def test_each_refusal_is_told_and_recorded(place: Place, changes: dict[str, Any], code: str) -> None:
    grant = terms(**changes)
    drop_grants(place.writer)
    place.writer.put_grant(grant)
    body = json.dumps(question()).encode()
    answer = place.gateway.verify(body, **{"accept-language": "en"})
    problem = answer.json()
    assert answer.status_code == (429 if code == "rate-exceeded" else 403)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["code"] == code
    assert problem["hint"]
    entry = entry_of(answer, place, body)
    assert (entry["kind"], entry["outcome"], entry["system"]) == ("refused", code, "system_clinic")
    assert (entry["grant"] == grant.grant_id) is (code != "grant-missing")
    if code == "rate-exceeded":
        assert int(answer.headers["retry-after"]) == problem["facts"]["retry_after_s"]


def test_revocation_is_seen_by_the_next_call(place: Place) -> None:
    assert place.gateway.verify(question()).status_code == 200
    txn_id = place.writer.remove_grant(terms(), revoked_at_ms=clock.epoch_ms(), reason="用途已结束")
    answer = place.gateway.verify(question())
    assert (answer.status_code, answer.json()["code"]) == (403, "grant-revoked")
    assert answer.json()["facts"]["reason"] == "用途已结束"
    admin = place.gateway.settings.socket("gateway")
    assert wait_acknowledged(admin, txn_id)
    assert not wait_acknowledged(admin, txn_id + 1_000)
    assert (ask_gateway(admin) or 0) >= txn_id
    assert place.writer.put_grant(terms()) is False
    assert place.gateway.verify(question()).status_code == 403


def test_no_gateway_counts_as_acknowledged(tmp_path: Path) -> None:
    assert wait_acknowledged(tmp_path / "none.sock", 5)


@pytest.mark.parametrize(
    "authorization", ["", "Basic eDp5", "Bearer", "Bearer wrong", "Bearer " + "x" * 1000, "bearer\ttok"]
)
def test_bad_tokens(place: Place, authorization: str) -> None:
    headers = {"authorization": authorization} if authorization else {}
    answer = place.gateway.call(
        "POST", "/x/v1/verify/people", token=None, headers=headers, content=json.dumps(question()).encode()
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "token-unknown")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert entry_of(answer, place)["outcome"] == "token-unknown"


def test_a_stranger_cannot_tell_what_exists(place: Place) -> None:
    content = json.dumps(question()).encode()
    there = place.gateway.call("POST", "/x/v1/verify/people", token=STRANGER_TOKEN, content=content).json()
    not_there = place.gateway.call("POST", "/x/v1/verify/peopleX", token=STRANGER_TOKEN, content=content).json()
    assert there["code"] == not_there["code"] == "grant-missing"
    assert json.dumps({**there, "receipt": ""}).replace("people", "peopleX") == json.dumps({**not_there, "receipt": ""})


BAD_BODIES = {
    "not json": (b"{", 400),
    "not utf-8": (b'{"purpose":"\xff"}', 400),
    "an array": (b"[]", 400),
    "nothing": (b"", 400),
    "unknown member": (b'{"purpose":"p","items":[{"key":{"id_number":"1"}}],"extra":1}', 400),
    "wrong type": (b'{"purpose":"p","items":"all"}', 400),
    "nested claim": (b'{"purpose":"p","items":[{"key":{"id_number":"1"},"claims":{"name":{"a":1}}}]}', 400),
    "null claim": (b'{"purpose":"p","items":[{"key":{"id_number":"1"},"claims":{"name":null}}]}', 400),
    "no items": (b'{"purpose":"p","items":[]}', 400),
    "deep": (b"[" * 100_000, 400),
    "bad date": (b'{"purpose":"p","items":[{"key":{"id_number":"1"},"as_of":"2026-13-01"}]}', 400),
    "no key": (b'{"purpose":"insurance-check","items":[{"key":{}}]}', 400),
    "other key": (b'{"purpose":"insurance-check","items":[{"key":{"uscc":"1"}}]}', 400),
    "key of another type": (b'{"purpose":"insurance-check","items":[{"key":{"id_number":1}}]}', 400),
    "as_of without history": (
        b'{"purpose":"insurance-check","items":[{"key":{"id_number":"1"},"as_of":"2026-01-01"}]}',
        400,
    ),
    "long reference": (json.dumps({**question(), "reference": "r" * 500}).encode(), 413),
    "too many items": (
        json.dumps({"purpose": "p", "items": [{"key": {"id_number": "1"}}] * (VERIFY_ITEMS_MAX + 1)}).encode(),
        413,
    ),
    "ten megabytes": (b'{"purpose":"' + b"x" * 10_000_000 + b'"}', 413),
}


@pytest.mark.parametrize("name", list(BAD_BODIES))
def test_bad_bodies_are_clear_failures(place: Place, name: str) -> None:
    body, status = BAD_BODIES[name]
    answer = place.gateway.verify(body, **{"accept-language": "en-GB,en;q=0.9"})
    problem = answer.json()
    assert answer.status_code == status, problem
    assert problem["code"] in {"bad-input", "too-large", "key-invalid", "value-invalid", "as-of-not-offered"}
    assert problem["hint"]
    assert problem["title"].isascii()
    assert entry_of(answer, place)["outcome"] == problem["code"]


def test_a_long_body_of_unknown_length_is_bounded(place: Place) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(2 * VERIFY_BODY_BYTES_MAX // 65536):
            yield b" " * 65536

    answer = place.gateway.call("POST", "/x/v1/verify/people", content=pieces())
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


def test_problems_are_in_the_callers_language(place: Place) -> None:
    chinese = place.gateway.verify(b"{", **{"accept-language": "zh-CN,zh;q=0.9,en;q=0.5"})
    assert chinese.json()["title"] == "输入与要求不符"
    assert chinese.headers["content-language"] == "zh-Hans"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/x/v1/verify/people", 405),
        ("POST", "/x/v1/batch/people", 405),
        ("POST", "/x/v1/query/people", 404),
        ("GET", "/x/v2/anything", 404),
        ("GET", "/x/", 404),
    ],
)
def test_other_addresses_below_x(place: Place, method: str, path: str, status: int) -> None:
    answer = place.gateway.call(method, path)
    assert answer.status_code == status
    assert entry_of(answer, place)["kind"] == "refused"


def test_a_large_call_goes_through_the_helper_with_the_same_result(place: Place) -> None:
    items = [{"key": {"id_number": i}, "claims": {"name": n if k % 3 else "x"}} for k, (i, n, _) in enumerate(PEOPLE)]
    body = {"purpose": "insurance-check", "items": items}
    answer = place.gateway.verify(body)
    outcomes = [item["outcome"] for item in answer.json()["items"]]
    assert outcomes == ["match" if k % 3 else "differ" for k in range(len(PEOPLE))]
    assert entry_of(answer, place)["facts"]["items"] == len(PEOPLE)
    refused = place.gateway.verify({**body, "purpose": "tax-audit"})
    assert (refused.status_code, refused.json()["code"]) == (403, "purpose-not-granted")
    assert entry_of(refused, place)["grant"] == "grant_people"


def test_a_killed_helper_is_replaced(place: Place) -> None:
    items = [{"key": {"id_number": i}} for i, _, _ in PEOPLE]
    body = {"purpose": "insurance-check", "items": items}
    helper = _child_running(place.gateway.pid, "datong.exchange.serving.worker")
    os.kill(helper, signal.SIGKILL)
    statuses = [place.gateway.verify(body).status_code for _ in range(2)]
    assert statuses[-1] == 200
    assert set(statuses) <= {200, 503}


def _child_running(parent: int, module: str) -> int:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent and module in (folder / "cmdline").read_text():
                return int(folder.name)
        except OSError:
            continue
    raise AssertionError(f"no child of {parent} runs {module}")


# Batch


def batch(place: Place, query: str = "purpose=insurance-check&format=csv", **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return place.gateway.call("GET", f"/x/v1/batch/people?{query}", headers=sent)


def batch_entry(answer: httpx.Response, place: Place, whole: bytes | None = None) -> dict[str, Any]:
    receipt = b64decode(answer.headers["datong-receipt"]).decode()
    target = answer.request.url.raw_path
    return dict(verify_receipt(receipt, place.gateway.log_key(), answer=whole, request=target).entry)


def test_a_download_in_ranges_has_the_receipts_digest(place: Place) -> None:
    size = len(CSV_BYTES)
    step = size // 3 + 1
    pieces = [batch(place, range=f"bytes={start}-{start + step - 1}") for start in range(0, size, step)]
    assert [p.status_code for p in pieces] == [206, 206, 206]
    whole = b"".join(p.content for p in pieces)
    assert whole == CSV_BYTES
    entries = [batch_entry(p, place, whole) for p in pieces]
    assert {e["facts"]["file_sha256"] for e in entries} == {hashlib.sha256(whole).hexdigest()}
    assert [e["facts"]["range"] for e in entries][-1] == [2 * step, size]
    assert pieces[0].headers["content-range"] == f"bytes 0-{step - 1}/{size}"
    with pytest.raises(ReceiptInvalid):
        batch_entry(pieces[0], place, whole[:-1])


def test_whole_suffix_and_conditional_downloads(place: Place) -> None:
    whole = batch(place)
    etag = whole.headers["etag"]
    assert (whole.status_code, whole.content, whole.headers["accept-ranges"]) == (200, CSV_BYTES, "bytes")
    assert etag == f'"{hashlib.sha256(CSV_BYTES).hexdigest()}"'
    assert batch(place, range="bytes=-10").content == CSV_BYTES[-10:]
    assert batch(place, if_none_match=etag).status_code == 304
    assert batch(place, range="bytes=0-4", if_range=etag).status_code == 206
    assert batch(place, range="bytes=0-4", if_range='"old"').status_code == 200
    assert batch(place, if_match='"old"').status_code == 412
    beyond = batch(place, range=f"bytes={len(CSV_BYTES)}-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(CSV_BYTES)}")
    head = place.gateway.call("HEAD", "/x/v1/batch/people?purpose=insurance-check&format=csv")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(CSV_BYTES)), b"")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("format=csv", 400, "bad-input"),
        ("purpose=insurance-check&format=xls", 400, "bad-input"),
        ("purpose=insurance-check&purpose=b", 400, "bad-input"),
        ("purpose=insurance-check&limit=1", 400, "bad-input"),
        ("purpose=tax-audit", 403, "purpose-not-granted"),
        ("purpose=insurance-check&format=parquet", 503, "resource-not-served"),
    ],
)
def test_batch_refusals(place: Place, query: str, status: int, code: str) -> None:
    answer = batch(place, query)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert entry_of(answer, place)["outcome"] == code


def test_a_file_that_was_altered_is_not_served(place: Place) -> None:
    path = place.gateway.settings.bulk_dir / "people.csv"
    path.write_bytes(CSV_BYTES[:-1])
    try:
        assert batch(place).status_code == 503
    finally:
        path.write_bytes(CSV_BYTES)


# The log's public side


def test_log_is_public_but_its_entries_are_not(place: Place) -> None:
    place.gateway.verify(question())
    node = place.gateway.call("GET", "/.well-known/datong.json", token=None).json()
    assert node["audit"]["key"] == place.gateway.log_key().text
    keys = place.gateway.call("GET", "/.well-known/jwks.json", token=None).json()["keys"]
    assert keys == [place.gateway.log_key().as_jwk()]
    deadline_s = clock.monotonic_s() + 10
    size = 0
    while not size and clock.monotonic_s() < deadline_s:
        note = place.gateway.call("GET", "/audit/checkpoint", token=None).text
        size = place.gateway.log_key().open_checkpoint(note).size
    assert size
    width = min(size, 256)
    suffix = "" if width == 256 else f".p/{width}"
    tile = place.gateway.call("GET", f"/audit/tile/0/000{suffix}", token=None)
    assert (tile.status_code, len(tile.content)) == (200, 32 * width)
    closed = place.gateway.call("GET", f"/audit/tile/entries/000{suffix}")
    assert (closed.status_code, closed.json()["code"]) == (401, "audit-entries-withheld")
    key = (place.gateway.settings.keys_dir / "audit-reader.key").read_bytes().hex()
    opened = place.gateway.call("GET", f"/audit/tile/entries/000{suffix}", token=key)
    assert opened.status_code == 200
    first = int.from_bytes(opened.content[:2], "big")
    assert hashlib.sha256(b"\0" + opened.content[2 : 2 + first]).digest() == tile.content[:32]
    assert place.gateway.call("GET", "/audit/tile/0/999", token=None).status_code == 404


def test_health_and_metrics(place: Place) -> None:
    place.gateway.verify(question())
    assert place.gateway.call("GET", "/healthz", token=None).text == "ok\n"
    assert place.gateway.call("GET", "/readyz", token=None).json()["control"] == "down"
    metrics = place.gateway.call("GET", "/metrics", token=None).text
    assert 'datong_exchanges_total{mode="verify",outcome="answered"}' in metrics
    assert TOKEN not in metrics


# Across a restart


def test_daily_cap_survives_a_restart(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    writer = prepare(settings)
    writer.put_grant(terms(daily_cap=3))
    gateway = GatewayProcess(settings).start()
    try:
        assert [gateway.verify(question(n)).status_code for n in (1, 2)] == [200, 200]
        assert gateway.stop() == 0
        gateway.start()
        assert gateway.verify(question(3)).status_code == 200
        over = gateway.verify(question(4))
        assert (over.status_code, over.json()["facts"]["period"]) == (429, "day")
        assert 0 < over.json()["facts"]["retry_after_s"] <= DAY_MS / 1000
        assert gateway.stop() == 0
    finally:
        gateway.kill()
        writer.close()
    outcomes = [entry["outcome"] for entry in read_log(settings)]
    assert outcomes == ["answered", "answered", "answered", "rate-exceeded"]
