"""The gateway's end of the verify helper: one process, one call at a time, restarted when it dies.

Started as a program of its own, never forked: a fork of a process with server threads and an open LMDB is not safe.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from typing import Any

import msgspec

from datong.exchange.serving.verify import VerifyResult
from datong.exchange.serving.worker import FRAME
from datong.kernel.config import Settings
from datong.kernel.failures import Failure, Retry, Unavailable
from datong.kernel.limits import VERIFY_HELPER_WAITING_MAX

BUFFERED_BYTES = 1024 * 1024
"""Of an answer, what is taken in before the helper has to wait: more than one has."""


class RelayedFailure(Failure):
    """A Failure that happened in the helper, member for member."""

    def __init__(self, members: dict[str, Any]) -> None:
        super().__init__(members["hint"], hint_zh=members["hint_zh"], **members["facts"])
        self.__dict__.update({name: members[name] for name in ("code", "title", "title_zh", "status")})
        self.__dict__["retry"] = Retry(members["retry"])
        self.grant: tuple[str, str, str] | None = members["grant"]
        """Id, digest and purpose of the grant under which it happened."""


class VerifyHelper:
    """Works large verify bodies out beside the loop, so that single calls keep their latency."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = asyncio.Lock()
        self._waiting = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            arguments = [str(theirs.fileno()), str(self._settings.serving_dir), str(self._settings.keys_dir)]
            self._process = subprocess.Popen(  # noqa: ASYNC220 - some milliseconds, once
                [sys.executable, "-m", "datong.exchange.serving.worker", *arguments],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._streams = await asyncio.open_unix_connection(sock=ours, limit=BUFFERED_BYTES)

    async def examine(self, system_id: str, resource_id: str, body: bytes) -> VerifyResult:
        """Raises what `Verifier.examine` raises, or Unavailable when the helper died or too many wait."""
        if self._waiting >= VERIFY_HELPER_WAITING_MAX:
            raise Unavailable(
                "Too many large verifications wait; call again in a few seconds.",
                hint_zh="等待中的批量核验过多，请稍后重试。",
            )
        self._waiting += 1
        try:
            async with self._lock:
                done, value = await self._exchange(msgspec.msgpack.encode([system_id, resource_id, body]))
        finally:
            self._waiting -= 1
        if not done:
            raise RelayedFailure(value)
        purpose, reference, columns, (items, matches, differs), answer = value
        return VerifyResult(
            purpose=purpose,
            reference=reference,
            columns=tuple(columns),
            items_count=items,
            matches_count=matches,
            differs_count=differs,
            answer=answer,
        )

    async def _exchange(self, frame: bytes) -> list[Any]:
        """One frame out, one back. A caller that goes away meanwhile breaks the turn: the helper is replaced."""
        if self._streams is None:
            await self.start()
        assert self._streams is not None
        reader, writer = self._streams
        whole = False
        try:
            writer.write(FRAME.pack(len(frame)) + frame)
            await writer.drain()
            (length,) = FRAME.unpack(await reader.readexactly(FRAME.size))
            answer: list[Any] = msgspec.msgpack.decode(await reader.readexactly(length))
            whole = True
        except (OSError, asyncio.IncompleteReadError):
            raise Unavailable("The verify helper died; call again.", hint_zh="核验进程中断，请重试。") from None
        finally:
            if not whole:
                await self.close()
        return answer

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)
