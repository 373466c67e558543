"""The verbs of responsibility: take or claim an element, say that a field is another's, see gaps and disputes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from django.db import connection
from django.db.models import QuerySet

from datong.cases import service as cases
from datong.cases.contracts import CaseView, Decision
from datong.catalog import service as catalog
from datong.catalog.plugs import LIST_RESOURCE
from datong.catalog.responsibility.contracts import (
    AUTHORITY_CLAIMED,
    AUTHORITY_KEPT,
    AUTHORITY_MOVED,
    AUTHORITY_RELEASED,
    AUTHORITY_TAKEN,
    CLAIM_KIND,
    FIELD_ACCEPTED,
    FIELD_DISOWNED,
    FIELD_RETURNED,
    SOURCE_KIND,
    AuthorityDisputed,
    AuthorityState,
    ElementLine,
    ElementNotHeld,
    FieldLine,
    FieldSourceOpen,
    Holder,
    StageLine,
)
from datong.catalog.store.models import ElementAuthority, ElementUse, FieldSource, Resource
from datong.catalog.values import Column, DataContract
from datong.catalog.words import STAGE_TITLES
from datong.kernel import clock
from datong.kernel.action.service import ActionRecord, action
from datong.kernel.contracts import Actor, Role, Subject
from datong.kernel.failures import BadInput, NotFound
from datong.kernel.identity.contracts import AgencySummary
from datong.kernel.identity.service import find_agencies_with, get_agency
from datong.kernel.ids import AgencyId
from datong.kernel.limits import ELEMENTS_SHOWN_MAX, RESPONSIBILITY_DAYS
from datong.kernel.policy import service as policy
from datong.standards.elements import find_element


# One element, one source ------------------------------------------------------------------------------------------
def claim_element(actor: Actor, element: str, resource_id: str, *, reason: str = "") -> CaseView | None:
    """Make the resource's column the authority for an element. Free: at once (None). Another's: a case for the bureau.

    Raises ElementNotHeld, AuthorityDisputed, NotAllowed; a claim on another's needs a reason.
    """
    use = ElementUse.objects.filter(resource_id=resource_id, element=element).first()
    if use is None:
        raise ElementNotHeld(
            f"No column of `{resource_id}` names element {element}.",
            hint_zh=f"“{resource_id}”没有标注数据元{element}的数据项。",
            element=element,
        )
    resource = Resource.objects.select_related("agency").get(pk=resource_id)
    subject = _subject(resource)
    held = _valid_authority(element)
    facts = {"element": element, "title_en": resource.title_en}
    if held is None:
        with action(AUTHORITY_TAKEN.verb, actor, subject, facts) as record:
            _lock(element)
            if _valid_authority(element) is not None:
                raise AuthorityDisputed("Somebody else was quicker.", hint_zh="已被其他资源登记。", element=element)
            _put_authority(element, use, actor)
            return record.done(None)
    if held.resource_id == resource_id:
        return None
    if not reason.strip():
        raise BadInput("Say why the element should be taken from here.", hint_zh="请写明理由。", field="reason")
    with action(AUTHORITY_CLAIMED.verb, actor, subject, {**facts, "reason": reason}) as record:
        _lock(element)
        about = _element_subject(element)
        if cases.find_open_cases(CLAIM_KIND, about):
            raise AuthorityDisputed("Wait for the decision.", hint_zh="请等待裁定。", element=element)
        case = cases.open_case(
            kind=CLAIM_KIND,
            title_zh=f"数据元{element}的权威来源：“{resource.title_zh}”主张",
            title_en=f"Authority for {element}: claimed for {resource.title_en or resource.id}",
            subject=about,
            actor=actor,
            from_agency_id=AgencyId(resource.agency_id),
            to_agency_id=_bureau(),
            allowance_days=RESPONSIBILITY_DAYS,
            detail={"resource": resource_id, "column": use.column_name, "from": held.resource_id, "reason": reason},
        )
        return record.done(case)


def release_element(actor: Actor, element: str) -> None:
    """Give up the authority for an element; it is open again. NotFound when nobody holds it."""
    row = ElementAuthority.objects.select_related("resource__agency").filter(pk=element).first()
    if row is None:
        raise NotFound("Nobody answers for this element.", hint_zh="该数据元没有权威来源。", element=element)
    facts = {"element": element, "title_en": row.resource.title_en}
    with action(AUTHORITY_RELEASED.verb, actor, _subject(row.resource), facts):
        row.delete()


class AuthorityClaimCase:
    """The kind of case by which the bureau decides from where an element is taken."""

    key = CLAIM_KIND
    title_zh, title_en = "权威来源裁定", "Authority for an element"

    def verb_of(self, decision: Decision) -> str:
        return AUTHORITY_MOVED.verb if decision is Decision.APPROVE else AUTHORITY_KEPT.verb

    def on_decided(self, case: CaseView, decision: Decision, reason: str, actor: Actor, record: ActionRecord) -> None:
        element = case.subject_id
        resource = Resource.objects.get(pk=str(case.detail["resource"]))
        record.facts.update(
            element=element, title=resource.title_zh, title_en=resource.title_en or resource.id, reason=reason
        )
        if decision is Decision.APPROVE:
            use = ElementUse.objects.filter(resource_id=resource.pk, element=element).first()
            if use is None:
                raise ElementNotHeld("The claimed column is gone.", hint_zh="所主张的数据项已不存在。", element=element)
            _put_authority(element, use, actor, case_id=case.id)
            record.event("authority.moved", subject=f"element:{element}", payload={"resource": resource.pk})


def find_elements_held(actor: Actor, *, state: AuthorityState | None = None) -> list[ElementLine]:
    """Every element that a visible contract names, disputes and gaps first. ELEMENTS_SHOWN_MAX at most."""
    uses = ElementUse.objects.exclude(element="").filter(resource__in=_seen(actor)).select_related("resource__agency")
    by_element: defaultdict[str, list[ElementUse]] = defaultdict(list)
    for use in uses.order_by("element", "resource_id", "column_name"):
        by_element[use.element].append(use)
    held = ElementAuthority.objects.in_bulk(list(by_element))
    lines = [_line(element, found, held.get(element)) for element, found in by_element.items()]
    order = list(AuthorityState)[::-1]
    lines.sort(key=lambda line: (order.index(line.state), -len(line.holders), line.element))
    return [line for line in lines if state in (None, line.state)][:ELEMENTS_SHOWN_MAX]


def get_element_line(actor: Actor, element: str) -> ElementLine:
    """One element; NotFound when no visible contract names it."""
    uses = ElementUse.objects.filter(element=element, resource__in=_seen(actor)).select_related("resource__agency")
    found = list(uses.order_by("resource_id", "column_name"))
    if not found:
        raise NotFound("No contract names this element.", hint_zh="没有契约使用该数据元。", element=element)
    return _line(element, found, ElementAuthority.objects.filter(pk=element).first())


# Whose is a field -------------------------------------------------------------------------------------------------
def disown_field(actor: Actor, resource_id: str, column_name: str, to_agency: str, reason: str) -> CaseView:
    """Say that a field is not ours but another agency's: a case for that agency.

    Raises BadInput without a reason or for one's own agency, FieldSourceOpen, NotFound, NotAllowed.
    """
    resource, column = _find_field(resource_id, column_name)
    other = get_agency(to_agency)
    if not reason.strip():
        raise BadInput("Say why the field is theirs.", hint_zh="请写明理由。", field="reason")
    if other.id == resource.agency_id:
        raise BadInput("Name another agency.", hint_zh="请写其他部门。", field="to_agency")
    facts = {
        "column": column.name, "column_title": column.title, "to_agency": other.name,
        "to_agency_en": other.name_en or other.name, "reason": reason, "title_en": resource.title_en,
    }  # fmt: skip
    with action(FIELD_DISOWNED.verb, actor, _subject(resource), facts) as record:
        about = _field_subject(resource_id, column_name)
        _lock(about.id)
        if cases.find_open_cases(SOURCE_KIND, about):
            raise FieldSourceOpen("Wait for the answer.", hint_zh="请等待答复。", column=column_name)
        return record.done(_open_source_case(actor, resource, column, other.id, reason, tried=[resource.agency_id]))


class FieldSourceCase:
    """The kind of case by which an agency takes a field as its own, or gives it back; the bureau has the last word."""

    key = SOURCE_KIND
    title_zh, title_en = "数据项来源认定", "Whose field it is"

    def verb_of(self, decision: Decision) -> str:
        return FIELD_ACCEPTED.verb if decision is Decision.APPROVE else FIELD_RETURNED.verb

    def on_decided(self, case: CaseView, decision: Decision, reason: str, actor: Actor, record: ActionRecord) -> None:
        resource, column = _find_field(str(case.detail["resource"]), str(case.detail["column"]))
        named = get_agency(str(case.detail["agency"]))
        record.facts.update(
            column=column.name, column_title=column.title, title=resource.title_zh, reason=reason,
            title_en=resource.title_en or resource.id, to_agency=named.name, to_agency_en=named.name_en or named.name,
        )  # fmt: skip
        if decision is Decision.APPROVE:
            _put_source(resource, column.name, named.id, actor, case.id)
            record.event("field.source-decided", subject=f"resource:{resource.pk}", payload={"column": column.name})
        elif case.to_agency_id == _bureau():
            _put_source(resource, column.name, AgencyId(resource.agency_id), actor, case.id)
        else:
            said = f"{case.detail['reason']}；{case.to_agency_name}答复：{reason}"
            tried = [*case.detail["tried"], named.id]
            _open_source_case(actor, resource, column, _bureau(), said, tried=tried, named=named.id)


def find_fields(actor: Actor, resource_id: str) -> list[FieldLine]:
    """The fields of a resource with their elements and sources."""
    resource = catalog.get_resource(resource_id, actor)
    contract = catalog.get_contract(resource_id)
    decided = {row.column_name: row for row in FieldSource.objects.filter(resource_id=resource_id)}
    elements = [column.element for column in contract.columns if column.element]
    held = {row.element: row for row in ElementAuthority.objects.filter(pk__in=elements).select_related("resource")}
    lines = []
    for column in contract.columns:
        row, authority = decided.get(column.name), held.get(column.element)
        agency = get_agency(AgencyId(row.agency_id)) if row else _named_agency(column, resource.agency)
        lines.append(
            FieldLine(
                column=column.name,
                title_zh=column.title,
                title_en=column.title_en or column.name,
                element=column.element,
                authority_zh=authority.resource.title_zh if authority else "",
                authority_en=(authority.resource.title_en or authority.resource_id) if authority else "",
                is_authority=bool(authority and authority.resource_id == resource_id),
                agency=agency.code,
                agency_name=agency.name,
                agency_name_en=agency.name_en,
                material=column.source_material,
                is_decided=row is not None,
            )
        )
    return lines


def find_stages(contract: DataContract) -> list[StageLine]:
    """Who answers at each stage of the data's life, with the gaps."""
    return [
        StageLine(stage=stage.value, title_zh=zh, title_en=en, who=contract.stages.get(stage.value, ""))
        for stage, (zh, en) in STAGE_TITLES.items()
    ]


# Within -----------------------------------------------------------------------------------------------------------
def _seen(actor: Actor) -> QuerySet[Resource]:
    return policy.keep_allowed(Resource.objects.all(), actor, LIST_RESOURCE, "resource")


def _line(element: str, uses: Iterable[ElementUse], authority: ElementAuthority | None) -> ElementLine:
    known = find_element(element)
    holders = tuple(_holder(use, authority) for use in uses)
    if cases.find_open_cases(CLAIM_KIND, _element_subject(element)):
        state = AuthorityState.DISPUTED
    elif authority is None:
        state = AuthorityState.OPEN
    else:
        state = AuthorityState.HELD if _valid_authority(element) else AuthorityState.LOST
    return ElementLine(
        element=element,
        title_zh=known.title_zh if known else holders[0].column_title,
        title_en=(known.title_en if known else "") or element,
        state=state,
        holders=holders,
        since=clock.iso(authority.since) if authority else None,
        decided_by=authority.decided_by_name if authority else "",
    )


def _holder(use: ElementUse, authority: ElementAuthority | None) -> Holder:
    agency = use.resource.agency
    return Holder(
        resource_id=use.resource_id,
        resource_title=use.resource.title_zh,
        resource_title_en=use.resource.title_en,
        agency_id=agency.pk,
        agency=agency.code,
        agency_name=agency.name,
        agency_name_en=agency.name_en,
        column=use.column_name,
        column_title=use.column_title,
        is_authority=bool(
            authority and authority.resource_id == use.resource_id and authority.column_name == use.column_name
        ),
    )


def _valid_authority(element: str) -> ElementAuthority | None:
    """The authority, as long as its column is still there and still holds the element."""
    row = ElementAuthority.objects.filter(pk=element).first()
    if row is None:
        return None
    use = ElementUse.objects.filter(resource_id=row.resource_id, column_name=row.column_name, element=element)
    return row if use.exists() else None


def _put_authority(element: str, use: ElementUse, actor: Actor, *, case_id: str = "") -> None:
    ElementAuthority.objects.update_or_create(
        pk=element,
        defaults={
            "resource_id": use.resource_id,
            "column_name": use.column_name,
            "since": clock.now(),
            "decided_by": actor.id,
            "decided_by_name": actor.name,
            "case_id": case_id,
        },
    )


def _put_source(resource: Resource, column_name: str, agency_id: AgencyId, actor: Actor, case_id: str) -> None:
    FieldSource.objects.update_or_create(
        resource_id=resource.pk,
        column_name=column_name,
        defaults={"agency_id": agency_id, "decided_at": clock.now(), "decided_by": actor.id, "case_id": case_id},
    )


def _open_source_case(
    actor: Actor,
    resource: Resource,
    column: Column,
    to: AgencyId,
    reason: str,
    *,
    tried: list[str],
    named: AgencyId | None = None,
) -> CaseView:
    return cases.open_case(
        kind=SOURCE_KIND,
        title_zh=f"“{resource.title_zh}”的“{column.title}”由谁产生",
        title_en=f"Whose is {column.title_en or column.name} of {resource.title_en or resource.pk}",
        subject=_field_subject(resource.pk, column.name),
        actor=actor,
        from_agency_id=AgencyId(resource.agency_id),
        to_agency_id=to,
        allowance_days=RESPONSIBILITY_DAYS,
        detail={
            "resource": resource.pk, "column": column.name, "agency": named or to, "reason": reason, "tried": tried
        },
    )  # fmt: skip


def _find_field(resource_id: str, column_name: str) -> tuple[Resource, Column]:
    resource = Resource.objects.select_related("agency").filter(pk=resource_id).first()
    column = catalog.get_contract(resource_id).by_name.get(column_name) if resource else None
    if resource is None or column is None:
        raise NotFound("There is no such field.", hint_zh="没有这个数据项。", resource=resource_id, column=column_name)
    return resource, column


def _named_agency(column: Column, own: str) -> AgencySummary:
    """The agency that the contract names for the field, its own otherwise."""
    try:
        return get_agency(column.source_agency or own)
    except NotFound:
        return get_agency(own)


def _bureau() -> AgencyId:
    found = find_agencies_with(Role.BUREAU)
    if not found:
        raise NotFound("No agency has a member of the bureau yet.", hint_zh="平台还没有主管部门成员。")
    return found[0].id


def _subject(resource: Resource) -> Subject:
    return Subject(kind="resource", id=resource.pk, agency_id=AgencyId(resource.agency_id), name=resource.title_zh)


def _element_subject(element: str) -> Subject:
    return Subject(kind="element", id=element, name=element)


def _field_subject(resource_id: str, column: str) -> Subject:
    return Subject(kind="field", id=f"{resource_id}.{column}", name=f"{resource_id}.{column}")


def _lock(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 1))", [f"catalog.responsibility:{name}"])
