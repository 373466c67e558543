"""The worker's life: jobs, the outbox, the sealing of audit rows, rescue of dead workers' jobs, periodic jobs.

Each is a thread that outlives its own failures: PostgreSQL or the gateway may go away and come back.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from procrastinate.exceptions import ProcrastinateException

from datong.kernel.audit.sequencer import seal_pending
from datong.kernel.audit.socket import AuditSocketClient
from datong.kernel.events.service import deliver_pending
from datong.kernel.failures import Failure, Unavailable
from datong.kernel.jobs.service import WORKER_ID, enqueue_periodic, make_queue_worker, rescue_jobs
from datong.kernel.limits import SHUTDOWN_S_MAX
from datong.kernel.store.connections import (
    DATABASE_FAULTS,
    close_thread_connections,
    fresh_connection,
    open_own_session,
)

log = logging.getLogger("datong.worker")

_OUTBOX_POLL_S = 0.2
_SEAL_POLL_S = 0.5
_HOUSEKEEPING_S = 2.0
_AFTER_FAULT_S = 1.0
_FAULTS = (Failure, *DATABASE_FAULTS)
_QUEUE_FAULTS = (*_FAULTS, ProcrastinateException, OSError)


def run_worker(stop: threading.Event, audit_socket: Path) -> None:
    """Work until `stop` is set; running jobs get SHUTDOWN_S_MAX seconds to finish, then start anew elsewhere."""
    alive = _Liveness()
    threads = [
        threading.Thread(target=_loop, args=(stop, name, make_step), name=name, daemon=True)
        for name, make_step in (
            ("outbox", _outbox_step),
            ("sealing", lambda stop: _sealing_step(stop, audit_socket)),
            ("housekeeping", lambda stop: _housekeeping_step(stop, alive)),
        )
    ]
    for thread in threads:
        thread.start()
    try:
        while not stop.is_set():
            try:
                asyncio.run(_run_queue(stop))
            except _QUEUE_FAULTS as problem:
                log.warning("the queue stopped: %s", problem)
                stop.wait(_AFTER_FAULT_S)
    finally:
        stop.set()
        for thread in threads:
            thread.join(SHUTDOWN_S_MAX)
        alive.close()


class _Liveness:
    """The session lock that says this worker lives; PostgreSQL lets it go with the process.

    A session that PostgreSQL ended is opened anew; until then another worker may take this one's jobs up, which is why
    jobs are idempotent.
    """

    def __init__(self) -> None:
        self._session: psycopg.Connection[Any] | None = None
        self.hold()

    def hold(self) -> None:
        try:
            if self._session is not None:
                self._session.execute("select 1")
                return
        except psycopg.OperationalError:
            self.close()
        self._session = open_own_session()
        self._session.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [WORKER_ID])

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None


async def _run_queue(stop: threading.Event) -> None:
    async with make_queue_worker(SHUTDOWN_S_MAX) as worker:
        watcher = asyncio.create_task(_stop_when_asked(stop, worker.stop))
        try:
            await worker.run()  # type: ignore[no-untyped-call]
        finally:
            watcher.cancel()


async def _stop_when_asked(stop: threading.Event, stop_worker: Callable[[], None]) -> None:
    while not stop.is_set():  # noqa: ASYNC110 - the event is a thread's
        await asyncio.sleep(0.1)
    stop_worker()


def _loop(stop: threading.Event, name: str, make_step: Callable[[threading.Event], Callable[[], None]]) -> None:
    """Run a step again and again; after a fault make it anew."""
    while not stop.is_set():
        try:
            step = make_step(stop)
            while not stop.is_set():
                with fresh_connection():
                    step()
        except Unavailable:
            stop.wait(_AFTER_FAULT_S)
        except _FAULTS as problem:
            log.warning("%s: %s", name, problem)
            stop.wait(_AFTER_FAULT_S)
    close_thread_connections()


def _outbox_step(stop: threading.Event) -> Callable[[], None]:
    """Look every _OUTBOX_POLL_S: a `notify` in each action would make PostgreSQL commit them one after another."""

    def step() -> None:
        if not deliver_pending():
            stop.wait(_OUTBOX_POLL_S)

    return step


def _sealing_step(stop: threading.Event, audit_socket: Path) -> Callable[[], None]:
    client = AuditSocketClient(audit_socket)

    def step() -> None:
        if not seal_pending(client):
            stop.wait(_SEAL_POLL_S)

    return step


def _housekeeping_step(stop: threading.Event, alive: _Liveness) -> Callable[[], None]:
    def step() -> None:
        alive.hold()
        rescue_jobs()
        enqueue_periodic()
        stop.wait(_HOUSEKEEPING_S)

    return step
