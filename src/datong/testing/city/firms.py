"""The firms, traders and co-operatives of the city, in blocks beside those of the people who own them.

Numbers, names and sizes are known for all firms before the first person is made (about 120 bytes a firm are held),
because anybody may work anywhere; owners come from the block of people beside.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from datong.testing.city import names, places
from datong.testing.city.draws import Draws, Floats, Ints, Text, choose, day_text, join, texts, where
from datong.testing.city.numbers import credit_codes, phone_numbers
from datong.testing.city.people import People
from datong.testing.city.trades import (
    BRAND_FIRST,
    BRAND_SECOND,
    CAPITALS,
    COOP_FORM,
    FIRM_FORMS,
    FIRM_STATUSES,
    TRADER_FORMS,
    TRADES,
)

KINDS: Final = ("企业", "个体工商户", "农民专业合作社")
_KIND_SHARES: Final = (62, 32, 6)
ENTERPRISE, TRADER, COOP = range(3)
_INDUSTRY_SHARES: Final = {
    "A": 4, "C": 14, "D": 1, "E": 6, "F": 36, "G": 4, "H": 9, "I": 6, "K": 4, "L": 7, "M": 3, "N": 1, "O": 6, "P": 2,
    "Q": 2, "R": 2,
}  # fmt: skip
"""Firms by section of GB/T 4754, in hundredths, in rough lines of the economic census."""
_SECTION_ENDS: Final = (
    (5, "A"), (12, "B"), (43, "C"), (46, "D"), (50, "E"), (52, "F"), (60, "G"), (62, "H"), (65, "I"), (69, "J"),
    (70, "K"), (72, "L"), (75, "M"), (79, "N"), (82, "O"), (83, "P"), (85, "Q"), (90, "R"), (95, "S"), (97, "T"),
)  # fmt: skip


def section_of(industry: str) -> str:
    """The section (门类) of an industry code of GB/T 4754-2017."""
    return next(section for end, section in _SECTION_ENDS if int(industry[:2]) <= end)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Register:
    """What of all firms must be known at once: kinds, codes, names, sizes. A firm's number is its place + 1."""

    kind: Ints
    district: Ints
    trade: Ints
    uscc: Text
    name: Text
    employees: Ints
    ends: Floats
    """Running sum of employees: where a drawn job lies."""

    def __len__(self) -> int:
        return len(self.kind)

    def draw_employers(self, draws: Draws, count: int) -> Ints:
        """Places of firms, each as likely as it is large; none where there are none."""
        if not len(self):
            return np.zeros(0, dtype=np.int64)
        drawn = np.searchsorted(self.ends, draws.uniform(count) * self.ends[-1], side="right")
        places_of: Ints = np.minimum(drawn, len(self) - 1).astype(np.int64)
        return places_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Firms:
    """A block of firms, column by column; `start` is the place of the first in the register."""

    start: int
    register: Register
    legal_person: Text
    legal_person_id: Text
    owner: Ints
    capital: Text
    established: Ints
    approved: Ints
    address: Text
    status: Ints
    phone: Text

    def __len__(self) -> int:
        return len(self.owner)

    @property
    def place(self) -> Ints:
        return np.arange(self.start, self.start + len(self), dtype=np.int64)

    @property
    def number(self) -> Ints:
        return self.place + 1

    def of_register(self, name: str) -> Ints:
        found: Ints = getattr(self.register, name)[self.start : self.start + len(self)]
        return found

    def text_of_register(self, name: str) -> Text:
        return getattr(self.register, name).slice(self.start, len(self))

    def truth(self) -> pa.Table:
        """As it goes into truth/firms.parquet."""
        return pa.table(
            {
                "number": self.number,
                "uscc": self.text_of_register("uscc"),
                "name": self.text_of_register("name"),
                "kind": choose(KINDS, self.of_register("kind")),
                "owner": self.owner,
                "legal_person": self.legal_person,
                "legal_person_id": self.legal_person_id,
                "industry": industries().take(pa.array(self.of_register("trade"))),
                "employees": self.of_register("employees"),
                "registered_capital": self.capital,
                "established_on": day_text(self.established),
                "approved_on": day_text(self.approved),
                "division_code": places.district_codes(self.of_register("district")),
                "address": self.address,
                "status": choose([status for status, _ in FIRM_STATUSES], self.status),
                "phone": self.phone,
            }
        )


def industries() -> Text:
    return texts([trade.industry for trade in TRADES])


def make_register(count: int, seed: int) -> Register:
    """Kinds, places, trades, names and sizes of `count` firms."""
    draws = Draws(seed, "register")
    kind = draws.pick(count, _KIND_SHARES)
    district = draws.pick(count, [share for _, share in places.DISTRICTS.values()])
    trade = _trades(draws, kind)
    number = np.arange(1, count + 1, dtype=np.int64)
    own = np.array([int(code) for code in places.DISTRICT_CODES])[district]
    authority = np.where((kind == ENTERPRISE) & draws.chance(count, 0.15), int(places.CITY_CODE), own)
    size = np.exp(draws.bell(count, 0.9, 1.35))
    size = np.where(kind == TRADER, 1 + draws.uniform(count) ** 2 * 5, np.where(kind == COOP, 5 + size, size))
    employees = np.clip(size, 1, 4000).astype(np.int64)
    return Register(
        kind=kind,
        district=district,
        trade=trade,
        uscc=credit_codes("9", kind + 1, authority, number),
        name=_names(draws, kind, district, trade),
        employees=employees,
        ends=np.cumsum(employees, dtype=np.float64),
    )


def _trades(draws: Draws, kind: Ints) -> Ints:
    found = np.zeros(len(kind), dtype=np.int64)
    sections = [section_of(trade.industry) for trade in TRADES]
    for place in range(len(KINDS)):
        mine = np.flatnonzero(kind == place)
        shares = [
            _INDUSTRY_SHARES.get(section, 1) / sections.count(section) if str(place + 1) in trade.kinds else 0.0
            for trade, section in zip(TRADES, sections, strict=True)
        ]
        found[mine] = draws.pick(len(mine), shares)
    return found


def _names(draws: Draws, kind: Ints, district: Ints, trade: Ints) -> Text:
    """Place, brand, trade, legal form (企业名称登记管理规定, Art. 6)."""
    count = len(kind)
    titles = [name for name, _ in places.DISTRICTS.values()]
    own = choose(titles, district)
    drawn = draws.uniform(count)
    city = choose(["安澜", "安澜市", "海晏"], draws.pick(count, [60, 30, 10]))
    place = where(
        kind == ENTERPRISE, where(drawn < 0.8, city, join("安澜市", own)), where(drawn < 0.7, own, join("安澜市", own))
    )
    brand = join(
        choose(list(BRAND_FIRST), draws.below(count, len(BRAND_FIRST))),
        choose(list(BRAND_SECOND), draws.below(count, len(BRAND_SECOND))),
        where(draws.chance(count, 0.25), choose(list(BRAND_SECOND), draws.below(count, len(BRAND_SECOND))), ""),
    )
    old = join("老", choose(names.surnames()[0], names.draw_surnames(draws, count)))
    brand = where((kind == TRADER) & draws.chance(count, 0.2), old, brand)
    forms = [form for form, _ in FIRM_FORMS], [form for form, _ in TRADER_FORMS]
    form = where(
        kind == ENTERPRISE,
        choose(forms[0], draws.pick(count, [share for _, share in FIRM_FORMS])),
        where(kind == TRADER, choose(forms[1], draws.pick(count, [share for _, share in TRADER_FORMS])), COOP_FORM),
    )
    return join(place, brand, choose([each.word for each in TRADES], trade), form)


def make_firms(register: Register, start: int, end: int, *, owners: People, seed: int, as_of: dt.date) -> Firms:
    """The firms at [start, end) of the register, led by grown people of the block; some lead several."""
    count = end - start
    draws = Draws(seed, "firms", start)
    today = as_of.toordinal()
    adults = np.flatnonzero((owners.age > 22) & (owners.age < 76) & (owners.status == 0))
    if not len(adults):
        adults = np.arange(len(owners))
    owner = adults[(draws.uniform(count) ** 1.4 * len(adults)).astype(np.int64)]
    oldest = np.minimum(9000, np.maximum((owners.age[owner] - 19) * 365, 60))
    established = today - 30 - (draws.uniform(count) ** 1.7 * oldest).astype(np.int64)
    approved = established + (draws.uniform(count) ** 2 * (today - established)).astype(np.int64)
    kind, district = register.kind[start:end], register.district[start:end]
    without = (kind == TRADER) & draws.chance(count, 0.6)
    capital = choose([value for value, _ in CAPITALS], draws.pick(count, [weight for _, weight in CAPITALS]))
    return Firms(
        start=start,
        register=register,
        legal_person=owners.name.take(pa.array(owner)),
        legal_person_id=owners.id_number.take(pa.array(owner)),
        owner=owners.number[owner],
        capital=where(without, "", capital),
        established=established,
        approved=approved,
        address=places.premises(draws, district),
        status=draws.pick(count, [share for _, share in FIRM_STATUSES]),
        phone=phone_numbers(draws, count),
    )
