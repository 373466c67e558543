"""`datong lineage …`: where columns come from, where they go, what a change touches, OpenLineage events."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.table import Table

from datong.catalog.lineage.contracts import EDGE_TITLES, Dataset
from datong.kernel.contracts import platform_actor
from datong.kernel.limits import LINEAGE_EDGES_SHOWN_MAX
from datong.kernel.terminal import ask_actor, print_json, print_table

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsMember = Annotated[str, typer.Option("--as", metavar="MEMBER", help="As this member sees it.")]
Column = Annotated[list[str] | None, typer.Option("--column", help="Only this column; may be repeated.")]

lineage_app = typer.Typer(name="lineage", help="Where columns come from and go to.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(lineage_app)


@lineage_app.command("show")
def show_lineage(resource: str, columns: Column = None, as_json: AsJson = False) -> None:
    """Print the edges into and out of a resource's columns."""
    from datong.catalog.lineage.service import find_downstream, find_upstream
    from datong.catalog.service import get_resource

    get_resource(resource)
    start = Dataset(name=resource)
    edges = [*find_upstream(start, columns), *find_downstream(start, columns)]
    if as_json:
        print_json({"items": [asdict(edge) for edge in edges]})
        return
    table = Table("from", "column", "how", "to", "column", "job", box=None, pad_edge=False)
    for edge in edges:
        how = f"{EDGE_TITLES[edge.kind][1]} {edge.detail_en}".strip()
        table.add_row(edge.source.name, edge.source_column, how, edge.target.name, edge.target_column, edge.job)
    print_table(table)


@lineage_app.command("impact")
def show_impact(resource: str, columns: Column = None, member: AsMember = "", as_json: AsJson = False) -> None:
    """Print what would break or change if these columns changed."""
    from datong.catalog.lineage.service import find_impacts

    impacts = find_impacts(ask_actor(member) if member else platform_actor("terminal"), resource, columns or [])
    if as_json:
        print_json({"items": [asdict(impact) for impact in impacts]})
        return
    table = Table("kind", "what", "columns", "effect", box=None, pad_edge=False)
    for impact in impacts:
        effect = "stops working" if impact.blocks else "changes value"
        table.add_row(impact.kind_en, impact.title_zh or impact.title_en, " ".join(impact.columns), effect)
    print_table(table)


@lineage_app.command("export")
def export_events(
    out: Annotated[Path | None, typer.Argument(dir_okay=False, help="A file; without it, the terminal.")] = None,
    after: Annotated[int, typer.Option(min=0, help="Only events beyond this position.")] = 0,
) -> None:
    """Write OpenLineage events, one JSON object a line, oldest first."""
    from datong.catalog.lineage.service import find_events

    position, lines = after, []
    while batch := list(find_events(after=position, limit=LINEAGE_EDGES_SHOWN_MAX)):
        lines += [orjson.dumps(event).decode() + "\n" for _position, event in batch]
        position = batch[-1][0]
    if out is None:
        typer.echo("".join(lines), nl=False)
    else:
        out.write_text("".join(lines), encoding="utf-8")
        typer.echo(f"{len(lines)} events, up to position {position}: {out}")
