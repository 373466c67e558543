"""`datong city build` and `datong city score`: a synthetic city to test with, and what a run caught of its faults."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from datong.kernel import clock
from datong.kernel.failures import BadInput
from datong.kernel.terminal import print_json, print_table

if TYPE_CHECKING:  # the city takes half a second to import, which no other command should wait for
    from datong.testing.city.model import CityReport
    from datong.testing.city.score import CityScore

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

city_app = typer.Typer(name="city", help="A synthetic city with known faults and true answers.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(city_app)


class CityRefused(BadInput):
    """The city cannot be built as asked."""

    code = "city-refused"
    title, title_zh = "The city cannot be built so", "无法按此生成合成城市"


@city_app.command("build")
def build(
    out: Annotated[Path, typer.Option(file_okay=False, help="The folder to write to: empty, new, or an earlier city.")],
    people: Annotated[int, typer.Option(min=1, help="How many people live there.")] = 10_000,
    dirt: Annotated[str, typer.Option(help="How dirty the agencies' files are: none, light, usual, heavy.")] = "usual",
    seed: Annotated[int, typer.Option(help="Another number makes another city.")] = 7,
    firms: Annotated[int | None, typer.Option(min=0, help="How many firms; one for ten people when left out.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Write this table only; may be given several times.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write what fourteen agencies would hand over: files in their forms, contracts, bills, labels and the truth."""
    from datong.testing.city.build import build_city

    _check(out, dirt, only or [])
    began = clock.monotonic_s()
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=as_json or not sys.stderr.isatty()) as progress:
        task = progress.add_task("安澜市 people", total=people)
        report = build_city(
            out,
            people,
            firms,
            seed,
            dirt,
            only=only or (),
            progress=lambda done: progress.update(task, completed=done),
        )
    if as_json:
        print_json(
            {
                "out": str(out),
                "people": report.people,
                "households": report.households,
                "firms": report.firms,
                "rows": report.rows,
                "dirt": report.dirt,
                "seed": report.seed,
                "tables": {name: {"file": f"{c.agency}/{c.path.name}", "rows": c.rows, "faults": c.faults}
                           for name, c in report.copies.items()},
            }
        )  # fmt: skip
        return
    _print_report(report, clock.monotonic_s() - began)


def _check(out: Path, dirt: str, only: list[str]) -> None:
    from datong.testing.city.agencies import TABLES_BY_NAME
    from datong.testing.city.faults import DIRT

    if dirt not in DIRT:
        raise CityRefused(
            f"There is no level of dirt `{dirt}`. One of: {', '.join(DIRT)}.",
            hint_zh=f"没有“{dirt}”这一级别，可用值：{'、'.join(DIRT)}。",
        )
    unknown = [name for name in only if name not in TABLES_BY_NAME]
    if unknown:
        raise CityRefused(
            f"The city has no table `{unknown[0]}`. One of: {', '.join(TABLES_BY_NAME)}.",
            hint_zh=f"城市里没有“{unknown[0]}”这张表，可用值：{'、'.join(TABLES_BY_NAME)}。",
        )
    if out.is_dir() and any(out.iterdir()) and not (out / "city.json").is_file():
        raise CityRefused(
            f"{out} has files that are no city. Name an empty or a new folder.",
            hint_zh=f"{out}里已有其他文件，请换一个空的或新的文件夹。",
        )


def _print_report(report: CityReport, took_s: float) -> None:
    from datong.testing.city.agencies import AGENCIES

    table = Table(
        Column("file", no_wrap=True),
        "agency",
        Column("rows", justify="right"),
        Column("struck", justify="right"),
        Column("absent", justify="right"),
        Column("doubled", justify="right"),
        box=None,
        pad_edge=False,
    )
    for name, copy in report.copies.items():
        table.add_row(
            f"{copy.agency}/{copy.path.name} ({name})",
            AGENCIES[copy.agency][0],
            f"{copy.rows:,}",
            f"{copy.faulty_rows:,}",
            f"{copy.absent:,}",
            f"{copy.duplicates:,}",
        )
    print_table(table)
    typer.echo(
        f"{report.people:,} people in {report.households:,} households, {report.firms:,} firms, {report.rows:,} rows, "
        f"dirt {report.dirt}, seed {report.seed}: {report.out} in {took_s:.1f} s"
    )


@city_app.command("score")
def score(
    city: Annotated[Path, typer.Option(exists=True, file_okay=False, help="The folder of the city.")],
    resource: Annotated[str, typer.Option(help="The table that was collected, e.g. psb_population.")],
    quarantine: Annotated[
        list[Path], typer.Option(exists=True, dir_okay=False, help="The run's quarantine as CSV (`datong quarantine`).")
    ],
    as_json: AsJson = False,
) -> None:
    """Say by kind which share of the injected faults a run refused, and how many sound rows with them."""
    from datong.testing.city.score import score_quarantine

    found = score_quarantine(city, resource, quarantine)
    if as_json:
        print_json(found.as_dict())
        return
    _print_score(found)


def _print_score(found: CityScore) -> None:
    table = Table(
        Column("kind", no_wrap=True),
        "差错",
        Column("injected", justify="right"),
        Column("caught", justify="right"),
        Column("share", justify="right"),
        "what can see it",
        box=None,
        pad_edge=False,
    )
    for kind in found.kinds:
        share = "" if kind.share is None else f"{kind.share:.1%}"
        table.add_row(kind.kind, kind.title_zh, f"{kind.injected:,}", f"{kind.caught:,}", share, kind.seen_by)
    print_table(table)
    wrongly = found.sound_refused / found.sound if found.sound else 0.0
    typer.echo(
        f"{found.resource}: {found.rows:,} rows, {found.refused:,} refused; of {found.sound:,} sound rows "
        f"{found.sound_refused:,} wrongly refused ({wrongly:.3%}), "
        f"and {found.sound_beside:,} beside a faulty one of their key"
    )
