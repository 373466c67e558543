"""The verbs of assessment: hold a resource against the standards, keep the signed report, read it again."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

from datong.catalog import service as catalog
from datong.catalog.contracts import ResourceView
from datong.catalog.values import DataContract
from datong.kernel import clock
from datong.kernel.action.service import action, check_permission, is_allowed
from datong.kernel.config import load_settings
from datong.kernel.contracts import Actor, Subject
from datong.kernel.documents import PdfUnavailable, render_pdf, sign_document
from datong.kernel.failures import NotFound
from datong.kernel.ids import AgencyId, JobId, ResourceId, VersionId
from datong.kernel.jobs import service as jobs
from datong.kernel.numbers.service import next_number
from datong.lake import service as lake
from datong.lake.contracts import VersionNotFound, VersionView
from datong.lake.engine import get_lake
from datong.lake.tables import at_snapshot
from datong.quality.assess.contracts import Assessment, ReportUnknown, ReportView
from datong.quality.assess.encoding import decode_assessment, encode_assessment
from datong.quality.assess.jobs import ASSESS_JOB
from datong.quality.assess.measure import compile_value_checks, measure_values
from datong.quality.assess.model import assess_contract
from datong.quality.assess.paper import lay_out_report
from datong.quality.assess.plugs import CONFORMANCE_ASSESSED
from datong.standards.contracts import Edition, EditionKind, KeptReport
from datong.standards.divisions import Divisions, national_divisions, read_table
from datong.standards.service import find_edition, find_kept_reports, get_kept_report, keep_report

KIND = "conformance-report"
FACET = "standards.conformance"
FILES = ("html", "html.jws", "pdf", "pdf.jws", "json", "json.jws")
MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "json": "application/json",
    "jws": "application/jose",
}


def preview(resource_id: ResourceId, actor: Actor, *, against: str = "") -> Assessment:
    """The contract alone, held against the standards today: quick, and nothing is kept."""
    catalog.get_resource(resource_id, actor)
    return assess_contract(catalog.get_contract(resource_id), clock.today(), against=find_set(against))


def assess_resource(
    actor: Actor, resource_id: ResourceId, *, against: str = "", version_id: VersionId | None = None
) -> ReportView:
    """Assess the current contract and a version (the current one unless named), sign the report and keep it.

    NotFound for an unknown set, VersionNotFound for a version of another resource.

    One scan of the table; some seconds for some million rows. The score is written down on the resource as a facet.
    """
    resource = catalog.get_resource(resource_id, actor)
    subject = subject_of(resource)
    check_permission(CONFORMANCE_ASSESSED.verb, actor, subject)
    version = _version(resource_id, version_id)
    assessment = _assess(catalog.get_contract(resource_id), version, find_set(against))
    number, now = next_number("BZ"), clock.now()
    day = clock.civil_date(now)
    result = encode_assessment(assessment)
    html = lay_out_report(
        assessment,
        number=number,
        agency=resource.agency_name,
        signer=actor.agency_name or "大同平台",
        day=f"{day.year}年{day.month}月{day.day}日",
    ).encode()
    pdf = _render_pdf(html.decode())
    label = f"{resource_id} {number}"
    signed = {name: sign_document(body, kind=KIND, subject=label) for name, body in (("json", result), ("html", html))}
    pdf_jws = sign_document(pdf, kind=KIND, subject=label).jws if pdf else ""
    with action(CONFORMANCE_ASSESSED.verb, actor, subject) as record:
        report = KeptReport(
            number=number,
            subject=resource_id,
            title_zh=assessment.title_zh,
            agency_id=resource.agency_id,
            contract_version=assessment.contract_version,
            version_id=assessment.version_id,
            score=assessment.score,
            result=result.decode(),
            digest=signed["json"].digest,
            result_jws=signed["json"].jws,
            html=html.decode(),
            html_jws=signed["html"].jws,
            pdf=pdf,
            pdf_jws=pdf_jws,
            issued_by=record.actor.id,
            issued_by_name=record.actor.name,
            issued_at=now,
        )
        keep_report(report)
        catalog.put_facet(resource_id, FACET, {"score": assessment.score, "number": number})
        record.facts |= {"number": number, "score": assessment.score, "digest": signed["json"].digest}
    return _view(report)


def ask_assessment(actor: Actor, resource_id: ResourceId, *, against: str = "") -> JobId:
    """The same in the background, as the member who asks."""
    resource = catalog.get_resource(resource_id, actor)
    check_permission(CONFORMANCE_ASSESSED.verb, actor, subject_of(resource))
    find_set(against)
    args = {"resource_id": resource_id, "against": against, "member_id": actor.id}
    return jobs.enqueue(ASSESS_JOB, args)


def assess_unkept(contract: DataContract, *, against: str = "") -> Assessment:
    """A contract that need not be in the catalogue, without data: for a file at the command line."""
    return assess_contract(contract, clock.today(), against=find_set(against))


def find_reports(resource_id: ResourceId, actor: Actor, *, limit: int = 20) -> list[ReportView]:
    """Reports on a resource that the actor may see, newest first."""
    catalog.get_resource(resource_id, actor)
    return [_view(row) for row in find_kept_reports(resource_id, limit)]


def get_report(resource_id: ResourceId, number: str, actor: Actor) -> ReportView:
    catalog.get_resource(resource_id, actor)
    return _view(_kept(resource_id, number))


def read_report_file(resource_id: ResourceId, number: str, name: str, actor: Actor) -> tuple[bytes, str]:
    """One of FILES of a report, to the byte as it was signed, and its media type."""
    catalog.get_resource(resource_id, actor)
    row = _kept(resource_id, number)
    found: bytes | None = {
        "html": row.html.encode(),
        "html.jws": row.html_jws.encode(),
        "pdf": row.pdf,
        "pdf.jws": row.pdf_jws.encode() or None,
        "json": row.result.encode(),
        "json.jws": row.result_jws.encode(),
    }.get(name)
    if found is None:
        raise NotFound("The report has no such file.", hint_zh="这份报告没有该文件。", number=number, file=name)
    return found, MEDIA_TYPES[name.rpartition(".")[2]]


def may_assess(actor: Actor, resource: ResourceView) -> bool:
    return is_allowed(CONFORMANCE_ASSESSED.verb, actor, subject_of(resource))


def find_set(name: str) -> Edition | None:
    """The set of elements to assess against, as `credit_licence` or `credit_licence@2018`; None for no name."""
    if not name:
        return None
    key, _, label = name.partition("@")
    found = find_edition(key, label)
    if found is None or found.kind is not EditionKind.ELEMENTS:
        raise NotFound(
            "It is no set of data elements; see `datong standards list --kind elements`.",
            hint_zh="没有这个数据元集；可用 datong standards list --kind elements 查看。",
            set=name,
        )
    return found


def subject_of(resource: ResourceView) -> Subject:
    return Subject(kind="resource", id=resource.id, agency_id=AgencyId(resource.agency_id), name=resource.title_zh)


# Within ------------------------------------------------------------------------------------------------------------
def _assess(contract: DataContract, version: VersionView | None, against: Edition | None) -> Assessment:
    day = clock.today()
    if version is None:
        return assess_contract(contract, day, against=against)
    plan = compile_value_checks(contract, day, _divisions())
    with closing(get_lake(load_settings()).connect(version.agency)) as connection:
        present = {name for name, _ in lake.describe_version(version)}
        kept = [check for check in plan.row_checks if set(check.columns) <= present]
        rows, shares = measure_values(
            connection, at_snapshot(version.table, version.snapshot), replace(plan, row_checks=tuple(kept))
        )
    return assess_contract(contract, day, against=against, values=shares, version=(version.id, version.label, rows))


def _version(resource_id: ResourceId, version_id: VersionId | None) -> VersionView | None:
    if version_id is None:
        return lake.current_version(resource_id)
    version = lake.get_version(version_id)
    if version.resource_id != resource_id:
        raise VersionNotFound(
            f"{version_id} is a version of another resource.", hint_zh="该数据版本属于另一资源。", version=version_id
        )
    return version


def _divisions() -> Divisions:
    """The national table with the local codes of `<home>/divisions.csv`, as collection checks with."""
    local = load_settings().home / "divisions.csv"
    table = national_divisions()
    return table.with_supplement(read_table(local).entries()) if local.is_file() else table


def _render_pdf(html: str) -> bytes | None:
    """None where this machine cannot: the report then has HTML and JSON, and says so."""
    try:
        return render_pdf(html)
    except PdfUnavailable:
        return None


def _kept(resource_id: ResourceId, number: str) -> KeptReport:
    report = get_kept_report(resource_id, number)
    if report is None:
        raise ReportUnknown(
            "See the resource's conformance page.", hint_zh="请从资源的“标准符合性”页查看。", number=number
        )
    return report


def _view(row: KeptReport) -> ReportView:
    return ReportView(
        number=row.number,
        subject=row.subject,
        title_zh=row.title_zh,
        agency_id=row.agency_id,
        score=row.score,
        assessment=decode_assessment(row.result),
        digest=row.digest,
        issued_by=row.issued_by_name,
        issued_at=row.issued_at,
        has_pdf=row.pdf is not None,
    )
