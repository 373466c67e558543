"""The process that runs one query of others: reads a job from stdin, writes an Arrow stream to stdout, tells its end.

Its end goes to the file descriptor named by its argument: a code, a hint and facts, never rows.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from datong.kernel.config import Secret, Settings, load_settings, make_private_dir
from datong.kernel.failures import Failure
from datong.kernel.limits import LAKE_BATCH_ROWS, RUNNER_OVERHEAD_MIB
from datong.lake.contracts import QueryFailed, QueryTooLarge
from datong.lake.engine import Lake, open_duckdb, quote_name, quote_text, temporary_folders

MIB = 1024 * 1024
PR_SET_PDEATHSIG = 1


def main() -> None:
    told = int(sys.argv[1])
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    job: dict[str, Any] = json.load(sys.stdin.buffer)
    settings = load_settings({"DATONG_HOME": job["home"]})
    temp_dir = make_private_dir(temporary_folders(settings) / f"runner-{os.getpid()}")
    try:
        limit_process(job["limits"])
        with open_tables(settings, job, temp_dir) as connection:
            send(connection, job)
    except Failure as failure:
        tell(told, failure.code, failure.hint, dict(failure.facts))
    except duckdb.OutOfMemoryException:
        tell(
            told, QueryTooLarge.code, f"Ask for less: a query may use {job['limits']['memory_mib']} MiB.", job["limits"]
        )
    except duckdb.Error as error:
        # The parser's and binder's messages help; others may hold values of rows.
        is_safe = isinstance(error, (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException))
        said = str(error).split("\n", 1)[0] if is_safe else type(error).__name__
        tell(told, QueryFailed.code, "Correct the query.", {"said": said})
    else:
        tell(told, "done", "", {})
    finally:
        shutil.rmtree(temp_dir, ignore_errors=True)


def limit_process(limits: dict[str, Any]) -> None:
    """The kernel's own limits behind DuckDB's: memory, processor seconds, no core file with data in it."""
    memory = (limits["memory_mib"] + RUNNER_OVERHEAD_MIB) * MIB
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    processor_s = int(limits["query_s"] * limits["threads"]) + 5
    resource.setrlimit(resource.RLIMIT_CPU, (processor_s, processor_s))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def open_tables(settings: Settings, job: dict[str, Any], temp_dir: Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB that sees the pinned tables as views, and then cannot open anything else or change its settings."""
    limits = job["limits"]
    lake = Lake(settings, Secret(job["address"]))
    connection = open_duckdb(
        temp_dir, memory_mib=limits["memory_mib"], threads=limits["threads"], temp_mib_max=limits["temp_mib"]
    )
    agencies = sorted({pinned["agency"] for pinned in job["tables"].values()})
    for agency in agencies:
        lake.attach(connection, agency, alias=f"lake_{agency}", read_only=True)
    for name, pinned in job["tables"].items():
        columns = ", ".join(map(quote_name, pinned["columns"])) or "*"
        source = f"{quote_name('lake_' + pinned['agency'])}.main.{quote_name(pinned['table'])}"
        connection.execute(
            f"create view {quote_name(name)} as select {columns} from {source} "
            f"at (version => {int(pinned['snapshot'])})"
        )
    folders = [f"{lake.data_dir(agency)}/" for agency in agencies] + [f"{temp_dir}/"]
    connection.execute(f"set allowed_directories = [{', '.join(map(quote_text, folders))}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set TimeZone = 'Asia/Shanghai'")
    connection.execute("set lock_configuration = true")
    return connection


def send(connection: duckdb.DuckDBPyConnection, job: dict[str, Any]) -> None:
    """Stream the answer. The end-of-stream mark is written only after the last row: what breaks off shows it."""
    reader = connection.execute(job["query"], job["parameters"] or None).to_arrow_reader(LAKE_BATCH_ROWS)
    limit_bytes, sent_bytes = job["limits"]["result_bytes"], 0
    with os.fdopen(os.dup(1), "wb") as out:
        writer = pa.ipc.new_stream(out, reader.schema)
        for batch in reader:
            sent_bytes += batch.nbytes
            if sent_bytes > limit_bytes:
                raise QueryTooLarge(f"Ask for less: an answer may have {limit_bytes} bytes.", limit_bytes=limit_bytes)
            writer.write_batch(batch)
        writer.close()


def tell(descriptor: int, code: str, hint: str, facts: dict[str, Any]) -> None:
    with os.fdopen(descriptor, "wb") as pipe:
        pipe.write(json.dumps({"code": code, "hint": hint, "facts": facts}).encode())


if __name__ == "__main__":
    main()
