"""Log lines: one JSON object each, with the operation they belong to. Personal data and secrets never go in."""

from __future__ import annotations

import logging
from contextvars import ContextVar

import orjson

from datong.kernel import clock

operation_id: ContextVar[str] = ContextVar("operation_id", default="")
"""The request, job or action that is being served; the same id is in the audit rows it wrote."""


class JsonLines(logging.Formatter):
    """`{"at", "level", "logger", "message", "operation", "trace"}`; `extra={"facts": {...}}` adds facts."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": clock.iso(clock.now()),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if operation_id.get():
            line["operation"] = operation_id.get()
        facts = getattr(record, "facts", None)
        if facts:
            line["facts"] = facts
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()
