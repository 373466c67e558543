"""Where files of public reference data lie, when this machine has them; tests that need them are skipped otherwise."""

from __future__ import annotations

import os
from pathlib import Path


def find_reference_file(name: str) -> Path | None:
    """`name` below DATONG_REFERENCE_DATA or below `shared/data` beside the checkout; None when it is not there."""
    folders = [Path(folder) for folder in [os.environ.get("DATONG_REFERENCE_DATA", "")] if folder]
    folders += [parent.parent / "shared" / "data" for parent in Path(__file__).resolve().parents]
    return next((folder / name for folder in folders if (folder / name).is_file()), None)
