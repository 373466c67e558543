"""What the workspace gathers from the parts below, for one member."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from datong.cases import service as cases
from datong.cases.calendar import is_working_day
from datong.cases.contracts import CASE_KINDS, CaseView, Decision
from datong.collect import service as collect
from datong.collect.contracts import RunView
from datong.exchange import service as exchange
from datong.exchange.requests import GrantState, RequestView
from datong.kernel import clock
from datong.kernel.action.service import is_allowed
from datong.kernel.contracts import Actor, Role, Subject
from datong.ui.components import STRIP_DAYS, StripDay, day_strip

RUNS_SHOWN_MAX = 6
REQUESTS_SHOWN_MAX = 6
CASES_OF_KIND_SHOWN_MAX = 3
"""Of one kind among others; its own address lists them all."""
DECIDERS = frozenset({Role.APPROVER, Role.STEWARD, Role.BUREAU})


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingCase:
    """A case with the request that it is about, where it is about one, and whether this member may decide it."""

    case: CaseView
    request: RequestView | None
    may_decide: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingKind:
    """The cases of one kind, the most urgent first. `count` counts all of the chosen day; a folded kind lists a few."""

    key: str
    title_zh: str
    title_en: str
    count: int
    cases: list[WaitingCase]

    @property
    def folded_count(self) -> int:
        return self.count - len(self.cases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A member's first page. `kinds` are those of the chosen day and kind, the kind with the most urgent case first;
    `kind_counts` says how many of the chosen day each kind has. `waiting_count` counts all, `later_count` those due
    after the strip."""

    today: date
    is_working_day: bool
    strip: list[StripDay]
    late_count: int
    later_count: int
    waiting_count: int
    due_count: int
    kind_counts: list[WaitingKind]
    kinds: list[WaitingKind]
    runs: tuple[RunView, ...]
    requests: list[RequestView]
    grants_given_count: int
    users_count: int


def find_waiting(actor: Actor) -> list[CaseView]:
    """The open cases of the actor's agency, for those whose roles let them decide any."""
    return cases.find_waiting(actor) if actor.roles & DECIDERS else []


def count_waiting(actor: Actor) -> int | None:
    """The number beside 待我处理; None, so that nothing is shown, for those who decide nothing."""
    return len(find_waiting(actor)) if actor.roles & DECIDERS else None


def gather_workspace(actor: Actor, *, due: str = "", kind: str = "") -> Workspace:
    """Everything on the first page. `due` chooses `late`, `later` or the cases of one day (YYYY-MM-DD); `kind` one kind
    of case, which is then listed whole: one kind alone cannot push the others off the page."""
    today = clock.today()
    waiting = find_waiting(actor)
    days = [date.fromordinal(today.toordinal() + offset) for offset in range(STRIP_DAYS)]
    asked: dict[str, RequestView] = {r.id: r for r in exchange.find_requests(actor)}
    given = [g for g in exchange.find_grants(actor) if g.owner_agency_id == actor.agency_id]
    in_force = [g for g in given if g.state is GrantState.ACTIVE and not g.is_expired]
    chosen = [case for case in waiting if _is_chosen(case, due, days[-1])]
    grouped = group_by_kind(chosen)
    kinds = {key: cases for key, cases in grouped.items() if not kind or key == kind}
    shown_max = None if kind or len(grouped) == 1 else CASES_OF_KIND_SHOWN_MAX
    return Workspace(
        today=today,
        is_working_day=is_working_day(today),
        strip=day_strip(today, [c.deadline.due_on for c in waiting], [day for day in days if not is_working_day(day)]),
        late_count=sum(c.deadline.is_late for c in waiting),
        later_count=sum(c.deadline.due_on > days[-1] for c in waiting),
        waiting_count=len(waiting),
        due_count=len(chosen),
        kind_counts=[_kind_of(key, cases, []) for key, cases in grouped.items()],
        kinds=[
            _kind_of(key, cases, [_waiting(actor, case, asked.get(case.subject_id)) for case in cases[:shown_max]])
            for key, cases in kinds.items()
        ],
        runs=collect.find_runs(actor, limit=RUNS_SHOWN_MAX).items,
        requests=[r for r in asked.values() if r.agency_id == actor.agency_id][:REQUESTS_SHOWN_MAX],
        grants_given_count=len(in_force),
        users_count=len({g.agency_id for g in in_force}),
    )


def group_by_kind(waiting: Iterable[CaseView]) -> dict[str, list[CaseView]]:
    """By kind, in the order in which the kinds first come: of cases sorted by urgency, the most urgent kind first."""
    grouped: dict[str, list[CaseView]] = {}
    for case in waiting:
        grouped.setdefault(case.kind, []).append(case)
    return grouped


def _kind_of(key: str, all_cases: list[CaseView], shown: list[WaitingCase]) -> WaitingKind:
    kind = CASE_KINDS.get(key)
    return WaitingKind(key=key, title_zh=kind.title_zh, title_en=kind.title_en, count=len(all_cases), cases=shown)


def _waiting(actor: Actor, case: CaseView, request: RequestView | None) -> WaitingCase:
    subject = Subject(kind="case", id=case.id, agency_id=case.to_agency_id, name=case.title_zh)
    verb = CASE_KINDS.get(case.kind).verb_of(Decision.APPROVE)
    return WaitingCase(case=case, request=request, may_decide=is_allowed(verb, actor, subject))


def _is_chosen(case: CaseView, due: str, last_shown: date) -> bool:
    if due == "late":
        return case.deadline.is_late
    if due == "later":
        return case.deadline.due_on > last_shown
    return not due or case.deadline.due_on.isoformat() == due
