"""`datong collect RESOURCE FILE`, `datong run list|show|resume|give-up|changes`, `datong quarantine RUN`."""

from __future__ import annotations

import csv
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from datong.catalog.words import CollectMode
from datong.collect.contracts import Bill, BillUnreadable, RunBlocked, RunFailed, RunState, RunView
from datong.collect.reconcile import explain_differences, read_bill
from datong.collect.views import STEPS
from datong.kernel.failures import Failure
from datong.kernel.ids import JobId, ResourceId, RunId
from datong.kernel.limits import BILL_BYTES_MAX, CHANGES_LISTED_MAX
from datong.kernel.terminal import ask_actor, print_json, print_table
from datong.quality.contracts import DIMENSION_TITLES, Dimension

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsMember = Annotated[
    str, typer.Option("--as", help="The member who acts (the password is asked for); without it, this machine.")
]
RunArgument = Annotated[str, typer.Argument(help="A run's id or number.", metavar="RUN")]
REASONS_SHOWN_MAX = 12


def register(app: typer.Typer) -> None:
    from datong.collect.infer import cli as inferring
    from datong.collect.sources import cli as sources

    sources.register(app)
    inferring.register()
    runs = typer.Typer(help="Runs of collection.", no_args_is_help=True)
    app.command("collect")(collect)
    app.add_typer(runs, name="run")
    runs.command("list")(list_runs)
    runs.command("show")(show_run)
    runs.command("resume")(resume_run)
    runs.command("give-up")(give_up_run)
    runs.command("changes")(list_changes)
    app.command("quarantine")(print_quarantine)


def collect(
    resource: Annotated[str, typer.Argument(help="The resource's id.")],
    file: Annotated[Path, typer.Argument(help="CSV, Excel, JSON, XML, Parquet, GeoJSON, shapefile; also zip or gz.")],
    bill: Annotated[
        Path | None, typer.Option("--bill", help="The sender's bill 对账单: rows, digest, control sums; JSON or CSV.")
    ] = None,
    mode: Annotated[
        CollectMode | None, typer.Option("--mode", help="For this file alone, in the place of the contract's mode.")
    ] = None,
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
        ask_actor(member),
        ResourceId(resource),
        file,
        file.name,
        delimiter=delimiter,
        in_background=not now,
        bill=_read_bill_file(bill) if bill else None,
        mode=mode,
    )
    try:
        run = _run_now(run_id) if now else _follow(run_id)
    except Failure:
        if not as_json:
            _print_report(service.get_run(run_id))
        raise
    _tell(run, as_json=as_json)


def _tell(run: RunView, *, as_json: bool) -> None:
    """The report; a run that failed or waits ends the command with its failure. Under --json one document is printed:
    the run, also when it waits, or the problem of a failed one."""
    if not as_json:
        _print_report(run)
    if run.state is RunState.FAILED:
        raise RunFailed(run)
    if as_json:
        print_json(describe(run))
    if run.state is RunState.BLOCKED:
        if as_json:
            raise typer.Exit(1)
        raise RunBlocked(
            f"{'; '.join(block.reason_en for block in run.blocks)}. "
            f"Let it go on with `datong run resume {run.number}`, or end it with `datong run give-up {run.number}`.",
            hint_zh=f"{'；'.join(block.reason_zh for block in run.blocks)}。"
            f"继续：datong run resume {run.number}；放弃：datong run give-up {run.number}。",
            run=run.number,
        )


def _read_bill_file(path: Path) -> Bill:
    try:
        with path.open("rb") as file:
            return read_bill(file.read(BILL_BYTES_MAX + 1), path.name)
    except OSError as error:
        raise BillUnreadable(f"{path}: {error.strerror}.", hint_zh=f"无法打开{path}。") from error


def resume_run(
    run: RunArgument,
    reason: Annotated[str, typer.Option(help="Why it may go on; it goes into the audit log.")] = "",
    now: Annotated[bool, typer.Option("--now", help="Run it in this process instead of the worker.")] = False,
    member: AsMember = "",
    as_json: AsJson = False,
) -> None:
    """Let a waiting run go on: bill and deletions as they are; blocking rules are judged again."""
    from datong.collect import service

    resumed = service.resume_run(ask_actor(member), run, reason)
    _tell(_run_now(RunId(resumed.id)) if now else _follow(RunId(resumed.id)), as_json=as_json)


def give_up_run(
    run: RunArgument,
    reason: Annotated[str, typer.Option(help="Why; it goes into the audit log.")],
    member: AsMember = "",
    as_json: AsJson = False,
) -> None:
    """End a waiting run without a version."""
    from datong.collect import service

    ended = service.give_up_run(ask_actor(member), run, reason)
    print_json(describe(ended)) if as_json else _print_report(ended)


def list_changes(
    run: RunArgument,
    column: Annotated[str, typer.Option(help="Only this column's.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=CHANGES_LISTED_MAX)] = CHANGES_LISTED_MAX,
    member: AsMember = "",
) -> None:
    """The cells that cleaning changed, as CSV: line, column, before, after; from the landed file."""
    from datong.collect import service

    writer = csv.writer(sys.stdout)
    writer.writerow(["line", "column", "before", "after"])
    for change in service.find_changes(run, ask_actor(member), column=column, rows_max=limit):
        writer.writerow([change.line, change.column, change.before, change.after])


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
    bill = run.bill.as_dict() if run.bill else None
    return asdict(run) | {"state": run.state.value, "bill": bill}


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _run_now(run_id: RunId) -> RunView:
    from datong.collect.service import execute_run

    titles = {name: english for name, _, english in STEPS}
    with _progress() as bar:
        task = bar.add_task("Landed", total=None)
        return execute_run(
            run_id,
            lambda step, done, total: bar.update(
                task, completed=done, total=max(total, 1), description=titles.get(step, step)
            ),
        )


def _follow(run_id: RunId) -> RunView:
    """Wait for the worker's job; a run whose job failed is returned as it stands."""
    from datong.collect.service import get_run
    from datong.kernel.jobs.service import follow

    run = get_run(run_id)
    with _progress() as bar:
        task = bar.add_task("waiting", total=None)
        for view in follow(JobId(run.job_id or "")):
            bar.update(task, completed=view.done, total=view.total or None, description=view.note or view.state.value)
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
        changed = ", ".join(f"{rows:,} {name}" for name, rows in run.written.items() if rows)
        console.print(f"  version {run.version_label}{f': {changed}' if changed else ''} ({run.mode})")
    _print_delivery(console, run)
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
        if proposal := run.failure.get("facts", {}).get("proposal"):
            console.print(f"  If the columns were renamed, change the contract:\n{proposal}", markup=False)
    if run.landed_gone_at:
        console.print(f"  the file was removed after its time, {run.landed_gone_at[:10]}; its digest is kept")


def _print_delivery(console: Console, run: RunView) -> None:
    """What the file was like, what its bill says, what cleaning changed, and why the run waits."""
    for note in run.notes:
        console.print(f"  {note.zh} / {note.en}", markup=False)
    if run.bill is not None:
        told = explain_differences(run.bill_differences)[1] if run.bill_differences else "agrees"
        console.print(f"  bill: {told if run.rows_read else 'not compared yet'}", markup=False)
    cleaned = [f"{each.column} {each.step} {each.changed:,}" for each in run.changes if each.changed]
    if cleaned:
        console.print(f"  cells cleaned: {', '.join(cleaned)} (datong run changes {run.number})", markup=False)
    for block in run.blocks:
        console.print(f"  waits: {block.reason_zh} / {block.reason_en}", markup=False)


def _state_words(run: RunView) -> str:
    return {
        RunState.RECEIVED: "landed, waiting to be checked",
        RunState.CHECKING: "being checked",
        RunState.COMMITTING: "being written to the lake",
        RunState.BLOCKED: "waiting for a decision, nothing was written",
        RunState.DONE: "a new version",
        RunState.UNCHANGED: "nothing new, the version stays",
        RunState.FAILED: "failed, nothing was written",
    }[run.state]
