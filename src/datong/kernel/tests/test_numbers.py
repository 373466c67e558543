"""Numbers are unique and rising, per kind and year, also for callers at once; nobody waits for another's action."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction

from datong.kernel import clock
from datong.kernel.numbers.service import next_number


@pytest.mark.django_db
def test_counts_per_kind_and_civil_year() -> None:
    with clock.use_clock(datetime(2026, 12, 31, 15, 59, tzinfo=UTC)):
        assert [next_number("Q"), next_number("Q"), next_number("G")] == [
            "Q-2026-00001",
            "Q-2026-00002",
            "G-2026-00001",
        ]
    with clock.use_clock(datetime(2026, 12, 31, 16, 0, tzinfo=UTC)):  # midnight in China
        assert next_number("Q") == "Q-2027-00001"
    with pytest.raises(ValueError, match="capital letters"):
        next_number("q; drop table x")


@pytest.mark.django_db(transaction=True)
def test_callers_at_once_get_different_numbers() -> None:
    got: list[str] = []

    def take() -> None:
        got.extend(next_number("Q") for _ in range(20))
        connection.close()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(got) == len(set(got)) == 80


@pytest.mark.django_db(transaction=True)
def test_a_number_is_not_held_up_by_an_open_transaction() -> None:
    next_number("Q")
    got = threading.Event()

    def take() -> None:
        next_number("Q")
        got.set()
        connection.close()

    with transaction.atomic():
        next_number("Q")
        thread = threading.Thread(target=take)
        thread.start()
        assert got.wait(10)
    thread.join(10)
