"""A watched folder of this machine."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from datong.catalog.values import DataContract
from datong.collect.sources.contracts import (
    Batch,
    ConnectionReport,
    FetchContext,
    KnownFile,
    Note,
    SourceRefused,
    SourceUnreachable,
)
from datong.collect.sources.files import Choice, Entry, check_file_options, choose_file, companions, is_candidate
from datong.collect.sources.guard import find_folder
from datong.kernel import clock
from datong.kernel.config import make_private_dir
from datong.kernel.limits import SOURCE_FILES_SEEN_MAX, UPLOAD_BYTES_MAX


class FolderConnector:
    def check(self, options: Mapping[str, str], contract: DataContract) -> None:  # noqa: ARG002
        find_folder(options["folder"])
        check_file_options(options)

    def test(self, context: FetchContext) -> ConnectionReport:
        folder = find_folder(context.options["folder"])
        entries = _entries(folder)
        waiting = [entry for entry in entries if is_candidate(entry.name, context.options.get("pattern", "*"))]
        notes = []
        if context.options.get("after") == "move" and not os.access(folder, os.W_OK):
            notes.append(Note(zh="不能在此文件夹中移动文件", en="Files cannot be moved in this folder"))
        return files_report(str(folder), "", len(waiting), notes)

    def fetch(self, context: FetchContext) -> Batch | None:
        folder = find_folder(context.options["folder"])
        now_ns = int(clock.now().timestamp() * 10**9)
        choice = choose_file(_entries(folder), context.options, context.known, now_ns)
        if choice is None:
            return None
        path = context.work / "file"
        _copy(folder / choice.entry.name, path)
        bill = None
        if choice.bill is not None:
            bill = context.work / choice.bill
            _copy(folder / choice.bill, bill)
        return batch_of(choice, path, bill)

    def settle(self, context: FetchContext, file: KnownFile, *, is_taken: bool) -> None:
        """Move the file with its marks; one that was replaced meanwhile is another file and stays."""
        if context.options.get("after") != "move":
            return
        folder = find_folder(context.options["folder"])
        source = folder / file.name
        try:
            found = source.lstat()
        except FileNotFoundError:
            return
        if (found.st_size, found.st_mtime_ns) != (file.bytes, file.modified_ns):
            return
        target = make_private_dir(folder / ("done" if is_taken else "failed"))
        try:
            source.rename(free_name(target, file))
            for mark in companions(file.name):
                if (folder / mark).is_file():
                    (folder / mark).rename(target / mark)
        except OSError as problem:
            raise _refused(folder, problem) from None


def batch_of(choice: Choice, path: Path, bill: Path | None) -> Batch:
    entry = choice.entry
    return Batch(
        path=path,
        filename=entry.name,
        rows=None,
        cursor={},
        has_more=choice.has_more,
        bill=bill,
        file=KnownFile(name=entry.name, bytes=entry.bytes, modified_ns=entry.modified_ns, digest="", state=""),
    )


def files_report(reached: str, product: str, waiting: int, notes: list[Note]) -> ConnectionReport:
    """A folder shows how many files wait; what is in them the run says."""
    told = Note(zh=f"{waiting}个文件符合文件名模式", en=f"{waiting} files match the pattern")
    return ConnectionReport(
        reached=reached,
        product=product,
        rows=None,
        columns=(),
        matched=(),
        missing=(),
        extra=(),
        clock_skew_s=None,
        notes=(told, *notes),
    )


def free_name(folder: Path, file: KnownFile) -> Path:
    """Its own name; with its digest's first letters when a file of that name lies there already."""
    plain = folder / file.name
    return plain if not plain.exists() else folder / f"{file.name}.{file.digest[:12]}"


def _entries(folder: Path) -> list[Entry]:
    """Regular files only; a link is not followed."""
    try:
        with os.scandir(folder) as found:
            listed = [
                (item.name, item.stat(follow_symlinks=False)) for item in islice(found, SOURCE_FILES_SEEN_MAX + 1)
            ]
    except FileNotFoundError:
        raise SourceUnreachable("The folder is not there.", hint_zh="文件夹不存在。", folder=str(folder)) from None
    except OSError as problem:
        raise _refused(folder, problem) from None
    return [
        Entry(name=name, bytes=facts.st_size, modified_ns=facts.st_mtime_ns)
        for name, facts in listed
        if stat.S_ISREG(facts.st_mode)
    ]


def _copy(source: Path, target: Path) -> None:
    """Copied, not linked: who writes the folder may go on writing. The limit is the upload's."""
    try:
        handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as reading, target.open("wb") as writing:
            if os.fstat(handle).st_size > UPLOAD_BYTES_MAX:
                raise SourceRefused(
                    f"{source.name} is larger than {UPLOAD_BYTES_MAX} bytes.",
                    hint_zh=f"{source.name}超过{UPLOAD_BYTES_MAX}字节的上限。",
                )
            shutil.copyfileobj(reading, writing, 1 << 20)
    except OSError as problem:
        raise _refused(source, problem) from None


def _refused(path: Path, problem: OSError) -> SourceRefused:
    return SourceRefused(f"{path}: {problem.strerror}.", hint_zh=f"无法读写{path}。", private=str(problem))
