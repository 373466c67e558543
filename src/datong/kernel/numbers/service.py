"""Numbers for people, per kind and civil year: Q-2026-00001. Unique and rising; gaps are allowed.

Each kind and year is a PostgreSQL sequence, so that two actions that take a number do not wait for one another.
"""

from __future__ import annotations

import re

from django.db import connection, transaction
from psycopg import sql

from datong.kernel import clock

_KIND = re.compile(r"[A-Z]{1,6}")


def next_number(kind: str) -> str:
    """The next number of a kind, e.g. `next_number("Q")`. A number taken by an action that fails is not used again."""
    if not _KIND.fullmatch(kind):
        raise ValueError(f"a kind of number is 1 to 6 capital letters, not {kind!r}")
    year = clock.today().year
    sequence = f"kernel_number_{kind.lower()}_{year}"
    with connection.cursor() as cursor:
        cursor.execute("select to_regclass(%s) is not null", [sequence])
        found = cursor.fetchone()
        if not (found and found[0]):
            _make_sequence(sequence)
        cursor.execute("select nextval(%s::regclass)", [sequence])
        value = cursor.fetchone()
    assert value is not None
    return f"{kind}-{year}-{value[0]:05d}"


def _make_sequence(sequence: str) -> None:
    """Once per kind and year; the lock keeps two first callers apart."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [sequence])
        cursor.execute(sql.SQL("create sequence if not exists {}").format(sql.Identifier(sequence)))
