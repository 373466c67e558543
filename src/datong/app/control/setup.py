"""Getting a process that is not the web server ready to call services: worker, command line, demonstration."""

from __future__ import annotations

import os

import django

from datong.kernel.failures import Unavailable


def set_up_django() -> None:
    """Load settings and models, and wire the parts. Twice is once."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "datong.app.control.settings")
    django.setup()


def require_database() -> None:
    """Unavailable, with the way on, when PostgreSQL does not answer."""
    from django.db import DatabaseError, connection

    try:
        connection.ensure_connection()
    except DatabaseError as problem:
        raise Unavailable(
            "Start the platform with `datong up`, or check DATONG_HOME and DATONG_DATABASE_URL.",
            hint_zh="请先用 `datong up` 启动平台，或检查 DATONG_HOME 与 DATONG_DATABASE_URL。",
            private=str(problem),
            database="does not answer",
        ) from None
