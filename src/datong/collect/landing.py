"""Landing: a file is written down whole, with its digest, before anybody looks into it.

`landing/<agency>/<sha256>`, 0600, in a folder 0700: written beside, fsynced, renamed, the folder fsynced. The same
bytes land once. Reading, writing and hashing run side by side over a few buffers used again and again, since all let go
of the interpreter.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import BinaryIO

from datong.collect.contracts import FileUnreadable
from datong.collect.delimited import ByteFacts, ByteScanner
from datong.kernel import ids
from datong.kernel.config import Settings, make_private_dir
from datong.kernel.failures import TooLarge
from datong.kernel.limits import UPLOAD_BYTES_MAX

_CHUNK_BYTES = 2 * 1024 * 1024
_CHUNKS_IN_FLIGHT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """A file at rest."""

    path: Path
    digest: str
    facts: ByteFacts


def land_file(settings: Settings, agency: str, source: Path | BinaryIO, *, bytes_max: int = UPLOAD_BYTES_MAX) -> Landed:
    """Write the file down. Raises FileUnreadable, TooLarge; then nothing of it stays."""
    folder = make_private_dir(settings.landing_dir / agency)
    part = folder / f".part-{ids.new_id('land')}"
    digest, scanner = hashlib.sha256(), ByteScanner()
    try:
        with _open_source(source) as stream, _create(part) as out:
            with ThreadPoolExecutor(1) as writer, ThreadPoolExecutor(1) as hasher:
                received = 0
                pending: deque[tuple[Future[None], Future[None]]] = deque()
                for chunk in _chunks(stream):
                    received += len(chunk)
                    if received > bytes_max:
                        raise _too_large(bytes_max)
                    pending.append((writer.submit(_write, out, chunk), hasher.submit(digest.update, chunk)))
                    scanner.update(chunk)
                    while len(pending) >= _CHUNKS_IN_FLIGHT:
                        _settle(pending.popleft())
                while pending:
                    _settle(pending.popleft())
            os.fsync(out.fileno())
        target = folder / digest.hexdigest()
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
    _sync_folder(folder)
    return Landed(path=target, digest=digest.hexdigest(), facts=scanner.facts())


def landed_path(settings: Settings, agency: str, digest: str) -> Path:
    return settings.landing_dir / agency / digest


def work_dir(settings: Settings, run_id: str) -> Path:
    """The run's folder for what lies between the landed file and the lake; gone when the run has ended."""
    return make_private_dir(settings.landing_dir / ".work" / run_id)


@contextmanager
def _open_source(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    if not isinstance(source, Path):
        yield source
        return
    try:
        with source.open("rb", buffering=0) as file:
            yield file
    except IsADirectoryError as error:
        raise FileUnreadable(
            f"{source.name} is a folder.", hint_zh=f"{source.name}是文件夹。", file=str(source)
        ) from error
    except (FileNotFoundError, PermissionError) as error:
        raise FileUnreadable(
            f"{source}: {error.strerror}.", hint_zh=f"无法打开{source}：请检查路径和权限。", file=str(source)
        ) from error


def _chunks(stream: BinaryIO) -> Iterator[bytearray]:
    """The stream's bytes; a chunk is overwritten when _CHUNKS_IN_FLIGHT more have been asked for."""
    buffers = cycle([bytearray(_CHUNK_BYTES) for _ in range(_CHUNKS_IN_FLIGHT)])
    read_into = getattr(stream, "readinto", None)
    for buffer in buffers:
        try:
            if read_into is not None:
                count = read_into(buffer) or 0
            else:
                given = stream.read(_CHUNK_BYTES)
                count = len(given)
                buffer[:count] = given
        except OSError as error:
            raise FileUnreadable(f"Reading stopped: {error.strerror}.", hint_zh="读取文件时中断。") from error
        if count == 0:
            return
        yield buffer if count == len(buffer) else buffer[:count]


def _write(out: BinaryIO, chunk: bytearray) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[out.write(rest) :]


def _settle(futures: tuple[Future[None], Future[None]]) -> None:
    for future in futures:
        future.result()


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge(
        f"The file is larger than {bytes_max} bytes. Send it in parts.",
        hint_zh=f"文件超过{bytes_max}字节的上限，请拆分后提交。",
        limit_bytes=bytes_max,
    )


def _create(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
