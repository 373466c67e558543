"""Pages of collection: hand a file in, watch the run, read its report. They call services only."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any, BinaryIO, cast

from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from datong.catalog import service as catalog
from datong.catalog.words import COLLECT_MODE_TITLES, CollectMode
from datong.collect import service
from datong.collect.contracts import RunState, RunView
from datong.collect.web.present import (
    ProgressLine,
    bill_lines,
    change_lines,
    dimension_lines,
    progress_line,
    quarantine_groups,
    run_steps,
    run_tag,
    titled_changes,
    titled_rows,
    trend_chart,
    written_note,
)
from datong.collect.web.sending import mode_choices, read_delimiter, read_mode, read_sent_bill
from datong.kernel import clock
from datong.kernel.action.service import is_allowed
from datong.kernel.contracts import Actor, Subject
from datong.kernel.failures import BadInput, Failure, NotAllowed
from datong.kernel.ids import AgencyId, ResourceId, RunId
from datong.kernel.jobs import service as jobs
from datong.kernel.limits import CHANGES_SHOWN_ROWS_MAX, QUARANTINE_SHOWN_ROWS_MAX, UPLOAD_BYTES_MAX
from datong.kernel.web.requests import accepts_upload, require_member
from datong.ui.web.pages import render_page
from datong.ui.web.words import pick

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
        "modes": mode_choices(contract, request.POST.get("mode", "")),
        "typed": request.POST,
    }
    failure: Failure | None = None
    if request.method == "POST":
        try:
            sent = request.FILES.get("file")
            if sent is None or not sent.size:
                raise BadInput("Choose a file that is not empty.", hint_zh="请选择一个非空的文件。", field="file")
            run_id = service.start_run(
                actor,
                ResourceId(resource_id),
                cast("BinaryIO", sent.file),
                sent.name or "file.csv",
                delimiter=read_delimiter(request.POST),
                bill=read_sent_bill(request),
                mode=read_mode(request.POST),
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
    return _render_run(request, actor, service.get_run(RunId(run_id), actor))


def _render_run(request: HttpRequest, actor: Actor, run: RunView, failure: Failure | None = None) -> HttpResponse:
    recent = [other for other in service.find_runs(actor, resource_id=run.resource_id).items if other.score is not None]
    rule = request.GET.get("rule") or (run.reasons[0].rule if run.reasons else "")
    may_read = is_allowed(service.EXPORTED, actor, _subject(run))
    rows = (
        service.read_quarantine(run.id, actor, rule=rule, rows_max=QUARANTINE_SHOWN_ROWS_MAX)
        if rule and may_read
        else []
    )
    contract = catalog.get_contract(ResourceId(run.resource_id), run.contract_version)
    case = service.find_case(run)
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
        "rows": titled_rows(rows, contract),
        "rows_shown_max": QUARANTINE_SHOWN_ROWS_MAX,
        "failure": _failure_lines(run),
        "proposal": (run.failure or {}).get("facts", {}).get("proposal", ""),
        "progress": _progress(run),
        "case": case,
        "may_decide": case is not None and is_allowed(service.RESUMED, actor, _subject(run)),
        "mode_title": pick(*COLLECT_MODE_TITLES[CollectMode(run.mode)]),
        "bill": bill_lines(run),
        "changes": change_lines(run, contract),
        "notes": [(pick(note.zh, note.en), note.text) for note in run.notes],
        "written": written_note(run),
        "reason": request.POST.get("reason", ""),
    }
    return render_page(request, "collect/run.html", context, failure)


@require_POST
def decide_run(request: HttpRequest, run_id: str) -> HttpResponse:
    """Let a waiting run go on or give it up; close the case of a failed one."""
    actor = require_member(request)
    run = service.get_run(RunId(run_id), actor)
    reason = request.POST.get("reason", "")
    decision = request.POST.get("decision", "")
    try:
        if decision == "resume":
            service.resume_run(actor, run.id, reason)
        elif decision == "give-up":
            service.give_up_run(actor, run.id, reason)
        elif decision == "close":
            service.close_failure(actor, run.id, reason)
        else:
            raise BadInput("Choose what is to become of the run.", hint_zh="请选择如何处理。", field="decision")
    except NotAllowed:
        raise
    except Failure as refused:
        return _render_run(request, actor, run, refused)
    return redirect("collect:run", run_id=run.id)


@require_safe
def show_changes(request: HttpRequest, run_id: str) -> HttpResponse:
    """The cells that cleaning changed, before and after; the first of them, all at the terminal."""
    actor = require_member(request)
    run = service.get_run(RunId(run_id), actor)
    contract = catalog.get_contract(ResourceId(run.resource_id), run.contract_version)
    column = request.GET.get("column", "")
    context = {
        "run": run,
        "resource": catalog.get_resource(ResourceId(run.resource_id)),
        "columns": [each for each in contract.columns if each.cleaning],
        "column": column,
        "summary": change_lines(run, contract),
        "changes": titled_changes(service.find_changes(run.id, actor, column=column), contract),
        "rows_shown_max": CHANGES_SHOWN_ROWS_MAX,
    }
    return render(request, "collect/changes.html", context)


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
    if run.is_at_rest:
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


def _progress(run: RunView) -> ProgressLine | None:
    if run.is_at_rest:
        return None
    elapsed_s = (clock.now() - datetime.fromisoformat(run.started_at)).total_seconds()
    return progress_line(run, jobs.get_job(run.job_id) if run.job_id else None, elapsed_s)


def _failure_lines(run: RunView) -> dict[str, Any] | None:
    """The stored failure of a run that ended without a version."""
    if run.state is not RunState.FAILED or run.failure is None:
        return None
    return service.localise_failure(run.failure)


def _subject(run: RunView) -> Subject:
    return Subject(kind="resource", id=run.resource_id, agency_id=AgencyId(run.agency_id), name=run.resource_title)
