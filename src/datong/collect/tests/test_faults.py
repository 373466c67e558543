"""Real processes killed between the steps of a run: run again, one version comes of it and nothing is doubled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from datong.cases import service as cases
from datong.collect.contracts import RunState
from datong.collect.service import execute_run, get_run, read_quarantine
from datong.collect.store.models import Run
from datong.collect.tests.conftest import HEADER, Office
from datong.collect.tests.plain import PlainOffice, make_plain_office
from datong.kernel.config import load_settings
from datong.kernel.faults import FAULT_DIR_SETTING
from datong.kernel.ids import RunId
from datong.lake import service as lake

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]
CHILD_S_MAX = 60
CONTENT = HEADER + "11010519491231002X,张三丰,1949-12-31,100\n110101199003070134,李四,,1\n1,坏,,\n"


@contextmanager
def stopped_at(point: str, folder: Path, *arguments: str) -> Iterator[None]:
    """A child that stopped at the point; killed at the end of the block."""
    (folder / f"{point}.stop").touch()
    environment = {**os.environ, FAULT_DIR_SETTING: str(folder)}
    child = subprocess.Popen([sys.executable, "-m", "datong.collect.tests.child", *arguments], env=environment)
    try:
        deadline_s = time.monotonic() + CHILD_S_MAX
        while not (folder / f"{point}.reached").exists():
            assert child.poll() is None, f"the child ended without reaching {point}"
            assert time.monotonic() < deadline_s, f"the child never reached {point}"
            time.sleep(0.02)
        yield
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait(CHILD_S_MAX)


def execute_when_free(run_id: RunId) -> None:
    """PostgreSQL notices a killed session's end a moment later; until then the run is busy."""
    from datong.collect.contracts import RunBusy

    deadline_s = time.monotonic() + CHILD_S_MAX
    while True:
        try:
            execute_run(run_id)
        except RunBusy:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        else:
            return


POINTS = (
    "collect.before-check",
    "collect.after-check",
    "lake.after-commit-row",
    "lake.before-ducklake-commit",
    "lake.after-ducklake-commit",
    "lake.after-version-row",
    "collect.after-commit",
)
"""Where a process may die between landing and the end of its run, in order."""
FIRST = tuple(f"{i},名{i},2024-01-01,{i}" for i in range(20))
SECOND = ("3,改了,2024-01-02,3", "4,名4,2024-01-01,4", "99,新,2024-01-02,9", "坏,,,")
AFTER: dict[str, tuple[int, str]] = {
    "replace": (3, "改了"),
    "append": (23, "改了"),
    "upsert": (21, "改了"),
    "diff": (3, "改了"),
}
"""Rows after FIRST and then SECOND in each mode, and the name under id 3 that is there at least once."""


EVERY_TIME = {
    ("append", "collect.after-check"),
    ("append", "lake.before-ducklake-commit"),
    ("append", "lake.after-ducklake-commit"),
    ("append", "collect.after-commit"),
    ("diff", "lake.after-ducklake-commit"),
    ("upsert", "lake.after-ducklake-commit"),
    ("replace", "lake.after-commit-row"),
}
"""What every test run kills; the slow ones kill each mode at each point."""


@pytest.fixture
def plain(committing_office: Office) -> PlainOffice:
    return make_plain_office(committing_office)


@pytest.mark.parametrize(
    ("mode", "point"),
    [
        pytest.param(mode, point, marks=[] if (mode, point) in EVERY_TIME else [pytest.mark.slow])
        for mode in AFTER
        for point in POINTS
    ],
)
def test_killed_and_run_again(mode: str, point: str, plain: PlainOffice, tmp_path: Path) -> None:
    """Whatever the mode and the step, the run executed again leaves each row once, and one version of its own."""
    plain.apply(mode="replace")
    plain.collect(*FIRST)
    run_id = plain.start(*SECOND, mode=mode)
    if mode == "diff":
        Run.objects.filter(pk=run_id).update(accepted=[{"kind": "deletes", "by": "test"}])
    with stopped_at(point, tmp_path, "execute", run_id):
        assert not get_run(run_id).is_final
    execute_when_free(run_id)
    run = get_run(run_id, plain.steward)
    assert run.state is RunState.DONE
    assert (run.rows_read, run.rows_accepted, run.rows_quarantined) == (4, 3, 1)
    versions = lake.find_versions(plain.resource_id)
    assert [version.run_id for version in versions].count(run_id) == 1
    assert len(versions) == 2
    rows, name = AFTER[mode]
    assert len(plain.rows()) == rows
    assert plain.names().count(name) == 1
    assert [row.line for row in read_quarantine(run_id, plain.steward)] == [5]
    assert not (load_settings().landing_dir / ".work" / run_id).exists()


@pytest.mark.parametrize(
    "point", ["lake.after-ducklake-commit", pytest.param("collect.after-commit", marks=pytest.mark.slow)]
)
def test_a_batch_handed_in_again_after_a_kill_is_not_doubled(point: str, plain: PlainOffice, tmp_path: Path) -> None:
    """The sender gives up on the killed run and sends the batch again: a run of its own, and the rows are there."""
    plain.apply(mode="append")
    killed = plain.start(*SECOND, mode="append")
    with stopped_at(point, tmp_path, "execute", killed):
        pass
    again = plain.start(*SECOND, mode="append")
    execute_when_free(again)
    execute_when_free(killed)
    assert {get_run(killed).state, get_run(again).state} == {RunState.DONE, RunState.UNCHANGED}
    assert len(plain.rows()) == 3


def test_a_doubled_batch_would_be_seen(plain: PlainOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted violation: without the two looks at who brought these bytes, the rows stand twice."""
    from datong.collect.service import executing

    monkeypatch.setattr(executing, "find_same", lambda _run: None)
    monkeypatch.setattr(executing, "_refuse_appended", lambda _run: None)
    plain.apply(mode="append")
    plain.collect(*SECOND)
    plain.collect(*SECOND)
    assert len(plain.rows()) == 6


def test_killed_before_it_waits_the_run_waits_once(plain: PlainOffice, tmp_path: Path) -> None:
    plain.apply(mode="diff")
    plain.collect(*FIRST)
    run_id = plain.start(*SECOND, mode="diff")
    with stopped_at("collect.before-block", tmp_path, "execute", run_id):
        pass
    execute_when_free(run_id)
    run = get_run(run_id)
    assert run.state is RunState.BLOCKED
    execute_when_free(run_id)
    assert len(cases.find_waiting(plain.steward)) == 1
    assert len(plain.rows()) == len(FIRST)


def test_killed_after_landing_leaves_a_file_and_no_run(committing_office: Office, tmp_path: Path) -> None:
    office = committing_office
    source = tmp_path / "people.csv"
    source.write_text(CONTENT, encoding="utf-8")
    with stopped_at("collect.after-landing", tmp_path, "start", office.resource_id, str(source)):
        pass
    assert not Run.objects.filter(resource_id=office.resource_id).exists()
    landed = [path for path in (load_settings().landing_dir / office.agency).iterdir() if path.is_file()]
    assert [path.stat().st_mode & 0o777 for path in landed] == [0o600]
    assert office.collect(source).state is RunState.DONE
    assert [path for path in landed[0].parent.iterdir() if path.is_file()] == landed, "the same bytes land once"


def test_a_second_version_would_be_seen(committing_office: Office, tmp_path: Path) -> None:
    """The planted violation: a rerun under another run id is what the tests above must not find."""
    office = committing_office
    source = tmp_path / "people.csv"
    source.write_text(CONTENT, encoding="utf-8")
    office.collect(source)
    Run.objects.update(version_id="ver_elsewhere")
    again = office.collect(source)
    assert again.state is RunState.UNCHANGED, "the lake itself compares the rows"
    office.collect(CONTENT.replace("李四,,1", "李四,,2").encode())
    assert len(lake.find_versions(office.resource_id)) == 2
