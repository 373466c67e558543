"""The only source of time. Tests freeze it with `use_clock`; nothing else calls `datetime.now` or `time.time`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

CIVIL_ZONE = ZoneInfo("Asia/Shanghai")
"""Deadlines, dates on pages and directory codes are in China Standard Time; instants are stored in UTC."""

NowSource = Callable[[], datetime]


def _system_now() -> datetime:
    return datetime.now(UTC)


_now: NowSource = _system_now


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return _now()


def today() -> date:
    """The civil date in China."""
    return now().astimezone(CIVIL_ZONE).date()


def civil_date(instant: datetime) -> date:
    """The civil date in China of an instant."""
    return instant.astimezone(CIVIL_ZONE).date()


def epoch_ms() -> int:
    """Milliseconds since 1970-01-01T00:00Z."""
    return int(now().timestamp() * 1000)


def monotonic_s() -> float:
    """Seconds that only ever grow: for durations and rates, never for dates."""
    return time.monotonic()


def iso(instant: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, e.g. 2026-11-24T06:32:07.114Z."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@contextmanager
def use_clock(source: NowSource | datetime) -> Iterator[None]:
    """Put another clock in place for the length of the block (this process only)."""
    global _now
    before = _now
    if isinstance(source, datetime):
        fixed = source
        _now = lambda: fixed  # noqa: E731
    else:
        _now = source
    try:
        yield
    finally:
        _now = before


def freeze_from_environment() -> None:
    """Freeze this process at DATONG_FROZEN_CLOCK (RFC 3339); only honoured with DATONG_TESTING=1."""
    global _now
    text = os.environ.get("DATONG_FROZEN_CLOCK")
    if text and os.environ.get("DATONG_TESTING") == "1":
        fixed = datetime.fromisoformat(text)
        _now = lambda: fixed  # noqa: E731
