"""The contract editor as its page shows it: fields with their findings, the columns beside those in force, the diff.

No rule is made here; what is wrong was found by the catalogue and is only put where it belongs.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from datong.catalog.authoring.checks import CHECK_TITLES, CheckFinding
from datong.catalog.authoring.contracts import DraftReview
from datong.catalog.authoring.fields import COLUMN_FIELDS, GROUPS, RESOURCE_FIELDS, ContractField, FieldKind
from datong.catalog.authoring.form_values import FieldProblem, columns_of, read_column, read_resource
from datong.catalog.authoring.locating import locate
from datong.catalog.canonical import canonical_text
from datong.catalog.column_reader import COLUMN_NAME
from datong.catalog.contracts import ContractFinding
from datong.catalog.values import DataContract
from datong.catalog.words import MASK_TITLES, MODE_TITLES, Mask, ShareMode, SharingType, grade_of
from datong.kernel.limits import DIFF_LINES_SHOWN_MAX
from datong.standards.code_lists import find_code_lists
from datong.standards.elements import current_elements

Titles = tuple[str, str]
Errors = Mapping[tuple[int | None, str], Sequence[Titles]]
FIXED_KEYS = frozenset({"id", "agency"})
"""Of a resource these never change in the form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldLine:
    """One input of the form."""

    key: str
    title: Titles
    help: Titles
    kind: str
    needed: bool
    value: str
    options: tuple[tuple[str, Titles, bool], ...]
    """(word, titles, chosen) for words."""
    suggestions: str
    """The id of the datalist that goes with it."""
    errors: tuple[Titles, ...]
    is_fixed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EditorColumn:
    """One row of the column table. `change` is added, changed, removed or ""."""

    name: str
    title: str
    element: str
    type: Titles
    size: str
    is_key: bool
    grade: int | None
    sharing: str
    mask: Titles
    source: str
    change: str
    has_findings: bool
    can_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """One thing that follows from the contract, for the list beside the form."""

    title: Titles
    what: Titles
    is_fine: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckGroup:
    title: Titles
    findings: tuple[CheckFinding, ...]

    @property
    def blocks(self) -> bool:
        return any(one.blocks for one in self.findings)


@dataclass(slots=True, kw_only=True)
class EditorValues:
    """What the page holds besides the review: the mapping, None when the text is no mapping, and what was typed."""

    raw: dict[str, Any] | None
    typed: Mapping[str, str] = field(default_factory=dict)
    problems: Sequence[FieldProblem] = ()


def group_lines(values: EditorValues, group: str, errors: Errors) -> list[FieldLine]:
    """The inputs of one tab."""
    texts = {**read_resource(values.raw or {}), **values.typed}
    return [
        _line(one, texts.get(one.key, ""), errors.get((None, one.key), ()))
        for one in RESOURCE_FIELDS
        if one.group == group
    ]


def column_form(values: EditorValues, index: int | None, errors: Errors) -> list[FieldLine]:
    """The inputs of one column; `index` None is a new one."""
    columns = columns_of(values.raw or {})
    present = read_column(columns[index]) if index is not None and index < len(columns) else {}
    texts = {**present, **values.typed}
    return [_line(one, texts.get(one.key, ""), errors.get((index, one.key), ())) for one in COLUMN_FIELDS]


def _line(one: ContractField, text: str, errors: Sequence[Titles]) -> FieldLine:
    chosen = set(text.split("、")) if one.kind is FieldKind.WORDS else {text}
    return FieldLine(
        key=one.key,
        title=one.title,
        help=one.help,
        kind=one.kind.value,
        needed=one.needed,
        value=text,
        options=tuple((word, titles, word in chosen) for word, titles in one.words.items()),
        suggestions={"element": "elements", "codeList": "code-lists"}.get(one.key, ""),
        errors=tuple(errors),
        is_fixed=one.key in FIXED_KEYS and one.group == "basic",
    )


def place_errors(
    raw: Mapping[str, Any] | None, findings: Iterable[ContractFinding], problems: Iterable[FieldProblem]
) -> dict[tuple[int | None, str], list[Titles]]:
    """Findings by the field that shows them; ("", …) is a column or resource as a whole."""
    placed: dict[tuple[int | None, str], list[Titles]] = defaultdict(list)
    for problem in problems:
        placed[problem.column, problem.key].append((f"{problem.message_zh}。", f"{problem.message}."))
    columns: list[Mapping[str, Any]] = list(columns_of(raw or {}))
    for finding in findings:
        place = locate(finding, raw or {}, columns)
        placed[place.column, place.key].append(
            (f"{finding.message_zh}。{finding.remedy_zh}", f"{finding.message}. {finding.remedy}")
        )
    return placed


def column_table(raw: Mapping[str, Any], current: DataContract | None, errors: Errors) -> list[EditorColumn]:
    """The draft's columns in order, then those that it removes."""
    before = {str(column["name"]): column for column in columns_of(current.raw)} if current else {}
    faulty = {index for index, _ in errors}
    lines, seen = [], set()
    for index, column in enumerate(columns_of(raw)):
        name = str(column.get("name", ""))
        seen.add(name)
        old = before.get(name)
        change = "" if current is None else "added" if old is None else "changed" if old != column else ""
        lines.append(_column(column, change, has_findings=index in faulty))
    lines += [_column(column, "removed") for name, column in before.items() if name not in seen]
    return lines


def _column(raw: Mapping[str, Any], change: str, *, has_findings: bool = False) -> EditorColumn:
    texts = read_column(raw)
    kind = next(one for one in COLUMN_FIELDS if one.key == "logicalType")
    mask = texts["mask"] if texts["mask"] in set(Mask) else "none"
    size = f"≤{texts['maxLength']}" if texts["maxLength"] else texts["unit"]
    return EditorColumn(
        name=texts["name"],
        title=texts["businessName"] or texts["name"],
        element=texts["element"] or texts["codeList"],
        type=kind.words.get(texts["logicalType"], (texts["logicalType"], texts["logicalType"])),
        size=size,
        is_key=texts["primaryKey"] == "true",
        grade=grade_of(texts["classification"]),
        sharing=texts["sharingType"] if texts["sharingType"] in set(SharingType) else "",
        mask=("—", "—") if mask == "none" else MASK_TITLES[Mask(mask)],
        source=texts["sourceAgency"],
        change=change,
        has_findings=has_findings,
        can_open=change != "removed" and COLUMN_NAME.fullmatch(texts["name"]) is not None,
    )


def derived(contract: DataContract | None) -> list[Derived]:
    """What the platform makes of the contract; nothing while it has findings."""
    if contract is None:
        return []
    keys, rules = len(contract.key_columns), len(contract.rules) + sum(len(c.rules) for c in contract.columns)
    masks = {column.mask for column in contract.columns} - {Mask.NONE}
    modes = [MODE_TITLES[mode] for mode in ShareMode if mode in contract.sharing.modes]
    shared, total = len(contract.grantable_columns), len(contract.columns)
    opening = contract.opening is not SharingType.WITHHELD
    core = contract.directory_code or "—"
    return [
        Derived(
            title=("数据表", "Table"), what=(f"{total}列，主键{keys}", f"{total} columns, {keys} key"), is_fine=keys > 0
        ),
        Derived(
            title=("校验规则", "Checks"),
            what=(f"写明{rules}条，另有类型、必填、代码集", f"{rules} written, besides types, needs and code lists"),
            is_fine=True,
        ),
        Derived(title=("目录记录", "Catalogue record"), what=(core, core), is_fine=bool(contract.directory_code)),
        Derived(
            title=("共享条款", "Sharing terms"),
            what=(f"可授权信息项{shared}个", f"{shared} columns may be granted"),
            is_fine=shared > 0,
        ),
        Derived(title=("掩码", "Masks"), what=(f"{len(masks)}种", f"{len(masks)} kinds"), is_fine=True),
        Derived(
            title=("接口", "Interfaces"),
            what=("、".join(zh for zh, _ in modes) or "不提供", ", ".join(en for _, en in modes) or "none"),
            is_fine=bool(modes) or contract.sharing.type is SharingType.WITHHELD,
        ),
        Derived(
            title=("开放", "Opening"),
            what=("进入开放闸门检查", "goes to the release gate") if opening else ("不开放", "not opened"),
            is_fine=True,
        ),
    ]


def check_groups(review: DraftReview) -> list[CheckGroup]:
    """The four checks in their order, each with its findings, also where it has none."""
    return [
        CheckGroup(title=title, findings=tuple(one for one in review.checks if one.check is kind))
        for kind, title in CHECK_TITLES.items()
    ]


def diff_lines(before: str, raw: Mapping[str, Any] | None, text: str) -> tuple[list[tuple[str, str]], int]:
    """(`ins` | `del` | `c`, line) of what the draft changes, at most DIFF_LINES_SHOWN_MAX, and how many there are."""
    after = canonical_text(raw) if raw is not None else text
    lines: list[tuple[str, str]] = []
    for line in difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1):
        if line.startswith(("---", "+++")):
            continue
        kind = {"+": "ins", "-": "del"}.get(line[:1], "c")
        lines.append((kind, "…" if line.startswith("@@") else line))
    count = sum(kind != "c" for kind, _ in lines)
    return lines[1 if lines and lines[0][1] == "…" else 0 :][:DIFF_LINES_SHOWN_MAX], count


def tabs(values: EditorValues, errors: Errors, current: str) -> list[dict[str, Any]]:
    """The tabs with the number of faults in each."""
    of_group = {one.key: one.group for one in RESOURCE_FIELDS}
    faults: dict[str, int] = defaultdict(int)
    for (column, key), found in errors.items():
        faults["columns" if column is not None else of_group.get(key, "basic")] += len(found)
    names: dict[str, Titles] = {
        "basic": GROUPS["basic"],
        "columns": ("信息项", "Columns"),
        "rules": ("质量规则", "Quality rules"),
        **{key: title for key, title in GROUPS.items() if key != "basic"},
    }
    raw = values.raw or {}
    table = raw.get("schema", [{}])[0] if raw.get("schema") else {}
    counts = {"columns": len(columns_of(raw)), "rules": len(_rules(table))}
    return [
        {"key": key, "title": title, "count": counts.get(key), "faults": faults[key], "is_current": key == current}
        for key, title in names.items()
    ]


def rule_lines(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The quality rules as written, with the column that each stands at."""
    table = raw.get("schema", [{}])[0] if raw.get("schema") else {}
    return [{**rule, "text": canonical_text(rule["rule"]).strip()} for rule in _rules(table)]


def _rules(table: Any) -> list[dict[str, Any]]:
    if not isinstance(table, dict):
        return []
    holders = [("", table), *((str(column.get("name", "")), column) for column in columns_of({"schema": [table]}))]
    return [
        {"column": name, "name": rule.get("name") or rule.get("metric") or rule.get("type", ""), "rule": rule}
        for name, holder in holders
        for rule in (holder.get("quality") or [] if isinstance(holder.get("quality"), list) else [])
        if isinstance(rule, dict)
    ]


def suggestions() -> dict[str, list[tuple[str, Titles]]]:
    """Elements and code lists for the datalists."""
    return {
        "elements": [(one.id, (one.title_zh, one.title_en or one.title_zh)) for one in current_elements()],
        "code_lists": [(one.name, (one.title_zh, one.title_en or one.title_zh)) for one in find_code_lists()],
    }


def texts_of_post(data: Mapping[str, Any], keys: Iterable[ContractField]) -> dict[str, str]:
    """What was typed for these fields: a box that is not ticked is an empty text."""
    found = {}
    for one in keys:
        values = data.getlist(one.key) if hasattr(data, "getlist") else [str(data.get(one.key, ""))]
        found[one.key] = "、".join(values)
    return found
