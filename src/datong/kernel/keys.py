"""Keys on disk: made once, mode 0600, read by every process of the platform. Never in a database, never in a log."""

from __future__ import annotations

from pathlib import Path

from datong.kernel import ids
from datong.kernel.failures import Misconfigured
from datong.kernel.files import write_private


def load_or_create_key(path: Path, size_bytes: int = 32) -> bytes:
    """The key in `path`; made from the system's random source when absent.

    Two processes that make it at the same moment agree: the file is written beside and linked into place, and
    the one that comes second reads the first's. A key that others may read is refused (Misconfigured).
    """
    if not path.exists():
        write_private(path, ids.random_bytes(size_bytes), only_if_missing=True)
    if path.stat().st_mode & 0o077:
        raise Misconfigured(f"Run: chmod 600 {path}. A key must be readable by its owner only.", path=str(path))
    key = path.read_bytes()
    if len(key) != size_bytes:
        raise Misconfigured(
            f"Restore {path} from the backup: it should hold {size_bytes} bytes.", path=str(path), size_bytes=len(key)
        )
    return key
