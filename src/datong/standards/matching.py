"""Which data element a column is: suggestions with the evidence for each. A person confirms; nothing is decided here.

Evidence adds up: what the column is called, what form its values take, and whether the values themselves pass the
element's identifier check, stand in its code list or have its pattern. Values speak for an element only when enough of
them were seen.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from datong.kernel import clock
from datong.standards.code_lists import get_code_list
from datong.standards.contracts import CodeListUnknown, Element
from datong.standards.divisions import national_divisions
from datong.standards.elements import current_elements
from datong.standards.identifiers import check_org_code, check_resident_id, check_uscc, upgrade_resident_id
from datong.standards.representation import read_representation

MATCH_SCORE_MIN: Final = 0.3
VALUES_CHECKED_MAX: Final = 2000
"""Distinct values looked at for one column; a share over more of them says nothing new."""
_VALUES_MIN = 5
_SHARE_STRONG = 0.9
_SHARE_WEAK = 0.5
_AFFIXES = re.compile(r"(?:代码|编码|名称|号码|_code|_name|_no|_id)$")
_BRACKETS = re.compile(r"[（(].*?[）)]")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFacts:
    """What was seen of a column: its type if known, the lengths of its texts, and distinct values that are not null.

    `identifier_shares` (kind → share of values passing) may come from a scan of the whole file; otherwise the values
    here are checked.
    """

    logical_type: str = ""
    length_min: int | None = None
    length_max: int | None = None
    values: Sequence[str] = ()
    identifier_shares: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One reason for or against, with its weight; they add up to the score."""

    kind: str
    weight: float
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementMatch:
    """A suggestion. `score` is 0 to 1: 0.7 and more is worth taking over unless somebody objects."""

    element: Element
    score: float
    evidence: tuple[Evidence, ...]


def match_elements(
    name: str, title: str = "", facts: SampleFacts | None = None, *, limit: int = 5, today: dt.date | None = None
) -> list[ElementMatch]:
    """The elements that a column may be, best first; empty when nothing speaks for any of them."""
    seen = facts or SampleFacts()
    shares = _identifier_shares(seen, today or clock.today())
    found = []
    for element in current_elements():
        evidence = [
            *_name_evidence(element, name, title),
            *_type_evidence(element, seen),
            *_length_evidence(element, seen),
            *_identifier_evidence(element, shares),
            *_value_evidence(element, seen, today or clock.today()),
        ]
        score = min(1.0, sum(each.weight for each in evidence))
        speaks = any(each.weight > 0 and each.kind != "type" for each in evidence)
        if speaks and score >= MATCH_SCORE_MIN:
            found.append(ElementMatch(element=element, score=round(score, 2), evidence=tuple(evidence)))
    found.sort(key=lambda match: -match.score)
    return found[:limit]


def values_pass(kind: str, values: Sequence[str], today: dt.date) -> float:
    """The share of values that pass an identifier's check; kinds as in a contract's `identifierKind`."""
    check = IDENTIFIER_CHECKS.get(kind)
    if check is None or not values:
        return 0.0
    return sum(check(value, today) for value in values) / len(values)


def _is_resident_id(value: str, today: dt.date) -> bool:
    return check_resident_id(upgrade_resident_id(value) or value, today=today, suggest=False) is None


def _is_division(value: str, _today: dt.date) -> bool:
    return len(value) in (6, 9, 12) and bool(national_divisions().history(value))


IDENTIFIER_CHECKS: Final[Mapping[str, Callable[[str, dt.date], bool]]] = {
    "uscc": lambda value, _today: check_uscc(value, suggest=False) is None,
    "resident_id": _is_resident_id,
    "org_code": lambda value, _today: check_org_code(value, suggest=False) is None,
    "division_code": _is_division,
}


def _identifier_shares(facts: SampleFacts, today: dt.date) -> Mapping[str, float]:
    if facts.identifier_shares or len(facts.values) < _VALUES_MIN:
        return facts.identifier_shares
    sample = [value.strip().upper() for value in facts.values[:VALUES_CHECKED_MAX]]
    return {kind: values_pass(kind, sample, today) for kind in IDENTIFIER_CHECKS}


def plain_name(text: str) -> str:
    """A name for comparing: without case, brackets, blanks and joints."""
    return re.sub(r"[\s_\-·、/]+", "", _BRACKETS.sub("", text)).casefold()


def _name_evidence(element: Element, name: str, title: str) -> list[Evidence]:
    given = {plain_name(each) for each in (name, title) if each}
    own = {plain_name(n): n for n in (element.id, element.name, element.title_zh, element.title_en, *element.synonyms)}
    same = next((own[each] for each in given if each in own), "")
    if same:
        return [Evidence(kind="name", weight=0.7, zh=f"名称与“{same}”相同", en=f"is called like {same!r}")]
    best, best_share = "", 0.0
    for each in given:
        for plain, shown in own.items():
            core = _AFFIXES.sub("", plain)
            if len(core) >= 2 and (plain.isascii() is False or len(core) >= 4) and (core in each):
                share = len(core) / len(each)
                if share > best_share:
                    best, best_share = shown, share
    if not best:
        return []
    weight = round(0.2 + 0.3 * best_share, 2)
    return [Evidence(kind="name", weight=weight, zh=f"名称中含“{best}”", en=f"has {best!r} in its name")]


def _type_evidence(element: Element, facts: SampleFacts) -> list[Evidence]:
    if not facts.logical_type:
        return []
    fits = facts.logical_type == element.type or {facts.logical_type, element.type} in (
        {"integer", "number"},
        {"integer", "string"},
        {"date", "timestamp"},
    )
    if fits:
        return [Evidence(kind="type", weight=0.1, zh=f"类型相符（{element.type}）", en=f"is of type {element.type}")]
    zh = f"类型为{facts.logical_type}，数据元为{element.type}"
    return [Evidence(kind="type", weight=-0.3, zh=zh, en=f"is {facts.logical_type}, the element {element.type}")]


def _length_evidence(element: Element, facts: SampleFacts) -> list[Evidence]:
    form = read_representation(element.form)
    if form is None or form.kind != "string" or facts.length_max is None:
        return []
    low, high = facts.length_min or 0, facts.length_max
    if (form.length_max is None or high <= form.length_max) and (form.length_min is None or low >= form.length_min):
        if form.length_min is not None and form.length_min == form.length_max:
            return [
                Evidence(
                    kind="length",
                    weight=0.1,
                    zh=f"长度均为{form.length_max}位",
                    en=f"always has {form.length_max} characters",
                )
            ]
        return []
    zh, en = f"长度{low}–{high}，与{element.form}不符", f"has {low} to {high} characters, not {element.form}"
    return [Evidence(kind="length", weight=-0.2, zh=zh, en=en)]


def _identifier_evidence(element: Element, shares: Mapping[str, float]) -> list[Evidence]:
    if not element.identifier or element.identifier not in shares:
        return []
    share = shares[element.identifier]
    zh, en = f"{share:.1%}的值通过{element.title_zh}校验", f"{share:.1%} of the values pass its check"
    if share >= _SHARE_STRONG:
        return [Evidence(kind="identifier", weight=0.5, zh=zh, en=en)]
    return [Evidence(kind="identifier", weight=-0.5, zh=zh, en=en)] if share < _SHARE_WEAK else []


def _value_evidence(element: Element, facts: SampleFacts, today: dt.date) -> list[Evidence]:
    values = [value.strip() for value in facts.values[:VALUES_CHECKED_MAX] if value.strip()]
    if not values:
        return []
    if element.pattern and len(values) >= _VALUES_MIN:
        form = re.compile(element.pattern)
        share = sum(form.fullmatch(value) is not None for value in values) / len(values)
        return _share_evidence("pattern", share, "具有其格式", "have its form", 0.4)
    if not element.code_list or len(set(values)) < 2:
        return []
    try:
        codes = get_code_list(element.code_list)
    except CodeListUnknown:
        return []
    known, titles = set(codes.values(today)), set(codes.titles(on=today).values())
    as_codes = sum(value in known for value in values) / len(values)
    as_titles = sum(value in titles for value in values) / len(values)
    if as_titles > as_codes:
        return _share_evidence(
            "code-titles", as_titles, f"是{codes.title_zh}的名称", f"are titles of {codes.name}", 0.3
        )
    return _share_evidence("code-list", as_codes, f"在{codes.title_zh}中", f"are codes of {codes.name}", 0.3)


def _share_evidence(kind: str, share: float, zh: str, en: str, weight: float) -> list[Evidence]:
    texts = {"zh": f"{share:.1%}的值{zh}", "en": f"{share:.1%} of the values {en}"}
    if share >= _SHARE_STRONG:
        return [Evidence(kind=kind, weight=weight, **texts)]
    return [Evidence(kind=kind, weight=-weight, **texts)] if share < _SHARE_WEAK else []
