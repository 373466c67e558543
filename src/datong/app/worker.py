"""The worker's process: jobs, the outbox, the sealing of audit rows, the serving store's upkeep. Stopped by SIGTERM."""

from __future__ import annotations

import contextlib
import signal
import threading

from datong.app.control.setup import set_up_django


def main() -> None:
    set_up_django()
    from datong.exchange.service import finish_revocations
    from datong.kernel.config import load_settings
    from datong.kernel.failures import Failure
    from datong.kernel.jobs.worker import run_worker
    from datong.lake.service import recover_commits

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    recover_commits()
    with contextlib.suppress(Failure):  # no gateway yet: the reconciler finishes them
        finish_revocations()
    run_worker(stop, load_settings().socket("audit"))


if __name__ == "__main__":
    main()
