"""Other people's servers, real ones, on 127.0.0.1: MariaDB and Mosquitto of Debian, started for the tests."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import pytest

from datong.testing.instance import wait_until

STARTED_WITHIN_S = 60


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def find_program(*names: str) -> str:
    """On the path or where Debian puts daemons; otherwise the test is skipped, saying what to install."""
    for name in names:
        found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if found:
            return found
    pytest.skip(f"{names[0]} is not installed here (Debian: tools/need_debian.sh, or apt-get install mosquitto)")


@contextmanager
def running(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server that accepts connections; stopped at the end."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _accepts(port, process), f"{command[0]} answers", within_s=STARTED_WITHIN_S)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def _accepts(port: int, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "the server ended"
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class MariaDb:
    port: int
    socket: str
    database: str = "city"
    reader: str = "reader"
    password: str = "geheim 读"

    def connect(self) -> Any:
        return pymysql.connect(
            unix_socket=self.socket, user="root", database=self.database, charset="utf8mb4", autocommit=True
        )

    def options(self, **more: str) -> dict[str, str]:
        return {
            "host": "127.0.0.1",
            "port": str(self.port),
            "database": self.database,
            "user": self.reader,
            "tls": "off",
            **more,
        }


@contextmanager
def run_mariadb(folder: Path) -> Iterator[MariaDb]:
    server, install = find_program("mariadbd", "mysqld"), find_program("mariadb-install-db", "mysql_install_db")
    data, port = folder / "data", free_port()
    user = getpass.getuser()
    subprocess.run(
        [
            install,
            "--no-defaults",
            f"--datadir={data}",
            f"--user={user}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    command = [
        server,
        "--no-defaults",
        f"--datadir={data}",
        f"--user={user}",
        f"--port={port}",
        "--bind-address=127.0.0.1",
        f"--socket={folder / 'm.sock'}",
        f"--pid-file={folder / 'm.pid'}",
        "--innodb-buffer-pool-size=32M",
        "--innodb-log-file-size=8M",
        "--innodb-flush-log-at-trx-commit=0",
        "--skip-log-bin",
    ]
    found = MariaDb(port=port, socket=str(folder / "m.sock"))
    with running(command, port):
        with pymysql.connect(unix_socket=found.socket, user="root", autocommit=True) as admin, admin.cursor() as cursor:
            cursor.execute(f"create database {found.database} character set utf8mb4")
            cursor.execute(f"create user '{found.reader}'@'%' identified by '{found.password}'")
            cursor.execute(f"grant select on {found.database}.* to '{found.reader}'@'%'")
        yield found


@contextmanager
def run_mosquitto(folder: Path) -> Iterator[int]:
    """Mosquitto with sessions on disk and queues without limit; yields its port."""
    server, port = find_program("mosquitto"), free_port()
    configuration = folder / "mosquitto.conf"
    configuration.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {folder}/\n"
        f"max_queued_messages 0\nuser {getpass.getuser()}\n"
    )
    with running([server, "-c", str(configuration)], port):
        yield port


def in_thread(target: Any, *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, daemon=True)
    thread.start()
    return thread
