"""`datong source …`. Credentials come from a prompt, standard input or a file, never from the command's own words."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from datong.collect.sources.contracts import ConnectionReport, FetchState, SourceDraft, SourceView
from datong.collect.sources.options import option_names, read_kind
from datong.kernel.config import Secret
from datong.kernel.failures import BadInput, Failure
from datong.kernel.ids import JobId
from datong.kernel.terminal import ask_actor, print_json, print_table

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsMember = Annotated[
    str, typer.Option("--as", help="The member who acts (the password is asked for); without it, this machine.")
]
SourceArgument = Annotated[str, typer.Argument(help="A source's id.", metavar="SOURCE")]


def register(app: typer.Typer) -> None:
    sources = typer.Typer(help="Connected sources: databases, APIs, topics, folders.", no_args_is_help=True)
    app.add_typer(sources, name="source")
    for name, command in (
        ("list", list_sources),
        ("show", show_source),
        ("create", create_source),
        ("test", try_source),
        ("run", run_source),
        ("enable", enable_source),
        ("disable", disable_source),
        ("remove", remove_source),
    ):
        sources.command(name)(command)


def list_sources(
    resource: Annotated[str | None, typer.Option(help="Only this resource's.")] = None, as_json: AsJson = False
) -> None:
    """The sources, by resource."""
    from datong.collect.sources import service

    found = service.find_sources(None, resource_id=resource)
    if as_json:
        print_json([asdict(source) for source in found])
        return
    table = Table(box=None, pad_edge=False)
    for title in ("source", "resource", "kind", "enabled", "failures", "fetched", "next", "name"):
        table.add_column(title, no_wrap=title == "source")
    for source in found:
        table.add_row(
            source.id,
            source.resource_id,
            source.kind,
            "yes" if source.enabled else "no",
            str(source.failures_in_row),
            str(source.fetched_at or "")[:19],
            str(source.due_at or "")[:19],
            source.title,
        )
    print_table(table)


def show_source(source: SourceArgument, as_json: AsJson = False) -> None:
    """One source: its settings without its credentials, and its latest fetches."""
    from datong.collect.sources import service

    found = service.get_source(source)
    fetches = service.find_fetches(source, limit=10)
    if as_json:
        print_json({**asdict(found), "fetches": [asdict(fetch) for fetch in fetches]})
        return
    _print_source(found)
    for fetch in fetches:
        code = (fetch.failure or {}).get("code", "")
        typer.echo(
            f"  {str(fetch.started_at)[:19]}  {fetch.state:<8} {fetch.rows or 0:>9,} rows  {fetch.run_number} {code}"
        )


def create_source(
    resource: Annotated[str, typer.Argument(help="The resource's id.")],
    kind: Annotated[str, typer.Argument(help="postgres, mysql, http, mqtt, folder or sftp.")],
    name: Annotated[str, typer.Option(help="What people call it.")],
    option: Annotated[list[str] | None, typer.Option("--set", help="An option, name=value; again for each.")] = None,
    schedule: Annotated[str, typer.Option(help="Five cron fields in China time, or `cycle`.")] = "",
    after: Annotated[str, typer.Option(help="Fetch when this resource has a new version.")] = "",
    secrets_file: Annotated[
        Path | None,
        typer.Option(
            "--secrets", help="A file of name=value lines with the credentials, mode 0600; `-` for standard input."
        ),
    ] = None,
    member: AsMember = "",
    as_json: AsJson = False,
) -> None:
    """Describe a source. It begins disabled: test it, then enable it. Without --secrets a terminal asks for them."""
    from datong.collect.sources import service

    made = service.create_source(
        ask_actor(member),
        SourceDraft(
            resource_id=resource,
            title=name,
            kind=read_kind(kind).value,
            options=_pairs(option or [], "--set"),
            secrets=_read_secrets(kind, secrets_file),
            schedule=schedule,
            after_resource=after,
        ),
    )
    print_json(asdict(made)) if as_json else _print_source(made)


def try_source(source: SourceArgument, member: AsMember = "", as_json: AsJson = False) -> None:
    """Connect and say what is there; nothing is fetched."""
    from datong.collect.sources import service

    report = service.test_source(ask_actor(member), source)
    print_json(asdict(report)) if as_json else _print_report(report)


def run_source(
    source: SourceArgument,
    now: Annotated[bool, typer.Option("--now", help="Fetch in this process instead of the worker.")] = False,
    member: AsMember = "",
    as_json: AsJson = False,
) -> None:
    """Fetch what is new. Its run goes on in the worker."""
    from datong.collect.sources import service
    from datong.kernel.jobs.service import follow

    fetch = service.request_fetch(ask_actor(member), source, in_background=not now)
    if now:
        service.execute_fetch(fetch.id)
    elif fetch.job_id:
        for _ in follow(JobId(fetch.job_id)):
            pass
    ended = next((found for found in service.find_fetches(source) if found.id == fetch.id), None)
    if as_json:
        print_json(None if ended is None else asdict(ended))
    elif ended is None:
        typer.echo("Nothing is new.")
    else:
        typer.echo(f"{ended.state}: {ended.filename} {ended.run_number}".strip())
    if ended is not None and ended.state is FetchState.FAILED:
        raise FetchFailed(dict(ended.failure or {}))


def enable_source(source: SourceArgument, member: AsMember = "", as_json: AsJson = False) -> None:
    """Fetch on schedule and by event from now on."""
    from datong.collect.sources import service

    _say(service.enable_source(ask_actor(member), source), as_json)


def disable_source(source: SourceArgument, member: AsMember = "", as_json: AsJson = False) -> None:
    """Begin no fetch any more."""
    from datong.collect.sources import service

    _say(service.disable_source(ask_actor(member), source), as_json)


def remove_source(source: SourceArgument, member: AsMember = "", as_json: AsJson = False) -> None:
    """Destroy the credentials and forget the cursor; the fetches stay on record."""
    from datong.collect.sources import service

    service.remove_source(ask_actor(member), source)
    print_json({"removed": source}) if as_json else typer.echo(f"{source} is removed.")


class FetchFailed(Failure):
    """A fetch that ended as failed, shown with the failure that was met."""

    code, status = "fetch-failed", 502
    title, title_zh = "The fetch failed; the cursor has not moved", "取数失败，游标没有移动"

    def __init__(self, problem: dict[str, Any]) -> None:
        self.problem = problem
        super().__init__(str(problem.get("hint", "")), hint_zh=str(problem.get("hint_zh", "")))

    def as_problem(self, language: str = "en") -> dict[str, Any]:
        return self.problem or super().as_problem(language)


def _say(source: SourceView, as_json: bool) -> None:
    print_json(asdict(source)) if as_json else _print_source(source)


def _pairs(texts: list[str], where: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, found, value = text.partition("=")
        if not found:
            raise typer.BadParameter(f"“{name}” is not name=value", param_hint=where)
        pairs[name.strip()] = value.replace("\\n", "\n")
    return pairs


def _read_secrets(kind: str, file: Path | None) -> dict[str, Secret]:
    names = option_names(read_kind(kind), secret=True)
    if file is None:
        if not names or not sys.stdin.isatty():
            return {}
        asked = {name: typer.prompt(name, default="", hide_input=True, show_default=False, err=True) for name in names}
        return {name: Secret(value) for name, value in asked.items() if value}
    if str(file) == "-":
        text = sys.stdin.read()
    else:
        if not file.is_file():
            raise BadInput(f"{file} is no file.", hint_zh=f"没有文件{file}。", file=str(file))
        if file.stat().st_mode & 0o077:
            raise BadInput(f"Run `chmod 600 {file}`: others can read these credentials.", file=str(file))
        text = file.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip()]
    return {name: Secret(value) for name, value in _pairs(lines, "--secrets").items()}


def _print_source(source: SourceView) -> None:
    console = Console(highlight=False)
    console.print(f"[bold]{source.title}[/] ({source.kind}) → {source.resource_id}  {source.id}")
    for name, value in source.options.items():
        console.print(f"  {name}: {value}", markup=False)
    if source.secret_names:
        console.print(f"  sealed: {', '.join(source.secret_names)}")
    console.print(
        f"  {'enabled' if source.enabled else 'disabled'}, schedule {source.schedule or 'none'}", markup=False
    )
    if source.last_failure:
        failure = source.last_failure
        console.print(
            f"  failed {source.failures_in_row} ×: {failure.get('title')}. {failure.get('hint')}", markup=False
        )


def _print_report(report: ConnectionReport) -> None:
    console = Console(highlight=False)
    console.print(f"reached {report.reached} {report.product}", markup=False)
    if report.rows is not None:
        console.print(f"  {'at least ' if report.rows_is_floor else ''}{report.rows:,} rows")
    for title, names in (("matched", report.matched), ("missing", report.missing), ("not taken", report.extra)):
        if names:
            console.print(f"  {title}: {', '.join(names)}", markup=False)
    if report.clock_skew_s is not None:
        console.print(f"  its clock differs by {report.clock_skew_s:.1f} s")
    for note in report.notes:
        console.print(f"  {note.zh} / {note.en}", markup=False)
