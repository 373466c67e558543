"""Real child processes without paying for their imports each time: one process that has imported everything and forks.

A line on its standard input, `{"arguments": […], "environment": {…}}`, starts a child of `datong.lake.tests.child`;
`{"pid": N}` asks how that one stands. Answers are JSON lines: `{"pid": N}`, `{"code": null or the exit code}`. A child
is killed by its pid like any other process. The nursery has no threads and no connections, so that forking is safe.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence


class Child:
    """A process of the nursery, with what tests use of `subprocess.Popen`."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery = nursery
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        if self._code is None:
            self._code = self._nursery.ask({"pid": self.pid})["code"]
        return self._code

    def wait(self, timeout: float) -> int:
        deadline_s = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline_s:
                raise subprocess.TimeoutExpired(f"child {self.pid}", timeout)
            time.sleep(0.01)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


class Nursery:
    """The forking process, from the tests' side."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "datong.lake.tests.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Child:
        return Child(self, self.ask({"arguments": list(arguments), "environment": dict(environment)})["pid"])

    def ask(self, question: Mapping[str, object]) -> dict[str, int]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer: dict[str, int] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        """End it; children that still live are killed with it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


def serve() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "datong.app.control.settings")
    import django

    django.setup()
    from datong.lake.tests import child

    codes: dict[int, int | None] = {}
    for line in sys.stdin:
        question = json.loads(line)
        if "pid" in question:
            answer: dict[str, int | None] = {"code": _code(codes, question["pid"])}
        else:
            pid = os.fork()
            if pid == 0:
                _become(child.main, question["arguments"], question["environment"])
            codes[pid] = None
            answer = {"pid": pid}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid, code in codes.items():
        if code is None and _code(codes, pid) is None:
            os.kill(pid, signal.SIGKILL)


def _code(codes: dict[int, int | None], pid: int) -> int | None:
    """The exit code, as `subprocess` has it: minus the signal of a killed process."""
    if codes[pid] is None:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            codes[pid] = os.waitstatus_to_exitcode(status)
    return codes[pid]


def _become(main: object, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """In the fork: never returns. Standard input and output belong to the nursery."""
    code = 1
    try:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(2, 1)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["child", *arguments]
        assert callable(main)
        main()
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve()
