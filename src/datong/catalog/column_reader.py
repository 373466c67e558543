"""One ODCS property into a `Column`, with our own rules about what a column may say."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from datong.catalog.collecting_words import CLEANING_STEPS, read_cleaning
from datong.catalog.reading import CUSTOM_WORDS_COLUMN, CustomWords, Part
from datong.catalog.reference_reader import read_column_references
from datong.catalog.values import Column, QualityRule
from datong.catalog.words import (
    DATE_FORMAT,
    GRADE_TITLES,
    GRADE_WHEN_ABSENT,
    GRADE_WORDS,
    IdentifierKind,
    LogicalType,
    Mask,
    SharingType,
    grade_of,
)
from datong.standards.code_lists import CodeListUnknown, get_code_list

COLUMN_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NOT_RE2 = re.compile(r"\(\?(=|!|<=|<!|>|P[=>])|\\[1-9]|[*+?}]\+")
_DECIMAL = re.compile(r"decimal\((\d{1,2}),\s*(\d{1,2})\)", re.IGNORECASE)
_OPERATORS = (
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
)
_NUMERIC = (LogicalType.INTEGER, LogicalType.NUMBER)
_TEMPORAL = (LogicalType.DATE, LogicalType.TIMESTAMP)


def read_column(part: Part, position: int, sharing: SharingType, null_tokens: tuple[str, ...]) -> Column:
    """Read a property; `sharing` and `null_tokens` are the contract's. Findings go to the part's document."""
    custom = CustomWords(part, CUSTOM_WORDS_COLUMN)
    kind = _logical_type(part)
    options = part.mapping("logicalTypeOptions")
    rules = read_rules(part)
    own = custom.word("sharingType", SharingType, sharing)
    key_position = part.integer("primaryKeyPosition")
    column = Column(
        name=_name(part),
        title=part.text("businessName") or part.text("name"),
        title_en=custom.text("titleEn"),
        description=part.text("description"),
        logical_type=kind,
        physical_name=part.text("physicalName"),
        physical_type=part.text("physicalType"),
        required=part.flag("required") or part.flag("primaryKey"),
        unique=part.flag("unique"),
        primary_key=part.flag("primaryKey"),
        key_position=key_position if key_position is not None and key_position > 0 else 1000 + position,
        element=custom.text("element"),
        code_list=_code_list(custom),
        values=_values(part, rules),
        identifier=_identifier(custom, kind),
        identifier_as_of=custom.text("identifierAsOf"),
        identifier_severity=_severity(custom),
        pattern=_pattern(options),
        length_min=options.integer("minLength"),
        length_max=options.integer("maxLength"),
        minimum=_bound(options, kind, "minimum"),
        maximum=_bound(options, kind, "maximum"),
        minimum_is_exclusive="exclusiveMinimum" in options.data,
        maximum_is_exclusive="exclusiveMaximum" in options.data,
        date_format=_date_format(options, kind),
        unit=custom.text("unit"),
        rules=rules,
        grade=_grade(part),
        sharing=own,
        sharing_basis=custom.text("sharingBasis"),
        sharing_condition=custom.text("sharingCondition"),
        verify=custom.flag("verify", default=False),
        mask=custom.word("mask", Mask, Mask.NONE),
        null_tokens=tuple(dict.fromkeys((*null_tokens, *custom.texts("nullTokens")))),
        cleaning=read_cleaning(custom, part, CLEANING_STEPS),
        references=read_column_references(part, part.text("name")),
        source_agency=custom.text("sourceAgency"),
        source_material=custom.text("sourceMaterial"),
    )
    _check_together(part, custom, column, sharing)
    return column


def _name(part: Part) -> str:
    name = part.text("name")
    if name and (not COLUMN_NAME.fullmatch(name) or "__" in name):
        part.add(
            "column.name",
            (f"`{name}` cannot name a column", f"“{name}”不能作为列名"),
            (
                (
                    "Use lower-case letters, digits and single underscores, a letter first; "
                    "put the file's own header into `physicalName`."
                ),
                "请用小写字母、数字和单个下划线，以字母开头；文件里的表头写进physicalName。",
            ),
            key="name",
        )
    return name


def _logical_type(part: Part) -> LogicalType:
    text = part.text("logicalType")
    if text in set(LogicalType):
        return LogicalType(text)
    if text in {"time", "object", "array", "map", "vector"}:
        part.add(
            "column.type-not-tabular",
            (f"A table's column cannot be of type {text}", f"表的列不能是{text}类型"),
            (f"One of: {', '.join(LogicalType)}.", f"可用值：{', '.join(LogicalType)}。"),
            key="logicalType",
        )
    elif "logicalType" not in part.data:
        part.add(
            "column.type-missing",
            ("The column has no logicalType", "该列没有写logicalType"),
            (
                f"Add `logicalType:`, one of: {', '.join(LogicalType)}.",
                f"请补上logicalType，可用值：{', '.join(LogicalType)}。",
            ),
        )
    return LogicalType.STRING


def _code_list(custom: CustomWords) -> str:
    name = custom.text("codeList")
    if name:
        try:
            get_code_list(name)
        except CodeListUnknown as unknown:
            custom.add(
                "codeList",
                "column.code-list",
                (f"There is no code list `{name}`", f"没有名为“{name}”的代码集"),
                (unknown.hint, unknown.hint_zh),
            )
    return name


def _values(part: Part, rules: tuple[QualityRule, ...]) -> tuple[str, ...]:
    """Allowed values: ODCS `enum`, or the validValues of an invalidValues rule that must be 0."""
    items: list[Any] = [item.data.get("value") for item in part.mappings("enum")]
    for rule in rules:
        if rule.metric == "invalidValues" and rule.operator == "mustBe" and rule.bound == 0:
            given = rule.arguments.get("validValues")
            items += given if isinstance(given, list) else []
    return tuple(dict.fromkeys(str(item) for item in items if item is not None))


def _identifier(custom: CustomWords, kind: LogicalType) -> IdentifierKind | None:
    if not custom.has("identifierKind"):
        return None
    found = custom.words("identifierKind", IdentifierKind)
    if kind is not LogicalType.STRING:
        custom.add(
            "identifierKind",
            "column.identifier-type",
            (
                "An identifier must be a string: it has leading zeros and letters",
                "标识码必须是字符类型：可能有前导零和字母",
            ),
            ("Set `logicalType: string`.", "请写logicalType: string。"),
        )
    return next(iter(found), None)


def _severity(custom: CustomWords) -> str:
    severity = custom.text("identifierSeverity", "reject")
    if severity not in {"reject", "warn"}:
        custom.add(
            "identifierSeverity",
            "custom.unknown-word",
            (f"`{severity}` is not a word of `identifierSeverity`", f"“{severity}”不是identifierSeverity的可用值"),
            ("One of: reject, warn.", "可用值：reject, warn。"),
        )
    return severity


def _pattern(options: Part) -> str:
    pattern = options.text("pattern")
    try:
        re.compile(pattern)
        wrong = "look-around, back-references and possessive repeats" if _NOT_RE2.search(pattern) else ""
    except re.error as problem:
        wrong = str(problem)
    if wrong:
        options.add(
            "column.pattern",
            (f"The pattern cannot be used: {wrong}", f"正则表达式不可用：{wrong}"),
            ("Write an RE2 expression; it must match the whole value.", "请使用RE2语法，表达式须匹配整个值。"),
            key="pattern",
        )
    return pattern


def _bound(options: Part, kind: LogicalType, side: str) -> int | float | str | None:
    """minimum or maximum, inclusive or exclusive; checked against the type."""
    exclusive = f"exclusive{side.capitalize()}"
    key = exclusive if exclusive in options.data else side
    value = options.data.get(key)
    if kind in _NUMERIC and isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if kind in _TEMPORAL and isinstance(value, str):
        try:
            (date if kind is LogicalType.DATE else datetime).fromisoformat(value)
        except ValueError:
            options.add(
                "column.bound",
                (f"`{value}` is not an ISO 8601 {kind.value}", f"“{value}”不是ISO 8601格式"),
                ("Write e.g. 1900-01-01.", "请写成1900-01-01这样的形式。"),
                key=key,
            )
        return value
    return None


def _date_format(options: Part, kind: LogicalType) -> str:
    text = options.text("format")
    if kind not in _TEMPORAL or not text:
        return ""
    if not DATE_FORMAT.fullmatch(text) or "yyyy" not in text:
        options.add(
            "column.date-format",
            (f"The date format `{text}` is not one that the collector reads", f"不支持日期格式“{text}”"),
            (
                "Use yyyy, MM, dd, HH, mm, ss with separators, e.g. yyyy-MM-dd.",
                "请用yyyy、MM、dd、HH、mm、ss加分隔符，如yyyy-MM-dd。",
            ),
            key="format",
        )
    return text


def _grade(part: Part) -> int:
    text = part.text("classification")
    if not text:
        return GRADE_WHEN_ABSENT
    grade = grade_of(text)
    if grade is None:
        part.add(
            "column.grade",
            (f"`{text}` is not a grade of GB/T 43697", f"“{text}”不是GB/T 43697的分级"),
            (
                f"One of: {', '.join(GRADE_WORDS[len(GRADE_TITLES) :])}.",
                f"可用值：{'、'.join(GRADE_WORDS[: len(GRADE_TITLES)])}。",
            ),
            key="classification",
        )
    return grade or GRADE_WHEN_ABSENT


def _check_together(part: Part, custom: CustomWords, column: Column, sharing: SharingType) -> None:
    """Rules over more than one word of the column."""
    if column.sharing is SharingType.WITHHELD and sharing is not SharingType.WITHHELD and not column.sharing_basis:
        custom.add(
            "sharingType",
            "column.basis-missing",
            ("A withheld column must cite the law that withholds it", "不予共享的信息项须写明法律法规依据"),
            ("Add the custom property `sharingBasis`.", "请补上sharingBasis。"),
        )
    if sharing is SharingType.WITHHELD and column.sharing is not SharingType.WITHHELD:
        custom.add(
            "sharingType",
            "column.sharing-wider",
            ("A column cannot be shared when its resource is withheld", "资源不予共享时，信息项不能共享"),
            (
                "Remove the column's sharingType, or share the resource.",
                "请删除该列的sharingType，或将资源改为可共享。",
            ),
        )
    if column.verify and column.sharing is SharingType.WITHHELD:
        custom.add(
            "verify",
            "column.verify-withheld",
            ("A withheld column cannot be verified", "不予共享的信息项不能用于核验"),
            ("Set `verify` to false.", "请把verify改为false。"),
        )
    if column.mask is Mask.YEAR and column.logical_type not in _TEMPORAL:
        custom.add(
            "mask",
            "column.mask",
            ("The mask `year` is for dates", "掩码year只用于日期"),
            ("Choose another mask.", "请换一种掩码。"),
        )
    if column.mask not in {Mask.NONE, Mask.ALL, Mask.YEAR} and column.logical_type is not LogicalType.STRING:
        custom.add(
            "mask",
            "column.mask",
            (f"The mask `{column.mask}` is for strings", f"掩码{column.mask}只用于字符列"),
            ("Use `all`.", "请用all。"),
        )
    low, high = column.minimum, column.maximum
    if low is not None and high is not None and type(low) is not bool and _above(low, high):
        part.mapping("logicalTypeOptions").add(
            "column.range",
            ("The minimum is above the maximum", "最小值大于最大值"),
            ("Exchange or correct them.", "请互换或更正。"),
        )
    if column.length_min is not None and column.length_max is not None and column.length_min > column.length_max:
        part.mapping("logicalTypeOptions").add(
            "column.range", ("minLength is above maxLength", "最短长度大于最长长度"), ("Correct them.", "请更正。")
        )


def _above(low: float | str, high: float | str) -> bool:
    if isinstance(low, str) or isinstance(high, str):
        return str(low) > str(high)
    return low > high


def read_rules(part: Part) -> tuple[QualityRule, ...]:
    """The ODCS quality rules of a column or of the table."""
    return tuple(_rule(item) for item in part.mappings("quality"))


def _rule(item: Part) -> QualityRule:
    operator = next((key for key in _OPERATORS if key in item.data), "")
    bound = item.data.get(operator) if operator else None
    metric = item.text("metric")
    implementation = item.data.get("implementation")
    return QualityRule(
        kind=item.text("type") or ("library" if metric else "text"),
        name=item.text("name") or item.text("id"),
        metric=metric,
        operator=operator,
        bound=tuple(bound) if isinstance(bound, list) else bound,
        arguments=item.mapping("arguments").data,
        unit=item.text("unit"),
        dimension=item.text("dimension"),
        severity=item.text("severity"),
        engine=item.text("engine"),
        implementation=implementation if isinstance(implementation, str) else item.text("query"),
        description=item.text("description"),
        path=".".join(str(step) for step in item.path),
        custom={
            word.text("property"): word.data.get("value")
            for word in item.mappings("customProperties")
            if word.text("property")
        },
    )
