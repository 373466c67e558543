"""Start-up: find the intact prefix of the log, or refuse.

Only the last segment is rehashed; its header holds the frontier before it. The scan stops at the first frame that does
not check. If nothing was ever written behind that place, the log goes on there. If something was, it is an interrupted
write and the segment is sealed, unless a later frame says that the bad one had been durable: then it is damage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from datong.kernel.audit.entries import seal_seq_of
from datong.kernel.audit.failures import LogCorrupt
from datong.kernel.audit.merkle import Frontier, leaf_hash
from datong.kernel.audit.segments import (
    HEADER_BYTES,
    SegmentHeader,
    decode_header,
    find_frames,
    is_zero,
    read_frame,
    segment_numbers,
    segment_path,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """Where the log goes on. `header` is None for an empty folder; `torn` means: begin another segment."""

    header: SegmentHeader | None = None
    frontier: Frontier = field(default_factory=Frontier)
    offset: int = HEADER_BYTES
    torn: bool = False
    last_seal_seq: int = 0
    leaves: list[bytes] = field(default_factory=list)
    control_indexes: Mapping[int, int] = field(default_factory=dict)


def recover(folder: Path) -> Recovered:
    """The state of the last segment in use. Removes spare segments whose preparation was interrupted, nothing else."""
    for unfinished in folder.glob("*.new"):
        unfinished.unlink()
    numbers = segment_numbers(folder)
    if numbers != list(range(len(numbers))):
        raise LogCorrupt(
            "A segment file is missing. Restore the folder from a backup.",
            missing=sorted(set(range(numbers[-1])) - set(numbers)),
        )
    _check_order(folder, numbers)
    for number in reversed(numbers):
        data = segment_path(folder, number).read_bytes()
        header = decode_header(data[:HEADER_BYTES])
        if header is not None:
            return scan(data, header)
        if any(find_frames(data, 0, limit=len(data))):
            raise LogCorrupt("A segment's header is damaged but it holds entries.", segment=number)
        if not is_zero(data, 0):
            segment_path(folder, number).unlink()
    return Recovered()


def _check_order(folder: Path, numbers: list[int]) -> None:
    size = 0
    for number in numbers:
        with segment_path(folder, number).open("rb") as file:
            header = decode_header(file.read(HEADER_BYTES))
        if header is None:
            continue
        if header.number != number or header.size < size:
            raise LogCorrupt(
                "Segment files were swapped or renamed. Restore the folder from a backup.",
                segment=number,
                says=header.number,
            )
        size = header.size


def scan(data: bytes, header: SegmentHeader) -> Recovered:
    """Rehash one segment up to the first frame that does not check."""
    frontier, offset, last_seal_seq = header.frontier, HEADER_BYTES, header.last_seal_seq
    leaves: list[bytes] = []
    control_indexes: dict[int, int] = {}
    while True:
        frame = read_frame(data, offset, limit=len(data))
        entries = frame.entries() if frame and frame.first_index == frontier.size else None
        if frame is None or entries is None:
            break
        hashes = [leaf_hash(entry) for entry in entries]
        tree = frontier.append(hashes)
        if tree.root != frame.root:
            break
        for index, entry in enumerate(entries, start=frontier.size):
            seal_seq = seal_seq_of(entry)
            if seal_seq is not None:
                last_seal_seq = seal_seq
                control_indexes[seal_seq] = index
        leaves += hashes
        frontier, offset = tree.frontier, frame.stop
    torn = not is_zero(data, offset)
    if torn:
        for later in find_frames(data, offset, limit=len(data)):
            if later.durable_size > frontier.size:
                raise LogCorrupt(
                    "A record that was durable is damaged, and later ones follow it. Restore the folder from a backup.",
                    segment=header.number,
                    index=frontier.size,
                    offset=offset,
                )
    return Recovered(
        header=header,
        frontier=frontier,
        offset=offset,
        torn=torn,
        last_seal_seq=last_seal_seq,
        leaves=leaves,
        control_indexes=control_indexes,
    )
