"""The bill 对账单 that goes with every table: what the sender says it holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa

from datong.testing.city.draws import Text, kernels
from datong.testing.city.model import TableSpec

_NUMBER = r"^-?\d+(\.\d+)?$"


@dataclass(kw_only=True)
class TableSums:
    """Rows and control sums of one table as written, added up block by block."""

    spec: TableSpec
    rows: int = 0
    sums: dict[str, Decimal] = field(default_factory=dict)

    def add(self, columns: Mapping[str, Text], count: int, short: Collection[int]) -> None:
        """Every number column is summed as exact decimal. Cells that are no number are left out, and so are those of
        rows that are too `short`: nobody can say which column they stand in."""
        self.rows += count
        whole = np.ones(count, dtype=bool)
        whole[list(short)] = False
        for column in self.spec.columns:
            if column.type in ("number", "integer"):
                values = columns[column.name].filter(pa.array(whole))
                numbers = values.filter(kernels.match_substring_regex(values, _NUMBER))
                total = kernels.sum(kernels.cast(numbers, pa.decimal128(28, 6))).as_py() or Decimal(0)
                self.sums[column.name] = self.sums.get(column.name, Decimal(0)) + total


def write_bill(path: Path, digest: str, batch: str, table: TableSums) -> Path:
    """`RESOURCE.bill.json` beside the file, in the words that `datong collect --bill` reads: rows and control sums of
    the table, bytes and sha256 of the whole file (which may hold several tables)."""
    bill = path.with_name(f"{table.spec.resource}.bill.json")
    told = {
        "batch": batch,
        "rows": table.rows,
        "bytes": path.stat().st_size,
        "sha256": digest,
        "sums": {name: f"{total.normalize():f}" for name, total in table.sums.items()},
    }
    bill.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return bill


def digest_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
