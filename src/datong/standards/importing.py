"""From files to one edition: our own package form, plain CSV, and the layouts in which standards really go round.

    our package   YAML or JSON: kind, name, edition, title_zh, title_en, source, valid_from, valid_to, then `codes`,
                  `succession` or `elements`
    codes         CSV code,title_zh[,title_en,parent,valid_from,valid_to,note], or the same heads in Chinese
    elements      CSV id,name,zh[,en,form,type,code_list,identifier,pattern,unit,minimum,maximum,also,means]
    succession    CSV code,to_code,on,kind[,note], together with the table it belongs to
    layouts       see `layouts.py`

Pure: bytes in, an edition or all findings out. Nothing is guessed: what is not understood is a finding with its line.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import orjson
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent

from datong.kernel.failures import TooLarge
from datong.kernel.limits import STANDARD_ENTRIES_MAX, STANDARD_FILE_BYTES_MAX
from datong.standards.contracts import (
    Code,
    Edition,
    EditionKind,
    Element,
    StandardFinding,
    StandardInvalid,
    Succession,
)
from datong.standards.layouts import AREAS_NAME, LAYOUTS, Layout, Row, normalise_heads
from datong.standards.model import find_problems
from datong.standards.moves import resolve_moves
from datong.standards.shipped import ELEMENT_WORDS, read_element

T = TypeVar("T")

CODE_HEADS = frozenset({"code", "title_zh"})
ELEMENT_HEADS = frozenset({"id", "name", "zh"})
STEP_HEADS = frozenset({"code", "to_code", "on", "kind"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What the importer says about the files; empty words are taken from the files or their layout."""

    kind: str = ""
    name: str = ""
    edition: str = ""
    title_zh: str = ""
    title_en: str = ""
    source: str = ""
    valid_from: str = ""
    valid_to: str = ""


@dataclass(slots=True)
class Reading:
    """What has been read so far, and what was wrong with it."""

    codes: list[Code] = field(default_factory=list)
    elements: list[Element] = field(default_factory=list)
    succession: list[Succession] = field(default_factory=list)
    moves: list[Row] = field(default_factory=list)
    heading: dict[str, str] = field(default_factory=dict)
    covers: tuple[dt.date, dt.date] | None = None
    findings: list[StandardFinding] = field(default_factory=list)
    warnings: list[StandardFinding] = field(default_factory=list)

    def add(self, file: str, line: int, zh: str, en: str) -> None:
        self.findings.append(StandardFinding(file=file, line=line, message_zh=zh, message_en=en))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadEdition:
    """An edition that may be imported, and what of its files was left out: moves that name no code of the table."""

    edition: Edition
    warnings: tuple[StandardFinding, ...] = ()


def read_edition(files: Sequence[tuple[str, bytes]], heading: Heading | None = None) -> ReadEdition:
    """One edition out of one or several files. Raises StandardInvalid with every finding; TooLarge."""
    reading = Reading()
    for name, data in files:
        if len(data) > STANDARD_FILE_BYTES_MAX:
            raise TooLarge(
                "Split the standard into several lists.",
                hint_zh="请将标准拆分为几个代码集。",
                file=name,
                limit_bytes=STANDARD_FILE_BYTES_MAX,
            )
        _read_file(reading, name, data)
    if not reading.findings:
        _tidy(reading)
        _resolve_moves(reading)
    edition = None if reading.findings else _build(reading, heading or Heading(), files[0][0] if files else "")
    if edition is None or reading.findings:
        raise StandardInvalid(tuple(reading.findings))
    return ReadEdition(edition=edition, warnings=tuple(reading.warnings))


def _read_file(reading: Reading, name: str, data: bytes) -> None:
    text = _decode(data)
    if text is None:
        reading.add(name, 0, "不是 UTF-8 或 GB18030 文本", "is neither UTF-8 nor GB18030 text")
    elif name.lower().endswith((".yaml", ".yml", ".json")):
        _read_package(reading, name, text)
    elif "=>" in text.partition("\n")[0]:
        reading.moves += [Row(name, line, {"move": row}) for line, row in enumerate(text.splitlines(), start=1) if row]
    else:
        _read_csv(reading, name, text)


def _decode(data: bytes) -> str | None:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _tidy(reading: Reading) -> None:
    """Statistical areas come one file a level: a city without counties stands in two of them, and parents that were
    not handed in are not missed."""
    if reading.heading.get("name") == AREAS_NAME:
        once = {(code.code, code.title_zh): code for code in reversed(reading.codes)}
        known = {code for code, _ in once}
        reading.codes = [c if c.parent in known else replace(c, parent="") for c in reversed(once.values())]


def _resolve_moves(reading: Reading) -> None:
    """Moves told by names become steps between the codes that were read beside them."""
    if not reading.moves:
        return
    if not reading.codes:
        reading.add(
            reading.moves[0].file,
            0,
            "沿革须与行政区划表一并导入",
            "tells of moves by name; import it together with the table of divisions",
        )
        return
    steps, unresolved = resolve_moves(reading.codes, [str(row.cells["move"]) for row in reading.moves])
    reading.succession += steps
    for place, path in unresolved:
        row = reading.moves[place]
        reading.warnings.append(
            StandardFinding(
                file=row.file,
                line=row.line,
                message_zh=f"表中找不到或不唯一，未采用：{path}",
                message_en=f"left out, since the table has it not at all or more than once: {path}",
            )
        )


# CSV ---------------------------------------------------------------------------------------------------------------
def _read_csv(reading: Reading, name: str, text: str) -> None:
    lines = csv.reader(io.StringIO(text, newline=""))
    heads = normalise_heads(next(lines, []))
    rows = [
        Row(name, line, dict(zip(heads, (cell.strip() for cell in cells), strict=False)))
        for line, cells in enumerate(lines, start=2)
        if any(cells)
    ]
    if len(rows) > STANDARD_ENTRIES_MAX:
        raise TooLarge(
            "Split the standard into several lists.",
            hint_zh="请将标准拆分为几个代码集。",
            file=name,
            limit_rows=STANDARD_ENTRIES_MAX,
        )
    layout = next((layout for layout in LAYOUTS if layout.fits(heads, rows)), None)
    if layout is not None:
        _read_layout(reading, layout, name, rows)
    elif set(heads) >= STEP_HEADS:
        reading.succession += _each(reading, rows, _read_step)
    elif set(heads) >= ELEMENT_HEADS:
        reading.heading.setdefault("kind", EditionKind.ELEMENTS)
        reading.elements += _each(reading, rows, _read_element_row)
    elif set(heads) >= CODE_HEADS:
        reading.codes += _each(reading, rows, _read_code_row)
    elif {"snapshot", "event"} <= set(heads):
        reading.add(
            name,
            1,
            "这是变更清单，不是代码表；请导入历史表（code,name,first_seen,last_seen），变更由它推得",
            "is a list of changes and no table; import the history (code,name,first_seen,last_seen), which tells them",
        )
    else:
        reading.add(
            name,
            1,
            f"表头不认识：{'、'.join(heads[:8])}。代码集用 code,title_zh；数据元用 id,name,zh",
            f"has heads that are not known: {', '.join(heads[:8])}. Codes need code,title_zh; elements id,name,zh",
        )


def _read_layout(reading: Reading, layout: Layout, name: str, rows: list[Row]) -> None:
    try:
        found = layout.read(rows)
    except ValueError as problem:
        reading.add(name, 0, f"不符合版式“{layout.title_zh}”：{problem}", f"does not follow its layout: {problem}")
        return
    reading.codes += found.codes
    reading.covers = found.covers or reading.covers
    for key, value in found.heading.items():
        reading.heading.setdefault(key, value)


def _each(reading: Reading, rows: Sequence[Row], read: Callable[[Mapping[str, Any]], T]) -> Iterator[T]:
    for row in rows:
        try:
            yield read(row.cells)
        except (KeyError, ValueError, TypeError) as problem:
            reading.add(row.file, row.line, f"读不出：{problem}", f"cannot be read: {problem}")


def _read_code_row(cells: Mapping[str, Any]) -> Code:
    for name in ("code", "title_zh"):
        if not isinstance(cells.get(name), str):
            raise ValueError(f"{name} must be text; write it in quotes" if cells.get(name) else f"{name} is missing")
    if not cells["code"] or not cells["title_zh"]:
        raise ValueError("code or title_zh is empty")
    return Code(
        code=cells["code"],
        title_zh=cells["title_zh"],
        title_en=str(cells.get("title_en") or ""),
        parent=str(cells.get("parent") or ""),
        note=str(cells.get("note") or ""),
        valid_from=read_day(cells.get("valid_from")),
        valid_to=read_day(cells.get("valid_to")),
    )


def _read_element_row(cells: Mapping[str, Any]) -> Element:
    words: dict[str, Any] = {name: value for name, value in cells.items() if name in ELEMENT_WORDS and value != ""}
    also = words.get("also")
    if isinstance(also, str):
        words["also"] = [word for word in also.replace("；", ";").replace("、", ";").split(";") if word.strip()]
    element = read_element(words)
    if not element.id or not element.title_zh:
        raise ValueError("id or zh is empty")
    return element


def _read_step(cells: Mapping[str, Any]) -> Succession:
    on = read_day(cells["on"])
    if on is None or cells["kind"] not in ("renamed", "recoded", "merged", "split"):
        raise ValueError("`on` is a date and `kind` renamed, recoded, merged or split")
    return Succession(
        code=str(cells["code"]),
        to_code=str(cells["to_code"]),
        on=on,
        kind=str(cells["kind"]),
        note=str(cells.get("note") or ""),
    )


def read_day(value: Any) -> dt.date | None:
    """A date as YYYY-MM-DD or YYYYMMDD; None for nothing. ValueError otherwise."""
    if value in (None, ""):
        return None
    if isinstance(value, dt.date):
        return value
    return dt.date.fromisoformat(str(value))


# Our package -------------------------------------------------------------------------------------------------------
def _read_package(reading: Reading, name: str, text: str) -> None:
    try:
        value = orjson.loads(text) if name.lower().endswith(".json") else _load_yaml(text)
    except (orjson.JSONDecodeError, YAMLError, ValueError) as problem:
        reading.add(name, 0, f"读不出：{problem}", f"cannot be read: {problem}")
        return
    if not isinstance(value, dict) or not any(key in value for key in ("codes", "elements", "succession")):
        reading.add(
            name,
            0,
            "没有 codes、succession 或 elements；没有代码的名称表不能作为代码集",
            "has no codes, succession or elements; names without codes are no code list",
        )
        return
    for key in ("kind", "name", "edition", "title_zh", "title_en", "source", "valid_from", "valid_to"):
        if value.get(key) not in (None, ""):
            reading.heading[key] = str(value[key])
    for key, read, into in (
        ("codes", _read_code_row, reading.codes),
        ("succession", _read_step, reading.succession),
        ("elements", _read_element_row, reading.elements),
    ):
        items = value.get(key) or []
        bad = [place for place, item in enumerate(items, start=1) if not isinstance(item, dict)]
        for place in bad:
            reading.add(name, place, f"{key}第{place}项不是键值", f"item {place} of {key} is no mapping")
        rows = [Row(name, place, item) for place, item in enumerate(items, start=1) if isinstance(item, dict)]
        into.extend(_each(reading, rows, read))  # type: ignore[arg-type]


def _load_yaml(text: str) -> Any:
    """YAML 1.2 without aliases, which could blow a small file up."""
    if any(isinstance(event, AliasEvent) for event in YAML(typ="safe", pure=True).parse(text)):
        raise ValueError("aliases are not read")
    return YAML(typ="safe", pure=True).load(text)


# The edition -------------------------------------------------------------------------------------------------------
def _build(reading: Reading, given: Heading, file: str) -> Edition | None:
    said = {name: getattr(given, name) or reading.heading.get(name, "") for name in Heading.__dataclass_fields__}
    for name, zh in (("name", "代码集标识"), ("edition", "版本"), ("title_zh", "中文名称")):
        if not said[name]:
            reading.add(file, 0, f"缺少{zh}（--{name.replace('_zh', '')}）", f"lacks its {name}")
    try:
        kind = EditionKind(said["kind"] or EditionKind.CODES)
        valid_from, valid_to = read_day(said["valid_from"]), read_day(said["valid_to"])
    except ValueError as problem:
        reading.add(file, 0, f"读不出：{problem}", f"cannot be read: {problem}")
        return None
    edition = Edition(
        kind=kind,
        name=said["name"],
        edition=said["edition"],
        title_zh=said["title_zh"],
        title_en=said["title_en"],
        source=said["source"],
        covers_from=reading.covers[0] if reading.covers else None,
        covers_to=reading.covers[1] if reading.covers else None,
        codes=tuple(reading.codes),
        succession=tuple(reading.succession),
        elements=tuple(reading.elements),
        valid_from=valid_from,
        valid_to=valid_to,
    )
    for zh, en in find_problems(edition):
        reading.add(file, 0, zh, en)
    return replace(edition, confirmed=True)
