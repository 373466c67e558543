"""What is plugged into what: calls `plugs.plug()` of every part in `app/parts.py`, lowest first."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from datong.app import parts


@cache
def wire() -> None:
    """Fill every slot and name every event handler: for control, worker and the command line. Once per process."""
    for part, module in parts.existing_modules("plugs"):
        if part != "kernel":  # kernel/plugs.py is the mechanism itself
            import_module(module).plug()


def find_endpoints() -> list[str]:
    """Every address that the platform answers, as patterns: the gateway's own and the control plane's."""
    from datong.app.control.endpoints import find_control_endpoints
    from datong.app.gateway.routes import GATEWAY_ENDPOINTS

    return sorted({*GATEWAY_ENDPOINTS, *find_control_endpoints()})
