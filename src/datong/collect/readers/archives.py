"""Packed files: gzip, and the member of a zip archive that carries the table. Nothing is written under a member's name.

What comes out is counted while it is unpacked: an archive's own word on its size is not believed.
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO

from datong.collect.delimited import CHUNK_BYTES
from datong.collect.readers.contracts import ArchiveUnsafe, FileLocked, MemberUnknown, SourceTooLarge
from datong.kernel.limits import READER_MEMBERS_MAX, READER_UNPACKED_BYTES_MAX

_UTF8_NAMES = 0x800
_ENCRYPTED = 0x1
_TEXTS = (".csv", ".txt", ".tsv", ".tab", ".dat", ".json", ".jsonl", ".ndjson", ".geojson", ".xml")
TABLE_SUFFIXES = (*_TEXTS, ".xlsx", ".xls", ".xlsb", ".xlsm", ".ods", ".parquet", ".gz")


def check_unpacked(path: Path, bytes_max: int) -> None:
    """Refuse an archive that unpacks to more than `bytes_max`, or whose word on its sizes is false."""
    with _open_zip(path) as archive:
        total = 0
        for info in archive.infolist():
            total += info.file_size
            _refuse_large(total, bytes_max)
            with _guard(), archive.open(info) as stream:
                while stream.read(CHUNK_BYTES):
                    pass


def find_members(path: Path) -> dict[str, zipfile.ZipInfo]:
    """The archive's files by their true names: GBK ones, as Windows packs them, are put right.

    Raises ArchiveUnsafe for a name that leaves its folder, FileLocked for an encrypted member.
    """
    found: dict[str, zipfile.ZipInfo] = {}
    with _open_zip(path) as archive:
        infos = archive.infolist()
        if len(infos) > READER_MEMBERS_MAX:
            raise SourceTooLarge(
                f"The archive has {len(infos)} members; the limit is {READER_MEMBERS_MAX}.",
                hint_zh=f"压缩包中有{len(infos)}个文件，上限是{READER_MEMBERS_MAX}个。",
                members=len(infos),
            )
        for info in infos:
            name = _true_name(info)
            parts = PurePosixPath(name.replace("\\", "/")).parts
            if name.startswith(("/", "\\")) or ".." in parts or (parts and parts[0].endswith(":")):
                raise ArchiveUnsafe(
                    f"The archive has a member outside its own folder: {name}.",
                    hint_zh=f"压缩包中有指向包外的文件：{name}。",
                    member=name,
                )
            if info.is_dir() or name.startswith("__MACOSX/") or parts[-1].startswith("."):
                continue
            if info.flag_bits & _ENCRYPTED:
                raise FileLocked(
                    "Remove the archive's password and send it again.",
                    hint_zh="请去掉压缩包的密码后再提交。",
                    member=name,
                )
            found[name] = info
    return found


def choose_members(members: dict[str, zipfile.ZipInfo], asked: str) -> list[str]:
    """Those that match `asked` (a name or a pattern like *.csv), else those that may be tables."""
    if not asked:
        return [name for name in members if name.lower().endswith(TABLE_SUFFIXES)]
    chosen = [name for name in members if name == asked]
    chosen = chosen or [n for n in members if fnmatchcase(n, asked) or fnmatchcase(PurePosixPath(n).name, asked)]
    if not chosen:
        raise member_unknown(f"none matches {asked}", f"没有与“{asked}”相符的文件", list(members))
    return chosen


def member_unknown(en: str, zh: str, names: list[str]) -> MemberUnknown:
    shown = names[:20]
    return MemberUnknown(
        f"Of the archive's files {en}. It holds: {', '.join(shown)}. Name one in `reading.member`.",
        hint_zh=f"压缩包中{zh}。其中有：{'、'.join(shown)}。请在契约reading.member中写明。",
        members=shown,
    )


def unpack_member(path: Path, info: zipfile.ZipInfo, target: Path) -> None:
    """Write one member to `target`, bounded by READER_UNPACKED_BYTES_MAX."""
    _refuse_large(info.file_size, READER_UNPACKED_BYTES_MAX)
    with _open_zip(path) as archive, _guard(), archive.open(info) as stream:
        _copy(stream, target)


def unpack_gzip(path: Path, target: Path) -> None:
    with gzip.open(path, "rb") as stream, _guard():
        _copy(stream, target)


def _copy(stream: IO[bytes] | gzip.GzipFile, target: Path) -> None:
    total = 0
    with target.open("wb") as out:
        while chunk := stream.read(CHUNK_BYTES):
            total += len(chunk)
            _refuse_large(total, READER_UNPACKED_BYTES_MAX)
            out.write(chunk)


def _refuse_large(size: int, bytes_max: int) -> None:
    if size > bytes_max:
        raise SourceTooLarge(
            f"Unpacked it is larger than {bytes_max} bytes.",
            hint_zh=f"解压后超过{bytes_max}字节。",
            bytes_max=bytes_max,
        )


@contextmanager
def _guard() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile, NotImplementedError, RuntimeError) as error:
        raise _damaged(error) from error


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise _damaged(error) from error


def _damaged(error: Exception) -> ArchiveUnsafe:
    return ArchiveUnsafe(
        "The archive is cut short or damaged. Pack it again and send that.",
        hint_zh="压缩包不完整或已损坏，请重新打包后再提交。",
        private=str(error),
    )


def _true_name(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & _UTF8_NAMES or info.filename.isascii():
        return info.filename
    raw = info.filename.encode("cp437", "replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return info.filename
