"""The RSGI skin: reads a call from the server within its bounds, finds who answers it, writes the answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import structlog

from datong.app.gateway import public
from datong.app.gateway.abort import abort_connection
from datong.app.gateway.exchange import Exchange
from datong.app.gateway.forwarding import TrustedProxies, address_of, forward_request_headers
from datong.app.gateway.http import (
    NO_STORE,
    Answer,
    Call,
    choose_language,
    headers_of,
    problem_answer,
    render_problem,
)
from datong.app.gateway.metrics import Counts
from datong.app.gateway.proxy import ControlDown, ControlProxy, Forwarded, UploadTooLarge, Upstream, render_down_page
from datong.app.gateway.public import PublicLog
from datong.app.gateway.routes import (
    AUDIT_PUBLISHED,
    EXCHANGE_PREFIX,
    PATH_SAFE,
    QUERY_SAFE,
    RANGE_HEADERS,
    UNIX_ONLY_PREFIX,
    split_exchange_path,
)
from datong.kernel import ids
from datong.kernel.audit.committer import Committer
from datong.kernel.failures import BadInput, Bug, Failure, NotFound, TooLarge, Unavailable
from datong.kernel.limits import REQUEST_BODY_BYTES_MAX, VERIFY_BODY_BYTES_MAX

DISCARDED_BYTES_MAX = 64 * 1024 * 1024

log = structlog.get_logger("datong.gateway")


class Gateway:
    """The whole of the public port."""

    def __init__(
        self,
        *,
        exchange: Exchange,
        committer: Committer,
        proxy: ControlProxy,
        published: PublicLog,
        counts: Counts,
        trusted: TrustedProxies,
        public_url: str,
        language: str,
    ) -> None:
        self._exchange = exchange
        self._committer = committer
        self._proxy = proxy
        self._published = published
        self._counts = counts
        self._trusted = trusted
        self._public_url = public_url
        self._language = language
        self.exchanging_count = 0
        self.forwarding_count = 0

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """The request edge: one of the three places that catch everything."""
        if scope.proto != "http":
            protocol.close(403)
            return
        path = scope.path
        if path.startswith(EXCHANGE_PREFIX):
            self.exchanging_count += 1
            try:
                await self._answer_exchange(path, scope, protocol)
            finally:
                self.exchanging_count -= 1
        else:
            self.forwarding_count += 1
            try:
                await self._answer_other(scope, protocol)
            finally:
                self.forwarding_count -= 1

    # The data plane ------------------------------------------------------------------------------------------------
    async def _answer_exchange(self, path: str, scope: Any, protocol: Any) -> None:
        headers = scope.headers
        mode, resource = split_exchange_path(path)
        call = Call(
            method=scope.method,
            mode=mode,
            resource=resource,
            authorization=headers.get("authorization", ""),
            accept_language=headers.get("accept-language", ""),
        )
        if call.method == "POST":
            length = headers.get("content-length")
            if length is not None and length.isdigit() and int(length) <= VERIFY_BODY_BYTES_MAX:
                call.body = await protocol()
            else:
                call.body = await read_body(length, protocol, VERIFY_BODY_BYTES_MAX)
                if isinstance(call.body, Failure):
                    call.target = target_of(scope)
        else:
            call.target, call.query = target_of(scope), scope.query_string
            call.ranges = {n: v for n in RANGE_HEADERS if (v := headers.get(n)) is not None}
        try:
            answer = await self._exchange.handle(call)
        except Unavailable as failure:
            answer = problem_answer(failure, choose_language(call.accept_language, self._language))
        except Exception as problem:  # noqa: BLE001 - the request edge
            answer = await self._answer_bug(call, problem)
        write_answer(protocol, answer)

    async def _answer_bug(self, call: Call, problem: Exception) -> Answer:
        bug = Bug("Report the reference; nothing was released.", hint_zh="请报告编号；未泄露任何数据。")
        bug.reference = ids.new_id("ref")
        log.error("exchange.bug", reference=bug.reference, mode=call.mode, exc_info=problem)
        try:
            return await self._exchange.refuse(call, bug)
        except Failure as failure:
            return problem_answer(failure, choose_language(call.accept_language, self._language))

    # The rest ------------------------------------------------------------------------------------------------------
    async def _answer_other(self, scope: Any, protocol: Any) -> None:
        language = choose_language(scope.headers.get("accept-language"), self._language)
        try:
            answer = await self._find_own_answer(scope, language)
            if answer is None:
                await self._forward(scope, protocol, language)
                return
        except Failure as failure:
            answer = problem_answer(failure, language)
        except Exception as problem:
            bug = Bug("Report the reference.", hint_zh="请报告编号。")
            bug.reference = ids.new_id("ref")
            log.error("gateway.bug", reference=bug.reference, path=scope.path, exc_info=problem)
            answer = problem_answer(bug, language)
        write_answer(protocol, answer)

    async def _find_own_answer(self, scope: Any, language: str) -> Answer | None:  # noqa: PLR0911 - one return an address
        """The answer to the gateway's own addresses; None for control's."""
        path = scope.path
        if path.startswith(AUDIT_PUBLISHED):
            authorization = scope.headers.get("authorization", "")
            return await self._published.answer(path.removeprefix("/audit/"), authorization, language)
        if path == "/.well-known/datong.json":
            return public.describe_node(self._committer, self._public_url)
        if path == "/.well-known/jwks.json":
            return public.publish_keys(self._committer, self._published.keys_dir)
        if path == "/healthz":
            return Answer(status=200, headers=[("content-type", "text/plain; charset=utf-8"), NO_STORE], body=b"ok\n")
        if path == "/readyz":
            answers = await self._control_answers()
            return public.report_readiness(self._committer, control_answers=answers, language=language)
        if path == "/metrics":
            return await self._collect_metrics()
        if path.startswith(UNIX_ONLY_PREFIX):
            raise NotFound("There is no such address.", hint_zh="没有这个地址。")
        return None

    async def _control_answers(self) -> bool:
        try:
            status, _ = await self._proxy.fetch("/healthz", REQUEST_BODY_BYTES_MAX)
        except Failure:
            return False
        return status < 500

    async def _collect_metrics(self) -> Answer:
        """The gateway's own figures, then control's when it answers."""
        text = self._counts.render().encode()
        with contextlib.suppress(Failure):
            status, body = await self._proxy.fetch("/metrics", REQUEST_BODY_BYTES_MAX)
            if status == 200:
                text += body
        return Answer(status=200, headers=[("content-type", "text/plain; version=0.0.4"), NO_STORE], body=text)

    async def _forward(self, scope: Any, protocol: Any, language: str) -> None:
        given = scope.headers.items()
        names = {name.lower() for name, _ in given}
        has_body = "transfer-encoding" in names or scope.headers.get("content-length", "0") != "0"
        headers = forward_request_headers(
            given, peer=address_of(scope.client), scheme=scope.scheme, trusted=self._trusted
        )
        body = pieces_of(protocol) if has_body else None
        call = Forwarded(method=scope.method, target=target_of(scope), headers=headers, body=body)
        try:
            upstream = await self._proxy.send(call)
        except (ControlDown, UploadTooLarge) as failure:
            self._counts.add_proxied(failure.status)
            write_answer(protocol, self._refuse_forward(failure, scope, language))
            return
        self._counts.add_proxied(upstream.status)
        try:
            if scope.method == "HEAD" or upstream.status in {204, 304}:
                protocol.response_empty(upstream.status, upstream.headers)
            else:
                await self._pump(protocol, upstream)
        except ControlDown as failure:
            log.warning("gateway.answer-broke-off", path=scope.path, private=failure.private)
            abort_connection(scope.client)
        finally:
            await upstream.close()

    def _refuse_forward(self, failure: Failure, scope: Any, language: str) -> Answer:
        if isinstance(failure, ControlDown) and "text/html" in scope.headers.get("accept", ""):
            headers = [h for h in headers_of(failure, language) if h[0] != "content-type"]
            headers.append(("content-type", "text/html; charset=utf-8"))
            headers.append(("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"))
            return Answer(status=failure.status, headers=headers, body=render_down_page(failure))
        return Answer(
            status=failure.status, headers=headers_of(failure, language), body=render_problem(failure, language)
        )

    async def _pump(self, protocol: Any, upstream: Upstream) -> None:
        """Send control's answer on as it comes; a caller that goes away ends it at once, and frees control's thread."""
        transport = protocol.response_stream(upstream.status, upstream.headers)

        async def send_all() -> None:
            async for piece in upstream.pieces():
                await transport.send_bytes(piece)

        async def wait_until_gone() -> None:
            await protocol.client_disconnect()

        sending = asyncio.ensure_future(send_all())
        gone = asyncio.ensure_future(wait_until_gone())
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            sending.cancel()
            gone.cancel()
            await asyncio.wait({sending})


def target_of(scope: Any) -> str:
    """Path and query for the wire: the path percent-encoded anew from its decoded form, the query as it came but for
    characters that a client should have encoded (many tools send raw UTF-8)."""
    target = quote(scope.path, safe=PATH_SAFE)
    return f"{target}?{quote(scope.query_string, safe=QUERY_SAFE)}" if scope.query_string else target


async def pieces_of(protocol: Any) -> AsyncIterator[bytes]:
    async for piece in protocol:
        yield bytes(piece)


async def read_body(length: str | None, protocol: Any, limit_bytes: int) -> bytes | Failure:
    """A body that is too long or of unknown length, within its limit. One that is longer is a TooLarge; what follows it
    is read off and thrown away, within a bound, because a caller that still sends does not hear the answer."""
    if length is not None and not length.isdigit():
        return BadInput("Content-Length is a number.", hint_zh="Content-Length 应为数字。")
    pieces: list[bytes] = []
    read_bytes = 0
    async for piece in protocol:
        read_bytes += len(piece)
        if read_bytes <= limit_bytes:
            pieces.append(bytes(piece))
        else:
            pieces.clear()
            if read_bytes > DISCARDED_BYTES_MAX:
                break
    if read_bytes > limit_bytes:
        return TooLarge(
            f"Send at most {limit_bytes} bytes; split the items over several calls.",
            hint_zh=f"请求体不超过 {limit_bytes} 字节，请分多次发送。",
            limit_bytes=limit_bytes,
        )
    return b"".join(pieces)


def write_answer(protocol: Any, answer: Answer) -> None:
    file = answer.file
    if file is not None:
        protocol.response_file_range(answer.status, answer.headers, str(file.path), file.start, file.end)
    elif answer.body:
        protocol.response_bytes(answer.status, answer.headers, answer.body)
    else:
        protocol.response_empty(answer.status, answer.headers)
