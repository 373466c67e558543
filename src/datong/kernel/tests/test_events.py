"""The outbox: once per handler, in order per subject, a failing event holds up its own subject only."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection

from datong.kernel import clock
from datong.kernel.action.service import action
from datong.kernel.contracts import platform_actor
from datong.kernel.events.service import count_pending, deliver_pending
from datong.kernel.failures import Unavailable
from datong.kernel.plugs import Event, EventHandlers, handlers
from datong.kernel.store.models import HandledEvent, OutboxEvent
from datong.kernel.tests.verbs import declared


@pytest.fixture(autouse=True)
def _verbs() -> Iterator[None]:
    with declared():
        yield


@pytest.fixture(autouse=True)
def _own_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "_handlers", EventHandlers()._handlers)


def tell(*told: tuple[str, int]) -> None:
    for subject, number in told:
        with action("test.noted", platform_actor("test"), facts={"what": "x"}) as record:
            record.event("thing.noted", subject=subject, payload={"n": number})


class Recorder:
    """A handler that writes down what it got and fails as often as it is told."""

    def __init__(self, *, fail: dict[int, int] | None = None, failure: Exception | None = None) -> None:
        self.got: list[tuple[str, int]] = []
        self.fail = fail or {}
        self.failure = failure or Unavailable("planted")

    def __call__(self, event: Event) -> None:
        number = event.payload["n"]
        if self.fail.get(number, 0) > 0:
            self.fail[number] -= 1
            raise self.failure
        self.got.append((event.subject, number))


@pytest.mark.django_db
def test_delivers_in_order_once_to_every_handler() -> None:
    one, two = Recorder(), Recorder()
    handlers.on("thing.noted", "one", one)
    handlers.on("thing.noted", "two", two)
    tell(("a", 1), ("b", 2), ("a", 3), ("a", 4))
    assert count_pending() == 4
    assert deliver_pending(100) == 4
    assert deliver_pending(100) == 0
    assert one.got == two.got
    assert [n for subject, n in one.got if subject == "a"] == [1, 3, 4]
    assert sorted(one.got) == [("a", 1), ("a", 3), ("a", 4), ("b", 2)]
    assert HandledEvent.objects.count() == 8


@pytest.mark.django_db
@pytest.mark.parametrize("failure", [Unavailable("planted"), ZeroDivisionError("planted")], ids=["failure", "bug"])
def test_a_failing_event_holds_up_its_own_subject_only(failure: Exception) -> None:
    sure, shaky = Recorder(), Recorder(fail={1: 2}, failure=failure)
    handlers.on("thing.noted", "a-sure", sure)
    handlers.on("thing.noted", "b-shaky", shaky)
    start = clock.now()
    with clock.use_clock(start):
        tell(("a", 1), ("a", 2), ("b", 3))
        deliver_pending(100)
        assert shaky.got == [("b", 3)]
        held = OutboxEvent.objects.get(payload__n=1)
        assert (held.attempts, held.delivered_at) == (1, None)
        assert held.next_attempt_at > start
        assert deliver_pending(100) == 0, "tried again before its time"
    for minutes in (10, 20):
        with clock.use_clock(start + timedelta(minutes=minutes)):
            deliver_pending(100)
    assert shaky.got == [("b", 3), ("a", 1), ("a", 2)]
    assert sure.got.count(("a", 1)) == 1, "the handler that had succeeded ran again"
    assert count_pending() == 0


@pytest.mark.django_db
def test_an_event_that_nobody_hears_is_done() -> None:
    tell(("a", 1))
    assert deliver_pending(10) == 1


@pytest.mark.django_db
def test_the_limit_holds() -> None:
    handlers.on("thing.noted", "one", Recorder())
    tell(*[("a", n) for n in range(5)])
    assert [deliver_pending(2), deliver_pending(2), deliver_pending(2)] == [2, 2, 1]


@pytest.mark.django_db(transaction=True)
def test_two_deliverers_at_once_deliver_each_event_once() -> None:
    got: list[tuple[str, int]] = []
    handlers.on("thing.noted", "one", lambda event: got.append((event.subject, event.payload["n"])))
    tell(*[(subject, n) for n in range(15) for subject in "abc"])

    def work() -> None:
        for _ in range(200):
            deliver_pending(7)
            if not count_pending():
                break
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(got) == 45
    for subject in "abc":
        assert [n for s, n in got if s == subject] == list(range(15))
