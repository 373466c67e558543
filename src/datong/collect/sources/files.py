"""Which file of a folder is taken next: the same rules for a folder of ours and one behind SFTP.

A file is taken once: the ledger knows its name, size and time; moved or kept. Oldest first. Names that begin with a dot
or end as parts do (.part, .tmp, .filepart) are never taken, nor the marks `.done` and `.bill.json` themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from datong.collect.sources.contracts import KnownFile, SourceOptionsWrong, SourceRefused
from datong.collect.sources.options import wrong
from datong.kernel.limits import SOURCE_FILES_SEEN_MAX

DONE, BILL = ".done", ".bill.json"
_PARTS = (".part", ".tmp", ".filepart", ".crdownload", DONE, BILL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A regular file of the folder as listed."""

    name: str
    bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The file to take, its bill's name where there is one, and whether more are waiting."""

    entry: Entry
    bill: str | None
    has_more: bool


def check_file_options(options: Mapping[str, str]) -> None:
    if "/" in options.get("pattern", ""):
        raise _wrong_pattern()


def choose_file(
    entries: Sequence[Entry],
    options: Mapping[str, str],
    known: Callable[[Sequence[str]], Sequence[KnownFile]],
    now_ns: int,
) -> Choice | None:
    """The oldest file that is ready and not in the ledger. Raises SourceRefused for a folder with too many files."""
    if len(entries) > SOURCE_FILES_SEEN_MAX:
        raise SourceRefused(
            f"The folder holds more than {SOURCE_FILES_SEEN_MAX} files: have them moved away once taken.",
            hint_zh=f"文件夹中超过{SOURCE_FILES_SEEN_MAX}个文件，请设为取走后移动。",
        )
    names = {entry.name for entry in entries}
    pattern = options.get("pattern", "*")
    ready = [
        entry for entry in entries if is_candidate(entry.name, pattern) and is_ready(entry, options, names, now_ns)
    ]
    taken = {(file.name, file.bytes, file.modified_ns) for file in known([entry.name for entry in ready])}
    ready = [entry for entry in ready if (entry.name, entry.bytes, entry.modified_ns) not in taken]
    if not ready:
        return None
    ready.sort(key=lambda entry: (entry.modified_ns, entry.name))
    bill = ready[0].name + BILL
    return Choice(entry=ready[0], bill=bill if bill in names else None, has_more=len(ready) > 1)


def is_candidate(name: str, pattern: str) -> bool:
    return not name.startswith(".") and not name.lower().endswith(_PARTS) and fnmatchcase(name, pattern)


def is_ready(entry: Entry, options: Mapping[str, str], names: set[str], now_ns: int) -> bool:
    """`stable`: not written to for `stable_s` seconds by the folder's own clock, and not empty."""
    match options.get("ready", "stable"):
        case "done":
            return entry.name + DONE in names
        case "bill":
            return entry.name + BILL in names
        case _:
            return entry.bytes > 0 and now_ns - entry.modified_ns >= int(options.get("stable_s", "30")) * 10**9


def companions(name: str) -> tuple[str, str]:
    """The marks that move with a file."""
    return name + DONE, name + BILL


def _wrong_pattern() -> SourceOptionsWrong:
    return wrong("pattern", "A pattern of names, without folders.", "只填文件名模式，不含目录。")
