"""From a column's measurements to a contract's words: type, element, code list, grade, mask, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datong.catalog.words import GRADE_TITLES, LogicalType, Mask
from datong.collect.delimited import split_unit
from datong.collect.infer.model import ColumnProfile, ColumnSuggestion, KeyCandidate, LinkCandidate
from datong.collect.infer.naming import is_chinese, plain_identifier, unlike
from datong.kernel import clock
from datong.kernel.limits import INFER_ENUM_MAX
from datong.privacy.detect.model import SensitiveColumn
from datong.standards.code_lists import CodeList, find_code_lists
from datong.standards.matching import ElementMatch, SampleFacts, match_elements, plain_name, values_pass

_TAKEN_SCORE = 0.7
_STRONG = 0.55
_DIVISION_SHARE_MIN = 0.9
_ROWS_FOR_RULES = 30
"""Of fewer rows nothing is concluded about what must be."""
_VARIETY_MIN = 5
"""Fewer distinct values have one form by chance."""
_WIDTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 4000)
_TYPE_WORDS = {
    LogicalType.STRING: ("字符", "text"),
    LogicalType.INTEGER: ("整数", "whole numbers"),
    LogicalType.NUMBER: ("数值", "numbers"),
    LogicalType.DATE: ("日期", "dates"),
    LogicalType.TIMESTAMP: ("日期时间", "times"),
    LogicalType.BOOLEAN: ("是否", "yes or no"),
}
_CODE_ENDS = ("代码", "编码", "编号", "号码", "证号", "序号", "code", "_no", "_id", "number")
Reason = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnContext:
    """What else is known when a column's words are chosen."""

    rows: int
    values: Sequence[str]
    sensitive: Sequence[SensitiveColumn]
    is_personal: bool
    key: KeyCandidate | None
    unique: frozenset[str]
    link: LinkCandidate | None
    link_resource: str
    link_column: str


def suggest_column(profile: ColumnProfile, context: ColumnContext, taken: Sequence[str]) -> ColumnSuggestion:
    """The words of one column. `taken` are the names that earlier columns have."""
    reasons: list[Reason] = [_seen(profile)]
    strong = _strong(context)
    elements = _elements(profile, context)
    element = elements[0] if elements and elements[0].score >= _TAKEN_SCORE else None
    kind = _type(profile, strong, element, reasons)
    name = unlike(_name(profile, element), taken)
    words: dict[str, Any] = {"name": name, "businessName": _title(profile, element)}
    if profile.name != name:
        words["physicalName"] = profile.title if profile.declared_type == "" and profile.title else profile.name
    words |= {"logicalType": kind.value, "physicalType": _physical(profile, kind)}
    _say_presence(profile, context, words, reasons)
    words["classification"] = GRADE_TITLES[_grade(strong, context, reasons)][0]
    options = _options(profile, kind, context, strong, reasons)
    if options:
        words["logicalTypeOptions"] = options
    if profile.comment and profile.comment != words["businessName"]:
        words["description"] = profile.comment[:500]
    custom: list[dict[str, Any]] = []
    english = (profile.title or profile.name).replace("_", " ")[:100]
    if english.isascii() and english not in (name, words["businessName"]):
        custom.append({"property": "titleEn", "value": english})
    _say_element(element, custom, reasons)
    _say_identity(kind, context, custom, reasons)
    if profile.null_words:
        custom.append({"property": "nullTokens", "value": list(profile.null_words)})
        texts = "、".join(profile.null_words)
        reasons.append((f"表示空值的写法：{texts}", f"written for nothing: {', '.join(profile.null_words)}"))
    unit = split_unit(profile.title)[1]
    if unit and kind in (LogicalType.INTEGER, LogicalType.NUMBER):
        custom.append({"property": "unit", "value": unit})
    if context.link is not None:
        words["relationships"] = [{"type": "foreignKey", "to": f"{context.link_resource}.{context.link_column}"}]
        reasons.append(_link_reason(context.link))
    if custom:
        words["customProperties"] = custom
    _say_values(profile, context, _code_list(profile, element), words, reasons)
    return ColumnSuggestion(
        profile=profile,
        name=name,
        logical_type=kind,
        words=words,
        reasons=tuple(reasons),
        sensitive=tuple(context.sensitive),
        elements=tuple(elements[:3]),
    )


def _strong(context: ColumnContext) -> list[SensitiveColumn]:
    """The findings that are likely enough to act on; one identity number amid remarks is enough."""
    return [each for each in context.sensitive if each.is_embedded or each.confidence >= _STRONG]


def _seen(profile: ColumnProfile) -> Reason:
    distinct = f"{'' if profile.distinct_is_exact else '约'}{profile.distinct}"
    lengths = f"长度{profile.length_min}–{profile.length_max}"
    zh = f"{profile.values}个值，空值{profile.null_share:.2%}，不同值{distinct}个，{lengths}"
    about = "" if profile.distinct_is_exact else "about "
    en = (
        f"{profile.values} values, {profile.null_share:.2%} empty, {about}{profile.distinct} distinct, "
        f"{profile.length_min} to {profile.length_max} characters"
    )
    if profile.declared_type:
        zh, en = f"{zh}，库中类型{profile.declared_type}", f"{en}, declared {profile.declared_type}"
    return zh, en


def _elements(profile: ColumnProfile, context: ColumnContext) -> list[ElementMatch]:
    shares = {each.identifier: each.share for each in context.sensitive if each.identifier and each.matched}
    facts = SampleFacts(
        logical_type=profile.guess.logical_type.value if profile.values else "",
        length_min=profile.length_min or None,
        length_max=profile.length_max or None,
        values=context.values,
        identifier_shares=shares,
    )
    found = match_elements(profile.name, split_unit(profile.title)[0], facts)
    has_names = any(each.kind == "person_name" for each in context.sensitive)
    return [match for match in found if has_names or "姓名" not in match.element.title_zh]


def _name(profile: ColumnProfile, element: ElementMatch | None) -> str:
    source = profile.name
    if is_chinese(source) and element is not None:
        return element.element.name
    return plain_identifier(source, "c")


def _title(profile: ColumnProfile, element: ElementMatch | None) -> str:
    title = split_unit(profile.title.rsplit("/", 1)[-1])[0] if profile.title else ""
    if is_chinese(title):
        return title[:50]
    if is_chinese(profile.name):
        return split_unit(profile.name)[0][:50]
    return element.element.title_zh if element else (title or profile.name)[:50]


def _type(
    profile: ColumnProfile, strong: Sequence[SensitiveColumn], element: ElementMatch | None, reasons: list[Reason]
) -> LogicalType:
    kind = profile.guess.logical_type
    zh, en = _TYPE_WORDS[kind]
    if not profile.values:
        reasons.append(("全部为空，类型待定", "all empty: the type is open"))
        return LogicalType.STRING
    failing = profile.guess.failing
    if failing:
        reasons.append(
            (
                f"{profile.values - failing}个值是{zh}，{failing}个不是（如“{_cut(profile.guess.example)}”）",
                f"{profile.values - failing} values are {en}, {failing} not, as {_cut(profile.guess.example)!r}",
            )
        )
    else:
        form = f"（{profile.guess.date_format}）" if profile.guess.date_format else ""
        reasons.append((f"全部值都是{zh}{form}", f"all values are {en} {profile.guess.date_format}".rstrip()))
    if kind in (LogicalType.INTEGER, LogicalType.DATE) and _is_code(profile, strong, element):
        reasons.append(("是编码或标识，按字符保存", "they are codes, kept as text"))
        return LogicalType.STRING
    if profile.has_leading_zeros and kind is LogicalType.STRING and profile.shape.strip("9") == "":
        reasons.append(("有前导零，按字符保存", "leading zeros: kept as text"))
    return kind


def _cut(text: str) -> str:
    return text if len(text) <= 20 else text[:20] + "…"


def _is_code(profile: ColumnProfile, strong: Sequence[SensitiveColumn], element: ElementMatch | None) -> bool:
    if any(each.matched and each.mask not in (Mask.NONE, Mask.YEAR) and not each.is_embedded for each in strong):
        return True
    if element is not None:
        return element.element.type == "string"
    if profile.guess.logical_type is LogicalType.DATE:
        return False
    named = (profile.title or profile.name).casefold().endswith(_CODE_ENDS)
    return (named and profile.length_min == profile.length_max and profile.length_max >= 4) or profile.length_max > 15


def _physical(profile: ColumnProfile, kind: LogicalType) -> str:
    if kind is LogicalType.STRING:
        width = next((width for width in _WIDTHS if width >= profile.length_max), 0)
        return f"varchar({width})" if width else "text"
    if kind is LogicalType.NUMBER:
        whole = len(profile.maximum.partition(".")[0].lstrip("-")) + 2
        return f"decimal({min(38, max(10, whole + profile.scale))},{min(12, profile.scale)})"
    return {"integer": "bigint", "timestamp": "timestamp", "boolean": "boolean"}.get(kind.value, kind.value)


def _say_presence(profile: ColumnProfile, context: ColumnContext, words: dict[str, Any], reasons: list[Reason]) -> None:
    if context.key is not None and profile.name in context.key.columns:
        words |= {
            "primaryKey": True,
            "primaryKeyPosition": context.key.columns.index(profile.name) + 1,
            "required": True,
        }
        if context.key.declared:
            reasons.append(("库中声明为主键", "declared as the primary key"))
        else:
            names = "、".join(context.key.columns)
            reasons.append(
                (
                    f"候选主键（{names}）：{context.rows}行无空值、无重复",
                    f"candidate key ({names}): never empty, never twice in {context.rows} rows",
                )
            )
        return
    if profile.values and not profile.nulls and context.rows >= _ROWS_FOR_RULES:
        words["required"] = True
        reasons.append((f"{context.rows}行中没有空值", f"never empty in {context.rows} rows"))
    if profile.name in context.unique and context.rows >= _ROWS_FOR_RULES:
        words["unique"] = True
        reasons.append(("没有重复值，也可作主键", "never twice the same: another candidate key"))


def _grade(strong: Sequence[SensitiveColumn], context: ColumnContext, reasons: list[Reason]) -> int:
    grade = 2 if context.is_personal else 1
    for each in strong:
        grade = max(grade, each.grade)
        law = "，属敏感个人信息（个人信息保护法第28条）" if each.is_sensitive else ""
        law_en = ", sensitive personal information (PIPL Article 28)" if each.is_sensitive else ""
        shown = f"，如{each.samples[0]}" if each.samples else ""
        reasons.append(
            (
                f"疑似{each.title_zh}：{each.reason_zh}{shown}{law}",
                f"probably {each.title_en}: {each.reason_en}{law_en}",
            )
        )
    return grade


def _options(
    profile: ColumnProfile,
    kind: LogicalType,
    context: ColumnContext,
    strong: Sequence[SensitiveColumn],
    reasons: list[Reason],
) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if kind is LogicalType.STRING and profile.values:
        if profile.length_min == profile.length_max and context.rows >= _ROWS_FOR_RULES:
            options |= {"minLength": profile.length_min, "maxLength": profile.length_max}
        else:
            options["maxLength"] = next((width for width in _WIDTHS if width >= profile.length_max), profile.length_max)
        pattern = _pattern(profile.shape) if profile.distinct >= _VARIETY_MIN else ""
        if pattern and context.rows >= _ROWS_FOR_RULES and not any(each.identifier for each in strong):
            options["pattern"] = pattern
            reasons.append((f"所有值同一格式：{profile.shape}", f"all values have one form: {profile.shape}"))
    if profile.guess.date_format and kind in (LogicalType.DATE, LogicalType.TIMESTAMP):
        options["format"] = profile.guess.date_format
        reasons.append((f"范围{profile.minimum}至{profile.maximum}", f"from {profile.minimum} to {profile.maximum}"))
    if kind in (LogicalType.INTEGER, LogicalType.NUMBER):
        quartiles = "、".join(f"{value:g}" for value in profile.quartiles)
        reasons.append(
            (
                f"范围{profile.minimum}至{profile.maximum}，四分位数{quartiles}",
                f"from {profile.minimum} to {profile.maximum}, quartiles {quartiles.replace('、', ', ')}",
            )
        )
        if profile.minimum and float(profile.minimum) >= 0 and context.rows >= _ROWS_FOR_RULES:
            options["minimum"] = 0
    return options


def _pattern(shape: str) -> str:
    """9999-AA → [0-9]{4}-[A-Z]{2}; "" for a shape with Chinese characters, or too long, or of digits alone."""
    if not shape or "汉" in shape or len(shape) > 40 or (not shape.strip("9Aa") and set(shape) <= {"9"}):
        return ""
    classes = {"9": "[0-9]", "A": "[A-Z]", "a": "[a-z]"}
    parts: list[tuple[str, int]] = []
    for letter in shape:
        piece = classes.get(letter) or (letter if letter.isalnum() or letter in "-_/: " else f"[{letter}]")
        if letter in "^\\]":
            return ""
        if parts and parts[-1][0] == piece:
            parts[-1] = (piece, parts[-1][1] + 1)
        else:
            parts.append((piece, 1))
    return "".join(piece if count == 1 else f"{piece}{{{count}}}" for piece, count in parts)


def _say_element(element: ElementMatch | None, custom: list[dict[str, Any]], reasons: list[Reason]) -> None:
    if element is not None:
        custom.append({"property": "element", "value": element.element.id})
        zh = "；".join(each.zh for each in element.evidence)
        en = "; ".join(each.en for each in element.evidence)
        reasons.append(
            (
                f"数据元{element.element.title_zh}（{element.score:.2f}）：{zh}",
                f"element {element.element.id} ({element.score:.2f}): {en}",
            )
        )


def _say_values(
    profile: ColumnProfile,
    context: ColumnContext,
    codes: CodeList | None,
    words: dict[str, Any],
    reasons: list[Reason],
) -> None:
    """The code list that holds all values; else a closed list of few values."""
    if codes is not None:
        words.setdefault("customProperties", []).append({"property": "codeList", "value": codes.name})
        count = len(profile.few)
        reasons.append((f"{count}个不同值都在{codes.title_zh}中", f"all {count} distinct values stand in {codes.name}"))
    elif _is_enumeration(profile, context):
        words["quality"] = [
            {
                "id": f"{words['name']}_values",
                "type": "library",
                "metric": "invalidValues",
                "arguments": {"validValues": list(profile.few)},
                "mustBe": 0,
                "severity": "warning",
            }
        ]
        shown = "、".join(f"{value}×{count}" for value, count in profile.top)
        reasons.append(
            (f"只有{len(profile.few)}种取值：{shown}", f"only {len(profile.few)} values: {shown.replace('、', ', ')}")
        )


def _is_enumeration(profile: ColumnProfile, context: ColumnContext) -> bool:
    few = len(profile.few)
    is_text = profile.guess.logical_type is LogicalType.STRING and not context.sensitive and context.link is None
    return is_text and 1 < few <= INFER_ENUM_MAX and profile.values >= 20 * few and profile.name not in context.unique


def _code_list(profile: ColumnProfile, element: ElementMatch | None) -> CodeList | None:
    """The smallest list that has all values, when its name or most of its codes speak for it."""
    values = set(profile.few)
    if len(values) < 2:
        return None
    name = plain_name(profile.title or profile.name)
    found = []
    for codes in find_code_lists():
        known = set(codes.values())
        if not values <= known:
            continue
        title = plain_name(codes.title_zh).removesuffix("代码").removesuffix("代码表")
        named = (bool(title) and (title in name or (len(name) > 1 and name.removesuffix("代码") in title))) or (
            plain_name(codes.name) in plain_name(profile.name)
        )
        is_element = element is not None and element.element.code_list.partition("@")[0] == codes.name
        if named or is_element or (len(values) >= 4 and len(values) * 10 >= len(known) * 6):
            found.append((not is_element, not named, len(known), codes))
    return min(found, key=lambda each: each[:3])[3] if found else None


def _say_identity(
    kind: LogicalType, context: ColumnContext, custom: list[dict[str, Any]], reasons: list[Reason]
) -> None:
    """The identifier to be checked and the mask under which it is shown."""
    strong = _strong(context)
    identifier = next((each for each in strong if each.identifier and each.share >= 0.5), None)
    if identifier is None and kind is LogicalType.STRING and context.values:
        share = values_pass("division_code", context.values, clock.today())
        if share >= _DIVISION_SHARE_MIN:
            custom.append({"property": "identifierKind", "value": "division_code"})
            custom.append({"property": "identifierSeverity", "value": "warn"})
            reasons.append(
                (f"{share:.1%}的不同值是行政区划代码", f"{share:.1%} of the distinct values are division codes")
            )
    if identifier is not None and kind is LogicalType.STRING:
        custom.append({"property": "identifierKind", "value": identifier.identifier})
        if identifier.share < 1:
            custom.append({"property": "identifierSeverity", "value": "warn"})
            bad = identifier.values - identifier.matched
            reasons.append((f"{bad}个值没有通过校验，先按提醒处理", f"{bad} values fail the check: a warning for now"))
    masks = [each.mask for each in sorted(strong, key=lambda each: -each.grade) if each.mask is not Mask.NONE]
    if masks:
        is_date = kind in (LogicalType.DATE, LogicalType.TIMESTAMP)
        mask = masks[0]
        if (mask is Mask.YEAR) is not is_date or (kind is not LogicalType.STRING and not is_date):
            mask = Mask.YEAR if is_date else Mask.ALL
        custom.append({"property": "mask", "value": mask.value})


def _link_reason(link: LinkCandidate) -> Reason:
    place = f"{link.to_table}.{link.to_column}"
    if link.declared:
        return f"库中声明的外键：{place}", f"declared foreign key to {place}"
    return f"{link.share:.2%}的不同值在{place}中", f"{link.share:.2%} of the distinct values stand in {place}"


def facts_of(suggestions: Sequence[ColumnSuggestion]) -> Mapping[str, Any]:
    """Counts for a summary line."""
    return {
        "columns": len(suggestions),
        "sensitive": sum(1 for each in suggestions if any(one.grade >= 3 for one in each.sensitive)),
        "elements": sum(1 for each in suggestions if each.elements and each.elements[0].score >= _TAKEN_SCORE),
    }
