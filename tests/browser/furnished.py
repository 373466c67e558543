"""A resource with a past, made by hand on the pages without JavaScript: every page of collection, quality, standards
and responsibility then has something on it. Nobody else's resources are touched."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datong.kernel import clock
from datong.testing.instance import Instance, wait_until
from tests.browser.pages import Reader
from tests.system.real_page import describe

Open = Callable[[str], Reader]
RESOURCE, LIST = "eco_sites", "browser_kinds"
OTHER = "eco_posts"
"""The same again, untouched: for the journeys, so that the furnished one stays as it is."""
ELEMENT = "DE-00006"
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: eco_sites
name: 空气监测点位
version: 1.0.0
status: active
description: {purpose: 安澜市空气监测点位的名称、所在区划和启用日期，由市生态环境局维护。}
schema:
  - name: eco_sites
    businessName: 空气监测点位
    dataGranularityDescription: 每个点位一行
    properties:
      - name: code
        businessName: 点位编号
        logicalType: string
        physicalType: varchar(6)
        primaryKey: true
        primaryKeyPosition: 1
        unique: true
        required: true
        classification: 一般1级
        logicalTypeOptions: {pattern: "S[0-9]{3}"}
        customProperties: [{property: titleEn, value: Site code}, {property: verify, value: true}]
      - name: name
        businessName: 点位名称
        logicalType: string
        physicalType: varchar(40)
        required: true
        classification: 一般1级
        logicalTypeOptions: {minLength: 2, maxLength: 40}
        customProperties:
          - {property: titleEn, value: Site name}
          - {property: cleaning, value: [width, trim]}
      - name: division_code
        businessName: 所在地行政区划代码
        logicalType: string
        physicalType: varchar(6)
        required: true
        classification: 一般1级
        logicalTypeOptions: {pattern: "9901[0-9]{2}"}
        customProperties: [{property: titleEn, value: Division}, {property: element, value: DE-00006}]
      - name: opened_on
        businessName: 启用日期
        logicalType: date
        physicalType: date
        classification: 一般1级
        customProperties: [{property: titleEn, value: In use since}]
slaProperties: [{property: frequency, value: irregular}]
customProperties:
  - {property: agency, value: eco}
  - {property: titleEn, value: Air monitoring sites}
  - {property: directoryCode, value: 211001/070001}
  - {property: secrecy, value: none}
  - {property: sharingType, value: unconditional}
  - {property: shareModes, value: [verify, query, batch]}
  - {property: openingType, value: unconditional}
  - {property: licence, value: CC-BY-4.0}
"""
HEAD = "点位编号,点位名称,所在地行政区划代码,启用日期\n"
GOOD = [f"S{n:03},第{n}监测点,9901{n % 9 + 1:02},2020-01-{n % 28 + 1:02}" for n in range(1, 31)]
FAULTY = ["X1,错号点,990101,2020-01-01", "S031,宽,990101,2020-01-01", "S032,无区划点,,2020-01-01",
          "S033,日期点,990101,2020-13-40", "S001,重复点,990101,2020-01-01"]  # fmt: skip
WIDE = "S040,　北门ＡＢ点,990101,2020-01-01"


@dataclass(frozen=True, kw_only=True)
class Furnished:
    """Where things are: pages by name, as `Place.path` names them in braces."""

    pages: dict[str, str]
    drop: Path
    """A folder that sources of this platform may watch."""


def furnish(instance: Instance, open_as: Open) -> Furnished:
    """Do it all; `open_as(account)` gives that member's browser, with JavaScript switched off."""
    other = CONTRACT.replace(RESOURCE, OTHER).replace("070001", "070002").replace("空气监测点位", "水质监测点位")
    describe(instance, [("eco", CONTRACT), ("eco", other)])
    drop = Path(instance.environment["DATONG_SOURCE_FOLDERS"])
    pages = {
        "resource": f"/resources/{RESOURCE}/",
        "disowned": f"/responsibility/fields/{RESOURCE}.division_code/",
        "list": f"/standards/lists/{LIST}/",
    }
    steward, approver, bureau = open_as("steward_eco"), open_as("approver_eco"), open_as("bureau")
    faulty = "\n".join([*GOOD, *FAULTY, WIDE]) + "\n"
    pages["run"] = collect(steward, faulty)
    pages["order"] = find_link(steward, "/quality/", "/quality/orders/")
    pages["blocked"] = collect(steward, faulty.replace("第7", "第七"), bill_rows="99")
    pages["failed"] = collect(steward, "甲,乙\n1,2\n", head="")
    waive(approver)
    claim(steward, open_as("steward_amr"))
    disown(steward)
    pages["source"] = connect(steward, drop, "站点交换目录", "")
    draft(steward)
    pages["draft"] = find_link(steward, "/contracts/", "/contracts/drafts/")
    import_editions(bureau)
    pages["report"] = assess(steward)
    return Furnished(pages=pages, drop=drop)


def collect(steward: Reader, rows: str, *, head: str = HEAD, bill_rows: str = "", resource: str = RESOURCE) -> str:
    """Hand a file in and wait for its run to rest; its page."""
    page = steward.open(f"/resources/{resource}/collect")
    page.set_input_files("#file", {"name": "点位.csv", "mimeType": "text/csv", "buffer": (head + rows).encode()})
    if bill_rows:
        page.locator("summary").click()
        page.fill("#bill_rows", bill_rows)
    page.get_by_role("button", name="上传并检查").click()
    page.wait_for_url("**/runs/run_**")
    address = steward.path
    wait_for_rest(steward, address)
    return address


def wait_for_rest(person: Reader, run: str) -> None:
    """The run's progress answers 286 once there is nothing more to watch."""
    request = person.page.context.request
    wait_until(lambda: request.get(f"{person.instance.url}{run}progress").status == 286, f"{run} comes to rest")


def find_link(person: Reader, path: str, part: str) -> str:
    """The first address with `part` that the page at `path` links to, once it does: a job may have to make it."""
    links = person.page.locator(f"main a[href*='{part}']")

    def is_there() -> bool:
        person.open(path)
        return links.count() > 0

    wait_until(is_there, f"{path} links to {part}", within_s=60)
    return links.first.get_attribute("href") or ""


def waive(approver: Reader) -> None:
    page = approver.open(f"/resources/{RESOURCE}/quality/waive")
    page.fill("#until", page.locator("#until").get_attribute("max") or "")
    page.fill("#reason", "点位编号改革，月底前完成")
    page.locator("main").get_by_role("button", name="豁免").click()


def claim(first: Reader, second: Reader) -> None:
    """One agency registers as the authority of an element, another contests it: the bureau must decide."""
    page = first.open(f"/responsibility/elements/{ELEMENT}/")
    page.locator("main").get_by_role("button", name="提交").click()
    page = second.open(f"/responsibility/elements/{ELEMENT}/")
    page.get_by_label("理由").fill("住所登记时当面核验")
    page.locator("main").get_by_role("button", name="提交").click()


def disown(steward: Reader, resource: str = RESOURCE) -> None:
    page = steward.open(f"/responsibility/fields/{resource}.division_code/")
    page.get_by_label("应由哪个部门负责").select_option("civil")
    page.get_by_label("理由").fill("区划由民政部门命名")
    page.get_by_role("button", name="转请认领").click()


def connect(steward: Reader, drop: Path, title: str, schedule: str, *, resource: str = RESOURCE) -> str:
    """A source that watches a folder; its page."""
    page = steward.open(f"/resources/{resource}/sources/new?kind=folder")
    page.get_by_label("名称").fill(title)
    page.get_by_label("定时").fill(schedule)
    page.get_by_label("文件夹").fill(str(drop))
    page.get_by_label("文件名模式").fill("*.csv")
    page.locator("main").get_by_role("button", name="保存").click()
    page.wait_for_url("**/sources/source_**")
    return steward.path


def put(drop: Path, name: str, text: str) -> None:
    """A file that has been lying there for ten minutes, so that it counts as whole."""
    path = drop / name
    path.write_text(text, encoding="utf-8")
    then = clock.now().timestamp() - 600
    os.utime(path, (then, then))


def draft(steward: Reader) -> None:
    """Remove a column: a draft with a breaking change."""
    page = steward.open(f"/resources/{RESOURCE}/edit?tab=columns&column=opened_on")
    page.get_by_role("button", name=re.compile("^删除信息项")).click()


def import_editions(bureau: Reader) -> None:
    """Two editions of a list of codes, to be compared."""
    for edition, titles in (("2020", "红色,绿色"), ("2025", "红,绿色")):
        page = bureau.open("/standards/import")
        rows = "".join(f"{code},{title}\n" for code, title in enumerate(titles.split(","), 1))
        file = {"name": "kinds.csv", "mimeType": "text/csv", "buffer": f"code,title_zh\n{rows}".encode()}
        page.set_input_files("main input[type=file]", file)
        typed = {"name": LIST, "edition": edition, "title_zh": "点位类别", "title_en": "Kinds of site"}
        typed |= {"valid_from": f"{edition}-01-01", "valid_to": "2025-01-01" if edition == "2020" else ""}
        for name, value in typed.items():
            page.fill(f"main [name={name}]", value)
        page.locator("main").get_by_role("button", name="导入").click()
        page.wait_for_url(f"**/standards/lists/{LIST}/")


def assess(steward: Reader) -> str:
    """A report of conformance; its page."""
    page = steward.open(f"/resources/{RESOURCE}/conformance")
    page.get_by_role("button", name="评估并出具报告").click()
    return find_link(steward, f"/resources/{RESOURCE}/conformance", f"/resources/{RESOURCE}/conformance/")
