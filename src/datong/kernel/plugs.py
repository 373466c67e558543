"""How a lower room reaches a higher one: a slot, an event, a facet, and nothing else.

A lower part declares a `Slot` with the Protocol that fills it; higher parts fill it in their `plugs.py`;
`app/wiring.py` alone lists the parts and calls each `plug()`. A slot is read in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Slot(Generic[T]):
    """A named list of implementations, keyed; one key may be filled once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._filled: dict[str, T] = {}

    def fill(self, key: str, implementation: T) -> T:
        """Put an implementation in. Filling a key twice with another object is a programming error."""
        present = self._filled.get(key)
        if present is not None and present is not implementation:
            raise RuntimeError(f"slot {self.name}: {key!r} is already filled by {present!r}")
        self._filled[key] = implementation
        return implementation

    def get(self, key: str) -> T:
        """The implementation for a key; KeyError names what is known."""
        try:
            return self._filled[key]
        except KeyError:
            raise KeyError(f"slot {self.name} has no {key!r}; known: {sorted(self._filled)}") from None

    def find(self, key: str) -> T | None:
        return self._filled.get(key)

    def items(self) -> list[tuple[str, T]]:
        return sorted(self._filled.items())

    def values(self) -> list[T]:
        return [value for _, value in self.items()]

    @contextmanager
    def filled_with(self, key: str, implementation: T) -> Iterator[None]:
        """For tests: fill for the length of the block."""
        before = dict(self._filled)
        self._filled[key] = implementation
        try:
            yield
        finally:
            self._filled = before


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, past tense. `subject` orders delivery; `id` makes handling idempotent."""

    id: str
    name: str
    subject: str
    payload: Mapping[str, Any]
    occurred_at: str


EventHandler = Callable[[Event], None]


class EventHandlers:
    """Who listens to what. A handler is named, so that 'handled once' can be recorded per handler."""

    def __init__(self) -> None:
        self._handlers: dict[str, dict[str, EventHandler]] = {}

    def on(self, event_name: str, handler_name: str, handler: EventHandler) -> None:
        handlers = self._handlers.setdefault(event_name, {})
        if handlers.get(handler_name, handler) is not handler:
            raise RuntimeError(f"event {event_name}: handler {handler_name!r} is already there")
        handlers[handler_name] = handler

    def of(self, event_name: str) -> list[tuple[str, EventHandler]]:
        return sorted(self._handlers.get(event_name, {}).items())


handlers = EventHandlers()
