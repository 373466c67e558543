"""A long DuckDB statement with its progress: it runs in a thread, and the caller's thread tells how far it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import duckdb

from datong.kernel.limits import COLLECT_PROGRESS_S


def watch(
    connection: duckdb.DuckDBPyConnection,
    statement: str,
    values: Mapping[str, Any] | None,
    tell: Callable[[float], None],
) -> None:
    """Execute the statement. `tell` is called in this thread with the share done, 0 to 1, which DuckDB may not know.

    Raises what the statement or `tell` raises; in the latter case the statement is interrupted first.
    """
    connection.execute("set enable_progress_bar = true")
    connection.execute("set enable_progress_bar_print = false")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(connection.execute, statement, dict(values) if values else None)
        share = 0.0
        try:
            while not wait([running], COLLECT_PROGRESS_S).done:
                share = min(max(share, connection.query_progress() / 100), 1.0)
                tell(share)
        except BaseException:
            connection.interrupt()
            raise
        running.result()
