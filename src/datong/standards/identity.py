"""Which document a person's number is from: one column often holds several kinds (双公示: 证件类型 and 证件号码).

Sure: the resident's number of 18 and of 15 digits (GB 11643-1999). To be confirmed, as no standard's text was at hand:
the residence permits for Hong Kong, Macao and Taiwan residents (the resident's form with regions 81, 82, 83), the
foreign permanent resident's card (from 2023 the resident's form beginning with 9; before, three letters and twelve
digits), the travel permits and passports (their form only: they have no check character that a reader could try).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from datong.kernel import clock
from datong.standards.identifiers import IdentifierFinding, check_resident_id, read_resident_id, upgrade_resident_id

IDENTITY_TITLES: Final[Mapping[str, tuple[str, str]]] = {
    "resident": ("居民身份证", "Resident identity card"),
    "resident-15": ("居民身份证（15位旧号）", "Resident identity card, old number"),
    "hong-kong-residence": ("港澳台居民居住证（香港）", "Residence permit, Hong Kong"),
    "macao-residence": ("港澳台居民居住证（澳门）", "Residence permit, Macao"),
    "taiwan-residence": ("港澳台居民居住证（台湾）", "Residence permit, Taiwan"),
    "foreign-permanent": ("外国人永久居留身份证", "Foreign permanent resident identity card"),
    "foreign-permanent-old": ("外国人永久居留证（旧版）", "Foreign permanent residence card, old"),
    "hong-kong-macao-permit": ("港澳居民来往内地通行证", "Mainland travel permit for Hong Kong and Macao residents"),
    "taiwan-permit": ("台湾居民来往大陆通行证", "Mainland travel permit for Taiwan residents"),
    "passport": ("护照", "Passport"),
}
UNCONFIRMED: Final = frozenset(IDENTITY_TITLES) - {"resident", "resident-15"}
_REGIONS: Final = {"81": "hong-kong-residence", "82": "macao-residence", "83": "taiwan-residence"}
_FORMS: Final = (
    ("foreign-permanent-old", re.compile(r"[A-Z]{3}[0-9]{12}")),
    ("hong-kong-macao-permit", re.compile(r"[HM][0-9]{8}(?:[0-9]{2})?")),
    ("taiwan-permit", re.compile(r"[0-9]{8}|[0-9]{10}[A-Z]?(?:\([A-Z]\))?")),
    ("passport", re.compile(r"[A-Z][A-Z0-9]{7,8}|[0-9]{9}")),
)
"""In order: a number that fits several is taken for the first, the narrowest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityNumber:
    """What a number says of itself. `finding` is what is wrong with one that has the form of its kind.

    `born_on` and `is_male` are None where the kind does not tell. A kind of `UNCONFIRMED` is a guess at its form.
    """

    kind: str
    finding: IdentifierFinding | None
    division_code: str = ""
    born_on: dt.date | None = None
    is_male: bool | None = None


def read_identity_number(value: str, *, today: dt.date | None = None) -> IdentityNumber | None:
    """The kind of document that a number is from, and what it tells; None when it has the form of none of them."""
    day = today or clock.today()
    if len(value) == 18 and value[:17].isdigit() and value.isascii():
        return _read_long(value, day)
    upgraded = upgrade_resident_id(value)
    if upgraded is not None:
        parts = read_resident_id(upgraded, today=day)
        return IdentityNumber(
            kind="resident-15",
            finding=check_resident_id(upgraded, today=day, suggest=False),
            division_code=parts.division_code if parts else "",
            born_on=parts.born_on if parts else None,
            is_male=parts.is_male if parts else None,
        )
    return next((IdentityNumber(kind=kind, finding=None) for kind, form in _FORMS if form.fullmatch(value)), None)


def _read_long(value: str, day: dt.date) -> IdentityNumber:
    """Eighteen characters in the resident's form: the first digits tell whose."""
    is_foreign = value[0] == "9"
    kind = "foreign-permanent" if is_foreign else _REGIONS.get(value[:2], "resident")
    parts = read_resident_id(value, today=day)
    return IdentityNumber(
        kind=kind,
        finding=check_resident_id(value, today=day, suggest=False),
        division_code=parts.division_code if parts and not is_foreign else "",
        born_on=parts.born_on if parts else None,
        is_male=parts.is_male if parts else None,
    )
