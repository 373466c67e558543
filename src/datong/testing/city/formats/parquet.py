"""Parquet: texts as texts, numbers as numbers. Positions are ordinals of rows from 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datong.testing.city.draws import Ints, kernels
from datong.testing.city.model import Rows, TableSpec
from datong.testing.city.spoil import Spoiled

_TYPES = {"integer": pa.int64(), "number": pa.float64()}


class ParquetTableWriter:
    def __init__(self, spec: TableSpec, path: Path) -> None:
        self._spec = spec
        fields = [pa.field(spec.header_of(column), _TYPES.get(column.type, pa.string())) for column in spec.columns]
        self._schema = pa.schema(fields)
        self._writer = pq.ParquetWriter(path, self._schema)
        self._rows = 0

    def write(self, block: Spoiled, rows: Rows) -> Ints:  # noqa: ARG002
        arrays = []
        for name, field in zip(self._spec.names, self._schema, strict=True):
            column = block.columns[name]
            empty = kernels.equal(column, "")
            arrays.append(kernels.cast(kernels.if_else(empty, pa.scalar(None, pa.string()), column), field.type))
        self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        begins = self._rows + 1 + np.arange(len(block), dtype=np.int64)
        self._rows += len(block)
        return begins

    def close(self) -> None:
        self._writer.close()
