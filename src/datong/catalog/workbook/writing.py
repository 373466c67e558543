"""The template as a workbook, empty or prefilled with contracts as they are."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from datong.catalog.authoring.fields import ContractField, FieldKind
from datong.catalog.authoring.form_values import columns_of, read_column, read_resource, title_text
from datong.catalog.values import DataContract
from datong.catalog.workbook.layout import (
    COLUMN_SHEET,
    GUIDE,
    GUIDE_SHEET,
    RESOURCE_SHEET,
    SHEETS,
    WORDS_SHEET,
    header_text,
)
from datong.kernel.limits import WORKBOOK_RESOURCES_MAX, WORKBOOK_ROWS_MAX

_HEAD = PatternFill("solid", fgColor="E0EDF2")
_ROWS_VALIDATED_MIN = 500
"""Drop-down lists reach at least so far down, so that rows can be added."""
_WIDE_KINDS = (FieldKind.WORD, FieldKind.FLAG)


def write_template(contracts: Iterable[DataContract] = ()) -> bytes:
    """The workbook's bytes. Contracts come prefilled with their versions as what the edit is made from."""
    found = list(contracts)[:WORKBOOK_RESOURCES_MAX]
    book = Workbook()
    guide = book.active
    assert isinstance(guide, Worksheet)
    guide.title = GUIDE_SHEET
    _write_guide(guide)
    resources, columns = book.create_sheet(RESOURCE_SHEET), book.create_sheet(COLUMN_SHEET)
    words = book.create_sheet(WORDS_SHEET)
    for sheet in (resources, columns):
        _write_head(sheet)
    for contract in found:
        raw = contract.raw
        texts = {**read_resource(raw), "base": contract.version}
        _write_row(resources, resources.max_row + 1, texts)
        for column in columns_of(raw):
            _write_row(columns, columns.max_row + 1, {**read_column(column), "resource": contract.id})
    _write_words(words, {RESOURCE_SHEET: resources, COLUMN_SHEET: columns})
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _write_guide(sheet: Worksheet) -> None:
    for turn, line in enumerate(GUIDE, 1):
        cell = sheet.cell(turn, 1, line)
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        cell.font = Font(bold=turn == 1, size=14 if turn == 1 else 11)
    sheet.column_dimensions["A"].width = 100


def _write_head(sheet: Worksheet) -> None:
    for turn, one in enumerate(SHEETS[sheet.title], 1):
        head, guidance = sheet.cell(1, turn, header_text(one)), sheet.cell(2, turn, one.help[0])
        head.font, head.fill = Font(bold=True), _HEAD
        head.alignment = guidance.alignment = Alignment(wrap_text=True, vertical="top")
        guidance.font = Font(color="5A6C75", size=9)
        sheet.column_dimensions[get_column_letter(turn)].width = one.width
    sheet.freeze_panes = "C3"


def _write_row(sheet: Worksheet, row: int, texts: dict[str, str]) -> None:
    for turn, one in enumerate(SHEETS[sheet.title], 1):
        text = title_text(one, texts.get(one.key, ""))
        if text:
            write_text(sheet.cell(row, turn), text)


def write_text(cell: Any, text: str) -> None:
    """A text as a text: what begins with = is not a formula."""
    cell.value = text
    cell.data_type = "s"
    cell.number_format = "@"
    cell.alignment = Alignment(vertical="top")


def _write_words(sheet: Worksheet, sheets: dict[str, Worksheet]) -> None:
    """A list of words for each field that has one, and the drop-downs that draw on it."""
    turn = 0
    for name, target in sheets.items():
        last = min(WORKBOOK_ROWS_MAX, max(_ROWS_VALIDATED_MIN, target.max_row + _ROWS_VALIDATED_MIN))
        for place, one in enumerate(SHEETS[name], 1):
            if one.kind not in _WIDE_KINDS:
                continue
            turn += 1
            titles = _choices(one)
            sheet.cell(1, turn, f"{name}·{one.title[0]}").font = Font(bold=True)
            sheet.column_dimensions[get_column_letter(turn)].width = 20
            for row, title in enumerate(titles, 2):
                sheet.cell(row, turn, title)
            letter = get_column_letter(turn)
            rule = DataValidation(
                type="list",
                formula1=f"'{WORDS_SHEET}'!${letter}$2:${letter}${len(titles) + 1}",
                allow_blank=True,
                showErrorMessage=False,
            )
            target.add_data_validation(rule)
            at = get_column_letter(place)
            rule.add(f"{at}3:{at}{last}")


def _choices(one: ContractField) -> list[str]:
    return ["是", "否"] if one.kind is FieldKind.FLAG else [zh for zh, _ in one.words.values()]
