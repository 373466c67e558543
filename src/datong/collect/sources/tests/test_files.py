"""Watched folders, here and behind a real SFTP server: taken once, when they are whole, with their bills."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.sftp import SFTP_OK

from datong.collect.sources import service
from datong.collect.sources.contracts import FetchState, FolderNotAllowed, HostKeyUnknown, SourceRefused
from datong.collect.sources.sftp import fingerprint_of
from datong.collect.sources.tests.conftest import Desk, tell
from datong.collect.sources.tests.servers import in_thread
from datong.kernel import clock

MakeDesk = Callable[[str], Desk]
HEADER = "reading_id,station,amount\n"


def drop(folder: Path, name: str, *ids: int, age_s: float = 60) -> Path:
    path = folder / name
    path.write_text(HEADER + "".join(f"{n},站{n},1\n" for n in ids), encoding="utf-8")
    moment = clock.now().timestamp() - age_s
    os.utime(path, (moment, moment))
    return path


def settle(desk: Desk, source: Any, *, times: int = 1) -> None:
    """Run what the ended fetch left for the worker."""
    for fetch in service.find_fetches(source.id)[:times]:
        service.settle_fetch(fetch.id)


def test_files_come_oldest_first_and_once(desk: Desk, tmp_path: Path) -> None:
    drop(tmp_path, "b.csv", 1, age_s=300)
    drop(tmp_path, "a.csv", 2, age_s=200)
    drop(tmp_path, "fresh.csv", 3, age_s=0)
    drop(tmp_path, ".hidden.csv", 4)
    drop(tmp_path, "half.csv.part", 5)
    drop(tmp_path, "notes.txt", 6)
    (tmp_path / "link.csv").symlink_to("/etc/hostname")
    source = desk.connect("folder", {"folder": str(tmp_path)})
    assert "3 files" in service.test_source(desk.steward, source.id).notes[0].en
    taken = []
    while (fetch := desk.fetch(source)) is not None:
        assert fetch.state is FetchState.DONE
        taken.append(fetch.filename)
    assert taken == ["b.csv", "a.csv"]
    assert [row["reading_id"] for row in desk.rows()] == [1, 2]
    drop(tmp_path, "a.csv", 2, 7, age_s=100)
    fetch = desk.fetch(source)
    assert fetch is not None
    assert fetch.filename == "a.csv"
    assert [row["reading_id"] for row in desk.rows()] == [1, 2, 7]


def test_files_that_are_moved_lie_in_done_or_failed(desk: Desk, tmp_path: Path) -> None:
    drop(tmp_path, "good.csv", 1, age_s=300)
    drop(tmp_path, "bad.csv", age_s=200).write_text("no,such,columns\n1,2,3\n")
    os.utime(tmp_path / "bad.csv", (1_700_000_000, 1_700_000_000))
    source = desk.connect("folder", {"folder": str(tmp_path), "after": "move"})
    states = []
    for _ in range(2):
        fetch = desk.fetch(source)
        assert fetch is not None
        states.append((fetch.filename, fetch.state))
        settle(desk, source)
        settle(desk, source)
    assert states == [("bad.csv", FetchState.FAILED), ("good.csv", FetchState.DONE)]
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.csv")) == [
        "done/good.csv",
        "failed/bad.csv",
    ]
    assert desk.fetch(source) is None


def test_a_marked_file_waits_for_its_mark_and_a_bill_goes_with_it(desk: Desk, tmp_path: Path) -> None:
    drop(tmp_path, "a.csv", 1, 2, age_s=0)
    source = desk.connect("folder", {"folder": str(tmp_path), "ready": "bill"})
    assert desk.fetch(source) is None
    (tmp_path / "a.csv.bill.json").write_text('{"rows": 2}')
    fetch = desk.fetch(source)
    assert fetch is not None
    assert fetch.state is FetchState.DONE
    drop(tmp_path, "b.csv", 3, 4, age_s=0)
    (tmp_path / "b.csv.bill.json").write_text('{"rows": 3}')
    fetch = desk.fetch(source)
    assert fetch is not None
    assert fetch.state is FetchState.LANDED, "the run waits: a row is missing"
    assert desk.run_of(fetch).state == "blocked"
    assert [row["reading_id"] for row in desk.rows()] == [1, 2]


def test_only_listed_folders_are_watched(quiet_desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "way-out").symlink_to("/etc")
    for folder in ("/etc", f"{tmp_path}/../../../../etc", str(tmp_path / "way-out"), "relative"):
        with pytest.raises(FolderNotAllowed):
            quiet_desk.connect("folder", {"folder": folder})


# SFTP --------------------------------------------------------------------------------------------------------------
class _Server(paramiko.ServerInterface):
    def __init__(self, client_key: paramiko.PKey) -> None:
        self._client_key = client_key

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_auth_password(self, username: str, password: str) -> int:
        return AUTH_SUCCESSFUL if (username, password) == ("drop", "geheim") else AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return AUTH_SUCCESSFUL if username == "drop" and key == self._client_key else AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"


class _Files(paramiko.SFTPServerInterface):
    """The real folder, served."""

    def list_folder(self, path: str) -> Any:
        return [
            paramiko.SFTPAttributes.from_stat(item.stat(follow_symlinks=False), item.name) for item in os.scandir(path)
        ]

    def stat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(os.stat(path))
        except OSError as problem:
            return paramiko.SFTPServer.convert_errno(problem.errno or 0)

    lstat = stat

    def open(self, path: str, flags: int, attr: Any) -> Any:
        handle = paramiko.SFTPHandle(flags)
        handle.readfile = Path(path).open("rb")  # type: ignore[attr-defined]  # noqa: SIM115 - the handle closes it
        return handle

    def rename(self, oldpath: str, newpath: str) -> int:
        os.rename(oldpath, newpath)
        return SFTP_OK

    def mkdir(self, path: str, attr: Any) -> int:
        os.mkdir(path)
        return SFTP_OK


@pytest.fixture
def sftp() -> Iterator[tuple[int, paramiko.PKey, paramiko.PKey]]:
    """A server's port, its host key, and the client's key."""
    host_key, client_key = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
    transports: list[paramiko.Transport] = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(host_key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files)
            transports.append(transport)
            try:
                transport.start_server(threading.Event(), _Server(client_key))
            except (paramiko.SSHException, EOFError):
                continue

    with socket.create_server(("127.0.0.1", 0)) as listener:
        in_thread(serve, listener)
        yield int(listener.getsockname()[1]), host_key, client_key
    for transport in transports:
        transport.close()


def test_sftp_takes_only_from_the_pinned_server(
    desk: Desk, tmp_path: Path, sftp: tuple[int, paramiko.PKey, paramiko.PKey]
) -> None:
    port, host_key, client_key = sftp
    drop(tmp_path, "a.csv", 1, age_s=300)
    drop(tmp_path, "b.csv", 2, age_s=200)
    (tmp_path / "a.csv.done").touch()
    base = {
        "host": "127.0.0.1",
        "port": str(port),
        "user": "drop",
        "folder": str(tmp_path),
        "ready": "done",
        "after": "move",
    }
    unpinned = desk.connect("sftp", base, {"password": "geheim"})
    with pytest.raises(HostKeyUnknown) as shown:
        service.test_source(desk.steward, unpinned.id)
    assert shown.value.facts["found"] == fingerprint_of(host_key)
    other = fingerprint_of(paramiko.ECDSAKey.generate())
    changed = desk.connect("sftp", {**base, "host_key": other}, {"password": "geheim"})
    with pytest.raises(HostKeyUnknown, match="Nothing was sent"):
        service.test_source(desk.steward, changed.id)
    pinned = {**base, "host_key": fingerprint_of(host_key)}
    with pytest.raises(SourceRefused):
        service.test_source(desk.steward, desk.connect("sftp", pinned, {"password": "falsch"}).id)
    key_file = tmp_path / "key"
    client_key.write_private_key_file(str(key_file))
    source = desk.connect("sftp", pinned, {"private_key": key_file.read_text()})
    key_file.unlink()
    assert "2 files" in service.test_source(desk.steward, source.id).notes[0].en
    fetch = desk.fetch(source)
    assert fetch is not None
    assert (fetch.filename, fetch.state) == ("a.csv", FetchState.DONE)
    settle(desk, source)
    assert sorted(path.name for path in (tmp_path / "done").iterdir()) == ["a.csv", "a.csv.done"]
    assert desk.fetch(source) is None, "b.csv has no mark yet"
    (tmp_path / "b.csv.done").touch()
    with_password = desk.connect("sftp", pinned, {"password": "geheim"})
    fetch = desk.fetch(with_password)
    assert fetch is not None
    assert fetch.filename == "b.csv"
    tell()
    assert [row["reading_id"] for row in desk.rows()] == [1, 2]
