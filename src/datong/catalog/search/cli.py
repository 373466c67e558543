"""What `datong resource` says of the search index."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from datong.kernel.terminal import ask_actor, print_json

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(resource_app: typer.Typer) -> None:
    resource_app.command("check-index")(check_index)
    resource_app.command("reindex")(reindex)
    resource_app.command("add-synonyms")(add_synonyms)


def check_index(as_json: AsJson = False) -> None:
    """Compare every row of the search index with the record that it finds; exit code 1 when one differs."""
    from datong.catalog.search.service import find_index_drift

    drifted = find_index_drift()
    if as_json:
        print_json({"drifted": drifted})
    elif drifted:
        typer.echo(f"{len(drifted)} differ; mend them with `datong resource reindex`: {', '.join(drifted[:20])}")
    else:
        typer.echo("the search index says what the records say")
    raise typer.Exit(1 if drifted else 0)


def reindex() -> None:
    """Write every row of the search index anew."""
    from datong.catalog.search.service import rebuild_index

    typer.echo(f"{rebuild_index()} rows written")


def add_synonyms(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="One group a line, words apart by spaces.")],
    member: Annotated[str, typer.Option("--as", metavar="MEMBER", help="The member of the bureau who adds them.")],
) -> None:
    """Add words that searchers may use for one another."""
    from datong.catalog.search import service

    lines = file.read_text(encoding="utf-8-sig").splitlines()
    added = service.add_synonyms(ask_actor(member), [line.split() for line in lines if line.strip()])
    typer.echo(f"{added} groups added")
