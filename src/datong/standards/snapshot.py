"""Imported editions as files under DATONG_HOME, so that checks and the data plane need neither Django nor a database.

`standards/index.json` names the editions; each lies in a file named by its digest. The service writes them from
PostgreSQL after an import has committed; readers notice a new index by its inode and time. A folder that is missing or
empty means: nothing imported, only what ships.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from datong.kernel.config import load_settings
from datong.kernel.failures import Misconfigured
from datong.kernel.files import write_private
from datong.standards.contracts import Code, Edition, EditionKind, Element, Succession
from datong.standards.shipped import shipped_editions

INDEX_NAME = "index.json"


@dataclass(frozen=True, slots=True)
class Shelf:
    """All editions at one moment, shipped ones that were not replaced included. `stamp` names the moment for caches."""

    stamp: str
    editions: tuple[Edition, ...]

    def of_kind(self, *kinds: EditionKind) -> list[Edition]:
        return [edition for edition in self.editions if edition.kind in kinds]


def load_shelf() -> Shelf:
    """The present editions. One `stat` when nothing has changed."""
    folder = standards_dir()
    try:
        found = (folder / INDEX_NAME).stat()
    except FileNotFoundError:
        return _read_shelf(None, 0, 0)
    return _read_shelf(folder, found.st_ino, found.st_mtime_ns)


def standards_dir() -> Path:
    return load_settings().home / "standards"


def digest_edition(edition: Edition) -> str:
    """SHA-256 of its canonical form, hexadecimal: the same content has the same digest wherever it came from."""
    return sha256(encode_edition(edition)).hexdigest()


def encode_edition(edition: Edition) -> bytes:
    """JSON with sorted members, empty ones left out. `is_shipped` is about a place and not part of the content."""
    value = {name: item for name, item in asdict(edition).items() if name != "is_shipped"}
    for name in ("codes", "succession", "elements"):
        value[name] = [{key: item for key, item in row.items() if item not in ("", None, ())} for row in value[name]]
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def decode_edition(data: bytes) -> Edition:
    value = orjson.loads(data)
    return Edition(
        kind=EditionKind(value.pop("kind")),
        codes=tuple(Code(**_dated(row)) for row in value.pop("codes")),
        succession=tuple(Succession(**_dated(row)) for row in value.pop("succession")),
        elements=tuple(Element(**_listed(row)) for row in value.pop("elements")),
        **_dated(value),
    )


def write_shelf(folder: Path, editions: list[bytes]) -> None:
    """Put encoded editions on disk: the files first, the index last, so that a reader never meets half of it."""
    digests = []
    for data in editions:
        digest = sha256(data).hexdigest()
        if not (folder / f"{digest}.json").is_file():
            write_private(folder / f"{digest}.json", data)
        digests.append(digest)
    index = orjson.dumps({"format": 1, "editions": digests})
    if not (folder / INDEX_NAME).is_file() or (folder / INDEX_NAME).read_bytes() != index:
        write_private(folder / INDEX_NAME, index)


@lru_cache(maxsize=4)
def _read_shelf(folder: Path | None, inode: int, modified_ns: int) -> Shelf:
    imported: list[Edition] = []
    if folder is not None:
        for digest in orjson.loads((folder / INDEX_NAME).read_bytes())["editions"]:
            data = (folder / f"{digest}.json").read_bytes()
            if sha256(data).hexdigest() != digest:
                raise Misconfigured(
                    "Run `datong standards sync`: a file of imported standards was altered.",
                    hint_zh="请运行 datong standards sync：已导入标准的文件被改动过。",
                    file=f"{digest}.json",
                )
            imported.append(decode_edition(data))
    replaced = {(edition.kind, edition.name, edition.edition) for edition in imported}
    kept = [e for e in shipped_editions() if (e.kind, e.name, e.edition) not in replaced]
    return Shelf(stamp=f"{folder}:{inode}:{modified_ns}", editions=(*kept, *imported))


def _dated(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("valid_from", "valid_to", "covers_from", "covers_to", "on"):
        if row.get(name):
            row[name] = dt.date.fromisoformat(row[name])
    return row


def _listed(row: dict[str, Any]) -> dict[str, Any]:
    row["synonyms"] = tuple(row.get("synonyms", ()))
    return row
