"""CSV as it comes: any delimiter, notes above and below, headers of several rows, wide tables.

What is regular is left where it is and only described; everything else is written anew as a plain table, record by
record, with the source line of each.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from datong.collect.contracts import QuoteUnclosed
from datong.collect.delimited import (
    find_encoding,
    guess_encoding,
    prove_encoding,
    read_head,
    refuse_unreadable,
)
from datong.collect.exact import SourceLines, open_text, refuse_unclosed
from datong.collect.readers.contracts import PlainTable, ReadingInvalid, RegularCsv
from datong.collect.readers.delimiters import Found, find_delimiter, first_rows, is_plain, split_line
from datong.collect.readers.headers import Header, find_header
from datong.collect.readers.plain import NOTE, SourceRow, write_rows
from datong.collect.readers.reading import Reading, Source
from datong.kernel.limits import CSV_LINE_BYTES_MAX, CSV_SNIFF_BYTES, READER_NOTE_ROWS_MAX

_ENCODINGS = {"gbk": "gb18030", "gb2312": "gb18030", "cp936": "gb18030", "utf8": "utf-8", "utf-8-sig": "utf-8"}
_TAIL_BYTES = 64 * 1024


def read_csv(source: Source) -> PlainTable | RegularCsv:
    """Raises the failures of a text that is no table: empty, undecodable, without a header, a quote never closed."""
    path, wanted, reading = source.path, source.wanted, source.reading
    with path.open("rb") as file:
        head = file.read(CSV_SNIFF_BYTES)
    refuse_unreadable(source.facts, head)
    encoding = _find_encoding(path, head, reading, exactly=source.exactly)
    text = read_head(path, encoding)
    told = source.delimiter or reading.delimiter
    _refuse_open_quote(text, told)
    found = find_delimiter(text, wanted, reading, told)
    header = find_header(found.rows, wanted, reading)
    if not source.exactly:
        regular = _as_regular(source, encoding, found, header)
        if regular is not None:
            return regular
        encoding = _find_encoding(path, head, reading, exactly=True)
    rows = _lines(path, encoding, found.delimiter, found.rows[header.start][0] - 1)
    for _ in range(header.end - header.start):
        next(rows)
    written = write_rows(rows, header.names, wanted, reading, source.work / "plain.csv")
    return written.as_table(
        kind="csv", encoding=encoding, delimiter=found.delimiter, position_word="line", notes=header.notes
    )


def _find_encoding(path: Path, head: bytes, reading: Reading, *, exactly: bool) -> str:
    if reading.encoding:
        name = reading.encoding.lower()
        name = _ENCODINGS.get(name, name)
        try:
            prove_encoding(path, name)
        except LookupError as error:
            raise ReadingInvalid(
                f"reading.encoding: {reading.encoding} is not known.",
                hint_zh=f"reading.encoding：不认识编码{reading.encoding}。",
                key="encoding",
            ) from error
        return name
    encoding = guess_encoding(head)
    return encoding if encoding == "utf-8" and not exactly else find_encoding(path)


def _refuse_open_quote(text: str, delimiter: str) -> None:
    """A first line whose quotation mark is never closed has no header under any delimiter."""
    if not first_rows(text, delimiter or ","):
        raise QuoteUnclosed(
            "The header line cannot be read: a quotation mark is not closed.",
            hint_zh="表头无法读取：引号没有闭合。",
            line=1,
        )


def _as_regular(source: Source, encoding: str, found: Found, header: Header) -> RegularCsv | None:
    """None where rows must be cut, joined or turned, or quotes make lines and records differ above the table."""
    path, delimiter, rows = source.path, found.delimiter, found.rows
    names = header.names
    if source.reading.cuts_rows or not is_plain(delimiter) or header.end - header.start != 1:
        return None
    if len(rows[header.start][1]) != len(names) or any(note.code == "header-blank" for note in header.notes):
        return None
    above = rows[: header.start]
    if any('"' in cell for _, cells in above for cell in cells):
        return None
    if len(names) > 1 and _has_footnotes(path, encoding, delimiter, len(names)):
        return None
    below = rows[header.end : header.end + 1]
    lines = below[0][0] - 1 if below else rows[header.start][0]
    skip = rows[header.start][0] - 1
    if lines - skip != 1 and '"' not in "".join(_quoted(path, encoding, lines)):
        return None
    return RegularCsv(
        path=path,
        facts=source.facts,
        encoding=encoding,
        delimiter=delimiter,
        source_header=names,
        header_lines=lines,
        skip_lines=skip,
        notes=header.notes,
    )


def _quoted(path: Path, encoding: str, lines: int) -> list[str]:
    """The first lines: a header over several of them has quotes, blank lines below it have none."""
    with open_text(path, encoding) as file:
        return [line for _, line in zip(range(lines), file, strict=False)]


def _has_footnotes(path: Path, encoding: str, delimiter: str, width: int) -> bool:
    """Whether notes seem to stand below the table: among the last lines, above the last whole row, one begins so."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL_BYTES) & ~1)
        tail = file.read().decode("utf-16-le" if encoding == "utf-16" else encoding, "replace")
    for line in reversed(tail.replace("\r", "\n").split("\n")[-READER_NOTE_ROWS_MAX:]):
        cells = line.split(delimiter)
        filled = [cell.strip(' "') for cell in cells]
        if len(cells) == width and sum(map(bool, filled)) > 1:
            return False
        if NOTE.match(next(filter(None, filled), "")):
            return True
    return False


def _lines(path: Path, encoding: str, delimiter: str, skipped: int) -> Iterator[SourceRow]:
    """Every record below the first `skipped` lines with the line on which it begins; blank lines left out."""
    with open_text(path, encoding) as file:
        lines = SourceLines(file)
        for _ in range(skipped):
            next(lines)
            lines.start_record()
        if is_plain(delimiter):
            yield from _quoted_records(lines, delimiter)
            return
        for line in lines:
            lines.start_record()
            if line.strip():
                yield lines.number, split_line(line, delimiter), None


def _quoted_records(lines: SourceLines, delimiter: str) -> Iterator[SourceRow]:
    csv.field_size_limit(CSV_LINE_BYTES_MAX)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        start = lines.number + 1
        lines.start_record()
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as failure:
            refuse_unclosed(failure, start)
            text = "".join(lines.held).rstrip("\r\n")
            yield start, [text], ("引号使用有误", "A quotation mark is out of place")
            continue
        if record:
            yield start, record, None
