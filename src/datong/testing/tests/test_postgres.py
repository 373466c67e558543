"""The databases under the tests: fresh for each that commits, gone with the session."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from psycopg.conninfo import conninfo_to_dict

from datong.app.pytest_plugin import databases, make_server
from datong.kernel import ids
from datong.kernel.config import Secret, load_settings
from datong.kernel.store.models import Agency
from datong.testing.postgres import remove_abandoned, with_database


@pytest.mark.parametrize("turn", [1, 2])
@pytest.mark.django_db(transaction=True)
def test_a_test_that_commits_leaves_nothing_to_the_next(turn: int) -> None:
    """Both turns start empty, though the first has really committed: another session sees its row."""
    assert not Agency.objects.filter(code="left_behind").exists(), f"turn {turn} found the other's row"
    Agency.objects.create(code="left_behind", name="x")
    with psycopg.connect(databases.address.reveal()) as other:
        assert other.execute("select count(*) from kernel_agency where code = 'left_behind'").fetchone() == (1,)


@pytest.mark.django_db
def test_django_and_child_processes_meet_the_same_database() -> None:
    code = "import os, psycopg; print(psycopg.connect(os.environ['DATONG_DATABASE_URL']).info.dbname)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert child.stdout.strip() == connection.settings_dict["NAME"] == databases.name


def test_the_home_is_the_sessions_own() -> None:
    home = load_settings().home
    assert home.is_relative_to(tempfile.gettempdir())
    assert home == databases.home
    assert home.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("postgresql://u:p@/one?host=/tmp/x", "postgresql://u:p@/two?host=/tmp/x"),
        ("postgresql://u:p@db.example:5433/one", "postgresql://u:p@db.example:5433/two"),
        ("host=/tmp/x dbname=one user=u", "host=/tmp/x dbname=two user=u"),
    ],
)
def test_both_forms_of_an_address_take_another_database(address: str, expected: str) -> None:
    assert conninfo_to_dict(with_database(Secret(address), "two").reveal()) == conninfo_to_dict(expected)


@pytest.mark.fault
def test_a_killed_sessions_server_and_folder_go() -> None:
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, timeout=60, check=True
    )
    base = Path(tempfile.gettempdir()) / f"datong-test-{int(gone.stdout)}-{ids.random_bytes(4).hex()}"
    base.mkdir()
    base.chmod(0o711)
    server = make_server(load_settings({"DATONG_HOME": str(base / "server")}))
    server.start()
    pid = server.find_pid()
    assert pid is not None
    remove_abandoned(make_server)
    assert not base.exists()
    assert not Path(f"/proc/{pid}/exe").is_symlink() or server.find_pid() is None
    assert databases.base.exists(), "a living session is left alone"
    assert Path(f"/proc/{os.getpid()}").exists()
