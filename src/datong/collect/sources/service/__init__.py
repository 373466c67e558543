"""The verbs of connected sources: describe one, test it, fetch from it, read what came."""

from datong.collect.sources.service.fetching import (
    execute_fetch,
    find_fetches,
    poll_due,
    recover_fetches,
    request_fetch,
    settle_fetch,
)
from datong.collect.sources.service.health import SourceCase, note_case
from datong.collect.sources.service.registry import (
    change_source,
    create_source,
    disable_source,
    enable_source,
    find_sources,
    get_source,
    remove_source,
    test_source,
)

__all__ = [
    "SourceCase",
    "change_source",
    "create_source",
    "disable_source",
    "enable_source",
    "execute_fetch",
    "find_fetches",
    "find_sources",
    "get_source",
    "note_case",
    "poll_due",
    "recover_fetches",
    "remove_source",
    "request_fetch",
    "settle_fetch",
    "test_source",
]
