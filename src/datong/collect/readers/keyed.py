"""Records that carry their own field names (JSON, XML, GeoJSON) as a plain table: the union of their fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path

from datong.collect.exact import put_aside
from datong.collect.readers.contracts import RecordsNotFound
from datong.collect.readers.plain import SourceRow, Written, open_writer, write_rows
from datong.collect.readers.reading import Source
from datong.kernel.failures import TooLarge
from datong.kernel.limits import CONTRACT_COLUMNS_MAX

_SAMPLE_RECORDS = 1000
KeyedRow = tuple[int, Mapping[str, str], tuple[str, str] | None]
"""Position, fields as text, and what is wrong with the record (zh, en), if anything; then `fields` holds it as ""."""


def write_keyed(rows: Callable[[], Iterable[KeyedRow]], source: Source) -> Written:
    """Write all records. `rows` opens the source anew: when a late record has a field that the first thousand lack,
    the source is read once for its fields and once more for its records."""
    mapped = tuple(source.reading.fields)
    stream = iter(rows())
    if mapped:
        return _write(stream, mapped, source)
    head = list(islice(stream, _SAMPLE_RECORDS))
    names = _names(head)
    try:
        return _write(chain(head, stream), names, source)
    except _FieldNew:
        return _write(rows(), _names(rows()), source)


class _FieldNew(Exception):  # noqa: N818 - a condition, caught above
    """A record has a field that none before it had."""


def _names(rows: Iterable[KeyedRow]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for _, fields, fault in rows:
        if fault is None:
            names.update(dict.fromkeys(fields))
            if len(names) > CONTRACT_COLUMNS_MAX:
                raise TooLarge(
                    f"The records have more than {CONTRACT_COLUMNS_MAX} fields.",
                    hint_zh=f"记录的字段超过{CONTRACT_COLUMNS_MAX}个。",
                    columns=len(names),
                )
    return tuple(names)


def _write(rows: Iterable[KeyedRow], names: tuple[str, ...], source: Source) -> Written:
    if not names:
        raise RecordsNotFound("The records have no fields.", hint_zh="记录中没有字段。")
    if source.reading.unpivot or source.reading.last_rows_ignored:
        return write_rows(
            (_as_row(row, names) for row in rows), names, source.wanted, source.reading, source.work / "plain.csv"
        )
    return _write_plainly(rows, names, source.work / "plain.csv")


def _as_row(row: KeyedRow, names: Sequence[str]) -> SourceRow:
    position, fields, fault = row
    return position, [fields.get("", "")] if fault else [fields.get(name, "") for name in names], fault


def _write_plainly(rows: Iterable[KeyedRow], names: tuple[str, ...], target: Path) -> Written:
    written = Written(path=target, header=names)
    known = set(names)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = open_writer(file)
        writer.writerow(names)
        for position, fields, fault in rows:
            if fault is not None:
                put_aside(written.unshaped, position, [fields.get("", "")], *fault)
                continue
            if not known.issuperset(fields):
                raise _FieldNew
            written.place(position)
            writer.writerow([fields.get(name, "") for name in names])
    if written.records + len(written.unshaped) == 0:
        raise RecordsNotFound("There are no records in the file.", hint_zh="文件中没有记录。")
    return written
