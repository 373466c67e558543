"""The tree's hashes on disk: one append-only file a tile level, from which tiles and proofs are cut.

File L holds, one after another, the Merkle tree hashes of the complete subtrees of 256**L leaves: tile N of level L
(C2SP tlog-tiles) is its bytes [N·8192, N·8192 + 8192), and any partial tile is a shorter piece. All of it is derived
from the segments and can be built again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from datong.kernel.audit.failures import LogCorrupt
from datong.kernel.audit.merkle import EMPTY_ROOT, HASH_BYTES, consistency_path, inclusion_path, node_hash, split_point
from datong.kernel.audit.segments import write_all

TILE_HASHES = 256
TILE_BITS = 8
TILE_BYTES = TILE_HASHES * HASH_BYTES


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of hashes."""
    level = list(hashes)
    while len(level) > 1:
        level = [node_hash(level[at], level[at + 1]) for at in range(0, len(level), 2)]
    return level[0]


class HashReader:
    """Proofs and tiles from the level files; any number of readers beside the one writer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[int, int] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()

    def _file(self, level: int) -> int | None:
        with self._lock:
            descriptor = self._files.get(level)
            if descriptor is None:
                try:
                    descriptor = self._files[level] = os.open(self.folder / str(level), os.O_RDONLY | os.O_CLOEXEC)
                except FileNotFoundError:
                    return None
            return descriptor

    def count(self, level: int) -> int:
        """Hashes held at a level; at level 0, leaves."""
        descriptor = self._file(level)
        return 0 if descriptor is None else os.fstat(descriptor).st_size // HASH_BYTES

    def read(self, level: int, start: int, count: int) -> bytes | None:
        """`count` hashes of a level as one piece, or None when they are not all there."""
        descriptor = self._file(level)
        if descriptor is None:
            return None
        data = os.pread(descriptor, count * HASH_BYTES, start * HASH_BYTES)
        return data if len(data) == count * HASH_BYTES else None

    def range_hash(self, start: int, stop: int) -> bytes:
        """The tree hash over leaves [start, stop), where start is a multiple of the range's size rounded up to 2**k."""
        count = stop - start
        if count == 0:
            return EMPTY_ROOT
        if count & (count - 1):
            middle = start + split_point(count)
            return node_hash(self.range_hash(start, middle), self.range_hash(middle, stop))
        level, rest = divmod(count.bit_length() - 1, TILE_BITS)
        piece = self.read(level, start >> (level * TILE_BITS), 1 << rest)
        if piece is None:
            raise LogCorrupt(
                "The tree's hash files are shorter than the log. Start the gateway: it builds them again.",
                start=start,
                stop=stop,
            )
        return fold([piece[at : at + HASH_BYTES] for at in range(0, len(piece), HASH_BYTES)])

    def root(self, size: int) -> bytes:
        return self.range_hash(0, size)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        return inclusion_path(index, size, self.range_hash)

    def consistency(self, old_size: int, new_size: int) -> list[bytes]:
        return consistency_path(old_size, new_size, self.range_hash)


class HashWriter(HashReader):
    """Extends the level files. Writing the same piece twice is harmless: a piece knows its place."""

    def _file(self, level: int) -> int:
        with self._lock:
            descriptor = self._files.get(level)
            if descriptor is None:
                path = self.folder / str(level)
                descriptor = self._files[level] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            return descriptor

    def cut(self, size: int) -> None:
        """Cut every level back to a tree of `size` leaves; ValueError when one holds fewer."""
        level = 0
        while (count := size >> (TILE_BITS * level)) or (self.folder / str(level)).exists():
            if self.count(level) < count:
                raise ValueError(f"level {level} holds {self.count(level)} of {count} hashes")
            os.ftruncate(self._file(level), count * HASH_BYTES)
            level += 1

    def extend(self, first_index: int, pieces: Sequence[tuple[int, bytes]]) -> None:
        """Write what a batch that began at first_index completed: the pieces of `BatchTree.completed(TILE_BITS)`."""
        for level, data in pieces:
            write_all(self._file(level), data, (first_index >> (TILE_BITS * level)) * HASH_BYTES)

    def sync(self) -> None:
        for descriptor in list(self._files.values()):
            os.fdatasync(descriptor)


def join_pieces(batches: Sequence[Sequence[tuple[int, bytes]]]) -> list[tuple[int, bytes]]:
    """The pieces of consecutive batches as those of one."""
    joined: dict[int, list[bytes]] = {}
    for pieces in batches:
        for level, data in pieces:
            joined.setdefault(level, []).append(data)
    return [(level, b"".join(parts)) for level, parts in sorted(joined.items())]
