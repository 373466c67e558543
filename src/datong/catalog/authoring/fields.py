"""The fields of a contract that people fill in, the same for the editor's form and for the Excel template.

Each field knows its titles, which words it takes, and where its value stands in the contract's mapping. Values cross as
text; what a field does not touch stays in the mapping as it was, so that a form never loses what it does not show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar

from datong.catalog.words import (
    CHANNEL_TITLES,
    COLLECT_MODE_TITLES,
    CYCLE_TITLES,
    FORMAT_TITLES,
    GRADE_TITLES,
    MASK_TITLES,
    MODE_TITLES,
    SECRECY_TITLES,
    SHARING_TITLES,
    STAGE_TITLES,
    TYPE_TITLES,
    Secrecy,
    SharingType,
)

Titles = tuple[str, str]
W = TypeVar("W", bound=StrEnum)


class FieldKind(StrEnum):
    TEXT = "text"
    LONG = "long"  # several lines
    WORD = "word"
    WORDS = "words"
    LIST = "list"  # texts of the writer's own
    FLAG = "flag"
    NUMBER = "number"
    BOUND = "bound"  # a number, or a date's text


class Place(StrEnum):
    """Where the value stands in the mapping of the contract or of the column."""

    FIELD = "field"
    CUSTOM = "custom"
    OPTION = "option"  # logicalTypeOptions
    PURPOSE = "purpose"  # description.purpose
    FREQUENCY = "frequency"  # slaProperties
    STAGE = "stage"  # a key of the custom property stages


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractField:
    """One field. `words` maps the contract's word to its titles; `aliases` other spellings to the word."""

    key: str
    title: Titles
    group: str
    kind: FieldKind = FieldKind.TEXT
    place: Place = Place.CUSTOM
    words: Mapping[str, Titles] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    help: Titles = ("", "")
    needed: bool = False
    width: int = 16
    """Of its column in a workbook, in characters."""

    @property
    def name(self) -> str:
        """The word in the mapping: the key without the part that tells stages apart."""
        return self.key.removeprefix("stage.")


def _titled(titles: Mapping[W, Titles]) -> dict[str, Titles]:
    return {word.value: title for word, title in titles.items()}


OPENING_TITLES: Final[Mapping[str, Titles]] = {
    SharingType.UNCONDITIONAL.value: ("无条件开放", "Open to all"),
    SharingType.CONDITIONAL.value: ("有条件开放", "Open on condition"),
    SharingType.WITHHELD.value: ("不予开放", "Not open"),
}
GRADE_FIELD_TITLES: Final[Mapping[str, Titles]] = {zh: (zh, en) for zh, en in GRADE_TITLES.values()}
IDENTIFIER_FIELD_TITLES: Final[Mapping[str, Titles]] = {
    "uscc": ("统一社会信用代码", "USCC"),
    "resident_id": ("公民身份号码", "Resident identity number"),
    "org_code": ("组织机构代码", "Organisation code"),
    "division_code": ("行政区划代码", "Division code"),
}
DRIFT_FIELD_TITLES: Final[Mapping[str, Titles]] = {
    "refuse": ("拒收", "Refuse the file"),
    "map": ("有把握时自动对应", "Map where the evidence is strong"),
}
TYPE_ALIASES: Final[Mapping[str, str]] = {
    "字符型C": "string",
    "备注型M": "string",
    "数值型N": "number",
    "货币型Y": "number",
    "双精度型B": "number",
    "浮点型F": "number",
    "整型I": "integer",
    "日期型D": "date",
    "日期时间型T": "timestamp",
    "逻辑型L": "boolean",
}
"""Data types of the 2017 guide, as agencies write them in the catalogue's template."""
_SHARING: Final = _titled(SHARING_TITLES)

GROUPS: Final[Mapping[str, Titles]] = {
    "basic": ("基本信息", "Basics"),
    "sharing": ("共享条款", "Sharing"),
    "opening": ("开放条款", "Opening"),
    "service": ("更新与归集", "Updating and collection"),
    "stages": ("责任清单", "Responsibility"),
}

RESOURCE_FIELDS: Final[tuple[ContractField, ...]] = (
    ContractField(
        key="id",
        title=("资源标识", "Resource id"),
        group="basic",
        place=Place.FIELD,
        needed=True,
        width=22,
        help=("小写字母、数字和下划线，定后不改", "Lower-case letters, digits and underscores; it never changes"),
    ),
    ContractField(
        key="name",
        title=("信息资源名称", "Title"),
        group="basic",
        place=Place.FIELD,
        needed=True,
        width=26,
        help=("50字以内", "At most 50 characters"),
    ),
    ContractField(key="titleEn", title=("英文名称", "English title"), group="basic", width=26),
    ContractField(
        key="directoryCode",
        title=("信息资源代码", "Directory code"),
        group="basic",
        width=22,
        help=(
            "类1位、项2位、目3位、细目若干位；只写前段时由平台编顺序码",
            "Class 1, item 2, entry 3 and detail digits; with the front alone the platform gives the sequence",
        ),
    ),
    ContractField(
        key="agency",
        title=("信息资源提供方", "Provider"),
        group="basic",
        needed=True,
        width=16,
        help=("部门简码，如psb", "The agency's short code, e.g. psb"),
    ),
    ContractField(
        key="providerCode",
        title=("提供方代码", "Provider's USCC"),
        group="basic",
        width=22,
        help=("统一社会信用代码18位", "18 characters of GB 32100"),
    ),
    ContractField(
        key="description",
        title=("信息资源摘要", "Abstract"),
        group="basic",
        kind=FieldKind.LONG,
        place=Place.PURPOSE,
        needed=True,
        width=40,
        help=("256字以内，写内容、范围和来源", "At most 256 characters: content, scope and origin"),
    ),
    ContractField(
        key="resourceFormat",
        title=("信息资源格式", "Format"),
        group="basic",
        kind=FieldKind.WORD,
        words=_titled(FORMAT_TITLES),
        width=14,
    ),
    ContractField(
        key="formatDetail",
        title=("格式说明", "Format, in detail"),
        group="basic",
        width=14,
        help=("如KingbaseES、xlsx", "E.g. KingbaseES, xlsx"),
    ),
    ContractField(
        key="publishedOn",
        title=("发布日期", "Published on"),
        group="basic",
        width=12,
        help=("YYYY-MM-DD", "YYYY-MM-DD"),
    ),
    ContractField(
        key="relatedResources",
        title=("关联资源代码", "Related resources"),
        group="basic",
        kind=FieldKind.LIST,
        width=22,
        help=("多个用顿号隔开", "Several are separated by commas"),
    ),
    ContractField(
        key="secrecy",
        title=("涉密声明", "Secrets"),
        group="basic",
        kind=FieldKind.WORD,
        words={word: title for word, title in _titled(SECRECY_TITLES).items() if word != Secrecy.UNSTATED},
        needed=True,
        width=24,
        help=(
            "含国家秘密或工作秘密的资源不得编入本平台",
            "A resource that holds state or work secrets is not kept on this platform",
        ),
    ),
    ContractField(
        key="version",
        title=("契约版本", "Contract version"),
        group="basic",
        place=Place.FIELD,
        needed=True,
        width=10,
        help=("三段数字；有破坏性改动时升第一段", "Three numbers; a breaking change raises the first"),
    ),
    ContractField(
        key="sharingType",
        title=("共享类型", "Sharing type"),
        group="sharing",
        kind=FieldKind.WORD,
        words=_SHARING,
        needed=True,
        width=12,
    ),
    ContractField(
        key="sharingCondition",
        title=("共享条件", "Condition of sharing"),
        group="sharing",
        kind=FieldKind.LONG,
        width=26,
        help=("有条件共享时必填", "Needed where sharing is on condition"),
    ),
    ContractField(
        key="sharingBasis",
        title=("不予共享依据", "Basis for withholding"),
        group="sharing",
        kind=FieldKind.LONG,
        width=26,
        help=(
            "不予共享时必填：法律、行政法规或国务院政策，写到条",
            "Needed where withheld: the law, down to the article",
        ),
    ),
    ContractField(
        key="shareChannel",
        title=("共享方式", "Channel"),
        group="sharing",
        kind=FieldKind.WORD,
        words=_titled(CHANNEL_TITLES),
        width=14,
    ),
    ContractField(
        key="shareModes",
        title=("使用方式", "Modes"),
        group="sharing",
        kind=FieldKind.WORDS,
        words=_titled(MODE_TITLES),
        width=20,
        help=("多个用顿号隔开：核验、查询、批量、订阅、可用不可见", "Several are separated by commas"),
    ),
    ContractField(
        key="openingType",
        title=("开放类型", "Opening type"),
        group="opening",
        kind=FieldKind.WORD,
        words=OPENING_TITLES,
        width=12,
    ),
    ContractField(
        key="openingCondition",
        title=("开放条件", "Condition of opening"),
        group="opening",
        kind=FieldKind.LONG,
        width=26,
    ),
    ContractField(key="licence", title=("许可协议", "Licence"), group="opening", width=14),
    ContractField(key="attribution", title=("署名", "Attribution"), group="opening", width=20),
    ContractField(
        key="frequency",
        title=("更新周期", "Update cycle"),
        group="service",
        kind=FieldKind.WORD,
        place=Place.FREQUENCY,
        words=_titled(CYCLE_TITLES),
        needed=True,
        width=10,
    ),
    ContractField(
        key="collectMode",
        title=("归集方式", "Way of collecting"),
        group="service",
        kind=FieldKind.WORD,
        words=_titled(COLLECT_MODE_TITLES),
        width=12,
    ),
    ContractField(
        key="eventTimeColumn",
        title=("先后依据的列", "Event time column"),
        group="service",
        width=16,
        help=("按它判断迟到的数据", "It tells late rows from later ones"),
    ),
    ContractField(
        key="schemaDrift",
        title=("列不一致时", "When columns differ"),
        group="service",
        kind=FieldKind.WORD,
        words=DRIFT_FIELD_TITLES,
        width=16,
    ),
    ContractField(
        key="billRequired", title=("必须附对账单", "Bill required"), group="service", kind=FieldKind.FLAG, width=12
    ),
    ContractField(
        key="landingRetentionDays",
        title=("原始文件保留天数", "Files are kept for days"),
        group="service",
        kind=FieldKind.NUMBER,
        width=12,
    ),
    *(
        ContractField(
            key=f"stage.{stage.value}",
            title=(f"{zh}责任", f"{en}: who answers"),
            group="stages",
            place=Place.STAGE,
            width=14,
        )
        for stage, (zh, en) in STAGE_TITLES.items()
    ),
)

COLUMN_FIELDS: Final[tuple[ContractField, ...]] = (
    ContractField(
        key="businessName", title=("信息项名称", "Title"), group="column", place=Place.FIELD, needed=True, width=20
    ),
    ContractField(
        key="name",
        title=("字段名", "Column name"),
        group="column",
        place=Place.FIELD,
        needed=True,
        width=18,
        help=("小写字母、数字和下划线", "Lower-case letters, digits and underscores"),
    ),
    ContractField(key="titleEn", title=("英文名称", "English title"), group="column", width=18),
    ContractField(
        key="physicalName",
        title=("文件表头", "Header in files"),
        group="column",
        place=Place.FIELD,
        width=14,
        help=("与字段名、名称不同时填写", "Where it differs from name and title"),
    ),
    ContractField(
        key="logicalType",
        title=("数据类型", "Type"),
        group="column",
        kind=FieldKind.WORD,
        place=Place.FIELD,
        words=_titled(TYPE_TITLES),
        aliases=TYPE_ALIASES,
        needed=True,
        width=12,
    ),
    ContractField(
        key="maxLength",
        title=("数据长度", "Longest"),
        group="column",
        kind=FieldKind.NUMBER,
        place=Place.OPTION,
        width=10,
        help=("字符数上限", "In characters"),
    ),
    ContractField(
        key="format",
        title=("日期格式", "Date format"),
        group="column",
        place=Place.OPTION,
        width=12,
        help=("如yyyy-MM-dd", "E.g. yyyy-MM-dd"),
    ),
    ContractField(
        key="primaryKey", title=("主键", "Key"), group="column", kind=FieldKind.FLAG, place=Place.FIELD, width=6
    ),
    ContractField(
        key="required", title=("必填", "Required"), group="column", kind=FieldKind.FLAG, place=Place.FIELD, width=6
    ),
    ContractField(
        key="unique", title=("唯一", "Unique"), group="column", kind=FieldKind.FLAG, place=Place.FIELD, width=6
    ),
    ContractField(
        key="minimum", title=("最小值", "Minimum"), group="column", kind=FieldKind.BOUND, place=Place.OPTION, width=10
    ),
    ContractField(
        key="maximum", title=("最大值", "Maximum"), group="column", kind=FieldKind.BOUND, place=Place.OPTION, width=10
    ),
    ContractField(
        key="pattern",
        title=("格式（正则）", "Pattern"),
        group="column",
        place=Place.OPTION,
        width=16,
        help=("RE2表达式，匹配整个值", "An RE2 expression for the whole value"),
    ),
    ContractField(key="unit", title=("单位", "Unit"), group="column", width=8),
    ContractField(
        key="element",
        title=("数据元", "Data element"),
        group="column",
        width=12,
        help=("如DE-00412", "E.g. DE-00412"),
    ),
    ContractField(
        key="codeList",
        title=("代码集", "Code list"),
        group="column",
        width=14,
        help=("如GB/T 2261.1", "E.g. GB/T 2261.1"),
    ),
    ContractField(
        key="identifierKind",
        title=("标识码", "Identifier"),
        group="column",
        kind=FieldKind.WORD,
        words=IDENTIFIER_FIELD_TITLES,
        width=16,
    ),
    ContractField(
        key="classification",
        title=("分级", "Grade"),
        group="column",
        kind=FieldKind.WORD,
        place=Place.FIELD,
        words=GRADE_FIELD_TITLES,
        needed=True,
        width=10,
        help=("GB/T 43697", "GB/T 43697"),
    ),
    ContractField(
        key="sharingType",
        title=("共享类型", "Sharing type"),
        group="column",
        kind=FieldKind.WORD,
        words=_SHARING,
        width=12,
        help=("不填即同资源", "Empty: as the resource"),
    ),
    ContractField(key="sharingCondition", title=("共享条件", "Condition of sharing"), group="column", width=20),
    ContractField(
        key="sharingBasis",
        title=("不予共享依据", "Basis for withholding"),
        group="column",
        width=22,
        help=("不予共享时必填，写到条", "Needed where withheld, down to the article"),
    ),
    ContractField(key="verify", title=("可核验", "Verifiable"), group="column", kind=FieldKind.FLAG, width=8),
    ContractField(
        key="mask",
        title=("掩码", "Mask"),
        group="column",
        kind=FieldKind.WORD,
        words=_titled(MASK_TITLES),
        width=14,
    ),
    ContractField(
        key="sourceAgency",
        title=("来源部门", "Source agency"),
        group="column",
        width=14,
        help=("不是本部门产生时填写", "Where another agency makes it"),
    ),
    ContractField(
        key="sourceMaterial",
        title=("来源材料", "Source material"),
        group="column",
        width=16,
        help=("证照、表单或记录名", "The paper, licence or record"),
    ),
    ContractField(
        key="description",
        title=("说明", "Note"),
        group="column",
        kind=FieldKind.LONG,
        place=Place.FIELD,
        width=26,
    ),
)
RESOURCE_BY_KEY: Final[Mapping[str, ContractField]] = {one.key: one for one in RESOURCE_FIELDS}
COLUMN_BY_KEY: Final[Mapping[str, ContractField]] = {one.key: one for one in COLUMN_FIELDS}
