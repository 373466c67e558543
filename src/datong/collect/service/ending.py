"""How a run ends, each way in one action: done, unchanged, failed, or waiting for a decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from datong.catalog.lineage.contracts import Dataset
from datong.catalog.lineage.service import record_lineage
from datong.catalog.service import get_contract, put_facet
from datong.catalog.values import DataContract
from datong.catalog.words import CollectMode
from datong.collect.contracts import Block, RunState, RunSuperseded, RunView
from datong.collect.lineage import FILE_NAMESPACE, collect_job, derived_table
from datong.collect.preparing import CheckedDelivery
from datong.collect.quarantine import name_by_title
from datong.collect.service import attention
from datong.collect.service.rows import (
    BLOCKED,
    COLLECT,
    FAILED,
    FINISHED,
    GIVEN_UP,
    event_payload,
    subject_of,
    told_facts,
)
from datong.collect.store.models import Run
from datong.collect.views import view_of
from datong.kernel import clock
from datong.kernel.action.service import action
from datong.kernel.failures import Failure
from datong.kernel.ids import ResourceId
from datong.lake.contracts import VersionView

_SAME = ("rows_read", "rows_accepted", "rows_quarantined", "score", "dimensions", "rules", "reasons", "encoding")


def note_counts(run: Run, checked: CheckedDelivery, contract: DataContract, state: RunState) -> None:
    """Write down what the check found; the run goes on. English reasons name columns by their English titles."""
    file = checked.file
    titles = {column.name: column.title_en for column in contract.columns if column.title_en}
    run.rows_read, run.rows_accepted, run.rows_quarantined = file.rows_read, file.rows_accepted, file.rows_quarantined
    run.score, run.dimensions = file.score.total, dict(file.score.dimensions)
    run.rules = [_with_titles(asdict(rule), titles) for rule in file.score.rules]
    run.reasons = [_with_titles(asdict(reason), titles) for reason in file.reasons]
    run.encoding, run.delimiter = file.form.encoding, run.delimiter or file.form.delimiter
    run.source_header = list(file.form.source_header)
    run.changes = [asdict(change) for change in file.changes]
    run.bill_differences = [asdict(difference) for difference in checked.differences]
    run.notes = [asdict(note) for note in checked.notes]
    run.steps = dict(file.seconds)
    run.state = state
    run.save()


def _with_titles(told: dict[str, Any], titles: Mapping[str, str]) -> dict[str, Any]:
    return {**told, "reason_en": name_by_title(told["reason_en"], told["column"], titles)}


def end_unchanged(run: Run, same: Run) -> RunView:
    """The bytes came before and what they made still stands: the earlier run's figures are this one's."""
    for name in (*_SAME, "source_header", "notes", "changes", "version_id", "version_label"):
        setattr(run, name, getattr(same, name))
    return _end(run, RunState.UNCHANGED, {"same_as": same.number})


def end_done(run: Run, version: VersionView) -> RunView:
    run.version_id, run.version_label = version.id, version.label
    state = RunState.UNCHANGED if version.is_unchanged else RunState.DONE
    return _end(run, state, {"version": version.label}, None if version.is_unchanged else version)


def _end(run: Run, state: RunState, facts: Mapping[str, Any], made: VersionView | None = None) -> RunView:
    """The last step: one action, with the facets that the catalogue shows and the event that others wait for."""
    with action(FINISHED, COLLECT, subject_of(run), facts={**told_facts(run), **facts}) as record:
        run.state, run.finished_at, run.failure = state, clock.now(), None
        run.save()
        put_facet(run.resource_id, "quality.score", run.score)
        put_facet(run.resource_id, "quality.dimensions", run.dimensions)
        put_facet(
            run.resource_id, "collect.last-run", {"run": run.id, "at": clock.iso(run.finished_at), "state": state}
        )
        if made is not None:
            _draw_lineage(run, made)
        attention.close_failures(run)
        _end_superseded(run)
        record.event(
            FINISHED, subject=f"resource:{run.resource_id}", payload=event_payload(run, version=run.version_id)
        )
        return record.done(view_of(run))


def _draw_lineage(run: Run, version: VersionView) -> None:
    contract = get_contract(ResourceId(run.resource_id), run.contract_version)
    is_file = run.origin_kind == "upload"
    source = Dataset(
        namespace=FILE_NAMESPACE if is_file else run.origin_kind,
        name=run.filename if is_file else run.origin_source,
        title_zh=run.filename,
        title_en=run.filename,
    )
    made = derived_table(
        contract,
        run.source_header,
        source=source,
        rows_count=version.rows_count,
        payload_bytes=version.payload_bytes,
        version=version.label,
    )
    record_lineage(collect_job(contract), run.id, [made])


def _end_superseded(run: Run) -> None:
    """Waiting runs of the whole table that began before this one are over: resuming them would bring back the past."""
    if run.mode not in (CollectMode.REPLACE, CollectMode.DIFF):
        return
    waiting = Run.objects.select_for_update().filter(
        resource_id=run.resource_id,
        state=RunState.BLOCKED,
        started_at__lt=run.started_at,
        mode__in=[CollectMode.REPLACE, CollectMode.DIFF],
    )
    for earlier in waiting:
        failure = RunSuperseded(f"{run.number} brought a later file.", hint_zh=f"{run.number}已归集更新的文件。")
        with action(
            GIVEN_UP, COLLECT, subject_of(earlier), facts={**told_facts(earlier), "reason": failure.hint}
        ) as record:
            attention.end_given_up(earlier, failure, record)
            attention.close_block(earlier, failure.hint_zh)


def end_failed(run: Run, failure: Failure) -> None:
    """Nothing was written: the reason stays with the run and goes to the steward as a case."""
    with action(FAILED, COLLECT, subject_of(run), facts={**told_facts(run), "code": failure.code}) as record:
        run.state, run.finished_at = RunState.FAILED, clock.now()
        run.failure = attention.failure_of(failure)
        run.save()
        attention.open_failure_case(run, failure)
        record.event(FAILED, subject=f"resource:{run.resource_id}", payload=event_payload(run, code=failure.code))


def end_blocked(run: Run, blocks: Sequence[Block]) -> RunView:
    """Nothing was written: the run waits, and a case asks the steward."""
    told = {"reason_zh": "；".join(b.reason_zh for b in blocks), "reason_en": "; ".join(b.reason_en for b in blocks)}
    with action(BLOCKED, COLLECT, subject_of(run), facts={**told_facts(run), **told}) as record:
        run.state, run.failure = RunState.BLOCKED, None
        run.blocks = [asdict(block) for block in blocks]
        run.save()
        attention.open_block_case(run, blocks)
        payload = event_payload(run, blocks=[block.kind.value for block in blocks])
        record.event(BLOCKED, subject=f"resource:{run.resource_id}", payload=payload)
        return record.done(view_of(run))
