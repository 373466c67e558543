"""`datong contract infer`: an unknown file or database into draft contracts."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from datong.catalog.cli import contract_app
from datong.collect.infer.model import InferredTable
from datong.kernel.failures import NotFound
from datong.kernel.files import write_private
from datong.kernel.terminal import print_json


def register() -> None:
    """Add the command to `datong contract`, which belongs to the catalogue."""
    if all(command.name != "infer" for command in contract_app.registered_commands):
        contract_app.command("infer")(infer)


def infer(
    source: Annotated[str, typer.Argument(help="A file, or postgres://user:password@host/db, or mysql://…")],
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write one contract file a table.")] = None,
    agency: Annotated[str, typer.Option(help="The short code of the agency that will provide it.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Read an unknown file or database into draft contracts; each suggestion stands beside its evidence."""
    from datong.collect.infer.inferring import infer_database, infer_file
    from datong.collect.infer.tables import is_database

    with (
        TemporaryDirectory(prefix="datong-infer-") as folder,
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            console=Console(stderr=True),
            transient=True,
        ) as bar,
    ):
        task = bar.add_task("", total=None)

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        if is_database(source):
            tables = infer_database(source, Path(folder), agency=agency, progress=show)
        else:
            path = Path(source)
            if not path.is_file():
                raise NotFound(f"There is no file {source}.", hint_zh=f"没有文件{source}。", file=source)
            tables = infer_file(path, path.name, Path(folder), agency=agency, progress=show)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for table in tables:
            write_private(out / f"{table.resource_id}.odcs.yaml", table.text.encode())
    if as_json:
        print_json({"tables": [table.as_dict() for table in tables]})
        return
    for table in tables:
        if out is None:
            Console().print(table.text, markup=False, highlight=False, soft_wrap=True)
        else:
            Console().print(_sentence(table, out), markup=False, highlight=False, soft_wrap=True)


def _sentence(table: InferredTable, out: Path) -> str:
    sensitive = sum(1 for column in table.columns if any(found.grade >= 3 for found in column.sensitive))
    keys = ", ".join("+".join(key.columns) for key in table.keys[:3]) or "none found"
    return (
        f"{out / (table.resource_id + '.odcs.yaml')}: {table.rows} rows, {len(table.columns)} columns, key {keys}, "
        f"{sensitive} columns probably sensitive, {len(table.todo)} words left to a steward"
    )
