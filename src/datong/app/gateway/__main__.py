"""The gateway process: `python -m datong.app.gateway`. SIGTERM stops listening, answers what it has, and ends.

One process with the server embedded in its loop: what the supervisor kills is what holds the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys

import structlog
import uvloop
from granian.constants import HTTPModes, Interfaces, TaskImpl
from granian.server.embed import Server

from datong.app.gateway.plane import Plane
from datong.kernel.clock import freeze_from_environment
from datong.kernel.config import Settings, load_settings
from datong.kernel.failures import Failure
from datong.kernel.limits import GATEWAY_BACKLOG_MAX, SHUTDOWN_S_MAX

GC_THRESHOLD = 20_000
"""New containers between two collections: the hot route makes none that form cycles."""

log = structlog.get_logger("datong.gateway")


async def serve(settings: Settings) -> None:
    plane = Plane(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await plane.start()
    gc.collect()
    gc.freeze()  # what lives as long as the process is not looked at again
    gc.set_threshold(GC_THRESHOLD)
    server = Server(
        plane.gateway,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.RSGI,
        task_impl=TaskImpl.asyncio,
        http=HTTPModes.http1,
        websockets=False,
        backlog=GATEWAY_BACKLOG_MAX,
        log_enabled=False,
    )
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    log.info("gateway.ready", address=f"{settings.host}:{settings.port}", origin=plane.log.origin, size=plane.log.size)
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        log.info("gateway.stopping", exchanging=plane.gateway.exchanging_count)
        if not serving.done():
            server.stop()  # type: ignore[no-untyped-call]
        await plane.drain()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(serving, SHUTDOWN_S_MAX / 10)
    finally:
        stopping.cancel()
        await plane.close()
        loop.call_later(SHUTDOWN_S_MAX / 10, _leave)


def _leave() -> None:
    """The log is closed and nothing is owed; a caller's task that does not end must not hold the process."""
    log.warning("gateway.left-tasks-behind")
    os._exit(0)


def main() -> int:
    freeze_from_environment()
    try:
        uvloop.run(serve(load_settings()))
    except Failure as failure:
        log.error(
            "gateway.cannot-start", code=failure.code, hint=failure.hint, private=failure.private, **failure.facts
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
