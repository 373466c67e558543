"""The fixtures of every test: a real database, copied from a migrated template.

`db` and `@pytest.mark.django_db` roll back after the test. `@pytest.mark.django_db(transaction=True)` commits for real,
as separate processes need it, and the test's database is afterwards thrown away and copied anew: tables that refuse
`truncate` stay as strict as in use.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datong.app.pytest_plugin import databases
from datong.kernel.config import Secret, Settings, load_settings


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:  # noqa: ARG001
    """Instead of pytest-django's: Django's own database name is the worker's, so child processes meet it too."""
    from django.test import TransactionTestCase

    with django_db_blocker.unblock():
        databases.make(_migrate)
    before = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]
    TransactionTestCase._fixture_teardown = _make_database_again  # type: ignore[attr-defined]
    yield
    TransactionTestCase._fixture_teardown = before  # type: ignore[attr-defined]
    with django_db_blocker.unblock():
        _close_connections()


@pytest.fixture(scope="session")
def database_url(django_db_setup: None) -> Secret:  # noqa: ARG001
    """The DSN of this worker's migrated database, for code that does not speak Django; the environment has it too."""
    return databases.address


@pytest.fixture
def datong_settings() -> Settings:
    """The settings of this test process; `home` is this worker's temporary folder."""
    return load_settings()


@pytest.fixture
def datong_home() -> Path:
    return databases.home


def _migrate(_template: Secret) -> None:
    """Migrate the template through Django's own connection, then leave it: a copied database must have no sessions."""
    from django.core.management import call_command
    from django.db import connection

    connection.close()
    own_name = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = databases.template_name
    try:
        call_command("migrate", interactive=False, verbosity=0)
    finally:
        _close_connections()
        connection.settings_dict["NAME"] = own_name


def _make_database_again(_test_case: object) -> None:
    _close_connections()
    databases.make_again()


def _close_connections() -> None:
    from django.db import connections

    connections.close_all()
    for connection in connections.all(initialized_only=True):
        if close_pool := getattr(connection, "close_pool", None):
            close_pool()
    if engine := sys.modules.get("datong.lake.engine"):
        engine.close_lakes()
