"""How a source fares: failures with growing pauses, and one case for its steward that closes when it works again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from datong.cases import service as cases
from datong.cases.contracts import CaseAlreadyDecided, CaseView, Decision
from datong.catalog.service import get_contract
from datong.collect.sources.contracts import SourceKind
from datong.collect.sources.schedule import next_due
from datong.collect.sources.service.rows import find_row, subject_of, told
from datong.collect.store.source_models import Source
from datong.kernel import clock, ids
from datong.kernel.action.service import action
from datong.kernel.contracts import Actor, platform_actor
from datong.kernel.failures import NotFound
from datong.kernel.ids import AgencyId, CaseId
from datong.kernel.limits import SOURCE_BACK_OFF_S_MAX, SOURCE_CASE_DAYS

FAILED, RECOVERED, NOTED = "source.failed", "source.recovered", "source.case-noted"
CASE_KIND = "source-failed"
SOURCES = platform_actor("sources")
_FIRST_PAUSE_S = 30


class SourceCase:
    """The case of a failing source: its steward notes it; it closes by itself when a fetch succeeds."""

    key = CASE_KIND
    title_zh = "来源取数失败"
    title_en = "A source fails"

    def verb_of(self, decision: Decision) -> str:  # noqa: ARG002 - noting it is all there is to decide
        return NOTED

    def on_decided(self, case: CaseView, decision: Decision, reason: str, actor: Actor, record: Any) -> None:  # noqa: ARG002
        """The next failure opens another case."""
        Source.objects.filter(pk=case.subject_id, case_id=case.id).update(case_id=None)


def note_case(actor: Actor, source_id: str) -> None:
    """The steward has dealt with the open case; the next failure opens another. Raises NotFound when none is open."""
    row = find_row(source_id, actor)
    if row.case_id is None:
        raise NotFound("Nothing waits here.", hint_zh="这里没有待处理的事项。", source=source_id)
    cases.decide_case(actor, CaseId(row.case_id), Decision.APPROVE, "")


def note_failure(row: Source, problem: Mapping[str, Any], *, opens_case: bool = True) -> None:
    """Count it, pause longer, open the case when none is open. In the caller's transaction; `row` is locked."""
    row.failures_in_row += 1
    row.last_failure = dict(problem)
    row.checked_at = clock.now()
    row.due_at = clock.now() + timedelta(seconds=pause_s(row.failures_in_row, problem)) if row.schedule else None
    with action(FAILED, SOURCES, subject_of(row), facts={**told(row), "code": problem.get("code", "")}):
        if opens_case and row.case_id is None:
            row.case_id = _open_case(row, problem)
        row.save()


def note_success(row: Source) -> None:
    """It works: the next time is the schedule's, and an open case is closed. `row` is locked and saved here."""
    row.checked_at = clock.now()
    row.due_at = due_after_success(row)
    row.failures_in_row, row.last_failure = 0, None
    case_id, row.case_id = row.case_id, None
    row.save()
    if case_id is None:
        return
    with action(RECOVERED, SOURCES, subject_of(row), facts=told(row)):
        try:
            cases.withdraw_case(CaseId(case_id), SOURCES, "来源已恢复 / the source works again")
        except CaseAlreadyDecided:
            return


def due_after_success(row: Source) -> Any:
    if not row.enabled or not row.schedule:
        return None
    return next_due(row.schedule, get_contract(row.resource_id).update_cycle, clock.now())


def pause_s(failures: int, problem: Mapping[str, Any]) -> float:
    """Doubling from half a minute, spread by a fifth so that many sources do not come back at once.

    What the source itself asked for (Retry-After) is the least.
    """
    plain = min(_FIRST_PAUSE_S * 2 ** min(failures - 1, 20), SOURCE_BACK_OFF_S_MAX)
    spread = 0.8 + 0.4 * ids.random_bytes(1)[0] / 255
    asked = problem.get("facts", {}).get("retry_after_s") or 0
    return float(min(max(plain * spread, float(asked)), SOURCE_BACK_OFF_S_MAX))


def _open_case(row: Source, problem: Mapping[str, Any]) -> str:
    kind = SourceKind(row.kind)
    case = cases.open_case(
        kind=CASE_KIND,
        title_zh=f"来源“{row.title}”取数失败：{problem.get('title_zh', '')}",
        title_en=f"Source “{row.title}” fails: {problem.get('title', '')}",
        subject=subject_of(row),
        actor=SOURCES,
        from_agency_id=AgencyId(row.agency_id),
        to_agency_id=AgencyId(row.agency_id),
        allowance_days=SOURCE_CASE_DAYS,
        detail={
            "source": row.id,
            "resource": row.resource_id,
            "failure": dict(problem),
            "reason_zh": problem.get("hint_zh", ""),
            "reason_en": problem.get("hint", ""),
            "told": {"title": row.title, "kind": kind.value},
        },
    )
    return case.id
