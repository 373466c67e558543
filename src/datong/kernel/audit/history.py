"""Published checkpoints: the latest in `checkpoint`, one in a while for ever in `checkpoints` (append-only, signed).

A log that is shorter than a checkpoint it once published, or has another root at that size, was altered. Only a
checkpoint kept elsewhere (a receipt, a witness, a mirror) can tell that log and history were cut back together.
"""

from __future__ import annotations

import os
from pathlib import Path

from datong.kernel.audit.segments import sync_folder

LATEST = "checkpoint"
HISTORY = "checkpoints"


def split_history(text: str) -> tuple[list[str], str]:
    """The notes of a history file, and what is left of one whose writing was interrupted."""
    notes: list[str] = []
    rest = text
    while True:
        body, blank, after = rest.partition("\n\n")
        signatures, end, following = after.partition("\n\n")
        if not blank or not end:
            return notes, rest
        notes.append(f"{body}\n\n{signatures}\n")
        rest = following


class CheckpointFiles:
    """The two files of one log folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read_latest(self) -> str | None:
        try:
            return (self.folder / LATEST).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def read_history(self) -> list[str]:
        """Every kept checkpoint, oldest first; an interrupted last one is left out."""
        try:
            text = (self.folder / HISTORY).read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        return split_history(text)[0]

    def write_latest(self, note: str) -> None:
        """Readers see the old or the new one, whole."""
        temporary = self.folder / f"{LATEST}.new"
        with temporary.open("w", encoding="utf-8") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self.folder / LATEST)
        sync_folder(self.folder)

    def append_history(self, note: str) -> None:
        path = self.folder / HISTORY
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            notes, rest = split_history(os.pread(descriptor, size, 0).decode("utf-8", "replace")) if size else ([], "")
            if rest:
                size = len("".join(f"{kept}\n" for kept in notes).encode())
                os.ftruncate(descriptor, size)
            os.pwrite(descriptor, f"{note}\n".encode(), size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
