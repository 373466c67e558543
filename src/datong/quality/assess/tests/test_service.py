"""A resource assessed through the real doors: collected rows, a kept report, files whose signatures hold."""

from __future__ import annotations

import io
from importlib import resources
from pathlib import Path

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.test import Client
from typer.testing import CliRunner

from datong.catalog.service import apply_contract, get_resource
from datong.collect.service import execute_run, start_run
from datong.kernel.config import load_settings
from datong.kernel.documents import DocumentInvalid, load_public_keys, verify_document
from datong.kernel.failures import NotAllowed, NotFound
from datong.kernel.ids import ResourceId, VersionId
from datong.kernel.jobs import service as jobs
from datong.lake import service as lake
from datong.lake.contracts import VersionNotFound
from datong.quality.assess import service
from datong.quality.assess.jobs import ASSESS_JOB
from datong.testing.cast import Cast

RESOURCE = ResourceId("psb_population")
CSV = """id_number,name,sex,birth_date,ethnicity,division_code,address,status,updated_on
11010519491231002X,张伟,2,1949-12-31,01,990101,安澜市同心路1号,正常,2026-01-05
"""


collected = pytest.mark.django_db(transaction=True)
"""Collection commits for real; each such test costs a copied database, so they are few and look at much."""


def describe(cast: Cast) -> None:
    text = resources.files("datong.testing").joinpath(f"contracts/{RESOURCE}.odcs.yaml").read_text(encoding="utf-8")
    apply_contract(cast.actor("psb.steward"), text, base_version=None)


@pytest.fixture
def place(cast: Cast) -> Cast:
    """The population table of the police, collected once."""
    describe(cast)
    steward = cast.actor("psb.steward")
    run_id = start_run(steward, RESOURCE, io.BytesIO(CSV.encode()), "人口.csv", in_background=False)
    execute_run(run_id)
    return cast


@collected
def test_a_report_is_kept_and_every_file_of_it_proves_itself(place: Cast) -> None:
    report = service.assess_resource(place.actor("psb.steward"), RESOURCE)
    assert report.number.startswith("BZ-")
    assert report.assessment.rows_count == 1
    assert report.assessment.values_score is not None
    assert report.has_pdf
    keys = {"keys": load_public_keys(load_settings().keys_dir)}
    reader = place.actor("hrss.steward")
    for name in ("json", "html", "pdf"):
        body, _ = service.read_report_file(RESOURCE, report.number, name, reader)
        jws, _ = service.read_report_file(RESOURCE, report.number, f"{name}.jws", reader)
        facts = verify_document(body, jws.decode(), keys)
        assert (facts.kind, facts.subject) == ("conformance-report", f"{RESOURCE} {report.number}")
        with pytest.raises(DocumentInvalid):  # planted: one byte more
            verify_document(body + b" ", jws.decode(), keys)
    html, _ = service.read_report_file(RESOURCE, report.number, "html", reader)
    assert "11010519491231002X" not in html.decode(), "no value of a person is in the report"
    assert get_resource(RESOURCE, reader).facets["standards.conformance"]["number"] == report.number
    version = lake.current_version(RESOURCE)
    assert version is not None
    assert service.assess_resource(place.actor("data.bureau"), RESOURCE, version_id=version.id).score == report.score
    with pytest.raises(VersionNotFound):
        service.assess_resource(place.actor("data.bureau"), RESOURCE, version_id=VersionId("ver_nothing"))


@pytest.mark.django_db
def test_a_report_is_never_changed(cast: Cast) -> None:
    describe(cast)
    report = service.assess_resource(cast.actor("psb.steward"), RESOURCE)
    assert report.assessment.values_score is None, "there is no version yet"
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("update standards_conformance_report set score = 100")
    assert service.get_report(RESOURCE, report.number, cast.actor("data.bureau")).score == report.score


@pytest.mark.django_db
def test_who_may_assess(cast: Cast) -> None:
    describe(cast)
    for stranger in ("hrss.steward", "psb.approver", "psb.nobody", "auditor", "operator"):
        with pytest.raises(NotAllowed):
            service.assess_resource(cast.actor(stranger), RESOURCE)
    assert service.find_reports(RESOURCE, cast.actor("psb.steward")) == []
    assert service.assess_resource(cast.actor("data.bureau"), RESOURCE).number
    with pytest.raises(NotFound):
        service.assess_resource(cast.actor("psb.steward"), RESOURCE, against="sex")


@collected
def test_the_page_asks_for_a_report_and_shows_it_in_both_languages(place: Cast, client: Client) -> None:
    client.force_login(place.user("psb.steward"))
    here = f"/resources/{RESOURCE}/conformance"
    assert "还没有报告" in client.get(here).content.decode()
    assert f'href="{here}"' in client.get(f"/resources/{RESOURCE}/").content.decode()
    sent = client.post(here, {"against": "credit_licence"})
    assert sent.status_code == 302
    [job] = jobs.find_jobs(name=ASSESS_JOB)
    assert "正在评估" in client.get(sent.headers["location"]).content.decode()
    jobs.run_job(job.id)
    page = client.get(sent.headers["location"]).content.decode()
    [report] = service.find_reports(RESOURCE, place.actor("psb.steward"))
    assert "评估完成" in page
    assert report.number in page
    assert report.assessment.missing
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    english = client.get(f"{here}/{report.number}/").content.decode()
    assert "Values that conform" in english
    assert "no code of" in english
    pdf = client.get(f"{here}/{report.number}/report.pdf")
    assert pdf.content.startswith(b"%PDF-")
    assert client.get(f"{here}/{report.number}/report.exe").status_code == 404
    assert client.get(f"{here}/BZ-1999-00001/").status_code == 404
    assert client.get(here, headers={"accept": "application/json"}).json()["subject"] == RESOURCE


@pytest.mark.django_db
def test_the_command_line_writes_a_pdf_beside_its_signature(cast: Cast, tmp_path: Path) -> None:
    import typer

    from datong.quality.assess import cli

    describe(cast)
    app = typer.Typer()
    cli.register(app)
    app.callback()(lambda: None)
    out = tmp_path / "report.pdf"
    result = CliRunner().invoke(app, ["assess", RESOURCE, "--pdf", str(out)])
    assert result.exit_code == 0, result.output
    assert "  status: has values that are no codes of person_status" in result.output
    keys = {"keys": load_public_keys(load_settings().keys_dir)}
    assert verify_document(out.read_bytes(), Path(f"{out}.jws").read_text(), keys).kind == "conformance-report"
    contract = tmp_path / "c.odcs.yaml"
    contract.write_text(
        resources.files("datong.testing").joinpath("contracts/eco_beijing_pm25.odcs.yaml").read_text(encoding="utf-8")
    )
    alone = CliRunner().invoke(app, ["assess", str(contract), "--json"])
    assert '"version_id":""' in alone.stdout
