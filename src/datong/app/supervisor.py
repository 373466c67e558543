"""`datong up`: starts the embedded PostgreSQL, then the processes of the platform, and keeps them alive.

It imports neither Django nor DuckDB: what supervises must not fail with what it supervises. A killed child is
restarted with a growing delay; SIGTERM or SIGINT stops all in order, the public door first, the database last.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import httpx

from datong.app import parts, postgres
from datong.kernel import clock
from datong.kernel.config import Settings, make_private_dir
from datong.kernel.failures import Conflict, Failure, Unavailable
from datong.kernel.files import write_private
from datong.kernel.limits import CHILD_RESTART_DELAY_S_MAX, CHILD_STARTUP_S_MAX, SHUTDOWN_S_MAX

PR_SET_PDEATHSIG = 1
RESTART_DELAY_S_FIRST = 0.2
DATABASE_LOOK_S = 1.0
STEADY_S = 30.0
"""A child that has lived this long counts as healthy: its restart delay starts again from the first."""

Report = Callable[[str], None]


@dataclass
class Child:
    """One supervised process and the story of its restarts."""

    name: str
    module: str
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    delay_s: float = RESTART_DELAY_S_FIRST
    restart_at_s: float = 0.0
    restarts: int = 0
    log: Path | None = field(default=None)

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


CHILDREN = (("control", "datong.app.control"), ("worker", "datong.app.worker"), ("gateway", "datong.app.gateway"))
"""In order of start; the reverse is the order of stopping."""


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Supervisor:
    """Owns the home folder while it runs: a second one on the same home is refused."""

    def __init__(self, settings: Settings, report: Report = print) -> None:
        self.settings = settings
        self.report = report
        self.children = [Child(name=name, module=module) for name, module in CHILDREN]
        self._stop = threading.Event()
        self._lock_file: int | None = None
        self._database: postgres.EmbeddedPostgres | None = None
        self._database_look_s = 0.0

    # Start ---------------------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Bring everything up, in order, until the gateway answers. Raises Failure when something cannot start."""
        for folder in (self.settings.home, self.settings.run_dir, self.settings.log_dir, self.settings.keys_dir):
            make_private_dir(folder)
        self._take_home()
        if self.settings.database_url is None:
            self.report("starting PostgreSQL")
            self._database = postgres.EmbeddedPostgres(self.settings)
            self._database.start()
        self._migrate()
        for child in self.children:
            self._spawn(child)
        self._wait_until_ready()

    def _take_home(self) -> None:
        self._lock_file = os.open(self.settings.run_dir / "supervisor.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                "Stop the other `datong up` first, or set DATONG_HOME to another folder.", home=str(self.settings.home)
            ) from None
        os.truncate(self._lock_file, 0)
        os.write(self._lock_file, f"{os.getpid()}\n".encode())

    def _migrate(self) -> None:
        """Bring the schema up to date. The embedded database remembers for which migrations that was done last."""
        stamp, wanted = self.settings.postgres_dir / "migrated", _migrations_digest()
        if self._database is not None and stamp.is_file() and stamp.read_text() == wanted:
            return
        self.report("bringing the database up to date")
        done = subprocess.run(
            [sys.executable, "-m", "datong.app.control.manage", "migrate", "--no-input", "-v0"],
            capture_output=True,
            check=False,
            text=True,
        )
        if done.returncode != 0:
            raise Unavailable(
                "The database could not be brought up to date; the log has the reason.",
                private=done.stderr,
                last_line=(done.stderr.strip().splitlines() or ["no message"])[-1],
            )
        if self._database is not None:
            stamp.write_text(wanted)

    def _spawn(self, child: Child) -> None:
        child.log = self.settings.log_dir / f"{child.name}.log"
        with child.log.open("ab") as log:
            child.process = subprocess.Popen(
                [sys.executable, "-m", child.module],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - no threads run yet that could hold a lock
            )
        child.started_s = clock.monotonic_s()
        write_private(self.settings.run_dir / f"{child.name}.pid", f"{child.process.pid}\n".encode())

    def _wait_until_ready(self) -> None:
        deadline_s = clock.monotonic_s() + CHILD_STARTUP_S_MAX
        address = f"http://{self.settings.host}:{self.settings.port}"
        while clock.monotonic_s() < deadline_s and not self._stop.is_set():
            for child in self.children:
                if not child.is_alive():
                    raise Unavailable(
                        f"{child.name} ended while starting; see {child.log}.", process=child.name, log=str(child.log)
                    )
            if all(_answers(f"{address}{path}") for path in ("/readyz", "/sign-in/")):
                return
            self._stop.wait(0.1)
        if not self._stop.is_set():
            raise Unavailable(f"The gateway did not answer within {CHILD_STARTUP_S_MAX} s.", address=address)

    # Keep ----------------------------------------------------------------------------------------------------------
    def run(self) -> None:
        """Watch until `stop` is asked for; restarts what dies."""
        while not self._stop.wait(0.2):
            self._keep_database()
            for child in self.children:
                self._keep(child)

    def _keep_database(self) -> None:
        """Start the embedded PostgreSQL again when it is gone; the data plane has gone on without it meanwhile."""
        now_s = clock.monotonic_s()
        if self._database is None or now_s < self._database_look_s:
            return
        self._database_look_s = now_s + DATABASE_LOOK_S
        if self._database.find_pid() is not None:
            return
        self.report("PostgreSQL ended; it starts again")
        try:
            self._database.start()
        except Failure as failure:
            self.report(f"PostgreSQL does not start: {failure.hint}")
            self._database_look_s = now_s + CHILD_RESTART_DELAY_S_MAX

    def _keep(self, child: Child) -> None:
        now_s = clock.monotonic_s()
        if child.is_alive():
            if now_s - child.started_s > STEADY_S:
                child.delay_s = RESTART_DELAY_S_FIRST
            return
        if child.restart_at_s == 0.0:
            status = child.process.returncode if child.process else None
            self.report(f"{child.name} ended ({_describe_exit(status)}); it starts again in {child.delay_s:.1f} s")
            _kill_group(child)
            child.restart_at_s = now_s + child.delay_s
            child.delay_s = min(child.delay_s * 2, CHILD_RESTART_DELAY_S_MAX)
        elif now_s >= child.restart_at_s:
            child.restart_at_s = 0.0
            child.restarts += 1
            self._spawn(child)

    # Stop ----------------------------------------------------------------------------------------------------------
    def request_stop(self, *_: object) -> None:
        self._stop.set()

    def stop(self) -> None:
        """Stop in order: gateway, worker, control, database. Each gets SIGTERM and SHUTDOWN_S_MAX seconds."""
        self._stop.set()
        for child in reversed(self.children):
            if child.is_alive() and child.process:
                child.process.terminate()
                try:
                    child.process.wait(SHUTDOWN_S_MAX)
                except subprocess.TimeoutExpired:
                    self.report(f"{child.name} did not stop within {SHUTDOWN_S_MAX} s and was killed")
            _kill_group(child)
            self.report(f"{child.name} stopped")
            (self.settings.run_dir / f"{child.name}.pid").unlink(missing_ok=True)
        if self._database is not None:
            self._database.stop()
            self.report("PostgreSQL stopped")
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None


def _migrations_digest() -> str:
    """Over the names of our migrations and the versions of the packages that bring their own."""
    ours = sorted(str(path.relative_to(parts.ROOT)) for path in parts.ROOT.glob("*/store/migrations/*.py"))
    others = [f"{name} {metadata.version(name)}" for name in ("django", "django-allauth", "procrastinate")]
    return hashlib.sha256("\n".join([*ours, *others]).encode()).hexdigest()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code < 400
    except httpx.HTTPError:
        return False


def _describe_exit(status: int | None) -> str:
    if status is None:
        return "never started"
    return signal.Signals(-status).name if status < 0 else f"exit code {status}"


def _kill_group(child: Child) -> None:
    """Nothing of a dead child may hold its socket or its files: its whole process group goes."""
    if child.process is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.process.pid, signal.SIGKILL)
    child.process.wait()


def up(settings: Settings, report: Report = print, on_ready: Callable[[], None] | None = None) -> None:
    """The whole life of `datong up`: start, tell, keep, stop."""
    supervisor = Supervisor(settings, report)
    signal.signal(signal.SIGTERM, supervisor.request_stop)
    signal.signal(signal.SIGINT, supervisor.request_stop)
    try:
        supervisor.start()
        if on_ready is not None:
            on_ready()
        supervisor.run()
    finally:
        report("stopping")
        supervisor.stop()
