"""One import of a name at a time: otherwise two editions could each find the other absent."""

from __future__ import annotations

from django.db import connection


def hold_name(kind: str, name: str) -> None:
    """An advisory lock until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"standards:{kind}:{name}"])
