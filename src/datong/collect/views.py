"""A run's row as the frozen value that leaves this part."""

from __future__ import annotations

from typing import Any

from datong.collect.contracts import (
    BillDifference,
    Block,
    BlockKind,
    Origin,
    ReasonCount,
    RunNote,
    RunState,
    RunStep,
    RunView,
    StepChanges,
)
from datong.collect.reconcile import bill_from_dict
from datong.kernel import clock

STEPS = (
    ("land", "接收", "Landed"),
    ("read", "识别", "Recognised"),
    ("check", "校验", "Checked"),
    ("quarantine", "隔离", "Set aside"),
    ("commit", "入湖", "Committed"),
    ("publish", "发布", "Published"),
)


def view_of(run: Any, *, title_en: str = "", started_by_name_en: str = "") -> RunView:
    """`run` is a row of `collect.store.Run`; this module stays free of Django."""
    state = RunState(run.state)
    finished = run.finished_at
    return RunView(
        id=run.id,
        number=run.number,
        resource_id=run.resource_id,
        resource_title=run.resource_title,
        agency_id=run.agency_id,
        contract_version=run.contract_version,
        filename=run.filename,
        digest=run.digest,
        bytes=run.bytes,
        encoding=run.encoding,
        delimiter=run.delimiter,
        mode=run.mode,
        state=state,
        rows_read=run.rows_read,
        rows_accepted=run.rows_accepted,
        rows_quarantined=run.rows_quarantined,
        score=run.score,
        dimensions=run.dimensions,
        rules=tuple(run.rules),
        reasons=tuple(ReasonCount(**reason) for reason in run.reasons),
        steps=_steps(run, state),
        version=run.version_id,
        version_label=run.version_label,
        failure=run.failure,
        job_id=run.job_id,
        started_by=run.started_by,
        started_by_name=run.started_by_name,
        started_at=clock.iso(run.started_at),
        finished_at=clock.iso(finished) if finished else None,
        seconds=(finished - run.started_at).total_seconds() if finished else None,
        resource_title_en=title_en,
        started_by_name_en=started_by_name_en,
        origin=Origin(kind=run.origin_kind, source_id=run.origin_source, cursor=run.origin_cursor),
        bill=bill_from_dict(run.bill) if run.bill else None,
        bill_differences=tuple(BillDifference(**each) for each in run.bill_differences),
        blocks=tuple(Block(**{**each, "kind": BlockKind(each["kind"])}) for each in run.blocks),
        accepted=tuple(run.accepted),
        notes=tuple(RunNote(**each) for each in run.notes),
        changes=tuple(StepChanges(**each) for each in run.changes),
        written=run.rows_written,
        landed_gone_at=clock.iso(run.landed_gone_at) if run.landed_gone_at else None,
    )


def _steps(run: Any, state: RunState) -> tuple[RunStep, ...]:
    """What happened in each step; without a duration where it has not happened."""
    details = {
        "land": f"{run.bytes:,} B",
        "read": f"{len(run.source_header)} × {run.encoding.upper()}" if run.encoding else "",
        "check": f"{len(run.rules)}" if run.rules else "",
        "quarantine": f"{run.rows_quarantined:,}",
        "commit": f"{run.rows_accepted:,}",
        "publish": run.version_label or "",
    }
    seconds = {"land": 0.0, **run.steps}
    if state is RunState.DONE:
        seconds["publish"] = 0.0
    return tuple(
        RunStep(name=name, title_zh=zh, title_en=en, detail=details[name], seconds=seconds.get(name))
        for name, zh, en in STEPS
    )
