"""What a change of a contract means for those who use the resource: pure comparison of two contracts.

Breaking: what a sender's file, a grantee's query or a reader's parser may no longer rely on. Compatible: what adds or
relaxes. The rest (titles, descriptions, fields that Datong does not use) is a correction. Semantic Versioning 2.0.0
then says which version must come next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from datong.catalog.contracts import ContractChange
from datong.catalog.values import Column, DataContract, ForeignKey, QualityRule
from datong.catalog.words import (
    CYCLE_TITLES,
    GRADE_TITLES,
    MODE_TITLES,
    SHARING_TITLES,
    TYPE_TITLES,
    DriftPolicy,
    LogicalType,
    Mask,
    SharingType,
    UpdateCycle,
)
from datong.kernel.failures import BadInput

Titles = tuple[str, str]
SemanticVersion = tuple[int, int, int]

_SHARING_RANK: Final = {kind: rank for rank, kind in enumerate(SharingType)}
_CYCLE_RANK: Final = {cycle: rank for rank, cycle in enumerate(UpdateCycle)}
_WIDENINGS: Final = frozenset({(LogicalType.INTEGER, LogicalType.NUMBER)})


class ChangeLevel(StrEnum):
    NONE = "none"
    CORRECTION = "correction"
    COMPATIBLE = "compatible"
    BREAKING = "breaking"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractDiff:
    """Every change between two contracts, and the lowest version that the new one may carry."""

    breaking: tuple[ContractChange, ...]
    compatible: tuple[ContractChange, ...]
    level: ChangeLevel
    old_version: str
    required_version: str

    def allows(self, version: str) -> bool:
        """Whether the new contract may carry this version."""
        return semantic_version(version) >= semantic_version(self.required_version)


def semantic_version(text: str) -> SemanticVersion:
    """1.20.3 → (1, 20, 3)."""
    major, minor, patch = (int(part) for part in text.split("."))
    return major, minor, patch


def diff_contracts(old: DataContract, new: DataContract) -> ContractDiff:
    """Compare two contracts of one resource. Raises `BadInput` when they describe different resources."""
    if old.id != new.id:
        raise BadInput(
            f"`{old.id}` and `{new.id}` are contracts of different resources; a resource's id never changes.",
            hint_zh=f"“{old.id}”与“{new.id}”是不同资源的契约；资源标识不能改变。",
            old_id=old.id,
            new_id=new.id,
        )
    changes = [*_contract_changes(old, new), *_columns_changes(old, new)]
    breaking = tuple(change for change in changes if change.is_breaking)
    compatible = tuple(change for change in changes if not change.is_breaking)
    level = _level(old, new, breaking, compatible)
    return ContractDiff(
        breaking=breaking,
        compatible=compatible,
        level=level,
        old_version=old.version,
        required_version=next_version(old.version, level),
    )


def next_version(version: str, level: ChangeLevel) -> str:
    """The lowest version after `version` that a change of this level may carry."""
    major, minor, patch = semantic_version(version)
    following: Mapping[ChangeLevel, SemanticVersion] = {
        ChangeLevel.NONE: (major, minor, patch),
        ChangeLevel.CORRECTION: (major, minor, patch + 1),
        ChangeLevel.COMPATIBLE: (major, minor + 1, 0),
        ChangeLevel.BREAKING: (major + 1, 0, 0),
    }
    return ".".join(str(part) for part in following[level])


def _level(
    old: DataContract, new: DataContract, breaking: tuple[ContractChange, ...], compatible: tuple[ContractChange, ...]
) -> ChangeLevel:
    if breaking:
        return ChangeLevel.BREAKING
    if compatible:
        return ChangeLevel.COMPATIBLE
    same = {**old.raw, "version": ""} == {**new.raw, "version": ""}
    return ChangeLevel.NONE if same else ChangeLevel.CORRECTION


def _change(code: str, *, breaking: bool, zh: str, en: str, column: str = "") -> ContractChange:
    return ContractChange(code=code, column=column, is_breaking=breaking, sentence_zh=zh, sentence_en=en)


def _contract_changes(old: DataContract, new: DataContract) -> Iterator[ContractChange]:
    """Changes of the resource as a whole."""
    if [c.name for c in old.key_columns] != [c.name for c in new.key_columns]:
        before, after = (", ".join(c.name for c in keys) or "—" for keys in (old.key_columns, new.key_columns))
        yield _change(
            "key.changed",
            breaking=True,
            zh=f"主键由{before}改为{after}",
            en=f"The key changes from {before} to {after}",
        )
    if old.validity != new.validity:
        yield _change("validity.changed", breaking=True, zh="有效期的列改变", en="The validity columns change")
    yield from _sharing_change("", "资源", "the resource", old.sharing.type, new.sharing.type)
    for mode in sorted(old.sharing.modes ^ new.sharing.modes):
        removed = mode in old.sharing.modes
        zh, en = MODE_TITLES[mode]
        yield _change(
            "mode.removed" if removed else "mode.added",
            breaking=removed,
            zh=f"{'不再提供' if removed else '新增'}使用方式“{zh}”",
            en=f"The mode {en.lower()} is {'removed' if removed else 'added'}",
        )
    if old.sharing.condition != new.sharing.condition and new.sharing.type is SharingType.CONDITIONAL:
        breaking = old.sharing.type is SharingType.CONDITIONAL
        yield _change("condition.changed", breaking=breaking, zh="共享条件改变", en="The condition of sharing changes")
    if old.update_cycle is not new.update_cycle:
        slower = _CYCLE_RANK[new.update_cycle] > _CYCLE_RANK[old.update_cycle]
        was, will_be = CYCLE_TITLES[old.update_cycle], CYCLE_TITLES[new.update_cycle]
        yield _change(
            "cycle.slower" if slower else "cycle.faster",
            breaking=slower,
            zh=f"更新周期由{was[0]}改为{will_be[0]}",
            en=f"The update cycle changes from {was[1].lower()} to {will_be[1].lower()}",
        )
    if old.collect_mode is not new.collect_mode:
        yield _change("collect-mode.changed", breaking=True, zh="归集方式改变", en="The way of collecting changes")
    if old.opening is not new.opening:
        narrowed = _SHARING_RANK[new.opening] > _SHARING_RANK[old.opening]
        yield _change(
            "opening.narrowed" if narrowed else "opening.widened",
            breaking=narrowed,
            zh="开放属性收紧" if narrowed else "开放属性放宽",
            en="Opening is narrowed" if narrowed else "Opening is widened",
        )
    if old.licence != new.licence:
        yield _change("licence.changed", breaking=bool(old.licence), zh="许可协议改变", en="The licence changes")
    yield from _collecting_changes(old, new)
    yield from _reference_changes("", "资源", "the resource", old.references, new.references)
    yield from _rule_changes("", "资源", "the resource", old.rules, new.rules)


def _collecting_changes(old: DataContract, new: DataContract) -> Iterator[ContractChange]:
    """How files are taken in: a demand that a sender did not have to meet breaks, the rest is told."""
    if old.bill_required != new.bill_required:
        yield _change(
            "bill.required" if new.bill_required else "bill.optional",
            breaking=new.bill_required,
            zh="文件须附对账单" if new.bill_required else "文件不再须附对账单",
            en="Files need a bill" if new.bill_required else "Files no longer need a bill",
        )
    if old.drift is not new.drift:
        stricter = new.drift is DriftPolicy.REFUSE
        yield _change(
            "drift.changed",
            breaking=stricter,
            zh="列不一致的文件改为拒收" if stricter else "列不一致时改为自动对应",
            en="Files with other columns are refused" if stricter else "Files with other columns are mapped",
        )
    for attribute, code, zh, en in (
        ("cleaning", "cleaning.changed", "去重规则改变", "The rule for repeated rows changes"),
        ("event_time_column", "event-time.changed", "先后依据的列改变", "The event time column changes"),
    ):
        if getattr(old, attribute) != getattr(new, attribute):
            yield _change(code, breaking=False, zh=zh, en=en)


def _reference_changes(
    column: str, zh: str, en: str, old: tuple[ForeignKey, ...], new: tuple[ForeignKey, ...]
) -> Iterator[ContractChange]:
    """A foreign key refuses rows that were accepted before."""
    for key in sorted(set(old) ^ set(new), key=repr):
        added = key in new
        target = f"{key.resource_id}.{','.join(key.to_columns)}"
        yield _change(
            "reference.added" if added else "reference.removed",
            breaking=added,
            column=column,
            zh=f"{zh}{'新增' if added else '取消'}对{target}的引用",
            en=f"A reference to {target} is {'added to' if added else 'removed from'} {en}",
        )


def _columns_changes(old: DataContract, new: DataContract) -> Iterator[ContractChange]:
    added = [column for column in new.columns if column.name not in old.by_name]
    for column in old.columns:
        successor = new.by_name.get(column.name)
        if successor is not None:
            yield from _column_changes(column, successor)
            continue
        renamed = next((other for other in added if _is_same_thing(column, other)), None)
        if renamed:
            added.remove(renamed)
            yield _change(
                "column.renamed",
                breaking=True,
                column=column.name,
                zh=f"列“{column.title}”由{column.name}改名为{renamed.name}",
                en=f"The column {column.name} is renamed to {renamed.name}",
            )
            yield from _column_changes(column, renamed)
        else:
            yield _change(
                "column.removed",
                breaking=True,
                column=column.name,
                zh=f"删除列“{column.title}”（{column.name}）",
                en=f"The column {column.name} is removed",
            )
    for column in added:
        yield _change(
            "column.added-required" if column.required else "column.added",
            breaking=column.required,
            column=column.name,
            zh=f"新增{'必填' if column.required else ''}列“{column.title}”（{column.name}）",
            en=f"A {'required' if column.required else 'new optional'} column {column.name} is added",
        )


def _is_same_thing(old: Column, new: Column) -> bool:
    """Whether a removed and an added column are one column under another name."""
    if old.logical_type is not new.logical_type:
        return False
    return (old.title == new.title and bool(old.title)) or (
        bool(old.physical_name) and old.physical_name == new.physical_name
    )


def _column_changes(old: Column, new: Column) -> Iterator[ContractChange]:
    """Changes of one column that both contracts have."""
    name, zh, en = new.name, f"列“{new.title}”", f"the column {new.name}"

    def change(code: str, breaking: bool, text_zh: str, text_en: str) -> ContractChange:  # noqa: FBT001
        sentence = text_en.format(en)
        return _change(
            code, breaking=breaking, column=name, zh=text_zh.format(zh), en=sentence[0].upper() + sentence[1:]
        )

    if old.logical_type is not new.logical_type:
        before, after = TYPE_TITLES[old.logical_type], TYPE_TITLES[new.logical_type]
        widened = (old.logical_type, new.logical_type) in _WIDENINGS
        yield change(
            "type.widened" if widened else "type.changed",
            not widened,
            f"{{}}的类型由{before[0]}改为{after[0]}",
            f"{{}} changes its type from {before[1].lower()} to {after[1].lower()}",
        )
    for attribute, code, word in (
        ("required", "required", ("必填", "required")),
        ("unique", "unique", ("唯一", "unique")),
    ):
        before_flag, after_flag = getattr(old, attribute), getattr(new, attribute)
        if before_flag != after_flag:
            yield change(
                f"{code}.{'added' if after_flag else 'dropped'}",
                after_flag,
                f"{{}}{'改为须' if after_flag else '不再要求'}{word[0]}",
                f"{{}} {'becomes' if after_flag else 'is no longer'} {word[1]}",
            )
    if old.grade != new.grade:
        raised = new.grade > old.grade
        before, after = GRADE_TITLES[old.grade], GRADE_TITLES[new.grade]
        yield change(
            "grade.raised" if raised else "grade.lowered",
            raised,
            f"{{}}的分级由{before[0]}改为{after[0]}",
            f"{{}} changes its grade from {before[1].lower()} to {after[1].lower()}",
        )
    yield from _sharing_change(name, zh, en, old.sharing, new.sharing)
    if old.verify != new.verify:
        yield change(
            "verify.added" if new.verify else "verify.removed",
            not new.verify,
            "{}可用于核验" if new.verify else "{}不再可核验",
            "{} may be verified" if new.verify else "{} may no longer be verified",
        )
    if old.mask is not new.mask:
        dropped = new.mask is Mask.NONE
        yield change(
            "mask.dropped" if dropped else "mask.changed",
            not dropped,
            "{}不再掩码" if dropped else "{}的掩码改变",
            "{} is no longer masked" if dropped else "{} is masked otherwise",
        )
    for attribute, code, word in (
        ("unit", "unit", ("单位", "unit")),
        ("date_format", "date-format", ("日期格式", "date format")),
        ("identifier_as_of", "as-of", ("区划代码的基准日期列", "date column of the division code")),
    ):
        if getattr(old, attribute) != getattr(new, attribute):
            yield change(f"{code}.changed", True, f"{{}}的{word[0]}改变", f"{{}} changes its {word[1]}")
    yield from _domain_changes(old, new, name, zh, en)
    if old.cleaning != new.cleaning:
        yield change("cleaning.changed", False, "{}的清洗步骤改变", "{} is cleaned otherwise")
    yield from _reference_changes(name, zh, en, old.references, new.references)
    yield from _rule_changes(name, zh, en, _other_rules(old), _other_rules(new))


def _domain_changes(old: Column, new: Column, name: str, zh: str, en: str) -> Iterator[ContractChange]:
    """What values are accepted: code list, listed values, identifier, pattern, length, range, null tokens."""

    def change(tightened: bool, text: Titles, code: str) -> ContractChange:  # noqa: FBT001
        verb = ("收紧", "tightened") if tightened else ("放宽", "relaxed")
        return _change(
            f"{code}.{'tightened' if tightened else 'relaxed'}",
            breaking=tightened,
            column=name,
            zh=f"{zh}的{text[0]}{verb[0]}",
            en=f"The {text[1]} of {en} is {verb[1]}",
        )

    if old.code_list != new.code_list:
        yield change(bool(new.code_list), ("代码集", "code list"), "code-list")
    if set(old.values) != set(new.values):
        tightened = bool(new.values) and (not old.values or not set(old.values) <= set(new.values))
        yield change(tightened, ("可用值", "list of values"), "values")
    if old.identifier != new.identifier:
        yield change(new.identifier is not None, ("标识码规则", "identifier rule"), "identifier")
    elif new.identifier and old.identifier_severity != new.identifier_severity:
        yield change(new.identifier_severity == "reject", ("标识码规则", "identifier rule"), "identifier")
    if old.pattern != new.pattern:
        yield change(bool(new.pattern), ("格式", "pattern"), "pattern")
    yield from (
        change(tightened, text, code)
        for tightened, text, code in (
            (_moved(old.length_min, new.length_min, up=True), ("最短长度", "minimum length"), "length"),
            (_moved(old.length_max, new.length_max, up=False), ("最长长度", "maximum length"), "length"),
            (_moved_low(old, new), ("最小值", "minimum"), "range"),
            (_moved_high(old, new), ("最大值", "maximum"), "range"),
        )
        if tightened is not None
    )
    if set(old.null_tokens) != set(new.null_tokens):
        yield change(
            not set(old.null_tokens) <= set(new.null_tokens), ("空值记号", "list of null tokens"), "null-tokens"
        )


def _moved(old: float | None, new: float | None, *, up: bool) -> bool | None:
    """None: not moved. True: moved so that fewer values fit (a minimum up, a maximum down)."""
    if old == new:
        return None
    if old is None or new is None:
        return new is not None
    return (new > old) is up


def _moved_low(old: Column, new: Column) -> bool | None:
    return _moved_bound((old.minimum, old.minimum_is_exclusive), (new.minimum, new.minimum_is_exclusive), up=True)


def _moved_high(old: Column, new: Column) -> bool | None:
    return _moved_bound((old.maximum, old.maximum_is_exclusive), (new.maximum, new.maximum_is_exclusive), up=False)


Bound = tuple[float | str | None, bool]


def _moved_bound(old: Bound, new: Bound, *, up: bool) -> bool | None:
    (before, before_open), (after, after_open) = old, new
    if before == after:
        return None if before is None or before_open == after_open else after_open
    if before is None or after is None:
        return after is not None
    if isinstance(before, str) or isinstance(after, str):
        return (str(after) > str(before)) is up
    return (after > before) is up


def _sharing_change(column: str, zh: str, en: str, old: SharingType, new: SharingType) -> Iterator[ContractChange]:
    if old is new:
        return
    narrowed = _SHARING_RANK[new] > _SHARING_RANK[old]
    before, after = SHARING_TITLES[old], SHARING_TITLES[new]
    yield _change(
        "sharing.narrowed" if narrowed else "sharing.widened",
        breaking=narrowed,
        column=column,
        zh=f"{zh}由{before[0]}改为{after[0]}",
        en=f"Sharing of {en} changes from “{before[1].lower()}” to “{after[1].lower()}”",
    )


def _other_rules(column: Column) -> tuple[QualityRule, ...]:
    """The rules that are not already compared as the list of values."""
    return tuple(rule for rule in column.rules if "validValues" not in rule.arguments)


def _rule_changes(
    column: str, zh: str, en: str, old: tuple[QualityRule, ...], new: tuple[QualityRule, ...]
) -> Iterator[ContractChange]:
    """A rule is known by what it demands, not by its place or name."""
    before, after = ({_demand(rule): rule for rule in rules if rule.kind != "text"} for rules in (old, new))
    for demand in sorted(after.keys() - before.keys()):
        rule = after[demand]
        breaking = rule.severity not in {"warn", "warning", "info"}
        title = rule.name or rule.metric or rule.implementation
        yield _change(
            "rule.added",
            breaking=breaking,
            column=column,
            zh=f"{zh}新增质量规则“{title}”",
            en=f"A quality rule “{title}” is added to {en}",
        )
    for demand in sorted(before.keys() - after.keys()):
        title = before[demand].name or before[demand].metric or before[demand].implementation
        yield _change(
            "rule.removed",
            breaking=False,
            column=column,
            zh=f"{zh}取消质量规则“{title}”",
            en=f"The quality rule “{title}” of {en} is removed",
        )


def _demand(rule: QualityRule) -> str:
    return repr((rule.kind, rule.metric, rule.operator, rule.bound, sorted(rule.arguments.items()), rule.unit,
                 rule.engine, rule.implementation, rule.severity))  # fmt: skip
