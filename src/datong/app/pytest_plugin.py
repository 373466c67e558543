"""Where a test session is put together: loaded by `-p`, before pytest-django reads the settings.

The fixtures are in the root `conftest.py`, because only there do they come after pytest-django's own.
"""

from __future__ import annotations

import pytest

from datong.app.postgres import EmbeddedPostgres
from datong.kernel.config import Settings
from datong.testing.postgres import open_session


def make_server(settings: Settings) -> EmbeddedPostgres:
    return EmbeddedPostgres(settings, for_tests=True)


databases = open_session(make_server)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    databases.close()
