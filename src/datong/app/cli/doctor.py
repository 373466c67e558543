"""`datong doctor`: what was found where, and what is unsafe."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer
from rich.table import Table

from datong.kernel.config import load_settings
from datong.kernel.terminal import print_table

MARKS = {"ok": "[green]ok[/]", "note": "[cyan]note[/]", "unsafe": "[bold yellow]unsafe[/]", "bad": "[bold red]bad[/]"}


def register(app: typer.Typer) -> None:
    @app.command()
    def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
        """Say what was found where and what is unsafe; exit 1 when something is broken."""
        from datong.app.doctor import examine

        findings = examine(load_settings())
        if as_json:
            typer.echo(orjson.dumps([finding.as_dict() for finding in findings], option=orjson.OPT_INDENT_2).decode())
        else:
            table = Table(box=None, pad_edge=False, show_header=False)
            for finding in findings:
                table.add_row(MARKS[finding.level], finding.name, finding.what)
                if finding.remedy:
                    table.add_row("", "", f"[dim]{finding.remedy}[/]")
            print_table(table)
        if any(finding.level == "bad" for finding in findings):
            raise typer.Exit(1)
