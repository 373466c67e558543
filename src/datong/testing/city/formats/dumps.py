"""Dumps of two old systems: PostgreSQL's `copy … from stdin` and MySQL's many-row `insert`. All columns are text there,
as in many an old system; that is how wrong values got in. Positions are ordinals of rows from 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from datong.testing.city.draws import Ints, kernels, where
from datong.testing.city.formats.lines import LineFile, escaped, joined
from datong.testing.city.model import Rows, TableSpec
from datong.testing.city.spoil import Spoiled

_COPY_ESCAPES: Final = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_MYSQL_ESCAPES: Final = {"\\": "\\\\", "'": "\\'", "\n": "\\n"}
_INSERT_ROWS: Final = 500


class PostgresDumpWriter:
    """As pg_dump writes plain SQL: restore it with `psql -f`."""

    def __init__(self, spec: TableSpec, path: Path) -> None:
        self._spec = spec
        self._file = LineFile(path)
        self._rows = 0
        columns = ",\n".join(f"    {name} text" for name in spec.names)
        self._file.write(
            "--\n-- PostgreSQL database dump\n--\n\n"
            "set client_encoding = 'UTF8';\nset standard_conforming_strings = on;\n\n"
            f"create table {spec.resource} (\n{columns}\n);\n\n"
        )
        for column in spec.columns:
            self._file.write(f"comment on column {spec.resource}.{column.name} is '{column.title}';\n")
        self._file.write(f"\ncopy {spec.resource} ({', '.join(spec.names)}) from stdin;\n")

    def write(self, block: Spoiled, rows: Rows) -> Ints:  # noqa: ARG002
        parts: list[Any] = []
        for name in self._spec.names:
            value = escaped(block.columns[name], _COPY_ESCAPES)
            parts += [kernels.if_else(kernels.equal(value, ""), "\\N", value), "\t"]
        parts[-1] = "\n"
        self._file.write_lines(joined(parts))
        begins = self._rows + 1 + np.arange(len(block), dtype=np.int64)
        self._rows += len(block)
        return begins

    def close(self) -> None:
        self._file.write("\\.\n\n--\n-- PostgreSQL database dump complete\n--\n")
        self._file.close()


class MysqlDumpWriter:
    """As mysqldump writes it, extended inserts of 500 rows: restore it with `mysql < file`."""

    def __init__(self, spec: TableSpec, path: Path) -> None:
        self._spec = spec
        self._file = LineFile(path)
        self._rows = 0
        columns = ",\n".join(
            f"  `{column.name}` varchar(300) default null comment '{column.title}'" for column in spec.columns
        )
        self._file.write(
            "-- MySQL dump 10.13\n\nset names utf8mb4;\n\n"
            f"drop table if exists `{spec.resource}`;\ncreate table `{spec.resource}` (\n{columns}\n) "
            f"engine=InnoDB default charset=utf8mb4 comment='{spec.title}';\n\n"
        )

    def write(self, block: Spoiled, rows: Rows) -> Ints:  # noqa: ARG002
        ordinal = np.arange(len(block), dtype=np.int64)
        opens = ordinal % _INSERT_ROWS == 0
        closes = (ordinal % _INSERT_ROWS == _INSERT_ROWS - 1) | (ordinal == len(block) - 1)
        head = pa.scalar(f"insert into `{self._spec.resource}` values ", pa.string())  # noqa: S608  (our own table name)
        parts: list[Any] = [where(opens, head, ""), "("]
        for name in self._spec.names:
            value = escaped(block.columns[name], _MYSQL_ESCAPES)
            parts += [kernels.if_else(kernels.equal(value, ""), "NULL", joined(["'", value, "'"])), ","]
        parts[-1] = where(closes, ");\n", "),")
        if len(block):
            self._file.write_lines(joined(parts))
        begins = self._rows + 1 + ordinal
        self._rows += len(block)
        return begins

    def close(self) -> None:
        self._file.write("\n-- Dump completed\n")
        self._file.close()
