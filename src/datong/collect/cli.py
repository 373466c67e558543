"""`datong collect RESOURCE FILE`, `datong run list|show`, `datong quarantine RUN`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from datong.collect.contracts import RunFailed, RunState, RunView
from datong.collect.views import STEPS
from datong.kernel.failures import Failure
from datong.kernel.ids import JobId, ResourceId, RunId
from datong.kernel.terminal import ask_actor, print_json, print_table
from datong.quality.contracts import DIMENSION_TITLES, Dimension

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsMember = Annotated[
    str, typer.Option("--as", help="The member who acts (the password is asked for); without it, this machine.")
]
RunArgument = Annotated[str, typer.Argument(help="A run's id or number.", metavar="RUN")]
REASONS_SHOWN_MAX = 12


def register(app: typer.Typer) -> None:
    runs = typer.Typer(help="Runs of collection.", no_args_is_help=True)
    app.command("collect")(collect)
    app.add_typer(runs, name="run")
    runs.command("list")(list_runs)
    runs.command("show")(show_run)
    app.command("quarantine")(print_quarantine)


def collect(
    resource: Annotated[str, typer.Argument(help="The resource's id.")],
    file: Annotated[Path, typer.Argument(help="A CSV file: UTF-8, GB18030 or UTF-16, any delimiter.")],
    now: Annotated[bool, typer.Option("--now", help="Run it in this process instead of the worker.")] = False,
    delimiter: Annotated[str | None, typer.Option(help="The delimiter, when it cannot be told.")] = None,
    member: AsMember = "",
    as_json: AsJson = False,
) -> None:
    """Collect a file: it lands, is checked, and its good rows become a version."""
    from datong.collect import service

    if delimiter is not None and len(delimiter) != 1:
        raise typer.BadParameter("give one character", param_hint="--delimiter")
    run_id = service.start_run(
        ask_actor(member), ResourceId(resource), file, file.name, delimiter=delimiter, in_background=not now
    )
    try:
        run = _run_now(run_id) if now else _follow(run_id)
    except Failure:
        if not as_json:
            _print_report(service.get_run(run_id))
        raise
    if not as_json:
        _print_report(run)
    if run.state is RunState.FAILED:
        raise RunFailed(run)
    if as_json:
        print_json(describe(run))


def list_runs(
    resource: Annotated[str | None, typer.Option(help="Only this resource's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    as_json: AsJson = False,
) -> None:
    """The latest runs."""
    from datong.collect import service

    runs = list(service.find_runs(None, resource_id=resource, limit=limit))
    if as_json:
        print_json([describe(run) for run in runs])
        return
    table = Table(box=None, pad_edge=False)
    for title in ("run", "resource", "state", "read", "accepted", "quarantined", "score", "version", "started"):
        is_number = title in {"read", "accepted", "quarantined", "score"}
        table.add_column(title, justify="right" if is_number else "left", no_wrap=title == "run")
    for run in runs:
        counts = (f"{run.rows_read:,}", f"{run.rows_accepted:,}", f"{run.rows_quarantined:,}")
        score = "" if run.score is None else f"{run.score:.1f}"
        table.add_row(
            run.number, run.resource_id, run.state, *counts, score, run.version_label or "", run.started_at[:19]
        )
    print_table(table)


def show_run(run: RunArgument, as_json: AsJson = False) -> None:
    """One run: what came, what was accepted, what was set aside and why."""
    from datong.collect import service

    found = service.get_run(run)
    print_json(describe(found)) if as_json else _print_report(found)


def print_quarantine(
    run: RunArgument,
    member: AsMember = "",
    spreadsheet_safe: Annotated[
        bool, typer.Option("--spreadsheet-safe", help="Put ' before cells that a spreadsheet would compute.")
    ] = False,
) -> None:
    """The refused rows as CSV: source line, column, rule, reason, the row as it came."""
    from datong.collect import service

    service.write_quarantine_csv(run, sys.stdout, ask_actor(member), spreadsheet_safe=spreadsheet_safe)


def describe(run: RunView) -> dict[str, Any]:
    """A run as JSON: every field of RunView."""
    return asdict(run) | {"state": run.state.value}


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _run_now(run_id: RunId) -> RunView:
    from datong.collect.service import execute_run

    titles = {name: english for name, _, english in STEPS}
    with _progress() as bar:
        task = bar.add_task("Landed", total=5)
        return execute_run(
            run_id,
            lambda step, done, total: bar.update(task, completed=done, total=total, description=titles.get(step, step)),
        )


def _follow(run_id: RunId) -> RunView:
    """Wait for the worker's job; a run whose job failed is returned as it stands."""
    from datong.collect.service import get_run
    from datong.kernel.jobs.service import follow

    run = get_run(run_id)
    with _progress() as bar:
        task = bar.add_task("waiting", total=5)
        for view in follow(JobId(run.job_id or "")):
            bar.update(task, completed=view.done, total=view.total or 5, description=view.state.value)
    return get_run(run_id)


def _print_report(run: RunView) -> None:
    """The run in words, then its reasons and dimensions."""
    console = Console(highlight=False)
    console.print(f"[bold]{run.number}[/] {run.resource_title} ({run.resource_id}): [bold]{_state_words(run)}[/]")
    console.print(
        f"  {run.filename}, {run.bytes:,} bytes, {run.encoding or 'not read'}, sha256 {run.digest[:12]}…", markup=False
    )
    if run.rows_read:
        console.print(
            f"  {run.rows_read:,} rows read = {run.rows_accepted:,} accepted + {run.rows_quarantined:,} quarantined"
        )
    if run.version_label:
        console.print(f"  version {run.version_label}")
    if run.score is not None:
        parts = [
            f"{DIMENSION_TITLES[Dimension(name)][1].lower()} {score:.1f}" for name, score in run.dimensions.items()
        ]
        console.print(f"  quality {run.score:.1f} of 100 (GB/T 36344): {', '.join(parts)}")
    for reason in run.reasons[:REASONS_SHOWN_MAX]:
        console.print(f"  {reason.rows:>9,}  {reason.reason_zh} / {reason.reason_en}", markup=False)
    if run.rows_quarantined:
        console.print(f"  refused rows: datong quarantine {run.number}")
    timed = [f"{step.title_en.lower()} {step.seconds:.2f} s" for step in run.steps if step.seconds]
    if timed:
        console.print(f"  {', '.join(timed)}")
    if run.failure:
        console.print(f"  {run.failure.get('title', '')}: {run.failure.get('hint', '')}", markup=False)


def _state_words(run: RunView) -> str:
    return {
        RunState.RECEIVED: "landed, waiting to be checked",
        RunState.CHECKING: "being checked",
        RunState.COMMITTING: "being written to the lake",
        RunState.DONE: "a new version",
        RunState.UNCHANGED: "nothing new, the version stays",
        RunState.FAILED: "failed, nothing was written",
    }[run.state]
