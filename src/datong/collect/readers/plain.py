"""Writing the plain table: shapes checked, footnotes taken off, wide rows turned, the source position of each kept."""

from __future__ import annotations

import csv
import re
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datong.collect.contracts import FileEmpty
from datong.collect.delimited import WantedColumn, match_names
from datong.collect.exact import UnshapedRow, put_aside
from datong.collect.readers.contracts import HeaderNotFound, Note, PlainTable
from datong.collect.readers.headers import expected_columns
from datong.collect.readers.reading import Reading, Unpivot
from datong.kernel.limits import READER_NOTE_CHARACTERS_MAX, READER_NOTE_ROWS_MAX

NOTE = re.compile(
    r"^\W{0,3}(注|备\s*注|说\s*明|附\s*注|数据来源|资料来源|来源|制表|填表|填报|审核|联系人|本表|"
    r"notes?|remarks?|(data )?sources?)\s*([:：.．、\d(（]|单位|人|$)|^[*※①]",
    re.IGNORECASE,
)
"""How a footnote begins in Chinese and English tables."""
SourceRow = tuple[int, list[str], tuple[str, str] | None]
"""Position, cells, and what is wrong with the row's form (zh, en), if anything."""


@dataclass(slots=True, kw_only=True)
class Written:
    """The plain table as it grows; the caller makes a PlainTable of it."""

    path: Path
    header: tuple[str, ...]
    records: int = 0
    shift_from: array[int] = field(default_factory=lambda: array("q"))
    shift: array[int] = field(default_factory=lambda: array("q"))
    unshaped: list[UnshapedRow] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def place(self, position: int) -> None:
        """Remember where the next record comes from."""
        shift = position - self.records
        if not self.shift or self.shift[-1] != shift:
            self.shift_from.append(self.records)
            self.shift.append(shift)
        self.records += 1

    def as_table(
        self, *, kind: str, position_word: str, encoding: str = "", delimiter: str = "", notes: Sequence[Note] = ()
    ) -> PlainTable:
        return PlainTable(
            path=self.path,
            kind=kind,
            encoding=encoding,
            delimiter=delimiter,
            source_header=self.header,
            records=self.records,
            shift_from=self.shift_from,
            shift=self.shift,
            unshaped=tuple(self.unshaped),
            position_word=position_word,
            notes=(*notes, *self.notes),
        )


def open_writer(file: Any) -> Any:
    return csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)


def write_rows(
    rows: Iterable[SourceRow],
    names: Sequence[str],
    wanted: Sequence[WantedColumn],
    reading: Reading,
    target: Path,
    *,
    is_padded: bool = False,
) -> Written:
    """Write all rows below the header. `is_padded`: rows always have the sheet's width (Excel)."""
    if not names:
        raise HeaderNotFound("The table has no columns.", hint_zh="表格没有列。")
    turn = _Turn(names, wanted, reading.unpivot) if reading.unpivot else None
    written = Written(path=target, header=turn.header if turn else tuple(names))
    rest = _Footnotes(rows, len(names), reading, written.notes, is_padded=is_padded)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = open_writer(file)
        writer.writerow(written.header)
        for position, cells, fault in rest:
            if fault is not None:
                put_aside(written.unshaped, position, cells, *fault)
            elif turn is not None:
                for record in turn.records(cells):
                    written.place(position)
                    writer.writerow(record)
            else:
                written.place(position)
                writer.writerow(cells)
    if turn is not None:
        written.notes.append(turn.note())
    if written.records + len(written.unshaped) == 0:
        raise FileEmpty("There is a header line and nothing below it.", hint_zh="文件只有表头，没有数据行。", rows=0)
    return written


class _Footnotes:
    """The rows, each of the header's width or with a fault, without the notes below the table.

    From a row on that begins as a note does and lacks the table's shape, rows are held back while they lack it too;
    a whole row after them shows that they were no footnotes, and they go on as they are.
    """

    def __init__(
        self, rows: Iterable[SourceRow], width: int, reading: Reading, notes: list[Note], *, is_padded: bool
    ) -> None:
        self._rows, self._width, self._notes = rows, width, notes
        self._is_padded = is_padded
        self._pattern = re.compile(reading.footer_pattern) if reading.footer_pattern else None
        self._ignored = reading.last_rows_ignored
        self._fills, self._filled = reading.fill_short_rows, 0

    def __iter__(self) -> Iterator[SourceRow]:
        held: list[SourceRow] = []
        last: deque[SourceRow] = deque()
        for row in self._trimmed(held):
            last.append(row)
            if len(last) > self._ignored:
                yield last.popleft()
        self._tell([*last, *held])
        if self._filled:
            self._notes.append(
                Note(
                    code="short-rows",
                    zh=f"{self._filled:,}行末尾缺少字段，按空值补齐",
                    en=f"Rows that end early, filled up with empty cells: {self._filled:,}",
                )
            )

    def _trimmed(self, held: list[SourceRow]) -> Iterator[SourceRow]:
        cut = False
        for source in self._rows:
            row, is_short = self._shaped(source)
            _, cells, _ = row
            first = next((cell for cell in cells if cell.strip()), "")
            if cut or (self._pattern is not None and self._pattern.search(" ".join(filter(None, cells)))):
                cut = True
                if len(held) < READER_NOTE_ROWS_MAX:
                    held.append(row)
            elif is_short and (held or NOTE.match(first)) and len(held) < READER_NOTE_ROWS_MAX:
                if first:
                    held.append(row)
            else:
                if held:
                    yield from held
                    held.clear()
                yield row

    def _shaped(self, source: SourceRow) -> tuple[SourceRow, bool]:
        """The row at the header's width, or with the fault of its shape; and whether it may be a note."""
        position, cells, fault = source
        width = self._width
        if fault is not None:
            return source, width > 1
        given = len(cells)
        if given > width and not any(cells[width:]) and (self._is_padded or given == width + 1):
            cells = cells[:width]
        elif given < width and (self._is_padded or self._fills):
            cells = cells + [""] * (width - given)
            self._filled += not self._is_padded
        if len(cells) != width:
            found = (f"应有{width}个字段，实有{given}个", f"{width} fields expected, {given} found")
            return (position, cells, found), width > 1
        is_sparse = width > 1 and bool(cells[0]) and not any(cells[1:])
        return (position, cells, None), is_sparse

    def _tell(self, rows: Sequence[SourceRow]) -> None:
        if not rows:
            return
        first, last = rows[0][0], rows[-1][0]
        text = "\n".join(" ".join(filter(None, cells)) for _, cells, _ in rows)
        self._notes.append(
            Note(
                code="footnotes",
                zh=f"表尾第{first}至{last}行是注释或来源，未作为数据",
                en=f"Lines {first} to {last} below the table are notes or sources, not data",
                first=first,
                last=last,
                text=text[:READER_NOTE_CHARACTERS_MAX],
            )
        )


class _Turn:
    """Wide to long: one record for each kept row and each other column that has a value."""

    def __init__(self, names: Sequence[str], wanted: Sequence[WantedColumn], unpivot: Unpivot) -> None:
        found = match_names(names, expected_columns(wanted, Reading(unpivot=unpivot)))
        missing = [name for name in unpivot.keep if name not in found]
        if missing:
            raise HeaderNotFound(
                f"The table to be turned lacks {', '.join(missing)}. Its header: {', '.join(names)}.",
                hint_zh=f"待转换的宽表缺少：{'、'.join(missing)}。表头是：{'、'.join(names)}。",
                missing=missing,
                present=list(names),
            )
        self._kept = [found[name][0] for name in unpivot.keep]
        self._turned = [(place, name) for place, name in enumerate(names) if place not in self._kept]
        self.header = (*(names[place] for place in self._kept), unpivot.name, unpivot.value)
        self._blank = 0

    def records(self, cells: Sequence[str]) -> Iterator[list[str]]:
        kept = [cells[place] for place in self._kept]
        for place, name in self._turned:
            value = cells[place]
            if value.strip():
                yield [*kept, name, value]
            else:
                self._blank += 1

    def note(self) -> Note:
        count = len(self._turned)
        return Note(
            code="unpivoted",
            zh=f"宽表转为长表：{count}列各成一行，{self._blank}个空单元格没有成行",
            en=f"Wide table turned long: {count} columns became rows; {self._blank} empty cells became none",
        )
