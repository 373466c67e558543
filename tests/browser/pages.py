"""What the browser tests share: where the pages are, how a person signs in, what axe finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Error, Page

from datong.testing.instance import Instance

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@dataclass(kw_only=True)
class Reader:
    """A person at a browser. Console errors and refused styles or scripts are kept in `complaints`."""

    page: Page
    instance: Instance
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", self._hear_error)

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
)


def go_to(reader: Reader, place: Place) -> Page:
    """Open a place, following its link where it has one."""
    page = reader.open(place.path, status=place.status)
    if place.follow:
        with page.expect_navigation():
            page.click(f"{place.follow} >> nth=0")
    page.wait_for_load_state("load")
    return page
