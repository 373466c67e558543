"""Fetched rows as the text file that lands: UTF-8 CSV with a header, RFC 4180 quotes, `\n`; values are exact texts.

An absent value is an empty field, an empty text is `""`, as PostgreSQL's COPY writes them.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self

import orjson

from datong.catalog.values import DataContract
from datong.collect.sources.contracts import ConnectionReport, Note
from datong.kernel.failures import TooLarge
from datong.kernel.limits import UPLOAD_BYTES_MAX

DIGEST_BYTES = 16
_QUOTED = ('"', ",", "\n", "\r")


class TableFile:
    """A CSV being written; bounded by UPLOAD_BYTES_MAX, since it must land."""

    def __init__(self, path: Path, header: Sequence[str]) -> None:
        self.path = path
        self.rows = 0
        self.bytes = 0
        self._out: BinaryIO = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        self.write_bytes(csv_line(header).encode())

    def write(self, values: Sequence[str | None]) -> None:
        self.write_bytes(csv_line(values).encode("utf-8", "surrogatepass"))
        self.rows += 1

    def write_bytes(self, data: bytes | memoryview | bytearray) -> None:
        self.bytes += len(data)
        if self.bytes > UPLOAD_BYTES_MAX:
            raise TooLarge(
                f"The fetched rows take more than {UPLOAD_BYTES_MAX} bytes. Fetch by cursor, in smaller batches.",
                hint_zh=f"取到的数据超过{UPLOAD_BYTES_MAX}字节，请按游标分批取数。",
                limit_bytes=UPLOAD_BYTES_MAX,
            )
        self._out.write(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.close()


def csv_line(values: Sequence[str | None]) -> str:
    return ",".join(["" if value is None else _field(value) for value in values]) + "\n"


def _field(value: str) -> str:
    if value == "" or any(mark in value for mark in _QUOTED):
        return '"' + value.replace('"', '""') + '"'
    return value


class RowDigests:
    """16 bytes for each row of a window; the second of two equal rows is another one than the first."""

    def __init__(self) -> None:
        self._seen: Counter[bytes] = Counter()

    def add(self, values: Sequence[str | None]) -> bytes:
        plain = hashlib.blake2b(csv_line(values).encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()
        self._seen[plain] += 1
        times = self._seen[plain]
        return plain if times == 1 else hashlib.blake2b(plain + times.to_bytes(8), digest_size=DIGEST_BYTES).digest()


def pack_digests(digests: Iterable[bytes]) -> bytes:
    return b"".join(sorted(digests))


def unpack_digests(packed: bytes) -> set[bytes]:
    return {packed[at : at + DIGEST_BYTES] for at in range(0, len(packed), DIGEST_BYTES)}


def text_of(value: Any) -> str | None:
    """A JSON value as it was written: numbers are kept as texts by the reader, lists and objects are compact JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return orjson.dumps(value).decode()


def dig(record: Any, path: str) -> Any:
    """The value at a dotted path, `items.0.name`; None where there is none. An empty path is the record itself."""
    found = record
    for step in path.split(".") if path else ():
        if isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(found, Sequence) and not isinstance(found, str) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found


def write_records(lines: Path, target: Path, mapping: Mapping[str, str]) -> int:
    """JSON lines into a CSV; without a mapping the header is every name in the order first met. Returns the rows."""
    columns = dict(mapping) or {name: name for name in _names(lines)}
    with TableFile(target, list(columns)) as out:
        for record in read_lines(lines):
            if mapping:
                out.write([text_of(dig(record, path)) for path in columns.values()])
            else:
                out.write([text_of(record.get(name)) for name in columns])
        return out.rows


def read_lines(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        for line in file:
            yield orjson.loads(line)


def _names(lines: Path) -> list[str]:
    names: dict[str, None] = {}
    for record in read_lines(lines):
        names.update(dict.fromkeys(record))
    return list(names)


def match_columns(names: Sequence[str], contract: DataContract) -> tuple[list[str], list[str], list[str]]:
    """(matched, missing, extra): the source's names that the contract knows, the contract's without one, the rest."""
    known = {alias: column.name for column in contract.columns for alias in column.source_names}
    matched = [name for name in names if name in known]
    met = {known[name] for name in matched}
    missing = [column.name for column in contract.columns if column.name not in met]
    return matched, missing, [name for name in names if name not in known]


def report_of(
    names: Sequence[str],
    contract: DataContract,
    *,
    reached: str,
    product: str,
    rows: int | None,
    clock_skew_s: float | None = None,
    notes: Sequence[Note] = (),
    rows_is_floor: bool = False,
) -> ConnectionReport:
    matched, missing, extra = match_columns(names, contract)
    return ConnectionReport(
        reached=reached,
        product=product,
        rows=rows,
        columns=tuple(names),
        matched=tuple(matched),
        missing=tuple(missing),
        extra=tuple(extra),
        clock_skew_s=clock_skew_s,
        notes=tuple(notes),
        rows_is_floor=rows_is_floor,
    )
