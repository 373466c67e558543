"""A steward's journey with the statistics bureau's export: hand in, watch, read the report, fetch what was refused."""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from datong.testing.instance import Instance
from datong.testing.real_files import contract_text
from datong.testing.reference import find_reference_file
from tests.browser.pages import Reader
from tests.system.real_page import describe, renamed

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("instance"), pytest.mark.timeout(300)]
EXPORT = find_reference_file("macro/nbs_quarterly_gdp_current_prices.csv")
RESOURCE, SUFFIX = "stats_quarterly_gdp", "_seen"
SHOTS = os.environ.get("SCREENSHOTS_DIR", "")


@pytest.fixture(scope="module")
def resource(instance: Instance) -> str:
    describe(instance, [("stats", renamed(contract_text(RESOURCE), [RESOURCE], SUFFIX))])
    return RESOURCE + SUFFIX


def look(person: Reader, name: str) -> None:
    """A picture of the whole page, where somebody wants to look at it."""
    if SHOTS:
        person.page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def hand_in(page: Page, file: Path) -> None:
    page.locator("input[type=file][name=file]").set_input_files(file)
    page.locator("main form button.btn-primary").click()
    page.wait_for_url("**/runs/run_**")


@pytest.mark.skipif(EXPORT is None, reason="the folder of real files is not beside the project")
@pytest.mark.parametrize("language", ["zh-hans", "en"])
@pytest.mark.parametrize("width", [1440, 375])
def test_the_bureaus_export_from_form_to_quality_report(
    reader: Callable[..., Reader], instance: Instance, resource: str, tmp_path: Path, language: str, width: int
) -> None:
    assert EXPORT is not None
    chinese = language == "zh-hans"
    figure = f"{width}{len(language)}"  # another figure, another file
    spoiled = EXPORT.read_bytes().replace(b"334192.9", b"about " + figure.encode(), 1)
    assert spoiled != EXPORT.read_bytes()
    file = tmp_path / "季度GDP.csv"
    file.write_bytes(spoiled)
    person = reader("steward_stats", width=width, language=language)
    page = person.open(f"/resources/{resource}/collect")
    look(person, f"form-{language}-{width}")
    worker = instance.child_pid("worker")
    os.kill(worker, signal.SIGSTOP)  # so that the progress can be watched
    try:
        hand_in(page, file)
        expect(page.locator("#progress, [hx-get*=progress]").first).to_be_visible()
        look(person, f"progress-{language}-{width}")
    finally:
        os.kill(worker, signal.SIGCONT)
    whole = "接收 576 ＝ 入湖 575 ＋ 隔离 1" if chinese else "Received 576 = accepted 575 + quarantined 1"
    expect(page.locator("main")).to_contain_text(whole, timeout=30_000)
    main = page.locator("main")
    expect(main).to_contain_text("表头之上第1至2行" if chinese else "Lines 1 to 2 above the header")
    expect(main).to_contain_text("18列各成一行" if chinese else "18 columns became rows")
    expect(page.locator("#quarantine")).to_contain_text(f"about {figure}")
    look(person, f"report-{language}-{width}")
    assert person.sideways_px() == 0
    assert person.find_barriers() == []
    with page.expect_download() as download:
        page.locator("a[href$='quarantine.csv']").click()
    with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as refused:
        [row] = list(csv.DictReader(refused))
    assert (row["line"], row["column"]) == ("4", "value")
    page.goto(f"{instance.url}/resources/{resource}/")
    page.locator(f"a[href*='/resources/{resource}/quality']").first.click()
    page.wait_for_url(f"**/resources/{resource}/quality/**")
    expect(page.locator("main")).to_contain_text("数值" if chinese else "Value")
    look(person, f"quality-{language}-{width}")
    assert person.sideways_px() == 0
    assert person.complaints == []
