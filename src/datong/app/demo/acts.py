"""The acts that both demonstrations are made of: describe, collect, ask, approve, wait until it is served."""

from __future__ import annotations

import importlib.resources
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from rich.progress import Progress

from datong.app.demo.cast import Cast
from datong.app.demo.telling import Teller
from datong.cases import service as cases
from datong.cases.contracts import Decision
from datong.catalog import service as catalog
from datong.catalog.odcs import load_contract
from datong.collect import service as collect
from datong.collect.contracts import RunView
from datong.exchange import service as exchange
from datong.exchange.contracts import GrantColumn, Mode, Treatment
from datong.exchange.requests import GrantView, RequestDraft, RequestView
from datong.exchange.service.serve import is_served
from datong.kernel import clock
from datong.kernel.failures import Failure, Unavailable
from datong.kernel.ids import JobId, ResourceId, SystemId
from datong.kernel.jobs.service import follow

SERVED_WITHIN_S = 120
POLL_S = 0.1
GRANT_DAYS = 180


def contract_path(resource_id: str) -> Path:
    """The contract that the package ships for a resource of the demonstration."""
    return Path(str(importlib.resources.files("datong.testing") / "contracts" / f"{resource_id}.odcs.yaml"))


def describe(cast: Cast, steward: str, resource_id: str, tell: Teller) -> None:
    """A steward applies the resource's contract."""
    path = contract_path(resource_id)
    contract = load_contract(path)
    applied = catalog.apply_contract(cast.actor(steward), path.read_text(encoding="utf-8"), base_version=None)
    tell.step(
        f"{cast.actor(steward).agency_name}用数据契约描述“{contract.title_zh}”：{len(contract.columns)}个数据项，{applied.version}版。",
        f"{resource_id}: described by a data contract of {len(contract.columns)} columns, version {applied.version}.",
    )


def deliver(cast: Cast, steward: str, resource_id: str, file: Path, tell: Teller) -> RunView:
    """A steward collects a file, followed by progress. Raises the Failure that ended the run."""
    run_id = collect.start_run(cast.actor(steward), ResourceId(resource_id), file, file.name)
    run = collect.get_run(run_id)
    with Progress(transient=True) as bar:
        task = bar.add_task(file.name, total=None)
        for job in follow(JobId(run.job_id or "")):
            bar.update(task, completed=job.done, total=job.total, description=job.note or file.name)
    run = collect.get_run(run_id)
    if run.failure:
        raise RunFailed(run)
    _tell_run(run, tell)
    return run


class RunFailed(Failure):
    """What the run's own failure said, raised here."""

    code = "demo-run-failed"
    title, title_zh = "The file could not be collected", "文件未能归集"

    def __init__(self, run: RunView) -> None:
        failure = run.failure or {}
        super().__init__(str(failure.get("hint", "")), hint_zh=str(failure.get("hint_zh", "")), run=run.number)
        self.run = run


def _tell_run(run: RunView, tell: Teller) -> None:
    tell.step(
        f"归集“{run.resource_title}”（{run.number}，{run.encoding}）：接收 {run.rows_read:,} ＝ 入湖 {run.rows_accepted:,} ＋ "
        f"隔离 {run.rows_quarantined:,}，质量 {run.score or 0:.1f}分，版本 {run.version_label}。",
        f"collected {run.filename}: {run.rows_read:,} rows read = {run.rows_accepted:,} accepted + "
        f"{run.rows_quarantined:,} in quarantine, score {run.score or 0:.1f}, version {run.version_label}.",
    )
    for reason in run.reasons[:3]:
        tell.detail(f"{reason.reason_zh}：{reason.rows:,}行", f"{reason.reason_en}: {reason.rows:,} rows")


def ask(
    cast: Cast,
    *,
    resource_id: str,
    columns: Sequence[tuple[str, Treatment]],
    modes: Sequence[Mode],
    purpose: str,
    purpose_title: str,
    legal_basis: str,
    tell: Teller,
    steward: str = "steward",
    system_id: SystemId | None = None,
) -> RequestView:
    """An agency's steward asks for another agency's resource, for one of the own agency's systems."""
    asking = cast.actor(steward)
    draft = RequestDraft(
        resource_id=ResourceId(resource_id),
        system_id=system_id or cast.system_id,
        modes=tuple(modes),
        columns=tuple(GrantColumn(name=name, treatment=treatment) for name, treatment in columns),
        purpose=purpose,
        purpose_title=purpose_title,
        legal_basis=legal_basis,
        valid_until=clock.today() + timedelta(days=GRANT_DAYS),
    )
    request = exchange.request_access(asking, draft)
    case = cases.get_case(asking, request.case_id)
    due = case.deadline
    tell.step(
        f"{request.agency_name}申请“{request.resource_title}”（{request.number}），用途：{purpose_title}。"
        f"{request.owner_agency_name}须在{due.allowance_days}个工作日内答复，最迟{due.due_on}。",
        f"{request.number}: asked for {len(columns)} columns; the owner has {due.allowance_days} working days, "
        f"until {due.due_on}{' (provisional calendar)' if due.provisional else ''}.",
    )
    return request


def approve(cast: Cast, request: RequestView, approver: str, tell: Teller) -> GrantView:
    """The owner's approver approves; returns when the grant is served."""
    asking = cast.actor("steward")
    cases.decide_case(cast.actor(approver), request.case_id, Decision.APPROVE, "符合法定职责，最小够用")
    decided = exchange.get_request(asking, request.id)
    assert decided.grant_id is not None
    grant = exchange.get_grant(asking, decided.grant_id)
    wait_until(lambda: is_served(grant.id), "the grant is served")
    tell.step(
        f"{grant.owner_agency_name}审批人{grant.approved_by}同意，授权 {grant.number} 生效，至{request.draft.valid_until}。",
        f"approved: grant {grant.number}, terms {grant.digest[:12]}…, in force until {request.draft.valid_until}.",
    )
    return grant


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Wait for the worker; Unavailable after SERVED_WITHIN_S."""
    waiting, deadline_s = threading.Event(), clock.monotonic_s() + SERVED_WITHIN_S
    while not holds():
        if clock.monotonic_s() > deadline_s:
            raise Unavailable(f"Waited {SERVED_WITHIN_S} s until {what}; see worker.log.", what=what)
        waiting.wait(POLL_S)
