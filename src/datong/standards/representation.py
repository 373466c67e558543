"""Forms of representation of a data element, as GB/T 18391 and GB/T 19488.1 write them.

`an18` exactly 18 letters or digits · `c..50` up to 50 characters of any script · `n6..12` · `n..18,2` a number of at
most 18 digits, 2 of them decimals · `YYYYMMDD` a date · `YYYYMMDDhhmmss` a date and time · `bl` yes or no. WS/T 303's
capitals (A N AN D8 DT15 L) are read too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SIZED = re.compile(r"(an|a|n|c)(?:(\d+)?(\.\.))?(\d+)(?:,(\d+))?", re.IGNORECASE)
_CHARACTERS = {"a": "[A-Za-z]", "n": "[0-9]", "an": "[A-Za-z0-9]"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """What a form says. Lengths count characters, None is open; `alphabet` is a regular expression for one of them."""

    kind: str
    length_min: int | None = None
    length_max: int | None = None
    decimals: int | None = None
    alphabet: str = ""


def read_representation(form: str) -> Representation | None:
    """The form read; None when it is empty or not one of ours: such a form says nothing that could be checked."""
    text = form.strip()
    plain = text.upper()
    if plain in ("YYYYMMDD", "YYYY-MM-DD", "D8", "D10"):
        return Representation(kind="date", length_min=8, length_max=10)
    if plain.startswith(("YYYYMMDDHH", "YYYY-MM-DDTHH")) or plain in ("DT14", "DT15", "DT19"):
        return Representation(kind="timestamp")
    if plain in ("BL", "L"):
        return Representation(kind="boolean")
    found = _SIZED.fullmatch(text)
    if found is None:
        return None
    letters, low, dots, high, decimals = found.groups()
    letters = letters.lower()
    if decimals is not None:
        return Representation(kind="number", length_max=int(high), decimals=int(decimals))
    return Representation(
        kind="string",
        length_min=int(low) if low else (None if dots else int(high)),
        length_max=int(high),
        alphabet=_CHARACTERS.get(letters, ""),
    )
