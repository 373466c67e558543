"""The closed word lists of a contract, each with its Chinese title and its source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class LogicalType(StrEnum):
    """The ODCS logical types that a table's column may have; ODCS also knows time, object, array, map and vector."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    DATE = "date"
    TIMESTAMP = "timestamp"
    BOOLEAN = "boolean"


class SharingType(StrEnum):
    """共享类型, 《政务信息资源共享管理暂行办法》(国发〔2016〕51号) Articles 9 and 10."""

    UNCONDITIONAL = "unconditional"
    CONDITIONAL = "conditional"
    WITHHELD = "withheld"


class ShareMode(StrEnum):
    """使用方式."""

    VERIFY = "verify"
    QUERY = "query"
    BATCH = "batch"
    SUBSCRIBE = "subscribe"
    COMPUTE = "compute"


class UpdateCycle(StrEnum):
    """更新周期 of the 2017 catalogue guide, with the additions of deployed catalogues (每旬, 每半年, 不定时, 其他)."""

    REALTIME = "realtime"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    TEN_DAYS = "ten-days"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    HALF_YEARLY = "half-yearly"
    YEARLY = "yearly"
    IRREGULAR = "irregular"
    OTHER = "other"


class IdentifierKind(StrEnum):
    """Identifiers whose check character or register the platform knows."""

    USCC = "uscc"  # GB 32100
    RESIDENT_ID = "resident_id"  # GB 11643
    ORG_CODE = "org_code"  # GB 11714
    DIVISION_CODE = "division_code"  # GB/T 2260, as of a date


class Mask(StrEnum):
    """How a masked column is shown: the forms in use, GB/T 37964-2019 抑制 and 泛化."""

    NONE = "none"
    ID_6_4 = "id_6_4"  # first six and last four of an identity number
    MOBILE_3_4 = "mobile_3_4"
    BANK_6_4 = "bank_6_4"
    SURNAME = "surname"
    EMAIL = "email"
    ENDS = "ends"  # first and last character
    YEAR = "year"  # a date to its year
    ALL = "all"


class CollectMode(StrEnum):
    """How a delivered file becomes the next version of the table."""

    REPLACE = "replace"  # the file is the whole table
    APPEND = "append"
    UPSERT = "upsert"  # rows replace those of the same key
    DIFF = "diff"  # the whole table, compared by key: changes and deletions are told


class DriftPolicy(StrEnum):
    """What happens when a file's columns are not the contract's."""

    REFUSE = "refuse"
    MAP = "map"  # renamed columns are mapped on strong evidence, new ones left out and reported


class Secrecy(StrEnum):
    """What the provider declares about secrets, which 《政务数据共享条例》 leaves out of sharing."""

    UNSTATED = "unstated"
    NONE = "none"
    STATE = "state"
    WORK = "work"


class ShareChannel(StrEnum):
    """共享方式 of the 2017 guide: by the platform, by mail, by a medium."""

    PLATFORM = "platform"
    MAIL = "mail"
    MEDIUM = "medium"


class ResourceFormat(StrEnum):
    """信息资源格式, the guide's classes."""

    DOCUMENT = "document"
    SPREADSHEET = "spreadsheet"
    DATABASE = "database"
    IMAGE = "image"
    STREAM = "stream"
    SELF_DESCRIBING = "self-describing"
    OTHER = "other"


class Stage(StrEnum):
    """A stage of the data's life for which somebody answers."""

    COLLECT = "collect"
    STORE = "store"
    PROCESS = "process"
    PROVIDE = "provide"
    USE = "use"
    DESTROY = "destroy"


SHARING_TITLES: Final[Mapping[SharingType, tuple[str, str]]] = {
    SharingType.UNCONDITIONAL: ("无条件共享", "Shared without condition"),
    SharingType.CONDITIONAL: ("有条件共享", "Shared on condition"),
    SharingType.WITHHELD: ("不予共享", "Withheld"),
}
MODE_TITLES: Final[Mapping[ShareMode, tuple[str, str]]] = {
    ShareMode.VERIFY: ("核验", "Verify"),
    ShareMode.QUERY: ("查询", "Query"),
    ShareMode.BATCH: ("批量", "Batch"),
    ShareMode.SUBSCRIBE: ("订阅", "Subscribe"),
    ShareMode.COMPUTE: ("可用不可见", "Compute"),
}
COLLECT_MODE_TITLES: Final[Mapping[CollectMode, tuple[str, str]]] = {
    CollectMode.REPLACE: ("全量替换", "Replace all"),
    CollectMode.APPEND: ("追加", "Append"),
    CollectMode.UPSERT: ("按主键更新", "Insert or update by key"),
    CollectMode.DIFF: ("全量比对", "Compare all by key"),
}
SECRECY_TITLES: Final[Mapping[Secrecy, tuple[str, str]]] = {
    Secrecy.UNSTATED: ("未声明", "Not stated"),
    Secrecy.NONE: ("不含国家秘密和工作秘密", "Holds no state or work secret"),
    Secrecy.STATE: ("含国家秘密", "Holds state secrets"),
    Secrecy.WORK: ("含工作秘密", "Holds work secrets"),
}
CHANNEL_TITLES: Final[Mapping[ShareChannel, tuple[str, str]]] = {
    ShareChannel.PLATFORM: ("共享平台方式", "By the platform"),
    ShareChannel.MAIL: ("邮件方式", "By mail"),
    ShareChannel.MEDIUM: ("介质方式", "By a medium"),
}
FORMAT_TITLES: Final[Mapping[ResourceFormat, tuple[str, str]]] = {
    ResourceFormat.DOCUMENT: ("电子文件", "Document"),
    ResourceFormat.SPREADSHEET: ("电子表格", "Spreadsheet"),
    ResourceFormat.DATABASE: ("数据库", "Database"),
    ResourceFormat.IMAGE: ("图形图像", "Image"),
    ResourceFormat.STREAM: ("流媒体", "Streaming media"),
    ResourceFormat.SELF_DESCRIBING: ("自描述格式", "Self-describing format"),
    ResourceFormat.OTHER: ("其他", "Other"),
}
STAGE_TITLES: Final[Mapping[Stage, tuple[str, str]]] = {
    Stage.COLLECT: ("采集", "Collect"),
    Stage.STORE: ("存储", "Store"),
    Stage.PROCESS: ("加工", "Process"),
    Stage.PROVIDE: ("提供", "Provide"),
    Stage.USE: ("使用", "Use"),
    Stage.DESTROY: ("销毁", "Destroy"),
}
MASK_TITLES: Final[Mapping[Mask, tuple[str, str]]] = {
    Mask.NONE: ("不掩码", "None"),
    Mask.ID_6_4: ("证件号前6后4", "Identity number, first 6 and last 4"),
    Mask.MOBILE_3_4: ("手机号前3后4", "Mobile number, first 3 and last 4"),
    Mask.BANK_6_4: ("银行卡前6后4", "Bank card, first 6 and last 4"),
    Mask.SURNAME: ("保留姓氏", "Surname kept"),
    Mask.EMAIL: ("邮箱首字母", "First letter of the address"),
    Mask.ENDS: ("保留首尾", "First and last character"),
    Mask.YEAR: ("只留年份", "Year only"),
    Mask.ALL: ("全部掩码", "All"),
}
CYCLE_TITLES: Final[Mapping[UpdateCycle, tuple[str, str]]] = {
    UpdateCycle.REALTIME: ("实时", "Real time"),
    UpdateCycle.HOURLY: ("每小时", "Hourly"),
    UpdateCycle.DAILY: ("每日", "Daily"),
    UpdateCycle.WEEKLY: ("每周", "Weekly"),
    UpdateCycle.TEN_DAYS: ("每旬", "Every ten days"),
    UpdateCycle.MONTHLY: ("每月", "Monthly"),
    UpdateCycle.QUARTERLY: ("每季度", "Quarterly"),
    UpdateCycle.HALF_YEARLY: ("每半年", "Half-yearly"),
    UpdateCycle.YEARLY: ("每年", "Yearly"),
    UpdateCycle.IRREGULAR: ("不定时", "Irregular"),
    UpdateCycle.OTHER: ("其他", "Other"),
}
TYPE_TITLES: Final[Mapping[LogicalType, tuple[str, str]]] = {
    LogicalType.STRING: ("字符", "Text"),
    LogicalType.INTEGER: ("整数", "Integer"),
    LogicalType.NUMBER: ("数值", "Number"),
    LogicalType.DATE: ("日期", "Date"),
    LogicalType.TIMESTAMP: ("日期时间", "Date and time"),
    LogicalType.BOOLEAN: ("是否", "Yes or no"),
}
GRADE_TITLES: Final[Mapping[int, tuple[str, str]]] = {
    1: ("一般1级", "General 1"),
    2: ("一般2级", "General 2"),
    3: ("一般3级", "General 3"),
    4: ("一般4级", "General 4"),
    5: ("重要", "Important"),
    6: ("核心", "Core"),
}
"""GB/T 43697-2024: core, important and general data, annex H's four levels within general."""

GRADE_WHEN_ABSENT: Final = 4
"""A column without a classification is treated as the highest grade of general data: fail closed."""

_GRADES: Final[Mapping[str, int]] = {
    **{zh: grade for grade, (zh, _) in GRADE_TITLES.items()},
    **{en.lower().replace(" ", "-"): grade for grade, (_, en) in GRADE_TITLES.items()},
}
GRADE_WORDS: Final = tuple(_GRADES)

_FREQUENCIES: Final[Mapping[tuple[float, str], UpdateCycle]] = {
    (1, "h"): UpdateCycle.HOURLY,
    (1, "d"): UpdateCycle.DAILY,
    (24, "h"): UpdateCycle.DAILY,
    (7, "d"): UpdateCycle.WEEKLY,
    (1, "w"): UpdateCycle.WEEKLY,
    (10, "d"): UpdateCycle.TEN_DAYS,
    (1, "mo"): UpdateCycle.MONTHLY,
    (3, "mo"): UpdateCycle.QUARTERLY,
    (1, "q"): UpdateCycle.QUARTERLY,
    (6, "mo"): UpdateCycle.HALF_YEARLY,
    (12, "mo"): UpdateCycle.YEARLY,
    (1, "y"): UpdateCycle.YEARLY,
}
_UNITS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("h", "hr", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("w", "wk", "week", "weeks"), "w"),
    **dict.fromkeys(("mo", "month", "months"), "mo"),
    **dict.fromkeys(("q", "quarter", "quarters"), "q"),
    **dict.fromkeys(("y", "yr", "year", "years"), "y"),
}

DATE_FORMAT: Final = re.compile(r"(yyyy|MM?|dd?|HH?|mm|ss|SSS|XXX|'T'|[-/.: 年月日时分秒])+")
"""The letters of the JDK's DateTimeFormatter (which ODCS names) that the collector reads."""


def grade_of(classification: str) -> int | None:
    """一般2级 or general-2 → 2; 重要 → 5; 核心 → 6; anything else → None."""
    return _GRADES.get(classification.strip().lower())


def cycle_of(value: object, unit: object) -> UpdateCycle | None:
    """An ODCS `frequency` service level as an update cycle: (1, "d") → daily; ("irregular", None) → irregular."""
    if isinstance(value, str):
        return UpdateCycle(value) if value in set(UpdateCycle) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isinstance(unit, str):
        return None
    return _FREQUENCIES.get((value, _UNITS.get(unit.lower(), "")))
