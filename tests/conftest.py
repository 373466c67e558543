"""One running platform for all tests of the whole system; they share a worker, and each leaves it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from datong.testing.instance import Instance, run_instance


@pytest.fixture(scope="session")
def instance() -> Iterator[Instance]:
    with run_instance() as running:
        yield running
