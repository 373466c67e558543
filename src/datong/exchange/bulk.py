"""Policy-safe bytes: the file that a policy may fetch of a version, filtered and masked, so hidden values never leave.

A file's name is its SHA-256: the same bytes are the same file, and a reader of the old one keeps it open while a newer
one is put beside it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from datong.catalog.odcs import DataContract
from datong.exchange.contracts import FileEntry, GrantTerms, RowCondition, Treatment
from datong.exchange.model import ROW_OPERATORS
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


def materialise(
    settings: Settings, terms: GrantTerms, contract: DataContract, version: VersionView
) -> Iterator[FileEntry]:
    """Write the policy's file in every format and give its entries; the old files stay until they are replaced."""
    folder = make_private_dir(settings.bulk_dir / terms.policy_digest)
    query, values = build_query(terms, contract, version)
    with get_lake(settings).connect(version.agency) as connection:
        counted = connection.execute(f"select count(*) from ({query})", values).fetchone()  # noqa: S608 - ours
        rows_count = int(counted[0]) if counted else 0
        for name, (media_type, options) in FORMATS.items():
            part = folder / f".{ids.new_id('part')}"
            connection.execute(f"copy ({query}) to {quote_text(str(part))} ({options})", values)
            part.chmod(0o600)
            sha256 = _digest(part)
            path = folder / f"{sha256}.{name}"
            part.replace(path)
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
    conditions, values = _build_conditions(terms.rows)
    where = f" where {' and '.join(conditions)}" if conditions else ""
    return f"select {', '.join(shown)} from {at_snapshot(version.table, version.snapshot)}{where}", values  # noqa: S608 - names quoted


def _build_conditions(rows: Sequence[RowCondition]) -> tuple[list[str], list[str]]:
    conditions, values = [], []
    for row in rows:
        column = f"cast({quote_name(row.column)} as varchar)" if row.operator == "starts" else quote_name(row.column)
        marks = ", ".join("?" for _ in row.values)
        conditions.append(ROW_OPERATORS[row.operator].format(column=column, value="?", values=marks))
        values.extend(row.values)
    return conditions, values


def remove_superseded(bulk_dir: Path, policy_digest: str, kept: Sequence[str]) -> None:
    """Delete the policy's other files. A download that has one open finishes: its bytes stay until it is closed."""
    for path in (bulk_dir / policy_digest).iterdir():
        if str(path.relative_to(bulk_dir)) not in kept:
            path.unlink(missing_ok=True)


def remove_policy(bulk_dir: Path, policy_digest: str) -> None:
    shutil.rmtree(bulk_dir / policy_digest, ignore_errors=True)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            digest.update(piece)
    return digest.hexdigest()
