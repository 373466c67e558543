"""What the browser tests share: where the pages are, how a person signs in, what axe finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Error, Page, Request

from datong.testing.instance import Instance

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@dataclass(kw_only=True)
class Reader:
    """A person at a browser. Console errors and refused styles or scripts are kept in `complaints`."""

    page: Page
    instance: Instance
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    """Requests that left the platform's own address."""

    def __post_init__(self) -> None:
        self.page.on("request", self._watch)
        self.page.on("console", self._hear)
        self.page.on("pageerror", self._hear_error)

    def _watch(self, request: Request) -> None:
        if not request.url.startswith((self.instance.url, "data:", "blob:")):
            self.strangers.append(request.url)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _hear_error(self, error: Error) -> None:
        self.complaints.append(str(error))

    def open(self, path: str, *, status: int = 200) -> Page:
        answer = self.page.goto(self.instance.url + path)
        assert answer is not None
        assert answer.status == status, f"{path}: {answer.status}"
        return self.page

    def sign_in(self, account: str) -> None:
        """Through the form, by its labels' fields."""
        login = self.instance.read("logins.json")[account]
        page = self.open("/sign-in/")
        page.fill("#id_login", login["username"])
        page.fill("#id_password", login["password"])
        page.press("#id_password", "Enter")
        page.wait_for_url(self.instance.url + "/")

    def find_barriers(self) -> list[str]:
        """axe's violations of WCAG 2.0–2.2 A and AA on the page as it stands: rule, and where."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found: list[dict[str, Any]] = self.page.evaluate(
            "tags => axe.run(document, {runOnly: tags}).then(result => result.violations)", AXE_TAGS
        )
        return [f"{rule['id']}: {node['html'][:160]}" for rule in found for node in rule["nodes"]]

    def sideways_px(self) -> int:
        """How far the page itself scrolls sideways."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.instance.url)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A page worth looking at: its name, who looks, how to get there."""

    name: str
    account: str | None
    path: str
    status: int = 200
    follow: str = ""
    """A link to click on that page: the page behind it is meant."""

    furnished: bool = False
    """It shows what `tests.browser.furnished` made."""
    is_seldom: bool = False
    """Looked at in English, by night, on a phone; in Chinese, by day, at a desk only by `make test-all`."""


PLACES = (
    Place(name="sign-in", account=None, path="/sign-in/"),
    Place(name="design", account=None, path="/design/"),
    Place(name="not-found", account="approver", path="/no/such/page", status=404),
    Place(name="home", account="approver", path="/"),
    Place(name="me", account="approver", path="/me/"),
    Place(name="password", account="approver", path="/account/password/"),
    Place(name="resources", account="steward", path="/resources/"),
    Place(name="nothing-found", account="steward", path="/resources/?q=zzzz"),
    Place(name="resource", account="steward_psb", path="/resources/psb_population/"),
    Place(name="contract", account="steward", path="/resources/psb_population/contract"),
    Place(name="collect", account="steward_psb", path="/resources/psb_population/collect"),
    Place(name="runs", account="steward_psb", path="/runs/"),
    Place(name="run", account="steward_psb", path="/runs/", follow="main table a"),
    Place(name="ask", account="steward", path="/exchange/request/psb_population"),
    Place(name="requests", account="steward", path="/exchange/requests/"),
    Place(name="request", account="steward", path="/exchange/requests/", follow="main table a"),
    Place(name="grants", account="approver", path="/exchange/grants/"),
    Place(name="grant", account="approver", path="/exchange/grants/", follow="main table a"),
    Place(name="audit", account="auditor", path="/oversight/audit/"),
    Place(name="waiting", account="steward_eco", path="/", furnished=True),
    Place(name="search", account="steward", path="/resources/?q=人口"),
    Place(name="described", account="steward_eco", path="{resource}", furnished=True),
    Place(name="lineage", account="steward_eco", path="{resource}lineage", furnished=True),
    Place(name="answers", account="steward_eco", path="{resource}responsibility", furnished=True, is_seldom=True),
    Place(name="collect-form", account="steward_eco", path="{resource}collect", furnished=True, is_seldom=True),
    Place(name="run-done", account="steward_eco", path="{run}", furnished=True, is_seldom=True),
    Place(name="run-blocked", account="steward_eco", path="{blocked}", furnished=True),
    Place(name="run-failed", account="steward_eco", path="{failed}", furnished=True, is_seldom=True),
    Place(name="run-changes", account="steward_eco", path="{run}changes", furnished=True, is_seldom=True),
    Place(name="sources", account="steward_eco", path="/sources/", furnished=True, is_seldom=True),
    Place(name="source", account="steward_eco", path="{source}", furnished=True),
    Place(name="source-edit", account="steward_eco", path="{source}edit", furnished=True, is_seldom=True),
    Place(name="source-kinds", account="steward_eco", path="{resource}sources/new", furnished=True, is_seldom=True),
    Place(name="source-new", account="steward_eco", path="{resource}sources/new?kind=http", furnished=True),
    Place(name="quality", account="approver_eco", path="{resource}quality/", furnished=True),
    Place(
        name="rows", account="steward_eco", path="{resource}quality/rows/code.pattern", furnished=True, is_seldom=True
    ),
    Place(name="orders", account="steward_eco", path="/quality/", furnished=True, is_seldom=True),
    Place(name="order", account="steward_eco", path="{order}", furnished=True),
    Place(name="league", account="bureau", path="/quality/league/", furnished=True, is_seldom=True),
    Place(name="waivers", account="approver_eco", path="/quality/waivers/", furnished=True, is_seldom=True),
    Place(name="waive", account="approver_eco", path="{resource}quality/waive", furnished=True, is_seldom=True),
    Place(name="drafts", account="steward_eco", path="/contracts/", furnished=True, is_seldom=True),
    Place(name="draft", account="approver_eco", path="{draft}", furnished=True),
    Place(name="editor", account="steward_eco", path="{resource}edit", furnished=True),
    Place(name="editor-columns", account="steward_eco", path="{resource}edit?tab=columns", furnished=True),
    Place(
        name="editor-column",
        account="steward_eco",
        path="{resource}edit?tab=columns&column=name",
        furnished=True,
        is_seldom=True,
    ),
    Place(name="editor-rules", account="steward_eco", path="{resource}edit?tab=rules", furnished=True, is_seldom=True),
    Place(name="editor-text", account="steward_eco", path="{resource}edit?view=yaml", furnished=True, is_seldom=True),
    Place(name="contract-new", account="steward", path="/contracts/new", is_seldom=True),
    Place(name="contract-infer", account="steward", path="/contracts/infer", is_seldom=True),
    Place(name="contract-import", account="steward", path="/contracts/import", is_seldom=True),
    Place(name="responsibility", account="bureau", path="/responsibility/", furnished=True, is_seldom=True),
    Place(name="element", account="bureau", path="/responsibility/elements/DE-00006/", furnished=True),
    Place(name="field", account="steward_civil", path="{disowned}", furnished=True, is_seldom=True),
    Place(
        name="field-own",
        account="steward_eco",
        path="/responsibility/fields/eco_sites.name/",
        furnished=True,
        is_seldom=True,
    ),
    Place(name="standards", account=None, path="/standards/"),
    Place(name="standard-search", account="steward", path="/standards/?q=民族", is_seldom=True),
    Place(name="standard-elements", account="steward", path="/standards/elements/", is_seldom=True),
    Place(name="standard-element", account="steward", path="/standards/elements/DE-00001/", is_seldom=True),
    Place(name="standard-list", account="steward", path="{list}", furnished=True, is_seldom=True),
    Place(
        name="standard-compare",
        account="steward",
        path="{list}compare?from=2020&to=2025",
        furnished=True,
    ),
    Place(name="standard-code", account="steward", path="{list}codes/1/", furnished=True, is_seldom=True),
    Place(name="standard-divisions", account="steward", path="/standards/divisions/", is_seldom=True),
    Place(name="standard-division", account="steward", path="/standards/divisions/110103/", is_seldom=True),
    Place(name="standard-import", account="bureau", path="/standards/import", is_seldom=True),
    Place(name="conformance", account="steward_eco", path="{resource}conformance", furnished=True, is_seldom=True),
    Place(name="conformance-report", account="steward_eco", path="{report}", furnished=True),
)


def go_to(reader: Reader, place: Place, pages: Mapping[str, str] | None = None) -> Page:
    """Open a place, following its link where it has one. `pages` are the addresses that places name in braces."""
    page = reader.open(place.path.format(**(pages or {})), status=place.status)
    if place.follow:
        with page.expect_navigation():
            page.click(f"{place.follow} >> nth=0")
    page.wait_for_load_state("load")
    return page
