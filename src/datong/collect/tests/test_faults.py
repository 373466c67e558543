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

from datong.collect.contracts import RunState
from datong.collect.service import execute_run, get_run, read_quarantine, start_run
from datong.collect.store.models import Run
from datong.collect.tests.conftest import HEADER, Office
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


@pytest.mark.parametrize(
    "point",
    [
        "collect.after-check",
        "lake.after-commit-row",
        "lake.after-ducklake-commit",
        "collect.after-commit",
    ],
)
def test_killed_and_run_again(point: str, committing_office: Office, tmp_path: Path) -> None:
    office = committing_office
    source = tmp_path / "people.csv"
    source.write_text(CONTENT, encoding="utf-8")
    run_id = start_run(office.steward, office.resource_id, source, source.name, in_background=False)
    with stopped_at(point, tmp_path, "execute", run_id):
        assert not get_run(run_id).is_final
    execute_when_free(run_id)
    run = get_run(run_id, office.steward)
    assert run.state is RunState.DONE
    assert (run.rows_read, run.rows_accepted, run.rows_quarantined) == (3, 2, 1)
    versions = lake.find_versions(office.resource_id)
    assert [version.run_id for version in versions] == [run_id]
    assert lake.read_version(versions[0]).read_all().num_rows == 2
    assert [row.line for row in read_quarantine(run_id, office.steward)] == [4]
    assert not (load_settings().landing_dir / ".work" / run_id).exists()


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
