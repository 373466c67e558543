"""Real processes, killed between each pair of steps: nothing is lost, doubled or half visible. Writers that meet, too.

The gaps are those of design §5: after the commit row, inside the DuckLake transaction, after its commit and before the
version row, after the version row.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from datong.app.postgres import EmbeddedPostgres
from datong.kernel.config import Secret, load_settings
from datong.kernel.faults import FAULT_DIR_SETTING
from datong.kernel.ids import ResourceId, RunId
from datong.lake.contracts import CommitState, Recovered
from datong.lake.engine import catalogue_schema
from datong.lake.service import commit_version, current_version, find_versions, recover_commits
from datong.lake.snapshots import find_run
from datong.lake.store.models import Commit, Version
from datong.lake.tables import qualify, write_replace
from datong.lake.tests.helpers import inspect, lake, make_target, new_agency, new_run, read_rows, replacing
from datong.lake.tests.nursery import Child, Nursery

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]
PEOPLE_ID = ResourceId("people")
CHILD_S_MAX = 60
_nursery: Nursery
WRITERS, COMMITS = 3, 4


@pytest.fixture(scope="module", autouse=True)
def nursery(database_url: Secret) -> Iterator[Nursery]:
    """Where children come from."""
    global _nursery
    _nursery = Nursery()
    yield _nursery
    _nursery.close()


AnyChild = Child | subprocess.Popen[bytes]


def start_child(
    *arguments: str, fault_dir: Path | None = None, environment: Mapping[str, str] = os.environ
) -> AnyChild:
    """A child of the nursery; one with another database, which the nursery does not know, comes from nothing."""
    told = dict(environment)
    if fault_dir is not None:
        told[FAULT_DIR_SETTING] = str(fault_dir)
    if environment is not os.environ:
        return subprocess.Popen([sys.executable, "-m", "datong.lake.tests.child", *arguments], env=told)
    return _nursery.start(arguments, told)


@contextmanager
def stopped_at(
    point: str, fault_dir: Path, *arguments: str, environment: Mapping[str, str] = os.environ
) -> Iterator[AnyChild]:
    """A child that has reached the point and stopped there; killed at the end."""
    (fault_dir / f"{point}.stop").touch()
    reached = fault_dir / f"{point}.reached"
    child = start_child(*arguments, fault_dir=fault_dir, environment=environment)
    try:
        deadline_s = time.monotonic() + CHILD_S_MAX
        while not reached.exists():
            assert child.poll() is None, f"the child ended without reaching {point}"
            assert time.monotonic() < deadline_s, f"the child never reached {point}"
            time.sleep(0.02)
        yield child
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait(CHILD_S_MAX)


def wait_for_recovery() -> list[Recovered]:
    deadline_s = time.monotonic() + CHILD_S_MAX
    while not (recovered := recover_commits()):
        assert time.monotonic() < deadline_s, "there was nothing to recover"
        time.sleep(0.05)
    return recovered


@pytest.mark.parametrize(
    ("point", "state"),
    [
        ("lake.after-commit-row", CommitState.FAILED),
        ("lake.before-ducklake-commit", CommitState.FAILED),
        ("lake.after-ducklake-commit", CommitState.COMMITTED),
        ("lake.after-version-row", None),
    ],
)
def test_a_kill_between_two_steps(point: str, state: CommitState | None, tmp_path: Path) -> None:
    agency, run = new_agency(), new_run()
    first = commit_version(new_run(), PEOPLE_ID, replacing("('a', 'x', 1)"), target=make_target(agency))
    with stopped_at(point, tmp_path, "commit", agency, run, "5"):
        if state is not None:
            assert recover_commits() == [], "a living writer is left alone"
            assert current_version(PEOPLE_ID) == first, "nobody sees a version before its row"
            assert Commit.objects.get(run_id=run).state == CommitState.COMMITTING
    # PostgreSQL notices the closed socket of a killed session a moment later.
    recovered = wait_for_recovery() if state is not None else []
    assert [(one.run_id, one.state) for one in recovered] == ([(run, state)] if state is not None else [])
    with lake().connect(agency) as connection:
        assert not inspect(connection, agency, "people")
    assert recover_commits() == []
    if state == CommitState.FAILED:
        assert Commit.objects.get(run_id=run).reason == "the process ended before the lake commit"
        assert current_version(PEOPLE_ID) == first
    # The job is taken up again: exactly one version comes of it, and it has the run's rows.
    again = commit_version(
        run,
        PEOPLE_ID,
        lambda c, t: write_replace(c, t, "select 'p' || i as id, 'n' as name, i as age from range(5) r(i)"),
        target=make_target(agency),
    )
    assert again.number == 2
    assert [row[0] for row in read_rows(again)] == ["p0", "p1", "p2", "p3", "p4"]
    assert [version.number for version in find_versions(PEOPLE_ID)] == [2, 1]
    with lake().connect(agency) as connection:
        assert not inspect(connection, agency, "people")


def test_the_next_run_finishes_what_a_killed_one_left(tmp_path: Path) -> None:
    """No recovery runs in between: the same rows must still not count as 'nothing new' against an older version."""
    agency, run = new_agency(), new_run()
    rows = "select 'p' || i as id, 'n' as name, i as age from range(5) r(i)"
    with stopped_at("lake.after-ducklake-commit", tmp_path, "commit", agency, run, "5"):
        pass
    later = commit_version(new_run(), PEOPLE_ID, lambda c, t: write_replace(c, t, rows), target=make_target(agency))
    assert (later.number, later.run_id, later.is_unchanged) == (1, run, True)
    with lake().connect(agency) as connection:
        assert not inspect(connection, agency, "people")


def test_the_inspection_sees_a_missing_and_a_doubled_version(tmp_path: Path) -> None:
    """The planted violations: a commit nobody recovered, and a recovery that records whatever it meets."""
    agency, run = new_agency(), new_run()
    with stopped_at("lake.after-ducklake-commit", tmp_path, "commit", agency, run, "5"):
        pass
    with lake().connect(agency) as connection:
        damage = inspect(connection, agency, "people")
        assert damage.lost == [run]
        assert damage.half_visible == [run]
        found = find_run(connection, run, after=-1)
        assert found is not None
        for number, run_id, snapshot in ((1, run, found.snapshot), (2, "run_other", found.snapshot - 1)):
            Version.objects.create(
                resource_id="people", number=number, label=f"x-{number}", agency=agency, table="people",
                snapshot=snapshot, run_id=run_id, rows_count=5, rows_inserted=5, rows_updated=0, rows_deleted=0,
                payload_bytes=1, digest="d",
            )  # fmt: skip
        Commit.objects.filter(run_id=run).update(state=CommitState.COMMITTED)
        damage = inspect(connection, agency, "people")
        assert "run_other" in damage.half_visible


def run_writers(action: str, agency: str) -> tuple[int, int]:
    """Start the writers at once; give the rows of their own and the shared row's count."""
    commit_version(new_run(), PEOPLE_ID, replacing("('shared', 'all', 0)"), target=make_target(agency))
    children = [start_child(action, agency, f"w{i}", str(COMMITS)) for i in range(WRITERS)]
    ended = [child.wait(CHILD_S_MAX) for child in children]
    if action == "merge":
        assert ended == [0] * WRITERS
    with lake().connect(agency) as connection:
        own, shared = connection.execute(
            f"select count(*) filter (id <> 'shared'), max(age) filter (id = 'shared') from {qualify('people')}"
        ).fetchall()[0]
        return own, shared


def test_three_processes_merge_into_one_table_and_lose_nothing() -> None:
    agency = new_agency()
    assert run_writers("merge", agency) == (WRITERS * COMMITS, WRITERS * COMMITS)
    numbers = [version.number for version in find_versions(PEOPLE_ID)]
    assert numbers == list(range(WRITERS * COMMITS + 1, 0, -1))
    with lake().connect(agency) as connection:
        assert not inspect(connection, agency, "people")


def test_writers_without_the_lock_lose_updates() -> None:
    """The planted violation: the same check finds the loss."""
    _, shared = run_writers("unlocked", new_agency())
    assert shared < WRITERS * COMMITS


def test_a_run_id_belongs_to_one_child(tmp_path: Path) -> None:
    """The same run in two processes at once, as when a slow job is taken up again: one version."""
    agency, run = new_agency(), RunId(new_run())
    with stopped_at("lake.before-ducklake-commit", tmp_path, "commit", agency, run, "5") as child:
        other = start_child("commit", agency, run, "5")
        time.sleep(1)
        assert other.poll() is None, "it waits for the table"
        (tmp_path / "lake.before-ducklake-commit.stop").unlink()
        child.send_signal(signal.SIGCONT)
        assert (child.wait(CHILD_S_MAX), other.wait(CHILD_S_MAX)) == (0, 0)
    assert [version.run_id for version in find_versions(PEOPLE_ID)] == [run]


@pytest.fixture
def own_server() -> Iterator[EmbeddedPostgres]:
    """A server that the test may kill; its home is short and reachable, as a socket and the server's account need."""
    home = Path(tempfile.mkdtemp(prefix="dt-lake-"))
    server = EmbeddedPostgres(load_settings({"DATONG_HOME": str(home)}), for_tests=True)
    server.start()
    yield server
    server.stop(at_once=True)
    shutil.rmtree(home)


@pytest.mark.slow
def test_a_kill_of_postgresql_in_the_middle(own_server: EmbeddedPostgres, tmp_path: Path) -> None:
    """PostgreSQL dies before a writer commits, and comes back: the writer fails, the rerun makes one version."""
    agency, run = new_agency(), new_run()
    environment = {
        "DATONG_HOME": str(own_server.settings.home),
        "DATONG_DATABASE_URL": own_server.address().reveal(),
        "DATONG_TESTING": "1",
        "PATH": os.environ["PATH"],
    }
    migrate = [sys.executable, "-m", "datong.app.control.manage", "migrate", "--no-input", "-v0"]
    subprocess.run(migrate, env=environment, check=True, timeout=CHILD_S_MAX)
    child_of = ("commit", agency, run, "5")
    with stopped_at("lake.before-ducklake-commit", tmp_path, *child_of, environment=environment) as child:
        pid = own_server.find_pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        own_server.start()
        child.send_signal(signal.SIGCONT)
        assert child.wait(CHILD_S_MAX) != 0, "without its lock it must not commit"
    assert start_child(*child_of, environment=environment).wait(CHILD_S_MAX) == 0
    with psycopg.connect(own_server.address().reveal()) as connection:
        assert connection.execute("select number, run_id, rows_count from lake_version").fetchall() == [(1, run, 5)]
        assert connection.execute("select run_id, state from lake_commit").fetchall() == [(run, "committed")]
        changes = f"{catalogue_schema(agency)}.ducklake_snapshot_changes"
        own = connection.execute(f"select count(*) from {changes} where commit_extra_info like %s", [f"%{run}%"])
        assert own.fetchall() == [(1,)]
