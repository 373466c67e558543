"""Three cities that the tests share: one without dirt, the same with the usual dirt, one with the worst."""

from __future__ import annotations

import pytest

from datong.testing.city import CityReport, build_city

PEOPLE = 4000


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> CityReport:
    return build_city(tmp_path_factory.mktemp("clean"), people=PEOPLE, dirt="none")


@pytest.fixture(scope="session")
def usual(tmp_path_factory: pytest.TempPathFactory) -> CityReport:
    return build_city(tmp_path_factory.mktemp("usual"), people=PEOPLE, dirt="usual")


@pytest.fixture(scope="session")
def heavy(tmp_path_factory: pytest.TempPathFactory) -> CityReport:
    return build_city(tmp_path_factory.mktemp("heavy"), people=2500, seed=11, dirt="heavy")
