"""A run as quality sees it: fills the slots that quality declares for what lies above it."""

from __future__ import annotations

from datong.quality.contracts import EvaluatedRun, RuleScore


def read_evaluated_run(run_id: str) -> EvaluatedRun | None:
    """The run's rules as they were judged; None for a run that never came to be checked."""
    from datong.collect.contracts import RunState
    from datong.collect.store.models import Run

    run = Run.objects.filter(pk=run_id).first()
    if run is None or not run.rules or run.rows_read == 0:
        return None
    is_made = run.state in (RunState.DONE, RunState.UNCHANGED)
    return EvaluatedRun(
        run_id=run.id,
        run_number=run.number,
        resource_id=run.resource_id,
        version_id=run.version_id if is_made else None,
        version_label=(run.version_label or "") if is_made else "",
        contract_version=run.contract_version,
        filename=run.filename,
        digest=run.digest,
        rows_read=run.rows_read,
        rows_accepted=run.rows_accepted,
        rows_quarantined=run.rows_quarantined,
        rules=tuple(RuleScore(**rule) for rule in run.rules),
        is_repeated=run.state == RunState.UNCHANGED and not run.steps,
    )
