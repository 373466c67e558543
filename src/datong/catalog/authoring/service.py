"""The verbs of authoring: save a draft, review it, submit it, decide it; hand out directory codes; take a workbook in.

A draft comes in force by its case: an approver of the agency approves, and the contract is put in force in the
decision's own transaction with compare-and-set on the version that the draft was made from.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection, transaction
from django.db.models import Q

from datong.cases import service as cases
from datong.cases.contracts import CaseView, Decision
from datong.catalog import service as catalog
from datong.catalog.authoring import checks
from datong.catalog.authoring.contracts import (
    ChecksBlock,
    DraftChanged,
    DraftNotFound,
    DraftReview,
    DraftState,
    DraftUnderReview,
    DraftView,
)
from datong.catalog.authoring.form_values import skeleton
from datong.catalog.canonical import canonical_text
from datong.catalog.contracts import ContractApplied, ContractInvalid, ContractVersionNotFound, VersionConflict
from datong.catalog.directory import is_directory_code, is_directory_front
from datong.catalog.model import diff_contracts
from datong.catalog.odcs import DataContract, find_objections, lint_contract, parse_contract
from datong.catalog.store import search_index
from datong.catalog.store.draft_models import OPEN_STATES, ContractDraft
from datong.catalog.store.models import Resource
from datong.catalog.workbook.reading import BookRead, read_workbook
from datong.catalog.yaml_text import read_yaml
from datong.kernel import clock
from datong.kernel.action.service import ActionRecord, action, check_permission, is_allowed
from datong.kernel.contracts import Actor, Subject
from datong.kernel.failures import BadInput, NotAllowed, TooLarge
from datong.kernel.identity.service import find_agencies, find_english_names, get_agency
from datong.kernel.ids import AgencyId, CaseId, ResourceId
from datong.kernel.limits import CONTRACT_APPROVAL_DAYS, CONTRACT_BYTES_MAX, DOUBLES_COMPARED_MAX
from datong.standards.elements import find_element, find_elements

CASE_KIND = "contract-approval"
SAVED, DISCARDED, SUBMITTED = "contract.draft-saved", "contract.draft-discarded", "contract.submitted"
APPROVED, REFUSED = "contract.approved", "contract.refused"
_SEQUENCE_DIGITS = 6


# Drafts -----------------------------------------------------------------------------------------------------------
def get_draft(actor: Actor, draft_id: str) -> DraftView:
    """A draft of the actor's own agency. Raises DraftNotFound."""
    row = ContractDraft.objects.select_related("agency").filter(pk=draft_id).first()
    if row is None or not _may_see(actor, row):
        raise _no_draft(draft_id)
    return _view(row)


def open_draft(actor: Actor, resource_id: str) -> DraftView:
    """The open draft of a resource; else one of revision 0 that holds the contract in force. Nothing is written.

    Raises ResourceNotFound, and NotAllowed for another agency's resource.
    """
    row = _open_row(resource_id)
    if row is not None and _may_see(actor, row):
        return _view(row)
    resource = catalog.get_resource(ResourceId(resource_id), actor)
    subject = Subject(kind="resource", id=resource.id, agency_id=AgencyId(resource.agency_id), name=resource.title_zh)
    check_permission(SAVED, actor, subject)
    contract = catalog.get_contract(ResourceId(resource_id))
    return DraftView(
        id="",
        resource_id=resource.id,
        agency_id=resource.agency_id,
        agency=resource.agency,
        title_zh=contract.title_zh,
        text=contract.text,
        base_version=contract.version,
        revision=0,
        state=DraftState.DRAFT,
    )


def new_draft(actor: Actor, resource_id: str, title_zh: str) -> DraftView:
    """Begin a contract from nothing for the actor's own agency."""
    agency = get_agency(_own_agency(actor))
    text = canonical_text(skeleton(agency.code, resource_id.strip(), title_zh.strip()))
    if Resource.objects.filter(pk=resource_id.strip()).exists() or _open_row(resource_id.strip()) is not None:
        raise VersionConflict(
            f"`{resource_id}` exists already, or somebody is writing it. Choose another id.",
            hint_zh=f"“{resource_id}”已存在或正在编写，请换一个资源标识。",
            resource=resource_id,
        )
    return save_draft(actor, resource_id.strip(), text, base_version=None, revision=0)


def save_draft(actor: Actor, resource_id: str, text: str, *, base_version: str | None, revision: int) -> DraftView:
    """Keep a text, faulty or not, as the resource's draft. `revision` is the one that the edit was made from.

    A directory code of which only the front is written gets its sequence here. Raises DraftChanged when somebody saved
    since, DraftUnderReview when it is submitted, TooLarge, and BadInput for a text that is not one of this resource.
    """
    text = complete_code(_bounded(text))
    facts = _facts_of(text, resource_id)
    subject = _subject_for(actor, resource_id, facts["title"])
    with action(SAVED, actor, subject, facts={"resource": resource_id}) as record:
        _lock(resource_id)
        row = _open_row(resource_id)
        if row is not None and row.state == DraftState.SUBMITTED:
            raise DraftUnderReview("Withdraw it first.", hint_zh="请先撤回再修改。", draft=row.id)
        if (row.revision if row else 0) != revision:
            raise DraftChanged(
                f"{row.saved_by_name if row else 'Somebody'} saved it since. Copy your text, then reload.",
                hint_zh=f"{row.saved_by_name if row else '他人'}在你打开之后保存过。请先复制你的改动，再重新打开。",
                revision=row.revision if row else 0,
            )
        if row is None:
            row = ContractDraft(resource_id=resource_id, base_version=base_version)
            row.agency_id = str(subject.agency_id)
            row.revision = 0
        row.text, row.title_zh, row.directory_code = text, facts["title"], facts["directory_code"]
        row.revision += 1
        row.saved_by, row.saved_by_name, row.saved_at = actor.id, actor.name, clock.now()
        row.save()
        record.facts["revision"] = row.revision
        return record.done(_view(row))


def discard_draft(actor: Actor, draft_id: str) -> None:
    """Give a draft up, or take it back from the approver to go on editing it."""
    row = _row(actor, draft_id)
    with action(DISCARDED, actor, _subject(row), facts={"resource": row.resource_id, "state": row.state}):
        if row.state == DraftState.SUBMITTED:
            cases.withdraw_case(CaseId(row.case_id), actor, "")
            row.state, row.case_id = DraftState.DRAFT, ""
        else:
            row.state = DraftState.DISCARDED
        row.save()


def rebase_draft(actor: Actor, draft_id: str) -> DraftView:
    """Say that the draft now stands on the contract in force: its writer has read what changed meanwhile."""
    row = _row(actor, draft_id)
    check_permission(SAVED, actor, _subject(row))
    _require_draft(row)
    current = catalog.get_contract(ResourceId(row.resource_id)).version
    with action(SAVED, actor, _subject(row), facts={"resource": row.resource_id, "base": current}) as record:
        row.base_version, row.revision = current, row.revision + 1
        row.save()
        return record.done(_view(row))


def find_drafts(actor: Actor) -> list[DraftView]:
    """The open drafts of the actor's agency, the latest first."""
    rows = ContractDraft.objects.select_related("agency").filter(state__in=OPEN_STATES, agency_id=actor.agency_id)
    return [_view(row) for row in rows]


def count_drafts(actor: Actor) -> int:
    """How many drafts of the actor's agency are open."""
    return ContractDraft.objects.filter(state__in=OPEN_STATES, agency_id=actor.agency_id).count()


# Review and approval ----------------------------------------------------------------------------------------------
def review_text(text: str, *, base_version: str | None) -> DraftReview:
    """What is wrong with a text, what it changes, what that breaks, and what the four checks say."""
    findings = lint_contract(text)
    if findings:
        return DraftReview(findings=findings)
    contract = parse_contract(text)
    current = _current(contract.id)
    diff = diff_contracts(current, contract) if current else None
    return DraftReview(
        findings=(),
        objections=find_objections(contract, text),
        breaking=diff.breaking if diff else (),
        compatible=diff.compatible if diff else (),
        checks=check_contract(contract),
        current_version=current.version if current else None,
        required_version=diff.required_version if diff else contract.version,
        version_is_enough=diff.allows(contract.version) and diff.level != "none" if diff else True,
        is_stale=(current.version if current else None) != base_version,
    )


def check_contract(contract: DataContract) -> tuple[checks.CheckFinding, ...]:
    """The four checks against the catalogue and the standards as they are now."""
    known = checks.Known(
        others=_others(contract),
        agencies=frozenset(word for one in find_agencies() for word in (one.code, one.name)),
        has_element=lambda identifier: find_element(identifier) is not None,
        element_of=_element_of,
    )
    return checks.check_draft(contract, known)


def submit_draft(actor: Actor, draft_id: str) -> DraftView:
    """Ask for approval. Raises ContractInvalid, VersionConflict, BreakingChange, VersionTooLow or ChecksBlock."""
    row = _row(actor, draft_id)
    check_permission(SUBMITTED, actor, _subject(row))
    _require_draft(row)
    contract = parse_contract(row.text)
    review = review_text(row.text, base_version=row.base_version)
    if review.is_stale:
        raise _stale(row, review.current_version)
    if review.objections:
        raise ContractInvalid(review.objections)
    current = _current(contract.id)
    if current:
        catalog.check_version(contract, diff_contracts(current, contract))
    if any(one.blocks for one in review.checks):
        raise ChecksBlock(review.checks)
    facts = {"resource": row.resource_id, "version": contract.version, "title_en": contract.title_en}
    with action(SUBMITTED, actor, _subject(row), facts=facts) as record:
        case = cases.open_case(
            kind=CASE_KIND,
            title_zh=f"数据契约“{contract.title_zh}”{contract.version}版",
            title_en=f"Contract of “{contract.title_en or contract.title_zh}”, version {contract.version}",
            subject=_subject(row),
            actor=actor,
            from_agency_id=AgencyId(row.agency_id),
            to_agency_id=AgencyId(row.agency_id),
            allowance_days=CONTRACT_APPROVAL_DAYS,
            detail={"resource": row.resource_id, "version": contract.version, "breaking": len(review.breaking)},
        )
        row.state, row.case_id, row.submitted_by = DraftState.SUBMITTED, case.id, actor.id
        row.save()
        record.facts["case"] = case.number
        return record.done(_view(row))


def decide_draft(actor: Actor, draft_id: str, decision: Decision, reason: str) -> DraftView:
    """Approve or refuse a submitted draft, as a decision of its case."""
    row = _row(actor, draft_id)
    cases.decide_case(actor, CaseId(row.case_id), decision, reason)
    return get_draft(actor, draft_id)


class ContractApprovalCase:
    """The kind of case by which a contract comes in force."""

    key = CASE_KIND
    title_zh, title_en = "契约审核", "Contract approval"

    def verb_of(self, decision: Decision) -> str:
        return APPROVED if decision is Decision.APPROVE else REFUSED

    def on_decided(self, case: CaseView, decision: Decision, reason: str, actor: Actor, record: ActionRecord) -> None:
        """Approval puts the contract in force, in the decision's transaction; refusal gives the draft back."""
        row = ContractDraft.objects.select_for_update().get(pk=case.subject_id)
        if decision is Decision.APPROVE:
            if actor.id == row.submitted_by:
                raise NotAllowed(
                    "Somebody else must approve what you submitted yourself.", hint_zh="不能审批自己提交的契约。"
                )
            catalog.put_contract(record, parse_contract(row.text), row.base_version)
            row.state = DraftState.APPROVED
        else:
            record.facts["resource"] = row.resource_id
            row.state, row.reason = DraftState.REFUSED, reason
        row.save()


# Directory codes --------------------------------------------------------------------------------------------------
def next_directory_code(front: str) -> str:
    """The front part with the next free sequence, six digits, over resources and open drafts. Unique in the catalogue.

    Nothing is reserved: the code is kept by whoever first saves it in a draft or contract (both are looked at here,
    under one lock for each front, and the catalogue refuses a second holder).
    """
    if not is_directory_front(front):
        raise BadInput(
            f"`{front}` is not the front of a directory code. Write e.g. 101001.",
            hint_zh=f"“{front}”不是目录编码的前段，应如101001。",
            value=front,
        )
    prefix = f"{front}/"
    held = [
        *Resource.objects.filter(directory_code__startswith=prefix).values_list("directory_code", flat=True),
        *ContractDraft.objects.filter(directory_code__startswith=prefix, state__in=OPEN_STATES).values_list(
            "directory_code", flat=True
        ),
    ]
    last = max((int(code.removeprefix(prefix)) for code in held if is_directory_code(code)), default=0)
    return f"{prefix}{last + 1:0{_SEQUENCE_DIGITS}d}"


def complete_code(text: str) -> str:
    """The contract's text with a sequence given to a directory code of which only the front is written."""
    data = read_yaml(text).data
    words = data.get("customProperties") if isinstance(data, dict) else None
    for word in words if isinstance(words, list) else []:
        if isinstance(word, dict) and word.get("property") == "directoryCode":
            front = str(word.get("value", "")).rstrip("/")
            if is_directory_front(front):
                with transaction.atomic():
                    _lock(f"directory:{front}")
                    word["value"] = next_directory_code(front)
                return canonical_text(data)
    return text


# Workbooks --------------------------------------------------------------------------------------------------------
def read_book(actor: Actor, payload: bytes) -> BookRead:
    """Every resource of a filled-in template with every fault at its cell. Nothing is written."""
    return read_workbook(payload, _find_contract, agency=get_agency(_own_agency(actor)).code)


def save_book(actor: Actor, book: BookRead) -> list[DraftView]:
    """Keep every resource of a workbook as a draft, all or none. An open draft of the same resource is replaced."""
    with transaction.atomic():
        return [
            save_draft(
                actor,
                one.resource_id,
                one.text,
                base_version=one.base_version,
                revision=row.revision if (row := _open_row(one.resource_id)) else 0,
            )
            for one in book.resources
        ]


def apply_book(actor: Actor, book: BookRead, *, one_by_one: Callable[[ContractApplied], None]) -> None:
    """Make every contract of a workbook current, each with compare-and-set on the version it was made from.

    Each is an action of its own and told to `one_by_one`; the first that fails stops, and those before it stand.
    """
    for one in book.resources:
        text = complete_code(one.text)
        one_by_one(catalog.apply_contract(actor, text, base_version=one.base_version))


# Within -----------------------------------------------------------------------------------------------------------
def _find_contract(resource_id: str, version: str) -> DataContract | None:
    try:
        return catalog.get_contract(ResourceId(resource_id), version)
    except ContractVersionNotFound:
        return None


def _current(resource_id: str) -> DataContract | None:
    row = Resource.objects.filter(pk=resource_id).only("current_version").first()
    return catalog.get_contract(ResourceId(resource_id), row.current_version) if row else None


def _others(contract: DataContract) -> list[checks.OtherResource]:
    """The resources that the checks need: namesakes, holders of the code, those named, and possible doubles."""
    keys = [*contract.references, *(key for column in contract.columns for key in column.references)]
    named = {*contract.directory.related, *(key.resource_id for key in keys)}
    near = Q(title_zh=contract.title_zh) | Q(pk__in=named) | Q(directory_code__in=named - {""})
    if contract.directory_code:
        near |= Q(directory_code=contract.directory_code)
    rows = list(Resource.objects.select_related("agency").filter(near).exclude(pk=contract.id))
    doubles = Resource.objects.select_related("agency").exclude(pk__in=[contract.id, *(row.pk for row in rows)])
    doubles = doubles.filter(pk__in=search_index.find_with_columns([c.title for c in contract.columns[:3] if c.title]))
    width = len(contract.columns)
    doubles = doubles.filter(columns_count__gte=width * 0.75, columns_count__lte=width / 0.75 + 1)
    found = []
    for row in [*rows, *(doubles[:DOUBLES_COMPARED_MAX] if width else ())]:
        columns = catalog.get_contract(ResourceId(row.pk), row.current_version).columns
        found.append(
            checks.OtherResource(
                id=row.pk,
                title=row.title_zh,
                agency=row.agency.code,
                agency_name=row.agency.name,
                directory_code=row.directory_code,
                columns=frozenset(column.title for column in columns if column.title),
                column_names=frozenset(column.name for column in columns),
            )
        )
    return found


def _element_of(title: str) -> str:
    found = [element.id for element in find_elements(title, limit=5) if element.title_zh == title] if title else []
    return found[0] if len(found) == 1 else ""


def _facts_of(text: str, resource_id: str) -> dict[str, str]:
    """Title and directory code of a text that may be faulty. Raises BadInput when its id is another resource's."""
    data = read_yaml(text).data
    mapping = data if isinstance(data, dict) else {}
    given = mapping.get("id")
    if isinstance(given, str) and given and given != resource_id:
        raise BadInput(
            f"The text is a contract of `{given}`, this draft is of `{resource_id}`; a resource's id never changes.",
            hint_zh=f"文本是“{given}”的契约，本草稿属于“{resource_id}”；资源标识不能改变。",
            id=given,
        )
    words = mapping.get("customProperties")
    codes = [
        word.get("value")
        for word in (words if isinstance(words, list) else [])
        if isinstance(word, dict) and word.get("property") == "directoryCode"
    ]
    title = mapping.get("name")
    return {
        "title": title if isinstance(title, str) and title.strip() else resource_id,
        "directory_code": codes[0] if codes and isinstance(codes[0], str) else "",
    }


def _bounded(text: str) -> str:
    text = text.replace("\r\n", "\n")
    if len(text.encode("utf-8", "surrogatepass")) > CONTRACT_BYTES_MAX:
        raise TooLarge(
            f"A contract has at most {CONTRACT_BYTES_MAX} bytes.",
            hint_zh=f"一份契约最大{CONTRACT_BYTES_MAX}字节。",
            limit_bytes=CONTRACT_BYTES_MAX,
        )
    return text


def _own_agency(actor: Actor) -> AgencyId:
    if actor.agency_id is None:
        raise NotAllowed("Only members of an agency write contracts.", hint_zh="只有部门工作人员可以编写契约。")
    return actor.agency_id


def _open_row(resource_id: str) -> ContractDraft | None:
    rows = ContractDraft.objects.select_related("agency").filter(resource_id=resource_id, state__in=OPEN_STATES)
    return rows.first()


def _row(actor: Actor, draft_id: str) -> ContractDraft:
    row = ContractDraft.objects.select_related("agency").filter(pk=draft_id).first()
    if row is None or not _may_see(actor, row):
        raise _no_draft(draft_id)
    return row


def _require_draft(row: ContractDraft) -> None:
    if row.state != DraftState.DRAFT:
        raise DraftUnderReview("It is submitted or decided already.", hint_zh="草稿已经提交或办结。", draft=row.pk)


def _may_see(actor: Actor, row: ContractDraft) -> bool:
    return actor.is_member and actor.agency_id == row.agency_id


def may_edit(actor: Actor, agency_id: str) -> bool:
    """Whether to show the way into the editor."""
    return is_allowed(SAVED, actor, Subject(kind="resource", id="", agency_id=AgencyId(agency_id), name=""))


def _no_draft(draft_id: str) -> DraftNotFound:
    return DraftNotFound("Open the resource's page.", hint_zh="请从信息资源页进入。", draft=draft_id)


def _subject_for(actor: Actor, resource_id: str, title: str) -> Subject:
    resource = Resource.objects.filter(pk=resource_id).first()
    owner = AgencyId(resource.agency_id) if resource else _own_agency(actor)
    return Subject(kind="resource", id=resource_id, agency_id=owner, name=title)


def _subject(row: ContractDraft) -> Subject:
    return Subject(kind="contract-draft", id=row.pk, agency_id=AgencyId(row.agency_id), name=row.title_zh)


def _stale(row: ContractDraft, current: str | None) -> VersionConflict:
    return VersionConflict(
        f"The contract in force is {current}, the draft was made from {row.base_version}. Read what changed, go on.",
        hint_zh=f"现行版本已是{current}，草稿基于{row.base_version or '空'}。请先查看差异，再继续提交。",
        resource=row.resource_id,
        current_version=current,
        base_version=row.base_version,
    )


def _lock(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 1))", [f"catalog.draft:{name}"])


def _view(row: ContractDraft) -> DraftView:
    english = find_english_names([row.saved_by])
    return DraftView(
        id=row.pk,
        resource_id=row.resource_id,
        agency_id=row.agency_id,
        agency=get_agency(AgencyId(row.agency_id)).code,
        title_zh=row.title_zh,
        text=row.text,
        base_version=row.base_version,
        revision=row.revision,
        state=DraftState(row.state),
        saved_by=row.saved_by_name or english.get(row.saved_by, ""),
        saved_at=clock.iso(row.saved_at),
        case_id=row.case_id,
        reason=row.reason,
    )
