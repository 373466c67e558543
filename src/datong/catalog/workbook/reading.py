"""A filled-in workbook into contracts, every fault told with its sheet and cell.

A resource that the workbook was downloaded with is changed from the version it names: what the sheets do not show
(quality rules, relationships, foreign properties) stays. Columns that are no longer on the sheet are removed.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import Cell
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.worksheet import Worksheet

from datong.catalog.authoring.form_values import FieldProblem, columns_of, skeleton, write_column, write_resource
from datong.catalog.authoring.locating import locate
from datong.catalog.canonical import canonical_text
from datong.catalog.contracts import ContractFinding
from datong.catalog.odcs import lint_contract
from datong.catalog.values import DataContract
from datong.catalog.workbook.layout import COLUMN_SHEET, RESOURCE_SHEET, SHEETS, field_of_header
from datong.catalog.workbook.safety import NotAWorkbook, check_workbook
from datong.kernel.failures import BadInput, TooLarge
from datong.kernel.limits import CONTRACT_BYTES_MAX, WORKBOOK_RESOURCES_MAX, WORKBOOK_ROWS_MAX

FindContract = Callable[[str, str], DataContract | None]
"""(resource id, version) → the contract that an edit was made from, None when there is none."""
Says = tuple[tuple[str, str], tuple[str, str]]
"""What is wrong and what to do, each in English and Chinese."""
_HEADER_ROWS_SEARCHED: Final = 10
_HEADERS_MIN: Final = 3
_CELL_CHARACTERS_MAX: Final = 4000


class WorkbookFaulty(BadInput):
    """Cells of the workbook are to be mended; nothing was written."""

    code = "workbook-faulty"
    title, title_zh = "Some cells of the workbook are to be mended", "工作簿里有单元格要改"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFinding:
    """One fault: where it stands (`cell` like D5), what was found there, what was expected."""

    sheet: str
    cell: str
    resource_id: str
    found: str
    message: str
    message_zh: str
    remedy: str
    remedy_zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookResource:
    """One resource of a workbook: its contract's canonical text, and the version that the edit was made from."""

    resource_id: str
    title: str
    base_version: str | None
    text: str
    columns_count: int
    is_clean: bool
    cell: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookRead:
    resources: tuple[BookResource, ...]
    findings: tuple[CellFinding, ...]


@dataclass(slots=True)
class _Row:
    number: int
    texts: dict[str, str]


@dataclass(slots=True)
class _Table:
    """One sheet as read: where each field's column is, and its rows."""

    sheet: str
    letters: dict[str, str] = field(default_factory=dict)
    head_row: int = 1
    rows: list[_Row] = field(default_factory=list)
    spoilt: set[int] = field(default_factory=set)
    """Rows with a cell that could not be read at all."""

    def cell(self, row: int, key: str) -> str:
        return f"{self.letters.get(key) or next(iter(self.letters.values()), 'A')}{row}"


def open_workbook(payload: bytes) -> Workbook:
    """The workbook, checked first. Formulas stay text, links outside are dropped, nothing is computed."""
    check_workbook(payload)
    try:
        book = load_workbook(io.BytesIO(payload), data_only=False, keep_vba=False, keep_links=False)
        if not book.sheetnames:
            raise KeyError("no sheets")
        return book
    except (InvalidFileException, ParseError, KeyError, ValueError, TypeError, IndexError, AttributeError) as problem:
        raise NotAWorkbook(
            "Save it anew as .xlsx and upload it again.",
            hint_zh="请重新另存为.xlsx后再上传。",
            private=repr(problem),
        ) from None


def read_workbook(payload: bytes, find_contract: FindContract, *, agency: str = "") -> BookRead:
    """Read every resource of the workbook. `agency` stands for a provider that is left empty on a new resource."""
    return _BookReader(open_workbook(payload), find_contract, agency).read()


class _BookReader:
    def __init__(self, book: Workbook, find_contract: FindContract, agency: str) -> None:
        self._book, self._find, self._agency = book, find_contract, agency
        self._findings: list[CellFinding] = []

    def read(self) -> BookRead:
        resources, columns = self._table(RESOURCE_SHEET), self._table(COLUMN_SHEET)
        if resources is None or columns is None:
            return BookRead(resources=(), findings=tuple(self._findings))
        if len(resources.rows) > WORKBOOK_RESOURCES_MAX:
            raise TooLarge(
                f"A workbook carries at most {WORKBOOK_RESOURCES_MAX} resources.",
                hint_zh=f"一个工作簿最多{WORKBOOK_RESOURCES_MAX}个资源。",
                resources_count=len(resources.rows),
            )
        by_owner: dict[str, list[_Row]] = {}
        for row in columns.rows:
            by_owner.setdefault(row.texts.get("resource", "").strip(), []).append(row)
        found, seen = [], set()
        for row in resources.rows:
            resource_id = row.texts.get("id", "").strip()
            if resource_id in seen:
                self._add(resources, row.number, "id", resource_id, (_TWICE, _ONE_ROW), resource_id=resource_id)
                continue
            seen.add(resource_id)
            found.append(self._resource(resources, columns, row, by_owner.get(resource_id, [])))
        for owner, rows in by_owner.items():
            if owner not in seen:
                for row in rows:
                    self._add(columns, row.number, "resource", owner, (_NO_OWNER, _SAME_ID), resource_id=owner)
        if not found:
            self._add(resources, resources.head_row + 2, "id", "", (_EMPTY, _FILL_A_ROW), resource_id="")
        return BookRead(resources=tuple(found), findings=tuple(self._findings))

    def _resource(self, resources: _Table, columns: _Table, row: _Row, rows: list[_Row]) -> BookResource:
        resource_id, base = row.texts.get("id", "").strip(), row.texts.get("base", "").strip()
        before = len(self._findings)
        contract = self._find(resource_id, base) if base else None
        if base and contract is None:
            self._add(resources, row.number, "base", base, (_NO_BASE, _DOWNLOAD_ANEW), resource_id=resource_id)
        raw = contract.raw if contract else skeleton(self._agency, resource_id)
        texts = {key: text for key, text in row.texts.items() if key != "base"}
        if not texts.get("agency", "").strip():
            texts.pop("agency", None)
        for problem in write_resource(raw, texts):
            self._add_problem(resources, row.number, problem, resource_id)
        raw["schema"][0]["properties"] = self._columns(columns_of(raw), columns, rows, resource_id)
        text = canonical_text(raw)
        if len(text.encode()) <= CONTRACT_BYTES_MAX:
            self._lint(text, raw, (resources, row), (columns, rows), resource_id)
        else:
            self._add(resources, row.number, "id", resource_id, (_TOO_LARGE, _SPLIT_IT), resource_id=resource_id)
        return BookResource(
            resource_id=resource_id,
            title=str(raw.get("name", "")),
            base_version=base or None,
            text=text,
            columns_count=len(rows),
            is_clean=len(self._findings) == before
            and row.number not in resources.spoilt
            and columns.spoilt.isdisjoint(one.number for one in rows),
            cell=f"{resources.sheet}!{resources.cell(row.number, 'id')}",
        )

    def _columns(
        self, present: list[dict[str, Any]], table: _Table, rows: list[_Row], resource_id: str
    ) -> list[dict[str, Any]]:
        """The columns in the sheet's order, each made from the one of that name, or of that title when renamed."""
        by_name = {str(column.get("name")): column for column in present}
        wanted = {row.texts.get("name", "").strip() for row in rows}
        by_title = {str(column.get("businessName")): column for name, column in by_name.items() if name not in wanted}
        made = []
        for index, row in enumerate(rows):
            name, title = row.texts.get("name", "").strip(), row.texts.get("businessName", "").strip()
            column = by_name.get(name) or by_title.pop(title, {}) or {}
            for problem in write_column(column, {k: v for k, v in row.texts.items() if k != "resource"}, index):
                self._add_problem(table, row.number, problem, resource_id)
            made.append(column)
        return made

    def _lint(
        self,
        text: str,
        raw: Mapping[str, Any],
        resource: tuple[_Table, _Row],
        columns: tuple[_Table, list[_Row]],
        resource_id: str,
    ) -> None:
        """What is wrong in the contract, at the cells that say it; a cell that cannot be read is told only once."""
        told = {(finding.sheet, finding.cell) for finding in self._findings}
        mapped: list[Mapping[str, Any]] = list(columns_of(raw))
        for finding in lint_contract(text):
            place = locate(finding, raw, mapped)
            if place.column is None or place.column >= len(columns[1]):
                table, row = resource
            else:
                table, row = columns[0], columns[1][place.column]
            if (table.sheet, table.cell(row.number, place.key)) not in told:
                self._add_finding(table, row, place.key, finding, resource_id)

    def _table(self, name: str) -> _Table | None:
        """A sheet's rows by field. None when the sheet or its header cannot be found."""
        if name not in self._book.sheetnames or not isinstance(self._book[name], Worksheet):
            self._findings.append(_at(name, "A1", "", (_NO_SHEET, _USE_TEMPLATE)))
            return None
        sheet = self._book[name]
        if sheet.max_row > WORKBOOK_ROWS_MAX:
            raise TooLarge(
                f"A sheet has at most {WORKBOOK_ROWS_MAX} rows; {name} has {sheet.max_row}.",
                hint_zh=f"一张工作表最多{WORKBOOK_ROWS_MAX}行，“{name}”有{sheet.max_row}行。",
                rows_count=sheet.max_row,
            )
        table = self._head(sheet)
        if table is None:
            self._findings.append(_at(name, "A1", "", (_NO_HEADER, _USE_TEMPLATE)))
            return None
        fields = {one.key: one for one in SHEETS[name]}
        for number in range(table.head_row + 1, sheet.max_row + 1):
            texts = {key: self._text(sheet[f"{letter}{number}"], table) for key, letter in table.letters.items()}
            is_guidance = all(not text or text == fields[key].help[0] for key, text in texts.items())
            if any(texts.values()) and not (is_guidance and number == table.head_row + 1):
                table.rows.append(_Row(number, texts))
        return table

    def _head(self, sheet: Worksheet) -> _Table | None:
        for number in range(1, min(_HEADER_ROWS_SEARCHED, sheet.max_row) + 1):
            letters = {}
            for cell in sheet[number]:
                one = field_of_header(str(cell.value or ""), sheet.title)
                if one is not None and one.key not in letters:
                    letters[one.key] = get_column_letter(int(cell.column or 1))
            if len(letters) >= _HEADERS_MIN:
                table = _Table(sheet.title, letters, number)
                for one in SHEETS[sheet.title]:
                    if one.needed and one.key not in letters:
                        self._findings.append(
                            _at(sheet.title, f"A{number}", "", _missing_header(one.title)),
                        )
                return table
        return None

    def _text(self, cell: Any, table: _Table) -> str:
        value = cell.value
        if isinstance(cell, Cell) and cell.data_type == "f":
            table.spoilt.add(cell.row)
            self._findings.append(_at(table.sheet, cell.coordinate, _cut(str(value)), (_FORMULA, _PASTE_VALUE)))
            return ""
        if isinstance(value, bool):
            return "是" if value else ""
        if isinstance(value, dt.datetime):
            value = value.date() if value.time() == dt.time() else value
        if isinstance(value, dt.date | dt.datetime):
            return value.isoformat()
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        text = "" if value is None else str(value).strip()
        if len(text) > _CELL_CHARACTERS_MAX:
            table.spoilt.add(cell.row)
            self._findings.append(_at(table.sheet, cell.coordinate, _cut(text), (_LONG_CELL, _SHORTEN)))
            return ""
        return text

    def _add_problem(self, table: _Table, row: int, problem: FieldProblem, resource_id: str) -> None:
        message, remedy = (problem.message, problem.message_zh), ("Choose or type it anew.", "请重新填写。")
        self._add(table, row, problem.key, problem.text, (message, remedy), resource_id=resource_id)

    def _add_finding(self, table: _Table, row: _Row, key: str, finding: ContractFinding, resource_id: str) -> None:
        self._add(
            table,
            row.number,
            key,
            row.texts.get(key, ""),
            ((finding.message, finding.message_zh), (finding.remedy, finding.remedy_zh)),
            resource_id=resource_id,
        )

    def _add(self, table: _Table, row: int, key: str, found: str, says: Says, *, resource_id: str) -> None:
        self._findings.append(_at(table.sheet, table.cell(row, key), _cut(found), says, resource_id=resource_id))


def _at(sheet: str, cell: str, found: str, says: Says, *, resource_id: str = "") -> CellFinding:
    message, remedy = says
    return CellFinding(
        sheet=sheet,
        cell=cell,
        resource_id=resource_id,
        found=found,
        message=message[0],
        message_zh=message[1],
        remedy=remedy[0],
        remedy_zh=remedy[1],
    )


def _cut(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"


def _missing_header(title: tuple[str, str]) -> Says:
    return (f"The sheet has no column {title[0]}", f"缺少“{title[0]}”列"), _USE_TEMPLATE


_NO_SHEET = ("The workbook has no such sheet", "工作簿里没有这张工作表")
_NO_HEADER = ("The header row was not found", "没有找到表头行")
_USE_TEMPLATE = ("Download the template and copy your rows into it.", "请下载模板，把内容复制进去。")
_TWICE = ("The resource stands on two rows", "同一资源写了两行")
_ONE_ROW = ("Keep one row.", "请只保留一行。")
_NO_OWNER = ("No resource of this id is on the sheet 信息资源", "“信息资源”表里没有这个资源标识")
_SAME_ID = ("Write the same id on both sheets.", "请使两张表的资源标识一致。")
_EMPTY = ("The sheet has no resource", "没有填写任何资源")
_FILL_A_ROW = ("Fill in a row.", "请填写一行。")
_NO_BASE = ("The resource has no such contract version", "该资源没有这个契约版本")
_DOWNLOAD_ANEW = ("Download the template for this resource anew.", "请重新下载该资源的模板。")
_TOO_LARGE = ("The contract is larger than a contract may be", "契约超过大小上限")
_SPLIT_IT = ("Split the resource.", "请拆分资源。")
_FORMULA = ("The cell holds a formula, which is not computed", "单元格是公式，不会被计算")
_PASTE_VALUE = ("Paste its value instead.", "请改为粘贴数值。")
_LONG_CELL = (f"The cell is longer than {_CELL_CHARACTERS_MAX} characters", f"单元格超过{_CELL_CHARACTERS_MAX}字")
_SHORTEN = ("Shorten it.", "请精简。")
