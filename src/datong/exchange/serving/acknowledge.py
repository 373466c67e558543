"""Has every gateway seen it? A revocation is done when each gateway of this host answers with a newer snapshot.

The gateway listens on `settings.socket("gateway")`: one line of JSON in, `{"ask": "seen"}`, one line out,
`{"txn_id": n}`, the LMDB transaction on which it decides from now on (asking makes it look). No gateway running counts
as having seen everything: it will open the newest state when it starts.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path

from datong.kernel import clock
from datong.kernel.limits import GATEWAY_ASK_S_MAX


def ask_gateway(path: Path, *, timeout_s: float = GATEWAY_ASK_S_MAX) -> int | None:
    """The transaction that the gateway decides on; None when no gateway answers."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
            channel.settimeout(timeout_s)
            channel.connect(str(path))
            channel.sendall(b'{"ask":"seen"}\n')
            line = channel.makefile("rb").readline(4096)
        return int(json.loads(line)["txn_id"])
    except (OSError, ValueError, KeyError):
        return None


def wait_acknowledged(path: Path, txn_id: int, *, timeout_s: float = GATEWAY_ASK_S_MAX) -> bool:
    """Whether the gateway decides on a snapshot that has transaction `txn_id`, or does not run. False: it hangs."""
    deadline_s = clock.monotonic_s() + timeout_s
    while clock.monotonic_s() < deadline_s:
        seen = ask_gateway(path, timeout_s=timeout_s)
        if seen is not None:
            return seen >= txn_id
        if not _is_listening(path):
            return True
    return False


def _is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(GATEWAY_ASK_S_MAX)
        try:
            channel.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            return True
    return True
