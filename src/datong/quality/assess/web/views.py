"""Pages of conformance: what a contract is held against, the reports on it, their signed files. Services only."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_safe

from datong.catalog import service as catalog
from datong.kernel.failures import Failure
from datong.kernel.ids import ResourceId
from datong.kernel.jobs import service as jobs
from datong.kernel.web.requests import require_member, wants_json
from datong.quality.assess import service
from datong.quality.assess.contracts import ASPECT_TITLES, Assessment
from datong.quality.assess.encoding import encode_assessment
from datong.quality.scoring import grade_titles
from datong.standards.browse import find_shelves
from datong.standards.contracts import EditionKind
from datong.standards.elements import COMMON_SET
from datong.ui.web.pages import render_page


@require_http_methods(["GET", "HEAD", "POST"])
def show_conformance(request: HttpRequest, resource_id: str) -> HttpResponse:
    """The contract held against the standards now, and the reports so far; posting asks for a report with data."""
    actor = require_member(request)
    resource = catalog.get_resource(ResourceId(resource_id), actor)
    against = request.POST.get("against", "") or request.GET.get("against", "")
    failure: Failure | None = None
    if request.method == "POST":
        try:
            job_id = service.ask_assessment(actor, ResourceId(resource_id), against=against)
        except Failure as refused:
            failure = refused
            against = ""
        else:
            here = reverse("conformance:resource", args=[resource_id])
            return redirect(f"{here}?{urlencode({'job': job_id, 'against': against})}")
    assessment = service.preview(ResourceId(resource_id), actor, against=against)
    if wants_json(request) and failure is None:
        return HttpResponse(encode_assessment(assessment), content_type="application/json")
    reports = service.find_reports(ResourceId(resource_id), actor)
    context = {
        "resource": resource,
        "may_assess": service.may_assess(actor, resource),
        "sets": [shelf for shelf in find_shelves(EditionKind.ELEMENTS) if shelf.name != COMMON_SET],
        "against": against,
        "job": _job(request.GET.get("job", "")),
        "reports": reports,
        "is_stale": bool(reports) and reports[0].assessment.contract_version != assessment.contract_version,
        **_lines(assessment),
    }
    return render_page(request, "quality/conformance.html", context, failure)


@require_safe
def show_report(request: HttpRequest, resource_id: str, report_number: str) -> HttpResponse:
    """One report that was kept, with its files and how to check them."""
    actor = require_member(request)
    report = service.get_report(ResourceId(resource_id), report_number, actor)
    resource = catalog.get_resource(ResourceId(resource_id), actor)
    context = {"resource": resource, "report": report, **_lines(report.assessment)}
    return render(request, "quality/conformance_report.html", context)


@require_safe
def download_report(request: HttpRequest, resource_id: str, report_number: str, report_file: str) -> HttpResponse:
    """A file of the report, to the byte as it was signed."""
    actor = require_member(request)
    body, media_type = service.read_report_file(ResourceId(resource_id), report_number, report_file, actor)
    answer = HttpResponse(body, content_type=media_type)
    answer["Content-Disposition"] = f'attachment; filename="{report_number}.{report_file}"'
    return answer


def _job(job_id: str) -> dict[str, Any] | None:
    """The state of the assessment that the page was sent on with."""
    if not job_id:
        return None
    job = jobs.get_job(job_id)
    return {"state": job.state.value, "is_finished": job.is_finished, "failure": job.failure}


def _lines(assessment: Assessment) -> dict[str, Any]:
    return {
        "assessment": assessment,
        "grade": grade_titles(assessment.score),
        "unmet": [
            {"column": column, "requirement": each, "aspect": ASPECT_TITLES[each.aspect]}
            for column in assessment.columns
            for each in column.unmet
        ],
        "met_count": assessment.requirements_count - assessment.unmet_count,
        "measured": [
            {"column": column, "share": share, "good_count": share.values_count - share.bad_count}
            for column in assessment.columns
            for share in column.values
        ],
    }
