"""Names as a city has them: surnames by frequency, given names by sex and decade, and few of the same.

Half of all given names are in the fashion of their time and half from a wide stock of characters whose frequency
falls as 1/(rank + 12)^0.9, so that of a million people somewhat under half share the full name with somebody, and of
five thousand about three in a hundred. One in a hundred bears a character that clerks cannot type.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import pyarrow as pa

from datong.testing.city import lexicon
from datong.testing.city.draws import Bools, Draws, Floats, Ints, Text, choose, join, kernels, texts, where

_NONE: Final = ""
_RARE_SHARE: Final = 0.008
_VERY_RARE_SHARE: Final = 0.002
_FASHION_SHARE: Final = 0.45


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenNames:
    """First and second characters as places in `given_characters()`; 0 stands for no character."""

    first: Ints
    second: Ints

    def text(self) -> Text:
        stock = given_characters()
        return join(choose(stock, self.first), choose(stock, self.second))


@cache
def given_characters() -> Text:
    """Every character a given name may have; place 0 is empty."""
    stock = dict.fromkeys(lexicon.WIDE_MALE + lexicon.WIDE_FEMALE + lexicon.RARE + lexicon.VERY_RARE)
    for first, second, single, whole in lexicon.COHORTS.values():
        stock |= dict.fromkeys(first + second + single + "".join(whole))
    return texts([_NONE, *stock])


@cache
def _places() -> dict[str, int]:
    return {character: place for place, character in enumerate(given_characters().to_pylist())}


def _at(characters: str) -> Ints:
    return np.array([_places()[character] for character in characters], dtype=np.int64)


def _falling(count: int) -> Floats:
    return np.asarray((np.arange(count) + 12.0) ** -0.9, dtype=np.float64)


@cache
def surnames() -> tuple[Text, Floats]:
    """(names, weights)."""
    found = lexicon.surname_weights()
    return texts(list(found)), np.array(list(found.values()))


def draw_surnames(draws: Draws, count: int) -> Ints:
    return draws.pick(count, surnames()[1])


def draw_given(draws: Draws, is_male: Bools, birth_year: Ints) -> GivenNames:
    """One character in eight, a whole name in fashion in nine, else two characters."""
    count = len(is_male)
    first, second = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    cohort = np.digitize(birth_year, (1965, 1985, 2005))
    kind, in_fashion, shuffle = draws.uniform(count), draws.uniform(count), draws.uniform(count)
    for sex, wide in ((1, lexicon.WIDE_MALE), (2, lexicon.WIDE_FEMALE)):
        stock, weights = _at(wide), _falling(len(wide))
        for era in range(4):
            mine = np.flatnonzero((is_male == (sex == 1)) & (cohort == era))
            hot_first, hot_second, single, whole = lexicon.COHORTS[f"{sex}-{era}"]
            size = len(mine)
            one = stock[draws.pick(size, weights)]
            two = stock[draws.pick(size, weights)]
            fashion_one = _at(hot_first)[draws.below(size, len(hot_first))]
            fashion_two = _at(hot_second)[draws.below(size, len(hot_second))]
            # A name is fashionable in its first character, in its second, in both or in neither.
            one = np.where(in_fashion[mine] < _FASHION_SHARE, fashion_one, one)
            two = np.where(shuffle[mine] < _FASHION_SHARE, fashion_two, two)
            lone = kind[mine] < 0.125
            singles = np.where(in_fashion[mine] < 0.6, _at(single)[draws.below(size, len(single))], one)
            one, two = np.where(lone, singles, one), np.where(lone, 0, two)
            popular = (kind[mine] >= 0.125) & (kind[mine] < 0.20)
            pick = draws.pick(size, [1.0 / (rank + 3.0) for rank in range(len(whole))])
            one = np.where(popular, _at("".join(name[0] for name in whole))[pick], one)
            two = np.where(popular, _at("".join(name[1] for name in whole))[pick], two)
            first[mine], second[mine] = one, two
    _make_rare(draws, first, second)
    return GivenNames(first=first, second=second)


def _make_rare(draws: Draws, first: Ints, second: Ints) -> None:
    drawn = draws.uniform(len(first))
    for stock, low, high in (
        (lexicon.RARE, 0.0, _RARE_SHARE),
        (lexicon.VERY_RARE, _RARE_SHARE, _RARE_SHARE + _VERY_RARE_SHARE),
    ):
        mine = np.flatnonzero((drawn >= low) & (drawn < high))
        rare = _at(stock)[draws.below(len(mine), len(stock))]
        has_two = second[mine] > 0
        second[mine] = np.where(has_two, rare, 0)
        first[mine] = np.where(has_two, first[mine], rare)


def full_names(surname: Ints, given: GivenNames) -> Text:
    return join(choose(surnames()[0], surname), given.text())


def ethnic_names(draws: Draws, names: Text, ethnicity: Ints, titles: tuple[str, ...], is_male: Bools) -> Text:
    """Uygur names with the father's after ·, Yi with the clan before it, Tibetan without surname, Mongol at times."""
    count = len(is_male)
    of = {title: place for place, title in enumerate(titles)}
    father = choose(lexicon.UYGUR_MALE, draws.below(count, len(lexicon.UYGUR_MALE)))
    own_male = choose(lexicon.UYGUR_MALE, draws.below(count, len(lexicon.UYGUR_MALE)))
    own_female = choose(lexicon.UYGUR_FEMALE, draws.below(count, len(lexicon.UYGUR_FEMALE)))
    uygur = join(where(is_male, own_male, own_female), "·", father)
    clan = choose(lexicon.YI_CLANS, draws.below(count, len(lexicon.YI_CLANS)))
    yi = join(clan, "·", choose(lexicon.YI_GIVEN, draws.below(count, len(lexicon.YI_GIVEN))))
    one = choose(lexicon.TIBETAN_FIRST, draws.below(count, len(lexicon.TIBETAN_FIRST)))
    male = choose(lexicon.TIBETAN_MALE, draws.below(count, len(lexicon.TIBETAN_MALE)))
    female = choose(lexicon.TIBETAN_FEMALE, draws.below(count, len(lexicon.TIBETAN_FEMALE)))
    tibetan = join(one, where(is_male, male, female))
    mongol = choose(lexicon.MONGOL, draws.below(count, len(lexicon.MONGOL)))
    found = where(ethnicity == of["维吾尔族"], uygur, names)
    found = where((ethnicity == of["彝族"]) & draws.chance(count, 0.4), yi, found)
    found = where(ethnicity == of["藏族"], tibetan, found)
    return kernels.cast(where((ethnicity == of["蒙古族"]) & draws.chance(count, 0.3), mongol, found), pa.string())
