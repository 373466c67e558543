"""Serve the control plane on its unix socket (mode 0600 in a 0700 folder); stopped by SIGTERM."""

from __future__ import annotations

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from datong.kernel.config import load_settings, make_private_dir
from datong.kernel.limits import CONTROL_THREADS_MAX, SHUTDOWN_S_MAX


def main() -> None:
    settings = load_settings()
    make_private_dir(settings.run_dir)
    settings.socket("control").unlink(missing_ok=True)  # what a killed process left; the supervisor runs one of us
    Granian(
        "datong.app.control.wsgi:application",
        uds=settings.socket("control"),
        uds_permissions=0o600,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=CONTROL_THREADS_MAX,
        workers_kill_timeout=SHUTDOWN_S_MAX,
        websockets=False,
        log_level=LogLevels(settings.text("DATONG_LOG_LEVEL")),
    ).serve()


if __name__ == "__main__":
    main()
