"""kill -9 under load: whoever got an answer finds its record in the log that the next start recovers."""

from __future__ import annotations

import asyncio
import json
import re
from base64 import b64decode
from pathlib import Path

import pytest

from datong.app.gateway.tests.support import (
    TOKEN,
    GatewayProcess,
    prepare,
    question,
    read_raw_log,
    settings_of,
)
from datong.kernel.audit.entries import SALT_BYTES

CONNECTIONS = 16
LOAD_S = 0.6
ROUNDS = 3
_EXTRA = re.compile(rb"extra ([A-Za-z0-9+/=]+)\\n")


async def ask_for_ever(port: int, received: list[bytes]) -> None:
    """One connection that asks again as soon as it is answered; keeps each whole answer."""
    body = json.dumps(question()).encode()
    lines = ("POST /x/v1/verify/people HTTP/1.1", "host: t", f"authorization: Bearer {TOKEN}")
    head = "\r\n".join((*lines, f"content-length: {len(body)}", "", ""))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while True:
            writer.write(head.encode() + body)
            headers = await reader.readuntil(b"\r\n\r\n")
            found = re.search(rb"content-length: (\d+)", headers, re.IGNORECASE)
            assert found
            assert headers.startswith(b"HTTP/1.1 200")
            received.append(await reader.readexactly(int(found[1])))
    except (ConnectionError, asyncio.IncompleteReadError):
        return
    finally:
        writer.close()


async def load_and_kill(gateway: GatewayProcess) -> list[bytes]:
    received: list[bytes] = []
    asking = [asyncio.ensure_future(ask_for_ever(gateway.settings.port, received)) for _ in range(CONNECTIONS)]
    await asyncio.sleep(LOAD_S)
    gateway.kill()
    await asyncio.gather(*asking)
    return received


def entries_proved(answers: list[bytes]) -> list[bytes]:
    """The log entry that each answer's receipt carries."""
    found = [_EXTRA.search(answer) for answer in answers]
    return [b64decode(match[1])[SALT_BYTES:] for match in found if match]


@pytest.mark.fault
def test_every_answer_received_has_its_record(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    prepare(settings).close()
    gateway = GatewayProcess(settings)
    answered: list[bytes] = []
    try:
        for _ in range(ROUNDS):
            gateway.start()
            received = asyncio.run(load_and_kill(gateway))
            assert len(received) > CONNECTIONS, "no load was made"
            answered += received
    finally:
        gateway.kill()
    proved = entries_proved(answered)
    assert len(proved) == len(answered)
    recorded = set(read_raw_log(settings))
    assert [entry for entry in proved if entry not in recorded] == []


@pytest.mark.fault
def test_a_gateway_that_answers_first_is_caught(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    prepare(settings).close()
    gateway = GatewayProcess(settings, program=["-m", "datong.app.gateway.tests.careless"])
    try:
        gateway.start()
        proved = entries_proved(asyncio.run(load_and_kill(gateway)))
    finally:
        gateway.kill()
    recorded = set(read_raw_log(settings))
    assert recorded, "the careless gateway records late, not never"
    assert [entry for entry in proved if entry not in recorded]
