"""`datong standards …`: import, list, show and compare standards."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from datong.kernel import clock
from datong.kernel.failures import BadInput, NotFound
from datong.kernel.limits import STANDARD_SHOWN_ROWS_MAX
from datong.kernel.terminal import ask_actor, print_json, print_table
from datong.standards.code_lists import in_force
from datong.standards.contracts import Edition, EditionKind
from datong.standards.divisions import national_divisions
from datong.standards.elements import find_elements
from datong.standards.facts import division_facts, head_of
from datong.standards.snapshot import load_shelf

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
On = Annotated[str, typer.Option("--on", metavar="DATE", help="As of this day; without it, today.")]

standards_app = typer.Typer(name="standards", help="Data elements, code lists, divisions.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(standards_app)


@standards_app.command("import")
def import_standard(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV, JSON or YAML.")],
    member: Annotated[str, typer.Option("--as", metavar="MEMBER", help="The bureau's member who imports.")],
    kind: Annotated[str, typer.Option(help="codes, divisions or elements, where the files do not say.")] = "",
    name: Annotated[str, typer.Option(help="The list's key, e.g. gbt4754.")] = "",
    edition: Annotated[str, typer.Option(help="The edition, e.g. 2017.")] = "",
    title: Annotated[str, typer.Option(help="Its Chinese title.")] = "",
    title_en: Annotated[str, typer.Option(help="Its English title.")] = "",
    source: Annotated[str, typer.Option(help="The standard's number, e.g. GB/T 4754-2017.")] = "",
    valid_from: Annotated[str, typer.Option(help="In force from this day.")] = "",
    valid_to: Annotated[str, typer.Option(help="In force until before this day.")] = "",
    as_json: AsJson = False,
) -> None:
    """Import one edition of a standard from one or several files. The same content again changes nothing."""
    from datong.standards.importing import Heading
    from datong.standards.service import import_files

    heading = Heading(
        kind=kind,
        name=name,
        edition=edition,
        title_zh=title,
        title_en=title_en,
        source=source,
        valid_from=valid_from,
        valid_to=valid_to,
    )
    done = import_files(ask_actor(member), [(path.name, path.read_bytes()) for path in files], heading)
    if as_json:
        print_json(asdict(done))
        return
    verb = "imported" if done.changed else "is there already, nothing changed"
    typer.echo(f"{done.label}: {verb}; {done.entries_count} entries, sha256 {done.digest[:12]}")
    for warning in done.warnings:
        typer.echo(f"  {warning.sentence()}", err=True)


@standards_app.command("list")
def list_standards(
    kind: Annotated[str, typer.Option(help="codes, divisions or elements.")] = "",
    text: Annotated[str, typer.Option(help="With --kind elements: words that must all occur.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the editions that there are; with words, the data elements that have them."""
    if text:
        found = find_elements(text, limit=STANDARD_SHOWN_ROWS_MAX)
        if as_json:
            print_json([asdict(element) for element in found])
            return
        table = Table(Column("id", no_wrap=True), "title", "form", "code list", "name", box=None, pad_edge=False)
        for element in found:
            table.add_row(element.id, element.title_zh, element.form, element.code_list, element.name)
        print_table(table)
        return
    editions = _find_editions(kind)
    if as_json:
        print_json([head_of(edition) for edition in editions])
        return
    table = Table(
        Column("edition", no_wrap=True), "kind", "title", "source", "in force", "entries", box=None, pad_edge=False
    )
    for edition in editions:
        table.add_row(
            edition.label,
            edition.kind.value,
            edition.title_zh,
            edition.source,
            f"{edition.valid_from or ''} – {edition.valid_to or ''}",
            str(edition.entries_count),
        )
    print_table(table)


@standards_app.command("show")
def show_standard(
    name: Annotated[str, typer.Argument(help="A list or set (gbt4754@2017), an element (DE-00401), a division code.")],
    on: On = "",
    as_json: AsJson = False,
) -> None:
    """Show a list's codes on a day, a data element, or what became of a division."""
    from datong.standards.elements import find_element

    day = _day(on)
    element = find_element(name)
    if element is not None:
        print_json(asdict(element))
        return
    key, _, label = name.partition("@")
    editions = [e for e in load_shelf().editions if e.name == key and label in ("", e.edition)]
    if editions:
        _show_edition(in_force(editions)[-1] if not label else editions[-1], day, as_json=as_json)
    elif national_divisions().history(name):
        print_json(division_facts(name, day))
    else:
        raise NotFound(
            "It is no list, element or division code. `datong standards list` shows what there is.",
            hint_zh="没有这个代码集、数据元或行政区划代码。可用 datong standards list 查看。",
            name=name,
        )


@standards_app.command("diff")
def compare_standards(
    old: Annotated[str, typer.Argument(help="An edition, e.g. gbt4754@2011.")],
    new: Annotated[str, typer.Argument(help="Another of the same list, e.g. gbt4754@2017.")],
    leaves: Annotated[bool, typer.Option("--leaves", help="Only codes that have none below them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say which codes were added, dropped, moved to another code, or kept with another title."""
    from datong.standards.service import compare

    name, _, first = old.partition("@")
    other, _, second = new.partition("@")
    changes = compare(name, first, second, leaves_only=leaves) if name == other else None
    if changes is None:
        raise BadInput(
            "Name two editions of one list: gbt4754@2011 gbt4754@2017.",
            hint_zh="请写出同一代码集的两个版本，如 gbt4754@2011 gbt4754@2017。",
            old=old,
            new=new,
        )
    if as_json:
        print_json([asdict(change) for change in changes])
        return
    for change in changes:
        before = {"retitled": f"  ← {change.other_title}", "moved": f"  ← {change.other_code}"}.get(change.kind, "")
        typer.echo(f"{change.kind:9} {change.code:8} {change.title}{before}")
    typer.echo(f"{len(changes)} differences")


@standards_app.command("sync")
def sync_standards() -> None:
    """Write the imported standards from the database to this machine's files anew."""
    from datong.standards.service import write_snapshot

    typer.echo(f"{write_snapshot()} editions written")


def _find_editions(kind: str) -> list[Edition]:
    if kind and kind not in set(EditionKind):
        raise BadInput(f"One of: {', '.join(EditionKind)}.", hint_zh=f"可用：{'、'.join(EditionKind)}。", kind=kind)
    found = [edition for edition in load_shelf().editions if kind in ("", edition.kind)]
    return sorted(found, key=lambda e: (e.kind, e.name, e.valid_from or dt.date.min))


def _show_edition(edition: Edition, day: dt.date, *, as_json: bool) -> None:
    entries: list[Any] = list(edition.elements) or [code for code in edition.codes if code.is_valid_on(day)]
    if as_json:
        print_json({**head_of(edition), "items": [asdict(entry) for entry in entries]})
        return
    typer.echo(f"{edition.label}  {edition.title_zh}  {edition.source}")
    for entry in entries[:STANDARD_SHOWN_ROWS_MAX]:
        typer.echo(f"  {getattr(entry, 'code', None) or entry.id:16} {entry.title_zh}")
    if len(entries) > STANDARD_SHOWN_ROWS_MAX:
        typer.echo(f"  … {len(entries)} in all; --json has every one")


def _day(text: str) -> dt.date:
    if not text:
        return clock.today()
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise BadInput("Write the day as YYYY-MM-DD.", hint_zh="日期的写法是 YYYY-MM-DD。", value=text) from None
