"""The sheets of the template and their columns: one table that the writer and the reader share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from datong.catalog.authoring.fields import COLUMN_FIELDS, RESOURCE_FIELDS, ContractField, Place

GUIDE_SHEET: Final = "填写说明"
RESOURCE_SHEET: Final = "信息资源"
COLUMN_SHEET: Final = "信息项"
WORDS_SHEET: Final = "可用值"

BASE: Final = ContractField(
    key="base",
    title=("基于版本", "Made from version"),
    group="book",
    place=Place.FIELD,
    width=10,
    help=("下载时的契约版本；新资源不填", "The version it was downloaded with; empty for a new resource"),
)
OWNER: Final = ContractField(
    key="resource",
    title=("资源标识", "Resource id"),
    group="book",
    place=Place.FIELD,
    needed=True,
    width=22,
    help=("与“信息资源”表一致", "As on the sheet 信息资源"),
)
SHEETS: Final[dict[str, Sequence[ContractField]]] = {
    RESOURCE_SHEET: (*RESOURCE_FIELDS, BASE),
    COLUMN_SHEET: (OWNER, *COLUMN_FIELDS),
}
GUIDE: Final[Sequence[str]] = (
    "政务信息资源目录填报表",
    "依据《政务信息资源目录编制指南（试行）》。一个资源在“信息资源”表占一行，它的每个信息项在“信息项”表占一行，用资源标识对应。",
    "表头带*的必填。有可用值的单元格可从下拉列表选择，也可直接写“可用值”表里的词。",
    "不予共享的资源和信息项须写明法律、行政法规或国务院政策依据，写到条。",
    "含国家秘密或工作秘密的资源不得编入本平台。",
    "“基于版本”由系统填写，提交时据此判断是否有人在你之后改过，请勿改动。",
    "单元格请写值，不写公式；公式不会被计算。",
    "提交后，每处错误按工作表和单元格列出，并可下载标红的副本。",
)


def header_text(one: ContractField) -> str:
    return one.title[0] + ("*" if one.needed else "")


def field_of_header(text: str, sheet: str) -> ContractField | None:
    """The field that a header cell names, by its Chinese or English title or its key, with or without the *."""
    plain = "".join(text.split()).rstrip("*＊").lower()
    for one in SHEETS[sheet]:
        if plain in {one.key.lower(), *("".join(title.split()).lower() for title in one.title)}:
            return one
    return None
