"""Policy-safe bytes: the file that a policy may fetch of a version, filtered and masked, so hidden values never leave.

A file's name is its SHA-256: the same bytes are the same file, and a reader of the old one keeps it open while a newer
one is put beside it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from datong.catalog.odcs import DataContract
from datong.exchange.contracts import FileEntry, GrantTerms, RowCondition, Treatment
from datong.exchange.model import ROW_OPERATORS
from datong.exchange.requests import FileNotMade
from datong.exchange.serving.macs import CANONICAL
from datong.kernel import ids
from datong.kernel.config import Settings, make_private_dir
from datong.lake.contracts import VersionView
from datong.lake.engine import get_lake, quote_name, quote_text
from datong.lake.tables import at_snapshot
from datong.privacy.masks import get_mask

FORMATS = {
    "parquet": ("application/vnd.apache.parquet", "format parquet, compression zstd"),
    "csv": ("text/csv; charset=utf-8", "format csv, header true"),
}
_CHUNK_BYTES = 1024 * 1024
_COMPARED_AS = {
    "string": "varchar",
    "integer": "bigint",
    "number": "double",
    "date": "date",
    "timestamp": "timestamp with time zone",
    "boolean": "boolean",
}
"""The type in which a condition on a column of this logical type compares."""


def materialise(
    settings: Settings, terms: GrantTerms, contract: DataContract, version: VersionView
) -> Iterator[FileEntry]:
    """Write the policy's file in every format and give its entries; the old files stay until they are replaced.

    A file is on the disk before its entry is given. Raises FileNotMade.
    """
    folder = make_private_dir(settings.bulk_dir / terms.policy_digest)
    query, values = build_query(terms, contract, version)
    with get_lake(settings).connect(version.agency) as connection:
        for name, (media_type, options) in FORMATS.items():
            part = folder / f".{ids.new_id('part')}"
            try:
                copied = connection.execute(f"copy ({query}) to {quote_text(str(part))} ({options})", values).fetchone()
            except duckdb.Error as error:
                part.unlink(missing_ok=True)
                raise FileNotMade(grant=terms.number, private=type(error).__name__) from None
            rows_count = int(copied[0]) if copied else 0
            part.chmod(0o600)
            sha256 = _sync_and_digest(part)
            path = folder / f"{sha256}.{name}"
            part.replace(path)
            _sync_folder(folder)
            yield FileEntry(
                path=str(path.relative_to(settings.bulk_dir)),
                format=name,
                media_type=media_type,
                sha256=sha256,
                file_bytes=path.stat().st_size,
                rows_count=rows_count,
                version_id=version.id,
            )


def build_query(terms: GrantTerms, contract: DataContract, version: VersionView) -> tuple[str, list[str]]:
    """The policy as DuckDB SQL with bound values; columns in the contract's order."""
    treatments = {column.name: column for column in terms.columns if column.treatment is not Treatment.COMPARE}
    shown = []
    for column in contract.columns:
        granted = treatments.get(column.name)
        if granted is None:
            continue
        name = quote_name(column.name)
        if granted.treatment is Treatment.MASKED:
            shown.append(f"{get_mask(granted.mask).sql(f'cast({name} as varchar)')} as {name}")
        else:
            shown.append(name)
    if not shown or any(row.column not in contract.by_name for row in terms.rows):
        raise FileNotMade(grant=terms.number, private="the contract no longer has the granted columns")
    conditions, values = _build_conditions(terms.rows, contract)
    where = f" where {' and '.join(conditions)}" if conditions else ""
    return f"select {', '.join(shown)} from {at_snapshot(version.table, version.snapshot)}{where}", values  # noqa: S608 - names quoted


def _build_conditions(rows: Sequence[RowCondition], contract: DataContract) -> tuple[list[str], list[str]]:
    """Conditions compare in the column's own type, not as text: 9 is less than 10."""
    conditions: list[str] = []
    values: list[str] = []
    for row in rows:
        kind = "string" if row.operator == "starts" else contract.by_name[row.column].logical_type.value
        mark = f"cast(? as {_COMPARED_AS[kind]})"
        conditions.append(
            ROW_OPERATORS[row.operator].format(
                column=f"cast({quote_name(row.column)} as {_COMPARED_AS[kind]})",
                value=mark,
                values=", ".join(mark for _ in row.values),
            )
        )
        values.extend(v if kind == "string" else CANONICAL[kind](v).decode() for v in row.values)
    return conditions, values


def is_made(bulk_dir: Path, entries: Sequence[FileEntry], version: VersionView) -> bool:
    """Whether the policy has this version's file in every format, each of its recorded size."""
    return {entry.format for entry in entries} == set(FORMATS) and all(
        entry.version_id == version.id and _size_of(bulk_dir / entry.path) == entry.file_bytes for entry in entries
    )


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1


def remove_superseded(bulk_dir: Path, policy_digest: str, kept: Sequence[str]) -> None:
    """Delete the policy's other files. A download that has one open finishes: its bytes stay until it is closed."""
    for path in (bulk_dir / policy_digest).iterdir():
        if str(path.relative_to(bulk_dir)) not in kept:
            path.unlink(missing_ok=True)


def remove_policy(bulk_dir: Path, policy_digest: str) -> None:
    shutil.rmtree(bulk_dir / policy_digest, ignore_errors=True)


def _sync_and_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        os.fsync(file.fileno())
        while piece := file.read(_CHUNK_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
