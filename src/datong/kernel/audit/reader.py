"""Reading a log beside its writer, without a lock: entries, proofs, and the static files of C2SP tlog-tiles.

Readers trust the folder; `verify.verify_log` is what checks it.
"""

from __future__ import annotations

import os
import re
import threading
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from datong.kernel.audit.entries import decode_entry
from datong.kernel.audit.failures import LogCorrupt
from datong.kernel.audit.hashes import TILE_BITS, TILE_HASHES, HashReader
from datong.kernel.audit.history import CheckpointFiles
from datong.kernel.audit.notes import Checkpoint, parse_checkpoint_body
from datong.kernel.audit.segments import (
    HEAD_BYTES,
    HEADER_BYTES,
    SegmentHeader,
    decode_header,
    encode_body,
    read_frame,
    read_head,
    segment_path,
)
from datong.kernel.failures import NotFound
from datong.kernel.limits import AUDIT_SEGMENTS_OPEN_MAX

_TILE_PATH = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


class SegmentReader:
    """One segment's entries. Where its frames begin is learnt as far as needed, by hopping from head to head."""

    def __init__(self, path: Path, header: SegmentHeader) -> None:
        self.header = header
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._firsts = array("Q")
        self._offsets = array("Q")
        self._next_index = header.size
        self._next_offset = HEADER_BYTES
        self._lock = threading.Lock()

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    __del__ = close

    def _learn(self, index: int) -> int:
        """The place of the frame that holds an entry. Threads may ask at the same time."""
        with self._lock:
            self._read_heads(index)
            return bisect_right(self._firsts, index) - 1

    def _read_heads(self, index: int) -> None:
        while self._next_index <= index:
            head = read_head(os.pread(self._descriptor, HEAD_BYTES, self._next_offset))
            if head is None or head[0] != self._next_index:
                raise NotFound("The log has no such entry yet.", index=index)
            self._firsts.append(self._next_index)
            self._offsets.append(self._next_offset)
            self._next_index += head[1]
            self._next_offset += head[2]

    def read_frame_at(self, index: int) -> tuple[int, list[bytes]]:
        """(first index, entries) of the frame that holds an entry."""
        at = self._learn(index)
        offset = self._offsets[at]
        head = read_head(os.pread(self._descriptor, HEAD_BYTES, offset))
        block = os.pread(self._descriptor, head[2], offset) if head else b""
        frame = read_frame(block, 0, limit=len(block))
        entries = frame.entries() if frame else None
        if entries is None:
            raise LogCorrupt("Run `datong audit verify` and restore the folder from a backup.", index=index)
        return self._firsts[at], entries


class LogReader:
    """A log folder, read only, from any number of threads.

    `size` follows the published checkpoint: what has a signature over it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = CheckpointFiles(folder)
        self.hashes = HashReader(folder / "hashes")
        self._segments: dict[int, SegmentReader] = {}
        self._headers: list[SegmentHeader] = []
        self._lock = threading.Lock()

    def close(self) -> None:
        self.hashes.close()
        for segment in self._segments.values():
            segment.close()
        self._segments.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def checkpoint(self) -> Checkpoint:
        """The latest published checkpoint; its signature is not checked here."""
        note = self.files.read_latest()
        if note is None:
            raise NotFound("No checkpoint is published yet: start the gateway once.", folder=str(self.folder))
        return parse_checkpoint_body(note.partition("\n\n")[0] + "\n", note)

    @property
    def size(self) -> int:
        return self.checkpoint().size

    def headers(self) -> list[SegmentHeader]:
        """The headers of the segments in use, in order."""
        with self._lock:
            while (header := self._read_header(len(self._headers))) is not None:
                self._headers.append(header)
            return list(self._headers)

    def _read_header(self, number: int) -> SegmentHeader | None:
        try:
            with segment_path(self.folder / "segments", number).open("rb") as file:
                return decode_header(file.read(HEADER_BYTES))
        except FileNotFoundError:
            return None

    def _segment_of(self, index: int) -> SegmentReader:
        known = self._headers
        if not known or index >= known[-1].size:
            known = self.headers()
        at = bisect_right(known, index, key=lambda header: header.size) - 1
        if at < 0:
            raise NotFound("The log has no such entry yet.", index=index)
        number = known[at].number
        with self._lock:
            if number not in self._segments:
                if len(self._segments) == AUDIT_SEGMENTS_OPEN_MAX:
                    del self._segments[min(self._segments)]  # whoever still reads it holds it open
                self._segments[number] = SegmentReader(segment_path(self.folder / "segments", number), known[at])
            return self._segments[number]

    def read_entry(self, index: int) -> bytes:
        """The bytes of one entry; NotFound beyond the end."""
        if index < 0:
            raise NotFound("Entries count from 0.", index=index)
        first, entries = self._segment_of(index).read_frame_at(index)
        return entries[index - first]

    def iter_entries(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """(index, entry) from start to before stop; without stop, to the published size."""
        end = self.size if stop is None else stop
        index = start
        while index < end:
            first, entries = self._segment_of(index).read_frame_at(index)
            for entry in entries[index - first : end - first]:
                yield index, entry
                index += 1

    def find_first_since(self, at: str, size: int | None = None) -> int:
        """The first index whose entry is not older than an RFC 3339 instant in UTC, entries being in time order.

        Control rows, which carry the time inside their row, count as being at the time of the entry after them.
        """
        low, high = 0, self.size if size is None else size
        while low < high:
            middle = (low + high) // 2
            probe = middle
            while probe < high and "at" not in (entry := decode_entry(self.read_entry(probe))):
                probe += 1
            if probe == high or entry["at"] >= at:
                high = middle
            else:
                low = probe + 1
        return low

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        return self.hashes.inclusion(index, self.size if size is None else size)

    def consistency(self, old_size: int, new_size: int | None = None) -> list[bytes]:
        return self.hashes.consistency(old_size, self.size if new_size is None else new_size)

    def read_published(self, path: str) -> tuple[bytes, str] | None:
        """(bytes, media type) of `checkpoint`, `tile/L/N[.p/W]` or `tile/entries/N[.p/W]`; None when there is none.

        Nothing beyond the published checkpoint is given, and a partial tile in any width that it covers.
        """
        if path == "checkpoint":
            note = self.files.read_latest()
            return None if note is None else (note.encode(), "text/plain; charset=utf-8")
        found = _TILE_PATH.fullmatch(path)
        if not found:
            return None
        tile = int(found[2].replace("/", "").replace("x", ""))
        width = int(found[3] or TILE_HASHES)
        level = 0 if found[1] == "entries" else int(found[1])
        start = tile * TILE_HASHES
        held = self.size >> (TILE_BITS * level)
        padded = tile_path(tile) == found[2]
        if not padded or level > 63 or width > TILE_HASHES - bool(found[3]) or start + width > held:
            return None
        if found[1] == "entries":
            body = encode_body([entry for _, entry in self.iter_entries(start, start + width)])
        else:
            body = self.hashes.read(level, start, width) or b""
        return (body, "application/octet-stream") if body else None


def tile_path(tile: int) -> str:
    """A tile's number as path elements of three digits, all but the last with an `x`: 1234067 is x001/x234/067."""
    digits = str(tile)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([f"x{part}" for part in parts[:-1]] + parts[-1:])
