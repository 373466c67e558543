"""The bill 对账单 that goes with every delivered file: what the sender says it holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

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

    def add(self, columns: Mapping[str, Text], count: int) -> None:
        """Every number column is summed as exact decimal; cells that are no number are left out."""
        self.rows += count
        for column in self.spec.columns:
            if column.type in ("number", "integer"):
                values = columns[column.name]
                numbers = values.filter(kernels.match_substring_regex(values, _NUMBER))
                total = kernels.sum(kernels.cast(numbers, pa.decimal128(28, 6))).as_py() or Decimal(0)
                self.sums[column.name] = self.sums.get(column.name, Decimal(0)) + total

    def as_dict(self) -> dict[str, Any]:
        return {
            "resource": self.spec.resource,
            "rows": self.rows,
            "control_sums": {name: f"{total.normalize():f}" for name, total in self.sums.items()},
        }


def write_bill(path: Path, agency: str, tables: list[TableSums]) -> Path:
    """`FILE.bill.json` beside the file: name, bytes, sha256, and for each table its rows and control sums."""
    bill = path.with_name(path.name + ".bill.json")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    told = {
        "file": path.name,
        "agency": agency,
        "bytes": path.stat().st_size,
        "sha256": digest,
        "rows": sum(table.rows for table in tables),
        "tables": [table.as_dict() for table in tables],
    }
    bill.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return bill
