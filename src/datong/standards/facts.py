"""Editions and divisions as plain mappings, as JSON shows them at the command line and in the API."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import Any

from datong.standards.contracts import Edition
from datong.standards.divisions import national_divisions


def head_of(edition: Edition) -> dict[str, Any]:
    """An edition without its entries, as JSON shows it."""
    return {
        "label": edition.label,
        "kind": edition.kind.value,
        "name": edition.name,
        "edition": edition.edition,
        "title_zh": edition.title_zh,
        "title_en": edition.title_en,
        "source": edition.source,
        "valid_from": edition.valid_from,
        "valid_to": edition.valid_to,
        "confirmed": edition.confirmed,
        "shipped": edition.is_shipped,
        "entries": edition.entries_count,
    }


def division_facts(code: str, day: dt.date) -> dict[str, Any]:
    """A division's names in time, its full name on the day, and the steps after its last entry."""
    table = national_divisions()
    return {
        "code": code,
        "on": day,
        "full_name": table.full_name_at(code, day),
        "history": [{"name": e.name, "valid_from": e.valid_from, "valid_to": e.valid_to} for e in table.history(code)],
        "successions": [asdict(step) for step in table.successors(code, dt.date.min, day)],
        "codes_now": table.codes_after(code, dt.date.min, day),
    }
