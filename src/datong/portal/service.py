"""What the workspace gathers from the parts below, for one member."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from datong.cases import service as cases
from datong.cases.calendar import is_working_day
from datong.cases.contracts import CaseView
from datong.collect import service as collect
from datong.collect.contracts import RunView
from datong.exchange import service as exchange
from datong.exchange.requests import GrantState, RequestView
from datong.kernel import clock
from datong.kernel.contracts import Actor, Role
from datong.ui.components import STRIP_DAYS, StripDay, day_strip

RUNS_SHOWN_MAX = 6
REQUESTS_SHOWN_MAX = 6
DECIDERS = frozenset({Role.APPROVER, Role.STEWARD, Role.BUREAU})


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A member's first page. `cases` are those of the chosen day; `waiting_count` counts all, `later_count` those due
    after the strip."""

    today: date
    is_working_day: bool
    strip: list[StripDay]
    late_count: int
    later_count: int
    waiting_count: int
    cases: list[tuple[CaseView, RequestView | None]]
    """Each with the request it is about, where it is about one."""
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


def gather_workspace(actor: Actor, *, due: str = "") -> Workspace:
    """Everything on the first page. `due` chooses `late`, `later` or the cases of one day (YYYY-MM-DD)."""
    today = clock.today()
    waiting = find_waiting(actor)
    days = [date.fromordinal(today.toordinal() + offset) for offset in range(STRIP_DAYS)]
    asked: dict[str, RequestView] = {r.id: r for r in exchange.find_requests(actor)}
    given = [g for g in exchange.find_grants(actor) if g.owner_agency_id == actor.agency_id]
    in_force = [g for g in given if g.state is GrantState.ACTIVE and not g.is_expired]
    return Workspace(
        today=today,
        is_working_day=is_working_day(today),
        strip=day_strip(today, [c.deadline.due_on for c in waiting], [day for day in days if not is_working_day(day)]),
        late_count=sum(c.deadline.is_late for c in waiting),
        later_count=sum(c.deadline.due_on > days[-1] for c in waiting),
        waiting_count=len(waiting),
        cases=[(c, asked.get(c.subject_id)) for c in waiting if _is_chosen(c, due, days[-1])],
        runs=collect.find_runs(actor, limit=RUNS_SHOWN_MAX).items,
        requests=[r for r in asked.values() if r.agency_id == actor.agency_id][:REQUESTS_SHOWN_MAX],
        grants_given_count=len(in_force),
        users_count=len({g.agency_id for g in in_force}),
    )


def _is_chosen(case: CaseView, due: str, last_shown: date) -> bool:
    if due == "late":
        return case.deadline.is_late
    if due == "later":
        return case.deadline.due_on > last_shown
    return not due or case.deadline.due_on.isoformat() == due
