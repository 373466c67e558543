"""verify with everything (token, grant, look-up, durable record, receipt) against a bare constant answer.

`python bench/verify.py`. The bare application is Starlette on Granian, one worker, constant JSON; "bare" never reads
the request's body, "bare with body" does. Variants alternate in one run; the figures are medians. The load generator
for req/s is `wrk` where present, else the one below; open-loop latency is always the latter's, counted from the
instant at which a call was due, so a slow answer cannot hide the calls that waited behind it. The same load is put on
the bare answer beside it: what is slow there too is the machine or the generator, not the gateway.
"""

from __future__ import annotations

import gc
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from statistics import median
from time import perf_counter

import httpx
import pyarrow as pa
from common import REPEATS_MIN, Row, compare, run_alternating, write_results

from datong.app.gateway.tests.support import TOKEN, GatewayProcess, free_port, settings_of, system, terms
from datong.exchange.contracts import ServedColumn
from datong.exchange.serving.compile import ServingWriter

CONNECTIONS = 64
ROUND_S = 3
PEOPLE = 500_000
REQUESTS = 2_000
TICK_S = 0.0002
BATCH_KEYS = 10_000
BATCH_KEYS_GOAL = 300_000
P99_MS_GOAL = 10.0

BARE = """
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
async def constant(request):
    return JSONResponse({"items": [{"outcome": "match", "fields": {"name": "match"}}]})
async def read(request):
    await request.body()
    return JSONResponse({"items": [{"outcome": "match", "fields": {"name": "match"}}]})
app = Starlette(routes=[Route("/bare", constant, methods=["POST"]), Route("/body", read, methods=["POST"])])
"""


def person(number: int) -> tuple[str, str]:
    return f"110105{19000101 + number % 900_000}{number:06d}", f"王小明{number}"


def bodies(count: int) -> list[bytes]:
    """Single verifications of people spread over the whole store; every tenth claim is false."""
    made = []
    for n in range(count):
        key, name = person(n * (PEOPLE // count))
        claim = name if n % 10 else "李四"
        item = {"key": {"id_number": key}, "claims": {"name": claim}}
        made.append(json.dumps({"purpose": terms().purpose, "reference": "bench", "items": [item]}).encode())
    return made


def prepare_store(home: Path) -> GatewayProcess:
    settings = settings_of(home)
    writer = ServingWriter(settings.serving_dir, settings.keys_dir)
    resource = writer.put_resource(
        resource_id="people",
        agency_id="a",
        title_zh="人口",
        key_columns=[ServedColumn(name="id_number")],
        verify_columns=[ServedColumn(name="name")],
    )
    batches = (
        pa.record_batch(
            dict(zip(("id_number", "name"), zip(*map(person, range(at, at + 10_000)), strict=True), strict=True))
        )
        for at in range(0, PEOPLE, 10_000)
    )
    began_s = perf_counter()
    writer.write_generation(resource, "version_1", batches)
    print(f"store: {PEOPLE:,} rows in {perf_counter() - began_s:.1f} s")
    writer.put_token(TOKEN, system())
    writer.put_grant(terms(rate_per_minute=10**9))
    writer.close()
    return GatewayProcess(settings).start()


def start_bare(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    (folder / "bare_app.py").write_text(BARE)
    port = free_port()
    command = ["-m", "granian", "--interface", "asginl", "--no-ws", "--loop", "uvloop", "--backlog", "1024"]
    command += ["--port", str(port), "--no-log", "bare_app:app"]
    process = subprocess.Popen([sys.executable, *command], cwd=folder)
    for _ in range(200):
        try:
            httpx.post(f"http://127.0.0.1:{port}/bare", trust_env=False)
            return process, port
        except httpx.HTTPError:
            time.sleep(0.05)
    raise SystemExit("the bare application did not start")


# Load generators


class WrkLoad:
    """Closed loop: as many calls as the connections can make."""

    def __init__(self, folder: Path, port: int, path: str) -> None:
        script = folder / f"wrk{port}{path.replace('/', '-')}.lua"
        texts = [json.dumps(body.decode(), ensure_ascii=False) for body in bodies(REQUESTS)]
        lines = [f"b[{n}]={text}" for n, text in enumerate(texts, start=1)]
        script.write_text(
            "local b={}\n" + "\n".join(lines) + '\nwrk.method="POST"\n'
            f'wrk.headers["Authorization"]="Bearer {TOKEN}"\nwrk.headers["Content-Type"]="application/json"\n'
            f'local i=0\nlocal r={{}}\ninit=function() for n=1,#b do r[n]=wrk.format(nil,"{path}",nil,b[n]) end end\n'
            "request=function() i=i%#b+1; return r[i] end\n"
            "done=function(s,l) local e=s.errors.status+s.errors.read+s.errors.timeout\n"
            'io.write(string.format("RESULT %f %d %f %f\\n", s.requests/s.duration*1e6, e, '
            "l:percentile(50)/1000, l:percentile(99)/1000)) end\n"
        )
        self._command = ["wrk", "-t1", f"-d{ROUND_S}s", "-s", str(script), f"http://127.0.0.1:{port}"]

    def run(self, connections: int = CONNECTIONS) -> tuple[float, float, float]:
        """(calls a second, p50 ms, p99 ms)"""
        output = subprocess.run([*self._command, f"-c{connections}"], capture_output=True, text=True, check=True).stdout
        rate, errors, p50, p99 = map(float, output.rpartition("RESULT ")[2].split())
        if errors:
            raise SystemExit(f"{errors:.0f} calls failed")
        return rate, p50, p99


class Connection:
    """One keep-alive connection with one call under way; knows when that call was due."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self.due_s = 0.0

    def ask(self, call: bytes, due_s: float) -> None:
        self.due_s = due_s
        self.socket.sendall(call)

    def hear(self) -> bool:
        """Take in what has come; whether the answer is whole."""
        self._buffer += self.socket.recv(65_536)
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        at = self._buffer.find(b"content-length: ") + 16
        length = int(self._buffer[at : self._buffer.find(b"\r", at)])
        if len(self._buffer) < end + 4 + length:
            return False
        if not self._buffer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(self._buffer[:500].decode())
        self._buffer = b""
        return True


class EpollLoad:
    """Open loop at a rate (calls that find no free connection wait, and their wait counts), or closed without one.

    Plain sockets and one epoll: an event loop's transports cost so much processor on a machine of two that the answers
    waited for the generator.
    """

    def __init__(self, port: int, path: str) -> None:
        head = f"POST {path} HTTP/1.1\r\nhost: b\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: "
        self._calls = cycle([head.encode() + b"%d\r\n\r\n" % len(body) + body for body in bodies(REQUESTS)])
        self._port = port

    def run(self, connections: int = CONNECTIONS, *, rate: float | None = None) -> tuple[float, float, float]:
        """(calls a second, p50 ms, p99 ms)"""
        made = {c.socket.fileno(): c for c in [Connection(self._port) for _ in range(connections)]}
        gc.collect()
        gc.freeze()
        with select.epoll() as events:
            for number in made:
                events.register(number, select.EPOLLIN)
            began_s = perf_counter()
            waits_ms = self._drive(events, made, rate)
            took_s = perf_counter() - began_s
        for connection in made.values():
            connection.socket.close()
        waits_ms.sort()
        return len(waits_ms) / took_s, waits_ms[len(waits_ms) // 2], waits_ms[int(len(waits_ms) * 0.99)]

    def _drive(self, events: select.epoll, made: dict[int, Connection], rate: float | None) -> list[float]:
        """Ask for a round's length, then wait for what is under way; gives every call's wait from when it was due."""
        waits_ms: list[float] = []
        free, due = list(made.values()), deque[float]()
        now_s = perf_counter()
        ends_s = now_s + ROUND_S
        step_s, next_s = (1 / rate, now_s) if rate else (0.0, ends_s)
        if rate is None:
            due.extend([now_s] * len(free))
        while now_s < ends_s or len(free) < len(made):
            while next_s <= now_s and next_s < ends_s:
                due.append(next_s)
                next_s += step_s
            while due and free:
                free.pop().ask(next(self._calls), due.popleft())
            pause_s = max(next_s - perf_counter(), TICK_S) if next_s < ends_s else TICK_S
            select.select([events], [], [], pause_s)  # epoll's own timeout counts whole milliseconds
            for number, _ in events.poll(0):
                if made[number].hear():
                    now_s = perf_counter()
                    waits_ms.append((now_s - made[number].due_s) * 1000)
                    free.append(made[number])
                    if rate is None and now_s < ends_s:
                        due.append(now_s)
            now_s = perf_counter()
        return waits_ms


def make_load(folder: Path, port: int, path: str) -> WrkLoad | EpollLoad:
    return WrkLoad(folder, port, path) if shutil.which("wrk") else EpollLoad(port, path)


# Measures


def measure_single(gateway: GatewayProcess, folder: Path, bare_port: int, rows: list[Row]) -> float:
    """Calls a second at 64 connections against the two bare answers; gives ours."""
    ours = make_load(folder, gateway.settings.port, "/x/v1/verify/people")
    loads = {"ours": ours, "bare": make_load(folder, bare_port, "/bare"), "body": make_load(folder, bare_port, "/body")}
    kind = "wrk" if isinstance(ours, WrkLoad) else "the epoll generator"
    print(f"load generator: {kind}, {CONNECTIONS} connections, {ROUND_S} s a round, medians of {REPEATS_MIN}")
    p99_ms: list[float] = []

    def run(name: str) -> Callable[[], float]:
        def once() -> float:
            rate, _, p99 = loads[name].run()
            if name == "ours":
                p99_ms.append(p99)
            return rate

        return once

    samples = run_alternating({name: run(name) for name in loads})
    what = f"verify, {CONNECTIONS} connections, calls/s"
    rows.append(compare(what, samples["ours"], samples["bare"], limit_is="bare Granian + Starlette", goal=0.5))
    rows.append(compare(what, samples["ours"], samples["body"], limit_is="the same, reading the body", goal=0.8))
    rows.append(
        compare("verify, p99 ms, closed loop", p99_ms, P99_MS_GOAL, limit_is="goal", goal=1.0, lower_is_better=True)
    )
    return median(samples["ours"])


def measure_open_loop(gateway: GatewayProcess, bare_port: int, rate: float, rows: list[Row]) -> None:
    loads = {"ours": EpollLoad(gateway.settings.port, "/x/v1/verify/people"), "bare": EpollLoad(bare_port, "/body")}

    def run(name: str) -> Callable[[], float]:
        return lambda: loads[name].run(rate=rate)[2]

    samples = run_alternating({name: run(name) for name in loads})
    p99s = samples["ours"]
    print(f"open loop at {rate:,.0f}/s: under the same load the bare answer's p99 is {median(samples['bare']):.3g} ms")
    what = f"verify, p99 ms, open loop at {rate:,.0f}/s"
    rows.append(compare(what, p99s, P99_MS_GOAL, limit_is="goal", goal=1.0, lower_is_better=True))


def batch_body() -> bytes:
    step = PEOPLE // BATCH_KEYS
    people = [person(n * step) for n in range(BATCH_KEYS)]
    items = [{"key": {"id_number": key}, "claims": {"name": name}} for key, name in people]
    return json.dumps({"purpose": terms().purpose, "items": items}, ensure_ascii=False).encode()


def batch_keys_per_s(gateway: GatewayProcess, body: bytes, calls: int = 10) -> float:
    headers = {"authorization": f"Bearer {TOKEN}"}
    with httpx.Client(trust_env=False, timeout=30) as client:
        began_s = perf_counter()
        for _ in range(calls):
            client.post(f"{gateway.url}/x/v1/verify/people", content=body, headers=headers).raise_for_status()
        return calls * BATCH_KEYS / (perf_counter() - began_s)


BATCH_CLIENT = """
import sys, httpx
body = open(sys.argv[2], "rb").read()
with httpx.Client(trust_env=False, timeout=30) as client:
    while True:
        client.post(sys.argv[1], content=body, headers={"authorization": "Bearer " + sys.argv[3]}).raise_for_status()
"""


def measure_batch(gateway: GatewayProcess, folder: Path, rows: list[Row]) -> None:
    body = batch_body()
    (folder / "batch.json").write_bytes(body)
    alone = [batch_keys_per_s(gateway, body) for _ in range(REPEATS_MIN)]
    rows.append(compare("batch verify, keys/s", alone, BATCH_KEYS_GOAL, limit_is="goal", goal=1.0))
    url = f"{gateway.url}/x/v1/verify/people"
    beside = subprocess.Popen([sys.executable, "-c", BATCH_CLIENT, url, str(folder / "batch.json"), TOKEN])
    try:
        load = EpollLoad(gateway.settings.port, "/x/v1/verify/people")
        p99s = [load.run(16, rate=1000)[2] for _ in range(REPEATS_MIN)]
    finally:
        beside.kill()
        beside.wait()
    what = "single verify beside a batch client, p99 ms at 1,000/s"
    rows.append(compare(what, p99s, P99_MS_GOAL, limit_is="goal", goal=1.0, lower_is_better=True))


def main(arguments: Sequence[str]) -> None:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(dir=arguments[0] if arguments else None) as name:
        folder = Path(name)
        print(f"{os.cpu_count()} processors; everything on one machine, load generator included")
        gateway = prepare_store(folder / "home")
        bare, bare_port = start_bare(folder)
        try:
            rate = measure_single(gateway, folder, bare_port, rows)
            measure_open_loop(gateway, bare_port, rate / 2, rows)
            measure_batch(gateway, folder, rows)
        finally:
            gateway.kill()
            bare.terminate()
            bare.wait()
    print(f"written: {write_results('verify', rows).name}")


if __name__ == "__main__":
    main(sys.argv[1:])
