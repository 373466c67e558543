"""Streams of numbers and columns of text, both in whole arrays: the city is made a column at a time, not a row.

Every stream is named by the seed and a path of words, so that adding one never moves another.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Text = Any
"""A `pa.StringArray`. Not named so: the stubs of PyArrow refuse arrays and constants that its kernels take."""

_FIRST_DAY: Final = dt.date(1890, 1, 1).toordinal()
_LAST_DAY: Final = dt.date(2060, 1, 1).toordinal()


kernels: Final[Any] = pc
"""PyArrow's kernels without their stubs, for the same reason."""


class Draws:
    """One stream. Only `Generator.random` is used, whose numbers do not change with the version of NumPy."""

    def __init__(self, seed: int, *path: str | int) -> None:
        name = "/".join(str(part) for part in (seed, *path))
        start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big")
        self._generator = np.random.Generator(np.random.PCG64(start))

    def uniform(self, count: int) -> Floats:
        found: Floats = self._generator.random(count)
        return found

    def below(self, count: int, end: int) -> Ints:
        """`count` whole numbers of 0 … end−1, all alike likely."""
        found: Ints = (self._generator.random(count) * end).astype(np.int64)
        return found

    def between(self, count: int, low: float, high: float) -> Floats:
        return low + self.uniform(count) * (high - low)

    def chance(self, count: int, share: float) -> Bools:
        found: Bools = self.uniform(count) < share
        return found

    def bell(self, count: int, mean: float, spread: float) -> Floats:
        """About normal: the sum of twelve uniform numbers (Irwin-Hall), hence never beyond six spreads."""
        sums: Floats = self.uniform(count * 12).reshape(count, 12).sum(axis=1)
        return mean + spread * (sums - 6.0)

    def pick(self, count: int, weights: Sequence[float] | Floats) -> Ints:
        """`count` indexes, each as likely as its weight says."""
        ends = np.cumsum(np.asarray(weights, dtype=np.float64))
        found = np.searchsorted(ends, self._generator.random(count) * ends[-1], side="right")
        places: Ints = np.minimum(found, len(ends) - 1).astype(np.int64)
        return places

    def one(self) -> float:
        return float(self._generator.random())


def listed(text: str) -> tuple[str, ...]:
    """Words parted by blanks."""
    return tuple(text.split())


def texts(values: Sequence[str]) -> Text:
    return pa.array(values, type=pa.string())


def choose(values: Sequence[str] | Text, places: Ints) -> Text:
    """The value at each place."""
    source: Any = values if isinstance(values, pa.Array) else texts(values)
    return source.take(pa.array(places))


def join(*parts: Any) -> Text:
    """Columns and constants put together, row by row, with nothing between."""
    return kernels.binary_join_element_wise(*parts, "")


def number_text(values: npt.NDArray[Any]) -> Text:
    return kernels.cast(pa.array(values), pa.string())


def padded(values: Ints, width: int) -> Text:
    """Decimal digits with leading zeros."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    digits = (values[:, None] // powers % 10 + ord("0")).astype(np.uint8)
    return characters(digits)


def characters(codes: npt.NDArray[np.uint8]) -> Text:
    """A matrix of ASCII codes as texts of one length."""
    rows, width = codes.shape
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * width).buffers()[1]
    return pa.StringArray.from_buffers(rows, offsets, pa.py_buffer(np.ascontiguousarray(codes).tobytes()))


def decimal_text(values: Floats, places: int) -> Text:
    """Decimals of fixed places without exponent, sign kept."""
    scaled = np.rint(np.abs(values) * 10**places).astype(np.int64)
    whole, rest = np.divmod(scaled, 10**places)
    sign = texts(["", "-"]).take(pa.array((values < 0).astype(np.int64)))
    return join(sign, number_text(whole), ".", padded(rest, places)) if places else join(sign, number_text(whole))


def where(condition: Bools, yes: Any, no: Any) -> Text:
    return kernels.if_else(pa.array(condition), yes, no)


@cache
def _day_texts() -> Text:
    days = pa.array(
        np.arange(_FIRST_DAY, _LAST_DAY, dtype=np.int32) - dt.date(1970, 1, 1).toordinal(), type=pa.date32()
    )
    return kernels.cast(days, pa.string())


def day_text(days: Ints) -> Text:
    """ISO dates of proleptic ordinals (date.toordinal), 1890 to 2059."""
    return choose(_day_texts(), days - _FIRST_DAY)


@cache
def _day_parts() -> Ints:
    parts = [dt.date.fromordinal(day) for day in range(_FIRST_DAY, _LAST_DAY)]
    return np.array([part.year * 10000 + part.month * 100 + part.day for part in parts], dtype=np.int64)


def day_number(days: Ints) -> Ints:
    """yyyymmdd as a whole number."""
    found: Ints = _day_parts()[days - _FIRST_DAY]
    return found
