"""Holding a contract against its elements: pure. What is asked of a column comes from the element that it names.

A column that names no element fails that one requirement and is asked nothing else; it gets a hint at what it may be.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence

from datong.catalog.values import Column, DataContract
from datong.catalog.words import LogicalType
from datong.quality.assess.contracts import (
    Aspect,
    Assessment,
    ColumnAssessment,
    ElementHint,
    MissingElement,
    Requirement,
    ValueShare,
)
from datong.standards.code_lists import find_editions, get_code_list
from datong.standards.contracts import CodeListUnknown, Edition, Element
from datong.standards.elements import find_element
from datong.standards.matching import SampleFacts, match_elements, plain_name
from datong.standards.representation import read_representation

COLUMN_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
TITLE_CHARACTERS_MAX = 50
"""信息项名称 as the 2017 catalogue guide is applied: no longer than a resource's name."""
_TYPES_THAT_FIT = frozenset({("integer", "number"), ("timestamp", "date"), ("date", "timestamp")})
_PHYSICAL = re.compile(r"(?:var)?char(?:acter)?(?: varying)?\((\d+)\)", re.IGNORECASE)


def assess_contract(
    contract: DataContract,
    day: dt.date,
    *,
    against: Edition | None = None,
    values: Mapping[str, Sequence[ValueShare]] | None = None,
    version: tuple[str, str, int] | None = None,
) -> Assessment:
    """The assessment as of a day. `values` are the measured shares by column, `version` its id, label and rows.

    With `against`, a set of elements, every element of it that no column has is missing.
    """
    columns = tuple(
        _assess_column(column, day, tuple((values or {}).get(column.name, ()))) for column in contract.columns
    )
    missing = _missing(contract, against) if against else ()
    asked = sum(len(column.requirements) for column in columns) + len(missing)
    unmet = sum(len(column.unmet) for column in columns) + len(missing)
    structure = 100.0 * (asked - unmet) / asked if asked else 0.0
    shares = [share for column in columns if (share := column.values_share) is not None]
    values_score = 100.0 * sum(shares) / len(shares) if shares else None
    total = structure if values_score is None else (structure + values_score) / 2
    return Assessment(
        subject=contract.id,
        title_zh=contract.title_zh,
        title_en=contract.title_en,
        agency=contract.agency,
        contract_version=contract.version,
        contract_digest=contract.digest,
        day=day,
        against=against.label if against else "",
        against_zh=against.title_zh if against else "",
        against_en=against.title_en if against else "",
        editions=_editions_used(contract, day),
        columns=columns,
        missing=missing,
        version_id=version[0] if version else "",
        version_label=version[1] if version else "",
        rows_count=version[2] if version else None,
        structure_score=round(structure, 2),
        values_score=None if values_score is None else round(values_score, 2),
        score=round(total, 2),
    )


def _assess_column(column: Column, day: dt.date, values: tuple[ValueShare, ...]) -> ColumnAssessment:
    element = find_element(column.element) if column.element else None
    requirements = [_named(column, element), _naming(column)]
    if element is not None:
        requirements += [each for each in _against_element(column, element, day) if each is not None]
    elif column.code_list:
        requirements += _editions(column, day)
    return ColumnAssessment(
        name=column.name,
        title_zh=column.title,
        title_en=column.title_en,
        element_id=column.element,
        element_zh=element.title_zh if element else "",
        element_en=element.title_en if element else "",
        requirements=tuple(requirements),
        values=values,
        hint=None if element else _hint(column),
    )


def _named(column: Column, element: Element | None) -> Requirement:
    if element is not None:
        zh, en = f"对应数据元“{element.title_zh}”", f"is the element {element.title_en or element.name}"
        return Requirement(aspect=Aspect.ELEMENT, met=True, zh=zh, en=en)
    if column.element:
        zh, en = f"没有数据元{column.element}", f"names {column.element}, which is no element"
    else:
        zh, en = "没有对应的数据元", "names no element"
    return Requirement(aspect=Aspect.ELEMENT, met=False, zh=zh, en=en)


def _naming(column: Column) -> Requirement:
    """Lower-case words joined by underscores, and a Chinese title that is not the name again."""
    if not COLUMN_NAME.fullmatch(column.name):
        zh, en = f"英文名“{column.name}”应为小写单词加下划线", f"{column.name} is not lower-case words with underscores"
        return Requirement(aspect=Aspect.NAMING, met=False, zh=zh, en=en)
    if not column.title or column.title == column.name or len(column.title) > TITLE_CHARACTERS_MAX:
        zh = f"应有不超过{TITLE_CHARACTERS_MAX}字的中文名称"
        en = f"needs a Chinese title of at most {TITLE_CHARACTERS_MAX} characters"
        return Requirement(aspect=Aspect.NAMING, met=False, zh=zh, en=en)
    return Requirement(aspect=Aspect.NAMING, met=True, zh="命名规范", en="is named as it should be")


def _against_element(column: Column, element: Element, day: dt.date) -> Iterator[Requirement | None]:
    yield _type(column, element)
    yield _length(column, element)
    yield _unit(column, element)
    yield _identifier(column, element)
    yield _code_list(column, element, day)
    yield from _editions(column, day)


def _type(column: Column, element: Element) -> Requirement:
    has, wants = column.logical_type.value, element.type
    met = has == wants or (has, wants) in _TYPES_THAT_FIT
    zh, en = f"类型{has}，数据元为{wants}", f"is {has}; the element is {wants}"
    return Requirement(aspect=Aspect.TYPE, met=met, zh="类型相符" if met else zh, en="has its type" if met else en)


def _length(column: Column, element: Element) -> Requirement | None:
    """A text may not be allowed to be longer than its element; a fixed length is asked for as it is."""
    form = read_representation(element.form)
    if (
        form is None
        or form.kind != "string"
        or form.length_max is None
        or column.logical_type is not LogicalType.STRING
    ):
        return None
    longest = _longest(column)
    if longest is None:
        zh, en = f"没有限定长度，数据元为{element.form}", f"has no length; the element is {element.form}"
        return Requirement(aspect=Aspect.LENGTH, met=False, zh=zh, en=en)
    met = longest <= form.length_max and (form.length_min != form.length_max or longest == form.length_max)
    zh, en = f"最长{longest}，数据元为{element.form}", f"has up to {longest} characters; the element is {element.form}"
    return Requirement(aspect=Aspect.LENGTH, met=met, zh=zh, en=en)


def _longest(column: Column) -> int | None:
    """From the contract's limit, the physical type, or the codes that it lists."""
    if column.length_max is not None:
        return column.length_max
    physical = _PHYSICAL.fullmatch(column.physical_type.strip())
    if physical:
        return int(physical[1])
    return max((len(value) for value in column.values), default=None)


def _unit(column: Column, element: Element) -> Requirement | None:
    if not element.unit:
        return None
    if column.unit == element.unit:
        return Requirement(aspect=Aspect.UNIT, met=True, zh=f"单位{element.unit}", en=f"is in {element.unit}")
    zh = f"单位“{column.unit or '未写明'}”，数据元为“{element.unit}”"
    en = f"is in {column.unit or 'no stated unit'}; the element is in {element.unit}"
    return Requirement(aspect=Aspect.UNIT, met=False, zh=zh, en=en)


def _identifier(column: Column, element: Element) -> Requirement | None:
    if not element.identifier:
        return None
    has = column.identifier.value if column.identifier else ""
    met = has == element.identifier
    zh = "按标识编码规则校验" if met else f"没有声明{element.title_zh}的校验（identifierKind: {element.identifier}）"
    en = "is checked by its rule" if met else f"is not checked as {element.identifier} (identifierKind)"
    return Requirement(aspect=Aspect.IDENTIFIER, met=met, zh=zh, en=en)


def _code_list(column: Column, element: Element, day: dt.date) -> Requirement | None:
    """The element's list is named, or the values that the contract lists are codes of it on the day."""
    if not element.code_list:
        return None
    wanted = element.code_list.partition("@")[0]
    try:
        standard = get_code_list(element.code_list)
    except CodeListUnknown:
        zh, en = f"数据元的代码集{element.code_list}尚未导入", f"the element's list {element.code_list} is not imported"
        return Requirement(aspect=Aspect.CODE_LIST, met=False, zh=zh, en=en)
    if column.code_list:
        try:
            met = get_code_list(column.code_list).name == standard.name
        except CodeListUnknown:
            met = False
        zh, en = f"采用代码集{column.code_list}", f"uses the list {column.code_list}"
        if not met:
            zh, en = f"{zh}，数据元为{wanted}", f"{en}; the element has {wanted}"
        return Requirement(aspect=Aspect.CODE_LIST, met=met, zh=zh, en=en)
    if not column.values:
        zh, en = f"没有声明代码集（codeList: {wanted}）", f"names no code list (codeList: {wanted})"
        return Requirement(aspect=Aspect.CODE_LIST, met=False, zh=zh, en=en)
    outside = sorted(set(column.values) - set(standard.values(day)))
    if not outside:
        return Requirement(
            aspect=Aspect.CODE_LIST, met=True, zh=f"取值都在{wanted}中", en=f"has only codes of {wanted}"
        )
    are_titles = set(column.values) <= set(standard.titles(on=day).values())
    zh = f"取值{'是名称而不是代码' if are_titles else '不在标准中'}：{'、'.join(outside[:6])}（{wanted}）"
    en = (
        f"has {'titles, not codes' if are_titles else 'values that are no codes'} of {wanted}: {', '.join(outside[:6])}"
    )
    return Requirement(aspect=Aspect.CODE_LIST, met=False, zh=zh, en=en)


def _editions(column: Column, day: dt.date) -> list[Requirement]:
    """A list pinned to an edition is asked whether that edition holds on the day."""
    name, _, label = column.code_list.partition("@")
    if not label:
        return []
    current = [e for e in find_editions(name) if _holds(e, day)]
    met = any(edition.edition == label for edition in current)
    now = "、".join(edition.edition for edition in current)
    zh = f"采用{label}版" if met else f"采用{label}版，{day}有效的是{now or '无'}"
    en = f"uses edition {label}" if met else f"uses edition {label}; in force on {day} is {now or 'none'}"
    return [Requirement(aspect=Aspect.EDITION, met=met, zh=zh, en=en)]


def _holds(edition: Edition, day: dt.date) -> bool:
    return (edition.valid_from is None or edition.valid_from <= day) and (
        edition.valid_to is None or day < edition.valid_to
    )


def _hint(column: Column) -> ElementHint | None:
    facts = SampleFacts(logical_type=column.logical_type.value, values=column.values)
    found = match_elements(column.name, column.title, facts, limit=1)
    if not found:
        return None
    best = found[0]
    return ElementHint(
        element_id=best.element.id,
        title_zh=best.element.title_zh,
        title_en=best.element.title_en,
        score=best.score,
        zh="；".join(each.zh for each in best.evidence if each.weight > 0),
        en="; ".join(each.en for each in best.evidence if each.weight > 0),
    )


def _missing(contract: DataContract, against: Edition) -> tuple[MissingElement, ...]:
    """Elements of the set that no column names, by identifier or by one of the column's own names."""
    present = {column.element for column in contract.columns}
    names = {plain_name(name) for column in contract.columns for name in column.source_names}
    return tuple(
        MissingElement(element_id=element.id, title_zh=element.title_zh, title_en=element.title_en)
        for element in against.elements
        if element.id not in present
        and not names & {plain_name(name) for name in (element.id, element.name, element.title_zh)}
    )


def _editions_used(contract: DataContract, day: dt.date) -> tuple[str, ...]:
    """The editions that the assessment read: of each list and element that the columns name, the one of the day."""
    found: set[str] = set()
    for column in contract.columns:
        element = find_element(column.element) if column.element else None
        for name in (column.code_list, element.code_list if element else ""):
            key, _, label = name.partition("@")
            holding = [e.label for e in find_editions(key) if (e.edition == label if label else _holds(e, day))]
            found.update(holding[:1])
    return tuple(sorted(found))
