"""Pages of quality: reports, work orders, waivers, the league. They call services only."""

from __future__ import annotations

import io
from datetime import date, timedelta
from typing import Any

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from datong.catalog import service as catalog
from datong.kernel import clock
from datong.kernel.action.service import is_allowed
from datong.kernel.failures import Failure
from datong.kernel.ids import ResourceId
from datong.kernel.limits import QUALITY_FINDINGS_SHOWN_MAX, QUALITY_WAIVER_DAYS_MAX
from datong.kernel.web.requests import require_member
from datong.quality import service
from datong.quality.contracts import OrderState, WaiverInvalid
from datong.quality.service.subjects import ROWS_READ, WAIVED, subject_of
from datong.quality.web.present import (
    dimension_lines,
    grade_of_report,
    league_lines,
    order_lines,
    rule_lines,
    trend_chart,
)
from datong.ui.web.pages import render_page
from datong.ui.web.words import is_chinese, pick

WAIVER_DAYS_SUGGESTED = 90
ORDERS_SHOWN_MAX = 5
FORMS = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "json": "application/json",
    "jws": "application/jose",
}


@require_safe
def list_orders(request: HttpRequest) -> HttpResponse:
    """The findings queue: open orders, the most urgent first; closed and withdrawn ones by choice."""
    actor = require_member(request)
    wanted = request.GET.get("state", OrderState.OPEN.value)
    state = wanted if wanted in set(OrderState) else OrderState.OPEN.value
    lines = order_lines(service.find_orders(actor, state=state))
    late = sum(line.order.is_late for line in lines)
    return render(request, "quality/orders.html", {"lines": lines, "state": state, "late": late})


@require_safe
def show_order(request: HttpRequest, order_id: str) -> HttpResponse:
    """One work order: the rule, its failing rows, the deadline, what was delivered since."""
    actor = require_member(request)
    order = service.get_order(actor, order_id)
    context = {
        "line": order_lines([order])[0],
        "order": order,
        "history": service.get_order_history(actor, order_id),
    }
    return render(request, "quality/order.html", context)


@require_safe
def show_league(request: HttpRequest) -> HttpResponse:
    """Agencies by the quality of their resources, with the trend."""
    actor = require_member(request)
    return render(request, "quality/league.html", {"lines": league_lines(service.find_league(actor))})


@require_safe
def list_waivers(request: HttpRequest) -> HttpResponse:
    """Waivers in force and past: which rule, until when, by whom, why."""
    actor = require_member(request)
    today = clock.today()
    waivers = [(waiver, waiver.holds_on(today)) for waiver in service.find_waivers(actor)]
    return render(request, "quality/waivers.html", {"waivers": waivers})


@require_POST
def end_waiver(request: HttpRequest, waiver_id: str) -> HttpResponse:
    """End a waiver before its last day."""
    service.end_waiver(require_member(request), waiver_id)
    return redirect("quality:waivers")


@require_safe
def show_report(request: HttpRequest, resource_id: str) -> HttpResponse:
    """The report of the newest version, or of the one named by `?version=`; what can be done about it."""
    actor = require_member(request)
    resource = catalog.get_resource(ResourceId(resource_id), actor)
    report = service.latest_report(actor, resource_id, version=request.GET.get("version") or None)
    trend = service.trend_of(actor, resource_id)
    before = next((one for one in reversed(trend) if one.recorded_at < report.recorded_at), None)
    subject = subject_of(resource)
    contract = catalog.get_contract(ResourceId(resource_id))
    may_waive = is_allowed(WAIVED, actor, subject)
    may_read_rows = is_allowed(ROWS_READ, actor, subject)
    orders = order_lines(service.find_orders(actor, resource_id=resource_id))
    columns = sorted(report.content["columns"].items(), key=lambda item: item[1])
    context: dict[str, Any] = {
        "resource": resource,
        "report": report,
        "content": report.content,
        "grade": grade_of_report(report.score),
        "before": before,
        "dimensions": dimension_lines(report, before),
        "rules": rule_lines(report, contract, may_waive=may_waive, may_read_rows=may_read_rows),
        "rule_titles": {
            rule["check_id"]: pick(rule["reason_zh"], rule["reason_en"]) for rule in report.content["rules"]
        },
        "columns": [(contract.by_name.get(name), name, score) for name, score in columns],
        "trend": trend_chart(trend),
        "versions": list(reversed(trend)),
        "orders": orders,
        "orders_shown": orders[:ORDERS_SHOWN_MAX],
        "waivers": service.find_waivers(actor, resource_id=resource_id, only_standing=True),
    }
    return render(request, "quality/report.html", context)


@require_safe
def download_report(request: HttpRequest, report_id: str, report_form: str) -> HttpResponse:
    """The report as HTML or PDF for paper, or its signed JSON and the signature beside it."""
    actor = require_member(request)
    if report_form not in FORMS:
        raise Http404
    report = service.get_report(actor, report_id)
    language = "zh" if is_chinese() else "en"
    match report_form:
        case "html":
            body: str | bytes = service.render_report_html(report, language=language)
        case "pdf":
            body = service.render_report_pdf(report, language=language)
        case "json":
            body = report.body
        case _:
            body = report.jws
    answer = HttpResponse(body, content_type=FORMS[report_form])
    answer["Content-Disposition"] = f'attachment; filename="{report.number}.{report_form}"'
    return answer


@require_http_methods(["GET", "HEAD", "POST"])
def waive_rule(request: HttpRequest, resource_id: str) -> HttpResponse:
    """Waive a rule: which, until when, why."""
    actor = require_member(request)
    resource = catalog.get_resource(ResourceId(resource_id), actor)
    failure: Failure | None = None
    values = request.POST if request.method == "POST" else request.GET
    if request.method == "POST":
        try:
            service.waive_rule(
                actor,
                resource_id,
                values.get("rule", ""),
                until=_day(values.get("until", "")),
                reason=values.get("reason", ""),
            )
        except Failure as refused:
            failure = refused
        else:
            return redirect("quality:waivers")
    today = clock.today()
    context = {
        "resource": resource,
        "rules": service.find_waivable_rules(resource_id),
        "rule": values.get("rule", ""),
        "until": values.get("until") or (today + timedelta(days=WAIVER_DAYS_SUGGESTED)).isoformat(),
        "reason": values.get("reason", ""),
        "first_day": today.isoformat(),
        "last_day": (today + timedelta(days=QUALITY_WAIVER_DAYS_MAX)).isoformat(),
        "may_waive": is_allowed(WAIVED, actor, subject_of(resource)),
    }
    return render_page(request, "quality/waive.html", context, failure)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WaiverInvalid(
            "Write its last day as YYYY-MM-DD.", hint_zh="请填写截止日期。", field="until", until=text[:40]
        ) from None


@require_safe
def show_rows(request: HttpRequest, resource_id: str, rule_id: str) -> HttpResponse:
    """Rows of the present version that break a rule which lets them in; values masked by their column's grade."""
    actor = require_member(request)
    resource = catalog.get_resource(ResourceId(resource_id), actor)
    count, rows = service.find_failing_rows(actor, resource_id, rule_id)
    context = {
        "resource": resource,
        "rule": rule_id,
        "rows": rows,
        "has_lines": any(row.line is not None for row in rows),
        "count": count,
        "keys": list(rows[0].key) if rows else [],
        "shown_max": QUALITY_FINDINGS_SHOWN_MAX,
    }
    return render(request, "quality/rows.html", context)


@require_safe
def download_rows(request: HttpRequest, resource_id: str, rule_id: str) -> FileResponse:
    """All of them as CSV, values as they are, for the agency's own."""
    actor = require_member(request)
    out = io.StringIO()
    service.write_failing_rows_csv(actor, resource_id, rule_id, out)
    return FileResponse(
        io.BytesIO(out.getvalue().encode("utf-8-sig")),
        as_attachment=True,
        filename=f"{resource_id}-quality.csv",
        content_type="text/csv; charset=utf-8",
    )
