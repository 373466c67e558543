"""Who may do what on every route of the control plane, written by hand.

A new route needs rows here, one for each method it answers other than with 405; `test_permissions` walks them all.
Write what *should* come out, then look whether it does. Each row names the answer of every persona of `scenario`:

    Row("GET", "/runs/{run_id}/", expect(200, anonymous=302, asker=404, stranger=404)),
    Row("POST", "/grants/{grant_id}/end", expect(403, anonymous=401, approver=302), {"reason": "…"}),

`{run_id}` and the like come from `scenario.ids`. Post valid data: then a refusal is of the person, not of the form.
302 for anonymous is the way to sign-in; 404 hides what a persona may not know of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from tests.laws.scenario import CSV, PERSONAS, RESOURCE


@dataclass(frozen=True)
class Row:
    """One method of one route. `data` may hold functions, called for each request (an upload is read only once)."""

    method: str
    route: str
    expect: Mapping[str, int]
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        return self.method, self.route


def expect(members: int, **others: int) -> dict[str, int]:
    """`members` for everybody but those named; anonymous must be named unless it is the same for all."""
    unknown = set(others) - set(PERSONAS)
    assert not unknown, unknown
    return {persona: others.get(persona, members) for persona in PERSONAS}


def everybody(status: int) -> dict[str, int]:
    return dict.fromkeys(PERSONAS, status)


MEMBERS_ONLY = expect(200, anonymous=302)
SOURCE = {"kind": "http", "title": "接口", "url": "https://api.example.org/people"}
SOURCE_SEEN = expect(404, anonymous=302, nobody=200, steward=200, approver=200, bureau=200)
REPORT_SEEN = expect(404, anonymous=302, nobody=200, steward=200, approver=200, asker=200, bureau=200, auditor=200)
"""A quality report: whoever oversees, provides or holds a grant."""
OUTSIDERS_404 = {"stranger": 404, "security": 404, "operator": 404}
"""Who has no part in an exchange and does not oversee it."""


def a_file() -> SimpleUploadedFile:
    return SimpleUploadedFile("population.csv", CSV.encode() + b"\n")


def a_code_list() -> SimpleUploadedFile:
    return SimpleUploadedFile("colours.csv", "code,title_zh\n1,红\n".encode())


def a_workbook() -> SimpleUploadedFile:
    """The template, prefilled with the scenario's table."""
    from datong.catalog.service import get_contract
    from datong.catalog.workbook.writing import write_template

    return SimpleUploadedFile("catalogue.xlsx", write_template([get_contract(RESOURCE)]))


OWN_AGENCY_ONLY = expect(404, anonymous=302, nobody=200, steward=200, approver=200)
"""Drafts of contracts are seen by the agency that writes them."""
EDITED = {"part": "yaml", "text": "id: psb_population", "revision": "0", "base": "1.0.0"}

ASK = {
    "modes": ["verify"],
    "columns": ["id_number", "name"],
    "treatment.id_number": "compare",
    "treatment.name": "compare",
    "purpose": "benefit_check",
    "purpose_title": "待遇核查",
    "legal_basis": "《社会保险法》第十六条",
    "valid_until": "{next_month}",
    "system": "{system_id}",
    "daily_cap": "0",
    "rate_per_minute": "60",
}

MATRIX: tuple[Row, ...] = (
    # Probes
    Row("GET", "/healthz", everybody(200)),
    Row("GET", "/readyz", everybody(200)),
    Row("GET", "/metrics", everybody(200)),
    # Accounts: everybody their own, nobody another's
    Row("GET", "/sign-in/", expect(302, anonymous=200)),
    Row("POST", "/sign-in/", expect(302, anonymous=200)),
    Row("GET", "/sign-out/", expect(200, anonymous=302)),
    Row("POST", "/sign-out/", everybody(302)),
    Row("GET", "/account/password/", expect(200, anonymous=302)),
    Row("POST", "/account/password/", expect(200, anonymous=302)),
    Row("GET", "/account/reauthenticate/", expect(200, anonymous=302)),
    Row("POST", "/account/reauthenticate/", expect(200, anonymous=302)),
    Row("GET", "/account/inactive/", everybody(200)),
    Row("GET", "/account/sign-up/", everybody(404)),
    Row("POST", "/account/sign-up/", everybody(404)),
    Row("GET", "/account/password/reset/", everybody(404)),
    Row("POST", "/account/password/reset/", everybody(404)),
    # The look
    Row("POST", "/language/", everybody(302), {"language": "en"}),
    Row("GET", "/design/", everybody(200)),
    Row("GET", "/me/", everybody(200)),
    Row("POST", "/preferences/theme", everybody(302), {"theme": "dark"}),
    # Catalogue: what there is, is known to every member; collecting is the owner's steward's
    Row("GET", "/resources/", MEMBERS_ONLY),
    Row("GET", "/resources/suggest", MEMBERS_ONLY),
    Row("GET", "/resources/{resource_id}/", MEMBERS_ONLY),
    Row("GET", "/resources/{resource_id}/contract", MEMBERS_ONLY),
    # Contracts are written by the owner's stewards and put in force by its approvers
    Row("GET", "/resources/{resource_id}/template.xlsx", MEMBERS_ONLY),
    Row("GET", "/resources/{resource_id}/edit", expect(403, anonymous=302, steward=200)),
    Row("POST", "/resources/{resource_id}/edit/save", expect(403, anonymous=401, steward=302), EDITED),
    Row("POST", "/resources/{resource_id}/edit/check", expect(403, anonymous=401, steward=200), EDITED),
    Row("GET", "/contracts/", MEMBERS_ONLY),
    Row("GET", "/contracts/template.xlsx", MEMBERS_ONLY),
    Row("GET", "/contracts/new", MEMBERS_ONLY),
    Row(
        "POST",
        "/contracts/new",
        expect(403, anonymous=401, steward=302, asker=302, stranger=302),
        {"id": "new_things", "title": "新资源"},
    ),
    Row("GET", "/contracts/import", MEMBERS_ONLY),
    Row(
        "POST",
        "/contracts/import",
        expect(403, anonymous=401, steward=302),
        {"file": a_workbook, "action": "save"},
    ),
    Row("GET", "/contracts/drafts/{draft_id}/", OWN_AGENCY_ONLY),
    Row(
        "POST",
        "/contracts/drafts/{draft_id}/submit",
        expect(404, anonymous=401, nobody=403, approver=403, steward=409),
    ),
    Row(
        "POST",
        "/contracts/drafts/{draft_id}/rebase",
        expect(404, anonymous=401, nobody=403, approver=403, steward=409),
    ),
    Row(
        "POST",
        "/contracts/drafts/{draft_id}/discard",
        expect(404, anonymous=401, nobody=403, approver=403, steward=302),
    ),
    Row(
        "POST",
        "/contracts/drafts/{draft_id}/decision",
        expect(404, anonymous=401, nobody=403, approver=302, steward=403),
        {"decision": "approve"},
    ),
    Row("GET", "/resources/{resource_id}/responsibility", MEMBERS_ONLY),
    Row("GET", "/responsibility/", MEMBERS_ONLY),
    Row("GET", "/responsibility/elements.csv", MEMBERS_ONLY),
    Row("GET", "/responsibility/elements/{element_id}/", MEMBERS_ONLY),
    Row(
        "POST",
        "/responsibility/elements/{element_id}/claim",
        expect(403, anonymous=401, steward=302),
        {"resource": "psb_population", "reason": "户籍"},
    ),
    Row("POST", "/responsibility/elements/{element_id}/decision", expect(404, anonymous=401), {"decision": "approve"}),
    Row("GET", "/responsibility/fields/{field_id}/", MEMBERS_ONLY),
    Row(
        "POST",
        "/responsibility/fields/{field_id}/disown",
        expect(403, anonymous=401, steward=302),
        {"to_agency": "amr", "reason": "登记时自报"},
    ),
    Row("POST", "/responsibility/fields/{field_id}/decision", expect(404, anonymous=401), {"decision": "approve"}),
    Row("GET", "/resources/{resource_id}/lineage", MEMBERS_ONLY),
    Row("GET", "/resources/{resource_id}/lineage.json", MEMBERS_ONLY),
    Row("GET", "/contracts/infer", MEMBERS_ONLY),
    Row(
        "POST",
        "/contracts/infer",
        expect(403, anonymous=401, steward=200, asker=200, stranger=200),
        {"file": a_file},
    ),
    Row("GET", "/resources/{resource_id}/collect", MEMBERS_ONLY),
    Row("POST", "/resources/{resource_id}/collect", expect(403, anonymous=401, steward=302), {"file": a_file}),
    Row("GET", "/resources/{resource_id}/collect/attention", expect(302)),
    # Sources: the agency's own and the bureau's to see; connecting, testing and switching are the owner's steward's
    Row("GET", "/sources/", MEMBERS_ONLY),
    Row("GET", "/resources/{resource_id}/sources/new", MEMBERS_ONLY),
    Row("POST", "/resources/{resource_id}/sources/new", expect(403, anonymous=401, steward=302), SOURCE),
    Row("GET", "/sources/{source_id}/", SOURCE_SEEN),
    Row("GET", "/sources/{source_id}/edit", SOURCE_SEEN),
    Row(
        "POST",
        "/sources/{source_id}/edit",
        expect(404, anonymous=401, nobody=403, approver=403, bureau=403, steward=409),
        {**SOURCE, "revision": "0"},
    ),
    Row(
        "POST",
        "/sources/{source_id}/act",
        expect(404, anonymous=401, nobody=403, approver=403, bureau=403, steward=302),
        {"do": "disable"},
    ),
    # Runs: the agency's own and the bureau's to see; the rejected rows themselves for those who mend them
    Row("GET", "/runs/", MEMBERS_ONLY),
    Row(
        "GET",
        "/runs/{run_id}/",
        expect(404, anonymous=302, nobody=200, steward=200, approver=200, bureau=200),
    ),
    Row(
        "GET",
        "/runs/{run_id}/progress",
        expect(404, anonymous=302, nobody=286, steward=286, approver=286, bureau=286),
    ),
    Row(
        "GET",
        "/runs/{run_id}/quarantine.csv",
        expect(404, anonymous=302, nobody=403, steward=200, approver=200, bureau=403),
    ),
    # The scenario's run is done: those who may decide a run are told that it does not wait
    Row(
        "POST",
        "/runs/{run_id}/decision",
        expect(404, anonymous=401, nobody=403, steward=409, approver=409, bureau=403),
        {"decision": "resume", "reason": "核对过"},
    ),
    Row(
        "GET",
        "/runs/{run_id}/changes",
        expect(404, anonymous=302, nobody=403, steward=200, approver=200, bureau=403),
    ),
    # Quality: the source's, who oversees and who holds a grant read it; the owner's approver waives
    Row("GET", "/quality/", MEMBERS_ONLY),
    Row("GET", "/quality/league/", MEMBERS_ONLY),
    Row("GET", "/quality/waivers/", MEMBERS_ONLY),
    Row(
        "GET",
        "/quality/orders/{order_id}/",
        expect(404, anonymous=302, nobody=200, steward=200, approver=200, bureau=200, auditor=200),
    ),
    Row("GET", "/quality/reports/{report_id}/{report_form}", REPORT_SEEN),
    Row("GET", "/resources/{resource_id}/quality/", REPORT_SEEN),
    Row("GET", "/resources/{resource_id}/quality/waive", MEMBERS_ONLY),
    Row(
        "POST",
        "/resources/{resource_id}/quality/waive",
        expect(403, anonymous=401, approver=302),
        {"rule": "name.required", "until": "{next_month}", "reason": "历史数据暂无法补正"},
    ),
    Row(
        "POST",
        "/quality/waivers/{waiver_id}/end",
        expect(404, anonymous=401, nobody=403, steward=403, approver=302, bureau=403, auditor=403),
    ),
    Row(
        "GET",
        "/resources/{resource_id}/quality/rows/{rule_id}",
        expect(403, anonymous=302, steward=200, approver=200),
    ),
    Row(
        "GET",
        "/resources/{resource_id}/quality/rows/{rule_id}/csv",
        expect(403, anonymous=302, steward=200, approver=200),
    ),
    # Exchange: asking is a steward's for another agency's data; deciding and revoking the owner's approver's alone
    Row("GET", "/exchange/request/{resource_id}", MEMBERS_ONLY),
    Row("POST", "/exchange/request/{resource_id}", expect(403, anonymous=401, asker=302), ASK),
    Row("GET", "/exchange/requests/", MEMBERS_ONLY),
    Row("GET", "/exchange/requests/{request_id}/", expect(200, anonymous=302, **OUTSIDERS_404)),
    Row(
        "POST",
        "/exchange/requests/{request_id}/decision",
        expect(403, anonymous=401, approver=302, **OUTSIDERS_404),
        {"decision": "approve"},
    ),
    Row(
        "POST",
        "/exchange/requests/{request_id}/withdrawal",
        expect(403, anonymous=401, asker=302),
        {"note": "不再需要"},
    ),
    Row("GET", "/exchange/grants/", MEMBERS_ONLY),
    Row("GET", "/exchange/grants/{grant_id}/", expect(200, anonymous=302, **OUTSIDERS_404)),
    Row(
        "POST",
        "/exchange/grants/{grant_id}/notice",
        expect(404, anonymous=401),
        {"decision": "read"},
    ),
    Row(
        "POST",
        "/exchange/grants/{grant_id}/revocation",
        expect(403, anonymous=401, approver=302),
        {"reason": "用途已经结束"},
    ),
    Row("GET", "/exchange/receipts/{log_index}/", expect(200, anonymous=302, **OUTSIDERS_404)),
    # Conformance: reports are for every member to read; assessing is the owner's steward's and the bureau's
    Row("GET", "/resources/{resource_id}/conformance", MEMBERS_ONLY),
    Row("POST", "/resources/{resource_id}/conformance", expect(403, anonymous=401, steward=302, bureau=302)),
    Row("GET", "/resources/{resource_id}/conformance/{report_number}/", MEMBERS_ONLY),
    Row("GET", "/resources/{resource_id}/conformance/{report_number}/report.{report_file}", MEMBERS_ONLY),
    # Standards: for everybody to read; importing is the bureau's
    Row("GET", "/standards/", everybody(200)),
    Row("GET", "/standards/elements/", everybody(200)),
    Row("GET", "/standards/elements/{element_id}/", everybody(200)),
    Row("GET", "/standards/lists/{list_name}/", everybody(200)),
    Row("GET", "/standards/lists/{list_name}/compare", everybody(404)),  # a list of one edition
    Row("GET", "/standards/lists/{list_name}/codes/{list_code}/", everybody(200)),
    Row("GET", "/standards/divisions/", everybody(200)),
    Row("GET", "/standards/divisions/{division_code}/", everybody(200)),
    Row("GET", "/standards/import", expect(403, anonymous=302, bureau=200)),
    Row(
        "POST",
        "/standards/import",
        expect(403, anonymous=401, bureau=302),
        {"name": "colours", "edition": "1", "title_zh": "颜色", "files": a_code_list},
    ),
    Row("GET", "/api/v1/standards/", everybody(200)),
    Row("GET", "/api/v1/standards/lists/{list_name}", everybody(200)),
    Row("GET", "/api/v1/standards/elements/{element_id}", everybody(200)),
    Row("GET", "/api/v1/standards/divisions/{division_code}", everybody(200)),
    # Workspace and oversight: the audit list is narrowed to the own agency inside, see kernel's test_sealing
    Row("GET", "/", MEMBERS_ONLY),
    Row("GET", "/oversight/audit/", MEMBERS_ONLY),
)
