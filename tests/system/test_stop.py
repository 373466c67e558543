"""How the platform ends: SIGTERM stops all in order, the public door first, the database last, and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from datong.testing.instance import new_environment, wait_until

pytestmark = [pytest.mark.xdist_group("stop"), pytest.mark.timeout(180)]
ORDER = ["gateway stopped", "worker stopped", "control stopped", "PostgreSQL stopped"]


def processes_of(home: Path) -> list[int]:
    """Processes whose environment or command line names the home folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                text = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(home).encode() in text:
                found.append(int(entry.name))
    return found


def test_sigterm_stops_all_in_order_and_leaves_nothing() -> None:
    with new_environment() as environment:
        home = Path(environment["DATONG_HOME"])
        log = home.with_name("up.log")
        with log.open("wb") as out:
            command = [sys.executable, "-u", "-m", "datong.app.cli", "up"]
            platform = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
        try:
            wait_until(lambda: "answers at" in log.read_text() or platform.poll() is not None, "the platform is up")
            assert platform.poll() is None, log.read_text()
            assert len(processes_of(home)) >= 4, "the check must see the processes while they run"
            platform.send_signal(signal.SIGTERM)
            assert platform.wait(90) == 0
        finally:
            platform.kill()
        said = [line for line in log.read_text().splitlines() if line in ORDER]
        assert said == ORDER
        assert processes_of(home) == []
