"""The bounded runner: SQL of others over pinned versions, each query in a process of its own.

The process has limits for memory, time, processor seconds, spilled and returned bytes; a host runs
`RUNNER_PROCESSES_MAX` of them at once, whoever starts them. Rows come back through a pipe as an Arrow stream: nothing
of the answer touches a disk.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pyarrow as pa

from datong.kernel import clock
from datong.kernel.config import Settings, make_private_dir
from datong.kernel.failures import Failure, TooMany
from datong.kernel.limits import (
    RUNNER_MEMORY_MIB,
    RUNNER_PROCESSES_MAX,
    RUNNER_QUERY_S_MAX,
    RUNNER_RESULT_BYTES_MAX,
    RUNNER_TABLES_MAX,
    RUNNER_TEMP_MIB_MAX,
    RUNNER_THREADS,
    RUNNER_WAIT_S_MAX,
)
from datong.lake.allowlist import check_query
from datong.lake.contracts import QueryFailed, QueryRefused, QueryTooLarge, QueryTooLong
from datong.lake.engine import check_agency, find_address

MIB = 1024 * 1024
_FAILURES: Mapping[str, type[Failure]] = {
    failure.code: failure for failure in (QueryFailed, QueryRefused, QueryTooLarge, QueryTooLong)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedTable:
    """A table as a query sees it: one version, and only these columns of it (all when empty)."""

    agency: str
    table: str
    snapshot: int
    columns: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """What one query may take."""

    query_s: float = RUNNER_QUERY_S_MAX
    memory_mib: int = RUNNER_MEMORY_MIB
    temp_mib: int = RUNNER_TEMP_MIB_MAX
    result_bytes: int = RUNNER_RESULT_BYTES_MAX
    threads: int = RUNNER_THREADS


DEFAULT_LIMITS = RunLimits()


@dataclass(slots=True)
class _Run:
    """A running child and how it ended."""

    process: subprocess.Popen[bytes]
    status: int
    limits: RunLimits
    is_late: bool = False
    timer: threading.Timer | None = field(default=None)

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)

    def expire(self) -> None:
        self.is_late = True
        self.kill()

    def failure(self) -> Failure | None:
        """Why it ended before its time; None when it ended well."""
        code = self.process.wait()
        with os.fdopen(os.dup(self.status), "rb") as pipe:
            said = pipe.read()
        if self.is_late:
            return QueryTooLong(
                f"Ask for less: a query may run {self.limits.query_s:g} s.",
                hint_zh=f"请缩小范围：一次查询最多运行 {self.limits.query_s:g} 秒。",
                limit_s=self.limits.query_s,
            )
        if said:
            told: dict[str, Any] = json.loads(said)
            return None if told["code"] == "done" else _FAILURES[told["code"]](told["hint"], **told["facts"])
        if code == -signal.SIGXCPU:
            return QueryTooLong("Ask for less: it used its processor seconds.", limit_s=self.limits.query_s)
        return QueryTooLarge(
            f"Ask for less: a query may use {self.limits.memory_mib} MiB.",
            hint_zh=f"请缩小范围：一次查询最多使用 {self.limits.memory_mib} MiB 内存。",
            limit_mib=self.limits.memory_mib,
            private=f"the process ended with {code}",
        )


@contextmanager
def run_query(
    settings: Settings,
    query: str,
    tables: Mapping[str, PinnedTable],
    *,
    parameters: Mapping[str, str | int | float | bool | None] | None = None,
    limits: RunLimits = DEFAULT_LIMITS,
) -> Iterator[pa.RecordBatchReader]:
    """Run one select over the named tables and stream its rows; leaving the block ends the process.

    Raises QueryRefused before anything runs; QueryTooLong, QueryTooLarge or QueryFailed at the start or while reading;
    TooMany when no place comes free in time.
    """
    if len(tables) > RUNNER_TABLES_MAX:
        raise QueryRefused(f"Name at most {RUNNER_TABLES_MAX} tables.", tables=len(tables))
    check_query(query, tables)
    with _take_place(settings):
        run = _start(settings, query, tables, parameters or {}, limits)
        try:
            assert run.process.stdout is not None
            try:
                stream = pa.ipc.open_stream(cast("io.IOBase", run.process.stdout))
            except pa.ArrowInvalid:
                raise run.failure() or QueryFailed("The query gave no answer.") from None
            yield pa.RecordBatchReader.from_batches(stream.schema, _batches(stream, run))
        finally:
            if run.timer is not None:
                run.timer.cancel()
            run.kill()
            run.process.wait()
            if run.process.stdout is not None:
                run.process.stdout.close()
            os.close(run.status)


def _batches(stream: pa.RecordBatchReader, run: _Run) -> Iterator[pa.RecordBatch]:
    """The child's batches. A stream that ends early is a failure, never a shorter answer."""
    try:
        yield from stream
    except (pa.ArrowInvalid, OSError):
        raise run.failure() or QueryFailed("The answer broke off.") from None
    if failure := run.failure():
        raise failure


def _start(
    settings: Settings,
    query: str,
    tables: Mapping[str, PinnedTable],
    parameters: Mapping[str, str | int | float | bool | None],
    limits: RunLimits,
) -> _Run:
    job = {
        "query": query,
        "parameters": dict(parameters),
        "tables": {
            name: {
                "agency": check_agency(pinned.agency),
                "table": pinned.table,
                "snapshot": pinned.snapshot,
                "columns": list(pinned.columns),
            }
            for name, pinned in tables.items()
        },
        "limits": {
            "query_s": limits.query_s,
            "memory_mib": limits.memory_mib,
            "temp_mib": limits.temp_mib,
            "result_bytes": limits.result_bytes,
            "threads": limits.threads,
        },
        "address": find_address(settings).reveal(),
        "home": str(settings.home),
    }
    status, told = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "datong.lake.runner_child", str(told)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=[told],
            start_new_session=True,
            env={key: value for key, value in os.environ.items() if not key.startswith(("DATONG_", "PG"))},
        )
    finally:
        os.close(told)
    run = _Run(process=process, status=status, limits=limits)
    run.timer = threading.Timer(limits.query_s, run.expire)
    run.timer.daemon = True
    run.timer.start()
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(job).encode())
        process.stdin.close()
    except BrokenPipeError:
        pass  # it died at once; its end is told when the answer is read
    return run


@contextmanager
def _take_place(settings: Settings) -> Iterator[None]:
    """One of the host's places; a killed holder frees its own."""
    make_private_dir(settings.run_dir)
    deadline_s = clock.monotonic_s() + RUNNER_WAIT_S_MAX
    while True:
        for number in range(RUNNER_PROCESSES_MAX):
            handle = os.open(settings.run_dir / f"runner-{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                continue
            try:
                yield
                return
            finally:
                os.close(handle)
        if clock.monotonic_s() > deadline_s:
            raise TooMany(
                "Other queries are running; try again later.",
                hint_zh="其他查询正在运行，请稍后再试。",
                running_max=RUNNER_PROCESSES_MAX,
                wait_s=RUNNER_WAIT_S_MAX,
            )
        time.sleep(0.05)
