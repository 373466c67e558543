"""Identifiers of people and organisations: check characters, findings that explain themselves, one-character repairs.

Sources: GB 32100-2015 with amendment 1 of 2016 (统一社会信用代码), GB 11714-1997 (组织机构代码), GB 11643-1999
(公民身份号码), GS15-2006 (工商注册号). Pure; only "not in the future" looks at the clock, and `today` overrides that.

A finding is a statement about quality, not a verdict: real registrations with a wrong check character exist.
Values are taken as they are written: upper case, half width, no blanks. Cleaning is the caller's.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from datong.kernel import clock

USCC_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""31 characters, without I O S V Z; a character's value is its index (GB 32100-2015, table 3)."""
USCC_PLACEHOLDER: Final = "00000000000000000X"
"""What sources write for an authority that they do not know: well formed in length only."""

USCC_BODY_TYPES: Final = {
    "1": "1239",
    "2": "19",
    "3": "123459",
    "4": "19",
    "5": "123459",
    "6": "129",
    "7": "129",
    "8": "19",
    "9": "1239",
    "A": "19",
    "N": "1239",
    "Y": "1",
}
"""登记管理部门 → 机构类别 (GB 32100-2015, table 1 and amendment 1). 9 is 其他; 54 and 55 (village and neighbourhood
committees) occur in the wild."""

_USCC_WEIGHTS: Final = tuple(3**place % 31 for place in range(17))
_USCC_VALUES: Final = {character: value for value, character in enumerate(USCC_ALPHABET)}
_ORG_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ORG_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)
_ORG_VALUES: Final = {character: value for value, character in enumerate(_ORG_ALPHABET)}
_RESIDENT_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_RESIDENT_CHECKS: Final = "10X98765432"
_DIGITS: Final = "0123456789"
_USCC_SET: Final = frozenset(USCC_ALPHABET)
_ORG_SET: Final = frozenset(_ORG_ALPHABET)
_DIGIT_SET: Final = frozenset(_DIGITS)
_EARLIEST_BIRTH: Final = dt.date(1850, 1, 1)
LOOK_ALIKES: Final = {
    "I": "1",
    "L": "1",
    "O": "0",
    "D": "0",
    "Q": "0",
    "V": "W",
    "S": "5",
    "Z": "2",
    "B": "8",
    "G": "6",
}
"""What a reader or a scanner takes for another character; only tried where the written one cannot stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierFinding:
    """What is wrong with a value. `position` counts characters from 1; 0 means the value as a whole.

    `kind`: empty length character region birth-date future check-character department body-type organisation-part
    placeholder. `expected` says what would have been right, `suggestion` is the only near value that passes, or "".
    """

    kind: str
    position: int
    message_zh: str
    message_en: str
    expected: str = ""
    suggestion: str = ""


Check = Callable[[str], IdentifierFinding | None]


# Check characters


def uscc_check_character(body: str) -> str:
    """The 18th character for 17 characters: 31 − Σ Cᵢ·3^(i−1) mod 31, where 31 becomes 0 (GB 32100-2015, annex A)."""
    _require(body, 17, _USCC_SET)
    total = sum(_USCC_VALUES[character] * weight for character, weight in zip(body, _USCC_WEIGHTS, strict=True))
    return USCC_ALPHABET[(31 - total % 31) % 31]


def org_code_check_character(body: str) -> str:
    """The 9th character for 8 characters: 11 − Σ Cᵢ·Wᵢ mod 11, where 10 is X and 11 is 0 (GB 11714-1997, 4.2)."""
    _require(body, 8, _ORG_SET)
    total = sum(_ORG_VALUES[character] * weight for character, weight in zip(body, _ORG_WEIGHTS, strict=True))
    return "0123456789X"[(11 - total % 11) % 11]


def resident_id_check_character(body: str) -> str:
    """The 18th character for 17 digits: ISO 7064 MOD 11-2 (GB 11643-1999, 4.4)."""
    _require(body, 17, _DIGIT_SET)
    total = sum(int(digit) * weight for digit, weight in zip(body, _RESIDENT_WEIGHTS, strict=True))
    return _RESIDENT_CHECKS[total % 11]


def registration_number_check_digit(body: str) -> str:
    """The 15th digit for 14 digits: ISO 7064 MOD 11,10 (GS15-2006)."""
    _require(body, 14, _DIGIT_SET)
    product = 10
    for digit in body:
        product = ((product + int(digit)) % 10 or 10) * 2 % 11
    return str((11 - product) % 10)


def _require(body: str, length: int, alphabet: frozenset[str]) -> None:
    if len(body) != length or not alphabet.issuperset(body):
        raise ValueError(f"{length} characters of the alphabet are needed, not {body!r}")


# Checks


def check_uscc(value: str, *, organisation_part: bool = False, suggest: bool = True) -> IdentifierFinding | None:
    """None for a well-formed 统一社会信用代码.

    `organisation_part=True` also wants characters 9 to 17 to be a valid organisation code (GB 11714): a hint at a
    mistyped code, no more, since circulated codes break it.
    `suggest=False` leaves the repair out: trying some 600 near values costs some hundred times the check.

    The six region digits are those of the registering authority at the time: any digits pass (xx0000, 100000,
    development zones outside GB/T 2260, retired codes).
    """
    if value == USCC_PLACEHOLDER:
        return _finding(
            "placeholder", 0, "是占位代码，不代表任何机构", "is a placeholder that stands for no organisation"
        )
    finding = (
        _check_form(value, 18, USCC_ALPHABET)
        or _check_uscc_head(value)
        or _check_last(value, uscc_check_character, 18)
        or (_check_organisation_part(value) if organisation_part else None)
    )
    return _with_suggestion(finding, suggest_uscc(value)) if finding and suggest else finding


def check_org_code(value: str, *, suggest: bool = True) -> IdentifierFinding | None:
    """None for a well-formed 组织机构代码, as `M000100Y4` or in its printed form `M000100Y-4`."""
    plain = value[:8] + value[9:] if len(value) == 10 and value[8] == "-" else value
    finding = _check_form(plain, 9, _ORG_ALPHABET) or _check_last(plain, org_code_check_character, 9)
    return _with_suggestion(finding, suggest_org_code(plain)) if finding and suggest else finding


def check_resident_id(value: str, *, today: dt.date | None = None, suggest: bool = True) -> IdentifierFinding | None:
    """None for a well-formed 公民身份号码 of 18 characters.

    The region is where the person was first registered: test it against `Divisions` as of the birth date, not here.
    A 15-digit number gets `length` with its 18-character form as the suggestion.
    """
    finding = _check_resident_id(value, today or clock.today())
    return _with_suggestion(finding, suggest_resident_id(value, today=today)) if finding and suggest else finding


def check_registration_number(value: str, *, suggest: bool = True) -> IdentifierFinding | None:
    """None for a well-formed 工商注册号 of 15 digits."""
    finding = _check_form(value, 15, _DIGITS) or _check_last(value, registration_number_check_digit, 15)
    if finding is None or not suggest:
        return finding
    return _with_suggestion(finding, _only(_near(value, 15, _DIGITS), _passes_registration))


def _check_form(value: str, length: int, alphabet: str, last: str = "") -> IdentifierFinding | None:
    if not value:
        return _finding("empty", 0, "为空", "is empty")
    if len(value) != length:
        return _finding(
            "length",
            0,
            f"长度为{len(value)}位，应为{length}位",
            f"has {len(value)} characters instead of {length}",
            str(length),
        )
    for position, character in enumerate(value, start=1):
        allowed = alphabet + last if position == length else alphabet
        if character not in allowed:
            return _finding(
                "character",
                position,
                f"第{position}位“{character}”不是允许的字符",
                f"has {character!r} at position {position}, which may not stand there",
                allowed,
            )
    return None


def _check_last(value: str, compute: Callable[[str], str], length: int) -> IdentifierFinding | None:
    right = compute(value[: length - 1])
    if right == value[length - 1]:
        return None
    return _finding(
        "check-character",
        length,
        f"校验码应为“{right}”，实为“{value[length - 1]}”",
        f"ends in {value[length - 1]!r} where the check character is {right!r}",
        right,
    )


def _check_uscc_head(value: str) -> IdentifierFinding | None:
    types = USCC_BODY_TYPES.get(value[0])
    if types is None:
        return _finding(
            "department",
            1,
            f"第1位“{value[0]}”不是登记管理部门代码",
            f"starts with {value[0]!r}, which is no registering department",
            "".join(USCC_BODY_TYPES),
        )
    if value[1] not in types:
        return _finding(
            "body-type",
            2,
            f"第2位“{value[1]}”不是该登记管理部门的机构类别",
            f"has body type {value[1]!r}, which department {value[0]!r} does not register",
            types,
        )
    for position in range(3, 9):
        if value[position - 1] not in _DIGITS:
            return _finding(
                "region",
                position,
                f"第{position}位应为数字（登记管理机关行政区划码）",
                f"has {value[position - 1]!r} at position {position}, in the region digits",
                _DIGITS,
            )
    return None


def _check_organisation_part(value: str) -> IdentifierFinding | None:
    right = org_code_check_character(value[8:16])
    if right == value[16]:
        return None
    return _finding(
        "organisation-part",
        17,
        f"主体标识码的校验位应为“{right}”，实为“{value[16]}”",
        f"has an organisation code whose check character is {right!r}, not {value[16]!r}",
        right,
    )


def _check_resident_id(value: str, today: dt.date) -> IdentifierFinding | None:
    finding = _check_form(value, 18, _DIGITS, last="X")
    if finding:
        return finding
    if value[0] == "0":
        return _finding("region", 1, "前6位不是行政区划代码", "does not start with a division code", "110000-990000")
    finding = _check_birth_date(value, today)
    if finding:
        return finding
    if value[14:17] == "000":
        return _finding("sequence", 15, "顺序码不应为000", "has sequence 000, which is never given", "001-999")
    return _check_last(value, resident_id_check_character, 18)


def _check_birth_date(value: str, today: dt.date) -> IdentifierFinding | None:
    text = value[6:14]
    try:
        born_on = dt.date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        born_on = None
    if born_on is None or born_on < _EARLIEST_BIRTH:
        return _finding(
            "birth-date", 7, f"出生日期“{text}”不存在", f"holds the birth date {text}, which does not exist", "YYYYMMDD"
        )
    if born_on > today:
        return _finding(
            "future",
            7,
            f"出生日期{born_on.isoformat()}晚于今天",
            f"holds the birth date {born_on.isoformat()}, which is in the future",
            f"≤ {today.isoformat()}",
        )
    return None


def _finding(kind: str, position: int, message_zh: str, message_en: str, expected: str = "") -> IdentifierFinding:
    return IdentifierFinding(
        kind=kind, position=position, message_zh=message_zh, message_en=message_en, expected=expected
    )


def _with_suggestion(finding: IdentifierFinding, suggestion: str | None) -> IdentifierFinding:
    return IdentifierFinding(
        kind=finding.kind,
        position=finding.position,
        message_zh=finding.message_zh,
        message_en=finding.message_en,
        expected=finding.expected,
        suggestion=suggestion or "",
    )


# Reading and repairing


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentIdParts:
    """What a valid 公民身份号码 says."""

    division_code: str
    born_on: dt.date
    is_male: bool


def read_resident_id(value: str, *, today: dt.date | None = None) -> ResidentIdParts | None:
    """Division of first registration, birth date and sex (odd sequence is male); None when the number is invalid."""
    if _check_resident_id(value, today or clock.today()) is not None:
        return None
    return ResidentIdParts(
        division_code=value[:6],
        born_on=dt.date(int(value[6:10]), int(value[10:12]), int(value[12:14])),
        is_male=int(value[16]) % 2 == 1,
    )


def upgrade_resident_id(old: str) -> str | None:
    """15 digits of the first generation → 18: insert 19 after the region, append the check character; None if unfit."""
    if len(old) != 15 or any(digit not in _DIGITS for digit in old):
        return None
    body = f"{old[:6]}19{old[6:]}"
    return body + resident_id_check_character(body)


def suggest_uscc(value: str, *, plausible: Callable[[str], bool] | None = None) -> str | None:
    """The one USCC near `value` that passes every check, organisation part included; None when none or several do.

    `plausible` may know more, such as which registering authorities exist, and so leave one where several pass.
    """
    return _only(_near(value, 18, USCC_ALPHABET), _both(_passes_uscc, plausible))


def suggest_org_code(value: str) -> str | None:
    """The one organisation code near `value`, or None."""
    return _only(_near(value, 9, _ORG_ALPHABET), _passes_org_code)


def suggest_resident_id(
    value: str, *, today: dt.date | None = None, plausible: Callable[[str], bool] | None = None
) -> str | None:
    """The one resident ID near `value`, or its 18-character form when it has 15 digits; None when not unique.

    `plausible` may know more, such as the birth date and sex that stand in the same row.
    """
    on = today or clock.today()

    def passes(candidate: str) -> bool:
        return (
            resident_id_check_character(candidate[:17]) == candidate[17] and _check_resident_id(candidate, on) is None
        )

    upgraded = upgrade_resident_id(value)
    if upgraded is not None:
        return upgraded if passes(upgraded) else None
    return _only(_near(value, 18, _DIGITS, last="X"), _both(passes, plausible))


def _passes_uscc(value: str) -> bool:
    return (
        uscc_check_character(value[:17]) == value[17]
        and _check_uscc_head(value) is None
        and org_code_check_character(value[8:16]) == value[16]
    )


def _passes_org_code(value: str) -> bool:
    return org_code_check_character(value[:8]) == value[8]


def _passes_registration(value: str) -> bool:
    return registration_number_check_digit(value[:14]) == value[14]


def _both(first: Callable[[str], bool], second: Callable[[str], bool] | None) -> Callable[[str], bool]:
    return first if second is None else lambda candidate: first(candidate) and second(candidate)


def _only(tiers: Iterator[set[str]], passes: Callable[[str], bool]) -> str | None:
    """The passing candidate of the first tier that has any, when it has exactly one: a guess between two is none."""
    for candidates in tiers:
        passing = [candidate for candidate in candidates if passes(candidate)]
        if passing:
            return passing[0] if len(passing) == 1 else None
    return None


def _near(value: str, length: int, alphabet: str, last: str = "") -> Iterator[set[str]]:
    """Candidates in tiers: the plain written form; look-alikes; then all one-character mistakes together.

    Where a character cannot stand, the mistake is taken to be there. Otherwise every substitution and every
    adjacent transposition competes, so that a check character alone never invents a repair.
    """
    plain = unicodedata.normalize("NFKC", value).upper()
    if len(plain) != length:
        plain = "".join(character for character in plain if character in alphabet + last)
    if len(plain) != length:
        return
    yield _standing({plain}, length, alphabet, last)
    bad = [place for place, character in enumerate(plain) if character not in _allowed(place, length, alphabet, last)]
    if bad:
        mended = "".join(LOOK_ALIKES.get(c, c) if place in bad else c for place, c in enumerate(plain))
        yield _standing({mended}, length, alphabet, last)
    if len(bad) > 1:
        return
    substituted = {
        plain[:place] + character + plain[place + 1 :]
        for place in (bad or range(length))
        for character in _allowed(place, length, alphabet, last)
    }
    swapped = set() if bad else {_swapped(plain, place) for place in range(length - 1)}
    yield substituted | _standing(swapped, length, alphabet, last)


def _allowed(place: int, length: int, alphabet: str, last: str) -> str:
    return alphabet + last if place == length - 1 else alphabet


def _swapped(value: str, place: int) -> str:
    return value[:place] + value[place + 1] + value[place] + value[place + 2 :]


def _standing(candidates: set[str], length: int, alphabet: str, last: str) -> set[str]:
    """Those made of characters that may stand where they are."""
    return {
        candidate
        for candidate in candidates
        if len(candidate) == length
        and all(c in _allowed(place, length, alphabet, last) for place, c in enumerate(candidate))
    }
