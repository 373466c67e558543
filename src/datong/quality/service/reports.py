"""Reports: one signed document for every version, with what each rule found, and work orders for what is broken."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import orjson

from datong.catalog.contracts import ResourceView
from datong.catalog.service import find_titles, get_resource, put_facet
from datong.kernel import clock
from datong.kernel.action.service import action
from datong.kernel.contracts import Actor
from datong.kernel.documents import render_pdf, sign_document
from datong.kernel.limits import PAGE_ROWS_DEFAULT, QUALITY_TREND_REPORTS_MAX
from datong.kernel.numbers.service import next_number
from datong.quality.contracts import (
    REPORT_READERS,
    RUN_READERS,
    EvaluatedRun,
    ReportNotFound,
    ReportView,
    RuleScore,
    RunScore,
)
from datong.quality.paper import lay_out_report
from datong.quality.scoring import grade_of, grade_titles, score_rules
from datong.quality.service.orders import settle_orders
from datong.quality.service.subjects import QUALITY, REPORTED, sees_agency, subject_of
from datong.quality.service.waivers import find_waived_rules, find_waivers
from datong.quality.store.models import Report

DOCUMENT_KIND = "quality-report"
METHOD_ZH = (
    "评分方法：规则得分=100×(行数−不合格行数)/行数，设有容忍界限的规则在界限内得100分；"
    "维度得分为其规则的加权平均；总分为有规则的维度的平均（GB/T 36344-2018六个维度，等权）；已豁免的规则不计分。"
)
METHOD_EN = (
    "A rule scores 100 × (rows − bad) / rows, or 100 while its tolerance is kept; a dimension is the weighted mean of "
    "its rules; the total is the mean of the dimensions that have a rule (the six of GB/T 36344-2018, equal weights); "
    "waived rules have no part."
)


def record_run(run_id: str) -> ReportView | None:
    """Report a run of collection that was judged, and open or close its work orders; None when nothing is new.

    Idempotent: a run has one report. A run that made no version (it is blocked) has its orders and no report.
    """
    run = _read_run(run_id)
    if run is None or run.is_repeated or Report.objects.filter(run_id=run_id).exists():
        return None
    resource = get_resource(run.resource_id)
    waived = find_waived_rules(run.resource_id, clock.today())
    score = score_rules([_settled(rule, waived) for rule in run.rules])
    run = replace(run, rules=score.rules)
    grade_zh, grade_en = grade_titles(score.total)
    facts = {"title_en": resource.title_en, "score": score.total, "grade": grade_zh, "grade_en": grade_en}
    with action(REPORTED, QUALITY, subject_of(resource), facts={**facts, "run": run.run_number}) as record:
        orders = settle_orders(run, resource, waived)
        record.facts.update(orders)
        if run.version_id is None:
            record.facts["number"] = run.run_number
            return record.done(None)
        report = _write_report(run, resource, score)
        record.facts.update(number=report.number, version=report.version_label, digest=report.digest)
        put_facet(run.resource_id, "quality.score", score.total)
        put_facet(run.resource_id, "quality.grade", grade_of(score.total).value)
        put_facet(run.resource_id, "quality.dimensions", dict(score.dimensions))
        put_facet(run.resource_id, "quality.report", {"id": report.id, "number": report.number})
        record.event(
            REPORTED,
            subject=f"resource:{run.resource_id}",
            payload={"report": report.id, "resource": run.resource_id, "score": score.total},
        )
        return record.done(_views([report])[0])


def _read_run(run_id: str) -> EvaluatedRun | None:
    for reader in RUN_READERS.values():
        found = reader(run_id)
        if found is not None:
            return found
    return None


def _settled(rule: RuleScore, waived: frozenset[str]) -> RuleScore:
    """The rule with its waiver; rows without the header's shape break a rule that is there only when they are."""
    is_broken = rule.is_broken or (rule.kind == "shape" and rule.rows_bad > 0)
    return replace(rule, is_broken=is_broken, is_waived=rule.is_waived or rule.check_id in waived)


def _write_report(run: EvaluatedRun, resource: ResourceView, score: RunScore) -> Report:
    number = next_number("QR")
    body = orjson.dumps(
        _content(number, run, resource, score), option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2, default=str
    )
    signed = sign_document(body, kind=DOCUMENT_KIND, subject=resource.id)
    return Report.objects.create(
        number=number,
        resource_id=resource.id,
        resource_title=resource.title_zh,
        agency_id=resource.agency_id,
        run_id=run.run_id,
        run_number=run.run_number,
        version_id=run.version_id,
        version_label=run.version_label,
        contract_version=run.contract_version,
        rows_read=run.rows_read,
        rows_accepted=run.rows_accepted,
        rows_quarantined=run.rows_quarantined,
        score=score.total,
        dimensions=dict(score.dimensions),
        body=body.decode(),
        digest=signed.digest,
        jws=signed.jws,
    )


def _content(number: str, run: EvaluatedRun, resource: ResourceView, score: RunScore) -> dict[str, Any]:
    """What is signed: no row and no value of the data, only counts and names."""
    grade_zh, grade_en = grade_titles(score.total)
    waivers = find_waivers(QUALITY, resource_id=resource.id, only_standing=True)
    return {
        "document": DOCUMENT_KIND,
        "number": number,
        "issued_at": clock.iso(clock.now()),
        "resource": {
            "id": resource.id,
            "title": resource.title_zh,
            "title_en": resource.title_en,
            "directory_code": resource.directory_code,
            "agency": resource.agency_name,
            "agency_en": resource.agency_name_en,
            "columns": resource.columns_count,
        },
        "version": {"id": run.version_id, "label": run.version_label, "contract": run.contract_version},
        "delivery": {"run": run.run_number, "file": run.filename, "sha256": run.digest},
        "rows": {"read": run.rows_read, "accepted": run.rows_accepted, "quarantined": run.rows_quarantined},
        "score": score.total,
        "grade": {"code": grade_of(score.total).value, "title": grade_zh, "title_en": grade_en},
        "dimensions": dict(score.dimensions),
        "columns": dict(score.columns),
        "rules_run": sum(rule.is_evaluated for rule in score.rules),
        "rules_held": sum(rule.is_evaluated and not rule.is_broken for rule in score.rules),
        "rules": [asdict(rule) for rule in score.rules],
        "waivers": [
            {"rule": w.rule_id, "until": w.until.isoformat(), "by": w.granted_by, "reason": w.reason} for w in waivers
        ],
        "method": METHOD_ZH,
        "method_en": METHOD_EN,
    }


# Reading -----------------------------------------------------------------------------------------------------------
def get_report(actor: Actor, report_id: str) -> ReportView:
    """A report by its id or number (QR-2026-00001), for its agency, for who sees all, and for approved requesters."""
    field = "number" if report_id.startswith("QR-") else "pk"
    report = Report.objects.select_related("agency").filter(**{field: report_id}).first()
    if report is None or not may_read(actor, report.resource_id, report.agency_id):
        raise ReportNotFound("Check the address.", hint_zh="请检查地址。", report=report_id)
    return _views([report])[0]


def latest_report(actor: Actor, resource_id: str, *, version: str | None = None) -> ReportView:
    """The newest report of a resource, or that of a version's label. Raises ReportNotFound."""
    reports = find_reports(actor, resource_id)
    found = next((one for one in reports if version in (None, one.version_label, one.version_id)), None)
    if found is None:
        raise ReportNotFound(
            "The resource has none yet, or none of this version.",
            hint_zh="该资源还没有质量报告，或没有该版本的报告。",
            resource=resource_id,
            version=version,
        )
    return found


def find_reports(actor: Actor, resource_id: str, *, limit: int = PAGE_ROWS_DEFAULT) -> list[ReportView]:
    """A resource's reports, newest first; none for who may not read them."""
    rows = Report.objects.select_related("agency").filter(resource_id=resource_id).order_by("-recorded_at")[:limit]
    return _views([report for report in rows if may_read(actor, report.resource_id, report.agency_id)])


def trend_of(actor: Actor, resource_id: str) -> list[ReportView]:
    """The last reports, oldest first."""
    return list(reversed(find_reports(actor, resource_id, limit=QUALITY_TREND_REPORTS_MAX)))


def may_read(actor: Actor, resource_id: str, agency_id: str) -> bool:
    """The source, who sees all, and whoever a higher part vouches for (holders of grants)."""
    return sees_agency(actor, agency_id) or any(reader(actor, resource_id) for reader in REPORT_READERS.values())


def render_report_html(report: ReportView, *, language: str = "zh") -> str:
    """The report laid out for paper, with the digest and signature of its JSON."""
    return lay_out_report(report, language=language)


def render_report_pdf(report: ReportView, *, language: str = "zh") -> bytes:
    """The same as PDF. Raises PdfUnavailable."""
    return render_pdf(lay_out_report(report, language=language))


def _views(reports: list[Report]) -> list[ReportView]:
    titles = find_titles(report.resource_id for report in reports)
    return [_view(report, titles.get(report.resource_id, ("", ""))[1]) for report in reports]


def _view(report: Report, title_en: str) -> ReportView:
    return ReportView(
        id=report.id,
        number=report.number,
        resource_id=report.resource_id,
        resource_title=report.resource_title,
        resource_title_en=title_en,
        agency_id=report.agency_id,
        agency_name=report.agency.name,
        agency_name_en=report.agency.name_en,
        run_id=report.run_id,
        run_number=report.run_number,
        version_id=report.version_id,
        version_label=report.version_label,
        rows_read=report.rows_read,
        rows_accepted=report.rows_accepted,
        rows_quarantined=report.rows_quarantined,
        score=report.score,
        dimensions=report.dimensions,
        content=orjson.loads(report.body),
        body=report.body,
        digest=report.digest,
        jws=report.jws,
        recorded_at=clock.iso(report.recorded_at),
    )
