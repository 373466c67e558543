"""Whole columns into whole lines: cells are joined in arrays, and the array's own buffer is what is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa

from datong.testing.city.draws import Text, kernels


def joined(parts: list[Any]) -> Text:
    return kernels.binary_join_element_wise(*parts, "")


def has(column: Text, pattern: str) -> bool:
    return bool(kernels.any(kernels.match_substring_regex(column, pattern)).as_py())


def escaped(column: Text, replacements: Mapping[str, str]) -> Text:
    """Each character replaced, in order, where the column has it at all."""
    for old, new in replacements.items():
        if kernels.any(kernels.match_substring(column, old)).as_py():
            column = kernels.replace_substring(column, old, new)
    return column


def buffer_of(lines: Text) -> memoryview:
    """The bytes of all texts, one after another, uncopied."""
    if not len(lines):
        return memoryview(b"")
    offsets = lines.buffers()[1]
    ends = memoryview(offsets).cast("i")
    first, last = ends[lines.offset], ends[lines.offset + len(lines)]
    return memoryview(lines.buffers()[2])[first:last]


class LineFile:
    """A text file written in blocks of lines; UTF-8 goes out uncopied, other encodings block by block."""

    def __init__(self, path: Path, encoding: str = "utf-8") -> None:
        self._file: IO[bytes] = path.open("wb")
        self._encoding = encoding.removesuffix("-sig")
        if encoding.endswith("-sig"):
            self._file.write(b"\xef\xbb\xbf")

    def write(self, text: str) -> None:
        self._file.write(text.encode(self._encoding))

    def write_lines(self, lines: Text) -> None:
        block = buffer_of(lines)
        if self._encoding == "utf-8":
            self._file.write(block)
        else:
            self._file.write(str(block, "utf-8").encode(self._encoding))

    def close(self) -> None:
        self._file.close()


def replaced(lines: Text, others: Mapping[int, str]) -> Text:
    """The lines with some of them given anew."""
    if not others:
        return lines
    places = sorted(others)
    mask = np.zeros(len(lines), dtype=bool)
    mask[places] = True
    return kernels.replace_with_mask(lines, mask, pa.array([others[place] for place in places], type=pa.string()))
