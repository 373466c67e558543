"""Journeys: ask without JavaScript, decide by keyboard, refuse with a reason, collect with live progress, revoke."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from datong.testing.instance import Instance, wait_until
from tests.browser.furnished import (
    GOOD,
    HEAD,
    OTHER,
    Furnished,
    collect,
    connect,
    disown,
    find_link,
    put,
    wait_for_rest,
)
from tests.browser.pages import Reader

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("instance"), pytest.mark.timeout(300)]
Open = Callable[..., Reader]
COLLECTED = "amr_enterprise"


def ask_for_it(person: Reader, resource: str, purpose: str, *, basis: str = "《大气污染防治法》第五条") -> str:
    """Fill the request form and submit it; gives the request's page."""
    page = person.open(f"/exchange/request/{resource}")
    page.get_by_label("用途", exact=True).fill("污染与就诊关系研究")
    page.get_by_label("用途代码").fill(purpose)
    page.get_by_label("法律依据").fill(basis)
    page.locator("input[name=columns][value=pm25]").check()
    page.get_by_role("button", name="提交申请").click()
    return person.path


def tab_to(page: Page, text: str, *, presses_max: int = 80) -> None:
    """Press Tab until the focused thing has this text; its focus must be visible."""
    for _ in range(presses_max):
        page.keyboard.press("Tab")
        focused = page.locator(":focus").inner_text()
        if text in focused:
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"the focus on {text!r} cannot be seen"
            return
    raise AssertionError(f"{text!r} is not reached within {presses_max} presses of Tab")


def test_a_request_made_without_javascript_is_approved_by_keyboard(reader: Open, askable: str) -> None:
    asker = reader("steward", javascript=False)
    asked = ask_for_it(asker, askable, "air_and_health")
    assert re.fullmatch(r"/exchange/requests/req_\w+/", asked)
    expect(asker.page.locator(".dt-note.ok")).to_contain_text("已提交")

    approver = reader("approver_eco")
    page = approver.open("/")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("跳到正文")
    page.keyboard.press("Enter")
    tab_to(page, "申请“北京细颗粒物逐时监测")
    page.keyboard.press("Enter")
    page.wait_for_url("**/exchange/requests/**")
    tab_to(page, "同意，签发授权")
    page.keyboard.press("Enter")
    page.wait_for_url("**/exchange/grants/**")
    expect(page.locator("h1")).to_contain_text("北京细颗粒物逐时监测")

    page.get_by_role("link", name="撤销").click()
    page.get_by_label(re.compile("理由")).fill("试用结束")
    page.get_by_role("button", name=re.compile("^撤销 G-")).click()
    expect(page.locator(".dt-tag.bad").first).to_have_text("已撤销")
    expect(page.locator("main")).to_contain_text("试用结束")


def test_a_refusal_needs_its_reason_and_the_asker_reads_it(reader: Open, askable: str) -> None:
    asked = ask_for_it(reader("steward"), askable, "second_check")
    approver = reader("approver_eco")
    page = approver.open(asked)
    page.get_by_role("button", name=re.compile("^不同意")).click()
    expect(page.get_by_role("alert")).to_contain_text("理由")
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_label("理由或意见").fill("与申请用途不相称")
    page.get_by_role("button", name=re.compile("^不同意")).click()
    expect(page.locator(".dt-tag.bad")).to_have_text("不同意")
    assert "与申请用途不相称" in reader("steward").open(asked).inner_text("main")


def test_a_faulty_request_comes_back_with_every_finding_and_all_that_was_typed(reader: Open, askable: str) -> None:
    person = reader("steward", javascript=False)
    page = person.open(f"/exchange/request/{askable}")
    page.get_by_label("用途", exact=True).fill("核")
    page.get_by_label("用途代码").fill("ok_code")
    page.get_by_label("法律依据").fill("法")
    page.locator("input[name=columns][value=no]").uncheck()
    page.get_by_role("button", name="提交申请").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert page.locator(".dt-error").count() >= 2
    assert page.get_by_label("用途代码").input_value() == "ok_code"


def test_a_file_is_collected_and_its_report_appears_by_itself(reader: Open, instance: Instance, tmp_path: Path) -> None:
    source = (
        (instance.home / "demo" / "city" / "amr" / "amr_enterprise.csv").read_text(encoding="utf-8-sig").splitlines()
    )
    rows = [*source[:12], source[12].replace(source[12].split(",")[0], "91990101MA0000000X")]
    file = tmp_path / "登记.csv"
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    person = reader("steward_amr")
    page = person.open(f"/resources/{COLLECTED}/collect")
    page.get_by_label("文件").set_input_files(file)
    page.get_by_role("button", name="上传并检查").click()
    page.wait_for_url("**/runs/run_**")
    expect(page.locator("text=一行不丢")).to_be_visible(timeout=30_000)
    expect(page.locator("main")).to_contain_text("接收 12 ＝ 入湖")
    expect(page.locator("#quarantine table tbody tr").first).to_contain_text("91990101MA0000000X")
    with page.expect_download() as download:
        page.get_by_role("link", name="下载全部隔离行").click()
    assert "91990101MA0000000X" in Path(download.value.path()).read_text(encoding="utf-8-sig")


def test_an_unreadable_file_is_explained_and_nothing_is_written(reader: Open, tmp_path: Path) -> None:
    file = tmp_path / "picture.csv"
    file.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00" * 50)
    person = reader("steward_amr")
    page = person.open(f"/resources/{COLLECTED}/collect")
    page.get_by_label("文件").set_input_files(file)
    page.get_by_role("button", name="上传并检查").click()
    expect(page.get_by_role("alert")).to_be_visible(timeout=30_000)
    assert page.get_by_role("alert").inner_text().strip()


def test_language_and_theme_are_remembered(reader: Open) -> None:
    person = reader("approver")
    page = person.open("/exchange/grants/")
    page.get_by_role("button", name="English").first.click()
    page.wait_for_load_state()
    assert person.path == "/exchange/grants/"
    expect(page.locator("h1")).to_have_text("Grants")
    page.get_by_role("button", name="Dark").first.click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.wait_for_load_state("networkidle")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.get_by_role("button", name="中文").first.click()
    expect(page.locator("h1")).to_have_text("授权")


def test_theme_and_language_switch_without_javascript(reader: Open) -> None:
    person = reader("approver", javascript=False)
    page = person.open("/resources/")
    page.get_by_role("button", name="深色").first.click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    assert person.path == "/resources/"


def test_a_wrong_password_is_told_and_signing_out_ends_the_session(reader: Open) -> None:
    person = reader()
    page = person.open("/sign-in/")
    page.fill("#id_login", "nobody-here")
    page.fill("#id_password", "wrong password")
    page.press("#id_password", "Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    person.sign_in("bureau")
    page.get_by_role("button", name="退出").first.click()
    page.wait_for_url("**/sign-in/")
    person.open("/")
    assert person.path.startswith("/sign-in/")


def has_receipts(page: Page) -> bool:
    page.reload()
    return page.locator("#receipts .dt-tally").count() > 0


def test_a_receipt_is_proven_while_its_page_is_built(reader: Open) -> None:
    person = reader("approver")
    page = person.open("/exchange/grants/")
    page.get_by_role("link", name="人口基础信息").last.click()
    page.wait_for_url("**/exchange/grants/grant_**")
    wait_until(lambda: has_receipts(page), "the log's entries are folded into the grant's receipts")
    page.locator("#receipts .dt-tally").first.click()
    page.wait_for_url("**/exchange/receipts/**")
    expect(page.locator(".dt-halves")).to_have_attribute("data-s", "proven")
    assert person.find_barriers() == []


def test_the_chart_is_drawn_from_the_table_and_the_table_stands_without_script(reader: Open) -> None:
    drawn = reader().open("/design/")
    expect(drawn.locator("figure.dt-chart canvas")).to_have_count(2)
    plain = reader(javascript=False).open("/design/")
    expect(plain.locator("figure.dt-chart table").first).to_be_visible()


def test_a_contract_is_edited_with_live_findings_and_approved(reader: Open, askable: str) -> None:
    """The steward sees what is wrong while typing, saves, submits; an approver puts the contract in force."""
    steward = reader("steward_eco")
    page = steward.open(f"/resources/{askable}/edit?tab=sharing")
    page.get_by_label("共享类型").select_option("withheld")
    expect(page.locator("#findings")).to_contain_text("不予共享须写明法律法规依据")
    assert steward.find_barriers() == []
    page = steward.open(f"/resources/{askable}/edit")
    page.get_by_label("涉密声明").select_option("none")
    version = page.get_by_label("契约版本").input_value()
    major, minor, patch = version.split(".")
    page.get_by_label("契约版本").fill(f"{major}.{minor}.{int(patch) + 1}")
    page.get_by_role("button", name="保存草稿").click()
    page.get_by_role("button", name="提交审核").click()
    expect(page.locator(".dt-note.ok")).to_contain_text("已提交审核")
    assert steward.find_barriers() == []
    address = steward.path

    approver = reader("approver_eco")
    page = approver.open(address)
    page.get_by_role("button", name="批准生效").click()
    page.wait_for_url(f"**/resources/{askable}/")
    expect(page.locator("main")).to_contain_text(f"{major}.{minor}.{int(patch) + 1}")


def test_a_column_is_changed_and_its_breakage_explained_before_another_approves_without_javascript(
    reader: Open,
    furnished: Furnished,
) -> None:
    """The draft says what it breaks and which version that needs; who wrote it does not decide it."""
    resource = f"/resources/{OTHER}/"
    steward = reader("steward_eco", javascript=False)
    page = steward.open(f"{resource}edit?tab=columns&column=name")
    page.get_by_label("数据长度").fill("20")
    page.get_by_role("button", name="保存信息项").click()
    told = page.locator("#breaking")
    expect(told).to_contain_text("须升为2.0.0（现在写的是1.0.0）")
    expect(told).to_contain_text("列“点位名称”的最长长度收紧")
    page.get_by_role("button", name="提交审核").click()
    expect(page.get_by_role("alert")).to_contain_text("2.0.0")
    page = steward.open(f"{resource}edit")
    page.get_by_label("契约版本").fill("2.0.0")
    page.get_by_role("button", name="保存草稿").click()
    expect(page.locator("#breaking")).not_to_contain_text("现在写的是")
    page.get_by_role("button", name="提交审核").click()
    expect(page.locator(".dt-note.ok")).to_contain_text("已提交审核")
    expect(page.get_by_role("button", name="批准生效")).to_have_count(0)
    address = steward.path

    approver = reader("approver_eco", javascript=False)
    page = approver.open("/?kind=contract-approval")
    page.locator(f"main table a[href='{address}']").first.click()
    expect(page.locator("#breaking")).to_contain_text("破坏性变更")
    page.get_by_role("button", name="批准生效").click()
    page.wait_for_url(f"**{resource}")
    expect(page.locator("main")).to_contain_text("契约 2.0.0")


def test_a_folder_becomes_a_source_whose_file_is_collected_without_javascript(
    reader: Open, furnished: Furnished
) -> None:
    """Described, tested, fetched by hand; the fetch leads to its run, and the run says that a source brought it."""
    steward = reader("steward_eco", javascript=False)
    drop = furnished.drop / "新点位"
    drop.mkdir()
    address = connect(steward, drop, "新点位目录", "30 6 * * *", resource=OTHER)
    page = steward.page
    expect(page.locator("main")).to_contain_text("每天 06:30")
    put(drop, "0601.csv", HEAD + "\n".join(GOOD[:9]) + "\n")
    page.get_by_role("button", name="测试连接").click()
    expect(page.locator(".dt-note.ok")).to_contain_text("1个文件")
    page.get_by_role("button", name="现在取数").click()
    run = find_link(steward, address, "/runs/run_")
    wait_for_rest(steward, run)
    page = steward.open(run)
    expect(page.locator("main")).to_contain_text("由数据源采集")
    expect(page.locator("main")).to_contain_text("接收 9 ＝ 入湖 9")
    page = steward.open(address)
    page.get_by_role("button", name="启用").click()
    expect(page.get_by_role("button", name="停用")).to_be_visible()


def test_a_decision_without_its_reason_comes_back_and_with_it_is_taken_without_javascript(
    reader: Open,
    furnished: Furnished,
) -> None:
    """A field sent to another agency, and a run that waits: each form explains itself and keeps what was typed."""
    steward = reader("steward_eco", javascript=False)
    disown(steward, OTHER)
    field = steward.path
    asked = reader("steward_civil", javascript=False)
    page = asked.open("/?kind=field-source")
    page.locator(f"main table a[href='{field}']").first.click()
    page.get_by_role("button", name="不认领").click()
    expect(page.get_by_role("alert")).to_contain_text("理由")
    page.get_by_label("理由").fill("点位所在区划由监测单位填写")
    page.get_by_role("button", name="不认领").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_role("button", name="不认领")).to_have_count(0)

    blocked = collect(steward, "\n".join(GOOD[:12]) + "\n", bill_rows="99", resource=OTHER)
    page = steward.open(blocked)
    page.get_by_role("button", name=re.compile("^放弃")).click()
    expect(page.get_by_role("alert")).to_contain_text("理由")
    page.get_by_label("理由").fill("账单写错，按实收入湖")
    page.get_by_role("button", name="继续入湖").click()
    wait_for_rest(steward, blocked)
    page = steward.open(blocked)
    expect(page.locator("#accepted")).to_contain_text("账单写错，按实收入湖")


def test_a_file_drafts_a_contract_and_what_the_file_holds_is_text(reader: Open) -> None:
    """Every suggestion with its evidence; a value that looks like markup is shown as it is."""
    person = reader("steward_eco")
    page = person.open("/contracts/infer")
    rows = "".join(f"K{n:03},<img src=x onerror=alert(1)>{n % 3}\n" for n in range(60))
    file = {"name": "kinds_seen.csv", "mimeType": "text/csv", "buffer": f"编号,类别\n{rows}".encode()}
    page.get_by_label("文件").set_input_files(file)
    page.get_by_role("button", name="读取").click()
    expect(page.get_by_role("link", name="打开编辑器")).to_be_visible()
    expect(page.locator("main")).to_contain_text("<img src=x")
    assert page.locator("main img").count() == 0
    assert person.find_barriers() == []
    page.get_by_role("link", name="打开编辑器").click()
    expect(page.locator(".dt-tabs")).to_contain_text("信息项")
