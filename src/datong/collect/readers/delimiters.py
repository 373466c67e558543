"""Which delimiter a text table has, and its first rows under it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from datong.collect.delimited import DELIMITERS, WantedColumn
from datong.collect.readers.contracts import HeaderNotFound
from datong.collect.readers.headers import Row, count_matches, locate_header
from datong.collect.readers.reading import SPACES, Reading
from datong.kernel.limits import CSV_LINE_BYTES_MAX, READER_HEADER_ROWS_SEARCHED

_PAIRS = ("\t,", ",\t", "\t;", "||", "^|^", "|@|", "!|")
"""Delimiters of several characters that exports use: the statistics bureau writes a tab and a comma."""
_SPACES = re.compile(r" *\t[ \t]*| {2,}")
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A delimiter with the first rows under it."""

    delimiter: str
    rows: list[Row]


def is_plain(delimiter: str) -> bool:
    """Whether it is one character, with quotes as RFC 4180 has them; longer ones have no quotes."""
    return len(delimiter) == 1


def split_line(line: str, delimiter: str) -> list[str]:
    """The cells of a line under a delimiter of several characters, without outer space."""
    text = line.rstrip("\r\n")
    parts = _SPACES.split(text.strip()) if delimiter == SPACES else text.split(delimiter)
    return [part.strip() for part in parts]


def find_delimiter(text: str, wanted: Sequence[WantedColumn], reading: Reading, told: str) -> Found:
    """The delimiter under which the header is the contract's and the rows agree with it, the usual ones first."""
    best: tuple[tuple[int, int, int, int], Found] | None = None
    refused: HeaderNotFound | None = None
    for rank, delimiter in enumerate([told] if told else _candidates(text, wanted)):
        rows = first_rows(text, delimiter)
        if not rows:
            continue
        try:
            start, count, names = locate_header(rows, wanted, reading)
        except HeaderNotFound as failure:
            refused = refused or failure
            continue
        below = [cells for _, cells in rows[start + count :] if any(cells)]
        agree = sum(1 for cells in below if len(cells) == len(names) or _has_open_end(cells, names))
        share = 10 * agree // len(below) if below else 10
        score = (count_matches(names, wanted, reading), int(len(names) > 1), share, -rank)
        if best is None or score > best[0]:
            best = score, Found(delimiter=delimiter, rows=rows)
    if best is None:
        raise refused or HeaderNotFound("The text has no rows.", hint_zh="文件中没有可读的行。")
    return best[1]


def _has_open_end(cells: Sequence[str], names: Sequence[str]) -> bool:
    return len(cells) == len(names) + 1 and not cells[-1]


def _candidates(text: str, wanted: Sequence[WantedColumn]) -> list[str]:
    lines = [line for line in _LINE_END.split(text[:64_000]) if line.strip()][:READER_HEADER_ROWS_SEARCHED]
    most = max(1, len(lines) // 2)
    pairs = [pair for pair in _PAIRS if sum(1 for line in lines if pair in line) >= most]
    found = [*pairs, *DELIMITERS]
    if wanted:
        odd = {c for line in lines for c in line if c.isascii() and not c.isalnum() and c not in "_-. \"'\t\r()"}
        found += sorted(odd - set(found))
    if sum(1 for line in lines if _SPACES.search(line.strip())) >= most:
        found.append(SPACES)
    return found


def first_rows(text: str, delimiter: str) -> list[Row]:
    """The first rows with the line on which each begins, blank lines left out."""
    rows: list[Row] = []
    if not is_plain(delimiter):
        for number, line in enumerate(_LINE_END.split(text), 1):
            if line.strip():
                rows.append((number, split_line(line, delimiter)))
            if len(rows) == READER_HEADER_ROWS_SEARCHED:
                break
        return rows
    csv.field_size_limit(CSV_LINE_BYTES_MAX)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    line = 1
    try:
        for record in reader:
            if record:
                rows.append((line, record))
            line = reader.line_num + 1
            if len(rows) == READER_HEADER_ROWS_SEARCHED:
                break
    except csv.Error:
        pass
    return rows
