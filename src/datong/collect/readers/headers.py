"""Where the table begins in a grid of cells, and what its columns are called. Titles and notes above it are told.

With a contract the header is the row, or the two or three rows joined, that names most of its columns. Without one it
is the first row as wide as what follows that holds no numbers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from datong.collect.delimited import WantedColumn, match_names, split_unit
from datong.collect.readers.contracts import HeaderNotFound, Note, UnitDiffers
from datong.collect.readers.reading import Reading
from datong.kernel.failures import TooLarge
from datong.kernel.limits import CONTRACT_COLUMNS_MAX, READER_HEADER_ROWS_SEARCHED, READER_NOTE_CHARACTERS_MAX

Row = tuple[int, list[str]]
"""A source position and the cells as text."""
HEADER_ROWS_MAX = 3
_NUMBER = re.compile(r"[-+]?[\d.,]+%?$")
_UNIT_ABOVE = re.compile(
    r"单\s*位\s*[:：]\s*(?P<unit>[^\s,，;；()（）]+)|\bunit\s*:\s*(?P<en>[^\s,;()]+)", re.IGNORECASE
)
_MONEY = ("元", "百元", "千元", "万元", "百万元", "千万元", "亿元")
_OTHER = (
    "美元 万美元 亿美元 人 千人 万人 亿人 户 万户 个 家 件 万件 次 万次 吨 万吨 亿吨 千克 公斤 克 公里 千米 米 厘米 "
    "毫米 亩 万亩 公顷 千公顷 平方米 万平方米 平方公里 立方米 万立方米 % ‰ 千瓦时 万千瓦时 亿千瓦时 ℃ 小时 分钟 "
    "mg/m3 ug/m3 μg/m3 辆 万辆 张 床 岁 天 年 度"
)
_UNITS = frozenset((*_MONEY, *_OTHER.split()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The header's place among the given rows: it begins at index `start`; rows begin at index `end`."""

    start: int
    end: int
    names: tuple[str, ...]
    notes: tuple[Note, ...] = ()


def find_header(rows: Sequence[Row], wanted: Sequence[WantedColumn], reading: Reading) -> Header:
    """Raises HeaderNotFound, UnitDiffers, TooLarge. `rows` are the first of the source, blank ones among them."""
    start, count, names = locate_header(rows, wanted, reading)
    if len(names) > CONTRACT_COLUMNS_MAX:
        raise TooLarge(
            f"The header has {len(names)} columns; the limit is {CONTRACT_COLUMNS_MAX}.",
            hint_zh=f"表头有{len(names)}列，上限是{CONTRACT_COLUMNS_MAX}列。",
            columns=len(names),
        )
    names, notes = _name_blanks(names)
    above = rows[:start]
    if any(any(cells) for _, cells in above):
        notes.insert(0, _preamble_note(above))
    if count > 1:
        notes.append(
            Note(
                code="header-rows",
                zh=f"表头有{count}行，上下级名称以“/”相连",
                en=f"The header has {count} rows; upper and lower names are joined by a slash",
                first=rows[start][0],
                last=rows[start + count - 1][0],
            )
        )
    if reading.unit_in_header:
        notes += _check_units(names, above, wanted)
    return Header(
        start=start,
        end=start + count,
        names=tuple(names),
        notes=tuple(notes),
    )


def locate_header(rows: Sequence[Row], wanted: Sequence[WantedColumn], reading: Reading) -> tuple[int, int, list[str]]:
    """The index at which the header begins, its number of rows, and its names as they stand."""
    start, count = _place(rows, expected_columns(wanted, reading), reading)
    if count:
        return start, count, join_levels([cells for _, cells in rows[start : start + count]])
    return start, 0, _no_names(rows[start:], wanted)


def count_matches(names: Sequence[str], wanted: Sequence[WantedColumn], reading: Reading) -> int:
    """How many of the columns that the header should name it does name."""
    return len(match_names(names, expected_columns(wanted, reading)))


def expected_columns(wanted: Sequence[WantedColumn], reading: Reading) -> list[WantedColumn]:
    """Those that the file's own header should name: of a table to be turned, only what is kept."""
    if reading.unpivot is None:
        return list(wanted)
    kept = [column for column in wanted if column.name in reading.unpivot.keep]
    known = {column.name for column in kept}
    return kept + [WantedColumn(name=name, aliases=()) for name in reading.unpivot.keep if name not in known]


def _place(rows: Sequence[Row], expected: Sequence[WantedColumn], reading: Reading) -> tuple[int, int]:
    count = 0 if reading.no_header else reading.header_rows
    if reading.first_row:
        start = next((i for i, (position, _) in enumerate(rows) if position >= reading.first_row), None)
        if start is None:
            raise HeaderNotFound(
                f"The contract says that the table begins on line {reading.first_row}; the file does not reach it "
                f"within its first {READER_HEADER_ROWS_SEARCHED} rows.",
                hint_zh=f"数据契约指定表格从第{reading.first_row}行开始，文件前{READER_HEADER_ROWS_SEARCHED}行内没有这一行。",
                first_row=reading.first_row,
            )
        return start, 0 if reading.no_header else max(1, count)
    if reading.no_header:
        return next((i for i, (_, cells) in enumerate(rows) if any(cells)), 0), 0
    counts = [count] if count else range(1, HEADER_ROWS_MAX + 1)
    best, place = (0, 0), (0, 1)
    for start in range(len(rows)):
        for levels in counts:
            if levels > 1 and not count and (start + levels >= len(rows) or not _spans(rows[start : start + levels])):
                continue
            names = join_levels([cells for _, cells in rows[start : start + levels]])
            score = (len(match_names(names, expected)), -levels)
            if score[0] and score > best:
                best, place = score, (start, levels)
    if best[0] and best[0] * 2 >= len(expected):
        return place
    return _by_shape(rows), count or 1


def _spans(rows: Sequence[Row]) -> bool:
    """Whether the upper row of two may be a title over several columns, or beside one: it has a gap or a repetition."""
    (_, upper), (_, lower) = rows[0], rows[1]
    filled = [cell for cell in upper if cell]
    return (
        bool(filled)
        and (
            len(filled) < sum(1 for a, b in zip(upper, lower, strict=False) if a or b) or len(set(filled)) < len(filled)
        )
        and not any(_NUMBER.match(cell) for cell in lower if cell)
    )


def _by_shape(rows: Sequence[Row]) -> int:
    filled = [sum(1 for cell in cells if cell.strip()) for _, cells in rows]
    if not any(filled):
        return 0
    usual = Counter(count for count in filled if count).most_common(1)[0][0]
    for start, (_, cells) in enumerate(rows):
        names = [cell.strip() for cell in cells if cell.strip()]
        if filled[start] * 10 >= usual * 6 and len(set(names)) == len(names) and not any(map(_NUMBER.match, names)):
            return start
    return next(i for i, count in enumerate(filled) if count)


def join_levels(levels: Sequence[Sequence[str]]) -> list[str]:
    """One name a column: an upper cell also stands over the empty ones to its right, as merged cells are written."""
    width = max((len(level) for level in levels), default=0)
    grid = [[_flat(cell) for cell in level] + [""] * (width - len(level)) for level in levels]
    for upper, lower in pairwise(grid):
        for place in range(1, width):
            if not upper[place] and lower[place] and upper[place - 1] and lower[place - 1]:
                upper[place] = upper[place - 1]
    names = ["/".join(dict.fromkeys(level[place] for level in grid if level[place])) for place in range(width)]
    while names and not names[-1]:
        names.pop()
    return names


def _flat(cell: str) -> str:
    """A name without line breaks and outer space."""
    return " ".join(cell.split())


def _no_names(rows: Sequence[Row], wanted: Sequence[WantedColumn]) -> list[str]:
    """The contract's columns stand for a header that is not there."""
    width = Counter(len(cells) for _, cells in rows if any(cells)).most_common(1)
    count = width[0][0] if width else 0
    if wanted and count != len(wanted):
        trailing = count == len(wanted) + 1 and all(not cells[-1] for _, cells in rows if len(cells) == count)
        if not trailing:
            raise HeaderNotFound(
                f"The file has no header and {count} columns; the contract has {len(wanted)}.",
                hint_zh=f"文件没有表头，有{count}列；数据契约有{len(wanted)}列。",
                columns=count,
                expected=[column.name for column in wanted],
            )
    return [column.name for column in wanted] or [f"列{place + 1}" for place in range(count)]


def _name_blanks(names: Sequence[str]) -> tuple[list[str], list[Note]]:
    blanks = [place for place, name in enumerate(names, 1) if not name]
    if not blanks:
        return list(names), []
    places = "、".join(map(str, blanks))
    note = Note(
        code="header-blank",
        zh=f"表头第{places}列没有名称",
        en=f"Columns without a name in the header: {places}",
    )
    return [name or f"列{place}" for place, name in enumerate(names, 1)], [note]


def _preamble_note(rows: Sequence[Row]) -> Note:
    text = "\n".join(" ".join(cell for cell in cells if cell) for _, cells in rows if any(cells))
    first, last = rows[0][0], rows[-1][0]
    return Note(
        code="preamble",
        zh=f"表头之上第{first}至{last}行是标题或说明，未作为数据",
        en=f"Lines {first} to {last} above the header are titles or notes, not data",
        first=first,
        last=last,
        text=text[:READER_NOTE_CHARACTERS_MAX],
    )


def _check_units(names: Sequence[str], above: Sequence[Row], wanted: Sequence[WantedColumn]) -> list[Note]:
    """Units in header cells and above the table, told; refused where the contract says another."""
    notes: list[Note] = []
    found = match_names(names, wanted)
    by_name = {column.name: column for column in wanted}
    told: set[str] = set()
    for name, places in found.items():
        unit = _plain_unit(split_unit(names[places[0]])[1])
        if unit not in _UNITS:
            continue
        told.add(name)
        _refuse_other(unit, by_name[name], names[places[0]])
        notes.append(Note(code="header-unit", zh=f"“{name}”的单位是{unit}", en=f"The unit of {name} is {unit}"))
    for position, cells in above:
        stated = _UNIT_ABOVE.search(" ".join(cells))
        unit = _plain_unit((stated["unit"] or stated["en"]) if stated else "")
        if unit not in _UNITS:
            continue
        for name in found:
            if name not in told and unit in _MONEY and set(by_name[name].units) & set(_MONEY):
                _refuse_other(unit, by_name[name], f"{unit} ({position})")
        notes.append(
            Note(
                code="header-unit", zh=f"表上注明单位：{unit}", en=f"The unit above the table is {unit}", first=position
            )
        )
    return notes


def _plain_unit(text: str) -> str:
    return {"％": "%", "万": "万元", "亿": "亿元"}.get(text.strip(), text.strip())


def _refuse_other(unit: str, column: WantedColumn, cell: str) -> None:
    units = {_plain_unit(known) for known in column.units}
    if not units or unit in units:
        return
    said = "、".join(sorted(units))
    raise UnitDiffers(
        f"{column.name}: the file says {unit}, the contract {said}. Declare a unit step in `cleaning` "
        f"(from {unit} to {said}), or send the values in {said}.",
        hint_zh=f"“{column.name}”：文件写的是{unit}，数据契约是{said}。请在契约的清洗步骤中声明单位换算（{unit}→{said}），或按{said}提交。",
        column=column.name,
        found=unit,
        expected=sorted(units),
        header=cell,
    )
