"""Where PostgreSQL is: the server of DATONG_DATABASE_URL, or the embedded one, whose address is in a file."""

from __future__ import annotations

from typing import Any

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from datong.kernel.config import Secret, Settings
from datong.kernel.failures import Misconfigured

CONNECTION_AGE_S_MAX = 60


def database_address(settings: Settings) -> Secret:
    """The libpq address of the database. Before the embedded server ever ran, one that fails to connect."""
    return settings.find_database() or Secret(f"host={settings.run_dir} dbname=datong user=datong")


def django_database(settings: Settings) -> dict[str, Any]:
    """The address as Django's DATABASES entry; what Django has no word for goes to OPTIONS."""
    try:
        parts = dict(conninfo_to_dict(database_address(settings).reveal()))
    except ProgrammingError:
        raise Misconfigured(
            "Write DATONG_DATABASE_URL as postgresql://user:password@host:5432/database.", setting="DATONG_DATABASE_URL"
        ) from None
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname", "datong"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": str(parts.pop("port", "")),
        "CONN_MAX_AGE": CONNECTION_AGE_S_MAX,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**parts, "application_name": "datong"},
    }
