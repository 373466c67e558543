"""What can be wrong with a log, a note or a receipt."""

from __future__ import annotations

from datong.kernel.failures import Failure, Retry


class LogCorrupt(Failure):
    """The log on disk is not what was once durable. Never repaired silently: the gateway refuses to start."""

    code, status = "audit-log-corrupt", 500
    title, title_zh = "The audit log is damaged", "审计日志已损坏"


class LogBusy(Failure):
    code, status, retry = "audit-log-busy", 503, Retry.LATER
    title, title_zh = "Another process writes this audit log", "审计日志正被另一进程写入"


class NoteInvalid(Failure):
    """A signed note, checkpoint or verifier key that does not read or does not verify."""

    code, status = "note-invalid", 422
    title, title_zh = "The signed note is not valid", "签名文本无效"


class ReceiptInvalid(Failure):
    """A receipt failed a step of its check; `facts["step"]` names the step (see `receipts.STEPS`)."""

    code, status = "receipt-invalid", 422
    title, title_zh = "The receipt does not prove what it claims", "回执未能通过验证"


class SealOutOfOrder(Failure):
    """A control row came with a seal number that does not follow the last one, or with other content than before."""

    code, status = "seal-out-of-order", 409
    title, title_zh = "The control row does not follow the sealed ones", "审计行封存序号不连续"


__all__ = ["LogBusy", "LogCorrupt", "NoteInvalid", "ReceiptInvalid", "SealOutOfOrder"]
