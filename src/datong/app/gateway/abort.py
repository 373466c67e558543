"""Cutting a caller's connection, for an answer that broke off in the middle.

The server can only end a chunked body well, which would pass a cut file off as whole. So the connection itself is shut:
the caller's library then reports an incomplete transfer (RFC 9112 §8).
"""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path


def abort_connection(client: str) -> bool:
    """Shut this process's connection with the peer `address:port`; False when there is none."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names are all that is needed
        try:
            if not stat.S_ISSOCK(Path(f"/proc/self/fd/{name}").stat().st_mode):
                continue
            with socket.socket(fileno=os.dup(int(name))) as found:
                if found.family in {socket.AF_INET, socket.AF_INET6} and _peer_of(found) == client:
                    found.shutdown(socket.SHUT_RDWR)
                    return True
        except OSError:
            continue
    return False


def _peer_of(connection: socket.socket) -> str:
    host, port = connection.getpeername()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
