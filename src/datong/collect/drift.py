"""Schema drift: what a delivered header has of the contract's columns, what is new, missing or renamed, and on what
evidence.

Evidence is counted from the names (equal, contained, similar, in pinyin or its initials), from the place in the header
and, where rows are given, from the content: a column of birth dates is no renamed telephone number whatever its name.
Nothing is decided here that was not declared: without `schemaDrift: map` a different header is refused, with what it
most probably means as a suggestion.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from pypinyin import Style, lazy_pinyin

from datong.catalog.canonical import canonical_text
from datong.catalog.values import Column, DataContract
from datong.collect.contracts import ColumnsDiffer
from datong.collect.delimited import WantedColumn, match_names, name_key

STRONG, WEAK = 0.75, 0.45
"""From STRONG on a renaming is mapped under `schemaDrift: map`, from WEAK on it is suggested."""
_LEAD = 0.1
"""How much better than any other the pairing must be."""
_NOISE = re.compile(r"[\s_\-·./\\:：*＊]+|[(（\[【][^)）\]】]*[)）\]】]")
_PROFILE_ROWS_MAX = 200

Profile = Callable[[str, int], float | None]
"""(contract column, position in the header) → share of sampled values that fit, None where nothing can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFinding:
    """One difference. `kind` is renamed | new | missing | repeated; `score` 0 to 1 is how sure a renaming is."""

    kind: str
    column: str
    header: str
    score: float
    evidence_zh: str
    evidence_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMapping:
    """The contract's column for every cell of the header; None: not wanted, skipped. `absent` are read as empty."""

    header: tuple[str | None, ...]
    findings: tuple[ColumnFinding, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def renamed(self) -> dict[str, str]:
        """Contract column → name in the file, of what was mapped on evidence."""
        return {finding.column: finding.header for finding in self.findings if finding.kind == "renamed"}


def map_columns(
    source_header: Sequence[str],
    wanted: Sequence[WantedColumn],
    policy: str = "refuse",
    *,
    optional: Collection[str] = (),
    profile: Profile | None = None,
) -> ColumnMapping:
    """Find the contract's columns. Raises ColumnsDiffer, with suggestions, for what the policy does not allow.

    Under `map`: renamed columns with strong evidence are mapped, new ones are skipped, and columns named in `optional`
    may be missing; each of these is a finding. A repeated column is refused always.
    """
    found = match_names(source_header, wanted)
    repeated = [name for name, positions in found.items() if len(positions) > 1]
    taken = {position for positions in found.values() for position in positions}
    missing = [column for column in wanted if column.name not in found]
    extra = [position for position in range(len(source_header)) if position not in taken]
    if not (missing or extra or repeated):
        return ColumnMapping(header=_by_position(source_header, {n: p[0] for n, p in found.items()}))
    renamings = find_renamings(source_header, wanted, missing, extra, profile=profile)
    if repeated or policy != "map":
        raise _columns_differ(
            source_header, wanted, missing=missing, extra=extra, repeated=repeated, renamings=renamings
        )
    strong = {column: match for column, match in renamings.items() if match[1].score >= STRONG}
    absent = [column.name for column in missing if column.name not in strong]
    if any(name not in optional for name in absent):
        raise _columns_differ(
            source_header, wanted, missing=missing, extra=extra, repeated=repeated, renamings=renamings
        )
    positions = {name: places[0] for name, places in found.items()} | {name: p for name, (p, _) in strong.items()}
    skipped = [position for position in extra if position not in positions.values()]
    findings = [finding for _, finding in strong.values()]
    findings += [_new(source_header[position]) for position in skipped]
    findings += [_missing(name) for name in absent]
    return ColumnMapping(header=_by_position(source_header, positions), findings=tuple(findings), absent=tuple(absent))


def _by_position(header: Sequence[str], positions: Mapping[str, int]) -> tuple[str | None, ...]:
    by_position = {position: name for name, position in positions.items()}
    return tuple(by_position.get(position) for position in range(len(header)))


def find_renamings(
    header: Sequence[str],
    wanted: Sequence[WantedColumn],
    missing: Sequence[WantedColumn],
    extra: Sequence[int],
    *,
    profile: Profile | None = None,
) -> dict[str, tuple[int, ColumnFinding]]:
    """The best pairing of missing columns with unknown cells: column → (position, finding), from WEAK on.

    Greedy, the surest first. A pairing that another column or cell rivals within _LEAD is held below STRONG.
    """
    pairs = []
    for column in missing:
        for position in extra:
            finding = _judge(header, wanted, column, position, profile)
            if finding.score >= WEAK:
                pairs.append((finding.score, column.name, position, finding))
    pairs.sort(key=lambda pair: (-pair[0], pair[2]))
    chosen: dict[str, tuple[int, ColumnFinding]] = {}
    used: set[int] = set()
    for score, name, position, finding in pairs:
        if name in chosen or position in used:
            continue
        rivals = [s for s, n, p, _ in pairs if (n == name) != (p == position) and p not in used and n not in chosen]
        is_rivalled = any(score - rival < _LEAD for rival in rivals)
        chosen[name] = (position, _held_below(finding) if is_rivalled else finding)
        used.add(position)
    return chosen


def _held_below(finding: ColumnFinding) -> ColumnFinding:
    if finding.score < STRONG:
        return finding
    return ColumnFinding(
        kind=finding.kind,
        column=finding.column,
        header=finding.header,
        score=STRONG - 0.01,
        evidence_zh=finding.evidence_zh + "，但另有相近的列",
        evidence_en=finding.evidence_en + "; another column is as near",
    )


def _judge(
    header: Sequence[str], wanted: Sequence[WantedColumn], column: WantedColumn, position: int, profile: Profile | None
) -> ColumnFinding:
    cell = header[position]
    score, zh, en = max((_compare_names(cell, alias) for alias in (*column.aliases, column.name)), key=lambda c: c[0])
    said_zh, said_en = [zh] if zh else [], [en] if en else []
    order = [each.name for each in wanted]
    if len(header) == len(wanted) and order.index(column.name) == position:
        score = score + 0.15 if score else 0.3
        said_zh.append("位置相同")
        said_en.append("same place")
    elif score and _has_neighbours(header, wanted, column, position):
        score = score + 0.1
        said_zh.append("前后两列相同")
        said_en.append("between the same neighbours")
    fit = profile(column.name, position) if profile else None
    if fit is not None:
        score = score + 0.2 * fit if fit >= 0.8 else score * fit
        said_zh.append(f"内容{fit:.0%}相符")
        said_en.append(f"{fit:.0%} of the content fits")
    return ColumnFinding(
        kind="renamed",
        column=column.name,
        header=cell,
        score=round(min(score, 1.0), 3),
        evidence_zh="，".join(said_zh),
        evidence_en=", ".join(said_en),
    )


def _has_neighbours(header: Sequence[str], wanted: Sequence[WantedColumn], column: WantedColumn, position: int) -> bool:
    """Whether the cells beside it are those of the contract's columns beside the column."""
    order = [each.name for each in wanted]
    place = order.index(column.name)
    found = {cell: name for name, cells in match_names(header, wanted).items() for cell in cells}
    before = [found.get(position - 1)] if position else [""]
    after = [found.get(position + 1)] if position + 1 < len(header) else [""]
    return before == [order[place - 1] if place else ""] and after == [
        order[place + 1] if place + 1 < len(order) else ""
    ]


def _compare_names(cell: str, alias: str) -> tuple[float, str, str]:
    """How alike two names are, and in what way."""
    a, b = _plain(cell), _plain(alias)
    if not a or not b:
        return 0.0, "", ""
    if a == b:
        return 0.95, f"名称“{alias}”只差符号或单位", f"named “{alias}” but for signs or a unit"
    sound_a, sound_b = _sound(a), _sound(b)
    if sound_a[0] == sound_b[0]:
        return 0.9, f"读音与“{alias}”相同", f"sounds like “{alias}”"
    if len(b) > 1 and sound_b[1] != b and a == sound_b[1]:
        return 0.7, f"是“{alias}”的拼音首字母", f"the initials of “{alias}”"
    shorter, longer = sorted((a, b), key=len)
    if len(shorter) >= 2 and shorter in longer:
        share = len(shorter) / len(longer)
        return 0.55 + 0.35 * share, f"名称与“{alias}”互相包含", f"one name holds the other, “{alias}”"
    ratio = max(
        difflib.SequenceMatcher(None, a, b).ratio(),
        0.9 * difflib.SequenceMatcher(None, sound_a[0], sound_b[0]).ratio(),
    )
    return (0.9 * ratio, f"名称与“{alias}”相近", f"named nearly “{alias}”") if ratio >= 0.5 else (0.0, "", "")


def _plain(name: str) -> str:
    return _NOISE.sub("", unicodedata.normalize("NFKC", name_key(name)))


@lru_cache(maxsize=4096)
def _sound(name: str) -> tuple[str, str]:
    """The name in pinyin, whole and by initials; Latin letters stand for themselves."""
    whole = "".join(lazy_pinyin(name))
    return whole, "".join(lazy_pinyin(name, style=Style.FIRST_LETTER))


def _new(header: str) -> ColumnFinding:
    return ColumnFinding(
        kind="new",
        column="",
        header=header,
        score=0.0,
        evidence_zh="契约中没有，已跳过",
        evidence_en="not in the contract, skipped",
    )


def _missing(name: str) -> ColumnFinding:
    return ColumnFinding(
        kind="missing",
        column=name,
        header="",
        score=0.0,
        evidence_zh="文件中没有，按空值处理",
        evidence_en="not in the file, read as empty",
    )


def _columns_differ(
    header: Sequence[str],
    wanted: Sequence[WantedColumn],
    *,
    missing: Sequence[WantedColumn],
    extra: Sequence[int],
    repeated: Sequence[str],
    renamings: Mapping[str, tuple[int, ColumnFinding]],
) -> ColumnsDiffer:
    said, said_zh = [], []
    titles = {column.name: _title_zh(column) for column in wanted}
    for label, label_zh, names in (
        ("Missing", "缺少", [column.name for column in missing]),
        ("Not in the contract", "契约中没有", [header[position] for position in extra]),
        ("More than once", "重复", repeated),
    ):
        if names:
            said.append(f"{label}: {', '.join(names)}.")
            said_zh.append(f"{label_zh}：{'、'.join(titles.get(name, name) for name in names)}。")
    told = [finding for _, finding in renamings.values()]
    if told:
        said.append(f"Probably renamed: {', '.join(f'{f.header} is {f.column}' for f in told)}.")
        said_zh.append(f"可能改了名：{'、'.join(f'“{f.header}”即{titles[f.column]}' for f in told)}。")
    return ColumnsDiffer(
        " ".join(said) + " A header cell may be the column's name or its title.",
        hint_zh="".join(said_zh) + "表头可以写字段名，也可以写中文名称。",
        missing=[column.name for column in missing],
        extra=[header[position] for position in extra],
        repeated=list(repeated),
        expected=[column.name for column in wanted],
        present=list(header),
        suggestions=[asdict(finding) for finding in told],
    )


def _title_zh(column: WantedColumn) -> str:
    """The column's Chinese name where it has one."""
    return next((alias for alias in column.aliases if not alias.isascii()), column.name)


# Content -----------------------------------------------------------------------------------------------------------
def profile_rows(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Profile:
    """A profile from the first rows as they came: how many values look as the column's contract says."""
    by_name = {column.name: column for column in columns}
    sample = rows[:_PROFILE_ROWS_MAX]

    def fit(name: str, position: int) -> float | None:
        column = by_name[name]
        test = _value_test(column)
        values = [row[position].strip() for row in sample if position < len(row) and row[position].strip()]
        values = [value for value in values if value not in column.null_tokens]
        if test is None or not values:
            return None
        return sum(map(test, values)) / len(values)

    return fit


_SHAPES = {
    "integer": r"[+-]?\d{1,18}",
    "number": r"[+-]?[\d,]+([.]\d+)?([eE][+-]?\d+)?%?",
    "date": r"\d{4}([-/.年]?\d{1,2}){2}日?",
    "timestamp": r"\d{4}[-/]\d{1,2}[-/]\d{1,2}.*",
    "boolean": r"true|false|[01是否yntf]|yes|no",
}
_IDENTIFIERS = {
    "resident_id": r"\d{17}[\dXx]|\d{15}",
    "uscc": r"[0-9A-Z]{18}",
    "org_code": r"[0-9A-Z]{8}-?[0-9X]",
    "division_code": r"\d{6}|\d{9}|\d{12}",
}


def _value_test(column: Column) -> Callable[[str], bool] | None:
    if column.identifier is not None and column.identifier.value in _IDENTIFIERS:
        return _matches(_IDENTIFIERS[column.identifier.value])
    if column.values:
        return frozenset(column.values).__contains__
    if column.logical_type.value in _SHAPES:
        return _matches(_SHAPES[column.logical_type.value])
    if column.pattern:
        try:
            return _matches(column.pattern)
        except re.error:  # the contract's dialect is RE2's; what Python cannot read tells nothing
            return None
    return None


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda value: compiled.fullmatch(value) is not None


# The change that would end the drift -------------------------------------------------------------------------------
def propose_contract(contract: DataContract, renamed: Mapping[str, str]) -> tuple[str, str]:
    """The contract with each renamed column's new name as its `physicalName`, and the unified diff to it."""
    raw: dict[str, Any] = contract.raw
    for table in raw.get("schema", ()):
        for column in table.get("properties", ()):
            if column.get("name") in renamed:
                column["physicalName"] = renamed[column["name"]]
    text = canonical_text(raw)
    lines = difflib.unified_diff(
        contract.text.splitlines(), text.splitlines(), f"{contract.id} {contract.version}", "proposed", lineterm="", n=2
    )
    return text, "\n".join(lines)
