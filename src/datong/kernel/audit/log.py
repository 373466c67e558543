"""The audit log on disk: opened with recovery, appended to in batches, published about once a second.

One process writes it (a lock says so). An append has three steps, so that signing can go on while the disk works:
`stage` (hash, frame, pwrite), `finish` (sign the checkpoint, build the paths), `mark_durable` after the sync.
Nothing that `finish` made may leave the process before `mark_durable`; `committer.Committer` keeps that order, and
`append` does all three in one call.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections import deque
from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from datong.kernel import clock
from datong.kernel.audit.entries import seal_seq_of
from datong.kernel.audit.failures import LogBusy, LogCorrupt, NoteInvalid
from datong.kernel.audit.hashes import TILE_BITS, HashWriter, join_pieces
from datong.kernel.audit.history import CheckpointFiles
from datong.kernel.audit.merkle import BatchTree, Frontier, leaf_hash
from datong.kernel.audit.notes import NoteSigner
from datong.kernel.audit.reader import LogReader
from datong.kernel.audit.recovery import recover
from datong.kernel.audit.segments import (
    FRAME_OVERHEAD_BYTES,
    HEADER_BYTES,
    Cause,
    SegmentHeader,
    encode_body,
    encode_frame,
    make_segment,
    segment_path,
    write_all,
)
from datong.kernel.config import make_private_dir
from datong.kernel.failures import TooLarge, Unavailable
from datong.kernel.limits import (
    AUDIT_BATCH_BYTES_MAX,
    AUDIT_ENTRY_BYTES_MAX,
    AUDIT_HISTORY_S,
    AUDIT_SEGMENT_BYTES,
    AUDIT_SEGMENT_BYTES_MIN,
    AUDIT_SPARE_RETRY_S,
)

_log = logging.getLogger(__name__)
_REBUILD_ENTRIES = 65_536


class Appended(NamedTuple):
    """A durable batch: where it lies, the signed checkpoint over it, each entry's inclusion path as base64 lines."""

    first_index: int
    size: int
    root: bytes
    checkpoint: str
    paths: list[str]


class StagedBatch:
    """A batch on its way: written, not yet known durable."""

    __slots__ = ("checkpoint", "first_index", "paths", "pieces", "root", "size", "tree")

    def __init__(self, tree: BatchTree) -> None:
        self.tree: BatchTree | None = tree
        self.first_index = tree.first_index
        self.size = tree.frontier.size
        self.root = tree.root
        self.checkpoint = ""
        self.paths: list[str] = []
        self.pieces: list[tuple[int, bytes]] = []
        """What the batch adds to the hash files."""


class AuditLog:
    """The one writer of a log folder. Make it with `AuditLog.open`."""

    def __init__(self, folder: Path, signer: NoteSigner, segment_bytes: int) -> None:
        self.folder = folder
        self.signer = signer
        self.origin = signer.name
        self._segment_bytes = segment_bytes
        self._segments_dir = folder / "segments"
        self._files = CheckpointFiles(folder)
        self._lock_file = -1
        self._file = -1
        self._number = -1
        self._offset = 0
        self._frontier = Frontier()
        self.durable_size = 0
        self.last_seal_seq = 0
        self.broken = ""
        self._control_indexes: dict[int, int] = {}
        self._spare: threading.Thread | None = None
        self._spare_retry_at_s = 0.0
        self._unpublished: deque[tuple[int, int, list[tuple[int, bytes]]]] = deque()
        """(first index, size, pieces) of durable batches that the hash files do not have yet."""
        self._durable_checkpoint = (0, "")
        self._published_size = -1
        self._history_size = -1
        self._history_due_s = 0.0
        self._publish_lock = threading.Lock()
        self.reader = LogReader(folder)

    @classmethod
    def open(cls, folder: Path, signer: NoteSigner, *, segment_bytes: int = AUDIT_SEGMENT_BYTES) -> AuditLog:
        """Open or make the log, recovering its intact prefix.

        LogBusy: another process has it. LogCorrupt: what was durable once is not there any more; nothing is changed.
        """
        if segment_bytes < AUDIT_SEGMENT_BYTES_MIN:
            raise ValueError(f"segment_bytes is at least {AUDIT_SEGMENT_BYTES_MIN}")
        for place in (folder, folder / "segments", folder / "hashes"):
            make_private_dir(place)
        log = cls(folder, signer, segment_bytes)
        log._take_lock()
        try:
            log._recover()
        except BaseException:
            log._release()
            raise
        return log

    def _take_lock(self) -> None:
        self._lock_file = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock_file)
            raise LogBusy("Stop the other gateway first; one process writes a log.", folder=str(self.folder)) from None

    def _recover(self) -> None:
        state = recover(self._segments_dir)
        self._frontier = state.frontier
        self.last_seal_seq = state.last_seal_seq
        self._control_indexes = dict(state.control_indexes)
        self._hashes = HashWriter(self.folder / "hashes")
        self._rebuild_hashes(state.header.frontier if state.header else Frontier(), state.leaves)
        self._check_history()
        self.durable_size = self.size
        if state.header is None:
            self._begin_segment(0, Cause.FIRST)
        elif state.torn:
            self._sync_segment(state.header.number)
            self._begin_segment(state.header.number + 1, Cause.RECOVERY)
        else:
            self._number, self._offset = state.header.number, state.offset
            path = segment_path(self._segments_dir, self._number)
            self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            self._segment_limit = os.fstat(self._file).st_size
        self.sync()
        self._durable_checkpoint = (self.size, self.signer.sign_checkpoint(self.size, self._frontier.root()))
        self._prepare_spare()
        self.publish(keep=True)

    def _rebuild_hashes(self, before: Frontier, leaves: list[bytes]) -> None:
        """Bring the hash files to the log's size; where they are short or wrong, build them from the segments."""
        try:
            self._hashes.cut(before.size)
            if leaves:
                self._hashes.extend(before.size, before.append(leaves).completed(TILE_BITS))
            if self._hashes.root(self.size) == self._frontier.root():
                return
        except (ValueError, LogCorrupt):
            pass
        frontier = Frontier()
        for start in range(0, self.size, _REBUILD_ENTRIES):
            stop = min(start + _REBUILD_ENTRIES, self.size)
            tree = frontier.append([leaf_hash(entry) for _, entry in self.reader.iter_entries(start, stop)])
            self._hashes.extend(start, tree.completed(TILE_BITS))
            frontier = tree.frontier
        if self._hashes.root(self.size) != self._frontier.root():
            raise LogCorrupt(
                "An older segment was altered. Run `datong audit verify`; restore the folder from a backup."
            )

    def _check_history(self) -> None:
        notes = self._files.read_history()[-1:]
        latest = self._files.read_latest()
        for note in [*notes, latest] if latest else notes:
            try:
                checkpoint = self.signer.verifier.open_checkpoint(note)
            except NoteInvalid as problem:
                raise LogCorrupt(
                    "The published checkpoint is not signed by this log's key: the key or the checkpoint was replaced.",
                    private=str(problem),
                ) from problem
            if checkpoint.size > self.size:
                raise LogCorrupt(
                    "The log is shorter than a checkpoint it published. Restore the folder from a backup.",
                    size=self.size,
                    published_size=checkpoint.size,
                )
            if notes and note == notes[0]:
                self._history_size = checkpoint.size
            if self._hashes.root(checkpoint.size) != checkpoint.root:
                raise LogCorrupt(
                    "The log disagrees with a checkpoint it published. Restore the folder from a backup.",
                    published_size=checkpoint.size,
                )

    # Appending

    @property
    def size(self) -> int:
        """Entries written, durable or not."""
        return self._frontier.size

    @property
    def sync_file(self) -> int:
        """The descriptor whose fdatasync makes all staged batches durable; it changes when `segment_number` does."""
        return self._file

    @property
    def segment_number(self) -> int:
        return self._number

    @property
    def batch_bytes_max(self) -> int:
        """The longest body that one frame may have."""
        return min(AUDIT_BATCH_BYTES_MAX, self._segment_bytes - HEADER_BYTES - FRAME_OVERHEAD_BYTES)

    def fits(self, body_bytes: int) -> bool:
        """Whether a body goes into the present segment; if not, `stage` rolls, and every sync must have ended."""
        return self._offset + body_bytes + FRAME_OVERHEAD_BYTES <= self._segment_limit

    def stage(self, entries: Sequence[bytes]) -> StagedBatch:
        """Write one frame. Not durable yet. Unavailable when the disk failed; the log then stays closed to writing."""
        if self.broken:
            raise Unavailable("The audit log cannot be written; nothing is answered without it.", private=self.broken)
        longest = max(map(len, entries))
        if longest > AUDIT_ENTRY_BYTES_MAX:
            raise TooLarge("An audit entry is at most 65,535 bytes.", bytes=longest, limit_bytes=AUDIT_ENTRY_BYTES_MAX)
        body = encode_body(entries)
        if len(body) > self.batch_bytes_max:
            raise TooLarge("Commit fewer entries at once.", bytes=len(body), limit_bytes=self.batch_bytes_max)
        leaves = [sha256(b"\x00" + entry).digest() for entry in entries]
        tree = self._frontier.append(leaves)
        if not self.fits(len(body)):
            self._roll()
        frame = encode_frame(
            body, count=len(entries), first_index=tree.first_index, durable_size=self.durable_size, root=tree.root
        )
        try:
            self._write_frame(frame)
        except OSError as problem:
            self.broken = f"write: {problem}"
            raise Unavailable("The audit log cannot be written.", private=self.broken) from problem
        self._offset += len(frame)
        self._frontier = tree.frontier
        for index, entry in enumerate(entries, start=tree.first_index):
            seal_seq = seal_seq_of(entry)
            if seal_seq is not None:
                self.last_seal_seq = seal_seq
                self._control_indexes[seal_seq] = index
        return StagedBatch(tree)

    def _write_frame(self, frame: bytes) -> None:
        write_all(self._file, frame, self._offset)

    def finish(self, batch: StagedBatch) -> None:
        """Sign the batch's checkpoint and build its paths: processor work for while the disk syncs."""
        if batch.tree is not None:
            batch.checkpoint = self.signer.sign_checkpoint(batch.size, batch.root)
            batch.paths = batch.tree.path_texts()
            batch.pieces = batch.tree.completed(TILE_BITS)
            batch.tree = None

    def mark_durable(self, batch: StagedBatch) -> None:
        """The sync that was begun after `stage` has ended. Batches come in order."""
        self.durable_size = batch.size
        self._durable_checkpoint = (batch.size, batch.checkpoint)
        self._unpublished.append((batch.first_index, batch.size, batch.pieces))

    def sync(self) -> None:
        """fdatasync in this thread. After a failure nothing written can be trusted: the log stays closed to writing."""
        try:
            os.fdatasync(self._file)
        except OSError as problem:
            self.broken = f"sync: {problem}"
            raise Unavailable("The audit log cannot be made durable.", private=self.broken) from problem

    def append(self, entries: Sequence[bytes]) -> Appended:
        """Append and make durable before returning."""
        batch = self.stage(entries)
        self.finish(batch)
        self.sync()
        self.mark_durable(batch)
        return Appended(batch.first_index, batch.size, batch.root, batch.checkpoint, batch.paths)

    # Segments

    def _begin_segment(self, number: int, cause: Cause) -> None:
        path = segment_path(self._segments_dir, number)
        if not path.exists() or path.stat().st_size != self._segment_bytes:
            make_segment(self._segments_dir, number, self._segment_bytes)
        header = SegmentHeader(number=number, frontier=self._frontier, last_seal_seq=self.last_seal_seq, cause=cause)
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        write_all(descriptor, header.encode(), 0)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._number, self._offset = descriptor, number, HEADER_BYTES
        self._segment_limit = os.fstat(descriptor).st_size

    def _sync_segment(self, number: int) -> None:
        descriptor = os.open(segment_path(self._segments_dir, number), os.O_RDWR | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _roll(self) -> None:
        if self._spare is not None:
            self._spare.join()
        no_room = "No room for another audit segment: free disk space."
        if clock.monotonic_s() < self._spare_retry_at_s:
            raise Unavailable(no_room, private="the last attempt was a moment ago")
        try:
            self.sync()
            self._begin_segment(self._number + 1, Cause.FULL)
            self.sync()
        except OSError as problem:
            self._spare_retry_at_s = clock.monotonic_s() + AUDIT_SPARE_RETRY_S
            raise Unavailable(no_room, private=str(problem)) from problem
        oldest = self.reader.headers()[-2].last_seal_seq
        self._control_indexes = {seq: at for seq, at in self._control_indexes.items() if seq > oldest}
        self._prepare_spare()

    def _prepare_spare(self) -> None:
        """Zero-fill the next segment beside the work. A failure is logged; `_roll` tries again when it needs it."""
        number = self._number + 1
        if segment_path(self._segments_dir, number).exists():
            return

        def make() -> None:
            try:
                make_segment(self._segments_dir, number, self._segment_bytes)
            except OSError as problem:
                _log.error("the next audit segment could not be prepared: %s", problem)

        self._spare = threading.Thread(target=make, name="audit-spare-segment", daemon=True)
        self._spare.start()

    def find_control(self, seal_seq: int) -> int | None:
        """The index of the control row with a seal number, or None when it is not in the log."""
        if not 0 < seal_seq <= self.last_seal_seq:
            return None
        if (index := self._control_indexes.get(seal_seq)) is not None:
            return index
        headers = self.reader.headers()
        for header, after in pairwise(headers):
            if header.last_seal_seq < seal_seq <= after.last_seal_seq:
                for index, entry in self.reader.iter_entries(header.size, after.size):
                    if seal_seq_of(entry) == seal_seq:
                        return index
        return None

    # Publishing

    def publish(self, *, keep: bool = False) -> bool:
        """Bring tiles and `checkpoint` up to what is durable; False when nothing had changed.

        `keep` writes the checkpoint into the history now instead of when it is due. May run in a thread of its own.
        After an OSError (a full disk) the next call makes good what this one left.
        """
        with self._publish_lock:
            size, note = self._durable_checkpoint
            batches = [batch for batch in list(self._unpublished) if batch[1] <= size]
            if batches:
                self._hashes.extend(batches[0][0], join_pieces([pieces for _, _, pieces in batches]))
                for _ in batches:
                    self._unpublished.popleft()
            if size == self._published_size and not (keep and self._history_size != size):
                return False
            self._hashes.sync()
            self._files.write_latest(note)
            self._published_size = size
            now_s = clock.monotonic_s()
            if (keep or now_s >= self._history_due_s) and self._history_size != size:
                self._files.append_history(note)
                self._history_size = size
                self._history_due_s = now_s + AUDIT_HISTORY_S
            return True

    def close(self) -> None:
        """Publish what is durable and let the folder go."""
        if self._lock_file >= 0:
            try:
                if not self.broken:
                    self.publish(keep=True)
            finally:
                self._release()

    def _release(self) -> None:
        if self._spare is not None:
            self._spare.join()
        for descriptor in (self._file, self._lock_file):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock_file = -1
        self.reader.close()
        if hasattr(self, "_hashes"):
            self._hashes.close()
