"""kill −9 under load: every answer that got out has its record, under the very root that its checkpoint signed."""

from __future__ import annotations

import subprocess
import sys
import threading
from base64 import b64decode
from pathlib import Path

import pytest

from datong.kernel.audit.tests.samples import SIGNER, open_log
from datong.kernel.audit.verify import verify_log
from datong.kernel.failures import NotFound
from datong.kernel.ids import seeded

KILLS = 6


def answers_until_killed(folder: Path, mode: str, after_answers: int) -> list[bytes]:
    """Run the child on the folder, SIGKILL it once it has given so many answers; every line that got out."""
    child = subprocess.Popen(
        [sys.executable, "-m", "datong.kernel.audit.tests.crash_child", str(folder), mode], stdout=subprocess.PIPE
    )
    watchdog = threading.Timer(30, child.kill)
    watchdog.start()
    assert child.stdout is not None
    lines: list[bytes] = []
    for line in child.stdout:
        lines.append(line)
        if len(lines) == after_answers:
            child.kill()
    child.wait()
    watchdog.cancel()
    assert child.returncode == -9
    return [line for line in lines if line.endswith(b"\n")]


def missing_after(folder: Path, lines: list[bytes]) -> tuple[int, int]:
    """(answers whose record is not there, answers whose checkpoint is not of the recovered log)."""
    log = open_log(folder, segment_bytes=256 * 1024)
    missing = wrong = 0
    roots: dict[int, str] = {}
    for line in lines:
        index, entry, size, root = line.split()
        try:
            missing += log.reader.read_entry(int(index)) != b64decode(entry)
        except NotFound:
            missing += 1
        if int(size) > log.size:
            wrong += 1
        else:
            if int(size) not in roots:
                roots[int(size)] = log._hashes.root(int(size)).hex()
            wrong += roots[int(size)] != root.decode()
    log.close()
    return missing, wrong


@pytest.mark.fault
@pytest.mark.parametrize("mode", ["helper", "inline"])
def test_no_answer_without_its_record(tmp_path: Path, mode: str) -> None:
    generator = seeded(7)
    answers = 0
    for _ in range(KILLS // 2):
        lines = answers_until_killed(tmp_path / "audit", mode, generator.randrange(1500, 4000))
        answers += len(lines)
        assert missing_after(tmp_path / "audit", lines) == (0, 0)
    assert answers > 3000
    assert verify_log(tmp_path / "audit", SIGNER.verifier).require_intact().size >= answers


@pytest.mark.fault
def test_the_test_can_fail_answers_given_before_the_sync_are_missed(tmp_path: Path) -> None:
    lost = 0
    for number in range(8):
        lines = answers_until_killed(tmp_path / f"audit{number}", "eager", 1000 + 137 * number)
        missing, wrong = missing_after(tmp_path / f"audit{number}", lines)
        lost += missing + wrong
        if lost:
            break
    assert lost > 0


@pytest.mark.fault
@pytest.mark.slow
def test_no_answer_without_its_record_for_longer(tmp_path: Path) -> None:
    generator = seeded(8)
    for number in range(20):
        mode = ("helper", "inline")[number % 2]
        lines = answers_until_killed(tmp_path / "audit", mode, generator.randrange(100, 20_000))
        assert missing_after(tmp_path / "audit", lines) == (0, 0)
    verify_log(tmp_path / "audit", SIGNER.verifier).require_intact()
