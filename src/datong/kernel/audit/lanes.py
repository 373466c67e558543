"""The parent's side of the sync helper: lanes that ask for a sync and hear when it is done."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

_HELPER = Path(__file__).with_name("sync_helper.py")


class SyncHelper:
    """One helper process with its lanes. Callbacks run in the loop: `on_done(lane, error number)`, `on_death()`.

    A plain child by fork and exec: nothing of this process but the lanes is inherited, so it may be started while other
    threads run.
    """

    def __init__(self, lanes_count: int, *, on_done: Callable[[int, int], None], on_death: Callable[[], None]) -> None:
        self._on_done = on_done
        self._on_death = on_death
        self._loop = asyncio.get_running_loop()
        self._dead = False
        pairs = [socket.socketpair() for _ in range(lanes_count)]
        self._lanes = [ours for ours, _ in pairs]
        numbers = [theirs.fileno() for _, theirs in pairs]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_HELPER), *map(str, numbers)], pass_fds=numbers, stdin=subprocess.DEVNULL
        )
        for _, theirs in pairs:
            theirs.close()
        for lane, ours in enumerate(self._lanes):
            ours.setblocking(False)
            self._loop.add_reader(ours, self._hear, lane)
        self.free = list(range(lanes_count))

    @property
    def pid(self) -> int:
        return self._process.pid

    def use_file(self, descriptor: int) -> None:
        """Sync this file from now on; no sync may be under way."""
        try:
            for lane in self._lanes:
                socket.send_fds(lane, [b"F"], [descriptor])
        except OSError:
            self._die()

    def request(self) -> int | None:
        """Begin a sync in a free lane and give the lane's number; None when the helper has died."""
        lane = self.free.pop()
        try:
            self._lanes[lane].send(b"S")
        except OSError:
            self._die()
            return None
        return lane

    def _hear(self, lane: int) -> None:
        try:
            answer = self._lanes[lane].recv(2)
        except BlockingIOError:
            return
        except OSError:
            answer = b""
        if not answer:
            self._die()
            return
        self.free.append(lane)
        self._on_done(lane, answer[1] if answer[0:1] == b"!" and len(answer) > 1 else 0)

    def _die(self) -> None:
        if not self._dead:
            self.close()
            self._loop.call_soon(self._on_death)

    def close(self) -> None:
        """Close the lanes, which ends the process, and wait for it."""
        if self._dead:
            return
        self._dead = True
        for lane in self._lanes:
            self._loop.remove_reader(lane)
            lane.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def sync_inline(descriptor: int) -> int:
    """fdatasync in this thread; the error's number, 0 for none."""
    try:
        os.fdatasync(descriptor)
    except OSError as problem:
        return problem.errno or 5
    return 0
