"""Whether a file may be opened as a workbook at all: its size packed and unpacked, and no XML that reaches outside.

An .xlsx file is a zip of XML parts. Ours refuses what a person's workbook never has and an attack needs: a document
type declaration (entities, external or growing), another encoding than UTF-8, macros, and more than the named limits.
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import Final

from datong.kernel.failures import BadInput, TooLarge
from datong.kernel.limits import WORKBOOK_BYTES_MAX, WORKBOOK_PARTS_MAX, WORKBOOK_UNPACKED_BYTES_MAX

_DECLARED: Final = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
_ENCODING: Final = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([A-Za-z0-9._-]+)")
_CHUNK_BYTES: Final = 1 << 16


class NotAWorkbook(BadInput):
    """The file cannot be opened as a workbook."""

    code = "workbook-unreadable"
    title, title_zh = "The file is not a workbook that can be read", "文件不是可读取的工作簿"


def check_workbook(payload: bytes) -> None:
    """Raises `TooLarge` or `NotAWorkbook`. Unpacks in pieces: a bomb is met at the limit, whatever its headers say."""
    if len(payload) > WORKBOOK_BYTES_MAX:
        raise TooLarge(
            f"A workbook has at most {WORKBOOK_BYTES_MAX} bytes; this one has {len(payload)}.",
            hint_zh=f"工作簿最大{WORKBOOK_BYTES_MAX}字节，本文件{len(payload)}字节。",
            limit_bytes=WORKBOOK_BYTES_MAX,
        )
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            _check_parts(archive)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as problem:
        raise NotAWorkbook(
            "Save it as .xlsx without a password and upload it again.",
            hint_zh="请另存为不加密的.xlsx文件后再上传。",
            private=str(problem),
        ) from None


def _check_parts(archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    if len(names) > WORKBOOK_PARTS_MAX or len(set(names)) < len(names):
        raise NotAWorkbook("It has too many parts, or one twice.", hint_zh="工作簿的部件过多或重复。")
    if "xl/workbook.xml" not in names:
        raise NotAWorkbook("It has no sheets. Save it as .xlsx.", hint_zh="文件里没有工作表，请另存为.xlsx。")
    if any(name.lower().endswith("vbaproject.bin") for name in names):
        raise NotAWorkbook(
            "It holds macros. Save it as .xlsx, not .xlsm.", hint_zh="含有宏，请另存为.xlsx而不是.xlsm。"
        )
    unpacked_bytes = 0
    for name in names:
        is_xml = name.lower().endswith((".xml", ".rels", ".vml"))
        with archive.open(name) as part:
            head = part.read(_CHUNK_BYTES)
            if is_xml:
                _check_encoding(head, name)
            tail = b""
            while head:
                unpacked_bytes += len(head)
                if unpacked_bytes > WORKBOOK_UNPACKED_BYTES_MAX:
                    raise TooLarge(
                        f"Unpacked, a workbook has at most {WORKBOOK_UNPACKED_BYTES_MAX} bytes.",
                        hint_zh=f"工作簿解压后最大{WORKBOOK_UNPACKED_BYTES_MAX}字节。",
                        limit_bytes=WORKBOOK_UNPACKED_BYTES_MAX,
                    )
                if is_xml and _DECLARED.search(tail + head):
                    raise NotAWorkbook(
                        "A part of it declares entities, which a workbook never needs.",
                        hint_zh="工作簿内含实体声明，不予读取。",
                        part=name,
                    )
                tail = head[-32:]
                head = part.read(_CHUNK_BYTES)


def _check_encoding(head: bytes, name: str) -> None:
    said = _ENCODING.match(head.removeprefix(b"\xef\xbb\xbf"))
    encoding = said[1].decode().lower() if said else "utf-8"
    if encoding not in {"utf-8", "utf8", "us-ascii"} or b"\0" in head[:4] or head[:2] in {b"\xfe\xff", b"\xff\xfe"}:
        raise NotAWorkbook("A part of it is not UTF-8.", hint_zh="工作簿内有非UTF-8编码的部件。", part=name)
