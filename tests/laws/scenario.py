"""Something of every kind that a route can be about, made by the real services, for the permission matrix."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources

from django.conf import settings
from django.test import Client

from datong.cases.contracts import Decision
from datong.cases.service import decide_case
from datong.catalog.authoring import service as authoring
from datong.catalog.canonical import canonical_text
from datong.catalog.odcs import parse_contract
from datong.catalog.service import apply_contract
from datong.collect.service import execute_run, start_run
from datong.collect.sources import service as sources
from datong.collect.sources.contracts import SourceDraft
from datong.exchange import service as exchange
from datong.exchange.contracts import GrantColumn, Mode, Treatment
from datong.exchange.requests import RequestDraft
from datong.kernel import clock
from datong.kernel.audit.entries import SALT_BYTES, DataEntry, salted_digest
from datong.kernel.audit.log import AuditLog
from datong.kernel.audit.notes import load_or_create_signer
from datong.kernel.config import load_settings
from datong.kernel.contracts import Actor
from datong.kernel.ids import ResourceId
from datong.quality.assess.service import assess_resource
from datong.quality.service import find_orders, record_run, waive_rule
from datong.testing.cast import Cast, make_cast

SALT = bytes(SALT_BYTES)
RESOURCE = ResourceId("psb_population")
CSV = """id_number,name,sex,birth_date,ethnicity,division_code,address,status,updated_on
11010519491231002X,张伟,2,1949-12-31,01,990101,安澜市同心路1号,正常,2026-01-05
not-an-id,李娜,2,1990-03-07,01,990101,安澜市同心路2号,正常,2026-01-05
"""

PERSONAS: dict[str, str | None] = {
    "anonymous": None,
    "nobody": "psb.nobody",  # of the owner's agency, without a role
    "steward": "psb.steward",  # the owner's
    "approver": "psb.approver",  # the owner's
    "asker": "hrss.steward",  # of the agency that asked and was granted
    "stranger": "amr.steward",  # of an agency that has no part in it
    "bureau": "data.bureau",
    "auditor": "auditor",
    "security": "security",
    "operator": "operator",
}
"""Who asks, and which member of the cast that is."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`ids` fills the parameters of routes: `{resource_id}`, `{run_id}`, `{request_id}` (open), `{grant_id}` …

    `sessions` holds each persona's session cookie.
    """

    cast: Cast
    ids: dict[str, str]
    sessions: dict[str, str]


def make_scenario() -> Scenario:
    """psb's population table, collected once; hrss asked twice, one request is open and one became a grant."""
    cast = make_cast()
    steward, asker = cast.actor("psb.steward"), cast.actor("hrss.steward")
    text = resources.files("datong.testing").joinpath(f"contracts/{RESOURCE}.odcs.yaml").read_text(encoding="utf-8")
    apply_contract(steward, text, base_version=None)
    run_id = start_run(steward, RESOURCE, io.BytesIO(CSV.encode()), "人口.csv", in_background=False)
    execute_run(run_id)
    quality_report = record_run(run_id)
    assert quality_report is not None
    order = next(order for order in find_orders(steward) if order.severity == "reject")
    waiver = waive_rule(
        cast.actor("psb.approver"), RESOURCE, order.rule_id, until=clock.today(), reason="历史数据暂无法补正"
    )
    source = sources.create_source(
        steward,
        SourceDraft(resource_id=RESOURCE, title="接口", kind="http", options={"url": "https://api.example.org/people"}),
    )
    draft = RequestDraft(
        resource_id=RESOURCE,
        system_id=cast.system.id,
        modes=(Mode.VERIFY,),
        columns=(
            GrantColumn(name="id_number", treatment=Treatment.COMPARE),
            GrantColumn(name="name", treatment=Treatment.COMPARE),
        ),
        purpose="pension_eligibility",
        purpose_title="养老待遇资格认证",
        legal_basis="《社会保险法》第十六条",
        valid_until=clock.today() + timedelta(days=30),
    )
    granted = exchange.request_access(asker, draft)
    decide_case(cast.actor("psb.approver"), granted.case_id, Decision.APPROVE, "")
    granted = exchange.get_request(asker, granted.id)
    assert granted.grant_id is not None
    waiting = exchange.request_access(asker, draft)
    log_index = write_exchange(cast, granted.grant_id)
    report = assess_resource(steward, RESOURCE)
    contract_draft = submit_contract(steward, text)
    return Scenario(
        cast=cast,
        ids={
            "resource_id": RESOURCE,
            "run_id": run_id,
            "report_id": quality_report.id,
            "report_form": "json",
            "rule_id": "updated_on.type",
            "order_id": order.id,
            "waiver_id": waiver.id,
            "source_id": source.id,
            "request_id": waiting.id,
            "grant_id": granted.grant_id,
            "log_index": str(log_index),
            "report_number": report.number,
            "draft_id": contract_draft,
            "report_file": "html",
            "element_id": "DE-00001",
            "field_id": "psb_population.name",
            "list_name": "sex",
            "list_code": "1",
            "division_code": "110101",
        },
        sessions={persona: sign_in(cast, member) for persona, member in PERSONAS.items() if member},
    )


def submit_contract(steward: Actor, text: str) -> str:
    """A contract of another resource that waits for its approver; gives the draft's id."""
    raw = parse_contract(text.replace("psb_population", "psb_people").replace("101001/000001", "101001/000009")).raw
    raw["name"] = "流动人口登记信息"
    raw["customProperties"].append({"property": "secrecy", "value": "none"})
    text = canonical_text(raw)
    saved = authoring.save_draft(steward, "psb_people", text, base_version=None, revision=0)
    return authoring.submit_draft(steward, saved.id).id


def sign_in(cast: Cast, member: str) -> str:
    client = Client()
    client.force_login(cast.user(member))
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def write_exchange(cast: Cast, grant_id: str) -> int:
    """One exchange under the grant, as the gateway would log it; gives its place in the log."""
    home = load_settings()
    log = AuditLog.open(home.audit_dir, load_or_create_signer(home.keys_dir / "audit.key", home.origin))
    entry = DataEntry(
        kind="verify",
        at=clock.iso(clock.now()),
        system=cast.system.id,
        agency=cast.system.agency_id,
        resource=RESOURCE,
        grant=grant_id,
        grant_digest="",
        purpose="pension_eligibility",
        reference="YL-2026-000001",
        fields=("name",),
        outcome="answered",
        facts={"items": 1, "match": 1, "differ": 0},
        rq=salted_digest(SALT, b"request"),
        rs=salted_digest(SALT, b"answer"),
    )
    appended = log.append([entry.encode()])
    log.publish()
    log.close()
    return appended.first_index
