"""Real processes, killed between each pair of steps of a grant's coming and going: it is never usable when PostgreSQL
has not decided so, and after recovery both stores say the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from datong.exchange import service
from datong.exchange.serving.compile import ServingWriter
from datong.exchange.store.models import Grant
from datong.exchange.tests.conftest import Market
from datong.kernel.events.service import count_pending, deliver_pending
from datong.kernel.faults import FAULT_DIR_SETTING
from datong.kernel.store.models import AuditRow

pytestmark = pytest.mark.fault
CHILD_S_MAX = 60


@dataclass(kw_only=True)
class Children:
    """The process that forks, and the folder in which it and the test agree on where to stop."""

    process: subprocess.Popen[str]
    faults: Path

    @contextmanager
    def stopped_at(self, point: str, *words: str) -> Iterator[None]:
        """Somebody does `words` and has stopped at the point; killed at the end of the block."""
        stop, reached = self.faults / f"{point}.stop", self.faults / f"{point}.reached"
        stop.touch()
        pid = int(self._ask(*words))
        try:
            deadline_s = time.monotonic() + CHILD_S_MAX
            while not reached.exists():
                assert Path(f"/proc/{pid}").exists(), f"it ended without reaching {point}"
                assert time.monotonic() < deadline_s, f"it never reached {point}"
                time.sleep(0.01)
            yield
        finally:
            os.kill(pid, signal.SIGKILL)
            assert self._read() == str(int(signal.SIGKILL)), "it was killed and did not end by itself"
            stop.unlink()
            reached.unlink()

    def _ask(self, *words: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@pytest.fixture
def children(committing_market: Market, home: Path, tmp_path: Path) -> Iterator[Children]:
    with subprocess.Popen(
        [sys.executable, "-m", "datong.exchange.tests.child"],
        env={**os.environ, FAULT_DIR_SETTING: str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Children(process=process, faults=tmp_path)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(CHILD_S_MAX)


def find_damage(writer: ServingWriter) -> list[str]:
    """Grants that a gateway would let through and PostgreSQL has not decided on, or no longer."""
    decided = dict(Grant.objects.values_list("pk", "state"))
    with writer.read() as reader:
        usable = [entry.terms.grant_id for entry in reader.all_grants() if entry.revoked_at_ms is None]
    return [
        f"usable and {decided.get(grant_id, 'never decided')}"
        for grant_id in usable
        if decided.get(grant_id) not in ("active", "revoking")
    ]


def find_usable(writer: ServingWriter) -> list[str]:
    with writer.read() as reader:
        return [entry.terms.grant_id for entry in reader.all_grants() if entry.revoked_at_ms is None]


def recover() -> None:
    """What a worker does after its start, in the order that is worst for us: late events before the revocations."""
    wait_for_dead_sessions()
    deliver_pending()
    service.reconcile_serving()
    service.finish_revocations()
    deliver_pending()
    assert service.reconcile_serving()["grants_put"] == 0
    assert count_pending() == 0


def wait_for_dead_sessions() -> None:
    """PostgreSQL notices the closed socket of a killed session a moment later, and lets its rows go."""
    deadline_s = time.monotonic() + CHILD_S_MAX
    while deliver_pending() == 0 and count_pending():
        assert time.monotonic() < deadline_s, "an event stayed locked"
        time.sleep(0.05)


def test_a_revoker_is_killed_between_its_steps(
    committing_market: Market, writer: ServingWriter, children: Children
) -> None:
    market = committing_market
    approver = market.cast.members[f"{market.owner}.approver"]
    for point, is_usable in (
        ("exchange.revocation-started", True),  # step 1 is done: it goes on being usable until step 2 …
        ("exchange.grant-left-serving-store", False),  # … and not one moment longer
    ):
        grant = market.grant()
        deliver_pending()
        assert grant.id in find_usable(writer)
        with children.stopped_at(point, "revoke", approver, grant.id):
            assert Grant.objects.get(pk=grant.id).state == "revoking"
            assert (grant.id in find_usable(writer)) is is_usable
            assert not service.serve_grant(grant.id), "from step 1 on nothing lets it in"
        assert (grant.id in find_usable(writer)) is is_usable
        recover()
        assert grant.id not in find_usable(writer)
        row = Grant.objects.get(pk=grant.id)
        assert (row.state, row.revoked_reason) == ("revoked", "用途已经办结")
        verbs = AuditRow.objects.filter(subject_id=grant.id).values_list("verb", flat=True)
        assert sorted(verbs) == ["grant.revocation-started", "grant.revoked"]
        assert find_damage(writer) == []


def test_an_approver_or_the_deliverer_is_killed(
    committing_market: Market, writer: ServingWriter, children: Children
) -> None:
    market = committing_market
    deliver_pending()
    approver = market.cast.members[f"{market.owner}.approver"]
    with children.stopped_at("test.approved", "approve", approver, market.ask().case_id):
        grant_id = Grant.objects.get().pk
        assert find_usable(writer) == [], "committed, and not yet delivered: fails closed"
    with children.stopped_at("exchange.grant-in-serving-store", "deliver"):
        assert find_usable(writer) == [grant_id], "in the store, and the event not yet ticked off"
        assert find_damage(writer) == []
    recover()
    assert find_usable(writer) == [grant_id]
    assert Grant.objects.get().served_at is not None
    assert find_damage(writer) == []


def test_the_check_sees_a_wrong_order(committing_market: Market, writer: ServingWriter, children: Children) -> None:
    """The planted violations: served before the commit, and revoked before the grant has left."""
    market = committing_market
    deliver_pending()
    approver = market.cast.members[f"{market.owner}.approver"]
    asked = market.ask()
    with children.stopped_at("test.served-first", "serve-first", approver, asked.case_id):
        pass
    assert find_damage(writer) == ["usable and never decided"]
    wait_for_dead_sessions()
    assert service.reconcile_serving()["grants_removed"] == 1
    assert find_damage(writer) == []
    grant = market.approve(asked)
    deliver_pending()
    with children.stopped_at("test.revoked-first", "revoke-first", approver, grant.id):
        pass
    assert find_damage(writer) == ["usable and revoked"]
    assert service.reconcile_serving()["grants_removed"] == 1
    assert find_damage(writer) == []
