"""The firms, traders and co-operatives of the city. They are held in memory: about 1 kB each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final, NamedTuple

from datong.kernel import ids
from datong.standards.identifiers import USCC_ALPHABET, org_code_check_character, uscc_check_character
from datong.testing.city.names import Draws, NameMaker, spread
from datong.testing.city.places import CITY_CODE, DISTRICTS, AddressMaker
from datong.testing.city.trades import (
    BRAND_FIRST,
    BRAND_SECOND,
    CAPITALS,
    COOP_FORM,
    FIRM_FORMS,
    FIRM_STATUSES,
    TRADER_FORMS,
    TRADES,
    Trade,
)

_ORG_SPACE: Final = 31**6
_ORG_STRIDE: Final = 412_345_679
"""Coprime with 31: the n-th firm's subject code is n·stride mod 31^6, so no two firms share one."""
_KINDS: Final = (("1", 62), ("2", 32), ("3", 6))


class Firm(NamedTuple):
    """One market entity as it is. `registered_capital` is 万元 as text, empty for a trader without one."""

    number: int
    uscc: str
    name: str
    legal_person: str
    legal_person_id: str
    industry: str
    registered_capital: str
    established_on: str
    approved_on: str
    division_code: str
    address: str
    status: str


class Legal(NamedTuple):
    """Who a firm's legal person is: one of the city's people."""

    id_number: str
    name: str


def make_uscc(kind: str, authority: str, number: int) -> str:
    """The USCC of the `number`-th firm: department 9, body type, authority, MA + 6 characters (GB 32100-2015)."""
    place = number * _ORG_STRIDE % _ORG_SPACE
    characters = []
    for _ in range(6):
        place, digit = divmod(place, 31)
        characters.append(USCC_ALPHABET[digit])
    organisation = "MA" + "".join(characters)
    body = f"9{kind}{authority}{organisation}{org_code_check_character(organisation)}"
    return body + uscc_check_character(body)


def generate_firms(count: int, seed: int, as_of: dt.date) -> list[Firm]:
    """`count` firms, their legal persons still empty: `with_legal_persons` fills them once the people are known."""
    draws = ids.seeded(seed * 1000 + 2)
    maker = _FirmMaker(draws, as_of)
    return [maker.make(number) for number in range(1, count + 1)]


def with_legal_persons(firms: Sequence[Firm], people: Sequence[Legal], seed: int) -> list[Firm]:
    """Give each firm a legal person; a few people lead several firms. No people: ValueError."""
    if firms and not people:
        raise ValueError("a firm needs a legal person, and there are no adults")
    draw = ids.seeded(seed * 1000 + 3).random
    chosen = [people[int(draw() * len(people))] for _ in firms]
    return [
        firm._replace(legal_person=legal.name, legal_person_id=legal.id_number)
        for firm, legal in zip(firms, chosen, strict=True)
    ]


class _FirmMaker:
    def __init__(self, draws: Draws, as_of: dt.date) -> None:
        self._random = draws.random
        self._bits = draws.getrandbits
        self._today = as_of.toordinal()
        self._addresses = AddressMaker(draws)
        self._surnames = NameMaker(draws)
        self._divisions = spread([(code, share) for code, (_, share) in DISTRICTS.items()])
        self._kinds = spread(_KINDS)
        self._trades = {kind: [trade for trade in TRADES if kind in trade.kinds] for kind, _ in _KINDS}
        self._forms = {"1": spread(FIRM_FORMS), "2": spread(TRADER_FORMS), "3": spread([(COOP_FORM, 1)])}
        self._statuses = spread(FIRM_STATUSES)
        self._capitals = spread(CAPITALS)

    def make(self, number: int) -> Firm:
        draw = self._random
        kind = self._kinds[self._bits(12)]
        division = self._divisions[self._bits(12)]
        trades = self._trades[kind]
        trade = trades[int(draw() * len(trades))]
        authority = CITY_CODE if kind == "1" and draw() < 0.15 else division
        founded = self._today - 30 - int(draw() ** 1.7 * 9000)
        approved = founded + int(draw() ** 2 * (self._today - founded))
        capital = "" if kind == "2" and draw() < 0.6 else self._capitals[self._bits(12)]
        return Firm(
            number=number,
            uscc=make_uscc(kind, authority, number),
            name=self._name(kind, division, trade),
            legal_person="",
            legal_person_id="",
            industry=trade.industry,
            registered_capital=capital,
            established_on=dt.date.fromordinal(founded).isoformat(),
            approved_on=dt.date.fromordinal(approved).isoformat(),
            division_code=division,
            address=self._addresses.premises(division),
            status=self._statuses[self._bits(12)],
        )

    def _name(self, kind: str, division: str, trade: Trade) -> str:
        """Place, brand, trade, legal form (企业名称登记管理规定, Art. 6)."""
        draw = self._random
        district = DISTRICTS[division][0]
        brand = BRAND_FIRST[int(draw() * len(BRAND_FIRST))] + BRAND_SECOND[int(draw() * len(BRAND_SECOND))]
        form = self._forms[kind][self._bits(12)]
        if kind == "1":
            place = ("安澜", "安澜市", f"安澜市{district}", "海晏")[int(draw() ** 1.5 * 4)]
        else:
            place = district if draw() < 0.7 else f"安澜市{district}"
            if kind == "2" and draw() < 0.2:
                brand = "老" + self._surnames.surname()
        return f"{place}{brand}{trade.word}{form}"
