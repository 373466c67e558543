"""Pages through the gateway: a real upstream on a unix socket, a real gateway, real connections."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from datong.app.gateway.tests.support import GatewayProcess, prepare, question, settings_of
from datong.kernel.limits import UPLOAD_BYTES_MAX

MIB = 1024 * 1024
Talk = Callable[["Upstream", asyncio.StreamReader, asyncio.StreamWriter, str], Awaitable[None]]


@dataclass
class Upstream:
    """A small server in a thread: answers by path, remembers what it was sent."""

    path: Path
    heads: list[str] = field(default_factory=list)
    may_go_on: threading.Event = field(default_factory=threading.Event)
    taken_bytes: int = 0
    lost: threading.Event = field(default_factory=threading.Event)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def start(self) -> None:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()), daemon=True)
        self._ready = threading.Event()
        self._thread.start()
        assert self._ready.wait(5)

    async def _listen(self) -> None:
        """Serve until stopped; connections still open are cut, as by a killed control."""
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_unix_server(self._serve, self.path)
        self._ready.set()
        await self._stop.wait()
        server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        self.path.unlink(missing_ok=True)

    def stop(self) -> None:
        self.may_go_on.set()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)
        assert not self._thread.is_alive()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.heads.append(head)
                target = head.split(" ")[1].split("?")[0]
                await TALKS.get(target, talk_echo)(self, reader, writer, head)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self._writers.discard(writer)
            writer.close()


async def talk_echo(upstream: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
    body = b"" if head.startswith("HEAD") else head.encode("latin-1")
    length = 77 if head.startswith("HEAD") else len(body)
    writer.write(
        b"HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nx-hop: 1\r\nconnection: x-hop\r\n"
        b"content-length: %d\r\n\r\n" % length + body
    )


async def talk_count(upstream: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
    """Reads a chunked upload to its end, then says how long it was."""
    while size := int(await reader.readline(), 16):
        await reader.readexactly(size + 2)
        upstream.taken_bytes += size
    await reader.readexactly(2)
    body = str(upstream.taken_bytes).encode()
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)


async def talk_stall(upstream: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
    """Takes one mebibyte of an upload and no more until it may go on."""
    await reader.readexactly(MIB)
    while not upstream.may_go_on.is_set():  # noqa: ASYNC110 - the test's thread sets it
        await asyncio.sleep(0.01)
    writer.close()


async def talk_events(
    upstream: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str
) -> None:
    """Sends the second event only when told that the first arrived; then until the caller has gone."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    writer.write(b"f\r\ndata: event-1\n\n\r\n")
    await writer.drain()
    while not upstream.may_go_on.is_set():  # noqa: ASYNC110 - the test's thread sets it
        await asyncio.sleep(0.005)
    try:
        while True:
            writer.write(b"f\r\ndata: event-2\n\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)
    except ConnectionError:
        upstream.lost.set()
        raise


async def talk_break(upstream: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
    """Dies in the middle of a chunked answer."""
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.transport.abort()
    raise ConnectionError


async def talk_metrics(
    upstream: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str
) -> None:
    body = b"control_figure 7\n" if "host: localhost\r\n" in head.lower() else b"unknown host\n"
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)


TALKS: dict[str, Talk] = {
    "/metrics": talk_metrics,
    "/count": talk_count,
    "/stall": talk_stall,
    "/events": talk_events,
    "/break": talk_break,
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    settings = settings_of(tmp_path_factory.mktemp("px"))
    prepare(settings).close()
    started = GatewayProcess(settings).start()
    yield started
    started.kill()


@pytest.fixture
def upstream(gateway: GatewayProcess) -> Iterator[Upstream]:
    served = Upstream(gateway.settings.socket("control"))
    served.start()
    yield served
    served.stop()


def memory_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no RssAnon")


def test_headers_cross_as_they_should(gateway: GatewayProcess, upstream: Upstream) -> None:
    sent = {
        "x-forwarded-for": "9.9.9.9",
        "x-forwarded-proto": "https",
        "forwarded": "for=9.9.9.9",
        "connection": "keep-alive, x-secret-hop",
        "x-secret-hop": "1",
        "accept-language": "en",
    }
    answer = gateway.call("GET", "/a%20b/%E5%A4%A7?q=%20x&y=1", token=None, headers=sent)
    assert answer.text.startswith("GET /a%20b/%E5%A4%A7?q=%20x&y=1 HTTP/1.1\r\n")
    received = answer.text.lower()
    assert "x-forwarded-for: 127.0.0.1\r\n" in received
    assert "x-forwarded-proto: http\r\n" in received
    assert f"x-forwarded-host: 127.0.0.1:{gateway.settings.port}\r\n" in received
    assert f"host: 127.0.0.1:{gateway.settings.port}\r\n" in received
    assert "accept-language: en\r\n" in received
    assert "9.9.9.9" not in received
    assert "x-secret-hop" not in received
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert "x-hop" not in answer.headers


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        ("/search?q=大同&x=[1]", "/search?q=%E5%A4%A7%E5%90%8C&x=[1]"),
        ("/数据/a%FFb", "/%E6%95%B0%E6%8D%AE/a%EF%BF%BDb"),
        ("/a%0D%0AX-Evil:1?b=%0D%0A", "/a%0D%0AX-Evil:1?b=%0D%0A"),
        ("/a%3Fb?c%26d", "/a%3Fb?c%26d"),
    ],
)
def test_addresses_arrive_encoded(gateway: GatewayProcess, upstream: Upstream, sent: str, arrives: str) -> None:
    with socket.create_connection(("127.0.0.1", gateway.settings.port)) as caller:
        caller.settimeout(5)
        caller.sendall(f"GET {sent} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n".encode())
        assert caller.recv(65536).startswith(b"HTTP/1.1 200")
    assert upstream.heads[0].split("\r\n")[0] == f"GET {arrives} HTTP/1.1"


def test_a_trusted_proxys_headers_are_believed(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    prepare(settings).close()
    behind = GatewayProcess(settings, DATONG_TRUSTED_PROXIES="127.0.0.0/8").start()
    served = Upstream(settings.socket("control"))
    served.start()
    try:
        sent = {"x-forwarded-for": "9.9.9.9", "x-forwarded-proto": "https", "x-forwarded-host": "data.example"}
        received = behind.call("GET", "/", headers=sent).text.lower()
    finally:
        served.stop()
        behind.kill()
    assert "x-forwarded-for: 9.9.9.9, 127.0.0.1\r\n" in received
    assert "x-forwarded-proto: https\r\n" in received
    assert "x-forwarded-host: data.example\r\n" in received


def test_head_and_one_callers_cookies_never_reach_another(gateway: GatewayProcess, upstream: Upstream) -> None:
    head = gateway.call("HEAD", "/page", token=None)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "77", b"")
    assert "cookie" not in gateway.call("GET", "/page", token=None).text.lower()


@pytest.mark.parametrize("path", ["/x/v1/other/people", "/x/", "/%78/v1/other/people", "/-/drain", "/%2D/drain"])
def test_own_paths_are_never_forwarded(gateway: GatewayProcess, upstream: Upstream, path: str) -> None:
    assert gateway.call("GET", path).status_code in {401, 404}
    assert upstream.heads == []


def test_an_upload_streams_in_constant_memory(gateway: GatewayProcess, upstream: Upstream) -> None:
    size_mib = 200
    before = memory_bytes(gateway.pid)
    answer = gateway.call("POST", "/count", content=(bytes(MIB) for _ in range(size_mib)))
    assert answer.text == str(size_mib * MIB)
    assert memory_bytes(gateway.pid) - before < 24 * MIB


def send_until_it_stalls(caller: socket.socket) -> int:
    sent = 0
    try:
        while sent < 512 * MIB:
            sent += caller.send(bytes(MIB))
    except TimeoutError:
        return sent
    raise AssertionError("nothing held the sender back")


def test_an_upload_waits_for_a_slow_upstream(gateway: GatewayProcess, upstream: Upstream) -> None:
    before = memory_bytes(gateway.pid)
    with socket.create_connection(("127.0.0.1", gateway.settings.port)) as caller:
        caller.sendall(b"POST /stall HTTP/1.1\r\nhost: t\r\ncontent-length: %d\r\n\r\n" % (512 * MIB))
        caller.settimeout(1.0)
        sent = send_until_it_stalls(caller)
    assert MIB <= sent < 64 * MIB
    assert memory_bytes(gateway.pid) - before < 24 * MIB


def test_too_large_an_upload_is_refused_before_it_is_read(gateway: GatewayProcess, upstream: Upstream) -> None:
    with socket.create_connection(("127.0.0.1", gateway.settings.port)) as caller:
        caller.settimeout(5)
        caller.sendall(b"POST /count HTTP/1.1\r\nhost: t\r\ncontent-length: %d\r\n\r\n" % (UPLOAD_BYTES_MAX + 1))
        assert caller.recv(65536).startswith(b"HTTP/1.1 413")
    assert upstream.heads == []


def test_the_first_event_arrives_before_the_second_is_sent(gateway: GatewayProcess, upstream: Upstream) -> None:
    with httpx.stream("GET", f"{gateway.url}/events", timeout=10, trust_env=False) as answer:
        pieces = answer.iter_text()
        assert next(pieces) == "data: event-1\n\n"
        upstream.may_go_on.set()
        assert next(pieces).startswith("data: event-2\n\n")
    assert upstream.lost.wait(5), "the caller went away and control was not told"


def test_a_stop_does_not_wait_for_an_endless_answer(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    prepare(settings).close()
    stopped = GatewayProcess(settings).start()
    served = Upstream(settings.socket("control"))
    served.start()
    served.may_go_on.set()
    try:
        with httpx.stream("GET", f"{stopped.url}/events", timeout=30, trust_env=False) as answer:
            next(answer.iter_text())
            assert stopped.stop() == 0
    finally:
        served.stop()
        stopped.kill()


def test_metrics_and_readiness_include_control(gateway: GatewayProcess, upstream: Upstream) -> None:
    metrics = gateway.call("GET", "/metrics", token=None).text
    assert metrics.endswith("\ncontrol_figure 7\n")
    assert "datong_audit_log_entries" in metrics
    assert gateway.call("GET", "/readyz", token=None).json()["control"] == "up"


def test_a_broken_answer_does_not_look_whole(gateway: GatewayProcess, upstream: Upstream) -> None:
    with pytest.raises(httpx.HTTPError):
        gateway.call("GET", "/break")


def test_without_control_pages_say_so_and_exchange_goes_on(gateway: GatewayProcess) -> None:
    problem = gateway.call("GET", "/resources/", headers={"accept-language": "en"})
    assert (problem.status_code, problem.json()["code"]) == (503, "control-down")
    assert problem.headers["retry-after"]
    page = gateway.call("GET", "/resources/", headers={"accept": "text/html,*/*"})
    assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert "页面服务正在重启" in page.text
    assert gateway.verify(question()).status_code == 200


def test_control_is_found_again_after_its_restart(gateway: GatewayProcess) -> None:
    for _ in range(2):
        served = Upstream(gateway.settings.socket("control"))
        served.start()
        assert gateway.call("GET", "/page").status_code == 200
        served.stop()
        assert gateway.call("GET", "/page").status_code == 503
