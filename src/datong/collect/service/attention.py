"""The cases that collection opens: a run that failed, and a run that waits for a decision.

A failure is a case about the resource, one at a time, closed by the next run that succeeds. A waiting run is a case of
its own: approving it lets the run go on, refusing ends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from datong.cases import service as cases
from datong.cases.contracts import CaseView, Decision
from datong.catalog.service import get_contract
from datong.collect.contracts import Block, RunGivenUp, RunState
from datong.collect.service.rows import (
    COLLECT,
    FAILED,
    FAILURE_CLOSED,
    GIVEN_UP,
    JOB,
    RESUMED,
    event_payload,
    subject_of,
    title_en_of,
)
from datong.collect.store.models import Run
from datong.kernel import clock
from datong.kernel.action.service import ActionRecord
from datong.kernel.contracts import Actor, Subject
from datong.kernel.failures import Failure
from datong.kernel.ids import AgencyId, CaseId, ResourceId
from datong.kernel.jobs.service import enqueue
from datong.kernel.limits import COLLECT_CASE_DAYS


class FailedRunCase:
    """A resource whose last file could not be collected. It closes by itself when a file is."""

    key = "collect.failed"
    title_zh, title_en = "归集失败", "Failed collection"

    def verb_of(self, _decision: Decision) -> str:
        return FAILURE_CLOSED

    def on_decided(self, case: CaseView, decision: Decision, reason: str, actor: Actor, record: ActionRecord) -> None:
        """Closed by hand: nothing else follows."""


class BlockedRunCase:
    """A run that waits: its bill differs, a rule blocks the version, or too many rows would be deleted."""

    key = "collect.blocked"
    title_zh, title_en = "归集待处理", "Waiting collection"

    def verb_of(self, decision: Decision) -> str:
        return RESUMED if decision is Decision.APPROVE else GIVEN_UP

    def on_decided(self, case: CaseView, decision: Decision, reason: str, actor: Actor, record: ActionRecord) -> None:
        """Resume or end the run, in the decision's transaction. It goes on under the present contract: mended rules
        are a way to let it pass."""
        run = Run.objects.select_for_update().get(pk=case.subject_id)
        record.facts.update(run=run.id, number=run.number, title_en=title_en_of(run))
        if decision is Decision.REFUSE:
            end_given_up(run, RunGivenUp(reason, hint_zh=reason), record)
            return
        run.accepted = [
            *run.accepted,
            *(
                {
                    "kind": block["kind"],
                    "by": actor.id,
                    "name": actor.name,
                    "at": clock.iso(clock.now()),
                    "reason": reason,
                }
                for block in run.blocks
            ),
        ]
        run.contract_version = get_contract(ResourceId(run.resource_id)).version
        run.state, run.blocks = RunState.RECEIVED, []
        run.job_id = enqueue(JOB, {"run_id": run.id}, key=f"collect:{run.id}:{case.id}")
        run.save()


def end_given_up(run: Run, failure: Failure, record: ActionRecord) -> None:
    """A run that will make no version, though nothing was wrong with its file."""
    run.state, run.finished_at = RunState.FAILED, clock.now()
    run.failure = failure_of(failure)
    run.save()
    record.event(FAILED, subject=f"resource:{run.resource_id}", payload=event_payload(run, code=failure.code))


def failure_of(failure: Failure) -> dict[str, Any]:
    """A failure as a run keeps it: both languages."""
    return {**failure.as_problem("en"), "title_zh": failure.title_zh, "hint_zh": failure.hint_zh}


def open_failure_case(run: Run, failure: Failure) -> None:
    """Tell the steward, inside the caller's action; a case that is open already gets a line more."""
    number = f"{run.number}（{run.filename}）"
    note = f"{number} {failure.title_zh} / {failure.title}"
    for case in cases.find_open_cases(FailedRunCase.key, subject_of(run)):
        cases.add_note(case.id, COLLECT, note[:500])
        return
    _open(
        FailedRunCase.key,
        run,
        subject_of(run),
        title_zh=f"归集失败：{run.resource_title}，{failure.title_zh}",
        title_en=f"Failed: {title_en_of(run) or run.resource_id}, {failure.title}",
        detail={"run": run.id, "code": failure.code, "hint": failure.hint, "hint_zh": failure.hint_zh},
    )


def open_block_case(run: Run, blocks: Sequence[Block]) -> None:
    """Ask the steward to decide, inside the caller's action."""
    _open(
        BlockedRunCase.key,
        run,
        run_subject(run),
        title_zh=f"归集待处理：{run.resource_title}，{'；'.join(block.reason_zh for block in blocks)}"[:300],
        title_en=f"Waiting: {title_en_of(run) or run.resource_id}, {'; '.join(b.reason_en for b in blocks)}"[:300],
        detail={"run": run.id, "blocks": [asdict(block) for block in blocks]},
    )


def _open(kind: str, run: Run, subject: Subject, *, title_zh: str, title_en: str, detail: dict[str, Any]) -> None:
    cases.open_case(
        kind=kind,
        title_zh=title_zh,
        title_en=title_en,
        subject=subject,
        actor=COLLECT,
        from_agency_id=AgencyId(run.agency_id),
        to_agency_id=AgencyId(run.agency_id),
        allowance_days=COLLECT_CASE_DAYS,
        detail={**detail, "told": {"number": run.number, "title_en": title_en_of(run)}},
    )


def run_subject(run: Run) -> Subject:
    return Subject(kind="run", id=run.id, agency_id=AgencyId(run.agency_id), name=run.number)


def find_block_case(run: Run) -> CaseView | None:
    """The open case of a waiting run."""
    return next(iter(cases.find_open_cases(BlockedRunCase.key, run_subject(run))), None)


def find_failure_case(run: Run) -> CaseView | None:
    """The open case about the resource of a failed run."""
    return next(iter(cases.find_open_cases(FailedRunCase.key, subject_of(run))), None)


def close_failures(run: Run) -> None:
    """The resource was collected: what failed before is over."""
    for case in cases.find_open_cases(FailedRunCase.key, subject_of(run)):
        cases.settle_case(case.id, COLLECT, f"{run.number}归集成功。/ {run.number} was collected.")


def close_block(run: Run, note: str) -> None:
    """A waiting run that ended otherwise than by a decision."""
    for case in cases.find_open_cases(BlockedRunCase.key, run_subject(run)):
        cases.withdraw_case(CaseId(case.id), COLLECT, note)
