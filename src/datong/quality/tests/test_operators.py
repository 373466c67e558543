"""Every operator of the closed list gives the answer that is due, row by row, on DuckDB, Sail and Spark."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datong.quality import operators as op
from datong.quality.engines import open_engine
from datong.quality.expressions import FUNCTIONS
from datong.quality.operator_cases import CASES, OperatorCase
from datong.quality.tests.engines import answers_of

NEEDS_SAIL = pytest.mark.skipif(find_spec("pysail") is None, reason="pysail is not installed")


@pytest.fixture(scope="module", params=["duckdb", pytest.param("sail", marks=NEEDS_SAIL)])
def engine(request: pytest.FixtureRequest) -> Iterator[Any]:
    with open_engine(request.param) as connection:
        yield connection


def test_every_operator_has_cases() -> None:
    assert set(CASES) | {"missing_in"} == set(op.OPERATORS)
    assert set(FUNCTIONS) <= set(op.OPERATORS)
    assert all(len(case.rows) >= 2 for case in CASES.values())


@pytest.mark.parametrize("name", CASES)
def test_answers_are_the_ones_due(name: str, engine: Any, tmp_path: Path) -> None:
    case = CASES[name]
    assert answers_of(engine, case, tmp_path / "case.parquet") == [row[-1] for row in case.rows]


def test_rows_missing_in_another_table(engine: Any, tmp_path: Path) -> None:
    own = pa.table({"n": [0, 1, 2, 3, 4], "a": ["x", "y", None, "x", ""], "b": [1, 1, 1, 2, None]})
    theirs = pa.table({"c": ["x", "x", None, ""], "d": [1, 1, 1, 7]})
    pq.write_table(own, tmp_path / "own.parquet")
    pq.write_table(theirs, tmp_path / "theirs.parquet")
    table, other = (engine.read_parquet(str(tmp_path / f"{name}.parquet")) for name in ("own", "theirs"))
    missing = op.missing_in(table, other, {"a": "c", "b": "d"}).select("n").order_by("n")
    assert engine.to_pyarrow(missing)["n"].to_pylist() == [1, 3]


@NEEDS_SAIL
def test_an_operator_that_engines_read_differently_is_caught(tmp_path: Path) -> None:
    """Planted: \\d is Unicode in Sail and ASCII in DuckDB; this is what the closed list is for."""
    case = OperatorCase(
        schema={"a": "string"}, apply=lambda t: t.a.re_search(r"\A\d+\z"), rows=(("12", True), ("１２", False))
    )
    with open_engine("duckdb") as duck, open_engine("sail") as sail:
        left, right = (answers_of(one, case, tmp_path / "case.parquet") for one in (duck, sail))
    assert left != right


@pytest.mark.parametrize(
    ("pattern", "portable"),
    [("[0-9]{6}", True), ("(?:a|b)+", True), ("[一-龥]+", True), (r"\d+", False), (r"\p{Han}", False), ("^a$", False)],
)
def test_patterns_that_engines_read_alike(pattern: str, portable: bool) -> None:
    assert op.is_portable_pattern(pattern) is portable


# Spark itself ------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """A Spark Connect server: from the environment, or the wheel's own where Java is."""
    with ExitStack() as stack:
        yield stack.enter_context(
            open_engine(os.environ.get("DATONG_TEST_SPARK") or stack.enter_context(_ServeSpark()))
        )


class _ServeSpark:
    """The wheel's Spark Connect server on a free port, ended by its pid."""

    def __enter__(self) -> str:
        submit = shutil.which("spark-submit", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
        if submit is None or shutil.which("java") is None:
            pytest.skip("Spark needs Java and the package pyspark[connect]; or name a server in DATONG_TEST_SPARK")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        settings = {
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": port,
            "spark.ui.enabled": "false",
        }
        conf = [part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]
        server = "org.apache.spark.sql.connect.service.SparkConnectServer"
        self.process = subprocess.Popen(
            [submit, "--class", server, "--master", "local[2]", *conf, "spark-internal"],
            env={**os.environ, "SPARK_LOCAL_IP": "127.0.0.1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(900):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return f"sc://127.0.0.1:{port}"
        raise AssertionError("Spark did not start")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_spark_agrees_too(name: str, spark: Any, tmp_path: Path) -> None:
    case = CASES[name]
    assert answers_of(spark, case, tmp_path / "case.parquet") == [row[-1] for row in case.rows]
