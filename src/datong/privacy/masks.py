"""Masks: how much of a value is shown. Each has a Python rendering and a DuckDB expression that agree.

The forms are those in use on government portals: resident ID keeps 6 + 4, mobile phone 3 + 4, bank card 6 + 4,
a personal name its surname (two characters for a compound surname), an address its first part.
A value shorter than what a mask would keep is hidden altogether: fail closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from datong.catalog.words import Mask as Name
from datong.privacy.contracts import UnknownMask

HIDDEN = "*"

COMPOUND_SURNAMES = frozenset(
    {
        "欧阳",
        "太史",
        "端木",
        "上官",
        "司马",
        "东方",
        "独孤",
        "南宫",
        "万俟",
        "闻人",
        "夏侯",
        "诸葛",
        "尉迟",
        "公羊",
        "赫连",
        "澹台",
        "皇甫",
        "宗政",
        "濮阳",
        "公冶",
        "太叔",
        "申屠",
        "公孙",
        "慕容",
        "仲孙",
        "钟离",
        "长孙",
        "宇文",
        "司徒",
        "鲜于",
        "司空",
        "令狐",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """One way to show part of a value. `sql` takes a quoted column expression of text and gives an expression."""

    name: Name
    title_zh: str
    title_en: str
    apply: Callable[[str], str]
    sql: Callable[[str], str]


def _keep_ends(head: int, tail: int) -> tuple[Callable[[str], str], Callable[[str], str]]:
    def apply(value: str) -> str:
        hidden = len(value) - head - tail
        if hidden <= 0:
            return HIDDEN * len(value)
        return value[:head] + HIDDEN * hidden + value[len(value) - tail :]

    def sql(column: str) -> str:
        hidden = f"length({column}) - {head + tail}"
        shown = f"left({column}, {head}) || repeat('{HIDDEN}', {hidden}) || right({column}, {tail})"
        return f"case when {hidden} <= 0 then repeat('{HIDDEN}', length({column})) else {shown} end"

    return apply, sql


def _keep_surname(value: str) -> str:
    if len(value) < 2:
        return HIDDEN * len(value)
    kept = 2 if len(value) > 2 and value[:2] in COMPOUND_SURNAMES else 1
    return value[:kept] + HIDDEN * (len(value) - kept)


def _keep_surname_sql(column: str) -> str:
    compound = ", ".join(f"'{surname}'" for surname in sorted(COMPOUND_SURNAMES))
    return (
        f"case when length({column}) < 2 then repeat('{HIDDEN}', length({column}))"
        f" when length({column}) > 2 and left({column}, 2) in ({compound})"
        f" then left({column}, 2) || repeat('{HIDDEN}', length({column}) - 2)"
        f" else left({column}, 1) || repeat('{HIDDEN}', length({column}) - 1) end"
    )


def _keep_head(head: int) -> tuple[Callable[[str], str], Callable[[str], str]]:
    def apply(value: str) -> str:
        return HIDDEN * len(value) if len(value) <= head else value[:head] + HIDDEN * (len(value) - head)

    def sql(column: str) -> str:
        return (
            f"case when length({column}) <= {head} then repeat('{HIDDEN}', length({column}))"
            f" else left({column}, {head}) || repeat('{HIDDEN}', length({column}) - {head}) end"
        )

    return apply, sql


def _mask(name: Name, title_zh: str, title_en: str, pair: tuple[Callable[[str], str], Callable[[str], str]]) -> Mask:
    return Mask(name=name, title_zh=title_zh, title_en=title_en, apply=pair[0], sql=pair[1])


def _mask_email(value: str) -> str:
    user, at, domain = value.partition("@")
    if not (at and user and domain):
        return HIDDEN * len(value)
    return user[0] + HIDDEN * 3 + at + domain


def _mask_email_sql(column: str) -> str:
    user, domain = f"split_part({column}, '@', 1)", f"substr({column}, strpos({column}, '@') + 1)"
    return (
        f"case when strpos({column}, '@') > 1 and length({domain}) > 0"
        f" then left({user}, 1) || '{HIDDEN * 3}@' || {domain} else repeat('{HIDDEN}', length({column})) end"
    )


MASKS: Mapping[Name, Mask] = {
    mask.name: mask
    for mask in (
        _mask(Name.ID_6_4, "保留前6位后4位", "keeps the first 6 and last 4", _keep_ends(6, 4)),
        _mask(Name.MOBILE_3_4, "保留前3位后4位", "keeps the first 3 and last 4", _keep_ends(3, 4)),
        _mask(Name.BANK_6_4, "保留前6位后4位", "keeps the first 6 and last 4", _keep_ends(6, 4)),
        _mask(Name.SURNAME, "只保留姓", "keeps the surname", (_keep_surname, _keep_surname_sql)),
        _mask(Name.EMAIL, "保留首字母和域名", "keeps the first letter and the domain", (_mask_email, _mask_email_sql)),
        _mask(Name.ENDS, "保留首尾各1字", "keeps the first and last character", _keep_ends(1, 1)),
        _mask(Name.YEAR, "只保留年份", "keeps the year", _keep_head(4)),
        _mask(Name.ALL, "全部隐去", "hidden", _keep_head(10**6)),
    )
}
"""A mask for every word of `catalog.words.Mask` but `none`."""


def get_mask(name: str) -> Mask:
    """The mask of a name; UnknownMask lists those there are."""
    try:
        return MASKS[Name(name)]
    except (KeyError, ValueError):
        raise UnknownMask(f"Use one of {', '.join(sorted(MASKS))}.", name=name, known=sorted(MASKS)) from None
