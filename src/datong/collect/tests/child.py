"""A process of its own that collects, for the tests that kill one: `python -m datong.collect.tests.child RUN`."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    from datong.app.control.setup import set_up_django

    set_up_django()
    from datong.collect.service import execute_run, start_run
    from datong.kernel.contracts import platform_actor
    from datong.kernel.ids import ResourceId, RunId

    match sys.argv[1:]:
        case ["start", resource, path]:
            start_run(platform_actor("test"), ResourceId(resource), Path(path), Path(path).name, in_background=False)
        case ["execute", run]:
            execute_run(RunId(run))


main()
