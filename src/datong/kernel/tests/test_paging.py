"""A cursor is unforgeable, bound to its query, and walks every earlier record exactly once."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datong.kernel import ids
from datong.kernel.failures import BadInput
from datong.kernel.limits import COUNT_ROWS_EXACT_MAX, PAGE_ROWS_MAX
from datong.kernel.paging import CursorRefused, Cursors, Page, clamp_rows, fingerprint, make_page
from datong.kernel.store.models import OutboxEvent
from datong.kernel.store.pages import page_of

KEY = b"k" * 32
QUERY = fingerprint("things", {"order": "-at", "q": "医院"})
Fetch = Callable[[list[tuple[int, int]], str | None, int], tuple[list[tuple[int, int]], str | None]]


@given(st.lists(st.one_of(st.text(), st.integers(-(2**60), 2**60), st.none()), max_size=5).map(tuple))
def test_a_cursor_says_what_was_written(position: tuple[object, ...]) -> None:
    assert Cursors(KEY).read(Cursors(KEY).write(position, QUERY), QUERY) == position


def test_a_forged_foreign_or_damaged_cursor_is_refused() -> None:
    cursor = Cursors(KEY).write(("2026-01-01", "a"), QUERY)
    other_query = fingerprint("things", {"order": "at", "q": "医院"})
    data = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    moved = urlsafe_b64encode(data.replace(b"2026", b"2020")).decode().rstrip("=")
    cases = [
        (Cursors(b"x" * 32).write(("2026-01-01", "a"), QUERY), QUERY),
        (cursor, other_query),
        (moved, QUERY),
        (cursor[:-2], QUERY),
        ("", QUERY),
        ("////", QUERY),
        ("é", QUERY),
        ("A" * 5000, QUERY),
    ]
    for bad, query in cases:
        with pytest.raises(CursorRefused):
            Cursors(KEY).read(bad, query)


def test_a_cursor_survives_a_restart_and_keeps_nothing() -> None:
    first, second = Cursors(KEY), Cursors(KEY)
    assert second.read(first.write(("a", 1), QUERY), QUERY) == ("a", 1)


@pytest.mark.parametrize(("asked", "rows"), [(None, 50), ("", 50), ("7", 7), (0, 1), (10**9, PAGE_ROWS_MAX)])
def test_page_size_is_bounded(asked: int | str | None, rows: int) -> None:
    assert clamp_rows(asked) == rows


def test_page_size_must_be_a_number() -> None:
    with pytest.raises(BadInput):
        clamp_rows("many")


def test_a_count_beyond_the_bound_is_marked() -> None:
    def page(count: int) -> Page[int]:
        return make_page([1], limit=1, position_of=lambda row: (row,), cursors=Cursors(KEY), query=QUERY, count=count)

    assert (page(COUNT_ROWS_EXACT_MAX).count, page(COUNT_ROWS_EXACT_MAX).count_is_estimate) == (10_000, False)
    assert (page(COUNT_ROWS_EXACT_MAX + 1).count, page(COUNT_ROWS_EXACT_MAX + 1).count_is_estimate) == (10_000, True)


def keyset(rows: list[tuple[int, int]], cursor: str | None, limit: int) -> tuple[list[tuple[int, int]], str | None]:
    after = Cursors(KEY).read(cursor, QUERY) if cursor else None
    found = sorted(row for row in rows if after is None or row > after)
    page = make_page(found[: limit + 1], limit=limit, position_of=lambda row: row, cursors=Cursors(KEY), query=QUERY)
    return list(page.items), page.next_cursor


def offset(rows: list[tuple[int, int]], cursor: str | None, limit: int) -> tuple[list[tuple[int, int]], str | None]:
    """The planted violation."""
    start = int(cursor or 0)
    found = sorted(rows)[start : start + limit]
    return found, str(start + limit) if start + limit < len(rows) else None


def walk(fetch: Fetch, earlier: list[tuple[int, int]], later: Iterator[tuple[int, int]], limit: int) -> bool:
    """Whether walking all pages, with an insert between each two, yields each earlier row exactly once."""
    rows, seen, cursor = list(earlier), [], None
    for _ in range(10_000):
        items, cursor = fetch(rows, cursor, limit)
        seen += items
        if cursor is None:
            break
        added = next(later, None)
        if added is not None and added not in rows:
            rows.append(added)
    return all(seen.count(row) == 1 for row in earlier)


ROWS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 999)), min_size=1, max_size=40, unique=True)


@settings(deadline=None)
@given(ROWS, ROWS, st.integers(1, 7))
def test_walking_under_inserts_yields_each_earlier_row_once(
    earlier: list[tuple[int, int]], later: list[tuple[int, int]], limit: int
) -> None:
    assert walk(keyset, earlier, iter(later), limit)


def test_offset_paging_is_caught() -> None:
    assert not walk(offset, [(5, n) for n in range(10)], iter([(0, n) for n in range(10)]), 3)


@pytest.mark.django_db
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 7), st.booleans(), st.integers(0, 2**32))
def test_walking_a_real_table_under_inserts(limit: int, descending: bool, seed: int) -> None:
    OutboxEvent.objects.all().delete()
    chosen = ids.seeded(seed)

    def insert(count: int) -> set[str]:
        rows = [OutboxEvent(name="t", subject=str(chosen.randrange(4))) for _ in range(count)]
        return {row.id for row in OutboxEvent.objects.bulk_create(rows)}

    earlier, seen, cursor = insert(25), [], None
    order = ("-subject", "-id") if descending else ("subject", "occurred_at", "id")
    while True:
        page = page_of(OutboxEvent.objects.all(), name="t", order=order, cursor=cursor, limit=limit)
        seen += [row.id for row in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
        insert(2 if len(seen) < 60 else 0)
    assert len(seen) == len(set(seen))
    assert earlier <= set(seen)


@pytest.mark.django_db
def test_a_cursor_of_other_filters_is_refused() -> None:
    OutboxEvent.objects.bulk_create([OutboxEvent(name="t", subject="s") for _ in range(5)])
    rows = OutboxEvent.objects.all()
    page = page_of(rows, name="t", order=("id",), filters={"subject": "s"}, limit=2)
    assert page.count == 5
    with pytest.raises(CursorRefused):
        page_of(rows, name="t", order=("id",), filters={"subject": "other"}, cursor=page.next_cursor, limit=2)
