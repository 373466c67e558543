"""Files that only their owner reads, written in one step."""

from __future__ import annotations

import os
from pathlib import Path

from datong.kernel import ids
from datong.kernel.config import make_private_dir


def write_private(path: Path, data: bytes, *, only_if_missing: bool = False) -> None:
    """Write a 0600 file, durable: readers see the old bytes or the new ones. `only_if_missing` never replaces.

    With `only_if_missing`, of two processes at the same moment the first one's file stays and the second says nothing.
    """
    make_private_dir(path.parent)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{ids.random_bytes(6).hex()}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if not only_if_missing:
        beside.replace(path)
        return
    try:
        os.link(beside, path)
    except FileExistsError:
        pass
    finally:
        beside.unlink()
