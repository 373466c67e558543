"""How often a grant may be used: items a minute in memory, items a civil day rebuilt from the log at start.

One process counts for itself. A minute window begins anew after a restart; a day's count does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import orjson

from datong.exchange.contracts import GrantTerms, RateExceeded
from datong.kernel import clock

MINUTE_MS = 60_000


class Rates:
    """Counts items by grant. `take` either counts all the items of a call or refuses and counts none."""

    def __init__(self) -> None:
        self._minutes: dict[str, tuple[int, int]] = {}
        self._days: dict[str, int] = {}
        self._day_ends_ms = 0

    def take(self, terms: GrantTerms, items_count: int, now_ms: int) -> None:
        """Raises RateExceeded with the time to wait."""
        grant_id = terms.grant_id
        minute = now_ms // MINUTE_MS
        counted_minute, used = self._minutes.get(grant_id, (minute, 0))
        used = used if counted_minute == minute else 0
        if used + items_count > terms.rate_per_minute:
            wait_s = -(-((minute + 1) * MINUTE_MS - now_ms) // 1000)
            raise RateExceeded(terms, period="minute", limit=terms.rate_per_minute, retry_after_s=wait_s)
        if now_ms >= self._day_ends_ms:
            self._begin_day()
        used_today = self._days.get(grant_id, 0)
        if terms.daily_cap and used_today + items_count > terms.daily_cap:
            wait_s = -(-(self._day_ends_ms - now_ms) // 1000)
            raise RateExceeded(terms, period="day", limit=terms.daily_cap, retry_after_s=wait_s)
        self._minutes[grant_id] = (minute, used + items_count)
        self._days[grant_id] = used_today + items_count

    def count_today(self, grant_id: str) -> int:
        return self._days.get(grant_id, 0)

    def rebuild(self, entries: Iterable[bytes]) -> int:
        """Count today's answered items from the log's entries; gives how many exchanges were counted."""
        self._begin_day()
        begins = clock.iso(day_begins())
        counted = 0
        for grant_id, items_count in _answered(entries, begins):
            self._days[grant_id] = self._days.get(grant_id, 0) + items_count
            counted += 1
        return counted

    def _begin_day(self) -> None:
        self._days.clear()
        self._minutes = {g: m for g, m in self._minutes.items() if m[0] >= clock.epoch_ms() // MINUTE_MS}
        self._day_ends_ms = int((day_begins() + timedelta(days=1)).timestamp() * 1000)


def day_begins() -> datetime:
    """The instant at which today began in China."""
    return datetime.combine(clock.today(), datetime.min.time(), clock.CIVIL_ZONE)


def _answered(entries: Iterable[bytes], begins: str) -> Iterator[tuple[str, int]]:
    for entry in entries:
        if b'"outcome":"answered"' not in entry:
            continue
        value = orjson.loads(entry)
        if value.get("outcome") == "answered" and value["at"] >= begins:
            yield value["grant"], int(value["facts"].get("items", 1))
