"""Reading text line by line, and the rows that have no place in a table: what the readers of text share.

Lines are bounded in length; a row without the header's shape is put aside with its line and its reason.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from datong.collect.contracts import LineTooLong, QuoteUnclosed, RowsUnshaped
from datong.collect.delimited import CHUNK_BYTES
from datong.kernel.limits import COLLECT_UNSHAPED_ROWS_MAX, CSV_LINE_BYTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class UnshapedRow:
    """A record without the header's number of fields, or with a malformed quotation mark."""

    line: int
    fields: tuple[str, ...]
    reason_zh: str
    reason_en: str


class SourceLines:
    """The file's lines, bounded in length, remembering the text of the record being read."""

    def __init__(self, file: IO[str]) -> None:
        self._lines = iter(file)
        self.number = 0
        self.held: list[str] = []
        self._held_characters = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number += 1
        self._held_characters += len(line)
        if self._held_characters > CSV_LINE_BYTES_MAX:
            start = self.number - len(self.held)
            raise LineTooLong(
                f"The record that begins on line {start} is longer than {CSV_LINE_BYTES_MAX} characters; "
                "perhaps a quotation mark is not closed.",
                hint_zh=f"从第{start}行开始的记录超过{CSV_LINE_BYTES_MAX}个字符，可能有引号没有闭合。",
                line=start,
            )
        self.held.append(line)
        return line

    def start_record(self) -> None:
        self.held.clear()
        self._held_characters = 0


def transcode(source: Path, encoding: str, target: Path) -> None:
    """The same text in UTF-8, line for line; strict, so it only follows `find_encoding`."""
    with open_text(source, encoding) as file, target.open("w", encoding="utf-8", newline="") as out:
        while text := file.read(CHUNK_BYTES):
            out.write(text)


def open_text(path: Path, encoding: str) -> IO[str]:
    """The file's text, decoded strictly, without a byte-order mark, line ends as they are."""
    name = "utf-8-sig" if encoding == "utf-8" else encoding
    return path.open("r", encoding=name, newline="", errors="strict", buffering=CHUNK_BYTES)


def refuse_unclosed(failure: csv.Error, start: int) -> None:
    """Raise QuoteUnclosed when that is what the csv reader says; any other fault is the row's own."""
    if "unexpected end of data" in str(failure):
        raise QuoteUnclosed(
            f"The quotation mark opened in the record that begins on line {start} is never closed.",
            hint_zh=f"从第{start}行开始的记录中，引号一直没有闭合。",
            line=start,
        ) from failure


def put_aside(unshaped: list[UnshapedRow], line: int, fields: list[str], zh: str, en: str) -> None:
    """Keep a row that has no place in the table, with its reason. Raises RowsUnshaped when they are too many."""
    if len(unshaped) >= COLLECT_UNSHAPED_ROWS_MAX:
        raise RowsUnshaped(
            f"More than {COLLECT_UNSHAPED_ROWS_MAX} rows, the last on line {line}: {en}. Check the delimiter.",
            hint_zh=f"已超过{COLLECT_UNSHAPED_ROWS_MAX}行，最近一行在第{line}行：{zh}。请检查分隔符。",
            line=line,
        )
    unshaped.append(UnshapedRow(line=line, fields=tuple(fields), reason_zh=zh, reason_en=en))
