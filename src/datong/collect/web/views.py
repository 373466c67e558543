"""Pages of collection: hand a file in, watch the run, read its report. They call services only."""

from __future__ import annotations

import io
from typing import Any, BinaryIO, cast

from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from datong.catalog import service as catalog
from datong.collect import service
from datong.collect.contracts import RunState, RunView
from datong.collect.web.present import (
    dimension_lines,
    quarantine_groups,
    run_steps,
    run_tag,
    titled_rows,
    trend_chart,
)
from datong.kernel.action.service import is_allowed
from datong.kernel.contracts import Subject
from datong.kernel.failures import BadInput, Failure
from datong.kernel.ids import AgencyId, ResourceId, RunId
from datong.kernel.jobs import service as jobs
from datong.kernel.limits import QUARANTINE_SHOWN_ROWS_MAX, UPLOAD_BYTES_MAX
from datong.kernel.web.requests import accepts_upload, require_member
from datong.ui.web.pages import render_page

TREND_RUNS_MAX = 12
HTMX_STOP_POLLING = 286


@accepts_upload
@require_http_methods(["GET", "HEAD", "POST"])
def collect_file(request: HttpRequest, resource_id: str) -> HttpResponse:
    """The upload form; a file that arrived whole becomes a run and its page follows it."""
    actor = require_member(request)
    resource = catalog.get_resource(ResourceId(resource_id), actor)
    contract = catalog.get_contract(ResourceId(resource_id))
    owner = Subject(kind="resource", id=resource.id, agency_id=AgencyId(resource.agency_id), name=resource.title_zh)
    context: dict[str, Any] = {
        "resource": resource,
        "contract": contract,
        "limit_bytes": UPLOAD_BYTES_MAX,
        "may_collect": is_allowed(service.STARTED, actor, owner),
    }
    failure: Failure | None = None
    if request.method == "POST":
        try:
            sent = request.FILES.get("file")
            if sent is None or not sent.size:
                raise BadInput("Choose a file that is not empty.", hint_zh="请选择一个非空的文件。", field="file")
            run_id = service.start_run(
                actor, ResourceId(resource_id), cast("BinaryIO", sent.file), sent.name or "file.csv"
            )
        except Failure as refused:
            failure = refused
        else:
            return redirect("collect:run", run_id=run_id)
    return render_page(request, "collect/collect.html", context, failure)


@require_safe
def list_runs(request: HttpRequest) -> HttpResponse:
    """The runs of the reader's agency, newest first."""
    actor = require_member(request)
    runs = service.find_runs(actor, cursor=request.GET.get("cursor") or None)
    return render(request, "collect/runs.html", {"page": runs, "runs": [(run, run_tag(run)) for run in runs.items]})


@require_safe
def show_run(request: HttpRequest, run_id: str) -> HttpResponse:
    """The report: what came, what was checked, what was set aside and why; the progress while it runs."""
    actor = require_member(request)
    run = service.get_run(RunId(run_id), actor)
    recent = [other for other in service.find_runs(actor, resource_id=run.resource_id).items if other.score is not None]
    rule = request.GET.get("rule") or (run.reasons[0].rule if run.reasons else "")
    may_read = is_allowed(service.EXPORTED, actor, _subject(run))
    rows = (
        service.read_quarantine(run.id, actor, rule=rule, rows_max=QUARANTINE_SHOWN_ROWS_MAX)
        if rule and may_read
        else []
    )
    context = {
        "run": run,
        "resource": catalog.get_resource(ResourceId(run.resource_id)),
        "tag": run_tag(run),
        "was_checked": any(step.name == "check" and step.seconds is not None for step in run.steps),
        "steps": run_steps(run),
        "dimensions": dimension_lines(run, _previous(run, recent)),
        "previous": _previous(run, recent),
        "trend": trend_chart(recent[:TREND_RUNS_MAX]),
        "groups": quarantine_groups(run, rule),
        "may_read_rows": may_read,
        "rows": titled_rows(rows, catalog.get_contract(ResourceId(run.resource_id), run.contract_version)),
        "rows_shown_max": QUARANTINE_SHOWN_ROWS_MAX,
        "failure": _failure_lines(run),
        "progress": _progress(run),
    }
    return render(request, "collect/run.html", context)


@require_safe
def show_attention(request: HttpRequest, resource_id: str) -> HttpResponse:
    """Where the case of a failed collection leads: the resource's latest run that failed or waits."""
    actor = require_member(request)
    problem = service.find_open_problem(resource_id, actor)
    if problem is None:
        return redirect("catalog:resource", resource_id=resource_id)
    return redirect("collect:run", run_id=problem.id)


@require_safe
def show_progress(request: HttpRequest, run_id: str) -> HttpResponse:
    """The progress panel alone, for htmx; once the run has ended the page is asked to load anew."""
    actor = require_member(request)
    run = service.get_run(RunId(run_id), actor)
    answer = render(
        request, "collect/parts/progress.html", {"run": run, "progress": _progress(run), "steps": run_steps(run)}
    )
    if run.is_final:
        answer.status_code = HTMX_STOP_POLLING
        answer["HX-Refresh"] = "true"
    return answer


@require_safe
def download_quarantine(request: HttpRequest, run_id: str) -> HttpResponse | FileResponse:
    """Every quarantined row with its line, column, rule and reason, as CSV."""
    actor = require_member(request)
    run = service.get_run(RunId(run_id), actor)
    out = io.BytesIO()
    service.write_quarantine_csv(run.id, out, actor, spreadsheet_safe=True)
    out.seek(0)
    return FileResponse(
        out, as_attachment=True, filename=f"{run.number}-quarantine.csv", content_type="text/csv; charset=utf-8"
    )


def _previous(run: RunView, recent: list[RunView]) -> RunView | None:
    """The scored run before this one."""
    return next((other for other in recent if other.started_at < run.started_at), None)


def _progress(run: RunView) -> dict[str, Any] | None:
    if run.is_final or run.job_id is None:
        return None
    job = jobs.get_job(run.job_id)
    return {"done": job.done, "total": job.total, "note": job.note, "state": job.state}


def _failure_lines(run: RunView) -> dict[str, Any] | None:
    """The stored failure of a run that ended without a version."""
    if run.state is not RunState.FAILED or run.failure is None:
        return None
    return service.localise_failure(run.failure)


def _subject(run: RunView) -> Subject:
    return Subject(kind="resource", id=run.resource_id, agency_id=AgencyId(run.agency_id), name=run.resource_title)
