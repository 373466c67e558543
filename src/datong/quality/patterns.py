"""Patterns of nothing but digits, such as telephone numbers and postcodes: a comparison of numbers decides most texts.

A regular expression costs two or three times what a cast and a comparison do. The comparison is sound and not complete:
what it takes has the form; what it does not take is left to the pattern itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

DIGITS = "0123456789"
LENGTH_MIN, LENGTH_MAX = 3, 18
"""Shorter texts gain nothing; a BIGINT holds every number of 18 digits."""
_PART = re.compile(r"(?:\[([0-9A-Za-z-]+)\]|(\\d)|([0-9]))(?:\{([0-9]+)\})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitForm:
    """Every text of `length` digits without a leading zero and from `low` to `high` has the form.

    Who casts a text to a number must look at its length, its first character (≥ '1': no sign, no space, no 0x) and,
    where the number ends in two zeros, at the text itself: DuckDB's cast reads `13e9` too, and only an exponent makes
    a number of as many digits as the text has characters.
    """

    length: int
    low: int
    high: int


@cache
def digit_form(pattern: str) -> DigitForm | None:
    """The form of a pattern of digits, `{n}` and classes, `1[3-9][0-9]{9}`; None for any other.

    The numbers must be one span: fixed digits, then at most one class of neighbouring digits, then any digits.
    """
    places = _places(pattern.removeprefix("^").removesuffix("$"))
    if places is None or not LENGTH_MIN <= len(places) <= LENGTH_MAX or not all(places):
        return None
    fixed = next((at for at, digits in enumerate(places) if len(digits) > 1), len(places))
    if any(digits != DIGITS for digits in places[fixed + 1 :]) or any(digits not in DIGITS for digits in places):
        return None
    low = max(int("".join(digits[0] for digits in places)), 10 ** (len(places) - 1))
    high = int("".join(digits[-1] for digits in places))
    return DigitForm(length=len(places), low=low, high=high) if low <= high else None


def _places(pattern: str) -> list[str] | None:
    """Per character the digits that may stand there, ascending; None where the pattern has other parts."""
    places: list[str] = []
    at = 0
    while at < len(pattern):
        part = _PART.match(pattern, at)
        if part is None:
            return None
        members, digit_class, digit, count = part.groups()
        digits = DIGITS if digit_class else digit or _digits_of(members)
        if digits is None or int(count or 1) > LENGTH_MAX:
            return None
        places += [digits] * int(count or 1)
        at = part.end()
    return places


def _digits_of(members: str) -> str | None:
    """The digits of a class like `3-9` or `0-9X`; None where its spans are written otherwise."""
    found: set[str] = set()
    spans = re.findall(r"([0-9A-Za-z])-([0-9A-Za-z])|([0-9A-Za-z])", members)
    if "".join(f"{first}-{last}" if first else one for first, last, one in spans) != members:
        return None
    for first, last, one in spans:
        found.update(chr(code) for code in range(ord(first or one), ord(last or one) + 1))
    return "".join(sorted(found & set(DIGITS)))
