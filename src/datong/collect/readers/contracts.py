"""What a reader gives back, and how it refuses. `read_source` in `readers.source` is the door.

A regular CSV stays where it is and is scanned as it came; any other form becomes one plain CSV in the work folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datong.collect.delimited import ByteFacts
from datong.collect.exact import UnshapedRow
from datong.kernel.failures import BadInput, Misconfigured, TooLarge


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something of the file that is no row, or was read in a way worth telling.

    `code` is one of preamble, footnotes, header-rows, header-unit, header-blank, blank-columns, sheet, sheets-unread,
    hidden-rows, long-numbers, formula-errors, member, packed, unpivoted, short-rows, crs, nested.
    Positions count like the rows'.
    """

    code: str
    zh: str
    en: str
    first: int | None = None
    last: int | None = None
    text: str = ""
    """The skipped text, cut at READER_NOTE_CHARACTERS_MAX."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainTable:
    """A delivered file as one plain text table: UTF-8 CSV with header, comma, LF, RFC 4180 quotes; every cell is text.

    All source columns are in it, in source order under their source names. From record number `shift_from[i]`
    (counting from 0) on, source position = record number + `shift[i]`. Shifts may fall as well as rise (two XML
    records on one line, one wide row turned into many): take the last one before a record, never the greatest.
    """

    path: Path
    kind: str
    """csv excel json jsonl xml parquet geojson shapefile."""
    encoding: str
    delimiter: str
    """Encoding and delimiter as found in the source, "" where it has none."""
    source_header: tuple[str, ...]
    records: int
    shift_from: Sequence[int]
    shift: Sequence[int]
    unshaped: tuple[UnshapedRow, ...] = ()
    position_word: str = "line"
    """line | row | record: what a position counts, from 1."""
    notes: tuple[Note, ...] = ()

    def position_of(self, record: int) -> int:
        """The source position of a record (linear; for tests)."""
        found = 0
        for start, shift in zip(self.shift_from, self.shift, strict=True):
            if start > record:
                break
            found = record + shift
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class RegularCsv:
    """A CSV that seems regular and can be scanned as it is. When the scan finds otherwise, call
    `read_source(..., exactly=True)`.

    The first `header_lines` lines are no rows; of them the first `skip_lines` are notes above the header. `path` and
    `facts` are those of the landed file, or of the file unpacked from it.
    """

    path: Path
    facts: ByteFacts
    encoding: str
    delimiter: str
    source_header: tuple[str, ...]
    header_lines: int
    skip_lines: int = 0
    notes: tuple[Note, ...] = ()
    kind: str = field(default="csv", init=False)
    position_word: str = field(default="line", init=False)


class FormatUnknown(BadInput):
    code = "format-unknown"
    title, title_zh = "This kind of file is not read", "不支持这种文件格式"


class ReadingInvalid(BadInput):
    code = "reading-invalid"
    title, title_zh = "The contract's `reading` cannot be followed", "数据契约中的读取方式无法执行"


class HeaderNotFound(BadInput):
    code = "header-not-found"
    title, title_zh = "No header row was found", "没有找到表头"


class SheetUnknown(BadInput):
    code = "sheet-unknown"
    title, title_zh = "It is not certain which sheet to read", "无法确定读取哪个工作表"


class MemberUnknown(BadInput):
    code = "member-unknown"
    title, title_zh = "It is not certain which file of the archive to read", "无法确定读取压缩包中的哪个文件"


class ArchiveUnsafe(BadInput):
    code = "archive-unsafe"
    title, title_zh = "The archive is damaged or unsafe", "压缩包已损坏或不安全"


class FileLocked(BadInput):
    code = "file-locked"
    title, title_zh = "The file is protected by a password", "文件有密码保护"


class RecordsNotFound(BadInput):
    code = "records-not-found"
    title, title_zh = "The records were not found in the file", "在文件中没有找到记录"


class FileMalformed(BadInput):
    code = "file-malformed"
    title, title_zh = "The file is damaged or not well-formed", "文件已损坏或格式不正确"


class UnitDiffers(BadInput):
    code = "unit-differs"
    title, title_zh = "The file's unit is not the contract's", "文件的计量单位与数据契约不符"


class SourceTooLarge(TooLarge):
    code = "source-too-large"
    title, title_zh = "The file, unpacked, is larger than the limit", "文件展开后超过了大小上限"


class ReaderMissing(Misconfigured):
    code = "reader-missing"
    title, title_zh = "The package that reads this kind of file is not installed", "没有安装读取这种文件的组件"
