"""The ASGI skin gives what the RSGI skin gives: answers, refusals, files, receipts."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from pathlib import Path

import httpx

from datong.app.gateway.asgi import ExchangeAsgi
from datong.app.gateway.plane import Plane
from datong.app.gateway.tests.support import CSV_BYTES, PEOPLE, TOKEN, prepare, question, settings_of
from datong.kernel.audit.receipts import verify_receipt
from datong.kernel.limits import VERIFY_BODY_BYTES_MAX


async def ask_all(plane: Plane) -> list[httpx.Response]:
    await plane.start()
    transport = httpx.ASGITransport(app=ExchangeAsgi(plane.exchange))
    headers = {"authorization": f"Bearer {TOKEN}"}
    many = {**question(), "items": [{"key": {"id_number": number}} for number, _, _ in PEOPLE]}
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers) as client:
            return [
                await client.post("/x/v1/verify/people", content=json.dumps(question()).encode()),
                await client.post("/x/v1/verify/people", json=many),
                await client.post("/x/v1/verify/people", content=b" " * (VERIFY_BODY_BYTES_MAX + 1)),
                await client.get(
                    "/x/v1/batch/people?purpose=insurance-check&format=csv", headers={"range": "bytes=3-9"}
                ),
                await client.get("/x/v1/nothing"),
            ]
    finally:
        await plane.close()


def test_the_asgi_skin(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    prepare(settings).close()
    plane = Plane(settings)
    key = plane.log.signer.verifier
    single, many, long, part, nothing = asyncio.run(ask_all(plane))
    assert [a.status_code for a in (single, many, long, part, nothing)] == [200, 200, 413, 206, 404]
    assert single.json()["items"][0]["outcome"] == "match"
    assert len(many.json()["items"]) == len(PEOPLE)
    assert part.content == CSV_BYTES[3:10]
    for answer in (single, many, long, nothing):
        assert "answer" in verify_receipt(answer.json()["receipt"], key, answer=answer.content).checked
    receipt = b64decode(part.headers["datong-receipt"]).decode()
    assert (
        verify_receipt(receipt, key, answer=CSV_BYTES, request=part.request.url.raw_path).entry["facts"]["status"]
        == 206
    )
