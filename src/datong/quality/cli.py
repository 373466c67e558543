"""`datong quality show|findings|waive|waivers|league|report|run`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from datong.kernel.terminal import ask_actor, print_json, print_table
from datong.quality.contracts import DIMENSION_TITLES, ReportView

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsMember = Annotated[
    str, typer.Option("--as", help="The member who acts (the password is asked for); without it, this machine.")
]
ResourceArgument = Annotated[str, typer.Argument(help="The resource's id.", metavar="RESOURCE")]
VersionOption = Annotated[str | None, typer.Option("--version", help="A version's label; without it, the newest.")]
Out = Annotated[Path | None, typer.Option(dir_okay=False, help="Write it to this file.")]


def register(app: typer.Typer) -> None:
    quality = typer.Typer(help="Quality: reports, work orders, waivers, the league.", no_args_is_help=True)
    app.add_typer(quality, name="quality")
    quality.command("show")(show)
    quality.command("findings")(list_findings)
    quality.command("waive")(waive)
    quality.command("waivers")(list_waivers)
    quality.command("league")(show_league)
    quality.command("report")(write_report)
    quality.command("run")(run_rules)


def show(
    resource: ResourceArgument, version: VersionOption = None, member: AsMember = "", as_json: AsJson = False
) -> None:
    """The score of a version, by dimension and rule."""
    from datong.quality import service

    report = service.latest_report(ask_actor(member), resource, version=version)
    if as_json:
        typer.echo(report.body)
        return
    _print_report(report)


def _print_report(report: ReportView) -> None:
    grade = report.content["grade"]
    typer.echo(f"{report.resource_title}  {report.version_label}  {report.number}")
    typer.echo(f"{report.score:.2f}  {grade['title']} / {grade['title_en']}")
    for dimension, (zh, en) in DIMENSION_TITLES.items():
        score = report.dimensions.get(dimension.value)
        typer.echo(f"  {zh} {en}: {'—' if score is None else f'{score:.2f}'}")
    broken = [rule for rule in report.content["rules"] if rule["is_broken"]]
    if broken:
        _print_rows(
            ["RULE", "ROWS", "SCORE", "REASON"],
            [[r["check_id"], f"{r['rows_bad']:,}", f"{r['score']:.2f}", r["reason_zh"]] for r in broken],
        )


def _print_rows(heads: list[str], rows: list[list[Any]]) -> None:
    table = Table(*heads)
    for row in rows:
        table.add_row(*map(str, row))
    print_table(table)


def list_findings(
    resource: Annotated[str | None, typer.Option(help="Only this resource's.")] = None,
    state: Annotated[str, typer.Option(help="open, closed or withdrawn.")] = "open",
    member: AsMember = "",
    as_json: AsJson = False,
) -> None:
    """Work orders, the most urgent first."""
    from datong.quality import service
    from datong.quality.contracts import OrderState

    if state not in set(OrderState):
        raise typer.BadParameter("give open, closed or withdrawn", param_hint="--state")
    orders = service.find_orders(ask_actor(member), state=state, resource_id=resource)
    if as_json:
        print_json([asdict(order) for order in orders])
        return
    _print_rows(
        ["NUMBER", "RESOURCE", "RULE", "ROWS", "DUE", "LEFT", "REASON"],
        [
            [o.number, o.resource_id, o.rule_id, f"{o.rows_bad:,}", str(o.due_on), str(o.left_days), o.reason_zh]
            for o in orders
        ],
    )


def waive(
    resource: ResourceArgument,
    rule: Annotated[str, typer.Argument(help="The rule's id, as `quality show` prints it.")],
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Its last day.")],
    reason: Annotated[str, typer.Option(help="Why it cannot be kept for now.")],
    member: Annotated[str, typer.Option("--as", help="The approver who waives (the password is asked for).")],
) -> None:
    """Waive a rule until a day: it costs no points, blocks no version and opens no order."""
    from datong.quality import service

    waiver = service.waive_rule(ask_actor(member), resource, rule, until=until.date(), reason=reason)
    typer.echo(f"{waiver.rule_id} of {waiver.resource_id} is waived until {waiver.until}.")


def list_waivers(
    resource: Annotated[str | None, typer.Option(help="Only this resource's.")] = None,
    member: AsMember = "",
    as_json: AsJson = False,
) -> None:
    """Waivers, newest first."""
    from datong.quality import service

    waivers = service.find_waivers(ask_actor(member), resource_id=resource)
    if as_json:
        print_json([asdict(waiver) for waiver in waivers])
        return
    _print_rows(
        ["RESOURCE", "RULE", "UNTIL", "BY", "REASON"],
        [[w.resource_id, w.rule_id, "ended" if w.ended_at else str(w.until), w.granted_by, w.reason] for w in waivers],
    )


def show_league(member: AsMember = "", as_json: AsJson = False) -> None:
    """Agencies by the quality of what they deliver."""
    from datong.quality import service

    lines = service.find_league(ask_actor(member))
    if as_json:
        print_json([asdict(line) for line in lines])
        return
    _print_rows(
        ["AGENCY", "SCORE", "BEFORE", "RESOURCES", "ROWS", "OPEN", "LATE", "CLOSED"],
        [
            [
                line.agency_name,
                f"{line.score:.2f}",
                "" if line.score_before is None else f"{line.score_before:.2f}",
                str(line.resources),
                f"{line.rows:,}",
                str(line.orders_open),
                str(line.orders_late),
                str(line.orders_closed),
            ]
            for line in lines
        ],
    )


def write_report(
    resource: ResourceArgument,
    version: VersionOption = None,
    pdf: Out = None,
    html: Out = None,
    json_file: Annotated[
        Path | None, typer.Option("--json-file", dir_okay=False, help="The signed JSON; its signature goes beside it.")
    ] = None,
    english: Annotated[bool, typer.Option("--english", help="In English.")] = False,
    member: AsMember = "",
) -> None:
    """The signed report of a version as PDF, HTML or JSON; without a file, the JSON is printed."""
    from datong.quality import service

    report = service.latest_report(ask_actor(member), resource, version=version)
    language = "en" if english else "zh"
    written: list[tuple[Path, bytes]] = []
    if pdf is not None:
        written.append((pdf, service.render_report_pdf(report, language=language)))
    if html is not None:
        written.append((html, service.render_report_html(report, language=language).encode()))
    if json_file is not None:
        written += [(json_file, report.body.encode()), (json_file.with_suffix(".jws"), report.jws.encode())]
    for path, content in written:
        path.write_bytes(content)
        typer.echo(f"{path}")
    if not written:
        typer.echo(report.body)


def run_rules(
    resource: ResourceArgument,
    engine: Annotated[str, typer.Option(help="duckdb, sail, or a Spark Connect address sc://host:port.")] = "duckdb",
    plain: Annotated[
        bool, typer.Option("--plain", help="A plain copy may lie on this machine's disk while another engine runs.")
    ] = False,
    member: AsMember = "",
    as_json: AsJson = False,
) -> None:
    """Run all rules over the present version on an engine; rules that only DuckDB can run say so."""
    from datong.quality import service

    run = service.run_on_engine(ask_actor(member), resource, engine, plain=plain)
    if as_json:
        print_json(asdict(run))
        return
    typer.echo(f"{run.rows:,} rows on {run.engine}, {run.seconds:.1f} s")
    rows: list[list[Any]] = [
        [f.check_id, "" if f.skipped_en else f"{f.rows_bad:,}", f.skipped_en] for f in run.findings
    ]
    _print_rows(["RULE", "ROWS", "NOT RUN"], rows)
