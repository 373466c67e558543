"""Points at which a test may stop a real process, to kill it there. Outside tests they do nothing.

With DATONG_TESTING=1 and a folder named by DATONG_FAULT_DIR, a process that reaches a point for which the folder holds
a file `<point>.stop` writes its pid to `<point>.reached` and stops itself (SIGSTOP). The test then sends SIGKILL.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

FAULT_DIR_SETTING = "DATONG_FAULT_DIR"


def fault_point(name: str) -> None:
    """Stop here when a test asked for it."""
    folder = os.environ.get(FAULT_DIR_SETTING)
    if folder is None or os.environ.get("DATONG_TESTING") != "1":
        return
    if (Path(folder) / f"{name}.stop").exists():
        reached = Path(folder) / f"{name}.reached"
        partial = reached.with_suffix(".partial")
        partial.write_text(str(os.getpid()))
        partial.rename(reached)
        os.kill(os.getpid(), signal.SIGSTOP)
