"""The Excel template: it carries contracts there and back, tells faults by cell, and opens nothing harmful."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.utils import get_column_letter

from datong.catalog.authoring.fields import COLUMN_FIELDS, RESOURCE_FIELDS
from datong.catalog.authoring.form_values import columns_of, read_column, read_resource, write_column, write_resource
from datong.catalog.canonical import canonical_text
from datong.catalog.model import diff_contracts
from datong.catalog.odcs import DataContract, parse_contract
from datong.catalog.tests.samples import demo_names, demo_text
from datong.catalog.workbook.layout import COLUMN_SHEET, RESOURCE_SHEET, SHEETS
from datong.catalog.workbook.marking import mark_workbook
from datong.catalog.workbook.reading import BookRead, read_workbook
from datong.catalog.workbook.safety import NotAWorkbook, check_workbook
from datong.catalog.workbook.writing import write_template
from datong.kernel import limits
from datong.kernel.failures import TooLarge

CONTRACTS = {name: parse_contract(demo_text(name)) for name in demo_names()}
FIRST_ROW = 3


def find(resource_id: str, version: str) -> DataContract | None:
    contract = CONTRACTS.get(resource_id)
    return contract if contract and contract.version == version else None


def read(payload: bytes) -> BookRead:
    return read_workbook(payload, find, agency="psb")


def edited(payload: bytes, change: Callable[[Workbook], object]) -> bytes:
    book = load_workbook(io.BytesIO(payload))
    change(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def place(sheet: str, key: str, row: int = FIRST_ROW) -> str:
    letter = next(n for n, one in enumerate(SHEETS[sheet], 1) if one.key == key)
    return f"{get_column_letter(letter)}{row}"


def put(sheet: str, key: str, value: Any, row: int = FIRST_ROW) -> Callable[[Workbook], None]:
    def change(book: Workbook) -> None:
        book[sheet][place(sheet, key, row)] = value

    return change


@pytest.mark.parametrize("name", demo_names())
def test_fields_write_back_what_they_read(name: str) -> None:
    raw = CONTRACTS[name].raw
    assert write_resource(raw, read_resource(raw)) == []
    for index, column in enumerate(columns_of(raw)):
        assert write_column(column, read_column(column), index) == []
    assert canonical_text(raw) == CONTRACTS[name].text


def test_several_contracts_go_there_and_back_unchanged() -> None:
    book = read(write_template(CONTRACTS.values()))
    assert book.findings == ()
    assert {one.resource_id: one.text for one in book.resources} == {n: c.text for n, c in CONTRACTS.items()}
    assert all(one.is_clean and one.base_version == "1.0.0" for one in book.resources)


def test_an_edit_keeps_what_the_sheets_do_not_show() -> None:
    sample = write_template([CONTRACTS["amr_enterprise"]])
    payload = edited(
        sample,
        lambda book: (put(RESOURCE_SHEET, "frequency", "每周")(book), put(RESOURCE_SHEET, "version", "2.0.0")(book)),
    )
    (found,) = read(payload).resources
    contract = parse_contract(found.text)
    diff = diff_contracts(CONTRACTS["amr_enterprise"], contract)
    assert [change.code for change in diff.breaking] == ["cycle.slower"]
    assert contract.rules == CONTRACTS["amr_enterprise"].rules
    assert contract.rules


def test_a_renamed_and_a_removed_column() -> None:
    sample = write_template([CONTRACTS["psb_population"]])
    columns = CONTRACTS["psb_population"].columns

    def change(book: Workbook) -> None:
        put(COLUMN_SHEET, "name", "full_name", row=FIRST_ROW + 1)(book)
        book[COLUMN_SHEET].delete_rows(FIRST_ROW + len(columns) - 1)

    contract = parse_contract(read(edited(sample, change)).resources[0].text)
    diff = diff_contracts(CONTRACTS["psb_population"], contract)
    assert {one.code for one in diff.breaking} == {"column.renamed", "column.removed"}


def test_a_new_resource_from_an_empty_template() -> None:
    def fill(book: Workbook) -> None:
        row = {
            "id": "psb_hotels",
            "name": "旅馆住宿信息",
            "description": "本市旅馆名录。",
            "secrecy": "不含国家秘密和工作秘密",
            "sharingType": "有条件共享",
            "sharingCondition": "法定职责需要",
            "shareModes": "核验、批量",
            "frequency": "每日",
            "version": "1.0.0",
        }
        for key, value in row.items():
            put(RESOURCE_SHEET, key, value)(book)
        for turn, (name, title, kind) in enumerate([("code", "编号", "字符型C"), ("rooms", "房间数", "整型I")]):
            item = {
                "resource": "psb_hotels",
                "name": name,
                "businessName": title,
                "logicalType": kind,
                "classification": "一般1级",
                "primaryKey": "是" if turn == 0 else "",
                "verify": "" if turn == 0 else "是",
            }
            for key, value in item.items():
                put(COLUMN_SHEET, key, value, row=FIRST_ROW + turn)(book)

    book = read(edited(write_template(), fill))
    assert book.findings == ()
    contract = parse_contract(book.resources[0].text)
    assert (contract.agency, contract.status, contract.update_cycle.value) == ("psb", "active", "daily")
    assert [column.logical_type.value for column in contract.columns] == ["string", "integer"]
    assert book.resources[0].base_version is None


FAULTS: list[tuple[str, str, Any, str]] = [
    (RESOURCE_SHEET, "sharingType", "有时共享", "下列之一"),
    (RESOURCE_SHEET, "sharingCondition", None, "共享条件"),
    (RESOURCE_SHEET, "name", "长" * 51, "50字"),
    (RESOURCE_SHEET, "directoryCode", "9-1", "目录编码"),
    (RESOURCE_SHEET, "providerCode", "91110000123456789X", "统一社会信用代码"),
    (RESOURCE_SHEET, "secrecy", "含工作秘密", "工作秘密"),
    (RESOURCE_SHEET, "publishedOn", "昨天", "日期"),
    (RESOURCE_SHEET, "base", "7.0.0", "没有这个契约版本"),
    (RESOURCE_SHEET, "frequency", None, "更新周期"),
    (RESOURCE_SHEET, "description", "=1+1", "公式"),
    (COLUMN_SHEET, "logicalType", "文本", "下列之一"),
    (COLUMN_SHEET, "maxLength", "很长", "整数"),
    (COLUMN_SHEET, "name", "姓名", "不能作为列名"),
    (COLUMN_SHEET, "codeList", "没有的代码集", "没有名为"),
    (COLUMN_SHEET, "sharingType", "不予共享", "依据"),
    (COLUMN_SHEET, "primaryKey", "也许", "“是”或“否”"),
    (COLUMN_SHEET, "resource", "other_thing", "没有这个资源标识"),
]


@pytest.mark.parametrize(("sheet", "key", "value", "says"), FAULTS, ids=[f"{s}.{k}" for s, k, _, _ in FAULTS])
def test_a_fault_is_told_at_its_cell_and_marked_there(sheet: str, key: str, value: Any, says: str) -> None:
    payload = edited(write_template([CONTRACTS["psb_population"]]), put(sheet, key, value))
    book = read(payload)
    expected = {"sharingType": "sharingBasis"}.get(key, key) if sheet == COLUMN_SHEET else key
    at = {(one.sheet, one.cell): one for one in book.findings}
    assert (sheet, place(sheet, expected)) in at, book.findings
    finding = at[sheet, place(sheet, expected)]
    assert says in finding.message_zh + finding.remedy_zh
    assert not all(one.is_clean for one in book.resources) or key == "resource"
    marked = load_workbook(io.BytesIO(mark_workbook(payload, book.findings)))
    cell = marked[sheet][finding.cell]
    assert cell.fill.fgColor.rgb.endswith("F8C9C4")
    assert says in cell.comment.text


def test_a_missing_sheet_and_a_missing_header_are_told() -> None:
    sample = write_template([CONTRACTS["psb_population"]])
    gone = read(edited(sample, lambda book: book.remove(book[COLUMN_SHEET])))
    assert [(one.sheet, one.cell) for one in gone.findings] == [(COLUMN_SHEET, "A1")]
    assert gone.resources == ()
    headless = read(edited(sample, lambda book: book[COLUMN_SHEET].delete_rows(1)))
    assert [one.cell for one in headless.findings] == ["A1"]
    renamed = read(edited(sample, lambda book: book[COLUMN_SHEET].cell(1, 6, "什么")))
    assert any("缺少" in one.message_zh for one in renamed.findings)


def test_a_text_like_a_formula_is_written_as_text() -> None:
    raw = CONTRACTS["psb_population"].raw
    raw["description"] = {"purpose": "=cmd|' /C calc'!A0"}
    book = read(write_template([parse_contract(canonical_text(raw))]))
    assert book.findings == ()
    assert "=cmd" in book.resources[0].text


def part(payload: bytes, name: str, content: bytes) -> bytes:
    """The workbook with one part replaced or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(payload)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.namelist():
            if item != name:
                new.writestr(item, old.read(item))
        new.writestr(name, content)
    return out.getvalue()


ENTITY = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><sst>&e;</sst>'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("xl/sharedStrings.xml", ENTITY),
        ("xl/sharedStrings.xml", b" " * 70_000 + ENTITY),
        ("xl/sharedStrings.xml", ENTITY.decode().encode("utf-16")),
        ("xl/sharedStrings.xml", b'<?xml version="1.0" encoding="utf-7"?><sst/>'),
        ("xl/vbaProject.bin", b"macro"),
        ("xl/workbook.xml", b"<not-a-workbook/>"),
        ("xl/worksheets/sheet2.xml", b"<worksheet"),
    ],
)
def test_what_a_workbook_never_needs_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(NotAWorkbook):
        read(part(write_template(), name, content))


@pytest.mark.parametrize("payload", [b"", b"PK\x03\x04", b"not a zip", b"a,b\n1,2\n"])
def test_what_is_no_workbook_is_refused(payload: bytes) -> None:
    with pytest.raises(NotAWorkbook):
        read(payload)


def test_the_limits_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = part(write_template(), "xl/media/image1.xml", b"<a>" + b" " * limits.WORKBOOK_UNPACKED_BYTES_MAX)
    assert len(bomb) < 100_000
    with pytest.raises(TooLarge):
        check_workbook(bomb)
    with pytest.raises(TooLarge):
        check_workbook(b"x" * (limits.WORKBOOK_BYTES_MAX + 1))
    with pytest.raises(TooLarge, match="rows"):
        read(edited(write_template(), put(RESOURCE_SHEET, "id", "x", row=limits.WORKBOOK_ROWS_MAX + 1)))


def test_every_needed_field_has_a_header_with_a_star() -> None:
    book = load_workbook(io.BytesIO(write_template()))
    heads = [str(cell.value) for cell in book[COLUMN_SHEET][1]]
    assert sum(head.endswith("*") for head in heads) == 1 + sum(one.needed for one in COLUMN_FIELDS)
    assert len([one for one in RESOURCE_FIELDS if one.needed]) > 5
