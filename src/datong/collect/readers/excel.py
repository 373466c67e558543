"""Workbooks (xlsx, xlsb, xls, ods): the sheet whose header is the contract's, as text, with its own row numbers.

A workbook is held in memory while it is read (calamine), within READER_EXCEL_BYTES_MAX unpacked. Dates become ISO text,
whole numbers lose their ".0", error cells keep their text (xlsx; the other forms leave them empty), a cell merged over
several rows fills them all. Hidden rows are rows like any other, and are told.
"""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from pathlib import Path

import python_calamine as calamine
from lxml import etree

from datong.collect.contracts import FileEmpty
from datong.collect.delimited import CHUNK_BYTES
from datong.collect.readers.archives import check_unpacked
from datong.collect.readers.contracts import FileLocked, FileMalformed, HeaderNotFound, Note, PlainTable, SheetUnknown
from datong.collect.readers.headers import Header, count_matches, expected_columns, find_header, locate_header
from datong.collect.readers.plain import SourceRow, write_rows
from datong.collect.readers.reading import Source
from datong.kernel.limits import READER_EXCEL_BYTES_MAX, READER_HEADER_ROWS_SEARCHED

_DIGITS_EXACT = 10**15
"""Excel keeps 15 digits of a number."""
_XML_MARKS = re.compile(
    rb'<(?:\w+:)?row\b[^>]*?\br="(?P<row>\d+)"[^>]*?\bhidden="(?:1|true)"'
    rb'|<(?:\w+:)?row\b[^>]*?\bhidden="(?:1|true)"[^>]*?\br="(?P<row2>\d+)"'
    rb'|<(?:\w+:)?c\b(?=[^>]*?\bt="e")[^>]*?\br="(?P<cell>[A-Z]+\d+)"[^>]*>(?:(?!</(?:\w+:)?c>).)*?'
    rb"<(?:\w+:)?v>(?P<error>[^<]*)<"
)
_VISIBLE = calamine.SheetVisibleEnum.Visible


@dataclass(slots=True)
class _Told:
    """What a sheet shows besides its cells."""

    hidden: list[int] = field(default_factory=list)
    errors: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    """By row number from 1: (column from 0, text)."""
    long_numbers: list[int] = field(default_factory=list)
    error_rows: list[int] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def read_excel(source: Source) -> PlainTable:
    """Raises FileLocked, FileMalformed, SheetUnknown, SourceTooLarge and the failures of a table without a header."""
    if zipfile.is_zipfile(source.path):
        check_unpacked(source.path, READER_EXCEL_BYTES_MAX)
    book = _open(source.path)
    try:
        return _read_book(source, book)
    finally:
        book.close()


def _open(path: Path) -> calamine.CalamineWorkbook:
    try:
        return calamine.CalamineWorkbook.from_path(str(path))
    except calamine.PasswordError as error:
        raise FileLocked(
            "Remove the workbook's password and send it again.", hint_zh="请去掉工作簿的密码后再提交。"
        ) from error
    except calamine.CalamineError as error:
        raise FileMalformed(
            "It looks like a workbook but cannot be opened as one. Open it in Excel, save it as xlsx and send that.",
            hint_zh="文件看似Excel工作簿，但无法打开。请用Excel打开后另存为xlsx再提交。",
            private=str(error),
        ) from error


def _read_book(source: Source, book: calamine.CalamineWorkbook) -> PlainTable:
    names, notes = _choose(source, book)
    told = _Told()
    _, header = _open_sheet(source, book, names[0])
    notes += header.notes
    rows = _stacked(source, book, names, told)
    written = write_rows(rows, header.names, source.wanted, source.reading, source.work / "plain.csv", is_padded=True)
    return written.as_table(kind="excel", position_word="row", notes=(*notes, *_notes_of(told)))


def _sheet(book: calamine.CalamineWorkbook, name: str) -> calamine.CalamineSheet:
    try:
        return book.get_sheet_by_name(name)
    except calamine.CalamineError as error:
        raise FileMalformed(
            f"The sheet {name} cannot be read.", hint_zh=f"工作表“{name}”无法读取。", private=str(error)
        ) from error


def _head(sheet: calamine.CalamineSheet) -> list[tuple[int, list[str]]]:
    """The first rows that are not blank, with their numbers."""
    rows = ((number, [cell_text(cell) for cell in row]) for number, row in enumerate(sheet.iter_rows(), 1))
    return list(islice(((number, cells) for number, cells in rows if any(cells)), READER_HEADER_ROWS_SEARCHED))


def _open_sheet(source: Source, book: calamine.CalamineWorkbook, name: str) -> tuple[int, Header]:
    """The row number on which the rows begin, and the header."""
    head = _head(_sheet(book, name))
    if not head:
        raise FileEmpty(f"The sheet {name} is empty.", hint_zh=f"工作表“{name}”是空的。", sheet=name)
    header = find_header(head, source.wanted, source.reading)
    begin = head[header.end][0] if header.end < len(head) else head[-1][0] + 1
    return begin, header


def _choose(source: Source, book: calamine.CalamineWorkbook) -> tuple[list[str], list[Note]]:
    """The sheets to read: those that the contract names, else the one that carries the contract's header."""
    every = {meta.name: meta for meta in book.sheets_metadata if meta.typ is calamine.SheetTypeEnum.WorkSheet}
    visible = [name for name, meta in every.items() if meta.visible is _VISIBLE]
    asked = source.reading.sheets
    if asked:
        missing = [name for name in asked if name != "*" and name not in every]
        if missing:
            raise SheetUnknown(
                f"There is no sheet {', '.join(missing)}. The workbook has: {', '.join(every)}.",
                hint_zh=f"没有工作表“{'”“'.join(missing)}”。工作簿中有：{'、'.join(every)}。",
                missing=missing,
                present=list(every),
            )
        chosen = list(dict.fromkeys(n for name in asked for n in (visible if name == "*" else [name])))
    else:
        chosen = [_find_sheet(source, book, visible)]
    notes = []
    if len(every) > 1:
        notes.append(
            Note(code="sheet", zh=f"读取的工作表：{'、'.join(chosen)}", en=f"Sheets read: {', '.join(chosen)}")
        )
    unread = [name for name in every if name not in chosen and _head(_sheet(book, name))]
    if unread:
        zh, en = f"没有读取的工作表：{'、'.join(unread)}", f"Sheets not read: {', '.join(unread)}"
        notes.append(Note(code="sheets-unread", zh=zh, en=en))
    return chosen, notes


def _find_sheet(source: Source, book: calamine.CalamineWorkbook, visible: Sequence[str]) -> str:
    heads = {name: head for name in visible if (head := _head(_sheet(book, name)))}
    if not heads:
        raise FileEmpty("The workbook has no filled sheet.", hint_zh="工作簿中没有内容。")
    if len(heads) == 1 or not source.wanted:
        return next(iter(heads))
    matched: dict[str, int] = {}
    for name, head in heads.items():
        try:
            names = locate_header(head, source.wanted, source.reading)[2]
        except HeaderNotFound:
            names = []
        matched[name] = count_matches(names, source.wanted, source.reading)
    most = max(matched.values())
    best = [name for name, count in matched.items() if count == most]
    if len(best) == 1 and most * 2 >= len(expected_columns(source.wanted, source.reading)):
        return best[0]
    raise SheetUnknown(
        f"The sheets {', '.join(best)} fit the contract equally well ({most} columns). "
        "Name one, or a list of them to be read one after another, in `reading.sheet`.",
        hint_zh=f"工作表{'、'.join(best)}与契约的符合程度相同（{most}列）。请在契约reading.sheet中写明一个，或列出要依次读取的几个。",
        sheets=best,
        present=list(heads),
    )


def _stacked(source: Source, book: calamine.CalamineWorkbook, names: Sequence[str], told: _Told) -> Iterator[SourceRow]:
    """The rows of the sheets one below the other; those of the second are numbered on from the end of the first."""
    offset = 0
    header: tuple[str, ...] = ()
    for name in names:
        begin, own = _open_sheet(source, book, name)
        header = header or own.names
        if own.names != header:
            raise SheetUnknown(
                f"The sheet {name} has another header than {names[0]}: {', '.join(own.names)}.",
                hint_zh=f"工作表“{name}”的表头与“{names[0]}”不同：{'、'.join(own.names)}。",
                sheets=[names[0], name],
            )
        sheet = _sheet(book, name)
        if offset:
            zh, en = f"工作表“{name}”第1行记为第{offset + 1}行", f"Row 1 of the sheet {name} counts as {offset + 1}"
            told.notes.append(Note(code="sheet", zh=zh, en=en, first=offset + 1))
        yield from _rows(sheet, begin, offset, _look_at(source.path, name), told)
        offset += sheet.total_height + 1


def _rows(sheet: calamine.CalamineSheet, begin: int, offset: int, marks: _Told, told: _Told) -> Iterator[SourceRow]:
    left = sheet.start[1] if sheet.start else 0
    fills = _vertical_merges(sheet, begin, left)
    kept: dict[int, str] = {}
    told.hidden += [row + offset for row in marks.hidden if row >= begin]
    for number, row in enumerate(sheet.iter_rows(), 1):
        if number < begin:
            continue
        cells = [cell_text(cell) for cell in row]
        for column, text in marks.errors.get(number, ()):
            if 0 <= column - left < len(cells) and not cells[column - left]:
                cells[column - left] = text
                told.error_rows.append(number + offset)
        if any(type(cell) is float and abs(cell) >= _DIGITS_EXACT for cell in row):
            told.long_numbers.append(number + offset)
        for column, is_first in fills.get(number, ()):
            if is_first:
                kept[column] = cells[column]
            else:
                cells[column] = kept.get(column, "")
        if any(cells):
            yield number + offset, cells, None


def _vertical_merges(sheet: calamine.CalamineSheet, begin: int, left: int) -> dict[int, list[tuple[int, bool]]]:
    """By row number: the columns of cells merged over several rows, and whether the row is the first of them."""
    found: dict[int, list[tuple[int, bool]]] = {}
    for (top, column), (bottom, _) in sheet.merged_cell_ranges or ():
        if bottom > top >= begin - 1:
            for row in range(top, bottom + 1):
                found.setdefault(row + 1, []).append((column - left, row == top))
    return found


def cell_text(cell: object) -> str:
    """A cell as text: ISO dates and times, numbers without exponent or a needless ".0"."""
    kind = type(cell)
    if kind is str:
        return cell  # type: ignore[return-value]
    if kind is float:
        number: float = cell  # type: ignore[assignment]
        return str(int(number)) if number.is_integer() else format(Decimal(repr(number)), "f")
    if kind is bool:
        return "true" if cell else "false"
    return _time_text(cell)


def _time_text(cell: object) -> str:
    if isinstance(cell, dt.datetime):
        is_date = (cell.hour, cell.minute, cell.second, cell.microsecond) == (0, 0, 0, 0)
        return cell.date().isoformat() if is_date else cell.isoformat(" ")
    if isinstance(cell, dt.timedelta):
        minutes, seconds = divmod(int(cell.total_seconds()), 60)
        return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
    return cell.isoformat() if isinstance(cell, dt.date | dt.time) else str(cell)


def _look_at(path: Path, sheet: str) -> _Told:
    """Hidden rows and error cells of an xlsx sheet, which calamine does not give; nothing for the other forms."""
    told = _Told()
    if not zipfile.is_zipfile(path):
        return told
    with zipfile.ZipFile(path) as archive:
        member = _sheet_member(archive, sheet)
        if member is None:
            return told
        rest = b""
        with archive.open(member) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                data = rest + chunk
                cut = max(data.rfind(b"<row"), data.rfind(b":row"), 0) if len(chunk) == CHUNK_BYTES else len(data)
                _collect_marks(data[:cut], told)
                rest = data[cut:]
        _collect_marks(rest, told)
    return told


def _collect_marks(data: bytes, told: _Told) -> None:
    for found in _XML_MARKS.finditer(data):
        if found["cell"]:
            letters = found["cell"].rstrip(b"0123456789")
            column = 0
            for letter in letters:
                column = column * 26 + letter - 64
            row = int(found["cell"][len(letters) :])
            told.errors.setdefault(row, []).append((column - 1, found["error"].decode("utf-8", "replace")))
        else:
            told.hidden.append(int(found["row"] or found["row2"]))


def _sheet_member(archive: zipfile.ZipFile, sheet: str) -> str | None:
    names = set(archive.namelist())
    if not {"xl/workbook.xml", "xl/_rels/workbook.xml.rels"} <= names:
        return None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    book = etree.fromstring(archive.read("xl/workbook.xml"), parser)
    links = etree.fromstring(archive.read("xl/_rels/workbook.xml.rels"), parser)
    targets = {link.get("Id"): link.get("Target", "") for link in links}
    for element in book.iter("{*}sheet"):
        if element.get("name") == sheet:
            relation = next((value for key, value in element.attrib.items() if str(key).endswith("}id")), None)
            target = str(targets.get(relation, ""))
            member = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            return member if member in names else None
    return None


def _notes_of(told: _Told) -> list[Note]:
    notes = list(told.notes)
    for code, rows, zh, en in (
        ("hidden-rows", told.hidden, "隐藏的{n}行也已读取", "{n} hidden rows were read too"),
        (
            "long-numbers",
            told.long_numbers,
            "{n}行有超过15位的数值，Excel已丢失末位，请改为文本",
            "{n} rows hold numbers of more than 15 digits: Excel lost the last ones; make them text",
        ),
        (
            "formula-errors",
            sorted(set(told.error_rows)),
            "{n}行有公式错误单元格",
            "{n} rows hold cells with formula errors",
        ),
    ):
        if rows:
            n = len(rows)
            notes.append(Note(code=code, zh=zh.format(n=n), en=en.format(n=n), first=rows[0], last=rows[-1]))
    return notes
