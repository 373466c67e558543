"""Where a test session is put together: loaded by `-p`, before pytest-django reads the settings.

The fixtures are in the root `conftest.py`, because only there do they come after pytest-django's own.
"""

from __future__ import annotations

import sys

import pytest
from hypothesis import settings

from datong.app.postgres import EmbeddedPostgres
from datong.kernel.config import Settings
from datong.testing.postgres import open_session


def make_server(settings: Settings) -> EmbeddedPostgres:
    return EmbeddedPostgres(settings, for_tests=True)


databases = open_session(make_server)
settings.register_profile("datong", deadline=None)
settings.load_profile("datong")


def pytest_configure() -> None:
    """The Spark client takes a main module without a file, as a worker of pytest has it, for doctests and exits."""
    main = sys.modules["__main__"]
    if not hasattr(main, "__file__"):
        main.__file__ = __file__


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    databases.close()
