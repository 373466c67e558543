"""The people of the city, household by household, as a stream of bounded memory.

What is kept while it runs: one counter a (division, birth day), so that no two people get one number. A million
people take about a hundred thousand counters.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final, NamedTuple

from datong.kernel import ids
from datong.testing.city.names import Draws, NameMaker, spread
from datong.testing.city.places import DISTRICTS, AddressMaker

_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS: Final = "10X98765432"
_SEQUENCE_SUMS: Final = [
    sum(int(digit) * weight for digit, weight in zip(f"{n:03d}", _WEIGHTS[14:], strict=True)) for n in range(1000)
]
_PER_SEX_AND_DAY: Final = 499
_STRIDE: Final = 137
"""Coprime with 499: the n-th birth of a day gets sequence n·137 mod 499, so numbers do not run in file order."""

_ETHNICITIES: Final = (
    ("汉族", 940), ("回族", 14), ("满族", 12), ("苗族", 7), ("壮族", 6), ("土家族", 6), ("蒙古族", 5), ("彝族", 4),
    ("藏族", 2), ("维吾尔族", 2), ("朝鲜族", 1), ("侗族", 1),
)  # fmt: skip
_STATUSES: Final = (("正常", 955), ("迁出", 25), ("死亡", 12), ("注销", 8))


class Person(NamedTuple):
    """One person as they are. A tuple, since a million of them pass by; dates are ISO text, sex is GB/T 2261.1."""

    number: int
    household: int
    id_number: str
    name: str
    sex: str
    birth_date: str
    ethnicity: str
    division_code: str
    address: str
    status: str
    updated_on: str

    def age_in(self, year: int) -> int:
        return year - int(self.birth_date[:4])


class _NumberMaker:
    """Gives resident IDs, each once (GB 11643-1999: odd sequence male, even female)."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, int, bool], int] = {}
        self._heads: dict[str, int] = {}
        self._days: dict[int, tuple[str, str, int]] = {}

    def make(self, region: str, day: int, *, is_male: bool) -> tuple[str, str]:
        """(id number, ISO birth date) for a birth on the ordinal `day`, or on the next one with a number to give."""
        while True:
            key = (region, day, is_male)
            count = self._given.get(key, 0)
            if count < _PER_SEX_AND_DAY:
                break
            day += 1
        self._given[key] = count + 1
        digits, iso, day_sum = self._day(day)
        place = (day + (count + 1) * _STRIDE) % _PER_SEX_AND_DAY
        sequence = 2 * place + 1 if is_male else 2 * place + 2
        total = self._head_sum(region) + day_sum + _SEQUENCE_SUMS[sequence]
        return f"{region}{digits}{sequence:03d}{_CHECKS[total % 11]}", iso

    def _day(self, day: int) -> tuple[str, str, int]:
        known = self._days.get(day)
        if known is None:
            iso = dt.date.fromordinal(day).isoformat()
            digits = iso.replace("-", "")
            known = digits, iso, sum(int(d) * w for d, w in zip(digits, _WEIGHTS[6:14], strict=True))
            self._days[day] = known
        return known

    def _head_sum(self, region: str) -> int:
        known = self._heads.get(region)
        if known is None:
            known = sum(int(d) * w for d, w in zip(region, _WEIGHTS[:6], strict=True))
            self._heads[region] = known
        return known


def generate_people(count: int, seed: int, as_of: dt.date) -> Iterator[Person]:
    """`count` people in households of 1 to 6, none born after `as_of`; the same seed gives the same people."""
    maker = _Households(ids.seeded(seed * 1000 + 1), as_of)
    number = 0
    while number < count:
        for person in maker.next_household(number):
            if number == count:
                return
            number += 1
            yield person


class _Home(NamedTuple):
    """What a household shares."""

    division_code: str
    address: str
    ethnicity: str


class _Households:
    def __init__(self, draws: Draws, as_of: dt.date) -> None:
        self._random = draws.random
        self._bits = draws.getrandbits
        self._today = as_of.toordinal()
        self._names = NameMaker(draws)
        self._addresses = AddressMaker(draws)
        self._numbers = _NumberMaker()
        self._divisions = spread([(code, share) for code, (_, share) in DISTRICTS.items()])
        self._ethnicities = spread(_ETHNICITIES)
        self._statuses = spread(_STATUSES)
        self._iso: dict[int, str] = {}
        self.household = 0

    def next_household(self, number: int) -> Iterator[Person]:
        """Head, perhaps spouse, children, a parent; children bear the father's name nine times in ten."""
        draw = self._random
        self.household += 1
        division = self._divisions[self._bits(12)]
        home = _Home(division, self._addresses.dwelling(division), self._ethnicities[self._bits(12)])
        head_age = 22 + (draw() + draw()) * 33
        head_is_male = draw() < 0.72
        surname = self._names.surname()
        members = [(surname, head_is_male, head_age)]
        child_surname = surname
        if draw() < 0.74:
            spouse_surname = self._names.surname()
            members.append((spouse_surname, not head_is_male, max(20.5, head_age + (draw() - 0.55) * 8)))
            if not head_is_male and draw() < 0.9:
                child_surname = spouse_surname
            children = int(draw() * 2.6)
            ages = [head_age - 23 - draw() * 12 for _ in range(children)]
            members += [(child_surname, draw() < 0.52, age) for age in ages if 0 < age < 40]
        if draw() < 0.16 and head_age < 62:
            members.append((surname, draw() < 0.4, head_age + 22 + draw() * 12))
        for offset, (family, is_male, age) in enumerate(members, start=1):
            yield self._person(number + offset, family, age, home, is_male=is_male)

    def _person(self, number: int, surname: str, age: float, home: _Home, *, is_male: bool) -> Person:
        draw = self._random
        region = home.division_code if draw() < 0.8 else self._divisions[self._bits(12)]
        born = self._today - int(age * 365.25)
        id_number, birth_date = self._numbers.make(region, born, is_male=is_male)
        given = self._names.given(is_male=is_male, birth_year=int(birth_date[:4]))
        status = self._statuses[self._bits(12)]
        if status == "死亡" and age < 50 and draw() < 0.8:
            status = "正常"
        return Person(
            number,
            self.household,
            id_number,
            surname + given,
            "1" if is_male else "2",
            birth_date,
            home.ethnicity,
            home.division_code,
            home.address,
            status,
            self._updated_on(born),
        )

    def _updated_on(self, born: int) -> str:
        """A day of the last ten years, recent ones likelier, not before the birth."""
        day = self._today - int(self._random() ** 2 * min(3650, self._today - born))
        known = self._iso.get(day)
        if known is None:
            known = self._iso[day] = dt.date.fromordinal(day).isoformat()
        return known
