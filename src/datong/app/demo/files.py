"""The demonstration's files: private, and replaced as a whole."""

from __future__ import annotations

import os
from pathlib import Path

from datong.kernel.config import make_private_dir


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner reads (0600), in one step."""
    make_private_dir(path.parent)
    part = path.with_name(path.name + ".part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    part.replace(path)
