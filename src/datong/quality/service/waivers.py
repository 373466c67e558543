"""Waivers: an approver says that a rule of a resource need not hold until a day, and why."""

from __future__ import annotations

from datetime import date, timedelta

from datong.cases.model import require_reason
from datong.catalog.service import find_titles, get_contract, get_resource
from datong.kernel import clock
from datong.kernel.action.service import action
from datong.kernel.contracts import Actor, Subject
from datong.kernel.identity.service import find_english_names
from datong.kernel.ids import AgencyId, ResourceId
from datong.kernel.limits import PAGE_ROWS_MAX, QUALITY_WAIVER_DAYS_MAX
from datong.quality.contracts import Check, WaiverInvalid, WaiverNotFound, WaiverView
from datong.quality.model import compile_checks
from datong.quality.service.subjects import WAIVED, WAIVER_ENDED, sees_everything, subject_of
from datong.quality.store.models import Waiver
from datong.standards.divisions import national_divisions


def waive_rule(actor: Actor, resource_id: ResourceId | str, rule_id: str, *, until: date, reason: str) -> WaiverView:
    """Waive a rule until a day, which belongs to it; a waiver that stands already is replaced.

    Rows that break the rule are refused as before; the rule costs no points, blocks no version and opens no order.
    Raises NotAllowed, ReasonNeeded, WaiverInvalid.
    """
    resource = get_resource(resource_id)
    today = clock.today()
    facts = {"rule": rule_id, "until": until.isoformat(), "reason": reason, "title_en": resource.title_en}
    with action(WAIVED, actor, subject_of(resource), facts=facts) as record:
        reason = require_reason(reason)
        if not today <= until <= today + timedelta(days=QUALITY_WAIVER_DAYS_MAX):
            raise WaiverInvalid(
                f"Its last day lies between today and {QUALITY_WAIVER_DAYS_MAX} days from now.",
                hint_zh=f"截止日期应在今天至{QUALITY_WAIVER_DAYS_MAX}天之内。",
                field="until",
                until=until.isoformat(),
            )
        if rule_id not in {check.id for check in find_waivable_rules(resource_id)}:
            raise WaiverInvalid(
                "The contract has no such rule.", hint_zh="契约中没有这条规则。", field="rule", rule=rule_id
            )
        Waiver.objects.filter(resource_id=resource.id, rule_id=rule_id, ended_at__isnull=True).update(
            ended_at=clock.now(), ended_by_name=record.actor.name
        )
        waiver = Waiver.objects.create(
            resource_id=resource.id,
            resource_title=resource.title_zh,
            agency_id=resource.agency_id,
            rule_id=rule_id,
            until=until,
            reason=reason,
            granted_by=record.actor.id,
            granted_by_name=record.actor.name,
        )
        return record.done(_view(waiver))


def end_waiver(actor: Actor, waiver_id: str) -> WaiverView:
    """End a waiver before its day; one that has ended stays as it is. Raises NotAllowed, WaiverNotFound."""
    waiver = Waiver.objects.filter(pk=waiver_id).first()
    if waiver is None or not (sees_everything(actor) or actor.agency_id == waiver.agency_id):
        raise WaiverNotFound("Check the address.", hint_zh="请检查地址。", waiver=waiver_id)
    subject = Subject(
        kind="resource", id=waiver.resource_id, agency_id=AgencyId(waiver.agency_id), name=waiver.resource_title
    )
    facts = {"rule": waiver.rule_id, "title_en": find_titles([waiver.resource_id])[waiver.resource_id][1]}
    with action(WAIVER_ENDED, actor, subject, facts=facts) as record:
        waiver = Waiver.objects.select_for_update().get(pk=waiver_id)
        if waiver.ended_at is None:
            waiver.ended_at, waiver.ended_by_name = clock.now(), record.actor.name
            waiver.save()
        return record.done(_view(waiver))


def find_waivers(actor: Actor, *, resource_id: str | None = None, only_standing: bool = False) -> list[WaiverView]:
    """Waivers of the actor's agency (of all, for who sees all), newest first."""
    rows = Waiver.objects.select_related("agency")
    if not sees_everything(actor):
        rows = rows.filter(agency_id=actor.agency_id or "")
    if resource_id:
        rows = rows.filter(resource_id=resource_id)
    if only_standing:
        rows = rows.filter(ended_at__isnull=True, until__gte=clock.today())
    found = list(rows.order_by("-granted_at")[:PAGE_ROWS_MAX])
    titles = find_titles(waiver.resource_id for waiver in found)
    people = find_english_names(waiver.granted_by for waiver in found)
    return [
        _view(waiver, titles.get(waiver.resource_id, ("", ""))[1], people.get(waiver.granted_by, ""))
        for waiver in found
    ]


def find_waived_rules(resource_id: ResourceId | str, day: date) -> frozenset[str]:
    """The rules of a resource under a waiver that stands on the day: what collection puts into its plan."""
    rows = Waiver.objects.filter(resource_id=resource_id, ended_at__isnull=True, until__gte=day)
    return frozenset(rows.values_list("rule_id", flat=True))


def find_waivable_rules(resource_id: ResourceId | str) -> tuple[Check, ...]:
    """Every rule of the resource's present contract."""
    contract = get_contract(resource_id)
    return compile_checks(contract, clock.today(), divisions=national_divisions()).all_checks


def _view(waiver: Waiver, title_en: str = "", granted_by_en: str = "") -> WaiverView:
    return WaiverView(
        id=waiver.id,
        resource_id=waiver.resource_id,
        rule_id=waiver.rule_id,
        until=waiver.until,
        reason=waiver.reason,
        granted_by=waiver.granted_by_name,
        granted_at=clock.iso(waiver.granted_at),
        ended_at=clock.iso(waiver.ended_at) if waiver.ended_at else None,
        resource_title=waiver.resource_title,
        resource_title_en=title_en,
        agency_name=waiver.agency.name,
        agency_name_en=waiver.agency.name_en,
        granted_by_en=granted_by_en,
    )
