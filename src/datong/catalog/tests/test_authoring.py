"""Drafts, the four checks, approval, directory codes and workbooks, through the service on the real database."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from openpyxl import load_workbook

from datong.cases import service as cases
from datong.cases.contracts import CaseAlreadyDecided, Decision, ReasonNeeded
from datong.catalog import service as catalog
from datong.catalog.authoring import service
from datong.catalog.authoring.checks import CheckKind
from datong.catalog.authoring.contracts import (
    ChecksBlock,
    DraftChanged,
    DraftNotFound,
    DraftState,
    DraftUnderReview,
    DraftView,
)
from datong.catalog.contracts import (
    CONTRACT_CHECKS,
    ApprovalNeeded,
    BreakingChange,
    ContractInvalid,
    ContractObjection,
    VersionConflict,
)
from datong.catalog.odcs import DataContract, find_objections, parse_contract
from datong.catalog.store.models import ContractDraft
from datong.catalog.tests.samples import changed, column, demo_text, set_word
from datong.catalog.workbook.writing import write_template
from datong.kernel.config import load_settings
from datong.kernel.failures import BadInput, NotAllowed
from datong.kernel.store.models import AuditRow, OutboxEvent
from datong.testing.cast import Cast

POPULATION = demo_text("psb_population")
Change = Callable[[dict[str, Any]], object]


def complete(raw: dict[str, Any]) -> None:
    """All that the checks block for the lack of."""
    set_word(raw, "secrecy", "none")
    set_word(raw, "directoryCode", "101001/000001")


def text_of(version: str = "1.0.0", *changes: Change) -> str:
    def every(raw: dict[str, Any]) -> None:
        complete(raw)
        for change in changes:
            change(raw)
        raw["version"] = version

    return changed(POPULATION, every).text


def drop_address(raw: dict[str, Any]) -> None:
    table = raw["schema"][0]
    table["properties"] = [item for item in table["properties"] if item["name"] != "address"]


def applied(cast: Cast) -> None:
    catalog.apply_contract(cast.actor("psb.steward"), text_of(), base_version=None)


def saved(cast: Cast, text: str, base: str | None = "1.0.0", revision: int = 0) -> DraftView:
    return service.save_draft(cast.actor("psb.steward"), "psb_population", text, base_version=base, revision=revision)


def test_a_contract_from_nothing_to_approved(cast: Cast) -> None:
    steward, approver = cast.actor("psb.steward"), cast.actor("psb.approver")
    draft = service.new_draft(steward, "psb_population", "人口基本信息")
    assert (draft.revision, draft.base_version) == (1, None)
    assert service.review_text(draft.text, base_version=None).findings
    with pytest.raises(ContractInvalid):
        service.submit_draft(steward, draft.id)
    draft = saved(cast, text_of(), None, draft.revision)
    submitted = service.submit_draft(steward, draft.id)
    assert submitted.state is DraftState.SUBMITTED
    assert [case.subject_id for case in cases.find_waiting(approver)] == [draft.id]
    decided = service.decide_draft(approver, draft.id, Decision.APPROVE, "")
    assert decided.state is DraftState.APPROVED
    assert catalog.get_contract("psb_population").version == "1.0.0"
    row = AuditRow.objects.get(verb="contract.approved")
    assert (row.facts["resource"], row.facts["version"]) == ("psb_population", "1.0.0")
    assert OutboxEvent.objects.filter(name="contract.applied").count() == 1
    with pytest.raises(CaseAlreadyDecided):
        service.decide_draft(approver, draft.id, Decision.REFUSE, "再想想吧。")


def test_nobody_approves_what_they_submitted(cast: Cast, both: Any) -> None:
    draft = service.save_draft(both, "psb_population", text_of(), base_version=None, revision=0)
    service.submit_draft(both, draft.id)
    with pytest.raises(NotAllowed):
        service.decide_draft(both, draft.id, Decision.APPROVE, "")
    assert service.get_draft(both, draft.id).state is DraftState.SUBMITTED


@pytest.fixture
def both(cast: Cast) -> Any:
    """A member who is steward and approver."""
    from datong.kernel.contracts import Role
    from datong.kernel.identity import service as identity
    from datong.kernel.ids import MemberId

    steward = cast.actor("psb.steward")
    member = MemberId(steward.id)
    identity.assign_role(cast.actor("security"), member, Role.APPROVER)
    return identity.actor_of_member(member)


def test_a_refusal_needs_a_reason_and_gives_the_resource_back(cast: Cast) -> None:
    steward, approver = cast.actor("psb.steward"), cast.actor("psb.approver")
    draft = service.submit_draft(steward, saved(cast, text_of(), None).id)
    with pytest.raises(ReasonNeeded):
        service.decide_draft(approver, draft.id, Decision.REFUSE, " ")
    refused = service.decide_draft(approver, draft.id, Decision.REFUSE, "摘要写得不清楚")
    assert (refused.state, refused.reason) == (DraftState.REFUSED, "摘要写得不清楚")
    assert saved(cast, text_of(), None).revision == 1


def test_two_people_do_not_overwrite_each_other(cast: Cast) -> None:
    applied(cast)
    first = saved(cast, text_of("1.0.1"))
    with pytest.raises(DraftChanged):
        saved(cast, text_of("1.0.2"), revision=0)
    assert saved(cast, text_of("1.0.2"), revision=first.revision).revision == 2
    service.submit_draft(cast.actor("psb.steward"), first.id)
    with pytest.raises(DraftUnderReview):
        saved(cast, text_of("1.0.3"), revision=2)
    service.discard_draft(cast.actor("psb.steward"), first.id)
    assert service.get_draft(cast.actor("psb.steward"), first.id).state is DraftState.DRAFT
    service.discard_draft(cast.actor("psb.steward"), first.id)
    assert service.open_draft(cast.actor("psb.steward"), "psb_population").revision == 0


def test_other_agencies_neither_see_nor_write_a_draft(cast: Cast) -> None:
    applied(cast)
    draft, stranger = saved(cast, text_of("1.0.1")), cast.actor("amr.steward")
    with pytest.raises(DraftNotFound):
        service.get_draft(stranger, draft.id)
    with pytest.raises(DraftNotFound):
        service.submit_draft(stranger, draft.id)
    with pytest.raises(NotAllowed):
        service.open_draft(stranger, "psb_population")
    with pytest.raises(NotAllowed):
        service.save_draft(stranger, "psb_population", text_of("1.0.2"), base_version="1.0.0", revision=1)


def test_a_contract_that_changed_meanwhile_is_told_kindly(cast: Cast) -> None:
    applied(cast)
    steward = cast.actor("psb.steward")
    draft = saved(cast, text_of("1.2.0", lambda raw: raw.update(name="人口登记信息")))
    catalog.apply_contract(steward, text_of("1.0.1", lambda raw: raw.update(status="deprecated")), base_version="1.0.0")
    review = service.review_text(draft.text, base_version=draft.base_version)
    assert review.is_stale
    assert not review.may_submit
    with pytest.raises(VersionConflict):
        service.submit_draft(steward, draft.id)
    assert service.rebase_draft(steward, draft.id).base_version == "1.0.1"
    assert service.submit_draft(steward, draft.id).state is DraftState.SUBMITTED


def test_a_conflict_at_approval_changes_nothing(cast: Cast) -> None:
    applied(cast)
    steward, approver = cast.actor("psb.steward"), cast.actor("psb.approver")
    draft = service.submit_draft(steward, saved(cast, text_of("1.2.0", lambda raw: raw.update(status="draft"))).id)
    catalog.apply_contract(steward, text_of("1.0.1", lambda raw: raw.update(status="deprecated")), base_version="1.0.0")
    with pytest.raises(VersionConflict):
        service.decide_draft(approver, draft.id, Decision.APPROVE, "")
    assert service.get_draft(approver, draft.id).state is DraftState.SUBMITTED
    assert catalog.get_contract("psb_population").version == "1.0.1"


def test_a_breaking_change_is_shown_needs_a_major_version_and_is_told_by_event(cast: Cast) -> None:
    applied(cast)
    steward, approver = cast.actor("psb.steward"), cast.actor("psb.approver")
    draft = saved(cast, text_of("1.1.0", drop_address))
    review = service.review_text(draft.text, base_version="1.0.0")
    assert [change.code for change in review.breaking] == ["column.removed"]
    assert (review.required_version, review.version_is_enough) == ("2.0.0", False)
    with pytest.raises(BreakingChange):
        service.submit_draft(steward, draft.id)
    assert not OutboxEvent.objects.filter(name="contract.breaking").exists()
    draft = saved(cast, text_of("2.0.0", drop_address), revision=1)
    service.submit_draft(steward, draft.id)
    service.decide_draft(approver, draft.id, Decision.APPROVE, "")
    event = OutboxEvent.objects.get(name="contract.breaking")
    assert (event.payload["resource"], event.payload["from"], event.payload["to"]) == (
        "psb_population",
        "1.0.0",
        "2.0.0",
    )
    assert [change["column"] for change in event.payload["breaking"]] == ["address"]
    assert event.payload["breaking_count"] == 1


def test_where_approval_is_demanded_a_terminal_does_not_get_round_it(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings()
    monkeypatch.setattr(catalog, "load_settings", lambda: settings)
    monkeypatch.setitem(settings.__dict__, "contract_approval", True)
    with pytest.raises(ApprovalNeeded):
        applied(cast)
    draft = service.submit_draft(cast.actor("psb.steward"), saved(cast, text_of(), None).id)
    service.decide_draft(cast.actor("psb.approver"), draft.id, Decision.APPROVE, "")
    assert catalog.get_contract("psb_population").version == "1.0.0"


def checked(text: str) -> set[tuple[str, str, bool]]:
    found = service.check_contract(parse_contract(text))
    return {(one.check.value, one.column, one.blocks) for one in found}


CHECKED: list[tuple[str, Change, tuple[str, str, bool]]] = [
    ("secrecy", lambda raw: set_word(raw, "secrecy", None), ("complete", "", True)),
    ("abstract", lambda raw: raw.pop("description"), ("complete", "", True)),
    ("code", lambda raw: set_word(raw, "directoryCode", None), ("complete", "", True)),
    ("opening", lambda raw: set_word(raw, "openingType", "conditional"), ("complete", "", True)),
    ("grade", lambda raw: column(raw, "sex").pop("classification"), ("complete", "sex", True)),
    ("code-twice", lambda raw: set_word(raw, "directoryCode", "102001/000001"), ("unique", "", True)),
    ("title-twice", lambda raw: raw.update(name="企业登记基本信息"), ("unique", "", False)),
    ("related", lambda raw: set_word(raw, "relatedResources", ["no_such"]), ("related", "", True)),
    (
        "foreign-key",
        lambda raw: column(raw, "sex").update(relationships=[{"to": "amr_enterprise.nothing"}]),
        ("related", "sex", True),
    ),
    ("element", lambda raw: set_word(column(raw, "sex"), "element", "no-such"), ("related", "sex", True)),
    ("agency", lambda raw: set_word(column(raw, "sex"), "sourceAgency", "火星局"), ("related", "sex", True)),
    ("placeholder", lambda raw: raw.update(name="测试人口信息"), ("worded", "", True)),
    ("odd", lambda raw: raw.update(name="人口 信息１"), ("worded", "", True)),
    ("english", lambda raw: raw.update(name="Population"), ("worded", "", True)),
    ("long", lambda raw: raw.update(description={"purpose": "长" * 257}), ("worded", "", True)),
    ("column", lambda raw: column(raw, "sex").update(businessName="SEX"), ("worded", "sex", True)),
]


def test_the_four_checks_find_each_fault(cast: Cast) -> None:
    catalog.apply_contract(
        cast.actor("amr.steward"),
        changed(demo_text("amr_enterprise"), lambda raw: set_word(raw, "directoryCode", "102001/000001")).text,
        base_version=None,
    )
    clean = checked(text_of())
    assert not any(blocks for *_, blocks in clean), clean
    missed = []
    for name, change, expected in CHECKED:
        faulty = checked(text_of("1.0.0", change))
        if expected not in faulty - (clean if expected[2] else set()):
            missed.append((name, faulty - clean))
    assert missed == []
    assert len(CHECKED) > 10


def test_a_double_is_noticed_and_blocking_findings_bar_submission(cast: Cast) -> None:
    applied(cast)

    def rename(raw: dict[str, Any]) -> None:
        raw.update(id="psb_people", name="常住人口信息")
        set_word(raw, "directoryCode", "101001/000002")

    double = changed(text_of(), rename)
    found = [one for one in service.check_contract(double) if one.check is CheckKind.UNIQUE]
    assert ["重复编目" in one.message_zh for one in found] == [True]
    bare = saved(cast, changed(text_of("1.0.1"), lambda raw: set_word(raw, "secrecy", None)).text)
    with pytest.raises(ChecksBlock, match="secrets"):
        service.submit_draft(cast.actor("psb.steward"), bare.id)


def test_secrets_are_refused(cast: Cast) -> None:
    for word in ("state", "work"):
        with pytest.raises(ContractInvalid, match="secrets"):
            changed(POPULATION, lambda raw, word=word: set_word(raw, "secrecy", word))  # type: ignore[misc]


def test_directory_codes_are_handed_out_in_sequence_and_once(cast: Cast) -> None:
    assert service.next_directory_code("101001") == "101001/000001"
    applied(cast)
    assert service.next_directory_code("101001") == "101001/000002"
    assert service.next_directory_code("1010019901") == "1010019901/000001"
    front_only = text_of("1.0.1").replace("101001/000001", "101001")
    draft = saved(cast, front_only)
    assert draft.text.count("101001/000002") == 1
    assert ContractDraft.objects.get().directory_code == "101001/000002"
    assert service.next_directory_code("101001") == "101001/000003"
    for bad in ("401001", "101", "101001/1", ""):
        with pytest.raises(BadInput):
            service.next_directory_code(bad)


def test_a_draft_keeps_faulty_text_but_not_another_resources(cast: Cast) -> None:
    draft = saved(cast, "id: [broken", None)
    assert draft.text == "id: [broken"
    assert service.review_text(draft.text, base_version=None).findings
    with pytest.raises(BadInput):
        saved(cast, demo_text("amr_enterprise"), None, draft.revision)


def test_a_workbook_becomes_drafts_or_contracts(cast: Cast) -> None:
    applied(cast)
    steward = cast.actor("psb.steward")
    book = load_workbook(io.BytesIO(write_template([catalog.get_contract("psb_population")])))
    head = [cell.value for cell in book["信息资源"][1]]
    book["信息资源"].cell(3, head.index("信息资源名称*") + 1, "人口登记信息")
    book["信息资源"].cell(3, head.index("契约版本*") + 1, "1.0.1")
    out = io.BytesIO()
    book.save(out)
    read = service.read_book(steward, out.getvalue())
    assert read.findings == ()
    (draft,) = service.save_book(steward, read)
    assert (draft.title_zh, draft.base_version) == ("人口登记信息", "1.0.0")
    told: list[Any] = []
    service.apply_book(steward, read, one_by_one=told.append)
    assert [(one.previous_version, one.version) for one in told] == [("1.0.0", "1.0.1")]
    changed_book = service.read_book(steward, out.getvalue())
    service.apply_book(steward, changed_book, one_by_one=told.append)
    assert not told[-1].changed
    book["信息资源"].cell(3, head.index("契约版本*") + 1, "1.0.2")
    late = io.BytesIO()
    book.save(late)
    with pytest.raises(VersionConflict):
        service.apply_book(steward, service.read_book(steward, late.getvalue()), one_by_one=told.append)


def test_a_higher_part_objects_to_a_contract_at_the_line_of_its_rule() -> None:
    def object_to_rules(contract: DataContract) -> list[ContractObjection]:
        return [
            ContractObjection(
                path=rule.path, code="rule.unsupported", message="No", message_zh="不", remedy="Go", remedy_zh="走"
            )
            for rule in contract.rules
        ]

    text = demo_text("amr_enterprise")
    contract = parse_contract(text)
    assert contract.rules
    with CONTRACT_CHECKS.filled_with("test", object_to_rules):
        found = find_objections(contract, text)
    assert len(found) == len(contract.rules)
    line = text.splitlines()[found[0].line - 1]
    assert line.strip().startswith("- "), line
    assert "rule.unsupported" not in [one.code for one in find_objections(contract)]
