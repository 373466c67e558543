"""Database connections outside a request: for threads of the worker, and a session that only holds locks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import Error as DjangoDatabaseError
from django.db import close_old_connections, connection, connections

from datong.kernel.failures import Unavailable

DATABASE_FAULTS = (DjangoDatabaseError, psycopg.Error)
"""What a lost or refusing PostgreSQL raises, through the ORM or beside it."""


@contextmanager
def fresh_connection() -> Iterator[None]:
    """Like a request: a connection that died meanwhile or grew old is replaced before and dropped after the block."""
    close_old_connections()
    try:
        yield
    finally:
        close_old_connections()


def close_thread_connections() -> None:
    """Before a thread ends."""
    connections.close_all()


def open_own_session() -> psycopg.Connection[Any]:
    """A session of its own in autocommit, for locks that live as long as a process and for `listen`."""
    parameters = connection.get_connection_params()
    for name in ("cursor_factory", "context"):
        parameters.pop(name, None)
    try:
        return psycopg.connect(**parameters, autocommit=True)
    except psycopg.OperationalError as problem:
        raise Unavailable("PostgreSQL does not answer.", hint_zh="数据库没有应答。", private=str(problem)) from None
