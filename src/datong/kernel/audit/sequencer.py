"""The worker's loop that brings control-plane rows into the Merkle log, through the gateway's committer.

Numbering, sending and marking are three steps, each repeatable: a crash after any of them loses and doubles nothing,
because the committer answers a seal number it has already seen with the index it gave it then.
"""

from __future__ import annotations

from datong.kernel.audit.service import assign_seal_numbers, find_unsealed_rows, mark_sealed
from datong.kernel.audit.socket import AuditSocketClient


def seal_pending(client: AuditSocketClient) -> int:
    """Number, send and mark what waits; returns how many rows were sealed. Unavailable while there is no gateway."""
    assign_seal_numbers()
    rows = find_unsealed_rows()
    if rows:
        mark_sealed(rows, client.append_rows(rows))
    return len(rows)
