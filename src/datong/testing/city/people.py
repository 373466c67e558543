"""The people of the city, household by household, in blocks of bounded memory.

Sizes and ages follow the census of 2020 in rough lines (家庭户 2.62 people; see `tests/test_believable.py`).
A block is a pure function of seed and place, but for the counters that give each resident ID once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from datong.testing.city import names, places
from datong.testing.city.draws import Bools, Draws, Floats, Ints, Text, choose, day_text, kernels
from datong.testing.city.names import GivenNames
from datong.testing.city.numbers import ResidentNumbers, phone_numbers

BLOCK_HOUSEHOLDS: Final = 20_000
NOBODY: Final = -1

ETHNICITIES: Final = {
    "汉族": 938, "回族": 14, "满族": 12, "苗族": 7, "壮族": 6, "土家族": 6, "蒙古族": 5, "彝族": 4, "藏族": 2,
    "维吾尔族": 4, "朝鲜族": 1, "侗族": 1,
}  # fmt: skip
STATUSES: Final = ("正常", "迁出", "死亡", "注销")
NORMAL, MOVED_OUT, DEAD, CANCELLED = range(4)

_HEAD, _SPOUSE, _CHILDREN, _FATHER, _MOTHER = 0, 1, (2, 3, 4), 5, 6
_SLOTS: Final = 7
# type of household: share, spouse, children, parents of the head
_TYPES: Final = (
    (0.255, 0, 0, 0), (0.225, 1, 0, 0), (0.195, 1, 1, 0), (0.085, 1, 2, 0), (0.012, 1, 3, 0), (0.045, 0, 1, 0),
    (0.012, 0, 2, 0), (0.060, 1, 1, 1), (0.045, 1, 1, 2), (0.028, 1, 2, 2), (0.010, 1, 2, 1), (0.018, 1, 0, 1),
    (0.010, 0, 1, 2),
)  # fmt: skip
_TWIN_SHARE: Final = 0.022
"""Of second children: twins are about one birth in ninety."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class People:
    """A block of people, column by column. `first` is the number of the first; others follow. Links are numbers of
    people, all of the same block, NOBODY where there is none. Days are ordinals.
    """

    first: int
    household: Ints
    household_size: Ints
    role: Ints
    id_number: Text
    name: Text
    is_male: Bools
    born: Ints
    age: Floats
    """In years on the day of the city; of the dead, had they lived."""
    ethnicity: Ints
    district: Ints
    address: Text
    previous_address: Text
    status: Ints
    updated: Ints
    phone: Text
    father: Ints
    mother: Ints
    spouse: Ints
    twin: Ints
    died: Ints
    """NOBODY (−1) for the living."""
    married: Ints

    def __len__(self) -> int:
        return len(self.household)

    @property
    def number(self) -> Ints:
        return np.arange(self.first, self.first + len(self), dtype=np.int64)

    def local(self, numbers: Ints) -> Ints:
        """Places in this block; NOBODY stays."""
        return np.where(numbers == NOBODY, NOBODY, numbers - self.first)

    @property
    def is_alive(self) -> Bools:
        alive: Bools = self.status != DEAD
        return alive

    def sex_text(self) -> Text:
        return choose(["2", "1"], self.is_male.astype(np.int64))

    def truth(self) -> pa.Table:
        """As it goes into truth/people.parquet."""
        links = {
            name: pa.array(getattr(self, name), mask=getattr(self, name) == NOBODY)
            for name in ("father", "mother", "spouse", "twin")
        }
        return pa.table(
            {
                "number": self.number,
                "household": self.household,
                "role": choose(["户主", "配偶", "子女", "子女", "子女", "父亲", "母亲"], self.role),
                "id_number": self.id_number,
                "name": self.name,
                "sex": self.sex_text(),
                "birth_date": day_text(self.born),
                "ethnicity": choose(tuple(ETHNICITIES), self.ethnicity),
                "division_code": places.district_codes(self.district),
                "address": self.address,
                "previous_address": self.previous_address,
                "status": choose(STATUSES, self.status),
                "phone": self.phone,
                "updated_on": day_text(self.updated),
                "died_on": days_or_none(self.died),
                "married_on": days_or_none(self.married),
                **links,
            }
        )


def days_or_none(days: Ints) -> Text:
    """ISO dates, null for NOBODY."""
    absent = days == NOBODY
    found = day_text(np.where(absent, 730_000, days))
    return kernels.if_else(pa.array(absent), pa.scalar(None, pa.string()), found)


def generate_people(count: int, seed: int, as_of: dt.date) -> Iterator[People]:
    """`count` people in whole households (the last may be cut), none born after `as_of`."""
    numbers = ResidentNumbers(places.REGIONS, dt.date(1890, 1, 1).toordinal())
    first, household, block = 0, 0, 0
    while first < count:
        left = count - first
        households = min(BLOCK_HOUSEHOLDS, max(1, int(left / 2.2) + 8))
        people = _Block(Draws(seed, "people", block), households, as_of).people(numbers, first, household, left)
        yield people
        first += len(people)
        household += households
        block += 1


class _Block:
    """Draws one block: households as rows of seven places, then the places that are taken, one after another."""

    def __init__(self, draws: Draws, households: int, as_of: dt.date) -> None:
        self.draws, self.count, self.today = draws, households, as_of.toordinal()
        shape = (households, _SLOTS)
        self.present = np.zeros(shape, dtype=bool)
        self.age = np.zeros(shape)
        self.male = np.zeros(shape, dtype=bool)
        self.surname = np.zeros(shape, dtype=np.int64)
        self.twins = np.zeros(households, dtype=bool)
        self._compose()

    def _compose(self) -> None:
        draws, count = self.draws, self.count
        kind = draws.pick(count, [share for share, *_ in _TYPES])
        spouse, children, parents = (np.array([row[at] for row in _TYPES])[kind] for at in (1, 2, 3))
        lone = (spouse == 0) & (children == 0)
        couple = (spouse == 1) & (children == 0) & (parents == 0)
        drawn = draws.uniform(count)
        young, old = draws.bell(count, 28, 4.5), np.minimum(draws.bell(count, 66, 9.5), 96)
        middle = draws.between(count, 30, 62)
        alone = np.where(drawn < 0.36, young, np.where(drawn < 0.58, middle, old + 3))
        pair = np.where(drawn < 0.14, young + 2, np.where(drawn < 0.44, draws.between(count, 42, 62), old))
        family = np.clip(draws.bell(count, 42, 10), 24, 66)
        age = np.where(lone, alone, np.where(couple, pair, family))
        self.present[:, _HEAD], self.age[:, _HEAD] = True, np.clip(age, 19, 99)
        self.male[:, _HEAD] = draws.chance(count, 0.74) | (lone & draws.chance(count, 0.1))
        self.male[:, _HEAD] &= ~(lone & (age > 62) & draws.chance(count, 0.45))  # widows outlive
        self.surname[:, _HEAD] = names.draw_surnames(draws, count)
        self._add_spouse(spouse == 1)
        self._add_children(children)
        self._add_parents(parents)

    def _add_spouse(self, has: Bools) -> None:
        draws, count = self.draws, self.count
        gap = draws.bell(count, 1.9, 2.4) * np.where(self.male[:, _HEAD], -1, 1)
        self.present[:, _SPOUSE] = has
        self.age[:, _SPOUSE] = np.clip(self.age[:, _HEAD] + gap, 20.5, 99)
        self.male[:, _SPOUSE] = ~self.male[:, _HEAD]
        self.surname[:, _SPOUSE] = names.draw_surnames(draws, count)

    def _add_children(self, children: Ints) -> None:
        draws, count = self.draws, self.count
        mother = np.where(self.male[:, _HEAD] & self.present[:, _SPOUSE], self.age[:, _SPOUSE], self.age[:, _HEAD])
        at_birth = np.clip(draws.bell(count, 26.8, 3.6), 19, 42)
        age = np.minimum(mother - at_birth, draws.between(count, 20, 34))
        of_head = self.male[:, _HEAD] | ~self.present[:, _SPOUSE]
        of_mother = draws.chance(count, 0.07)
        family = np.where(of_head ^ of_mother, self.surname[:, _HEAD], self.surname[:, _SPOUSE])
        family = np.where(self.present[:, _SPOUSE], family, self.surname[:, _HEAD])
        self.twins = (children >= 2) & draws.chance(count, _TWIN_SHARE)
        for place, slot in enumerate(_CHILDREN):
            self.present[:, slot] = (children > place) & (age > 0.02)
            self.age[:, slot], self.surname[:, slot] = age, family
            self.male[:, slot] = draws.chance(count, 0.525)
            gap = np.clip(draws.bell(count, 4.2, 2.0), 1.2, 12)
            age = np.where(self.twins & (place == 0), age, age - gap)

    def _add_parents(self, parents: Ints) -> None:
        draws, count = self.draws, self.count
        older = np.clip(draws.bell(count, 26.5, 4.0), 18, 42)
        first_is_mother = draws.chance(count, 0.68)
        for slot in (_FATHER, _MOTHER):
            self.present[:, slot] = (parents == 2) | ((parents == 1) & (first_is_mother == (slot == _MOTHER)))
            self.age[:, slot] = np.minimum(self.age[:, _HEAD] + older + (2.0 if slot == _FATHER else 0.0), 101)
            self.male[:, slot] = slot == _FATHER
        self.surname[:, _FATHER] = self.surname[:, _HEAD]
        self.surname[:, _MOTHER] = names.draw_surnames(draws, count)

    def people(self, numbers: ResidentNumbers, first: int, household: int, left: int) -> People:
        draws = self.draws
        row, slot = np.nonzero(self.present)
        row, slot = row[:left], slot[:left]
        present = np.zeros_like(self.present)
        present[row, slot] = True
        place = np.where(present, np.cumsum(present).reshape(present.shape) - 1, NOBODY)
        count = len(row)
        age, is_male = self.age[row, slot], self.male[row, slot]
        home = draws.pick(self.count, [share for _, share in places.DISTRICTS.values()])
        district = home[row]
        born = self.today - np.maximum(1, (age * 365.25).astype(np.int64))
        twin = self._twins(place)[row, slot]
        born = np.where(twin > NOBODY, born[np.maximum(np.minimum(twin, np.arange(count)), 0)], born)
        region = places.birth_regions(draws, district, born)
        region = np.where(twin > NOBODY, region[np.maximum(np.minimum(twin, np.arange(count)), 0)], region)
        id_number, born = numbers.make(region, np.minimum(born, self.today), is_male)
        links = self._links(place)
        father, mother, spouse = (links[name][row, slot] for name in ("father", "mother", "spouse"))
        given = names.draw_given(draws, is_male, 1 + (born - 366) * 400 // 146_097)
        _share_characters(draws, given, is_male, father, twin)
        ethnic = draws.pick(self.count, list(ETHNICITIES.values()))[row]
        full = names.ethnic_names(
            draws, names.full_names(self.surname[row, slot], given), ethnic, tuple(ETHNICITIES), is_male
        )
        status, died = self._fates(age)
        moved_in = draws.chance(self.count, 0.3)[row]
        address = places.dwellings(draws, home)
        previous = choose(places.dwellings(draws, draws.pick(self.count, [1] * len(places.DISTRICTS))), row)
        married = self._weddings(age, spouse)
        updated = self.today - (draws.uniform(count) ** 2 * np.minimum(3650, self.today - born)).astype(np.int64)

        def as_number(local: Ints) -> Ints:
            return np.where(local == NOBODY, NOBODY, local + first)

        return People(
            first=first,
            household=row + household,
            household_size=present.sum(axis=1)[row],
            role=slot,
            id_number=id_number,
            name=full,
            is_male=is_male,
            born=born,
            age=age,
            ethnicity=ethnic,
            district=district,
            address=choose(address, row),
            previous_address=kernels.if_else(pa.array(moved_in), previous, choose(address, row)),
            status=status,
            updated=np.where(died > NOBODY, died, updated),
            phone=phone_numbers(draws, count),
            father=as_number(father),
            mother=as_number(mother),
            spouse=as_number(spouse),
            twin=as_number(twin),
            died=died,
            married=married,
        )

    def _twins(self, place: Ints) -> Ints:
        found = np.full(place.shape, NOBODY, dtype=np.int64)
        one, other = place[:, 2], place[:, 3]
        both = self.twins & (one > NOBODY) & (other > NOBODY)
        found[both, 2], found[both, 3] = other[both], one[both]
        return found

    def _links(self, place: Ints) -> dict[str, Ints]:
        """Father, mother and spouse of everybody, as places in the block."""
        found = {name: np.full(place.shape, NOBODY, dtype=np.int64) for name in ("father", "mother", "spouse")}
        head, spouse, male = place[:, _HEAD], place[:, _SPOUSE], self.male[:, _HEAD]
        for slot in _CHILDREN:
            found["father"][:, slot] = np.where(male, head, spouse)
            found["mother"][:, slot] = np.where(male, spouse, head)
        found["father"][:, _HEAD], found["mother"][:, _HEAD] = place[:, _FATHER], place[:, _MOTHER]
        for one, other in ((_HEAD, _SPOUSE), (_FATHER, _MOTHER)):
            found["spouse"][:, one], found["spouse"][:, other] = place[:, other], place[:, one]
        return found

    def _fates(self, age: Floats) -> tuple[Ints, Ints]:
        """(status, day of death): deaths of the last two years by Gompertz' law, a few moved out or cancelled."""
        count = len(age)
        yearly = np.minimum(0.00004 * np.exp(0.092 * age), 0.4)
        dies = self.draws.uniform(count) < 1 - (1 - yearly) ** 2
        drawn = self.draws.uniform(count)
        status = np.where(drawn < 0.022, MOVED_OUT, np.where(drawn < 0.030, CANCELLED, NORMAL))
        status = np.where(dies, DEAD, status)
        back = 1 + self.draws.below(count, 729)
        died = np.where(dies, np.maximum(self.today - back, self.today - (age * 365.25).astype(np.int64)), NOBODY)
        return status, died

    def _weddings(self, age: Floats, spouse: Ints) -> Ints:
        count = len(age)
        ago = (np.maximum(age - self.draws.bell(count, 26.5, 2.6), 0.05) * 365.25).astype(np.int64)
        first = np.minimum(spouse, np.arange(count))
        together = np.minimum(ago, ago[np.maximum(spouse, 0)])
        day = self.today - np.where(first == spouse, together[np.maximum(spouse, 0)], together)
        return np.where(spouse == NOBODY, NOBODY, np.maximum(day, self.today - 25_000))


def _share_characters(draws: Draws, given: GivenNames, is_male: Bools, father: Ints, twin: Ints) -> None:
    """A son in twelve bears a character of the father's name; twins begin alike."""
    count = len(is_male)
    bears = np.flatnonzero((father > NOBODY) & is_male & draws.chance(count, 1 / 12))
    of_father = given.second[father[bears]]
    given.second[bears] = np.where(of_father > 0, of_father, given.second[bears])
    pairs = np.flatnonzero((twin > NOBODY) & (twin < np.arange(count)))
    given.first[pairs] = given.first[twin[pairs]]
    same = given.second[pairs] == given.second[twin[pairs]]
    given.second[pairs] = np.where(same, np.roll(given.second, 7)[pairs], given.second[pairs])
