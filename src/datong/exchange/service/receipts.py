"""One receipt, checked while the page is built: what the log holds at an index, and whether it can be proven there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from datong.exchange.requests import GrantView
from datong.exchange.service import grants
from datong.kernel.audit.entries import decode_entry, seal_seq_of
from datong.kernel.audit.failures import ReceiptInvalid
from datong.kernel.audit.notes import load_verifier
from datong.kernel.audit.reader import LogReader
from datong.kernel.audit.receipts import verify_receipt
from datong.kernel.audit.verify import prove_entry
from datong.kernel.config import load_settings
from datong.kernel.contracts import EVERY_AGENCY, Actor, Role
from datong.kernel.failures import NotFound
from datong.kernel.ids import GrantId


class ReceiptNotFound(NotFound):
    code = "receipt-not-found"
    title, title_zh = "There is no such receipt, or it is not yours to see", "没有这张回执，或者你无权查看"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptCheck:
    """What the log says at an index. `broken_step` names the check that failed; empty when all hold."""

    log_index: int
    entry: Mapping[str, Any]
    entry_sha256: str
    origin: str
    log_size: int
    path_length: int
    broken_step: str
    grant: GrantView | None


def check_receipt(actor: Actor, log_index: int) -> ReceiptCheck:
    """Prove one exchange against the published checkpoint, as anybody could from the static log alone.

    The two agencies of its grant may look, and those who see all. Raises ReceiptNotFound, also for what the reader may
    not see and for the control plane's own rows, which are read as audit rows.
    """
    settings = load_settings()
    with LogReader(settings.audit_dir) as log:
        try:
            checkpoint, entry = log.checkpoint(), log.read_entry(log_index)
            path_length = len(log.inclusion(log_index))
        except NotFound as missing:
            raise ReceiptNotFound(missing.hint, index=log_index) from missing
    if seal_seq_of(entry) is not None:
        raise ReceiptNotFound(index=log_index)
    facts = decode_entry(entry)
    grant = grants.get_grant(actor, GrantId(facts["grant"])) if facts.get("grant") else None
    if grant is None and not (Role.AUDITOR in actor.roles or EVERY_AGENCY in actor.agency_ids):
        raise ReceiptNotFound(index=log_index)
    key = load_verifier(settings.keys_dir)
    broken_step = ""
    try:
        verify_receipt(prove_entry(settings.audit_dir, log_index), key)
    except ReceiptInvalid as invalid:
        broken_step = str(invalid.facts.get("step", "form"))
    return ReceiptCheck(
        log_index=log_index,
        entry=facts,
        entry_sha256=sha256(entry).hexdigest(),
        origin=checkpoint.origin,
        log_size=checkpoint.size,
        path_length=path_length,
        broken_step=broken_step,
        grant=grant,
    )
