"""A platform for a benchmark: an embedded PostgreSQL with the tables, durable as in use, in a folder of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running_platform(base: Path) -> Iterator[None]:
    """Sets DATONG_HOME and DATONG_DATABASE_URL of this process; the server stops at the end."""
    base.chmod(0o711)
    os.environ["DATONG_HOME"] = str(base / "home")
    os.environ.pop("DATONG_DATABASE_URL", None)
    from datong.app.postgres import EmbeddedPostgres
    from datong.kernel.config import load_settings

    server = EmbeddedPostgres(load_settings())
    os.environ["DATONG_DATABASE_URL"] = server.start().reveal()
    try:
        from datong.app.control.setup import set_up_django

        set_up_django()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        from datong.app.wiring import wire

        wire()
        yield
    finally:
        server.stop(at_once=True)
