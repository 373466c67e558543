"""Workbooks as people make them: a title over the whole width, a heading of two levels with merged cells, the table.

Written by hand (ECMA-376 Part 1, SpreadsheetML): a library that makes a Python object a cell takes a minute for what
takes a second here. Positions are rows of the sheet, as a spreadsheet counts them.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

import numpy as np

from datong.testing.city.draws import Ints, kernels, number_text
from datong.testing.city.formats.lines import LineFile, escaped, joined
from datong.testing.city.model import Rows, TableSpec
from datong.testing.city.spoil import Spoiled

_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\n": "&#10;"}
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_LINKS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
SHEET_ROWS_MAX: Final = 1_048_576
"""Of one sheet, by the format."""


def column_letter(place: int) -> str:
    """A for 0, Z for 25, AA for 26."""
    letters = ""
    place += 1
    while place:
        place, digit = divmod(place - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return letters


class SheetWriter:
    """One sheet, written to a file of its own; `Workbook` puts the sheets together."""

    def __init__(self, spec: TableSpec, path: Path) -> None:
        self.spec, self.path = spec, path
        self._file = LineFile(path)
        self._letters = [column_letter(place) for place in range(len(spec.columns))]
        self._merged: list[str] = []
        self._row = 1
        self._file.write(
            f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<worksheet xmlns="{_MAIN}"><sheetData>'
        )
        self._write_headings()

    def _write_headings(self) -> None:
        spec, last = self.spec, self._letters[-1]
        for title in spec.preamble:
            self._put({self._letters[0]: title})
            self._merged.append(f"A{self._row - 1}:{last}{self._row - 1}")
        if spec.groups:
            cells, place = {}, 0
            for title, width in spec.groups:
                cells[self._letters[place]] = title
                if width > 1:
                    self._merged.append(
                        f"{self._letters[place]}{self._row}:{self._letters[place + width - 1]}{self._row}"
                    )
                place += width
            self._put(cells)
        self._put(dict(zip(self._letters, (spec.header_of(column) for column in spec.columns), strict=True)))

    def _put(self, cells: dict[str, str]) -> None:
        text = "".join(
            f'<c r="{letter}{self._row}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
            for letter, value in cells.items()
        )
        self._file.write(f'<row r="{self._row}">{text}</row>')
        self._row += 1

    def write(self, block: Spoiled, rows: Rows) -> Ints:  # noqa: ARG002
        begins = self._row + np.arange(len(block), dtype=np.int64)
        if self._row + len(block) > SHEET_ROWS_MAX:
            raise ValueError(
                f"a sheet holds {SHEET_ROWS_MAX} rows: {self.spec.resource} has more; build a smaller city"
            )
        if len(block):
            row = number_text(begins)
            parts: list[Any] = ['<row r="', row, '">']
            for letter, column in zip(self._letters, self.spec.columns, strict=True):
                value = block.columns[column.name]
                opening = '" t="inlineStr"><is><t xml:space="preserve">'
                text = joined([f'<c r="{letter}', row, opening, escaped(value, _ESCAPES), "</t></is></c>"])
                if column.type in ("number", "integer"):
                    number = joined([f'<c r="{letter}', row, '"><v>', value, "</v></c>"])
                    text = kernels.if_else(kernels.match_substring_regex(value, r"^-?\d+(\.\d+)?$"), number, text)
                parts.append(kernels.if_else(kernels.equal(value, ""), "", text))
            self._file.write_lines(joined([*parts, "</row>"]))
            self._row += len(block)
        return begins

    def close(self) -> None:
        self._file.write("</sheetData>")
        if self._merged:
            cells = "".join(f'<mergeCell ref="{area}"/>' for area in self._merged)
            self._file.write(f'<mergeCells count="{len(self._merged)}">{cells}</mergeCells>')
        self._file.write("</worksheet>")
        self._file.close()


def bind_workbook(path: Path, sheets: list[SheetWriter]) -> None:
    """Put closed sheets into one .xlsx and delete their files."""
    numbers = range(1, len(sheets) + 1)
    kind = f"{_LINKS}/worksheet"
    listed = "".join(
        f'<sheet name="{escape(sheet.spec.sheet)}" sheetId="{number}" r:id="rId{number}"/>'
        for number, sheet in zip(numbers, sheets, strict=True)
    )
    targets = "".join(f'<Relationship Id="rId{n}" Type="{kind}" Target="worksheets/sheet{n}.xml"/>' for n in numbers)
    spreadsheet = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{spreadsheet}.worksheet+xml"/>' for n in numbers
    )
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    texts = {
        "[Content_Types].xml": f'{head}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{spreadsheet}.sheet.main+xml"/>{parts}</Types>',
        "_rels/.rels": f'{head}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_LINKS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'{head}<workbook xmlns="{_MAIN}" xmlns:r="{_LINKS}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{head}<Relationships xmlns="{_PACKAGE}/relationships">'
        f"{targets}</Relationships>",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as package:
        for name, text in texts.items():
            with package.open(name, "w") as part:  # unlike writestr it puts no date of today in
                part.write(text.encode())
        for number, sheet in zip(numbers, sheets, strict=True):
            copy_in(package, f"xl/worksheets/sheet{number}.xml", sheet.path)


def copy_in(package: zipfile.ZipFile, name: str, path: Path) -> None:
    """Copy a file into a package in pieces, then delete it. The entry has the format's first date: equal cities have
    equal files."""
    with package.open(name, "w", force_zip64=True) as out, path.open("rb") as source:
        while piece := source.read(1 << 20):
            out.write(piece)
    path.unlink()
