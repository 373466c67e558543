"""The gateway's half of sealing: a real log and committer behind a real socket, in a thread of its own loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datong.kernel.audit.committer import Committer
from datong.kernel.audit.socket import AuditSocketServer
from datong.kernel.audit.tests.samples import open_log


@contextmanager
def running_log(folder: Path) -> Iterator[Path]:
    """Serve `folder/audit` on `folder/run/audit.sock` for the length of the block; yields the socket."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()
    path = folder / "run" / "audit.sock"

    async def serve() -> None:
        committer = Committer(open_log(folder / "audit"))
        await committer.start()
        server = AuditSocketServer(path, committer)
        await server.start()
        ready.set()
        await stop.wait()
        await server.close()
        await committer.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield path
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()
