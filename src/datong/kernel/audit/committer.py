"""Group commit: many callers, one sync, and no answer before the disk has its record.

There is no timer. The first waiting entry schedules a commit for the end of the loop's tick; while one runs, arrivals
collect, and its end starts the next at once. A commit stages its batch, asks for the sync, and signs and builds paths
while the disk works; callers are released in log order when both are done. Up to four syncs overlap, another one being
started only when the oldest is over a millisecond old (on a fast disk one in flight is best, on a slow one four).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import deque
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from datong.kernel import clock
from datong.kernel.audit.entries import build_control_entry
from datong.kernel.audit.failures import SealOutOfOrder
from datong.kernel.audit.lanes import SyncHelper, sync_inline
from datong.kernel.audit.log import AuditLog, StagedBatch
from datong.kernel.failures import Failure, TooLarge, Unavailable
from datong.kernel.limits import (
    AUDIT_BATCH_ENTRIES_MAX,
    AUDIT_ENTRY_BYTES_MAX,
    AUDIT_HELPER_RESTART_S_MAX,
    AUDIT_PENDING_ENTRIES_MAX,
    AUDIT_PUBLISH_S,
    AUDIT_SYNC_OVERLAP_S,
    AUDIT_SYNCS_IN_FLIGHT_MAX,
    SHUTDOWN_S_MAX,
)

_log = logging.getLogger(__name__)


class SyncMode(StrEnum):
    """Where fdatasync runs. INLINE blocks the loop: only for disks known to sync well under 0.3 ms."""

    HELPER = "helper"
    INLINE = "inline"


class Committed(msgspec.Struct, frozen=True, gc=False):
    """A durable entry and the pieces of its receipt: path as base64 lines, signed checkpoint."""

    index: int
    path: str
    checkpoint: str


class _Commit:
    """A batch in flight with those who wait for it."""

    __slots__ = ("batch", "began_s", "done", "futures", "lane")

    def __init__(self, batch: StagedBatch, futures: Sequence[asyncio.Future[Committed]], began_s: float) -> None:
        self.batch = batch
        self.futures = futures
        self.began_s = began_s
        self.lane: int | None = None
        self.done = False


class Committer:
    """The log's writer inside a running event loop. `start` it, `await commit(entry)`, `close` it."""

    def __init__(self, log: AuditLog, *, mode: SyncMode = SyncMode.HELPER) -> None:
        self.log = log
        self.mode = mode
        self._pending: deque[tuple[bytes, asyncio.Future[Committed]]] = deque()
        self._in_flight: deque[_Commit] = deque()
        self._in_flight_entries = 0
        self._scheduled = False
        self._overlap_timer: asyncio.TimerHandle | None = None
        self._helper: SyncHelper | None = None
        self._helper_segment = -1
        self._restarts_count = 0
        self._publisher: asyncio.Task[None] | None = None
        self._control_lock = asyncio.Lock()
        self._running = False
        self._closing = False

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._running = True
        if self.mode is SyncMode.HELPER:
            self._start_helper()
        self._publisher = self._loop.create_task(self._publish_for_ever())

    async def close(self) -> None:
        """Commit what waits, publish, and close the log."""
        self._closing = True
        waiting = [future for _, future in self._pending]
        waiting += [future for commit in self._in_flight for future in commit.futures]
        if waiting:
            await asyncio.wait(waiting, timeout=SHUTDOWN_S_MAX / 2)
        self._running = False
        self._fail_all("closing")
        if self._publisher is not None:
            self._publisher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._publisher
        if self._helper is not None:
            self._helper.close()
            self._helper = None
        self.log.close()

    @property
    def is_healthy(self) -> bool:
        """Whether entries can be committed now."""
        return (
            self._running
            and not self._closing
            and not self.log.broken
            and (self.mode is SyncMode.INLINE or self._helper is not None)
        )

    @property
    def waiting_count(self) -> int:
        return len(self._pending) + self._in_flight_entries

    @property
    def helper_pid(self) -> int | None:
        return self._helper.pid if self._helper else None

    # Entries

    def submit(self, entry: bytes) -> asyncio.Future[Committed]:
        """Queue one entry; the future is the caller's alone, so cancelling it disturbs nobody.

        Unavailable when the log cannot be written or too many wait; TooLarge beyond 65,535 bytes.
        """
        if not self.is_healthy:
            raise Unavailable(
                "The audit log cannot be written, and nothing is answered without a record. Try again in some seconds.",
                hint_zh="审计日志暂不可写；没有记录就不会应答。请稍后重试。",
                private=self.log.broken,
            )
        if len(self._pending) + self._in_flight_entries >= AUDIT_PENDING_ENTRIES_MAX:
            raise Unavailable(
                "Too many calls wait for the audit log. Try again in a few seconds.",
                hint_zh="等待审计落盘的调用过多，请稍后重试。",
                limit_entries=AUDIT_PENDING_ENTRIES_MAX,
            )
        if len(entry) > AUDIT_ENTRY_BYTES_MAX:
            raise TooLarge("An audit entry is at most 65,535 bytes.", bytes=len(entry))
        future: asyncio.Future[Committed] = self._loop.create_future()
        self._pending.append((entry, future))
        if not self._scheduled:
            self._schedule()
        return future

    async def commit(self, entry: bytes) -> Committed:
        """Make one entry durable; returns after the sync. The caller may answer then, and not before."""
        return await self.submit(entry)

    async def commit_many(self, entries: Sequence[bytes]) -> list[Committed]:
        """Make several entries durable, in order, in as few syncs as their size allows."""
        return list(await asyncio.gather(*[self.submit(entry) for entry in entries]))

    async def commit_control(self, rows: Sequence[tuple[int, bytes]]) -> list[int]:
        """Seal control rows, given as (seal number, canonical row JSON) in rising order; gives their log indexes.

        Seal numbers run from 1 without a gap. A number already in the log answers with its index, if the row is the
        same; another row under it, or a number further on than the next, is SealOutOfOrder and nothing is written.
        """
        async with self._control_lock:
            indexes: list[int | None] = []
            fresh: list[bytes] = []
            for seal_seq, row in rows:
                entry = build_control_entry(seal_seq, row)
                index = self.log.find_control(seal_seq)
                if index is None and seal_seq == self.log.last_seal_seq + len(fresh) + 1:
                    fresh.append(entry)
                elif index is None or self.log.reader.read_entry(index) != entry:
                    raise SealOutOfOrder(
                        "Rows are sealed once, in order, without gaps. The database is behind the log (restored from an"
                        " older backup?) or rows were renumbered.",
                        seal_seq=seal_seq,
                        last_seal_seq=self.log.last_seal_seq,
                    )
                elif index >= self.log.durable_size:
                    raise Unavailable("The row is written but not yet durable. Send it again.", seal_seq=seal_seq)
                indexes.append(index)
            committed = iter(await self.commit_many(fresh))
            return [next(committed).index if index is None else index for index in indexes]

    # Commits

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        while self._pending and self._may_begin():
            taken, body_bytes = self._take()
            if self._in_flight and not self.log.fits(body_bytes):
                self._pending.extendleft(reversed(taken))
                return  # the segment rolls when the syncs in flight have ended; the last one's end comes back here
            try:
                batch = self.log.stage([entry for entry, _ in taken])
            except Failure as failure:
                for _, future in taken:
                    _fail(future, failure)
                continue
            self._begin(_Commit(batch, [future for _, future in taken], self._loop.time()))
            if self.mode is SyncMode.INLINE and self._pending:
                self._schedule()
                return

    def _take(self) -> tuple[list[tuple[bytes, asyncio.Future[Committed]]], int]:
        taken: list[tuple[bytes, asyncio.Future[Committed]]] = []
        body_bytes, limit = 0, self.log.batch_bytes_max
        while self._pending and len(taken) < AUDIT_BATCH_ENTRIES_MAX:
            entry_bytes = len(self._pending[0][0]) + 2
            if body_bytes + entry_bytes > limit:
                break
            body_bytes += entry_bytes
            taken.append(self._pending.popleft())
        return taken, body_bytes

    def _may_begin(self) -> bool:
        if self.mode is SyncMode.INLINE:
            return True
        if self._helper is None or not self._helper.free:
            return False
        if not self._in_flight:
            return True
        wait_s = self._in_flight[0].began_s + AUDIT_SYNC_OVERLAP_S - self._loop.time()
        if wait_s <= 0:
            return True
        if self._overlap_timer is None:
            self._overlap_timer = self._loop.call_later(wait_s, self._on_overlap)
        return False

    def _on_overlap(self) -> None:
        self._overlap_timer = None
        self._flush()

    def _begin(self, commit: _Commit) -> None:
        self._in_flight.append(commit)
        self._in_flight_entries += len(commit.futures)
        if self.mode is SyncMode.INLINE:
            error = sync_inline(self.log.sync_file)
            self.log.finish(commit.batch)
            self._on_synced(commit, error)
            return
        self._request_sync(commit)
        self.log.finish(commit.batch)

    def _request_sync(self, commit: _Commit) -> None:
        if self._helper is None:
            return
        if self._helper_segment != self.log.segment_number:
            self._helper.use_file(self.log.sync_file)
            self._helper_segment = self.log.segment_number
        commit.lane = self._helper.request()

    def _on_lane(self, lane: int, error: int) -> None:
        for commit in self._in_flight:
            if commit.lane == lane:
                commit.lane = None
                self._on_synced(commit, error)
                return

    def _on_synced(self, commit: _Commit, error: int) -> None:
        if error:
            self.log.broken = f"sync: {os.strerror(error)}"
            self._fail_all("the disk refused to sync")
            return
        commit.done = True
        self._restarts_count = 0
        while self._in_flight and self._in_flight[0].done:
            self._release(self._in_flight.popleft())
        if self.mode is SyncMode.INLINE:
            return
        if self._pending and not self._scheduled:
            self._flush()

    def _release(self, commit: _Commit) -> None:
        batch = commit.batch
        self.log.mark_durable(batch)
        self._in_flight_entries -= len(commit.futures)
        checkpoint, index = batch.checkpoint, batch.first_index
        for future, path in zip(commit.futures, batch.paths, strict=False):
            if not future.done():
                future.set_result(Committed(index, path, checkpoint))
            index += 1

    # Faults

    def _start_helper(self) -> None:
        if not self._running:
            return
        self._helper_segment = -1
        self._helper = SyncHelper(AUDIT_SYNCS_IN_FLIGHT_MAX, on_done=self._on_lane, on_death=self._on_helper_death)
        for commit in self._in_flight:
            if not commit.done:
                self._request_sync(commit)
        self._schedule()

    def _on_helper_death(self) -> None:
        """Fail who waits, start another helper. Batches already written stay in the log; the new one syncs them."""
        self._helper = None
        self._fail_waiting("the sync helper died")
        for commit in self._in_flight:
            self._in_flight_entries -= len(commit.futures)
            commit.futures, commit.lane = (), None
        delay_s = min(0.05 * 2**self._restarts_count, AUDIT_HELPER_RESTART_S_MAX) if self._restarts_count else 0.0
        self._restarts_count += 1
        if self._running:
            self._loop.call_later(delay_s, self._start_helper)

    def _fail_waiting(self, why: str) -> None:
        waiting = [future for commit in self._in_flight for future in commit.futures]
        waiting += [future for _, future in self._pending]
        self._pending.clear()
        for future in waiting:
            failure = Unavailable(
                "The audit record could not be made durable, so there is no answer. Try again.",
                hint_zh="审计记录未能落盘，因此不予应答。请重试。",
                private=why,
            )
            _fail(future, failure)

    def _fail_all(self, why: str) -> None:
        self._fail_waiting(why)
        self._in_flight.clear()
        self._in_flight_entries = 0

    # Publishing

    async def _publish_for_ever(self) -> None:
        while True:
            began_s = clock.monotonic_s()
            if not self.log.broken:
                try:
                    await asyncio.to_thread(self.log.publish)
                except OSError as problem:
                    _log.error("the audit log could not be published: %s", problem)
            await asyncio.sleep(max(0.0, AUDIT_PUBLISH_S - (clock.monotonic_s() - began_s)))


def _fail(future: asyncio.Future[Committed], failure: Failure) -> None:
    if not future.done():
        future.set_exception(failure)


__all__ = ["Committed", "Committer", "SyncMode"]
