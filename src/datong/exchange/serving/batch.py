"""Batch: which materialised file a grant may fetch, and which part of it the caller asks for (RFC 9110 §13, §14)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from datong.exchange.contracts import FileEntry, GrantEntry, Mode, NotServed
from datong.exchange.serving.decide import Ask, decide
from datong.exchange.serving.store import ServingReader
from datong.kernel import clock
from datong.kernel.failures import BadInput, Failure, Retry

FORMATS = ("parquet", "csv")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII | re.IGNORECASE)
RANGE_DIGITS_MAX = 18


class RangeNotSatisfiable(Failure):
    code, status, retry = "range-not-satisfiable", 416, Retry.AFTER_CHANGE
    title, title_zh = "The file has no such bytes", "请求的字节范围不存在"

    def __init__(self, *, file_bytes: int) -> None:
        super().__init__(
            f"Ask for bytes within 0-{file_bytes - 1}.",
            hint_zh=f"文件共 {file_bytes} 字节，请在 0-{file_bytes - 1} 之间取值。",
            file_bytes=file_bytes,
        )


class PreconditionFailed(Failure):
    code, status, retry = "precondition-failed", 412, Retry.AFTER_CHANGE
    title, title_zh = "The file is no longer the one you began with", "文件已更新"

    def __init__(self, *, etag: str) -> None:
        super().__init__(
            "A newer version is served; start the download again.",
            hint_zh="已发布新版本，请重新下载。",
            etag=etag,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What of a file is sent: `start` inclusive, `end` exclusive. `status` is 200, 206 or 304."""

    status: int
    start: int
    end: int


def decide_batch(reader: ServingReader, system_id: str, resource_id: str, purpose: str) -> GrantEntry:
    """The grant under which the file may be fetched; raises the Refusal that says why not."""
    ask = Ask(resource_id=resource_id, mode=Mode.BATCH, purpose=purpose, columns=(), now_ms=clock.epoch_ms())
    return decide(reader.find_grants(system_id, resource_id), ask)


def find_file(reader: ServingReader, grant: GrantEntry, file_format: str, bulk_dir: Path) -> tuple[FileEntry, Path]:
    """The grant's file in this format and where it lies. Raises BadInput for an unknown format, NotServed when the
    file is not made yet or is not what was recorded."""
    if file_format not in FORMATS:
        raise BadInput(
            f"Give `format` one of {', '.join(FORMATS)}.",
            hint_zh=f"format 须为 {'、'.join(FORMATS)} 之一。",
            format=file_format,
        )
    for entry in reader.find_files(grant.policy_digest):
        if entry.format == file_format:
            path = bulk_dir / entry.path
            if not path.is_relative_to(bulk_dir) or ".." in path.parts or not _has_size(path, entry.file_bytes):
                break
            return entry, path
    raise NotServed(resource=grant.terms.resource_id, mode=Mode.BATCH)


def choose_part(
    entry: FileEntry,
    *,
    range_header: str | None,
    if_range: str | None = None,
    if_none_match: str | None = None,
    if_match: str | None = None,
) -> Part:
    """Evaluate the preconditions in RFC 9110 §13.2.2's order, then the range.

    A range that is malformed, of another unit, or of several parts is ignored (§14.2 allows it): the whole is sent.
    Raises PreconditionFailed (412) and RangeNotSatisfiable (416).
    """
    etag = etag_of(entry)
    size = entry.file_bytes
    if if_match is not None and not _lists(if_match, etag):
        raise PreconditionFailed(etag=etag)
    if if_none_match is not None and _lists(if_none_match, etag, weak=True):
        return Part(status=304, start=0, end=0)
    whole = Part(status=200, start=0, end=size)
    if range_header is None or (if_range is not None and if_range.strip() != etag):
        return whole
    found = _RANGE.fullmatch(range_header.strip())
    if found is None or not any(found.groups()) or max(map(len, found.groups())) > RANGE_DIGITS_MAX:
        return whole
    first, last = found.groups()
    if not first:
        start, end = max(size - int(last), 0), size
        if not int(last):
            raise RangeNotSatisfiable(file_bytes=size)
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return whole
    if start >= size:
        raise RangeNotSatisfiable(file_bytes=size)
    return Part(status=206, start=start, end=end)


def etag_of(entry: FileEntry) -> str:
    """A strong validator: the digest of the whole file."""
    return f'"{entry.sha256}"'


def _lists(header: str, etag: str, *, weak: bool = False) -> bool:
    tags = [tag.strip() for tag in header.split(",")]
    if weak:
        tags = [tag.removeprefix("W/") for tag in tags]
    return "*" in tags or etag in tags


def _has_size(path: Path, file_bytes: int) -> bool:
    try:
        return path.stat().st_size == file_bytes
    except OSError:
        return False


__all__ = [
    "FORMATS",
    "Part",
    "PreconditionFailed",
    "RangeNotSatisfiable",
    "choose_part",
    "decide_batch",
    "etag_of",
    "find_file",
]
