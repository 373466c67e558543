"""The ASGI skin of the data plane: the same `Exchange.handle` for tests and other servers. No proxy, no log tiles."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote

from datong.app.gateway.exchange import Exchange
from datong.app.gateway.http import Answer, Call, FilePart, choose_language, problem_answer
from datong.app.gateway.routes import PATH_SAFE, RANGE_HEADERS, split_exchange_path
from datong.kernel.failures import Failure, TooLarge, Unavailable
from datong.kernel.limits import VERIFY_BODY_BYTES_MAX

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
PIECE_BYTES = 256 * 1024


class ExchangeAsgi:
    """An ASGI 3 application for `/x/`."""

    def __init__(self, exchange: Exchange, language: str = "zh-hans") -> None:
        self._exchange = exchange
        self._language = language

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", "the data plane speaks HTTP only"
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        mode, resource = split_exchange_path(scope["path"])
        query = scope["query_string"].decode("latin-1")
        call = Call(
            method=scope["method"],
            mode=mode,
            resource=resource,
            query=query,
            authorization=headers.get("authorization", ""),
            accept_language=headers.get("accept-language", ""),
            ranges={name: headers[name] for name in RANGE_HEADERS if name in headers},
        )
        if call.method == "POST":
            call.body = await _read_body(receive)
        if call.method != "POST" or isinstance(call.body, Failure):
            target = quote(scope["path"], safe=PATH_SAFE)
            call.target = f"{target}?{query}" if query else target
        try:
            answer = await self._exchange.handle(call)
        except Unavailable as failure:
            answer = problem_answer(failure, choose_language(call.accept_language, self._language))
        await _send_answer(answer, send)


async def _read_body(receive: Receive) -> bytes | Failure:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > VERIFY_BODY_BYTES_MAX:
            return TooLarge(f"Send at most {VERIFY_BODY_BYTES_MAX} bytes.", limit_bytes=VERIFY_BODY_BYTES_MAX)
    return body


async def _send_answer(answer: Answer, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if answer.file is not None:
        await _send_file(answer.file, send)
    await send({"type": "http.response.body", "body": answer.body})


async def _send_file(part: FilePart, send: Send) -> None:
    with part.path.open("rb") as file:
        file.seek(part.start)
        left = part.end - part.start
        while left and (piece := await asyncio.to_thread(file.read, min(left, PIECE_BYTES))):
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
