"""Connections to the lake: DuckDB with its extensions from the wheels, and one agency's DuckLake attached as `lake`.

A process keeps one DuckDB instance per agency and hands out cursors, each with its own transaction. Extensions are
loaded by file and never installed or loaded by themselves; the database password lives in a DuckDB secret, so that no
statement and no error text holds it. DuckLake 1.0, DuckDB 1.5.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import psycopg
from psycopg.conninfo import conninfo_to_dict

from datong.kernel.config import Secret, Settings, make_private_dir
from datong.kernel.failures import BadInput, Misconfigured
from datong.kernel.limits import (
    LAKE_AGENCIES_OPEN_MAX,
    LAKE_CATALOGUE_CONNECTIONS,
    LAKE_LOCK_WAIT_S_MAX,
    LAKE_MEMORY_MIB,
    LAKE_TEMP_MIB_MAX,
    LAKE_THREADS,
)
from datong.lake.contracts import LakeUnavailable

EXTENSIONS = ("json", "icu", "httpfs", "postgres_scanner", "ducklake")
"""In order of loading. DuckLake needs postgres_scanner for its catalogue and httpfs to encrypt."""
ATTACH_LOCK = 0x6C616B65
"""First half of the advisory lock that an attaching process holds: the catalogue's tables are made at first use."""
_AGENCY = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_TIME_ZONE = "Asia/Shanghai"


class Lake:
    """The lake as one process sees it. Thread-safe; survives a fork by opening anew."""

    def __init__(self, settings: Settings, address: Secret) -> None:
        self.settings = settings
        self.address = address
        self._open: OrderedDict[tuple[int, str], duckdb.DuckDBPyConnection] = OrderedDict()
        self._lock = threading.Lock()

    def connect(self, agency: str) -> duckdb.DuckDBPyConnection:
        """A cursor of its own on the agency's instance, with the catalogue attached as `lake`. The caller closes it."""
        check_agency(agency)
        with self._lock:
            key = (os.getpid(), agency)
            instance = self._open.get(key)
            if instance is None:
                instance = self._open[key] = self.open_instance(agency)
            self._open.move_to_end(key)
            while len(self._open) > LAKE_AGENCIES_OPEN_MAX:
                self._open.popitem(last=False)  # not closed: that would close its cursors; the last of them frees it
            cursor = instance.cursor()
        cursor.execute(f"set TimeZone = '{_TIME_ZONE}'")
        return cursor

    def open_instance(self, agency: str) -> duckdb.DuckDBPyConnection:
        """A DuckDB of its own that may write, with the agency's catalogue attached as `lake`; the caller owns it."""
        temp_dir = make_private_dir(temporary_folders(self.settings) / f"writer-{os.getpid()}")
        connection = open_duckdb(
            temp_dir, memory_mib=LAKE_MEMORY_MIB, threads=LAKE_THREADS, temp_mib_max=LAKE_TEMP_MIB_MAX
        )
        try:
            self.attach(connection, agency)
        except BaseException:
            connection.close()
            raise
        return connection

    def data_dir(self, agency: str) -> Path:
        return self.settings.lake_dir / check_agency(agency)

    def close(self) -> None:
        """Close this process's instances."""
        with self._lock:
            for (pid, _), instance in self._open.items():
                if pid == os.getpid():
                    instance.close()
            self._open.clear()

    def attach(
        self, connection: duckdb.DuckDBPyConnection, agency: str, *, alias: str = "lake", read_only: bool = False
    ) -> None:
        """Attach the agency's catalogue; the first writer makes it. Raises LakeUnavailable."""
        data_dir = make_private_dir(self.data_dir(agency))
        schema = catalogue_schema(agency)
        parts = conninfo_to_dict(self.address.reveal())
        names = {"host": "host", "port": "port", "user": "user", "password": "password", "dbname": "database"}
        secret = ", ".join(f"{names[k]} {quote_text(str(v))}" for k, v in parts.items() if k in names and v)
        database, catalogue = quote_name(f"{alias}_database"), quote_name(f"{alias}_catalogue")
        options = "read_only" if read_only else "data_inlining_row_limit 0"
        try:
            connection.execute(f"set pg_pool_max_connections = {LAKE_CATALOGUE_CONNECTIONS}")
            connection.execute(f"create secret {database} (type postgres, {secret})")
            connection.execute(
                f"create secret {catalogue} (type ducklake, metadata_path '', "
                f"metadata_parameters map {{'TYPE': 'postgres', 'SECRET': '{alias}_database'}}, "
                f"data_path {quote_text(f'{data_dir}/')}, metadata_schema {quote_text(schema)}, encrypted true)"
            )
            with psycopg.connect(self.address.reveal(), autocommit=True) as session:
                session.execute(f"set lock_timeout = '{LAKE_LOCK_WAIT_S_MAX}s'")
                session.execute("select pg_advisory_lock(%s, hashtext(%s))", [ATTACH_LOCK, schema])
                is_new = not session.execute(
                    "select 1 from information_schema.schemata where schema_name = %s", [schema]
                ).fetchone()
                if is_new and read_only:
                    raise LakeUnavailable(f"Nothing has been collected for {agency} yet.", agency=agency)
                connection.execute(f"attach 'ducklake:{alias}_catalogue' as {quote_name(alias)} ({options})")
                if is_new:
                    connection.execute(f"call {quote_name(alias)}.set_option('data_inlining_row_limit', 0)")
        except (duckdb.Error, psycopg.Error) as error:
            raise LakeUnavailable(
                "The lake's catalogue in PostgreSQL cannot be opened; see `datong doctor`.",
                private=scrub(str(error), parts),
                agency=agency,
            ) from None


def open_duckdb(
    temp_dir: Path, *, memory_mib: int, threads: int, temp_mib_max: int, database: str = ":memory:"
) -> duckdb.DuckDBPyConnection:
    """DuckDB with our extensions and within limits. What it spills to `temp_dir` is encrypted."""
    connection = duckdb.connect(
        database,
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "threads": threads,
            "memory_limit": f"{memory_mib}MiB",
            "temp_directory": str(temp_dir),
            "max_temp_directory_size": f"{temp_mib_max}MiB",
            "temp_file_encryption": True,
            "preserve_insertion_order": True,
        },
    )
    for name in EXTENSIONS:
        connection.execute(f"load {quote_text(str(find_extension(name)))}")
    return connection


_lakes: dict[tuple[Path, Secret], Lake] = {}


def get_lake(settings: Settings) -> Lake:
    """This process's lake for these settings."""
    address = find_address(settings)
    return _lakes.setdefault((settings.home, address), Lake(settings, address))


def close_lakes() -> None:
    """Close every instance of this process: before a database goes away, or at the end."""
    while _lakes:
        _lakes.popitem()[1].close()


def find_address(settings: Settings) -> Secret:
    """The DSN: DATONG_DATABASE_URL, or what the supervisor wrote down for the embedded server."""
    address = settings.find_database()
    if address is None:
        raise Misconfigured(
            "Start the platform with `datong up`, or set DATONG_DATABASE_URL.", setting="DATONG_DATABASE_URL"
        )
    return address


def temporary_folders(settings: Settings) -> Path:
    """Where DuckDB processes spill, each in a folder that ends in its pid."""
    return settings.lake_dir / ".tmp"


def remove_temporary_folders(settings: Settings) -> int:
    """Remove the folders of processes that are gone; gives their number."""
    removed = 0
    for folder in temporary_folders(settings).glob("*-*"):
        if not Path("/proc", folder.name.rpartition("-")[2]).exists():
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed


def find_extension(name: str) -> Path:
    """The extension's file inside its wheel."""
    version = f"v{duckdb.__version__}"
    path = Path(duckdb.__file__).parent.parent / f"duckdb_extension_{name}" / "extensions" / version
    file = path / f"{name}.duckdb_extension"
    if not file.is_file():
        raise Misconfigured(
            f"Install duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__}.", extension=name, version=version
        )
    return file


def catalogue_schema(agency: str) -> str:
    """The PostgreSQL schema of an agency's DuckLake catalogue."""
    return f"lake_{check_agency(agency)}"


def check_agency(agency: str) -> str:
    if not _AGENCY.match(agency):
        raise BadInput("An agency's code is lower-case letters, digits and underscores.", agency=agency)
    return agency


def quote_text(value: str) -> str:
    """A SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def quote_name(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def scrub(text: str, parts: Mapping[str, Any]) -> str:
    """An error text without the database's password and without file keys."""
    password = str(parts.get("password") or "")
    if password:
        text = text.replace(password, "…")
    return re.sub(r"(footer_key\w*|password)\s*[=:]\s*\S+", r"\1=…", text)
