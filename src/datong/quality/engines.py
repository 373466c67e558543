"""Other engines for rules: a Spark Connect address, or a Sail server of our own for the length of a run.

DuckDB is the default and the only writer of the lake. An engine never opens lake files: it gets a pinned version as
Parquet that DuckDB wrote (route A of the two exact routes), and its row count is compared before any rule runs.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Any
from urllib.parse import urlsplit

import ibis  # type: ignore[import-untyped]

from datong.kernel import clock
from datong.kernel.failures import Unavailable
from datong.kernel.limits import ENGINE_CONNECT_S_MAX, QUALITY_ENGINE_START_S_MAX

TIME_ZONE = "Asia/Shanghai"
SPARK_CONNECT_PORT = 15002
"""Where Spark Connect listens unless told otherwise."""


class EngineUnavailable(Unavailable):
    code = "engine-unavailable"
    title, title_zh = "The compute engine does not answer", "计算引擎没有响应"


@contextmanager
def open_engine(address: str) -> Iterator[Any]:
    """An Ibis connection to `duckdb`, `sail` (a server of our own) or `sc://host:port` (also written spark://).

    Raises EngineUnavailable where the packages are absent or nobody answers.
    """
    if address == "duckdb":
        yield ibis.duckdb.connect()
    elif address == "sail":
        with serve_sail() as served, _connect(served) as connection:
            yield connection
    else:
        with _connect(address.replace("spark://", "sc://", 1)) as connection:
            yield connection


@contextmanager
def serve_sail() -> Iterator[str]:
    """A Sail server on a free port of 127.0.0.1, ended with the block; its Spark Connect address."""
    program = shutil.which("sail", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if program is None:
        raise EngineUnavailable(
            "Sail is not installed; `pip install datong[spark]`.", hint_zh="未安装Sail：pip install datong[spark]。"
        )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [program, "spark", "server", "--ip", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(process, port)
        yield f"sc://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = clock.monotonic_s() + QUALITY_ENGINE_START_S_MAX
    while clock.monotonic_s() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            sleep(0.05)
        else:
            return
    raise EngineUnavailable("The Sail server did not start.", hint_zh="Sail 未能启动。", port=port)


def _require_listener(address: str) -> None:
    """Somebody must listen: the client itself would try for minutes."""
    parts = urlsplit(address)
    try:
        socket.create_connection((parts.hostname or "", parts.port or SPARK_CONNECT_PORT), ENGINE_CONNECT_S_MAX).close()
    except OSError as error:
        raise EngineUnavailable(
            f"Nobody answers at {address}.", hint_zh=f"{address}没有响应。", private=str(error), address=address
        ) from error


@contextmanager
def _connect(address: str) -> Iterator[Any]:
    with warnings.catch_warnings():  # the client warns of versions of pandas at many of its imports
        warnings.simplefilter("ignore", FutureWarning)
        try:
            from pyspark.errors import PySparkException
            from pyspark.sql import SparkSession
        except ImportError as error:
            raise EngineUnavailable(
                "The Spark client is not installed; `pip install datong[spark]`.",
                hint_zh="未安装Spark客户端：pip install datong[spark]。",
            ) from error
        _require_listener(address)
        try:
            session = SparkSession.builder.remote(address).create()
            session.conf.set("spark.sql.session.timeZone", TIME_ZONE)
        except PySparkException as error:
            raise EngineUnavailable(
                "Check its address.", hint_zh="请检查地址。", private=str(error), address=address
            ) from error
        try:
            yield ibis.pyspark.connect(session)
        finally:
            session.stop()
