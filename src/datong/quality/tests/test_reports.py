"""From a collected file to a signed report, work orders, a waiver, the league: through the real doors."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import orjson
import pytest
import typer
from django.conf import settings
from django.test import Client
from typer.testing import CliRunner

from datong.cases.contracts import CaseState, Decision
from datong.cases.service import decide_case, find_waiting, get_case
from datong.catalog.service import apply_contract, get_resource
from datong.collect.contracts import RunState
from datong.collect.tests.conftest import Office, make_office
from datong.kernel import clock
from datong.kernel.config import load_settings
from datong.kernel.contracts import Actor
from datong.kernel.documents import DocumentInvalid, load_public_keys, verify_document
from datong.kernel.events.service import deliver_pending
from datong.kernel.failures import NotAllowed
from datong.kernel.ids import AgencyId, CaseId, ResourceId
from datong.quality import cli
from datong.quality.contracts import (
    REPORT_READERS,
    OrderState,
    PlainExportRefused,
    ReportNotFound,
    ReportView,
    WaiverInvalid,
)
from datong.quality.service import (
    end_waiver,
    escalate_overdue,
    find_failing_rows,
    find_league,
    find_orders,
    find_waivers,
    get_order_history,
    latest_report,
    record_run,
    render_report_html,
    render_report_pdf,
    run_on_engine,
    trend_of,
    waive_rule,
    write_failing_rows_csv,
)

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: {id}
name: 测试单位
version: {version}
status: active
schema:
  - name: units
    businessName: 测试单位
    properties:
      - name: id
        businessName: 编号
        logicalType: integer
        primaryKey: true
        primaryKeyPosition: 1
        required: true
        classification: 一般1级
      - name: phone
        businessName: 电话
        logicalType: string
        classification: 一般3级
        quality:
          - metric: invalidValues
            arguments: {{pattern: "1[0-9]{{10}}"}}
            mustBe: 0
            severity: warn
        customProperties: [{{property: mask, value: mobile_3_4}}]
      - name: amount
        businessName: 金额
        logicalType: number
        classification: 一般1级
        logicalTypeOptions: {{minimum: 0}}
    quality:
      - metric: rowCount
        mustBeGreaterThan: 1
        severity: warn
        customProperties: [{{property: blocks, value: {blocks}}}]
slaProperties:
  - {{property: frequency, value: 1, unit: mo}}
customProperties:
  - {{property: agency, value: {agency}}}
  - {{property: sharingType, value: unconditional}}
  - {{property: shareModes, value: [batch]}}
  - {{property: titleEn, value: Test units}}
"""
GOOD = b"id,phone,amount\n1,13800000001,1\n2,13800000002,2\n3,13800000003,3\n"
BAD = b"id,phone,amount\n1,13800000001,1\n2,12,2\n3,345678,3\n4,13800000004,-5\n"


@pytest.fixture
def units(transactional_db: None) -> Office:
    office = make_office()
    return _apply(office, blocks="false", version="1.0.0")


def _apply(office: Office, *, blocks: str, version: str) -> Office:
    resource_id = ResourceId(office.resource_id.replace("people", "units"))
    text = CONTRACT.format(id=resource_id, agency=office.agency, blocks=blocks, version=version)
    base = None if version == "1.0.0" else "1.0.0"
    apply_contract(office.steward, text, base_version=base)
    return replace(office, resource_id=resource_id)


def _collect(office: Office, content: bytes) -> Any:
    run = office.collect(content)
    deliver_pending()
    return run


def _approver(office: Office) -> Actor:
    return office.cast.actor(f"{office.agency}.approver")


def test_a_report_stands_by_itself(units: Office) -> None:
    run = _collect(units, BAD)
    report = latest_report(units.steward, units.resource_id)
    assert (report.run_number, report.version_label, report.rows_quarantined) == (run.number, run.version_label, 1)
    keys = {"keys": load_public_keys(load_settings().keys_dir)}
    facts = verify_document(report.body.encode(), report.jws, keys)
    assert (facts.kind, facts.subject) == ("quality-report", units.resource_id)
    with pytest.raises(DocumentInvalid):
        verify_document(report.body.replace('"rows_bad": 2', '"rows_bad": 0').encode(), report.jws, keys)
    content = orjson.loads(report.body)
    rules = {rule["check_id"]: rule for rule in content["rules"]}
    assert rules["phone.pattern"]["rows_bad"] == 2
    assert content["columns"]["phone"] == 50.0
    assert get_resource(units.resource_id).facets["quality.score"] == report.score
    page = render_report_html(report)
    assert report.digest in page
    assert "电话格式不符" in page
    assert render_report_pdf(report, language="en").startswith(b"%PDF")
    assert record_run(run.id) is None  # once
    line = find_league(units.steward)[0]
    assert (line.agency_name, line.resources, line.orders_open) == ("测试局", 1, 2)
    assert (line.score, len(line.trend)) == (report.score, 1)
    look_at_pages(units, report)
    look_at_terminal(units, report)
    other = make_stranger(units)
    with pytest.raises(ReportNotFound):
        latest_report(other, units.resource_id)
    with REPORT_READERS.filled_with("test", lambda _actor, resource: resource == units.resource_id):
        assert latest_report(other, units.resource_id).number
    assert latest_report(units.cast.actor("data.bureau"), units.resource_id).score == report.score


def look_at_pages(office: Office, report: ReportView) -> None:
    """Every page in both languages, as the agency's approver sees it."""
    client = Client()
    client.force_login(office.cast.user(f"{office.agency}.approver"))
    order = find_orders(office.steward)[0]
    seen = {
        "/quality/": order.reason_zh,
        "/quality/?state=closed": "这里没有工单",
        f"/quality/orders/{order.id}/": order.rule_id,
        "/quality/league/": "测试局",
        "/quality/waivers/": "没有豁免",
        f"/resources/{office.resource_id}/quality/": report.number,
        f"/resources/{office.resource_id}/quality/waive?rule=amount.range": "amount.range",
        f"/resources/{office.resource_id}/quality/rows/phone.pattern": "phone.pattern",
        f"/resources/{office.resource_id}/": report.number,
    }
    for address, words in seen.items():
        assert words in client.get(address).content.decode(), address
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
        assert client.get(address).status_code == 200
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    assert client.get(f"/quality/reports/{report.id}/json").content.decode() == report.body
    assert client.get(f"/quality/reports/{report.id}/pdf").content.startswith(b"%PDF")
    answer: Any = client.get(f"/resources/{office.resource_id}/quality/rows/phone.pattern/csv")
    assert b"".join(answer.streaming_content).decode("utf-8-sig").splitlines() == [
        "row,line,run,id,phone",
        f"2,3,{report.run_number},2,12",
        f"3,4,{report.run_number},3,345678",
    ]
    form = {"rule": "amount.range", "until": "yesterday", "reason": "历史数据暂无法补正"}
    assert client.post(f"/resources/{office.resource_id}/quality/waive", form).status_code == 400


def look_at_terminal(office: Office, report: ReportView) -> None:
    """Every command that reads, as the machine's own account."""
    app = typer.Typer()
    cli.register(app)
    seen = {
        ("show", office.resource_id): "phone.pattern",
        ("findings", "--resource", office.resource_id): "amount.range",
        ("findings", "--json"): '"rule_id": "amount.range"',
        ("waivers", "--json"): "[]",
        ("league",): "测试局",
        ("report", office.resource_id, "--version", report.version_label): report.number,
        ("run", office.resource_id): "rows on duckdb",
    }
    for words, due in seen.items():
        answer = CliRunner().invoke(app, ["quality", *words])
        assert answer.exit_code == 0, (words, answer.output, answer.exception)
        assert due in answer.output, words


def make_stranger(office: Office) -> Actor:
    """A steward of another agency."""
    return replace(office.steward, agency_id=AgencyId("another"), agency_ids=frozenset({"another"}))


def test_orders_open_once_stay_and_close_with_evidence(units: Office) -> None:
    first = _collect(units, BAD)
    orders = {order.rule_id: order for order in find_orders(units.steward)}
    assert set(orders) == {"phone.pattern", "amount.range"}
    phone = orders["phone.pattern"]
    assert (phone.rows_bad, phone.opened_run, phone.left_days) == (2, first.number, 10)
    assert orders["amount.range"].left_days == 5
    assert {case.subject_id for case in find_waiting(units.steward, kind="quality-order")} == {
        order.id for order in orders.values()
    }
    worse = _collect(units, BAD + b"5,9,5\n")
    again = {order.rule_id: order for order in find_orders(units.steward)}
    assert again["phone.pattern"].id == phone.id
    assert (again["phone.pattern"].rows_bad, again["phone.pattern"].last_run) == (3, worse.number)
    mended = _collect(units, GOOD)
    assert find_orders(units.steward) == []
    closed = {order.rule_id: order for order in find_orders(units.steward, state="closed")}
    assert closed["phone.pattern"].closed_run == mended.number
    assert get_case(units.steward, CaseId(phone.case_id)).state is CaseState.DECIDED
    opened, *_, settled = get_order_history(units.steward, phone.id)
    assert (opened.what, mended.number in settled.note) == ("opened", True)
    assert [report.score < 100 for report in trend_of(units.steward, units.resource_id)] == [True, True, False]


def test_a_deadline_passes_and_only_a_bureau_withdraws(units: Office) -> None:
    _collect(units, BAD)
    order = find_orders(units.steward)[0]
    with clock.use_clock(clock.now() + timedelta(days=40)):
        assert find_orders(units.steward)[0].is_late
        assert find_league(units.steward)[0].orders_late == 2
        assert (escalate_overdue(), escalate_overdue()) == (2, 0)
        assert "overdue" in get_order_history(units.steward, order.id)[-1].note
    for verdict in Decision:
        with pytest.raises(NotAllowed):
            decide_case(units.steward, CaseId(order.case_id), verdict, "这不是我们的问题")
    decide_case(units.cast.actor("data.bureau"), CaseId(order.case_id), Decision.REFUSE, "规则有误，撤回工单")
    assert order.id not in {each.id for each in find_orders(units.steward)}
    assert find_orders(units.steward, state=OrderState.WITHDRAWN)[0].id == order.id


def test_a_waiver_costs_nothing_until_its_day(units: Office) -> None:
    _collect(units, BAD)
    today = clock.today()
    with pytest.raises(NotAllowed):
        waive_rule(units.steward, units.resource_id, "phone.pattern", until=today, reason="历史数据暂无法补正")
    approver = _approver(units)
    for until, rule in (
        (today - timedelta(days=1), "phone.pattern"),
        (date(2099, 1, 1), "phone.pattern"),
        (today, "no.rule"),
    ):
        with pytest.raises(WaiverInvalid):
            waive_rule(approver, units.resource_id, rule, until=until, reason="历史数据暂无法补正")
    waiver = waive_rule(
        approver, units.resource_id, "phone.pattern", until=today + timedelta(days=5), reason="历史数据暂无法补正"
    )
    before = latest_report(units.steward, units.resource_id).score
    _collect(units, BAD + b"6,1,6\n")
    report = latest_report(units.steward, units.resource_id)
    assert report.score > before
    assert {order.rule_id for order in find_orders(units.steward)} == {"amount.range"}
    assert "历史数据暂无法补正" in render_report_html(report)
    with clock.use_clock(clock.now() + timedelta(days=6)):
        assert find_waivers(units.steward, only_standing=True) == []
        _collect(units, BAD + b"7,1,7\n")
        assert latest_report(units.steward, units.resource_id).score < report.score
    assert end_waiver(approver, waiver.id).ended_at


def test_a_rule_that_blocks_stops_the_version(transactional_db: None) -> None:
    office = _apply(make_office(), blocks="true", version="1.0.0")
    run = _collect(office, b"id,phone,amount\n1,13800000001,1\n")
    assert run.state is RunState.BLOCKED
    order = find_orders(office.steward)[0]
    assert (order.severity, order.left_days) == ("blocks", 2)
    with pytest.raises(ReportNotFound):
        latest_report(office.steward, office.resource_id)


def test_rows_that_break_a_rule_are_found_in_the_version_and_on_sail(units: Office) -> None:
    _collect(units, BAD)
    count, rows = find_failing_rows(units.steward, units.resource_id, "phone.pattern")
    assert count == 2
    assert {row.key["id"] for row in rows} == {"2", "3"}
    assert all("*" in str(row.value) for row in rows)
    assert [(row.key["id"], row.line) for row in rows] == [("2", 3), ("3", 4)]
    later = _collect(units, BAD.replace(b"3,345678", b"03,345678").replace(b"\n2,", b"\n9,,9\n2,"))
    _, rows = find_failing_rows(units.steward, units.resource_id, "phone.pattern")
    assert [(row.key["id"], row.line, row.run_number) for row in rows] == [
        ("2", 4, later.number),
        ("3", 5, later.number),
    ]
    out = io.StringIO()
    assert write_failing_rows_csv(units.steward, units.resource_id, "phone.pattern", out) == 2
    assert [line.split(",")[1:4] for line in out.getvalue().splitlines()] == [
        ["line", "run", "id"],
        ["4", later.number, "2"],
        ["5", later.number, "3"],
    ]
    with pytest.raises(NotAllowed):
        find_failing_rows(units.cast.actor("data.bureau"), units.resource_id, "phone.pattern")
    pytest.importorskip("pysail")
    found = {
        engine: {
            finding.check_id: (finding.rows_bad, finding.keys)
            for finding in run_on_engine(units.steward, units.resource_id, engine, plain=True).findings
        }
        for engine in ("duckdb", "sail")
    }
    assert found["duckdb"] == found["sail"]
    with pytest.raises(PlainExportRefused):
        run_on_engine(units.steward, units.resource_id, "sail")
    assert found["sail"]["phone.pattern"] == (2, ((2,), (3,)))
