"""`datong contract …` and `datong resource …`: the catalogue's verbs on the command line."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from datong.catalog.contracts import ContractApplied, ContractChange, ContractInvalid, ResourceView
from datong.catalog.lineage import cli as lineage_cli
from datong.catalog.model import ContractDiff, diff_contracts
from datong.catalog.odcs import DataContract, find_objections, load_contract
from datong.catalog.search import cli as search_cli
from datong.catalog.words import CYCLE_TITLES, GRADE_TITLES, SHARING_TITLES, TYPE_TITLES, SharingType, UpdateCycle
from datong.kernel.failures import BadInput, TooLarge
from datong.kernel.limits import PAGE_ROWS_MAX
from datong.kernel.terminal import ask_actor, print_json, print_table

ContractFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="A contract file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsMember = Annotated[
    str, typer.Option("--as", metavar="MEMBER", help="The member who acts; the password is asked for.")
]

contract_app = typer.Typer(name="contract", help="Data contracts (ODCS 3.1).", no_args_is_help=True)
resource_app = typer.Typer(name="resource", help="The catalogue.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(contract_app)
    app.add_typer(resource_app)
    lineage_cli.register(app)
    search_cli.register(resource_app)


class ContractsInvalid(BadInput):
    """Several files were read, and some are not contracts that Datong can keep."""

    code = "contract-invalid"
    title, title_zh = "The contract has errors", "数据契约有错误"


@contract_app.command("lint")
def lint(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, readable=True, help="Contract files.")],
    as_json: AsJson = False,
) -> None:
    """Check contract files against the standard and our rules; every finding with line, field and remedy."""
    good: list[dict[str, Any]] = []
    bad: list[dict[str, Any]] = []
    for path in files:
        try:
            contract = load_contract(path)
            objections = find_objections(contract, path.read_text(encoding="utf-8-sig"))
            if objections:
                raise ContractInvalid(objections, source_name=path.name)
        except ContractInvalid as invalid:
            bad.append({"file": str(path), "findings": [finding.as_dict() for finding in invalid.findings]})
            if not as_json:
                for finding in invalid.findings:
                    _errors().print(f"{path}:{finding.sentence()}", markup=False, soft_wrap=True)
        except (BadInput, TooLarge) as failure:
            bad.append({"file": str(path), "problem": failure.as_problem()})
            if not as_json:
                _errors().print(f"{path}: {failure}", markup=False, soft_wrap=True)
        else:
            good.append({"file": str(path), "id": contract.id, "version": contract.version, "digest": contract.digest})
            if not as_json:
                size = f"{len(contract.columns)} columns"
                _plain(f"{path}: ok, {contract.id} {contract.version}, {size}")
    if bad:
        raise ContractsInvalid(
            f"{len(bad)} of {len(files)} files have errors.",
            hint_zh=f"{len(files)}个文件中有{len(bad)}个有错误。",
            files=bad if as_json else None,
        )
    if as_json:
        print_json({"files": good})


@contract_app.command("apply")
def apply(
    path: ContractFile,
    member: AsMember,
    base: Annotated[str, typer.Option(help="The version this edit was made from; leave out for a new resource.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a file the current contract of its resource."""
    from datong.catalog.service import apply_contract

    contract = load_contract(path)
    applied = apply_contract(ask_actor(member), contract.text, base_version=base or None)
    if as_json:
        print_json(asdict(applied))
        return
    _plain(_applied_sentence(contract, applied))
    _print_changes(applied.breaking, applied.compatible)


@contract_app.command("diff")
def diff(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, readable=True, help="OLD NEW, or NEW.")],
    against: Annotated[
        str, typer.Option(help="Compare one file with this version of its resource: current, 1.2.0 …")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Say what changes between two contracts, what of it breaks users, and which version must come next."""
    if len(files) != (1 if against else 2):
        raise typer.BadParameter("Give OLD and NEW, or one file with --against current.")
    new = load_contract(files[-1])
    if against:
        from datong.catalog.service import get_contract

        old = get_contract(new.id, None if against == "current" else against)
    else:
        old = load_contract(files[0])
    found = diff_contracts(old, new)
    if as_json:
        print_json({**asdict(found), "new_version": new.version, "version_is_enough": found.allows(new.version)})
        return
    _plain(_diff_sentence(old, new, found))
    _print_changes(found.breaking, found.compatible)


@contract_app.command("show")
def show_contract(
    resource: Annotated[str, typer.Argument(help="The resource's id.")],
    version: Annotated[str, typer.Option(help="A version; leave out for the current one.")] = "",
) -> None:
    """Print the canonical YAML of a resource's contract: the text to edit and apply again."""
    from datong.catalog.service import get_contract

    typer.echo(get_contract(resource, version or None).text, nl=False)


@contract_app.command("template")
def template(
    out: Annotated[Path, typer.Argument(dir_okay=False, writable=True, help="The .xlsx file to write.")],
    resources: Annotated[
        list[str] | None, typer.Option("--resource", help="Prefill with this resource; may be given several times.")
    ] = None,
) -> None:
    """Write the Excel template of the 政务信息资源目录, empty or prefilled with contracts in force."""
    from datong.catalog.service import get_contract
    from datong.catalog.workbook.writing import write_template

    contracts = [get_contract(resource) for resource in resources or []]
    out.write_bytes(write_template(contracts))
    _plain(f"{out}: {len(contracts)} resources")


@contract_app.command("import")
def import_workbook(
    book: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="A filled-in template.")],
    member: AsMember,
    check: Annotated[bool, typer.Option("--check", help="Only say what is wrong; write nothing.")] = False,
    marked: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write a copy with the faulty cells marked.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make the contracts of a filled-in template current; every fault is told with its sheet and cell.

    Each resource is applied with compare-and-set on the version that the workbook was downloaded with.
    """
    from datong.catalog.authoring.service import apply_book, read_book
    from datong.catalog.workbook.marking import mark_workbook
    from datong.catalog.workbook.reading import WorkbookFaulty
    from datong.kernel.limits import WORKBOOK_BYTES_MAX

    if book.stat().st_size > WORKBOOK_BYTES_MAX:
        raise TooLarge(f"A workbook has at most {WORKBOOK_BYTES_MAX} bytes.", size_bytes=book.stat().st_size)
    actor, payload = ask_actor(member), book.read_bytes()
    read = read_book(actor, payload)
    if read.findings:
        if marked:
            marked.write_bytes(mark_workbook(payload, read.findings))
        for finding in () if as_json else read.findings:
            message = f"{finding.message}（{finding.message_zh}）. {finding.remedy}"
            _errors().print(f"{book}:{finding.sheet}!{finding.cell}: {message}", markup=False, soft_wrap=True)
        raise WorkbookFaulty(
            f"{len(read.findings)} cells to mend; nothing was written.",
            hint_zh=f"共{len(read.findings)}处须修改，没有写入任何内容。",
            findings=[asdict(finding) for finding in read.findings] if as_json else None,
        )
    applied: list[ContractApplied] = []
    if not check:
        apply_book(actor, read, one_by_one=applied.append)
    if as_json:
        print_json({"resources": [one.resource_id for one in read.resources], "applied": [asdict(a) for a in applied]})
        return
    for one in read.resources:
        _plain(f"{one.title} ({one.resource_id}): {one.columns_count} columns, ok")
    for done in applied:
        _plain(f"{done.resource_id}: {done.previous_version or 'new'} → {done.version}")


@resource_app.command("list")
def list_resources(
    text: Annotated[str, typer.Option(help="Words that must all occur.")] = "",
    agency: Annotated[str, typer.Option(help="The short code of an agency.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=PAGE_ROWS_MAX, help="At most so many.")] = 100,
    member: Annotated[str, typer.Option("--as", metavar="MEMBER", help="As this member sees it.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the resources of the catalogue."""
    from datong.catalog.search.contracts import SearchQuery
    from datong.catalog.search.service import search_resources
    from datong.catalog.service import find_resources

    actor = ask_actor(member)
    if text:
        query = SearchQuery(text=text, filters={"agency": (agency,)} if agency else {})
        page = search_resources(actor, query, limit=limit).map(lambda hit: hit.resource)
    else:
        page = find_resources(actor, agency=agency, limit=limit)
    if as_json:
        print_json(
            {"items": [asdict(item) for item in page.items], "count": page.count, "next_cursor": page.next_cursor}
        )
        return
    table = Table(
        Column("id", no_wrap=True),
        "title",
        "agency",
        "sharing",
        "grade",
        "columns",
        "contract",
        box=None,
        pad_edge=False,
    )
    for item in page.items:
        table.add_row(
            item.id,
            item.title_zh,
            item.agency_name,
            SHARING_TITLES[SharingType(item.sharing)][0],
            GRADE_TITLES[item.grade_max][0],
            str(item.columns_count),
            item.current_version,
        )
    print_table(table)
    _plain(f"{len(page.items)} of {page.count} resources")


@resource_app.command("show")
def show_resource(
    resource: Annotated[str, typer.Argument(help="The resource's id.")],
    member: Annotated[str, typer.Option("--as", metavar="MEMBER", help="As this member sees it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show one resource with its columns and contract versions."""
    from datong.catalog.service import find_contract_versions, get_contract, get_resource

    view = get_resource(resource, ask_actor(member))
    contract, versions = get_contract(resource), find_contract_versions(resource)
    if as_json:
        columns = [
            {
                "name": column.name,
                "title": column.title,
                "title_en": column.title_en,
                "type": column.logical_type,
                "required": column.required,
                "key": column.primary_key,
                "grade": column.grade,
                "sharing": column.sharing,
                "verify": column.verify,
            }
            for column in contract.columns
        ]
        modes = sorted(contract.sharing.modes)
        print_json({**asdict(view), "modes": modes, "columns": columns, "versions": [asdict(v) for v in versions]})
        return
    _print_resource(view, contract)
    for version in versions:
        _plain(f"  {version.version}  {version.applied_at}  {version.applied_by}  {version.digest[:12]}")


def _print_resource(view: ResourceView, contract: DataContract) -> None:
    _plain(f"{view.title_zh} {view.title_en} ({view.id}), {view.agency_name}, {view.directory_code}")
    sharing = SHARING_TITLES[SharingType(view.sharing)][0]
    cycle = CYCLE_TITLES[UpdateCycle(view.update_cycle)][0]
    _plain(
        f"{sharing} {contract.sharing.condition or contract.sharing.basis}; {cycle}; contract {view.current_version}"
    )
    table = Table(Column("column", no_wrap=True), "title", "type", "grade", "sharing", "", box=None, pad_edge=False)
    for column in contract.columns:
        marks = [
            *(["key"] if column.primary_key else []),
            *(["required"] if column.required else []),
            *(["verify"] if column.verify else []),
        ]
        table.add_row(
            column.name,
            column.title,
            TYPE_TITLES[column.logical_type][0],
            GRADE_TITLES[column.grade][0],
            SHARING_TITLES[column.sharing][0],
            " ".join(marks),
        )
    print_table(table)


def _applied_sentence(contract: DataContract, applied: ContractApplied) -> str:
    name = f"{contract.title_zh} ({applied.resource_id})"
    if not applied.changed:
        return f"{name}: {applied.version} is already the current contract, nothing changed"
    if applied.created:
        return f"{name}: new resource, contract {applied.version}"
    return f"{name}: contract {applied.previous_version} → {applied.version}"


def _diff_sentence(old: DataContract, new: DataContract, found: ContractDiff) -> str:
    verdict = "enough" if found.allows(new.version) else f"too low: {found.required_version} or higher is needed"
    return f"{new.id} {old.version} → {new.version}: {found.level.value}; the version is {verdict}"


def _print_changes(breaking: tuple[ContractChange, ...], compatible: tuple[ContractChange, ...]) -> None:
    for change in breaking:
        _plain(f"  breaking    {change.sentence_en}（{change.sentence_zh}）")
    for change in compatible:
        _plain(f"  compatible  {change.sentence_en}（{change.sentence_zh}）")


def _plain(text: str) -> None:
    typer.echo(text)


def _errors() -> Console:
    return Console(stderr=True, highlight=False)
