"""A kind of case of the tests' own: deciding it is an action of the deciding agency's approver."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import connection

from datong.cases.contracts import CASE_KINDS, CaseView, Decision
from datong.cases.service import open_case
from datong.kernel.action.service import action
from datong.kernel.contracts import ACTION_KINDS, ActionKind, Actor, Role, Subject
from datong.testing.cast import Cast, make_cast

KIND = "test.kind"
ASKED, APPROVED, REFUSED = "test.asked", "test.approved", "test.refused"


@dataclass(kw_only=True)
class TestKind:
    """Acts on a decision by what a test gives it to do."""

    __test__ = False

    key = KIND
    title_zh, title_en = "测试", "Test"
    acts: list[Callable[[CaseView, Decision, Actor], None]] = field(default_factory=list)

    def verb_of(self, decision: Decision) -> str:
        return APPROVED if decision is Decision.APPROVE else REFUSED

    def on_decided(self, case: CaseView, decision: Decision, reason: str, actor: Actor, record: Any) -> None:
        record.facts["acted"] = True
        for act in self.acts:
            act(case, decision, actor)


@dataclass(kw_only=True)
class Desk:
    """Two agencies: the steward of `hrss` asks, the approver of `psb` decides."""

    cast: Cast
    kind: TestKind

    def open(self, *, days: int = 10, subject_id: str = "thing") -> CaseView:
        """As a higher part does it: inside an action of its own."""
        asker = self.cast.actor("hrss.steward")
        subject = Subject(kind="thing", id=subject_id, agency_id=asker.agency_id)
        with action(ASKED, asker, subject):
            return open_case(
                kind=KIND,
                title_zh="申请",
                title_en="A request",
                subject=subject,
                actor=asker,
                from_agency_id=self.cast.agencies["hrss"].id,
                to_agency_id=self.cast.agencies["psb"].id,
                allowance_days=days,
            )


@contextmanager
def declared() -> Iterator[TestKind]:
    kind = TestKind()
    verbs = (
        ActionKind(verb=ASKED, roles=frozenset({Role.STEWARD}), sentence_zh="", sentence_en=""),
        ActionKind(verb=APPROVED, roles=frozenset({Role.APPROVER}), sentence_zh="", sentence_en=""),
        ActionKind(verb=REFUSED, roles=frozenset({Role.APPROVER}), sentence_zh="", sentence_en=""),
    )
    with ExitStack() as stack:
        stack.enter_context(CASE_KINDS.filled_with(KIND, kind))
        for verb in verbs:
            stack.enter_context(ACTION_KINDS.filled_with(verb.verb, verb))
        yield kind


@pytest.fixture
def desk(db: None) -> Iterator[Desk]:
    with declared() as kind:
        yield Desk(cast=make_cast(), kind=kind)


@pytest.fixture
def committing_desk(transactional_db: None) -> Iterator[Desk]:
    """As `desk`, in a database that commits: for threads with connections of their own."""
    with declared() as kind:
        yield Desk(cast=make_cast(), kind=kind)


def wait_for_a_lock(thread: threading.Thread) -> None:
    """Until the thread's statement waits for a lock in PostgreSQL; AssertionError when it ends without."""
    pause = threading.Event()
    while True:
        with connection.cursor() as cursor:
            cursor.execute("select pg_stat_clear_snapshot()")  # inside a transaction the first answer would stay
            cursor.execute(
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
        assert thread.is_alive(), "it did not wait"
        pause.wait(0.02)
