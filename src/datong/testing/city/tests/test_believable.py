"""The city looks like one, against the rough figures of public statistics."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest

from datong.testing.city.draws import Draws
from datong.testing.city.firms import make_register, section_of
from datong.testing.city.model import AS_OF_DEFAULT
from datong.testing.city.people import People, generate_people
from datong.testing.city.slips import RARE_CHARACTERS
from datong.testing.city.trades import TRADES

CENSUS_AGES = (5.5, 6.4, 6.0, 5.2, 5.3, 6.5, 8.8, 7.0, 6.6, 8.1, 8.6, 7.2, 5.2, 5.2, 3.5, 2.2, 1.4, 1.3)
"""Five-year groups of 2020 in hundredths, the last from 85 on (第七次全国人口普查, rounded)."""
CENSUS_HOUSEHOLDS = (25.4, 29.7, 21.0, 13.2, 6.2, 4.5)
"""Households of 1, 2, … 6 and more people, of 2020 in hundredths."""


@pytest.fixture(scope="module")
def people() -> list[People]:
    return list(generate_people(60_000, 7, AS_OF_DEFAULT))


def distance(found: npt.ArrayLike, expected: npt.ArrayLike) -> float:
    """Total variation: the share that would have to move to make one distribution the other."""
    one, other = np.asarray(found, dtype=float), np.asarray(expected, dtype=float)
    return float(np.abs(one / one.sum() - other / other.sum()).sum() / 2)


def age_groups(ages: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.histogram(np.minimum(ages, 89), bins=np.arange(0, 91, 5))[0]


def test_ages_are_those_of_a_census(people: list[People]) -> None:
    ages = np.concatenate([block.age[block.is_alive] for block in people])
    assert distance(age_groups(ages), CENSUS_AGES) < 0.13


def test_ages_that_are_all_alike_likely_are_found() -> None:
    assert distance(age_groups(Draws(1, "flat").between(50_000, 0, 90)), CENSUS_AGES) > 0.13


def test_households_are_of_believable_sizes(people: list[People]) -> None:
    sizes = np.concatenate([np.unique(block.household, return_counts=True)[1] for block in people])
    counts = np.bincount(np.minimum(sizes, 6), minlength=7)[1:]
    assert 2.3 < sizes.mean() < 2.9
    assert distance(counts, CENSUS_HOUSEHOLDS) < 0.08
    assert distance([1, 1, 1, 1, 1, 1], CENSUS_HOUSEHOLDS) > 0.08


def test_names_are_seldom_the_same(people: list[People]) -> None:
    names = Counter(name for block in people for name in block.name.to_pylist())
    shared = sum(count for count in names.values() if count > 1) / names.total()
    assert 0.08 < shared < 0.3
    assert names.most_common(1)[0][1] < 60_000 * 0.002
    surnames = Counter(name[0] for name in names.elements())
    assert 0.06 < surnames["王"] / names.total() < 0.10
    assert len(surnames) > 350


def test_some_names_are_hard_to_write(people: list[People]) -> None:
    names = [name for block in people for name in block.name.to_pylist()]
    rare = [name for name in names if RARE_CHARACTERS & set(name)]
    assert 0.005 < len(rare) / len(names) < 0.02
    assert any(ord(character) > 0xFFFF for name in rare for character in name)
    assert any("·" in name for name in names)
    assert any(name.startswith(("欧阳", "诸葛", "司马", "上官")) for name in names)


def test_firms_are_mostly_small_and_mostly_trade() -> None:
    register = make_register(50_000, 7)
    size = register.employees
    assert np.median(size) <= 5
    assert np.mean(size >= 300) < 0.01
    assert np.sort(size)[-500:].sum() / size.sum() > 0.08, "the largest hundredth employs many"
    sections = Counter(section_of(TRADES[trade].industry) for trade in register.trade.tolist())
    assert sections.most_common(1)[0][0] == "F"
    assert 0.05 < sections["C"] / 50_000 < 0.2
