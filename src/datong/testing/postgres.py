"""One PostgreSQL for a test session, one database for each xdist worker, each a copy of a migrated template.

The session's first process (pytest itself, or the xdist controller) calls `open_session`; the workers inherit its
environment. The server starts with the first test that needs it, so a run of pure tests pays nothing.
`DATONG_DATABASE_URL` in the environment wins: then databases are made on that server and dropped at the end.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from datong.kernel import ids
from datong.kernel.config import Secret, Settings, load_settings, make_private_dir

_BASE_NAME = re.compile(r"datong-test-(\d+)-")


class EmbeddedServer(Protocol):
    """What a session needs of an embedded PostgreSQL; `datong.app.postgres` is the one there is."""

    def address(self, database: str = ...) -> Secret: ...
    def start(self) -> Secret: ...
    def stop(self, *, at_once: bool = ...) -> None: ...


MakeServer = Callable[[Settings], EmbeddedServer]


@dataclass(kw_only=True)
class TestDatabases:
    """The session as one process sees it: its folder, its database, and the server behind."""

    __test__ = False

    base: Path
    worker: str
    is_first: bool
    server: EmbeddedServer | None
    server_address: Secret
    """A database on the server that only serves to make and drop others."""
    _is_made: bool = field(default=False, init=False)

    @property
    def home(self) -> Path:
        """DATONG_HOME of this worker."""
        return self.base / self.worker

    @property
    def name(self) -> str:
        return f"test_{self._suffix}_{self.worker}"

    @property
    def template_name(self) -> str:
        return f"test_{self._suffix}_template"

    @property
    def address(self) -> Secret:
        return with_database(self.server_address, self.name)

    @property
    def template_address(self) -> Secret:
        return with_database(self.server_address, self.template_name)

    @property
    def _suffix(self) -> str:
        return self.base.name.rpartition("-")[2]

    def make(self, migrate: Callable[[Secret], None]) -> None:
        """Make this worker's database once; the first worker to come migrates the template."""
        if self._is_made:
            return
        with self._lock():
            if self.server is not None:
                self.server.start()
            if not self._exists(self.template_name):
                self._execute("create database {}", self.template_name)
                try:
                    migrate(self.template_address)
                except BaseException:
                    self._execute("drop database {} with (force)", self.template_name)
                    raise
        self._copy_template()
        self._is_made = True

    def make_again(self) -> None:
        """Throw this worker's database away and copy the template: sessions still open on it are ended."""
        self._execute("drop database if exists {} with (force)", self.name)
        self._copy_template()

    def close(self) -> None:
        """End of the session; only the first process cleans up."""
        if not self.is_first:
            return
        if self.server is not None:
            self.server.stop(at_once=True)
        else:
            for name in self._find_names():
                self._execute("drop database if exists {} with (force)", name)
        shutil.rmtree(self.base, ignore_errors=True)

    def _copy_template(self) -> None:
        with self._lock():
            self._execute("create database {} template {}", self.name, self.template_name)

    def _exists(self, name: str) -> bool:
        return name in self._find_names()

    def _find_names(self) -> list[str]:
        with self._connect() as connection:
            rows = connection.execute(
                "select datname from pg_database where starts_with(datname, %s)", [f"test_{self._suffix}_"]
            ).fetchall()
        return [row[0] for row in rows]

    def _execute(self, statement: str, *names: str) -> None:
        with self._connect() as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.server_address.reveal(), autocommit=True, connect_timeout=10)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        handle = os.open(self.base / "databases.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def open_session(make_server: MakeServer) -> TestDatabases:
    """Set DATONG_HOME, DATONG_DATABASE_URL and DATONG_TESTING of this process: before Django reads its settings."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    is_first = worker == "main"
    if is_first:
        remove_abandoned(make_server)
        base = Path(tempfile.gettempdir()) / f"datong-test-{os.getpid()}-{ids.random_bytes(4).hex()}"
        base.mkdir()
        base.chmod(0o711)  # the server's account passes through; what is inside is private
        if external := os.environ.get("DATONG_DATABASE_URL"):
            (base / "server.dsn").touch(mode=0o600)
            (base / "server.dsn").write_text(external)
    else:
        base = Path(os.environ["DATONG_HOME"]).parent
    server = None if (base / "server.dsn").exists() else make_server(_server_settings(base))
    databases = TestDatabases(
        base=base,
        worker=worker,
        is_first=is_first,
        server=server,
        server_address=Secret((base / "server.dsn").read_text()) if server is None else server.address(),
    )
    os.environ["DATONG_HOME"] = str(make_private_dir(databases.home))
    os.environ["DATONG_TESTING"] = "1"
    os.environ["DATONG_DATABASE_URL"] = databases.address.reveal()
    return databases


def remove_abandoned(make_server: MakeServer) -> None:
    """Stop the servers and remove the folders of test sessions that were killed."""
    for base in Path(tempfile.gettempdir()).glob("datong-test-*"):
        match = _BASE_NAME.match(base.name)
        if match is None or base.stat().st_uid != os.geteuid() or Path(f"/proc/{match[1]}").exists():
            continue
        if (base / "server").exists():
            make_server(_server_settings(base)).stop(at_once=True)
        shutil.rmtree(base, ignore_errors=True)


def with_database(address: Secret, name: str) -> Secret:
    """The same server, another database; both forms of a DSN are understood."""
    if "://" not in address.reveal():
        return Secret(make_conninfo(address.reveal(), dbname=name))
    return Secret(urlunsplit(urlsplit(address.reveal())._replace(path=f"/{name}")))


def _server_settings(base: Path) -> Settings:
    return load_settings({"DATONG_HOME": str(base / "server")})
