"""How a run begins, and how a waiting one goes on or ends."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from datong.cases import service as cases
from datong.cases.contracts import CaseView, Decision
from datong.catalog.service import get_contract, get_resource
from datong.catalog.values import DataContract
from datong.catalog.words import CollectMode
from datong.collect.contracts import Bill, BillMissing, ModeUnsupported, Origin, RunNotBlocked, RunState, RunView
from datong.collect.landing import Landed, land_file
from datong.collect.service import attention
from datong.collect.service.rows import (
    FAILURE_CLOSED,
    GIVEN_UP,
    JOB,
    RESUMED,
    STARTED,
    find_row,
    is_visible,
    not_found,
    subject_of,
    views_of,
)
from datong.collect.store.models import Run
from datong.kernel import clock
from datong.kernel.action.service import action, check_permission
from datong.kernel.config import load_settings
from datong.kernel.contracts import Actor, Subject
from datong.kernel.failures import NotFound
from datong.kernel.faults import fault_point
from datong.kernel.ids import AgencyId, ResourceId, RunId
from datong.kernel.jobs.service import enqueue
from datong.kernel.numbers.service import next_number

UPLOAD = Origin()


def start_run(
    actor: Actor,
    resource_id: ResourceId,
    source: Path | BinaryIO,
    filename: str,
    *,
    delimiter: str | None = None,
    in_background: bool = True,
    origin: Origin | None = None,
    bill: Bill | None = None,
    mode: CollectMode | None = None,
) -> RunId:
    """Land a file and begin a run of it. Raises NotAllowed before a byte is read, FileUnreadable, TooLarge.

    `in_background` enqueues the run as a job; otherwise the caller executes it. `origin` says where the bytes came
    from, `bill` what the sender says they are, `mode` takes the place of the contract's for this one run. Raises
    BillMissing, ModeUnsupported.
    """
    resource = get_resource(resource_id)
    contract = get_contract(resource_id)
    subject = Subject(kind="resource", id=resource_id, agency_id=AgencyId(resource.agency_id), name=resource.title_zh)
    check_permission(STARTED, actor, subject)
    chosen = _choose_mode(contract, mode)
    if contract.bill_required and bill is None:
        raise BillMissing(
            "Send the file with its bill: rows, digest, control sums.",
            hint_zh="请随文件提交对账单（行数、摘要、合计等）。",
            resource=resource_id,
        )
    landed = land_file(load_settings(), resource.agency, source)
    fault_point("collect.after-landing")
    facts = {"file": filename, "digest": landed.digest, "bytes": landed.facts.bytes, "title_en": resource.title_en}
    with action(STARTED, actor, subject, facts=facts) as record:
        run = _make_run(contract, resource.agency_id, landed, filename, chosen)
        run.resource_title = resource.title_zh
        run.delimiter = delimiter or ""
        run.started_by, run.started_by_name = record.actor.id, record.actor.name
        given = origin or UPLOAD
        run.origin_kind, run.origin_source, run.origin_cursor = given.kind, given.source_id, dict(given.cursor)
        run.bill = bill.as_dict() if bill else None
        run.save(force_insert=True)
        record.facts["number"] = run.number
        if in_background:
            run.job_id = enqueue(JOB, {"run_id": run.id}, key=f"collect:{run.id}")
            run.save(update_fields=["job_id"])
        return record.done(RunId(run.id))


def _make_run(contract: DataContract, agency_id: str, landed: Landed, filename: str, mode: CollectMode) -> Run:
    return Run(
        number=next_number("R"),
        resource_id=contract.id,
        agency_id=agency_id,
        contract_version=contract.version,
        mode=mode.value,
        filename=Path(filename).name[:255],
        digest=landed.digest,
        bytes=landed.facts.bytes,
        file_facts=landed.facts.as_dict(),
        as_of=clock.today(),
    )


def _choose_mode(contract: DataContract, mode: CollectMode | None) -> CollectMode:
    """The mode of this run. Comparing by key needs a key."""
    chosen = CollectMode(mode or contract.collect_mode)
    if chosen in (CollectMode.UPSERT, CollectMode.DIFF) and not contract.key_columns:
        raise ModeUnsupported(
            f"Mode {chosen.value} compares by key, and the contract names no primary key.",
            hint_zh="按主键归集需要契约声明主键。",
            mode=chosen.value,
        )
    return chosen


def resume_run(actor: Actor, run_id: RunId | str, reason: str = "") -> RunView:
    """Let a blocked run go on: bill and deletions are accepted as they stand, rules are judged again.

    A rule that still blocks then, without repair or waiver, stops it again. Raises RunNotBlocked, NotAllowed.
    """
    return _decide(actor, run_id, Decision.APPROVE, reason)


def give_up_run(actor: Actor, run_id: RunId | str, reason: str) -> RunView:
    """End a blocked run without a version. Raises RunNotBlocked, ReasonNeeded, NotAllowed."""
    return _decide(actor, run_id, Decision.REFUSE, reason)


def _decide(actor: Actor, run_id: RunId | str, decision: Decision, reason: str) -> RunView:
    run = find_row(run_id)
    if not is_visible(run, actor):
        raise not_found(run_id)
    check_permission(RESUMED if decision is Decision.APPROVE else GIVEN_UP, actor, subject_of(run))
    waiting = attention.find_block_case(run) if run.state == RunState.BLOCKED else None
    if waiting is None:
        raise RunNotBlocked(
            f"It is {run.state}.", hint_zh="只有等待处理的归集才能继续或放弃。", run=run.id, state=run.state
        )
    cases.decide_case(actor, waiting.id, decision, reason)
    return views_of([find_row(run.id)])[0]


def find_case(run: RunView) -> CaseView | None:
    """The open case in which a failed or waiting run is dealt with."""
    row = find_row(run.id)
    if run.state is RunState.BLOCKED:
        return attention.find_block_case(row)
    return attention.find_failure_case(row) if run.state is RunState.FAILED else None


def close_failure(actor: Actor, run_id: RunId | str, reason: str) -> RunView:
    """Close the case of a failed run by hand: nothing will be handed in. Raises NotFound, ReasonNeeded, NotAllowed."""
    run = find_row(run_id)
    if not is_visible(run, actor):
        raise not_found(run_id)
    check_permission(FAILURE_CLOSED, actor, subject_of(run))
    case = attention.find_failure_case(run)
    if case is None:
        raise NotFound("There is no open case about this resource's runs.", hint_zh="没有待办的归集失败。", run=run.id)
    cases.decide_case(actor, case.id, Decision.REFUSE, reason)
    return views_of([run])[0]
