"""What killed processes left on disk: work folders of runs with what DuckDB spilled there, and half-landed files."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

from datong.kernel import clock
from datong.kernel.config import Settings
from datong.kernel.limits import COLLECT_WORK_KEPT_S


def remove_left_work(settings: Settings, *, older_than_s: int = COLLECT_WORK_KEPT_S) -> int:
    """Delete them when nothing in them has been written for so long; gives their number.

    A run that is taken up again begins its work folder anew, so nothing is lost with an old one.
    """
    before = (clock.now() - timedelta(seconds=older_than_s)).timestamp()
    removed = 0
    for path in (*settings.landing_dir.glob(".work/*"), *settings.landing_dir.glob("*/.part-*")):
        if _last_written(path) >= before:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        removed += 1
    return removed


def _last_written(path: Path) -> float:
    """Seconds since the epoch of the newest change below a path; what vanishes meanwhile counts as just written."""
    try:
        return max(each.stat().st_mtime for each in (path, *path.rglob("*")))
    except FileNotFoundError:
        return clock.now().timestamp()
