"""The sender's workbook with its faults marked: a red cell and a comment that says what was expected."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable

from openpyxl.comments import Comment
from openpyxl.styles import PatternFill
from openpyxl.worksheet.worksheet import Worksheet

from datong.catalog.workbook.layout import RESOURCE_SHEET
from datong.catalog.workbook.reading import CellFinding, open_workbook

_RED = PatternFill("solid", fgColor="F8C9C4")
_AUTHOR = "大同 Datong"
_COMMENT_CHARACTERS_MAX = 1500


def mark_workbook(payload: bytes, findings: Iterable[CellFinding]) -> bytes:
    """A copy of the workbook. A fault of a sheet that is not there stands on the first sheet."""
    book = open_workbook(payload)
    by_cell: dict[tuple[str, str], list[CellFinding]] = defaultdict(list)
    for finding in findings:
        by_cell[finding.sheet, finding.cell].append(finding)
    for (name, address), found in by_cell.items():
        present = name if name in book.sheetnames else RESOURCE_SHEET if RESOURCE_SHEET in book.sheetnames else ""
        sheet = book[present or book.sheetnames[0]]
        assert isinstance(sheet, Worksheet)
        cell = sheet[address if present == name else "A1"]
        cell.fill = _RED
        lines = [f"{one.message_zh}。{one.remedy_zh}\n{one.message}. {one.remedy}" for one in found]
        if present != name:
            lines.insert(0, name)
        cell.comment = Comment("\n".join(lines)[:_COMMENT_CHARACTERS_MAX], _AUTHOR, width=360, height=150)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
