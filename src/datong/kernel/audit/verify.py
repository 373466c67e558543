"""Checking a whole log offline, with the published key and nothing else trusted; proving and exporting its entries.

Every entry is hashed again, every frame, header, checkpoint and tile compared. So an edit, a dropped, moved or swapped
record, a forged checkpoint or a cut tail shows, as long as one checkpoint was kept that the forger could not reach: the
published ones on this disk, and `known_checkpoints` from receipts, witnesses or mirrors.
"""

from __future__ import annotations

from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import BinaryIO

import orjson

from datong.kernel.audit.entries import SALT_BYTES, build_control_entry, seal_seq_of
from datong.kernel.audit.failures import LogCorrupt, NoteInvalid
from datong.kernel.audit.hashes import TILE_BITS, TILE_HASHES, HashReader
from datong.kernel.audit.history import CheckpointFiles
from datong.kernel.audit.merkle import HASH_BYTES, BatchTree, Frontier, leaf_hash
from datong.kernel.audit.notes import Checkpoint, NoteVerifier
from datong.kernel.audit.reader import LogReader, tile_path
from datong.kernel.audit.receipts import PROOF_HEAD
from datong.kernel.audit.segments import (
    HEADER_BYTES,
    Cause,
    SegmentHeader,
    decode_header,
    find_frames,
    is_zero,
    read_frame,
    segment_numbers,
    segment_path,
)
from datong.kernel.config import make_private_dir
from datong.kernel.failures import NotFound
from datong.kernel.limits import AUDIT_SEAL_S_MAX

_WRITE_S = 0.1
"""Longer than one frame takes to be written."""

ControlRow = tuple[int, bytes]
"""(seal number, canonical row JSON)"""
ControlRows = Iterable[ControlRow] | Callable[[], Iterable[ControlRow]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFinding:
    """Something that is not as it was. `kind` is segment, record, tail, checkpoint, truncated, tile or control-row."""

    kind: str
    message: str
    segment: int | None = None
    index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReport:
    """What the check found. `size` entries are intact, in order, under `root`."""

    origin: str
    size: int
    root: bytes
    segments_count: int
    checkpoints_count: int
    control_rows_count: int
    findings: tuple[LogFinding, ...]

    @property
    def is_intact(self) -> bool:
        return not self.findings

    def require_intact(self) -> LogReport:
        """Itself, or LogCorrupt with the findings."""
        if self.findings:
            raise LogCorrupt(
                self.findings[0].message,
                intact_entries=self.size,
                findings=[
                    {"kind": f.kind, "message": f.message, "segment": f.segment, "index": f.index}
                    for f in self.findings
                ],
            )
        return self


class _TileCheck(HashReader):
    """Follows the entries and compares what the hash files should hold with what they do."""

    def __init__(self, folder: Path, published_size: int, on_wrong: Callable[[int, int], None]) -> None:
        super().__init__(folder)
        self._published_size = published_size
        self._on_wrong = on_wrong

    def compare(self, tree: BatchTree) -> None:
        for level, data in tree.completed(TILE_BITS):
            start = tree.first_index >> (TILE_BITS * level)
            count = min(len(data) // HASH_BYTES, (self._published_size >> (TILE_BITS * level)) - start)
            if count > 0 and self.read(level, start, count) != data[: count * HASH_BYTES]:
                self._on_wrong(level, start // TILE_HASHES)


class _Check:
    """One run over a log folder."""

    def __init__(
        self,
        folder: Path,
        key: NoteVerifier,
        known_checkpoints: Sequence[str],
        control_rows: ControlRows | None,
        on_progress: Callable[[int], None] | None,
    ) -> None:
        self.folder = folder
        self.key = key
        self.findings: list[LogFinding] = []
        self.frontier = Frontier()
        self.last_seal_seq = 0
        self.checkpoints_count = 0
        self._on_progress = on_progress
        self._wanted: dict[int, list[tuple[str, Checkpoint]]] = defaultdict(list)
        self._fresh_rows = control_rows if callable(control_rows) else None
        rows = control_rows() if callable(control_rows) else control_rows
        self._rows: Iterator[ControlRow] | None = None if rows is None else iter(rows)
        self._unmatched: list[tuple[ControlRow, int]] = []
        self._segments_count, self._offset, self._torn = 0, HEADER_BYTES, False
        self._wrong_tiles: set[tuple[int, int]] = set()
        published_size = self._collect_checkpoints(known_checkpoints)
        self._tiles = _TileCheck(folder / "hashes", published_size, self._on_wrong_tile)

    def find(self, kind: str, message: str, *, segment: int | None = None, index: int | None = None) -> None:
        self.findings.append(LogFinding(kind=kind, message=message, segment=segment, index=index))

    # Checkpoints

    def _collect_checkpoints(self, known: Sequence[str]) -> int:
        """Read every checkpoint, check its signature, and remember at which size its root must appear."""
        files = CheckpointFiles(self.folder)
        latest = files.read_latest()
        last_size = 0
        for place, note in enumerate(files.read_history()):
            checkpoint = self._open(note, f"kept checkpoint {place}")
            if checkpoint is not None:
                if checkpoint.size < last_size:
                    self.find("checkpoint", f"Kept checkpoint {place} is of an earlier size than the one before it.")
                last_size = checkpoint.size
        published = self._open(latest, "the published checkpoint") if latest else None
        if latest is None:
            self.find("checkpoint", "The published checkpoint is missing.")
        elif published is not None and published.size < last_size:
            self.find("truncated", f"The published checkpoint covers {published.size} entries, a kept one {last_size}.")
        for place, note in enumerate(known):
            self._open(note, f"known checkpoint {place}")
        return published.size if published else 0

    def _open(self, note: str, name: str) -> Checkpoint | None:
        self.checkpoints_count += 1
        try:
            checkpoint = self.key.open_checkpoint(note)
        except NoteInvalid as problem:
            self.find("checkpoint", f"{name.capitalize()} is not signed by {self.key.name}: {problem.hint}")
            return None
        self._wanted[checkpoint.size].append((name, checkpoint))
        return checkpoint

    def _compare_roots(self, size: int, root: bytes) -> None:
        for name, checkpoint in self._wanted.pop(size, ()):
            if checkpoint.root != root:
                self.find("checkpoint", f"The first {size} entries have not the root that {name} signs.", index=size)

    # Segments

    def run(self) -> LogReport:
        self._compare_roots(0, self.frontier.root())
        self._walk_segments()
        if not self.findings:
            self._walk_segments()  # what a running gateway added meanwhile: the rows may tell of it
        if self._torn and not self.findings:
            sleep(_WRITE_S)
            self._walk_on()
        if self._torn:
            self.find(
                "tail",
                "Behind the last good record lies something that is none: a record was altered, or a write interrupted"
                " (then the gateway's next start sets it aside).",
                index=self.frontier.size,
            )
        self._finish()
        self._tiles.close()
        return LogReport(
            origin=self.key.name,
            size=self.frontier.size,
            root=self.frontier.root(),
            segments_count=self._segments_count,
            checkpoints_count=self.checkpoints_count,
            control_rows_count=self.last_seal_seq,
            findings=tuple(self.findings),
        )

    def _walk_segments(self) -> None:
        """Go on from where the last walk ended, through all segments in use."""
        if self._segments_count:
            self._walk_on()
        numbers = segment_numbers(self.folder / "segments")
        for number in numbers[self._segments_count :]:
            if number != self._segments_count:
                self.find("segment", f"Segment file {self._segments_count} is missing.", segment=self._segments_count)
                return
            data = segment_path(self.folder / "segments", number).read_bytes()
            header = decode_header(data[:HEADER_BYTES])
            if header is None:
                if any(find_frames(data, 0, limit=len(data))) or number != numbers[-1]:
                    self.find("segment", "The segment's header is damaged.", segment=number)
                return
            if header.size > self.frontier.size and number:
                self._walk_on()
            if not self._header_fits(header, number):
                return
            self._segments_count += 1
            self._walk(data, number, HEADER_BYTES)

    def _header_fits(self, header: SegmentHeader, number: int) -> bool:
        if header.number != number:
            self.find("segment", f"The file of segment {number} holds segment {header.number}.", segment=number)
        elif header.frontier != self.frontier or header.last_seal_seq != self.last_seal_seq:
            self.find(
                "record",
                f"Segment {number} was begun after {header.size} entries; the segments before it hold"
                f" {self.frontier.size}, or others: a record before it was altered, dropped or moved.",
                segment=number,
                index=self.frontier.size,
            )
        elif self._torn and header.cause is not Cause.RECOVERY:
            self.find("record", f"Segment {number - 1} ends in bytes that are no record.", segment=number - 1)
        else:
            return True
        return False

    def _walk_on(self) -> None:
        """Read the last segment's end again: it may have grown, and what looked torn was a write under way."""
        number = self._segments_count - 1
        self._walk(segment_path(self.folder / "segments", number).read_bytes(), number, self._offset)

    def _walk(self, data: bytes, number: int, offset: int) -> None:
        """Rehash a segment's frames from an offset on, up to the first that does not check."""
        while (frame := read_frame(data, offset, limit=len(data))) is not None:
            entries = frame.entries()
            if frame.first_index != self.frontier.size or entries is None:
                break
            leaves = [leaf_hash(entry) for entry in entries]
            tree = self.frontier.append(leaves)
            if tree.root != frame.root:
                break
            self._compare_inside(leaves, tree.frontier.size)
            self._compare_roots(tree.frontier.size, tree.root)
            self._tiles.compare(tree)
            for index, entry in enumerate(entries, start=frame.first_index):
                seal_seq = seal_seq_of(entry)
                if seal_seq is not None:
                    self._compare_row(seal_seq, entry, index)
            self.frontier, offset = tree.frontier, frame.stop
        damaged = any(frame.durable_size > self.frontier.size for frame in find_frames(data, offset, limit=len(data)))
        if damaged and not any(found.kind == "record" for found in self.findings):
            self.find(
                "record",
                f"Entry {self.frontier.size} or one soon after it was altered, dropped or moved: later ones were"
                " written when it was durable.",
                segment=number,
                index=self.frontier.size,
            )
        if self._on_progress is not None:
            self._on_progress(self.frontier.size)
        self._offset, self._torn = offset, not is_zero(data, offset)

    def _compare_inside(self, leaves: list[bytes], size: int) -> None:
        first = self.frontier.size
        for inside in [wanted for wanted in self._wanted if first < wanted < size]:
            self._compare_roots(inside, self.frontier.append(leaves[: inside - first]).root)

    def _on_wrong_tile(self, level: int, tile: int) -> None:
        if (level, tile) not in self._wrong_tiles:
            self._wrong_tiles.add((level, tile))
            self.find("tile", f"Published tile {level}/{tile_path(tile)} does not hold the entries' hashes.")

    # Control rows

    def _compare_row(self, seal_seq: int, entry: bytes, index: int) -> None:
        if seal_seq != self.last_seal_seq + 1:
            self.find("control-row", f"Control row {seal_seq} follows {self.last_seal_seq} in the log.", index=index)
        self.last_seal_seq = seal_seq
        if self._rows is None:
            return
        for row_seq, row in self._rows:
            if row_seq < seal_seq:
                self.find("control-row", f"The database has a row {row_seq} that the log has not, or twice.")
                continue
            if row_seq > seal_seq:
                self.find("control-row", f"Row {seal_seq} is gone from the database.", index=index)
                self._rows = _chain((row_seq, row), self._rows)
            elif build_control_entry(row_seq, row) != entry:
                self.find("control-row", f"Row {seal_seq} of the database is not the one that was sealed.", index=index)
            return
        self._unmatched.append(((seal_seq, entry), index))

    def _match_fresh_rows(self) -> None:
        """Rows sealed after the database was asked are looked for again: the worker may be about to mark them."""
        for _ in range(int(AUDIT_SEAL_S_MAX / _WRITE_S)):
            if not self._unmatched or self._fresh_rows is None:
                return
            sleep(_WRITE_S)
            first = self._unmatched[0][0][0]
            found = {(seq, build_control_entry(seq, row)) for seq, row in self._fresh_rows() if seq >= first}
            self._unmatched = [(sealed, index) for sealed, index in self._unmatched if sealed not in found]

    def _finish(self) -> None:
        for seal_seq, _ in self._rows or ():
            self.find("control-row", f"Row {seal_seq} of the database is not in the log.")
        self._match_fresh_rows()
        for (seal_seq, _), index in self._unmatched:
            self.find("control-row", f"Row {seal_seq} is gone from the database.", index=index)
        for size in sorted(self._wanted):
            for name, _ in self._wanted[size]:
                self.find(
                    "truncated",
                    f"{name.capitalize()} covers {size} entries; only {self.frontier.size} are there and intact.",
                    index=self.frontier.size,
                )


def _chain(first: ControlRow, rest: Iterator[ControlRow]) -> Iterator[ControlRow]:
    yield first
    yield from rest


def verify_log(
    folder: Path,
    key: NoteVerifier,
    *,
    known_checkpoints: Sequence[str] = (),
    control_rows: ControlRows | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> LogReport:
    """Check a log folder, whether or not a gateway is writing to it.

    `known_checkpoints` are signed notes kept elsewhere, for example the checkpoints of receipts. `control_rows` are the
    database's sealed rows in the order of their seal numbers; they must be exactly those of the log. Give a function
    that reads them when a gateway is running: rows that are being sealed meanwhile are then asked for again.
    Damage is in the report's findings; `require_intact()` makes it a Failure.
    """
    if not (folder / "segments").is_dir():
        raise NotFound("There is no audit log in this folder.", folder=str(folder))
    return _Check(folder, key, known_checkpoints, control_rows, on_progress).run()


def prove_entry(folder: Path, index: int) -> str:
    """A tlog-proof of one entry against the published checkpoint, checkable as a receipt is.

    The salt in it is zeros, because only the holder of the exchange's receipt has the real one: it proves the entry,
    not the request and answer behind its digests.
    """
    with LogReader(folder) as log:
        checkpoint = log.checkpoint()
        if not 0 <= index < checkpoint.size:
            raise NotFound("The published checkpoint covers no such entry.", index=index, size=checkpoint.size)
        extra = b64encode(bytes(SALT_BYTES) + log.read_entry(index)).decode()
        lines = [b64encode(node).decode() for node in log.inclusion(index, checkpoint.size)]
        return "\n".join([f"{PROOF_HEAD}extra {extra}", f"index {index}", *lines, "", checkpoint.text])


def prove_consistency(folder: Path, old_size: int) -> list[str]:
    """The RFC 6962 §2.1.2 proof, as base64 hashes, that the published checkpoint extends the tree of `old_size`."""
    with LogReader(folder) as log:
        size = log.checkpoint().size
        if not 0 <= old_size <= size:
            raise NotFound("The published checkpoint is smaller.", old_size=old_size, size=size)
        return [b64encode(node).decode() for node in log.consistency(old_size, size)]


def export_entries(folder: Path, out: BinaryIO, *, start: int = 0, stop: int | None = None) -> int:
    """Write entries as JSON lines `{"index", "leaf", "entry"}`, the entry's text kept byte for byte; gives how many."""
    count = 0
    with LogReader(folder) as log:
        end = log.size if stop is None else min(stop, log.size)
        for index, entry in log.iter_entries(start, end):
            text = orjson.dumps(entry.decode("utf-8"))
            out.write(b'{"index":%d,"leaf":"%s","entry":%s}\n' % (index, b64encode(leaf_hash(entry)), text))
            count += 1
    return count


def export_tiles(folder: Path, out: Path) -> int:
    """Write the published log as the static files of C2SP tlog-tiles, for a mirror or a web server; gives how many."""
    with LogReader(folder) as log:
        size = log.checkpoint().size
        names = list(_static_names(size))
        for name in names:
            found = log.read_published(name)
            if found is None:
                raise LogCorrupt("The tree's hash files are shorter than the log. Start the gateway once.", path=name)
            target = out / name
            make_private_dir(target.parent)
            target.write_bytes(found[0])
    return len(names)


def _static_names(size: int) -> Iterator[str]:
    level = 0
    while (held := size >> (TILE_BITS * level)) > 0:
        full, rest = divmod(held, TILE_HASHES)
        for kind in (str(level), "entries") if level == 0 else (str(level),):
            yield from (f"tile/{kind}/{tile_path(tile)}" for tile in range(full))
            if rest:
                yield f"tile/{kind}/{tile_path(full)}.p/{rest}"
        level += 1
    yield "checkpoint"
