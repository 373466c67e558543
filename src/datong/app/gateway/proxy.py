"""Everything that is not the data plane goes to the control process over its unix socket, streamed both ways.

Nothing is held: an upload's piece is read from the caller when control has taken the one before, an answer's piece is
sent on as it comes (server-sent events too). Bounds are on the upload's bytes and on every wait.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpcore

from datong.app.gateway.forwarding import RawHeaders, return_response_headers
from datong.kernel.failures import Failure, TooLarge, Unavailable
from datong.kernel.limits import (
    PROXY_CONNECT_S_MAX,
    PROXY_CONNECTIONS_MAX,
    PROXY_READ_S_MAX,
    PROXY_RETRIES_MAX,
    PROXY_WRITE_S_MAX,
    UPLOAD_BYTES_MAX,
)

_LOST = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)


class ControlDown(Unavailable):
    code = "control-down"
    title, title_zh = "The pages are being restarted", "页面服务正在重启"

    def __init__(self, *, private: str = "") -> None:
        super().__init__(
            "Data exchange goes on meanwhile. Load the page again in a few seconds.",
            hint_zh="数据交换不受影响，请几秒后刷新页面。",
            private=private,
        )


class UploadTooLarge(TooLarge):
    def __init__(self) -> None:
        super().__init__(
            f"Send files of at most {UPLOAD_BYTES_MAX // 1024**3} GiB; split larger ones.",
            hint_zh=f"单个文件不超过 {UPLOAD_BYTES_MAX // 1024**3} GiB，请拆分后上传。",
            limit_bytes=UPLOAD_BYTES_MAX,
        )


@dataclass(slots=True, kw_only=True)
class Forwarded:
    """A call for control. `target` is path and query as they go on the wire."""

    method: str
    target: str
    headers: RawHeaders
    body: AsyncIterator[bytes] | None


class Upstream:
    """Control's answer, its body still to come. Close it in every case."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response
        self.status: int = response.status
        self.headers = return_response_headers(response.headers)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises ControlDown when control dies in the middle."""
        try:
            async for piece in self._response.aiter_stream():
                if piece:
                    yield piece
        except _LOST as problem:
            raise ControlDown(private=repr(problem)) from problem

    async def close(self) -> None:
        await self._response.aclose()


class ControlProxy:
    """A pool of connections to control's socket."""

    def __init__(self, socket_path: Path) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            uds=str(socket_path),
            max_connections=PROXY_CONNECTIONS_MAX,
            max_keepalive_connections=32,
            keepalive_expiry=20.0,
        )

    async def send(self, call: Forwarded) -> Upstream:
        """Send the call and wait for the answer's head. Raises ControlDown, or UploadTooLarge over the bound."""
        length = next((v for n, v in call.headers if n.lower() == b"content-length"), None)
        if length is not None and int(length) > UPLOAD_BYTES_MAX:
            raise UploadTooLarge
        headers = call.headers
        if call.body is not None and length is None:
            headers = [*headers, (b"transfer-encoding", b"chunked")]
        attempts = 1 if call.body is not None else 1 + PROXY_RETRIES_MAX
        while True:
            attempts -= 1
            request = httpcore.Request(
                method=call.method,
                url=httpcore.URL(scheme=b"http", host=b"control", port=None, target=call.target.encode("latin-1")),
                headers=headers,
                content=None if call.body is None else _bounded(call.body),
                extensions={
                    "timeout": {
                        "connect": PROXY_CONNECT_S_MAX,
                        "pool": PROXY_CONNECT_S_MAX,
                        "read": PROXY_READ_S_MAX,
                        "write": PROXY_WRITE_S_MAX,
                    }
                },
            )
            try:
                return Upstream(await self._pool.handle_async_request(request))
            except _LOST as problem:
                if not attempts or isinstance(problem, httpcore.ConnectError | httpcore.TimeoutException):
                    raise ControlDown(private=repr(problem)) from problem

    async def fetch(self, path: str, limit_bytes: int) -> tuple[int, bytes]:
        """A short GET of the gateway's own, for health and metrics."""
        upstream = await self.send(Forwarded(method="GET", target=path, headers=[(b"host", b"localhost")], body=None))
        try:
            body = b""
            async for piece in upstream.pieces():
                body += piece
                if len(body) > limit_bytes:
                    break
        finally:
            await upstream.close()
        return upstream.status, body

    async def close(self) -> None:
        await self._pool.aclose()


async def _bounded(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    sent_bytes = 0
    async for piece in body:
        sent_bytes += len(piece)
        if sent_bytes > UPLOAD_BYTES_MAX:
            raise UploadTooLarge
        if piece:
            yield piece


def render_down_page(failure: Failure) -> bytes:
    """What a person sees while control restarts: one small page in both languages, which tries again by itself."""
    return (
        '<!doctype html><html lang="zh-Hans"><head><meta charset="utf-8"><title>大同 · Datong</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta http-equiv="refresh" content="5">'
        "<style>body{font:16px/1.6 system-ui,sans-serif;max-width:34rem;margin:18vh auto;padding:0 1rem}"
        "p{color:#4b5563}code{font-size:13px;color:#6b7280}@media(prefers-color-scheme:dark)"
        "{body{background:#111827;color:#f3f4f6}p{color:#9ca3af}}</style></head>"
        f"<body><main><h1>{failure.title_zh}</h1><p>{failure.hint_zh}</p>"
        f'<p lang="en">{failure.title}. {failure.hint}</p><p><code>{failure.code}</code></p></main></body></html>'
    ).encode()
