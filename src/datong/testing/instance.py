"""A whole running platform for tests: real processes on a port of their own, with a small demonstration city in it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson

from datong.kernel import clock

READY_WITHIN_S = 240
_MARK = "Ctrl-C"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A running platform: where it answers, where its state is, who its supervisor is."""

    url: str
    home: Path
    pid: int
    """The process `datong demo`; its child is the supervisor."""
    environment: dict[str, str]

    def read(self, name: str) -> Any:
        """A JSON file of the demonstration: demo.json, logins.json."""
        return orjson.loads((self.home / "demo" / name).read_bytes())

    @property
    def token(self) -> str:
        return (self.home / "demo" / "token").read_text()

    def child_pid(self, name: str) -> int:
        """A process by name: gateway, control, worker."""
        return int((self.home / "run" / f"{name}.pid").read_text())

    def supervisor_pid(self) -> int:
        return int((self.home / "run" / "supervisor.lock").read_text())

    def postgres_pid(self) -> int:
        return int((self.home / "postgres" / "data" / "postmaster.pid").read_text().split("\n", 1)[0])

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A `datong` command against this platform."""
        return subprocess.run(
            [sys.executable, "-m", "datong.app.cli", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=check,
            timeout=120,
        )

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(self.url + path, trust_env=False, timeout=20, **options)

    def verify(self, resource: str, body: dict[str, Any], *, token: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return httpx.post(f"{self.url}/x/v1/verify/{resource}", json=body, headers=headers, trust_env=False, timeout=20)


@contextmanager
def new_environment() -> Iterator[dict[str, str]]:
    """The environment of a platform with a home, a port and a folder to watch of its own; they go at the end."""
    base = Path(tempfile.mkdtemp(prefix="datong-"))
    base.chmod(0o711)  # the database's own account passes through
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DATONG_", "PYTEST_", "DJANGO_"))}
    try:
        drop = base / "drop"
        drop.mkdir()
        own = {"DATONG_HOME": base / "home", "DATONG_PORT": _find_free_port(), "DATONG_SOURCE_FOLDERS": drop}
        yield {**kept, **{name: str(value) for name, value in own.items()}}
    finally:
        shutil.rmtree(base, ignore_errors=True)


@contextmanager
def run_instance(*, people: int = 300, firms: int = 30) -> Iterator[Instance]:
    """Start `datong demo` with a small city in a folder of its own, and stop it afterwards."""
    with new_environment() as environment:
        home = Path(environment["DATONG_HOME"])
        log = home.with_name("demo.log")
        command = [sys.executable, "-u", "-m", "datong.app.cli", "demo", "--people", str(people), "--firms", str(firms)]
        with log.open("wb") as out:
            process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        try:
            _wait_for_mark(process, log)
            url = f"http://127.0.0.1:{environment['DATONG_PORT']}"
            yield Instance(url=url, home=home, pid=process.pid, environment=environment)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def wait_until(holds: Any, what: str, *, within_s: float = 120) -> None:
    """Poll until `holds()` is true; AssertionError names what did not happen."""
    pause, deadline_s = threading.Event(), clock.monotonic_s() + within_s
    while not holds():
        assert clock.monotonic_s() < deadline_s, f"not within {within_s} s: {what}"
        pause.wait(0.1)


def _wait_for_mark(process: subprocess.Popen[bytes], log: Path) -> None:
    pause, deadline_s = threading.Event(), clock.monotonic_s() + READY_WITHIN_S
    while _MARK not in log.read_text(errors="replace"):
        if process.poll() is not None or clock.monotonic_s() > deadline_s:
            process.kill()
            raise RuntimeError(f"the platform did not start:\n{log.read_text(errors='replace')[-4000:]}")
        pause.wait(0.1)


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
