"""The standards browser for everybody, in both languages; importing from the page by the bureau."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from datong.standards.code_lists import get_code_list
from datong.standards.tests.conftest import BringIn
from datong.standards.tests.test_service import reference
from datong.testing.cast import Cast

pytestmark = pytest.mark.django_db


def text_of(client: Client, address: str, language: str = "zh-hans") -> str:
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    return answer.content.decode()


@pytest.mark.parametrize(
    ("address", "zh", "en"),
    [
        ("/standards/", "公共数据元", "Common data elements"),
        ("/standards/?q=信用代码", "统一社会信用代码", "Unified social credit code"),
        ("/standards/?q=男性", "人的性别代码", "Sex"),
        ("/standards/elements/?q=csrq", "出生日期", "Date of birth"),
        ("/standards/elements/?set=credit_penalty", "处罚依据", "Legal basis"),
        ("/standards/elements/DE-00003/", "男性", "Male"),
        ("/standards/lists/sex/", "未说明的性别", "Not stated"),
        ("/standards/lists/sex/codes/1/", "男性", "Male"),
        ("/standards/divisions/?on=2009-06-30&under=110000", "崇文区", "崇文区"),
        ("/standards/divisions/110103/?on=2013-01-01", "东城区", "in force on"),
    ],
)
def test_anybody_reads_in_both_languages(client: Client, address: str, zh: str, en: str) -> None:
    assert zh in text_of(client, address)
    assert en in text_of(client, address, "en")


def test_a_division_that_ended_before_the_day_is_shown_as_gone_with_its_successor(client: Client) -> None:
    before = text_of(client, "/standards/divisions/?on=2009-06-30&under=110000")
    after = text_of(client, "/standards/divisions/?on=2013-06-30&under=110000")
    assert "此前已撤销" not in before or "崇文区" not in before.split("此前已撤销")[1]
    assert "崇文区" in after.split("此前已撤销")[1]
    assert "北京市东城区" in after.split("此前已撤销")[1]


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/standards/lists/nothing/", 404),
        ("/standards/lists/sex/?edition=1840", 404),
        ("/standards/lists/sex/codes/7/", 404),
        ("/standards/lists/sex/?on=yesterday", 400),
        ("/standards/elements/DE-99999/", 404),
        ("/standards/divisions/999999/", 404),
        ("/standards/lists/sex/compare", 404),
    ],
)
def test_what_is_not_there_is_said(client: Client, address: str, status: int) -> None:
    assert client.get(address).status_code == status


def test_the_bureau_imports_from_the_page(
    client: Client, cast: Cast, bring_in: BringIn, django_capture_on_commit_callbacks: object
) -> None:
    client.force_login(cast.user("data.bureau"))
    name, data = reference("industry/gbt4754_2017.csv")
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        answer = client.post("/standards/import", {"files": SimpleUploadedFile(name, data)})
    assert answer.headers["location"] == "/standards/lists/gbt4754/"
    page = text_of(client, "/standards/lists/gbt4754/?under=A&on=2026-01-01")
    assert "农、林、牧、渔业" in page
    assert "畜牧业" in page
    assert "集成电路制造" in text_of(client, "/standards/lists/gbt4754/?q=集成电路")
    bring_in([reference("industry/gbt4754_2011.csv")])
    assert get_code_list("gbt4754").editions == ("2011", "2017")
    compared = text_of(client, "/standards/lists/gbt4754/compare?from=2011&to=2017&leaves=1&kind=retitled")
    assert "改名 213" in compared
    through = text_of(client, "/standards/lists/gbt4754/codes/3963/")
    assert "改名" in through
    assert "下一版中此名称的代码为" in through
    assert ">3973<" in through


def test_a_file_that_is_no_standard_comes_back_with_its_findings(client: Client, cast: Cast) -> None:
    client.force_login(cast.user("data.bureau"))
    bad = SimpleUploadedFile("a.csv", b"code,title_zh\n1,x\n1,y\n")
    answer = client.post("/standards/import", {"files": bad, "name": "things", "edition": "1", "title_zh": "物"})
    assert answer.status_code == 400
    assert "代码1在同一时段有两个条目" in answer.content.decode()
    assert 'value="things"' in answer.content.decode()


def test_the_api_gives_the_same_as_json(client: Client) -> None:
    listed = client.get("/api/v1/standards/").json()["items"]
    assert {"sex@2003", "common@2026"} <= {item["label"] for item in listed}
    codes = client.get("/api/v1/standards/lists/sex").json()
    assert [item["code"] for item in codes["items"]] == ["0", "1", "2", "9"]
    assert client.get("/api/v1/standards/elements/DE-00001").json()["identifier"] == "resident_id"
    facts = client.get("/api/v1/standards/divisions/110103?on=2013-01-01").json()
    assert (facts["codes_now"], facts["full_name"]) == (["110101"], None)
    assert client.get("/api/v1/standards/lists/nothing").json()["code"] == "code-list-unknown"
