"""Reading runs: their reports, the rows that were refused, the cells that cleaning changed."""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping
from typing import Any, BinaryIO, TextIO

from django.db.models import QuerySet
from django.utils.translation import get_language

from datong.catalog.service import get_contract, get_resource
from datong.collect import quarantine
from datong.collect.contracts import CellChange, LandedGone, QuarantinedRow, RunPage, RunState, RunView
from datong.collect.landing import landed_path, work_dir
from datong.collect.rereading import delivery_of, read_changes
from datong.collect.service.plan import prepare_run
from datong.collect.service.rows import (
    CHANGES_READ,
    EXPORTED,
    find_readable,
    find_row,
    is_visible,
    not_found,
    subject_of,
    title_en_of,
    views_of,
)
from datong.collect.store.models import Run
from datong.kernel import ids
from datong.kernel.action.service import action
from datong.kernel.config import load_settings
from datong.kernel.contracts import EVERY_AGENCY, Actor
from datong.kernel.ids import ResourceId, RunId
from datong.kernel.limits import CHANGES_SHOWN_ROWS_MAX, PAGE_ROWS_DEFAULT
from datong.kernel.store.pages import page_of
from datong.lake import service as lake
from datong.lake.engine import get_lake


def get_run(run_id: RunId | str, actor: Actor | None = None) -> RunView:
    """A run by its id or its number (R-2026-00001). With an actor: RunNotFound unless it is their agency's."""
    run = find_row(run_id)
    if actor is not None and not is_visible(run, actor):
        raise not_found(run_id)
    return views_of([run])[0]


def find_runs(
    actor: Actor | None,
    *,
    resource_id: ResourceId | str | None = None,
    cursor: str | None = None,
    limit: int = PAGE_ROWS_DEFAULT,
) -> RunPage:
    """Runs of the actor's agency (of all, for a bureau and for the platform itself), newest first."""
    rows: QuerySet[Run] = Run.objects.all()
    if actor is not None and EVERY_AGENCY not in actor.agency_ids and actor.kind != "platform":
        rows = rows.filter(agency_id=actor.agency_id or "")
    if resource_id:
        rows = rows.filter(resource_id=resource_id)
    page = page_of(
        rows,
        name="collect.runs",
        order=("-started_at", "id"),
        filters={"resource": resource_id, "actor": actor.id if actor else None},
        cursor=cursor,
        limit=limit,
    )
    return RunPage(
        items=tuple(views_of(page.items)),
        next_cursor=page.next_cursor,
        count=page.count,
        count_is_estimate=page.count_is_estimate,
    )


def find_open_problem(resource_id: ResourceId | str, actor: Actor) -> RunView | None:
    """The latest run of a resource that failed or waits, if the actor may see it: where its case is dealt with."""
    run = (
        Run.objects.filter(resource_id=resource_id, state__in=[RunState.FAILED, RunState.BLOCKED])
        .order_by("-started_at")
        .first()
    )
    return views_of([run])[0] if run is not None and is_visible(run, actor) else None


def read_quarantine(
    run_id: RunId | str,
    actor: Actor,
    *,
    rule: str = "",
    after_line: int = 0,
    rows_max: int = PAGE_ROWS_DEFAULT,
) -> list[QuarantinedRow]:
    """Refused rows of a run in the file's order, from beyond `after_line`; `rule` chooses one reason."""
    run = find_readable(run_id, actor)
    place = lake.find_target(ResourceId(run.resource_id))
    with get_lake(load_settings()).connect(place.agency) as connection:
        found = quarantine.read_rows(
            connection,
            place.table,
            _run_with_rows(run),
            tuple(run.source_header),
            titles=_titles_en(run),
            rule=rule,
            after_line=after_line,
            rows_max=rows_max,
        )
        return list(found)


def write_quarantine_csv(
    run_id: RunId | str,
    out: BinaryIO | TextIO,
    actor: Actor,
    *,
    spreadsheet_safe: bool = False,
) -> int:
    """All refused rows as CSV (UTF-8 with a byte-order mark into a binary file); leaves an audit row; how many."""
    run = find_readable(run_id, actor)
    place = lake.find_target(ResourceId(run.resource_id))
    header = tuple(run.source_header)
    facts = {"number": run.number, "rows": run.rows_quarantined, "title_en": title_en_of(run)}
    with (
        action(EXPORTED, actor, subject_of(run), facts=facts),
        get_lake(load_settings()).connect(place.agency) as connection,
    ):
        rows = quarantine.read_rows(connection, place.table, _run_with_rows(run), header, titles=_titles_en(run))
        if isinstance(out, io.TextIOBase):
            return quarantine.write_csv(rows, header, out, spreadsheet_safe=spreadsheet_safe)
        text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="", write_through=True)  # type: ignore[type-var]
        count = quarantine.write_csv(rows, header, text, spreadsheet_safe=spreadsheet_safe)
        text.detach()
        return count


def find_changes(
    run_id: RunId | str, actor: Actor, *, column: str = "", rows_max: int = CHANGES_SHOWN_ROWS_MAX
) -> list[CellChange]:
    """The cells that cleaning changed, in the file's order, read again from the landed file; leaves an audit row.

    Raises LandedGone when retention has removed the file, RunNotFound, NotAllowed.
    """
    run = find_readable(run_id, actor)
    settings = load_settings()
    path = landed_path(settings, get_resource(ResourceId(run.resource_id)).agency, run.digest)
    if run.landed_gone_at is not None or not path.is_file():
        raise LandedGone(
            "What cleaning changed is read from the file itself.",
            hint_zh="清洗前后的对照要读原文件。",
            run=run.id,
            digest=run.digest,
        )
    contract = get_contract(ResourceId(run.resource_id), run.contract_version)
    facts = {"number": run.number, "column": column, "title_en": title_en_of(run)}
    work = work_dir(settings, ids.new_id("changes"))
    try:
        with action(CHANGES_READ, actor, subject_of(run), facts=facts):
            delivery = delivery_of(
                path,
                filename=run.filename,
                digest=run.digest,
                facts=run.file_facts,
                delimiter=run.delimiter,
                bill=None,
            )
            return read_changes(delivery, prepare_run(contract, run.as_of), work, column=column, rows_max=rows_max)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def localise_failure(problem: Mapping[str, Any]) -> dict[str, str]:
    """Title and hint of a stored failure in the reader's language."""
    chinese = (get_language() or "zh").startswith("zh")
    return {
        "title": str(problem.get("title_zh" if chinese else "title", "")),
        "hint": str((problem.get("hint_zh") if chinese else "") or problem.get("hint", "")),
        "reference": str(problem.get("reference", "")),
    }


def _titles_en(run: Run) -> dict[str, str]:
    """English titles of the columns that have one."""
    contract = get_contract(ResourceId(run.resource_id), run.contract_version)
    return {column.name: column.title_en for column in contract.columns if column.title_en}


def _run_with_rows(run: Run) -> str:
    """The run whose refused rows these are: for bytes that came before, the earlier run that checked them."""
    if run.state != RunState.UNCHANGED or run.steps:
        return run.id
    checked = (
        Run.objects.filter(
            resource_id=run.resource_id,
            digest=run.digest,
            contract_version=run.contract_version,
            state__in=[RunState.DONE, RunState.UNCHANGED],
        )
        .exclude(steps={})
        .order_by("-started_at")
        .first()
    )
    return checked.id if checked else run.id
