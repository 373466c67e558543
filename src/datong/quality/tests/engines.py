"""What the tests of several engines share: the table of a case, an engine's answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ibis  # type: ignore[import-untyped]
import pyarrow as pa
import pyarrow.parquet as pq

from datong.quality.operator_cases import OperatorCase


def case_table(case: OperatorCase) -> pa.Table:
    """The rows of a case with their number `n`; the answers stay behind."""
    schema = ibis.schema({"n": "int64", **case.schema}).to_pyarrow()
    columns = list(zip(*[(i, *row[:-1]) for i, row in enumerate(case.rows)], strict=True))
    return pa.table(
        [pa.array(list(values), field.type) for values, field in zip(columns, schema, strict=True)], schema=schema
    )


def answers_of(connection: Any, case: OperatorCase, path: Path) -> list[Any]:
    """The operator's answer for each row of the case on this engine, which reads the table as Parquet."""
    pq.write_table(case_table(case), path)
    table = connection.read_parquet(str(path))
    answered = table.select(n=table.n, answer=case.apply(table)).order_by("n")
    return list(connection.to_pyarrow(answered)["answer"].to_pylist())
