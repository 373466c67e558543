"""A process of its own that fetches, for the tests that kill one."""

from __future__ import annotations

import sys
from typing import Any


def main() -> None:
    from datong.app.control.setup import set_up_django

    set_up_django()
    from datong.app.wiring import wire
    from datong.collect.sources import mqtt
    from datong.collect.sources.service import execute_fetch
    from datong.kernel.faults import fault_point

    wire()

    def keep_too_late(client: Any, spool: Any, pending: list[Any]) -> None:
        """The planted violation: acknowledged before it is on disk."""
        for message in pending:
            client.ack(message.mid, message.qos)
        client.loop(0.2)
        fault_point("source.mqtt-early")
        spool.add(pending)

    if sys.argv[2:] == ["early"]:
        mqtt._keep = keep_too_late
    execute_fetch(sys.argv[1])


main()
