"""What the verbs of collection share: names of verbs, a run's row, who may see it, the view that leaves this part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection as database

from datong.catalog.service import find_titles
from datong.collect.contracts import RunBusy, RunNotFound, RunState, RunView
from datong.collect.store.models import Run
from datong.collect.views import view_of
from datong.kernel.contracts import EVERY_AGENCY, Actor, Role, Subject, platform_actor
from datong.kernel.failures import NotAllowed
from datong.kernel.identity.service import find_english_names
from datong.kernel.ids import AgencyId, RunId

STARTED, FINISHED, FAILED, EXPORTED = "run.started", "run.finished", "run.failed", "quarantine.exported"
BLOCKED, RESUMED, GIVEN_UP = "run.blocked", "run.resumed", "run.given-up"
FAILURE_CLOSED, CHANGES_READ, LANDED_EXPIRED = "run.failure-closed", "changes.read", "landed.expired"
JOB = "collect.run"
COLLECT = platform_actor("collect")
READERS = frozenset({Role.STEWARD, Role.APPROVER})
"""Who may see refused rows: they are the agency's data as it came."""


def find_row(run_id: RunId | str) -> Run:
    """Raises RunNotFound."""
    field = "number" if run_id.startswith("R-") else "pk"
    run = Run.objects.select_related("agency").filter(**{field: run_id}).first()
    if run is None:
        raise not_found(run_id)
    return run


def find_readable(run_id: RunId | str, actor: Actor) -> Run:
    """The run, for those who may read its rows. Raises RunNotFound, NotAllowed."""
    run = find_row(run_id)
    if actor.kind == "platform":
        return run
    if not is_visible(run, actor):
        raise not_found(run_id)
    if not actor.roles & READERS or actor.agency_id != run.agency_id:
        raise NotAllowed(
            "Refused rows are shown to the stewards and approvers of their agency.",
            hint_zh="隔离行只向本部门的数据管理员和审批人展示。",
            roles_needed=sorted(READERS),
        )
    return run


def is_visible(run: Run, actor: Actor) -> bool:
    return actor.kind == "platform" or EVERY_AGENCY in actor.agency_ids or actor.agency_id == run.agency_id


def not_found(run_id: RunId | str) -> RunNotFound:
    return RunNotFound("List them with `datong run list`.", hint_zh="请检查编号。", run=run_id)


def views_of(runs: Sequence[Run]) -> list[RunView]:
    """With the names that rows do not keep."""
    titles = find_titles(run.resource_id for run in runs)
    people = find_english_names(run.started_by for run in runs)
    return [
        view_of(
            run,
            title_en=titles.get(run.resource_id, ("", ""))[1],
            started_by_name_en=people.get(run.started_by, ""),
        )
        for run in runs
    ]


def subject_of(run: Run) -> Subject:
    """The resource that the run is of: runs are judged and audited under it."""
    return Subject(kind="resource", id=run.resource_id, agency_id=AgencyId(run.agency_id), name=run.resource_title)


def title_en_of(run: Run) -> str:
    return find_titles([run.resource_id]).get(run.resource_id, ("", ""))[1]


def told_facts(run: Run) -> dict[str, Any]:
    """What the audit rows of a run say of it."""
    return {
        "run": run.id,
        "number": run.number,
        "file": run.filename,
        "title_en": title_en_of(run),
        "rows_read": run.rows_read,
        "rows_accepted": run.rows_accepted,
        "rows_quarantined": run.rows_quarantined,
        "score": run.score,
    }


def event_payload(run: Run, **more: Any) -> dict[str, Any]:
    """What the events of a run carry. `origin` lets a source note how far it was read."""
    origin = {"kind": run.origin_kind, "source": run.origin_source, "cursor": run.origin_cursor}
    return {"run": run.id, "resource": run.resource_id, "state": RunState(run.state).value, "origin": origin, **more}


@contextmanager
def hold_run(run_id: RunId) -> Iterator[None]:
    """One process works on a run at a time: a PostgreSQL session lock, free the moment the process is gone."""
    with database.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(hashtextextended(%s, 1))", [run_id])
        row = cursor.fetchone()
    if not (row and row[0]):
        raise RunBusy("Follow it with `datong run show`.", hint_zh="请稍后查看该次归集。", run=run_id)
    try:
        yield
    finally:
        with database.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock(hashtextextended(%s, 1))", [run_id])
