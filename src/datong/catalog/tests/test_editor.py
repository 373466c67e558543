"""The editor, the approval and the workbook as a steward and an approver use them, in a browser without script."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from openpyxl import load_workbook

from datong.catalog import service as catalog
from datong.catalog.odcs import parse_contract
from datong.catalog.store.models import ContractDraft
from datong.catalog.tests.samples import changed, column, demo_text, set_word
from datong.testing.cast import Cast


def _complete(raw: dict[str, Any]) -> None:
    set_word(raw, "secrecy", "none")
    set_word(raw, "directoryCode", "101001/000001")


POPULATION = changed(demo_text("psb_population"), _complete).text
EDIT = "/resources/psb_population/edit"


@pytest.fixture
def people(cast: Cast) -> Any:
    """Signed-in browsers by member."""

    def sign_in(name: str) -> Client:
        client = Client()
        client.force_login(cast.user(name))
        return client

    return sign_in


def page(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, (path, answer.status_code)
    return answer.content.decode()


def hidden(text: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(revision|base)" value="([^"]*)"', text))


def form_of(text: str) -> dict[str, Any]:
    """What a browser would post of the editor's form."""
    from lxml import html

    document: Any = html.fromstring(text)
    form = document.get_element_by_id("editor")
    found: dict[str, Any] = {}
    for name, value in form.form_values():
        found.setdefault(name, []).append(value)
    return found


def test_a_change_from_the_form_to_approval(cast: Cast, people: Any) -> None:
    catalog.apply_contract(cast.actor("psb.steward"), POPULATION, base_version=None)
    steward, approver = people("psb.steward"), people("psb.approver")
    assert EDIT in page(steward, "/resources/psb_population/")
    text = page(steward, EDIT)
    form = form_of(text)
    assert form["name"] == ["人口基础信息"]
    form |= {"name": "常住人口基本信息", "version": "1.0.1"}
    saved = steward.post(f"{EDIT}/save", form)
    assert saved.status_code == 302
    text = page(steward, saved.url)
    assert "<ins>+name: 常住人口基本信息</ins>" in text
    draft = ContractDraft.objects.get()
    before = dict(catalog.get_contract("psb_population").raw)
    assert {**before, "name": "常住人口基本信息", "version": "1.0.1"} == parse_contract(draft.text).raw
    submitted = steward.post(f"/contracts/drafts/{draft.pk}/submit")
    assert submitted.status_code == 302
    assert "decision" not in page(steward, submitted.url)
    waiting = page(approver, submitted.url)
    assert 'value="approve"' in waiting
    refused = approver.post(f"/contracts/drafts/{draft.pk}/decision", {"decision": "refuse", "reason": ""})
    assert refused.status_code == 400
    decided = approver.post(f"/contracts/drafts/{draft.pk}/decision", {"decision": "approve", "reason": ""})
    assert decided.url == "/resources/psb_population/"
    assert "常住人口基本信息" in page(steward, decided.url)


def test_every_tab_saves_what_it_shows_and_changes_nothing(cast: Cast, people: Any) -> None:
    catalog.apply_contract(cast.actor("psb.steward"), POPULATION, base_version=None)
    steward = people("psb.steward")
    for tab in ("basic", "sharing", "opening", "service", "stages"):
        steward.post(f"{EDIT}/save", form_of(page(steward, f"{EDIT}?tab={tab}")))
    for name in ("id_number", "birth_date", "status", "ethnicity"):
        steward.post(f"{EDIT}/save", form_of(page(steward, f"{EDIT}?tab=columns&column={name}")))
    draft = ContractDraft.objects.get()
    assert draft.revision == 9
    assert draft.text == POPULATION


def test_columns_are_added_changed_moved_and_removed(cast: Cast, people: Any) -> None:
    catalog.apply_contract(cast.actor("psb.steward"), POPULATION, base_version=None)
    steward = people("psb.steward")
    form = form_of(page(steward, f"{EDIT}?tab=columns&column=%2B"))
    bad = steward.post(f"{EDIT}/save", {**form, "name": "phone", "businessName": "电话", "maxLength": "很长"})
    assert bad.status_code == 400
    text = bad.content.decode()
    assert "整数" in text
    assert 'value="电话"' in text
    new = {**form, "name": "phone", "businessName": "电话", "logicalType": "string", "classification": "一般3级"}
    assert steward.post(f"{EDIT}/save", new).status_code == 302
    table = page(steward, f"{EDIT}?tab=columns")
    assert "新增" in table
    keys = hidden(page(steward, f"{EDIT}?tab=columns&column=address"))
    steward.post(f"{EDIT}/save", {**keys, "tab": "columns", "part": "remove", "column": "address"})
    text = page(steward, f"{EDIT}?tab=columns")
    assert "含1处破坏性变更，须升为2.0.0" in text
    assert "<del" in text
    keys = hidden(page(steward, f"{EDIT}?tab=columns&column=phone"))
    steward.post(f"{EDIT}/save", {**keys, "tab": "columns", "part": "up", "column": "phone"})
    assert [c["name"] for c in _raw()["schema"][0]["properties"]][-2:] == ["phone", "updated_on"]


def _raw() -> dict[str, Any]:
    from datong.catalog.yaml_text import read_yaml

    raw: dict[str, Any] = read_yaml(ContractDraft.objects.get().text).data
    return raw


def test_a_conflict_keeps_what_was_typed(cast: Cast, people: Any) -> None:
    catalog.apply_contract(cast.actor("psb.steward"), POPULATION, base_version=None)
    steward = people("psb.steward")
    form = form_of(page(steward, EDIT))
    assert steward.post(f"{EDIT}/save", {**form, "name": "甲"}).status_code == 302
    late = steward.post(f"{EDIT}/save", {**form, "name": "乙"})
    assert late.status_code == 409
    text = late.content.decode()
    assert "草稿已被他人保存" in text
    assert 'value="乙"' in text
    assert _raw()["name"] == "甲"


def test_yaml_that_is_broken_is_kept_and_explained(cast: Cast, people: Any) -> None:
    catalog.apply_contract(cast.actor("psb.steward"), POPULATION, base_version=None)
    steward = people("psb.steward")
    keys = hidden(page(steward, f"{EDIT}?view=yaml"))
    saved = steward.post(f"{EDIT}/save", {**keys, "part": "yaml", "text": "id: psb_population\nname: [broken"})
    text = page(steward, saved.url)
    assert "不是合法的YAML" in text
    assert "name: [broken" in text
    assert "还不能作为表单显示" in page(steward, EDIT)


def test_findings_come_while_one_types(cast: Cast, people: Any) -> None:
    catalog.apply_contract(cast.actor("psb.steward"), POPULATION, base_version=None)
    steward = people("psb.steward")
    form = form_of(page(steward, f"{EDIT}?tab=sharing"))
    live = steward.post(f"{EDIT}/check", {**form, "sharingType": "withheld", "sharingBasis": ""})
    assert live.status_code == 200
    assert "不予共享须写明法律法规依据" in live.content.decode()
    assert not ContractDraft.objects.exists()


def test_a_new_resource_begins_with_an_id_and_a_title(cast: Cast, people: Any) -> None:
    steward = people("psb.steward")
    assert steward.post("/contracts/new", {"id": "a b", "title": "x"}).status_code == 400
    made = steward.post("/contracts/new", {"id": "psb_hotels", "title": "旅馆名录"})
    assert made.url == "/resources/psb_hotels/edit"
    assert "契约没有写共享类型" in page(steward, made.url)
    assert "旅馆名录" in page(steward, "/contracts/")
    page(people("amr.steward"), made.url, 404)


def test_a_template_comes_back_with_its_faults_or_as_drafts(cast: Cast, people: Any) -> None:
    catalog.apply_contract(cast.actor("psb.steward"), POPULATION, base_version=None)
    steward = people("psb.steward")
    payload = steward.get("/resources/psb_population/template.xlsx").content
    book = load_workbook(io.BytesIO(payload))
    book["信息项"].cell(3, 6, "文本")
    out = io.BytesIO()
    book.save(out)

    def upload(content: bytes, action: str = "save") -> Any:
        file = SimpleUploadedFile("book.xlsx", content)
        return steward.post("/contracts/import", {"file": file, "action": action})

    refused = upload(out.getvalue())
    assert refused.status_code == 400
    text = refused.content.decode()
    assert "F3" in text
    inline = re.search(r'href="data:[^;]+;base64,([^"]+)"', text)
    assert inline is not None
    marked = load_workbook(io.BytesIO(base64.b64decode(inline[1])))
    assert marked["信息项"]["F3"].comment is not None
    copy = upload(out.getvalue(), "copy")
    assert load_workbook(io.BytesIO(copy.content))["信息项"]["F3"].comment is not None
    assert not ContractDraft.objects.exists()
    assert upload(payload).url == "/contracts/"
    assert ContractDraft.objects.get().text == POPULATION
    assert upload(b"not a workbook").status_code == 400


def test_pages_speak_english_too(cast: Cast, people: Any) -> None:
    catalog.apply_contract(cast.actor("psb.steward"), POPULATION, base_version=None)
    steward = people("psb.steward")
    steward.cookies["datong-language"] = "en"
    for tab in ("basic", "columns", "rules", "stages"):
        assert "Contract drafts" in page(steward, f"{EDIT}?tab={tab}")
    assert column(_shown(), "sex")


def _shown() -> dict[str, Any]:
    return catalog.get_contract("psb_population").raw
