"""Segments: the files that hold the log's entries, framed so that every prefix proves itself.

A segment is `segments/NNNNNNNN.seg`, zero-filled and synced before its first use, so that a later fdatasync writes data
only. It begins with a 4,096-byte header: tree size and frontier before its first entry, so that start-up rehashes one
segment. Then frames, one a commit, all numbers big-endian:

    magic 4 | u32 body bytes | u32 entries | u64 first index | u64 durable size |
    (u16 length | entry)* | root 32 | u32 CRC-32

The root is the tree's after the frame and thereby the body's checksum; the CRC covers the head and the root. The body
is a piece of a tlog-tiles entry bundle as it stands. *Durable size* is how much of the log was known durable when the
frame was written: when a bad frame is followed by a good one, it tells damage to a durable record (refuse to start)
from several syncs in flight torn by a power cut (never answered, dropped).
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from zlib import crc32

from datong.kernel.audit.merkle import HASH_BYTES, Frontier

HEADER_BYTES = 4096
_SEGMENT_MAGIC = b"DTSEG\x01\r\n"
_FRAME_MAGIC = b"\xd7DF\x01"
"""Not UTF-8, so that no entry, which is JSON, can contain it."""
_HEADER = struct.Struct(">8sIQQBB")
_HEAD = struct.Struct(">4sIIQQ")
_TAIL = struct.Struct(">32sI")
_LENGTH = struct.Struct(">H")
_CRC = struct.Struct(">I")
FRAME_OVERHEAD_BYTES = _HEAD.size + _TAIL.size
_FILL = bytes(1024 * 1024)


class Cause(IntEnum):
    """Why a segment was begun."""

    FIRST = 0
    FULL = 1
    RECOVERY = 2
    """The one before ends in an interrupted write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentHeader:
    number: int
    frontier: Frontier
    last_seal_seq: int
    cause: Cause

    @property
    def size(self) -> int:
        """Entries in the log before this segment."""
        return self.frontier.size

    def encode(self) -> bytes:
        head = _HEADER.pack(
            _SEGMENT_MAGIC, self.number, self.size, self.last_seal_seq, self.cause, len(self.frontier.peaks)
        )
        head += b"".join(self.frontier.peaks)
        return (head + _CRC.pack(crc32(head))).ljust(HEADER_BYTES, b"\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One commit as it lies in a segment, from `offset` to `stop`."""

    offset: int
    stop: int
    first_index: int
    count: int
    durable_size: int
    body: bytes
    root: bytes

    def entries(self) -> list[bytes] | None:
        """The entries, or None when the lengths do not fill the body exactly."""
        return split_body(self.body, self.count)


def decode_header(block: bytes) -> SegmentHeader | None:
    """A segment's header, or None when it does not check."""
    if len(block) < HEADER_BYTES or not block.startswith(_SEGMENT_MAGIC):
        return None
    _, number, size, last_seal_seq, cause, peaks_count = _HEADER.unpack_from(block)
    stop = _HEADER.size + peaks_count * HASH_BYTES
    if stop + _CRC.size > HEADER_BYTES or crc32(block[:stop]) != _CRC.unpack_from(block, stop)[0]:
        return None
    peaks = [block[at : at + HASH_BYTES] for at in range(_HEADER.size, stop, HASH_BYTES)]
    if size.bit_count() != peaks_count or cause not in set(Cause):
        return None
    return SegmentHeader(number=number, frontier=Frontier(size, peaks), last_seal_seq=last_seal_seq, cause=Cause(cause))


def encode_body(entries: Sequence[bytes]) -> bytes:
    """Entries as in a tlog-tiles bundle: each with its big-endian 16-bit length before it."""
    pack = _LENGTH.pack
    return b"".join([part for entry in entries for part in (pack(len(entry)), entry)])


def split_body(body: bytes, count: int) -> list[bytes] | None:
    entries, at = [], 0
    for _ in range(count):
        if at + 2 > len(body):
            return None
        stop = at + 2 + (body[at] << 8 | body[at + 1])
        entries.append(body[at + 2 : stop])
        at = stop
    return entries if at == len(body) else None


def encode_frame(body: bytes, *, count: int, first_index: int, durable_size: int, root: bytes) -> bytes:
    head = _HEAD.pack(_FRAME_MAGIC, len(body), count, first_index, durable_size)
    return b"".join((head, body, _TAIL.pack(root, crc32(root, crc32(head)))))


def read_frame(view: bytes | memoryview, offset: int, *, limit: int) -> Frame | None:
    """The frame at an offset of a mapped segment, or None when head, length or CRC do not check."""
    block = memoryview(view)
    if offset + FRAME_OVERHEAD_BYTES > limit:
        return None
    magic, body_bytes, count, first_index, durable_size = _HEAD.unpack_from(block, offset)
    body_start = offset + _HEAD.size
    body_stop = body_start + body_bytes
    if magic != _FRAME_MAGIC or count == 0 or body_stop + _TAIL.size > limit:
        return None
    root, checksum = _TAIL.unpack_from(block, body_stop)
    if crc32(root, crc32(block[offset:body_start])) != checksum:
        return None
    return Frame(
        offset=offset,
        stop=body_stop + _TAIL.size,
        first_index=first_index,
        count=count,
        durable_size=durable_size,
        body=bytes(block[body_start:body_stop]),
        root=root,
    )


def read_head(block: bytes) -> tuple[int, int, int] | None:
    """(first index, entries, whole bytes) of the frame whose head this is; None when it is none."""
    if len(block) < _HEAD.size:
        return None
    magic, body_bytes, count, first_index, _ = _HEAD.unpack_from(block)
    return (first_index, count, body_bytes + FRAME_OVERHEAD_BYTES) if magic == _FRAME_MAGIC else None


HEAD_BYTES = _HEAD.size


def find_frames(view: bytes, offset: int, *, limit: int) -> Iterator[Frame]:
    """Every frame whose head and root check, wherever it begins after the offset: what a bad frame is judged by."""
    block = memoryview(view)
    for found in re.finditer(re.escape(_FRAME_MAGIC), block[offset:limit]):
        frame = read_frame(block, offset + found.start(), limit=limit)
        if frame is not None:
            yield frame


def is_zero(view: bytes, offset: int) -> bool:
    """Whether nothing was ever written from the offset on."""
    block = memoryview(view)
    for at in range(offset, len(block), len(_FILL)):
        piece = block[at : at + len(_FILL)]
        if piece != memoryview(_FILL)[: len(piece)]:
            return False
    return True


def segment_path(folder: Path, number: int) -> Path:
    return folder / f"{number:08d}.seg"


def segment_numbers(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in folder.glob("[0-9]*.seg"))


def make_segment(folder: Path, number: int, segment_bytes: int) -> Path:
    """A zero-filled, synced segment file under its final name; the folder's entry is synced too.

    It is written in pieces with a sync after every fourth, so that it does not hold up the commits beside it.
    """
    path = segment_path(folder, number)
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        for piece, at in enumerate(range(0, segment_bytes, len(_FILL)), start=1):
            os.pwrite(descriptor, _FILL[: segment_bytes - at], at)
            if piece % 4 == 0:
                os.fdatasync(descriptor)
        os.fsync(descriptor)
    except OSError:
        temporary.unlink()
        raise
    finally:
        os.close(descriptor)
    temporary.rename(path)
    sync_folder(folder)
    return path


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
