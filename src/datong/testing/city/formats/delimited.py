"""Delimited text as agencies export it: headings, at times a title above and notes below (RFC 4180 quoting)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from datong.testing.city.draws import Ints, Text, kernels
from datong.testing.city.formats.lines import LineFile, escaped, has, joined, replaced
from datong.testing.city.model import Rows, TableSpec
from datong.testing.city.spoil import Spoiled


class DelimitedWriter:
    """One delimited file. Positions are physical lines: the first line of the file is 1."""

    def __init__(self, spec: TableSpec, path: Path) -> None:
        self._spec = spec
        self._file = LineFile(path, spec.encoding)
        self._special = f'[{spec.delimiter}"\r\n]'
        for note in spec.preamble:
            self._file.write(note + spec.line_end)
        self._file.write(spec.delimiter.join(spec.header_of(column) for column in spec.columns) + spec.line_end)
        self._line = len(spec.preamble) + 2

    def write(self, block: Spoiled, rows: Rows) -> Ints:  # noqa: ARG002
        parts: list[Any] = []
        for name in self._spec.names:
            parts += [self._quoted(block.columns[name]), self._spec.delimiter]
        parts[-1] = self._spec.line_end
        others = {
            place: self._spec.delimiter.join(map(self._quote, row)) + self._spec.line_end
            for place, row in block.short.items()
        }
        self._file.write_lines(replaced(joined(parts), others))
        begins = (
            self._line
            + np.arange(len(block))
            + np.concatenate([[0], np.cumsum(block.breaks)])[: len(block)].astype(np.int64)
        )
        self._line += len(block) + int(block.breaks.sum())
        return begins

    def _quoted(self, column: Text) -> Text:
        if not has(column, self._special):
            return column
        quoted = joined(['"', escaped(column, {'"': '""'}), '"'])
        return kernels.if_else(kernels.match_substring_regex(column, self._special), quoted, column)

    def _quote(self, value: str) -> str:
        if any(character in value for character in f'{self._spec.delimiter}"\r\n'):
            return '"' + value.replace('"', '""') + '"'
        return value

    def close(self) -> None:
        for note in self._spec.footer:
            self._file.write(note + self._spec.line_end)
        self._file.close()
