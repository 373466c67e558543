"""The test of each kind as a DuckDB expression over one text value: form first, check digit only where the form fits.

`text` is a column reference that may be repeated. Sources: GB 11643-1999 and ISO 7064 MOD 11-2 (resident ID),
GB 32100-2015 (USCC), ISO/IEC 7812-1 annex B (Luhn), GA 36-2018 (plates).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from datong.privacy.detect.surnames import COMPOUND, PLACE_ENDS, SINGLE
from datong.standards.identifiers import USCC_ALPHABET

_RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_USCC_WEIGHTS = tuple(3**place % 31 for place in range(17))
_PROVINCES = "1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]|9[19]"
_DAY = "(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])"
_RESIDENT_FORM = f"({_PROVINCES})[0-9]{{4}}(18|19|20)[0-9]{{2}}{_DAY}[0-9]{{3}}[0-9X]"
_MOBILE_FORM = "1(3[0-9]|4[579]|5[0-35-9]|6[2567]|7[0-35-8]|8[0-9]|9[0-35-9])[0-9]{8}"
_PLATE_FORM = (
    "[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][·. -]?"
    "([A-HJ-NP-Z0-9]{4}[A-HJ-NP-Z0-9挂学警港澳]|[A-HJ-NP-Z][A-HJ-NP-Z0-9][0-9]{4}|[0-9]{5}[A-HJ-NP-Z])"
)
_EMAIL_FORM = "[A-Za-z0-9._%+-]{1,64}@([A-Za-z0-9-]{1,63}[.]){1,8}[A-Za-z]{2,24}"
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_ADDRESS_PARTS = "(路|街|巷|胡同|大道|道|村|组|弄|里|庄|屯|小区|新村|花园|苑|镇|乡)"
_ADDRESS_END = "([0-9０-９一二三四五六七八九十百甲乙]+(号|栋|幢|室|单元|楼|层|组|院|座|门|户|弄))"


def _digits(text: str, count: int) -> list[str]:
    return [f"(ascii(substr({text}, {place}, 1)) - 48)" for place in range(1, count + 1)]


def resident_id_sql(text: str) -> str:
    """18 characters with a day of birth and the check character; the old 15 with a day of birth."""
    total = " + ".join(
        f"{weight} * {digit}" for weight, digit in zip(_RESIDENT_WEIGHTS, _digits(text, 17), strict=True)
    )
    check = f"substr('10X98765432', 1 + (({total}) % 11)::int, 1) = upper(right({text}, 1))"
    born = f"try_strptime(substr({text}, 7, 8), '%Y%m%d') is not null"
    old = f"regexp_full_match({text}, '({_PROVINCES})[0-9]{{4}}[0-9]{{2}}{_DAY}[0-9]{{3}}')"
    return (
        f"case length({text}) when 18 then case when regexp_full_match(upper({text}), '{_RESIDENT_FORM}') "
        f"then {check} and {born} else false end "
        f"when 15 then {old} and try_strptime('19' || substr({text}, 7, 6), '%Y%m%d') is not null else false end"
    )


def uscc_sql(text: str) -> str:
    """18 characters of the code's alphabet with the right last one; the organisation's part is not looked at."""
    places = [f"(strpos('{USCC_ALPHABET}', substr({text}, {place}, 1)) - 1)" for place in range(1, 18)]
    total = " + ".join(f"{weight} * {place}" for weight, place in zip(_USCC_WEIGHTS, places, strict=True))
    check = f"substr('{USCC_ALPHABET}', 1 + ((31 - ({total}) % 31) % 31)::int, 1) = right({text}, 1)"
    form = f"[1-9ANY][1-9][0-9]{{6}}[{USCC_ALPHABET}]{{10}}"
    return f"case when length({text}) = 18 and regexp_full_match({text}, '{form}') then {check} else false end"


def bank_card_sql(text: str) -> str:
    """16 to 19 digits of a card scheme's range that pass Luhn; groups of four may stand apart."""
    plain = f"replace(replace({text}, ' ', ''), '-', '')"
    doubled = [2 * (pair // 10) // 10 + 2 * (pair // 10) % 10 + pair % 10 for pair in range(100)]
    number = f"right({plain}, 18)::bigint"
    pairs = [f"list_extract({doubled}, 1 + {number} // {100**i} % 100)" for i in range(9)]
    first = f"case when length({plain}) > 18 then left({plain}, 1)::int else 0 end"
    ranges = "(6[02][0-9]{14,17}|4[0-9]{15}|5[1-5][0-9]{14}|3[57][0-9]{14}|9[0-9]{15,18})"
    form = f"regexp_full_match({plain}, '{ranges}')"
    total = " + ".join((*pairs, first))
    return f"case when length({text}) between 16 and 23 and {form} then ({total}) % 10 = 0 else false end"


def person_name_sql(text: str) -> str:
    """A surname and one or two more characters (compound surnames: two), or a name with an interpunct."""
    plain = f"replace({text}, ' ', '')"
    singles, compounds = "".join(SINGLE), "|".join(COMPOUND)
    han = r"[\x{3400}-\x{9FFF}\x{20000}-\x{2FA1F}]"
    form = f"([{singles}]{han}{{1,2}}|({compounds}){han}{{1,2}}|{han}{{2,8}}(·{han}{{2,8}}){{1,3}})"
    return (
        f"case when length({text}) between 2 and 20 and regexp_full_match({plain}, '{form}') "
        f"then not regexp_matches({plain}, '[{PLACE_ENDS}]$') else false end"
    )


def coordinates_sql(text: str) -> str:
    """A pair within China and around it, a WKT point, or one number with at least four decimals in the same range."""
    lon, lat = "(7[3-9]|[89][0-9]|1[0-2][0-9]|13[0-5])[.][0-9]{3,}", "([3-9]|[1-4][0-9]|5[0-4])[.][0-9]{3,}"
    return (
        f"regexp_full_match({text}, '({lon}[,， ;]+{lat}|{lat}[,， ;]+{lon}|(POINT|point) ?[(]-?[0-9.]+ -?[0-9.]+[)])')"
    )


def single_coordinate_sql(text: str) -> str:
    """One longitude or latitude; only the column's name makes it one."""
    return f"coalesce(try_cast({text} as double) between -180 and 180, false)"


def address_sql(text: str) -> str:
    """A road or village and a number, or a division down to a road."""
    numbered = f"regexp_matches({text}, '{_ADDRESS_PARTS}.{{0,20}}{_ADDRESS_END}')"
    placed = f"regexp_matches({text}, '(省|市|自治区).{{0,12}}(区|县|市|旗).{{0,20}}{_ADDRESS_PARTS}.')"
    return f"case when length({text}) between 6 and 200 then {numbered} or {placed} else false end"


def birth_date_sql(text: str) -> str:
    form = "(18|19|20)[0-9]{2}[-/.年]?(0?[1-9]|1[0-2])([-/.月]?([0-2]?[0-9]|3[01])日?)?( 00:00:00([.]0+)?)?"
    return f"regexp_full_match({text}, '{form}')"


def _form(pattern: str) -> Callable[[str], str]:
    return lambda text: f"regexp_full_match({text}, '{pattern}')"


TESTS: Final[Mapping[str, Callable[[str], str]]] = {
    "resident_id": resident_id_sql,
    "mobile": _form(f"([+]?86[- ]?)?{_MOBILE_FORM}"),
    "landline": _form(
        "([(（]?0(10|2[0-9]|[3-9][0-9]{2})[)）]?[- ]?[2-9][0-9]{6,7}|[48]00-?[0-9]{3}-?[0-9]{4})(-[0-9]{1,6})?"
    ),
    "bank_card": bank_card_sql,
    "passport": _form("([EP][0-9A-HJ-NP-Z][0-9]{7}|[DSG][0-9]{8})"),
    "hk_mo_permit": _form("([HM][0-9]{8}([0-9]{2})?|[CW][A-Z0-9][0-9]{7})"),
    "plate": lambda text: f"regexp_full_match(upper({text}), '{_PLATE_FORM}')",
    "email": _form(_EMAIL_FORM),
    "ip": _form(
        f"({_OCTET}[.]){{3}}{_OCTET}|([0-9A-Fa-f]{{1,4}}:){{7}}[0-9A-Fa-f]{{1,4}}|([0-9A-Fa-f]{{1,4}}:){{1,6}}(:[0-9A-Fa-f]{{1,4}}){{1,6}}"
    ),
    "mac": _form("([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}"),
    "address": address_sql,
    "person_name": person_name_sql,
    "birth_date": birth_date_sql,
    "coordinates": coordinates_sql,
    "uscc": uscc_sql,
}
"""By kind: an expression that is true for a value of it."""

NAMED_TESTS: Final[Mapping[str, Callable[[str], str]]] = {
    "coordinates": single_coordinate_sql,
    "passport": _form("([EP][0-9A-HJ-NP-Z][0-9]{7}|[DSG][0-9]{8}|1[45][0-9]{7})"),
    "hk_mo_permit": _form("([HM][0-9]{8}([0-9]{2})?|[CW][A-Z0-9][0-9]{7}|[0-9]{8}|[0-9]{10}[(（]?[A-Z][)）]?)"),
}
"""Weaker tests that count where the column's name speaks for the kind."""


def embedded_sql(kind: str, text: str) -> str:
    """Whether a longer text holds one. A resident ID must pass its check, so that long numbers are none."""
    if kind == "resident_id":
        found = f"regexp_extract({text}, '(^|[^0-9])({_RESIDENT_FORM})([^0-9X]|$)', 2)"
        return f"case when length({text}) > 18 and {found} <> '' then {resident_id_sql(found)} else false end"
    form = _MOBILE_FORM if kind == "mobile" else _EMAIL_FORM
    return (
        f"case when length({text}) > 11 then regexp_matches({text}, '(^|[^0-9A-Za-z]){form}([^0-9]|$)') else false end"
    )


def embedded_value_sql(kind: str, text: str) -> str:
    """The identifier inside a longer text, for a masked sample."""
    form = {"resident_id": _RESIDENT_FORM, "mobile": _MOBILE_FORM}.get(kind, _EMAIL_FORM)
    return f"regexp_extract({text}, '{form}')"
