"""The four checks at approval 四性检查: unique, complete, related, well-worded. Pure: what is known comes with it.

A blocking finding keeps a draft from being submitted; a note is shown to the approver, who decides. Which fields are
needed follows the core metadata of the 2017 guide 《政务信息资源目录编制指南（试行）》.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from datong.catalog.directory import is_directory_code
from datong.catalog.values import Column, DataContract
from datong.catalog.words import Secrecy, SharingType

Titles = tuple[str, str]


class CheckKind(StrEnum):
    UNIQUE = "unique"
    COMPLETE = "complete"
    RELATED = "related"
    WORDED = "worded"


CHECK_TITLES: Final[Mapping[CheckKind, Titles]] = {
    CheckKind.UNIQUE: ("唯一性", "Unique"),
    CheckKind.COMPLETE: ("完整性", "Complete"),
    CheckKind.RELATED: ("关联性", "Related"),
    CheckKind.WORDED: ("规范性", "Well-worded"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFinding:
    """One finding of the four checks. `column` is a column's name, "" for the resource; `blocks` bars submission."""

    check: CheckKind
    blocks: bool
    column: str
    message: str
    message_zh: str
    remedy: str
    remedy_zh: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherResource:
    """A resource that is in the catalogue already."""

    id: str
    title: str
    agency: str
    agency_name: str
    directory_code: str
    columns: frozenset[str]
    """Titles of its columns; only given for those that may be doubles."""
    column_names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the four checks compare with: other resources, agencies' codes and names, and data elements' titles by id.

    `element_of` finds the element that a column's title names, "" when none or several.
    """

    others: Sequence[OtherResource] = ()
    agencies: frozenset[str] = frozenset()
    has_element: Callable[[str], bool] = field(default=lambda _identifier: True)
    element_of: Callable[[str], str] = field(default=lambda _title: "")


_ABSTRACT_CHARACTERS_MIN: Final = 10
_ABSTRACT_CHARACTERS_MAX: Final = 256
_DOUBLE_SHARE: Final = 0.8
_DOUBLE_COLUMNS_MIN: Final = 3
_CHINESE: Final = re.compile(r"[㐀-䶿一-鿿]")
_PLACEHOLDER: Final = re.compile(r"测试|临时|未命名|新建|待定|某某|[Xx]{3}|test|todo", re.IGNORECASE)
_ODD: Final = re.compile(r"[\s!-'*+,./:;<=>?@\[\]^`{|}~！￥…？\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]")
_UNIT: Final = re.compile(r"[（(]([^（）()]{1,8})[）)]$")


def check_draft(contract: DataContract, known: Known) -> tuple[CheckFinding, ...]:
    """Every finding, in the order of the four checks, those that block first."""
    found = [
        *_unique(contract, known),
        *_complete(contract),
        *_related(contract, known),
        *_worded(contract),
    ]
    return tuple(sorted(found, key=lambda one: (list(CheckKind).index(one.check), not one.blocks)))


def may_be_double(contract: DataContract, titles: frozenset[str]) -> bool:
    """Whether a resource with these column titles holds mostly the same."""
    own = {column.title for column in contract.columns if column.title}
    if len(own) < _DOUBLE_COLUMNS_MIN or not titles:
        return False
    return len(own & titles) / max(len(own), len(titles)) >= _DOUBLE_SHARE


def _finding(check: CheckKind, says: Titles, remedy: Titles, *, column: str = "", blocks: bool = False) -> CheckFinding:
    return CheckFinding(
        check=check,
        blocks=blocks,
        column=column,
        message=says[1],
        message_zh=says[0],
        remedy=remedy[1],
        remedy_zh=remedy[0],
    )


def _unique(contract: DataContract, known: Known) -> Iterator[CheckFinding]:
    kind = CheckKind.UNIQUE
    for other in known.others:
        if other.id == contract.id:
            continue
        if contract.directory_code and other.directory_code == contract.directory_code:
            yield _finding(
                kind,
                (f"目录编码已用于“{other.title}”", f"The directory code belongs to “{other.title}”"),
                ("请换一个顺序码，或留前段由平台编号。", "Give another sequence, or only the front."),
                blocks=True,
            )
        if other.title == contract.title_zh:
            same = other.agency == contract.agency
            yield _finding(
                kind,
                (f"{other.agency_name}已有同名资源“{other.title}”", f"{other.agency_name} has a resource of that name"),
                (
                    "请改已有资源的契约，或换一个能区分的名称。",
                    "Change that resource's contract, or choose another name.",
                ),
                blocks=same,
            )
        elif may_be_double(contract, other.columns):
            yield _finding(
                kind,
                (
                    f"信息项与{other.agency_name}“{other.title}”大多相同，可能重复编目",
                    f"Most columns are those of “{other.title}” of {other.agency_name}: it may be listed twice",
                ),
                (
                    "能共享取得的不再重复采集；确需编目请在说明中写明区别。",
                    "What sharing supplies is not collected again.",
                ),
            )
    counts = Counter(column.element for column in contract.columns if column.element)
    for element, count in counts.items():
        if count > 1:
            yield _finding(
                kind,
                (f"{count}个信息项都对应数据元{element}", f"{count} columns have the same element {element}"),
                ("请核对是否重复。", "See whether one is superfluous."),
            )


def _complete(contract: DataContract) -> Iterator[CheckFinding]:
    kind, core = CheckKind.COMPLETE, contract.directory
    needed: tuple[tuple[bool, Titles, Titles], ...] = (
        (
            core.secrecy is Secrecy.UNSTATED,
            ("没有声明是否涉密", "It is not said whether it holds secrets"),
            ("请填写涉密声明：不含国家秘密和工作秘密方可编目。", "Declare it; what holds secrets is not kept here."),
        ),
        (
            not contract.description,
            ("没有摘要", "The abstract is missing"),
            ("请写内容、范围和来源。", "Say what it holds, of what and from where."),
        ),
        (
            not contract.directory_code,
            ("没有目录编码", "The directory code is missing"),
            (
                "写类、项、目、细目，顺序码由平台编。",
                "Give class, item, entry and detail; the platform adds the sequence.",
            ),
        ),
        (
            contract.opening is SharingType.CONDITIONAL and not core.opening_condition,
            ("有条件开放没有写开放条件", "The condition of opening is missing"),
            ("请填写开放条件。", "State it."),
        ),
    )
    for is_missing, says, remedy in needed:
        if is_missing:
            yield _finding(kind, says, remedy, blocks=True)
    for is_missing, says in (
        (not core.provider_code, ("没有提供方代码", "The provider's code is missing")),
        (core.format is None, ("没有信息资源格式", "The format is missing")),
        (not core.published_on, ("没有发布日期", "The date of publication is missing")),
        (not contract.title_en, ("没有英文名称", "The English title is missing")),
        (not contract.stages, ("没有责任清单", "It is not said who answers at each stage")),
        (not contract.key_columns, ("没有主键", "There is no key")),
    ):
        if is_missing:
            yield _finding(kind, says, ("建议补上。", "Add it."))
    raw = contract.raw["schema"][0]["properties"]
    for column, given in zip(contract.columns, raw, strict=True):
        if not given.get("classification"):
            yield _finding(
                kind,
                (f"信息项“{column.title}”没有分级", f"The column {column.name} has no grade"),
                ("请按GB/T 43697分级；不分级的按一般4级处理。", "Grade it; without one it counts as general 4."),
                column=column.name,
                blocks=True,
            )


def _related(contract: DataContract, known: Known) -> Iterator[CheckFinding]:
    kind = CheckKind.RELATED
    ids = {other.id: other for other in known.others}
    codes = {other.directory_code for other in known.others if other.directory_code}
    for name in contract.directory.related:
        if name not in (codes if is_directory_code(name) else ids):
            yield _finding(
                kind,
                (f"关联资源{name}不在目录中", f"The related resource {name} is not in the catalogue"),
                ("请改正，或先编目该资源。", "Correct it, or list that resource first."),
                blocks=True,
            )
    keys = [*contract.references, *(key for column in contract.columns for key in column.references)]
    for key in keys:
        other = ids.get(key.resource_id)
        lacks = [] if other is None or not other.column_names else sorted(set(key.to_columns) - other.column_names)
        if key.resource_id != contract.id and (other is None or lacks):
            target = key.resource_id if other is None else f"{key.resource_id}.{lacks[0]}"
            yield _finding(
                kind,
                (f"外键指向的{target}不存在", f"The foreign key's target {target} does not exist"),
                ("请改正，或先编目该资源。", "Correct it, or list that resource first."),
                column=key.columns[0],
                blocks=True,
            )
    for column in contract.columns:
        yield from _column_related(column, known)


def _column_related(column: Column, known: Known) -> Iterator[CheckFinding]:
    kind = CheckKind.RELATED
    if column.element and not known.has_element(column.element):
        yield _finding(
            kind,
            (f"标准中没有数据元{column.element}", f"The standards have no element {column.element}"),
            ("请从数据元目录中选择。", "Choose one from the elements."),
            column=column.name,
            blocks=True,
        )
    suggested = "" if column.element else known.element_of(column.title)
    if suggested:
        yield _finding(
            kind,
            (f"“{column.title}”可对应数据元{suggested}", f"{column.name} looks like the element {suggested}"),
            ("请核对后填写。", "See whether it is, and name it."),
            column=column.name,
        )
    if column.source_agency and known.agencies and column.source_agency not in known.agencies:
        yield _finding(
            kind,
            (
                f"来源部门“{column.source_agency}”不是平台的部门",
                f"“{column.source_agency}” is no agency of the platform",
            ),
            ("请写部门简码或全称。", "Write its short code or full name."),
            column=column.name,
            blocks=True,
        )


def _worded(contract: DataContract) -> Iterator[CheckFinding]:
    kind = CheckKind.WORDED
    title, abstract = contract.title_zh, contract.description
    if not _CHINESE.search(title):
        yield _finding(
            kind, ("名称没有中文", "The title has no Chinese"), ("请写中文名称。", "Write it in Chinese."), blocks=True
        )
    if _PLACEHOLDER.search(title):
        yield _finding(
            kind,
            (f"名称“{title}”含有占位用语", f"The title “{title}” is a placeholder"),
            ("请写正式名称。", "Write the real title."),
            blocks=True,
        )
    if _ODD.search(title):
        yield _finding(
            kind,
            ("名称中有空格、全角字母数字或不规范的标点", "The title has spaces, full-width letters or odd marks"),
            (
                "只用汉字、半角字母数字、书名号、括号、连接号和顿号。",
                "Use Chinese, plain letters and digits, brackets, dashes.",
            ),
            blocks=True,
        )
    if len(abstract) > _ABSTRACT_CHARACTERS_MAX:
        yield _finding(
            kind,
            (
                f"摘要{len(abstract)}字，超过{_ABSTRACT_CHARACTERS_MAX}字",
                f"The abstract has {len(abstract)} characters",
            ),
            ("请精简。", f"At most {_ABSTRACT_CHARACTERS_MAX}."),
            blocks=True,
        )
    elif abstract and (len(abstract) < _ABSTRACT_CHARACTERS_MIN or abstract.strip("。") == title):
        yield _finding(
            kind,
            ("摘要过短或与名称相同", "The abstract is too short, or says no more than the title"),
            ("请写内容、范围和来源。", "Say what it holds, of what and from where."),
        )
    for column in contract.columns:
        if not _CHINESE.search(column.title):
            yield _finding(
                kind,
                (f"信息项“{column.title}”没有中文名称", f"The column {column.name} has no Chinese title"),
                ("请写中文名称。", "Write one."),
                column=column.name,
                blocks=True,
            )
        unit = _UNIT.search(column.title)
        if unit and not column.unit and column.logical_type.value in {"integer", "number"}:
            yield _finding(
                kind,
                (f"“{column.title}”把单位写在名称里", f"The title of {column.name} holds its unit"),
                (f"请把“{unit[1]}”填入单位。", "Put it into the unit."),
                column=column.name,
            )
