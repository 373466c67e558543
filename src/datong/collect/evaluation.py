"""A run as quality sees it: fills the slots that quality declares for what lies above it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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


def find_source_lines(
    resource_id: str, rule_id: str, keys: Sequence[tuple[str | None, ...]]
) -> Mapping[tuple[str | None, ...], tuple[int, str]]:
    """Where rows of the present version that break a rule stand in the file that brought them: line, run's number.

    Where every file is the whole table, the version's own run alone tells; otherwise the latest that noted the row.
    """
    from datong.catalog.words import CollectMode
    from datong.collect.noted import find_lines
    from datong.collect.store.models import Run
    from datong.kernel.config import load_settings
    from datong.kernel.ids import ResourceId
    from datong.lake import service as lake
    from datong.lake.engine import get_lake

    version = lake.current_version(ResourceId(resource_id))
    if version is None or not keys:
        return {}
    own = Run.objects.filter(pk=version.run_id, mode__in=[CollectMode.REPLACE, CollectMode.DIFF]).exists()
    with get_lake(load_settings()).connect(version.agency) as connection:
        run_id = version.run_id if own else None
        found = find_lines(connection, version.table, rule_id, keys, run_id=run_id)
    numbers = dict(Run.objects.filter(pk__in={run for _, run in found.values()}).values_list("pk", "number"))
    return {key: (line, numbers.get(run, "")) for key, (line, run) in found.items()}
