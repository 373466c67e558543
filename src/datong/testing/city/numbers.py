"""Identity numbers, credit codes and telephone numbers, valid in every check character and of nobody real.

How that is ensured: a resident ID begins with a division code of the invented province 99, which GB/T 2260 gives to
no place, so no authority ever issued it; a USCC carries the same in its registering authority; a telephone number
begins with 154, which no Chinese operator holds.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from datong.standards.identifiers import USCC_ALPHABET
from datong.testing.city.draws import Bools, Draws, Ints, Text, characters, day_number

_PER_SEX_AND_DAY: Final = 499
_STRIDE: Final = 137
"""Coprime with 499: the n-th birth of a day gets sequence n·137 mod 499, so numbers do not run in file order."""
_ID_WEIGHTS: Final = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
_ID_CHECKS: Final = np.frombuffer(b"10X98765432", dtype=np.uint8)
_USCC_WEIGHTS: Final = np.array([3**place % 31 for place in range(17)])
_USCC_CODES: Final = np.frombuffer(USCC_ALPHABET.encode(), dtype=np.uint8)
_ORG_CHECKS: Final = np.frombuffer(b"0123456789X", dtype=np.uint8)
_ORG_WEIGHTS: Final = np.array([3, 7, 9, 10, 5, 8, 4, 2])
_ORG_SPACE: Final = 31**6
_ORG_STRIDE: Final = 412_345_679
"""Coprime with 31: the n-th body's subject code is n·stride mod 31^6, so no two share one."""
_DAYS: Final = 366 * 170


class ResidentNumbers:
    """Gives resident IDs, each once (GB 11643-1999). It keeps one counter a (division, sex, day of birth): 2 bytes."""

    def __init__(self, regions: tuple[str, ...], first_day: int) -> None:
        self._regions = np.array([int(code) for code in regions])
        self._first_day = first_day
        self._given = np.zeros(len(regions) * 2 * _DAYS, dtype=np.uint16)

    def make(self, region: Ints, born: Ints, is_male: Bools) -> tuple[Text, Ints]:
        """(id numbers, days of birth): on the day asked for, or on the next with a number left to give."""
        born = born.copy()
        place = np.full(len(born), -1, dtype=np.int64)
        waiting = np.arange(len(born))
        while len(waiting):
            slots = (region[waiting] * 2 + is_male[waiting]) * _DAYS + born[waiting] - self._first_day
            nth = self._given[slots] + _nth_of_equal(slots)
            fits = nth < _PER_SEX_AND_DAY
            place[waiting[fits]] = nth[fits]
            np.add.at(self._given, slots[fits], 1)
            waiting = waiting[~fits]
            born[waiting] += 1
        sequence = 2 * ((born + (place + 1) * _STRIDE) % _PER_SEX_AND_DAY) + np.where(is_male, 1, 2)
        return _resident_text(self._regions[region], day_number(born), sequence), born


def _nth_of_equal(values: Ints) -> Ints:
    """0 for the first of equal values, 1 for the second, …, in order of place."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    begins = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    starts = np.maximum.accumulate(np.where(begins, np.arange(len(values)), 0))
    nth = np.empty(len(values), dtype=np.int64)
    nth[order] = np.arange(len(values)) - starts
    return nth


def _digits(values: Ints, width: int) -> Ints:
    found: Ints = values[:, None] // 10 ** np.arange(width - 1, -1, -1, dtype=np.int64) % 10
    return found


def _resident_text(region: Ints, born: Ints, sequence: Ints) -> Text:
    digits = np.hstack([_digits(region, 6), _digits(born, 8), _digits(sequence, 3)])
    codes = np.empty((len(region), 18), dtype=np.uint8)
    codes[:, :17] = digits + ord("0")
    codes[:, 17] = _ID_CHECKS[digits @ _ID_WEIGHTS % 11]
    return characters(codes)


def credit_codes(department: str, kind: Ints, authority: Ints, number: Ints) -> Text:
    """USCCs (GB 32100-2015): department, body type (one digit), authority (six), MA + 6 characters and two checks.

    `number` counts all bodies of the city from 1; two of them never share a subject code.
    """
    subject = number * _ORG_STRIDE % _ORG_SPACE
    values = np.empty((len(number), 17), dtype=np.int64)
    values[:, 0] = USCC_ALPHABET.index(department)
    values[:, 1] = kind
    values[:, 2:8] = _digits(authority, 6)
    values[:, 8], values[:, 9] = USCC_ALPHABET.index("M"), USCC_ALPHABET.index("A")
    values[:, 10:16] = subject[:, None] // 31 ** np.arange(6) % 31
    codes = np.empty((len(number), 18), dtype=np.uint8)
    codes[:, :16] = _USCC_CODES[values[:, :16]]
    letters = codes[:, 8:16].astype(np.int64)
    worth = np.where(letters >= ord("A"), letters - ord("A") + 10, letters - ord("0"))
    total = (11 - worth @ _ORG_WEIGHTS % 11) % 11
    codes[:, 16] = _ORG_CHECKS[total]
    values[:, 16] = np.where(total == 10, USCC_ALPHABET.index("X"), total)
    codes[:, 17] = _USCC_CODES[(31 - values @ _USCC_WEIGHTS % 31) % 31]
    return characters(codes)


def phone_numbers(draws: Draws, count: int) -> Text:
    """Eleven digits of mobile form, 154…: a segment that is not in use."""
    digits = np.hstack([np.tile([1, 5, 4], (count, 1)), _digits(draws.below(count, 10**8), 8)])
    return characters((digits + ord("0")).astype(np.uint8))
