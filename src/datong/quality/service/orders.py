"""Work orders: every broken rule becomes one task for the provider, and the corrected file closes it.

One order per resource and rule, however many rows. The deadline is the case's, in working days by how much harm the
rule does: see `ORDER_DAYS`. Waived rules and what collection itself adds (deduplication) open none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from datong.cases import service as cases
from datong.cases.contracts import CaseStep, CaseView, Decision
from datong.catalog.contracts import ResourceView
from datong.catalog.service import find_titles
from datong.kernel import clock, ids
from datong.kernel.action.service import ActionRecord, action
from datong.kernel.contracts import Actor, Role, Subject
from datong.kernel.identity.service import find_members
from datong.kernel.ids import AgencyId, CaseId
from datong.kernel.limits import PAGE_ROWS_MAX, QUALITY_ORDERS_PER_REPORT_MAX
from datong.quality.contracts import EvaluatedRun, OrderNotFound, OrderState, OrderView, RuleScore, Severity
from datong.quality.service.subjects import (
    ORDER_CLOSED,
    ORDER_OPENED,
    ORDER_OVERDUE,
    ORDER_WITHDRAWN,
    QUALITY,
    sees_agency,
    sees_everything,
    subject_of,
)
from datong.quality.store.models import Order, Waiver

CASE_KIND = "quality-order"
ORDER_DAYS: Mapping[str, int] = {"blocks": 2, Severity.REJECT.value: 5, Severity.WARN.value: 10}
"""Working days to mend: a rule that blocks the version, one that refuses rows, one that only notes."""
_OVERDUE = "已逾期"
_NOT_THE_PROVIDERS = "cleaning."
"""Rules that collection adds by the contract's own wish begin so."""


class QualityOrder:
    """A broken rule as a case. It closes by itself when a file no longer breaks the rule; a bureau may withdraw it."""

    key = CASE_KIND
    title_zh, title_en = "质量工单", "Quality order"

    def verb_of(self, decision: Decision) -> str:
        return ORDER_CLOSED if decision is Decision.APPROVE else ORDER_WITHDRAWN

    def on_decided(
        self,
        case: CaseView,
        decision: Decision,
        reason: str,
        actor: Actor,  # noqa: ARG002 - the slot passes it
        record: ActionRecord,
    ) -> None:
        """The order follows its case."""
        order = Order.objects.select_for_update().get(pk=case.subject_id)
        order.state = OrderState.CLOSED if decision is Decision.APPROVE else OrderState.WITHDRAWN
        order.closed_at = clock.now()
        order.save()
        record.facts.update(rule=order.rule_id, number=case.number, evidence=reason)


def is_finding(rule: RuleScore) -> bool:
    """Whether a rule's outcome is something that the provider has to mend."""
    return rule.is_broken and rule.is_evaluated and not rule.check_id.startswith(_NOT_THE_PROVIDERS)


def settle_orders(run: EvaluatedRun, resource: ResourceView, waived: frozenset[str]) -> dict[str, int]:
    """Open, keep and close the resource's orders by what a run found, inside the caller's action; how many of each."""
    standing = {order.rule_id: order for order in _lock_open(resource.id)}
    rules = {rule.check_id: rule for rule in run.rules}
    counts = {"opened": 0, "kept": 0, "closed": 0}
    for rule_id, rule in rules.items():
        order = standing.pop(rule_id, None)
        if rule_id in waived or rule.is_waived:
            if order is not None:
                _withdraw(order, resource, f"已豁免 / waived（{run.run_number}）")
        elif is_finding(rule):
            if order is not None:
                _keep(order, run, rule)
                counts["kept"] += 1
            elif counts["opened"] < QUALITY_ORDERS_PER_REPORT_MAX:
                _open(run, resource, rule)
                counts["opened"] += 1
        elif order is not None and rule.is_evaluated:
            _close(order, run, resource)
            counts["closed"] += 1
    for order in standing.values():
        if order.rule_id == "row.shape":  # a rule that is there only while it is broken
            _close(order, run, resource)
            counts["closed"] += 1
        else:
            _withdraw(order, resource, f"契约已无此规则 / the contract has no such rule now（{run.run_number}）")
    return counts


def _lock_open(resource_id: str) -> QuerySet[Order]:
    return Order.objects.select_for_update().filter(resource_id=resource_id, state=OrderState.OPEN)


def _open(run: EvaluatedRun, resource: ResourceView, rule: RuleScore) -> None:
    order = Order(
        id=ids.new_id("qo"),
        resource_id=resource.id,
        resource_title=resource.title_zh,
        agency_id=resource.agency_id,
        rule_id=rule.check_id,
        column=rule.column,
        reason_zh=rule.reason_zh,
        reason_en=rule.reason_en,
        severity="blocks" if rule.blocks else rule.severity,
        rows_bad=rule.rows_bad,
        opened_run=run.run_number,
        last_run=run.run_number,
    )
    rows_zh = f"，{rule.rows_bad:,}行" if rule.rows_bad else ""
    rows_en = f", {_rows_en(rule.rows_bad)}" if rule.rows_bad else ""
    facts = {"rule": rule.check_id, "rows": rule.rows_bad, "run": run.run_number, "title_en": resource.title_en}
    with action(ORDER_OPENED, QUALITY, subject_of(resource), facts=facts) as record:
        case = cases.open_case(
            kind=CASE_KIND,
            title_zh=f"质量问题：{resource.title_zh}，{rule.reason_zh}{rows_zh}"[:300],
            title_en=f"Quality: {resource.title_en or resource.id}, {rule.reason_en}{rows_en}"[:300],
            subject=Subject(kind=CASE_KIND, id=order.id, agency_id=AgencyId(resource.agency_id)),
            actor=QUALITY,
            from_agency_id=_issuing_agency(resource.agency_id),
            to_agency_id=AgencyId(resource.agency_id),
            allowance_days=ORDER_DAYS[order.severity],
            detail={"rule": rule.check_id, "rows": rule.rows_bad, "run": run.run_number, "run_id": run.run_id},
        )
        order.case_id = case.id
        order.save(force_insert=True)
        record.facts.update(number=case.number, order=order.id, due=case.deadline.due_on.isoformat())


def _issuing_agency(provider_id: str) -> AgencyId:
    """The agency of the bureau that oversees data; the provider itself where a platform has none yet."""
    bureaus = sorted(member.agency_id for member in find_members() if Role.BUREAU in member.roles and member.is_active)
    return bureaus[0] if bureaus else AgencyId(provider_id)


def _rows_en(rows: int) -> str:
    return f"{rows:,} row" if rows == 1 else f"{rows:,} rows"


def _keep(order: Order, run: EvaluatedRun, rule: RuleScore) -> None:
    note = f"{run.run_number}：仍有{rule.rows_bad:,}行 / {run.run_number}: still {_rows_en(rule.rows_bad)}"
    cases.add_note(CaseId(str(order.case_id)), QUALITY, note)
    order.rows_bad, order.last_run = rule.rows_bad, run.run_number
    order.save()


def _close(order: Order, run: EvaluatedRun, resource: ResourceView) -> None:
    evidence = f"{run.run_number}（{run.filename}）通过该规则 / holds in {run.run_number}"
    facts = {"rule": order.rule_id, "evidence": evidence, "run": run.run_number, "title_en": resource.title_en}
    with action(ORDER_CLOSED, QUALITY, subject_of(resource), facts=facts) as record:
        cases.settle_case(CaseId(str(order.case_id)), QUALITY, evidence)
        order.state, order.closed_run, order.last_run = OrderState.CLOSED, run.run_number, run.run_number
        order.closed_at = clock.now()
        order.save()
        record.facts["order"] = order.id


def _withdraw(order: Order, resource: ResourceView, note: str) -> None:
    facts = {"rule": order.rule_id, "evidence": note, "title_en": resource.title_en}
    with action(ORDER_WITHDRAWN, QUALITY, subject_of(resource), facts=facts) as record:
        cases.withdraw_case(CaseId(str(order.case_id)), QUALITY, note)
        order.state, order.closed_at = OrderState.WITHDRAWN, clock.now()
        order.save()
        record.facts["order"] = order.id


def escalate_overdue() -> int:
    """Tell the bureau of every open order whose day has passed, once each; how many.

    The order's history says it, the audit log has it, and the event `quality.order-overdue` goes to whoever listens.
    """
    late = Order.objects.select_related("case").filter(state=OrderState.OPEN, case__due_on__lt=clock.today())
    told = 0
    for order in late:
        case_id = CaseId(str(order.case_id))
        if any(step.note.startswith(_OVERDUE) for step in cases.find_history(case_id)):
            continue
        subject = Subject(
            kind="resource", id=order.resource_id, agency_id=AgencyId(order.agency_id), name=order.resource_title
        )
        title_en = find_titles([order.resource_id]).get(order.resource_id, ("", ""))[1]
        facts = {"rule": order.rule_id, "order": order.id, "title_en": title_en}
        with action(ORDER_OVERDUE, QUALITY, subject, facts=facts) as record:
            due_on = order.case.due_on if order.case else clock.today()
            cases.add_note(case_id, QUALITY, f"{_OVERDUE}，已报主管部门 / overdue since {due_on}, the bureau was told")
            record.facts["due"] = due_on.isoformat()
            record.event(
                ORDER_OVERDUE,
                subject=f"resource:{order.resource_id}",
                payload={"order": order.id, "resource": order.resource_id, "agency": order.agency_id},
            )
        told += 1
    return told


# Reading -----------------------------------------------------------------------------------------------------------
def find_orders(actor: Actor, *, state: str = "open", resource_id: str | None = None) -> list[OrderView]:
    """The orders of the actor's agency (of all, for who sees all): the most urgent first; closed ones, newest first."""
    rows = Order.objects.select_related("agency", "case")
    if not sees_everything(actor):
        rows = rows.filter(agency_id=actor.agency_id or "")
    if resource_id:
        rows = rows.filter(resource_id=resource_id)
    if state:
        rows = rows.filter(state=OrderState(state))
    order = ("case__due_on", "opened_at") if state == OrderState.OPEN else ("-closed_at", "-opened_at")
    return _views(list(rows.order_by(*order)[:PAGE_ROWS_MAX]))


def get_order(actor: Actor, order_id: str) -> OrderView:
    """One order. Raises OrderNotFound for who may not see it."""
    return _views([_find(actor, order_id)])[0]


def get_order_history(actor: Actor, order_id: str) -> list[CaseStep]:
    """What happened to an order: opened, still broken, closed with its evidence."""
    return cases.find_history(CaseId(str(_find(actor, order_id).case_id)))


def _find(actor: Actor, order_id: str) -> Order:
    order = Order.objects.select_related("agency", "case").filter(pk=order_id).first()
    if order is None or not sees_agency(actor, order.agency_id):
        raise OrderNotFound("Check the address.", hint_zh="请检查地址。", order=order_id)
    return order


def _views(orders: list[Order]) -> list[OrderView]:
    titles = find_titles(order.resource_id for order in orders)
    today = clock.today()
    waivers: dict[tuple[str, str], Any] = {
        (resource, rule): until
        for resource, rule, until in Waiver.objects.filter(
            ended_at__isnull=True, until__gte=today, resource_id__in={order.resource_id for order in orders}
        ).values_list("resource_id", "rule_id", "until")
    }
    return [_view(order, titles.get(order.resource_id, ("", ""))[1], waivers) for order in orders]


def _view(order: Order, title_en: str, waivers: Mapping[tuple[str, str], Any]) -> OrderView:
    from datong.cases.model import deadline_of

    case = order.case
    assert case is not None
    deadline = deadline_of(
        opened_on=clock.civil_date(case.opened_at),
        due_on=case.due_on,
        allowance_days=case.allowance_days,
        provisional=case.due_provisional,
        today=clock.civil_date(order.closed_at) if order.closed_at else clock.today(),
        stopped=order.state == OrderState.WITHDRAWN,
    )
    return OrderView(
        id=order.id,
        case_id=case.id,
        number=case.number,
        resource_id=order.resource_id,
        resource_title=order.resource_title,
        resource_title_en=title_en,
        agency_id=order.agency_id,
        agency_name=order.agency.name,
        agency_name_en=order.agency.name_en,
        rule_id=order.rule_id,
        column=order.column,
        reason_zh=order.reason_zh,
        reason_en=order.reason_en,
        severity=order.severity,
        state=OrderState(order.state),
        rows_bad=order.rows_bad,
        opened_run=order.opened_run,
        last_run=order.last_run,
        closed_run=order.closed_run,
        opened_at=clock.iso(order.opened_at),
        closed_at=clock.iso(order.closed_at) if order.closed_at else None,
        due_on=case.due_on,
        left_days=deadline.left_days,
        is_late=deadline.is_late,
        waived_until=waivers.get((order.resource_id, order.rule_id)),
    )
