"""The catalogue's verbs: apply a contract, find and read resources and contract versions, write facets down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import orjson
from django.db import connection
from django.db.models import QuerySet

from datong.catalog.contracts import (
    CONTRACT_BREAKING,
    ApprovalNeeded,
    BreakingChange,
    ContractApplied,
    ContractVersionNotFound,
    ContractVersionView,
    ProviderConflict,
    ResourceNotFound,
    ResourceView,
    VersionConflict,
    VersionTooLow,
)
from datong.catalog.model import ContractDiff, diff_contracts
from datong.catalog.odcs import DataContract, parse_contract
from datong.catalog.plugs import CONTRACT_APPLIED, LIST_RESOURCE
from datong.catalog.store import search_index
from datong.catalog.store.models import ContractVersion, ElementUse, Facet, Resource
from datong.kernel import clock
from datong.kernel.action.service import ActionRecord, action, check_permission
from datong.kernel.config import load_settings
from datong.kernel.contracts import Actor, Subject
from datong.kernel.failures import TooLarge
from datong.kernel.identity.contracts import AgencySummary
from datong.kernel.identity.service import find_english_names, get_agency
from datong.kernel.ids import AgencyId, ResourceId
from datong.kernel.limits import BREAKING_CHANGES_TOLD_MAX, FACET_BYTES_MAX, PAGE_ROWS_DEFAULT
from datong.kernel.paging import Page
from datong.kernel.policy import service as policy
from datong.kernel.policy.contracts import Decision
from datong.kernel.store.pages import page_of

_EDITED_ELSEWHERE = "Read the current contract, put your change into it, and apply it with the current version as base."
_EDITED_ELSEWHERE_ZH = "请先读取现行契约，在其上修改，再以现行版本为基础提交。"


# Contracts --------------------------------------------------------------------------------------------------------
def apply_contract(actor: Actor, text: str, *, base_version: str | None) -> ContractApplied:
    """Make this text the current contract of its resource; the first one makes the resource.

    `base_version` is the version that the edit was made from, None for a new resource: if the current one is another,
    `VersionConflict`. A breaking change without a new major version is `BreakingChange` with the list; any other
    change needs a higher version too (`VersionTooLow`). The current text again changes nothing. The actor must be a
    steward of the agency that provides the resource.
    """
    contract = parse_contract(text)
    agency = get_agency(contract.agency)
    resource = Resource.objects.select_related("agency").filter(pk=contract.id).first()
    owner = AgencyId(resource.agency_id) if resource else agency.id
    subject = Subject(kind="resource", id=contract.id, agency_id=owner, name=contract.title_zh)
    if resource and _current(resource).digest == contract.digest:
        check_permission(CONTRACT_APPLIED.verb, actor, subject)
        return _unchanged(contract)
    facts = {"version": contract.version, "title_en": contract.title_en}
    with action(CONTRACT_APPLIED.verb, actor, subject, facts) as record:
        if load_settings().contract_approval:
            raise ApprovalNeeded(
                "Submit the contract on its page; an approver of the agency puts it in force.",
                hint_zh="请在契约页面提交审核，由本部门审批人批准后生效。",
                resource=contract.id,
            )
        return record.done(put_contract(record, contract, base_version))


def put_contract(record: ActionRecord, contract: DataContract, base_version: str | None) -> ContractApplied:
    """Make a contract current inside the caller's action, whose permission has been checked. See `apply_contract`."""
    agency = get_agency(contract.agency)
    _lock_resource(contract.id)
    resource = Resource.objects.select_related("agency").filter(pk=contract.id).first()
    previous = _current(resource) if resource else None
    if previous and previous.digest == contract.digest:
        return _unchanged(contract)
    _check_base(contract, previous, base_version)
    diff = None
    if resource and previous:
        _check_provider(contract, resource)
        diff = diff_contracts(parse_contract(previous.text), contract)
        check_version(contract, diff)
    _write_contract(record, contract, agency)
    return _tell(record, contract, previous, diff)


def get_contract(resource_id: ResourceId | str, version: str | None = None) -> DataContract:
    """The current contract of a resource, or the version asked for. Checks no permission: pages call `get_resource`."""
    rows = ContractVersion.objects.filter(resource_id=resource_id)
    if version is None:
        resource = Resource.objects.filter(pk=resource_id).only("current_version").first()
        if resource is None:
            raise _no_resource(resource_id)
        version = resource.current_version
    row = rows.filter(version=version).first()
    if row is None:
        raise ContractVersionNotFound(
            f"`{resource_id}` has no contract version {version}.",
            hint_zh=f"“{resource_id}”没有契约版本{version}。",
            resource=str(resource_id),
            version=version,
        )
    return parse_contract(row.text, source_name=f"{resource_id} {version}")


def find_contract_versions(resource_id: ResourceId | str) -> list[ContractVersionView]:
    """Every version of a resource's contract, newest first."""
    rows = list(ContractVersion.objects.filter(resource_id=resource_id).defer("text").order_by("-applied_at", "-id"))
    english = find_english_names(row.applied_by for row in rows)
    return [
        ContractVersionView(
            id=row.id,
            resource_id=row.resource_id,
            version=row.version,
            digest=row.digest,
            applied_by=row.applied_by_name or row.applied_by,
            applied_at=clock.iso(row.applied_at),
            applied_by_en=english.get(row.applied_by, ""),
        )
        for row in rows
    ]


# Resources --------------------------------------------------------------------------------------------------------
def get_resource(resource_id: ResourceId | str, actor: Actor | None = None) -> ResourceView:
    """A catalogue entry with its facets. With an actor, one that they may not see is `ResourceNotFound`."""
    row = Resource.objects.select_related("agency").filter(pk=resource_id).first()
    if row is None or (actor is not None and not explain_resource(actor, resource_id).allowed):
        raise _no_resource(resource_id)
    return _view(row, _facets([row.id])[row.id])


def get_resources(resource_ids: Iterable[str]) -> dict[str, ResourceView]:
    """Catalogue entries by id; ids that do not exist are left out. Checks no permission."""
    rows = list(Resource.objects.select_related("agency").filter(pk__in=set(resource_ids)))
    facets = _facets([row.id for row in rows])
    return {row.id: _view(row, facets[row.id]) for row in rows}


def explain_resource(actor: Actor, resource_id: ResourceId | str) -> Decision:
    """Why this actor sees the entry, or does not: the same query as the list."""
    return policy.explain(actor, LIST_RESOURCE, "resource", str(resource_id))


def find_resources(
    actor: Actor,
    *,
    agency: str = "",
    cursor: str | None = None,
    limit: int = PAGE_ROWS_DEFAULT,
) -> Page[ResourceView]:
    """A page of the entries that the actor may see, by id; `agency` is a code. Words are `search.service`'s matter."""
    rows = _allowed_rows(actor)
    if agency:
        rows = rows.filter(agency__code=agency)
    page = page_of(
        rows,
        name="catalog.resources",
        order=("id",),
        filters={"agency": agency, "actor": actor.id},
        cursor=cursor,
        limit=limit,
    )
    facets = _facets([row.id for row in page.items])
    return page.map(lambda row: _view(row, facets[row.id]))


def find_titles(resource_ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """The Chinese and English titles of resources, by id. Checks no permission: for rows that hold only the id."""
    rows = Resource.objects.filter(pk__in=set(resource_ids)).values_list("pk", "title_zh", "title_en")
    return {resource_id: (zh, en) for resource_id, zh, en in rows}


def put_facet(resource_id: ResourceId | str, name: str, value: Any) -> None:
    """Write a value of a higher part down on a resource, in the caller's transaction. JSON up to FACET_BYTES_MAX."""
    size_bytes = len(orjson.dumps(value))
    if size_bytes > FACET_BYTES_MAX:
        raise TooLarge(f"A facet has at most {FACET_BYTES_MAX} bytes.", name=name, size_bytes=size_bytes)
    if not Resource.objects.filter(pk=resource_id).exists():
        raise _no_resource(resource_id)
    Facet.objects.update_or_create(resource_id=resource_id, name=name, defaults={"value": value, "at": clock.now()})
    if name in search_index.INDEXED_FACETS:
        search_index.write_entry(str(resource_id))


# Within -----------------------------------------------------------------------------------------------------------
def _unchanged(contract: DataContract) -> ContractApplied:
    return ContractApplied(
        resource_id=contract.id,
        version=contract.version,
        previous_version=contract.version,
        digest=contract.digest,
        changed=False,
        created=False,
    )


def _current(resource: Resource) -> ContractVersion:
    return ContractVersion.objects.get(resource_id=resource.id, version=resource.current_version)


def _lock_resource(resource_id: str) -> None:
    """Contracts of one resource are applied one after another; the lock ends with the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 1))", [f"catalog.resource:{resource_id}"])


def _check_base(contract: DataContract, previous: ContractVersion | None, base_version: str | None) -> None:
    current = previous.version if previous else None
    if current == base_version:
        return
    if current is None:
        hint, hint_zh = (
            f"`{contract.id}` does not exist yet: apply it without a base version.",
            "该资源尚不存在，首次提交不写基础版本。",
        )
    else:
        made_from = base_version or "nothing"
        hint = f"The current version is {current}, this edit was made from {made_from}. {_EDITED_ELSEWHERE}"
        hint_zh = f"现行版本是{current}，本次修改基于{base_version or '空'}。{_EDITED_ELSEWHERE_ZH}"
    raise VersionConflict(
        hint, hint_zh=hint_zh, resource=contract.id, current_version=current, base_version=base_version
    )


def _check_provider(contract: DataContract, resource: Resource) -> None:
    if resource.agency.code != contract.agency:
        raise ProviderConflict(
            f"`{contract.id}` is provided by {resource.agency.code}; the contract says {contract.agency}.",
            hint_zh=f"“{contract.id}”由{resource.agency.name}提供，契约写的是{contract.agency}。请换一个资源标识。",
            resource=contract.id,
            agency=resource.agency.code,
        )


def check_version(contract: DataContract, diff: ContractDiff) -> None:
    """Whether the version says what the change is. Raises `BreakingChange` or `VersionTooLow`."""
    if diff.allows(contract.version):
        return
    facts = {
        "resource": contract.id,
        "current_version": diff.old_version,
        "given_version": contract.version,
        "required_version": diff.required_version,
    }
    if diff.breaking:
        raise BreakingChange(
            f"Set the version to {diff.required_version} or higher, or take back: "
            + "; ".join(change.sentence_en for change in diff.breaking)
            + ".",
            hint_zh=f"请把版本升为{diff.required_version}，或撤回："
            + "；".join(change.sentence_zh for change in diff.breaking)
            + "。",
            breaking=[change.as_dict() for change in diff.breaking],
            **facts,
        )
    raise VersionTooLow(
        f"Set the version to {diff.required_version} or higher.",
        hint_zh=f"请把版本升为{diff.required_version}或更高。",
        **facts,
    )


def _write_contract(record: ActionRecord, contract: DataContract, agency: AgencySummary) -> None:
    now = clock.now()
    entry = {
        "title_zh": contract.title_zh,
        "title_en": contract.title_en,
        "description": contract.description,
        "directory_code": contract.directory_code,
        "sharing": contract.sharing.type.value,
        "update_cycle": contract.update_cycle.value,
        "grade_max": contract.grade_max,
        "columns_count": len(contract.columns),
        "current_version": contract.version,
        "updated_at": now,
    }
    _check_directory_code(contract)
    Resource.objects.update_or_create(
        pk=contract.id,
        defaults=entry,
        create_defaults={**entry, "agency_id": agency.id, "created_at": now},
    )
    ContractVersion.objects.create(
        resource_id=contract.id,
        version=contract.version,
        text=contract.text,
        digest=contract.digest,
        applied_by=record.actor.id,
        applied_by_name=record.actor.name,
        applied_at=now,
    )
    search_index.write_entry(contract.id, contract)
    _write_element_uses(contract)


def _write_element_uses(contract: DataContract) -> None:
    ElementUse.objects.filter(resource_id=contract.id).delete()
    ElementUse.objects.bulk_create(
        ElementUse(resource_id=contract.id, column_name=column.name, column_title=column.title, element=column.element)
        for column in contract.columns
        if column.element
    )


def _check_directory_code(contract: DataContract) -> None:
    other = Resource.objects.filter(directory_code=contract.directory_code).exclude(pk=contract.id).first()
    if contract.directory_code and other:
        raise ProviderConflict(
            f"The directory code {contract.directory_code} already belongs to `{other.id}`. Give another sequence.",
            hint_zh=f"目录编码{contract.directory_code}已用于“{other.title_zh}”，请换一个顺序码。",
            directory_code=contract.directory_code,
        )


def _tell(
    record: ActionRecord, contract: DataContract, previous: ContractVersion | None, diff: ContractDiff | None
) -> ContractApplied:
    """Fill the audit row, tell the listeners, and say what was done."""
    applied = ContractApplied(
        resource_id=contract.id,
        version=contract.version,
        previous_version=previous.version if previous else None,
        digest=contract.digest,
        changed=True,
        created=previous is None,
        breaking=diff.breaking if diff else (),
        compatible=diff.compatible if diff else (),
    )
    facts = {
        "resource": contract.id,
        "version": applied.version,
        "previous_version": applied.previous_version,
        "digest": applied.digest,
        "level": diff.level.value if diff else "new",
    }
    record.facts.update(facts, breaking=[change.code for change in applied.breaking][:50])
    record.event("contract.applied", subject=f"resource:{contract.id}", payload=facts)
    if applied.breaking:
        record.event(CONTRACT_BREAKING, subject=f"resource:{contract.id}", payload=_breaking_payload(contract, applied))
    return applied


def _breaking_payload(contract: DataContract, applied: ContractApplied) -> dict[str, Any]:
    """What grantees are told. A very long list is cut; the diff of the two versions has all."""
    told = applied.breaking[:BREAKING_CHANGES_TOLD_MAX]
    return {
        "resource": contract.id,
        "title_zh": contract.title_zh,
        "title_en": contract.title_en,
        "from": applied.previous_version,
        "to": applied.version,
        "breaking": [change.as_dict() for change in told],
        "breaking_count": len(applied.breaking),
    }


def _allowed_rows(actor: Actor) -> QuerySet[Resource]:
    """The entries that the policy allows, as a queryset that other filters join."""
    return policy.keep_allowed(Resource.objects.select_related("agency"), actor, LIST_RESOURCE, "resource")


def _facets(resource_ids: list[str]) -> defaultdict[str, dict[str, Any]]:
    found: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for facet in Facet.objects.filter(resource_id__in=resource_ids):
        found[facet.resource_id][facet.name] = facet.value
    return found


def _view(row: Resource, facets: dict[str, Any]) -> ResourceView:
    return ResourceView(
        id=row.id,
        title_zh=row.title_zh,
        title_en=row.title_en,
        description=row.description,
        agency_id=row.agency_id,
        agency=row.agency.code,
        agency_name=row.agency.name,
        directory_code=row.directory_code,
        sharing=row.sharing,
        update_cycle=row.update_cycle,
        grade_max=row.grade_max,
        columns_count=row.columns_count,
        current_version=row.current_version,
        state=row.state,
        created_at=clock.iso(row.created_at),
        updated_at=clock.iso(row.updated_at),
        facets=facets,
        agency_name_en=row.agency.name_en,
    )


def _no_resource(resource_id: ResourceId | str) -> ResourceNotFound:
    return ResourceNotFound(
        "See `datong resource list` for those that you may see.",
        hint_zh="可在“信息资源”中查看你有权查看的资源。",
        resource=str(resource_id),
    )
