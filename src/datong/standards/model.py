"""Rules of editions, as pure functions: what is wrong with one, whether two overlap, what differs between two."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from datong.standards.contracts import Code, Edition, EditionKind
from datong.standards.representation import read_representation

NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
LABEL = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,39}")
PROBLEMS_MAX = 50
ELEMENT_TYPES = frozenset({"string", "integer", "number", "date", "timestamp", "boolean"})


def find_problems(edition: Edition) -> list[tuple[str, str]]:
    """(Chinese, English) sentences, at most PROBLEMS_MAX: what keeps it from being imported."""
    found = []
    for problem in _problems(edition):
        found.append(problem)
        if len(found) >= PROBLEMS_MAX:
            break
    return found


def _problems(edition: Edition) -> Iterator[tuple[str, str]]:
    if not NAME.fullmatch(edition.name):
        yield f"标识“{edition.name}”应为小写字母开头的字母、数字、下划线", f"{edition.name!r} is no key: a-z, 0-9 and _"
    if not LABEL.fullmatch(edition.edition):
        yield f"版本“{edition.edition}”应为字母、数字、点或连字符", f"{edition.edition!r} is no edition: 2017, 2017.1 …"
    if edition.valid_from and edition.valid_to and edition.valid_from >= edition.valid_to:
        yield "版本的有效期起止颠倒", "the edition ends before it begins"
    if edition.entries_count == 0:
        yield "没有任何条目", "there are no entries in it"
    yield from _code_problems(edition.codes)
    yield from _step_problems(edition)
    yield from _element_problems(edition)


def _code_problems(codes: Sequence[Code]) -> Iterator[tuple[str, str]]:
    spans: dict[str, list[Code]] = defaultdict(list)
    for code in codes:
        spans[code.code].append(code)
        if code.valid_from and code.valid_to and code.valid_from >= code.valid_to:
            yield f"代码{code.code}的有效期起止颠倒", f"code {code.code} ends before it begins"
    for value, found in spans.items():
        ordered = sorted(found, key=lambda each: each.valid_from or dt.date.min)
        for before, after in pairwise(ordered):
            if before.valid_to is None or after.valid_from is None or after.valid_from < before.valid_to:
                yield (
                    f"代码{value}在同一时段有两个条目：{before.title_zh}、{after.title_zh}",
                    f"code {value} has two entries at one time: {before.title_zh}, {after.title_zh}",
                )
        if found[0].parent and found[0].parent not in spans:
            yield f"代码{value}的上级{found[0].parent}不存在", f"the parent {found[0].parent} of {value} is not there"


def _step_problems(edition: Edition) -> Iterator[tuple[str, str]]:
    known = {code.code for code in edition.codes}
    for step in edition.succession:
        for code in (step.code, step.to_code):
            if code not in known:
                yield f"沿革中的代码{code}不在表中", f"the succession names {code}, which is not in the table"


def _element_problems(edition: Edition) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for element in edition.elements:
        if element.id in seen:
            yield f"数据元{element.id}重复", f"element {element.id} occurs twice"
        seen.add(element.id)
        if element.type not in ELEMENT_TYPES:
            yield f"数据元{element.id}的类型“{element.type}”不认识", f"element {element.id} has type {element.type!r}"
        if element.form and read_representation(element.form) is None:
            yield (
                f"数据元{element.id}的表示格式“{element.form}”不认识",
                f"element {element.id} has form {element.form!r}",
            )
        try:
            re.compile(element.pattern)
        except re.error:
            yield f"数据元{element.id}的格式不是正则表达式", f"element {element.id} has a pattern that does not read"


def find_overlap(new: Edition, others: Sequence[Edition]) -> Edition | None:
    """The edition of the same name that would be in force on a day on which `new` is, or None.

    An open end is closed by the next beginning, so only what is said counts: the same first day, or an end that was
    given and lies beyond the other's beginning. Tables of divisions hold their own history and never overlap; shipped
    editions give way.
    """
    if new.kind is EditionKind.DIVISIONS:
        return None
    for other in others:
        if other.is_shipped or other.edition == new.edition:
            continue
        first, second = sorted((new, other), key=lambda e: e.valid_from or dt.date.min)
        begins = second.valid_from or dt.date.min
        if (first.valid_from or dt.date.min) == begins or (first.valid_to is not None and first.valid_to > begins):
            return other
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeChange:
    """How one code differs between two editions: added, dropped, retitled (same code, other title) or moved (same
    title, other code)."""

    kind: str
    code: str
    title: str
    other_code: str = ""
    other_title: str = ""


def compare_editions(old: Edition, new: Edition, *, leaves_only: bool = False) -> list[CodeChange]:
    """Every difference, by code. With `leaves_only` classes that have others below them are left out.

    A title that went from one code to another, each of them once, is `moved` and neither added nor dropped.
    """
    before, after = _titles(old, leaves_only=leaves_only), _titles(new, leaves_only=leaves_only)
    retitled = [
        CodeChange(kind="retitled", code=code, title=after[code], other_code=code, other_title=before[code])
        for code in before.keys() & after.keys()
        if before[code] != after[code]
    ]
    gone = {code: before[code] for code in before.keys() - after.keys()}
    come = {code: after[code] for code in after.keys() - before.keys()}
    moved = [
        CodeChange(kind="moved", code=codes[0], title=title, other_code=befores[0], other_title=title)
        for title, befores in _by_title(gone).items()
        if len(befores) == 1 and len(codes := _by_title(come).get(title, [])) == 1
    ]
    moved_from, moved_to = {change.other_code for change in moved}, {change.code for change in moved}
    dropped = [CodeChange(kind="dropped", code=c, title=t) for c, t in gone.items() if c not in moved_from]
    added = [CodeChange(kind="added", code=c, title=t) for c, t in come.items() if c not in moved_to]
    return sorted((*retitled, *moved, *dropped, *added), key=lambda change: (change.code, change.kind))


def _titles(edition: Edition, *, leaves_only: bool = False) -> dict[str, str]:
    if edition.kind is EditionKind.ELEMENTS:
        return {element.id: f"{element.title_zh} {element.form}".strip() for element in edition.elements}
    parents = {code.parent for code in edition.codes} if leaves_only else set()
    return {code.code: code.title_zh for code in edition.codes if code.code not in parents}


def _by_title(codes: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for code, title in codes.items():
        found[title].append(code)
    return found
