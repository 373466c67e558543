"""The pages of a run: hand a file in with its bill, see why it waits, let it go on, see what cleaning changed."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from datong.collect.contracts import RunState
from datong.collect.service import find_runs, get_run
from datong.collect.tests.conftest import Office
from datong.collect.tests.plain import HEADER, PlainOffice, make_plain_office
from datong.collect.tests.test_cleaned_runs import CLEANING
from datong.kernel.jobs.service import run_job

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def plain(committing_office: Office) -> PlainOffice:
    return make_plain_office(committing_office)


@pytest.fixture
def browser(plain: PlainOffice, client: Client) -> Client:
    client.force_login(plain.office.cast.user(f"{plain.office.agency}.steward"))
    return client


def upload(text: str, name: str = "things.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, text.encode())


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_a_delivery_with_its_bill_from_form_to_decision(plain: PlainOffice, browser: Client, language: str) -> None:
    browser.cookies["datong-language"] = language
    plain.apply(mode="diff", columns=CLEANING, landingRetentionDays=30)
    form = browser.get(f"/resources/{plain.resource_id}/collect")
    assert form.status_code == 200
    assert 'name="bill_rows"' in form.content.decode()
    refused = browser.post(
        f"/resources/{plain.resource_id}/collect", {"file": upload(HEADER + "1,甲,,1\n"), "bill_rows": "many"}
    )
    assert refused.status_code == 400
    assert 'value="many"' in refused.content.decode(), "what was typed stays"
    sent = {"file": upload(HEADER + "1, 甲 ,2024/1/5,1\n"), "bill_rows": "2", "bill_sums": "金额 ＝ 1"}
    answer = browser.post(f"/resources/{plain.resource_id}/collect", sent)
    assert answer.status_code == 302
    run = find_runs(plain.steward, resource_id=plain.resource_id).items[0]
    going = browser.get(f"/runs/{run.id}/progress")
    assert going.status_code == 200
    run_job(run.job_id or "")
    page = browser.get(f"/runs/{run.id}/").content.decode()
    assert ("行数应为2，实为1" if language == "zh-hans" else "rows: 2 billed, 1 found") in page
    assert ("不符" if language == "zh-hans" else "differs") in page
    assert browser.get(f"/runs/{run.id}/progress").status_code == 286
    home = browser.get("/").content.decode()
    assert f"/runs/{run.id}/" in home, "the case leads here"
    nothing = browser.post(f"/runs/{run.id}/decision", {"decision": "give-up", "reason": ""})
    assert nothing.status_code == 400
    assert browser.post(f"/runs/{run.id}/decision", {"decision": "resume", "reason": "核对过"}).status_code == 302
    resumed = get_run(run.id)
    run_job(resumed.job_id or "")
    assert get_run(run.id).state is RunState.DONE
    page = browser.get(f"/runs/{run.id}/").content.decode()
    assert "核对过" in page
    assert f"/runs/{run.id}/changes" in page
    changes = browser.get(f"/runs/{run.id}/changes").content.decode()
    assert "2024/1/5" in changes
    assert "2024-01-05" in changes


def test_a_failed_run_shows_the_proposal_and_closes_its_case(plain: PlainOffice, browser: Client) -> None:
    plain.apply(mode="replace")
    browser.post(
        f"/resources/{plain.resource_id}/collect", {"file": upload("编号,名称全称,日期,金额\n1,甲,2024-01-05,1\n")}
    )
    run = find_runs(plain.steward, resource_id=plain.resource_id).items[0]
    run_job(run.job_id or "")
    led = browser.get(f"/resources/{plain.resource_id}/collect/attention")
    assert led.headers["location"] == f"/runs/{run.id}/"
    page = browser.get(f"/runs/{run.id}/").content.decode()
    assert "physicalName: 名称全称" in page
    closed = browser.post(f"/runs/{run.id}/decision", {"decision": "close", "reason": "本月不再报送"})
    assert closed.status_code == 302
    assert "办结" not in browser.get(f"/runs/{run.id}/").content.decode()


def test_another_agency_sees_nothing_of_it(plain: PlainOffice, client: Client) -> None:
    plain.apply(mode="replace")
    run = plain.collect("1,甲,2024-01-05,1")
    client.force_login(plain.office.cast.user("auditor"))
    for method, path in (("get", "/"), ("get", "/changes"), ("post", "/decision")):
        assert getattr(client, method)(f"/runs/{run.id}{path}").status_code in (403, 404)
