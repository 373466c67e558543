"""What was done under each grant: folded from the audit log, which stays the truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate

from datong.exchange.requests import UsageDay, UsageRow
from datong.exchange.store.models import FoldPosition, Usage
from datong.kernel import clock
from datong.kernel.audit.entries import decode_entry, seal_seq_of
from datong.kernel.audit.reader import LogReader
from datong.kernel.config import load_settings
from datong.kernel.failures import NotFound
from datong.kernel.ids import GrantId
from datong.kernel.limits import USAGE_FOLD_ENTRIES_MAX

READER = "exchange.usage"


def fold_usage() -> int:
    """Fold the audit log's new entries into `Usage`; gives how many entries were read. Idempotent by log index.

    0 also while another process folds: it does the same work.
    """
    FoldPosition.objects.get_or_create(reader=READER)
    with LogReader(load_settings().audit_dir) as reader, transaction.atomic():
        position = FoldPosition.objects.select_for_update(skip_locked=True).filter(reader=READER).first()
        if position is None:
            return 0
        stop = min(_published_size(reader), position.next_index + USAGE_FOLD_ENTRIES_MAX)
        entries = list(reader.iter_entries(position.next_index, stop))
        rows = list(_rows_of(entries))
        Usage.objects.bulk_create(rows, ignore_conflicts=True)
        if entries:
            position.next_index = entries[-1][0] + 1
            position.save(update_fields=["next_index"])
    return len(entries)


def _published_size(reader: LogReader) -> int:
    """0 before the gateway has started once."""
    try:
        return reader.size
    except NotFound:
        return 0


def _rows_of(entries: Iterable[tuple[int, bytes]]) -> Iterator[Usage]:
    """Exchanges under a grant, refused ones too. What strangers without a grant try stays in the log alone."""
    for index, entry in entries:
        if seal_seq_of(entry) is None:
            facts = decode_entry(entry)
            if facts["grant"]:
                yield _row_of(index, facts)


def _row_of(index: int, entry: Mapping[str, Any]) -> Usage:
    facts = entry["facts"]
    items, match, differ = facts.get("items", 0), facts.get("match", 0), facts.get("differ", 0)
    return Usage(
        log_index=index,
        at=datetime.fromisoformat(entry["at"]),
        grant_id=entry["grant"],
        resource_id=entry["resource"],
        system_id=entry["system"],
        mode=entry["kind"],
        outcome=entry["outcome"],
        code=entry["outcome"] if entry["kind"] == "refused" else "",
        wanted_mode=str(facts.get("mode", "")).replace("\0", "\ufffd") if entry["kind"] == "refused" else "",
        items_count=items,
        match_count=match,
        differ_count=differ,
        unknown_count=items - match - differ if entry["kind"] == "verify" else 0,
        payload_bytes=_sent_bytes(facts),
        reference=entry["reference"].replace("\0", "\ufffd"),  # PostgreSQL's text has no U+0000
    )


def _sent_bytes(facts: Mapping[str, Any]) -> int:
    """Bytes of a batch file that this answer carried: the range asked for, or the whole file; 0 for a verification."""
    start, end = facts.get("range") or (0, facts.get("file_bytes", 0))
    return int(end) - int(start)


def find_usage(grant_id: GrantId, *, rows_max: int = 20, before: int | None = None) -> list[UsageRow]:
    """The newest exchanges under a grant; `before` is the log index to go on from."""
    fold_usage()
    rows = Usage.objects.filter(grant_id=grant_id)
    if before is not None:
        rows = rows.filter(log_index__lt=before)
    return [
        UsageRow(
            log_index=row.log_index,
            at=row.at,
            mode=row.mode,
            outcome=row.outcome,
            code=row.code,
            items_count=row.items_count,
            match_count=row.match_count,
            differ_count=row.differ_count,
            unknown_count=row.unknown_count,
            payload_bytes=row.payload_bytes,
            reference=row.reference,
            wanted_mode=row.wanted_mode,
        )
        for row in rows.order_by("-log_index")[:rows_max]
    ]


def count_usage(grant_id: GrantId) -> int:
    fold_usage()
    return Usage.objects.filter(grant_id=grant_id).count()


def summarise_usage(grant_id: GrantId, *, days: int = 14) -> list[UsageDay]:
    """Items verified, files fetched and refusals per civil day, oldest first, days without use included."""
    fold_usage()
    today = clock.today()
    since = today - timedelta(days=days - 1)
    grouped = (
        Usage.objects.filter(grant_id=grant_id, at__gte=datetime.combine(since, time.min, clock.CIVIL_ZONE))
        .annotate(day=TruncDate("at", tzinfo=clock.CIVIL_ZONE))
        .values("day")
        .annotate(
            verify=Sum("items_count", filter=Q(mode="verify")),
            batch=Count("log_index", filter=Q(mode="batch")),
            refused=Count("log_index", filter=Q(mode="refused")),
        )
    )
    found: dict[date, Mapping[str, Any]] = {row["day"]: row for row in grouped}
    return [
        UsageDay(
            day=day,
            verify_items=found.get(day, {}).get("verify") or 0,
            batch_downloads=found.get(day, {}).get("batch") or 0,
            refusals=found.get(day, {}).get("refused") or 0,
        )
        for day in (since + timedelta(days=offset) for offset in range(days))
    ]
