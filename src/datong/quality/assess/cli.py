"""`datong assess`: a contract file, or a resource with its data, held against the standards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from datong.kernel.failures import BadInput
from datong.kernel.ids import ResourceId, VersionId
from datong.kernel.terminal import ask_actor
from datong.quality.assess.contracts import Assessment, ReportView
from datong.quality.assess.encoding import encode_assessment
from datong.quality.scoring import grade_titles


def register(app: typer.Typer) -> None:
    app.command("assess")(assess)


def assess(
    target: Annotated[str, typer.Argument(help="A resource's id, or a contract file (.yaml).")],
    against: Annotated[str, typer.Option(help="A set of data elements that must all be there.")] = "",
    member: Annotated[str, typer.Option("--as", metavar="MEMBER", help="With a resource: the member who acts.")] = "",
    version: Annotated[str, typer.Option(help="With a resource: the id of a version; without it, the current.")] = "",
    pdf: Annotated[Path | None, typer.Option(help="With a resource: write the signed PDF here.")] = None,
    html: Annotated[Path | None, typer.Option(help="With a resource: write the signed HTML here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Assess conformance. A file is assessed by itself; a resource with its data, and the signed report is kept."""
    from datong.quality.assess import service

    if target.endswith((".yaml", ".yml")):
        from datong.catalog.odcs import load_contract

        if pdf or html:
            raise BadInput(
                "A report is issued for a resource of the catalogue; a file is only printed.",
                hint_zh="报告只对目录中的资源出具；契约文件仅显示结果。",
            )
        _print(service.assess_unkept(load_contract(Path(target)), against=against), as_json=as_json)
        return
    actor = ask_actor(member)
    report = service.assess_resource(
        actor, ResourceId(target), against=against, version_id=VersionId(version) if version else None
    )
    for path, name in ((pdf, "pdf"), (html, "html")):
        if path is not None:
            path.write_bytes(service.read_report_file(ResourceId(target), report.number, name, actor)[0])
            signature, _ = service.read_report_file(ResourceId(target), report.number, f"{name}.jws", actor)
            path.with_name(path.name + ".jws").write_bytes(signature + b"\n")
    _print(report.assessment, as_json=as_json, report=report)


def _print(assessment: Assessment, *, as_json: bool, report: ReportView | None = None) -> None:
    if as_json:
        typer.echo(encode_assessment(assessment).decode())
        return
    _, grade = grade_titles(assessment.score)
    values = "not measured" if assessment.values_score is None else f"{assessment.values_score:.2f}"
    typer.echo(
        f"{assessment.subject} {assessment.contract_version}: {assessment.score:.2f}, {grade}"
        f" (structure {assessment.structure_score:.2f}, values {values})"
    )
    for column in assessment.columns:
        for each in column.unmet:
            hint = f"; may be {column.hint.element_id}" if column.hint and each.aspect.value == "element" else ""
            typer.echo(f"  {column.name}: {each.en}{hint}（{each.zh}）")
        for share in column.values:
            if share.bad_count:
                typer.echo(f"  {column.name}: {share.bad_count} of {share.values_count}: {share.en}（{share.zh}）")
    for missing in assessment.missing:
        typer.echo(f"  missing: {missing.element_id} {missing.title_zh}")
    if report is not None:
        typer.echo(f"report {report.number}, sha256 {report.digest}")
