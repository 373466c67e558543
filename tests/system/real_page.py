"""What the tests of collecting from the page share: a steward signed in through the form, and what a page says."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx
import orjson

from datong.testing.instance import Instance, wait_until

_APPLY = """
import sys
import orjson
from datong.app.control.setup import set_up_django
set_up_django()
from datong.catalog import service as catalog
from datong.kernel.identity import service as identity
members = {member.username: member.id for member in identity.find_members()}
for username, text in orjson.loads(sys.stdin.buffer.read()):
    catalog.apply_contract(identity.actor_of_member(members[username]), text, base_version=None)
"""
SUFFIX = "_page"
"""Contracts are applied under names of these tests' own, so that nobody else's resources are touched."""


def describe(instance: Instance, contracts: Iterable[tuple[str, str]]) -> None:
    """Apply contracts as stewards do, in one process: (agency's code, YAML)."""
    logins = instance.read("logins.json")
    given = [(logins[f"steward_{agency}"]["username"], text) for agency, text in contracts]
    done = subprocess.run(
        [sys.executable, "-c", _APPLY],
        env=instance.environment,
        input=orjson.dumps(given),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]


def renamed(text: str, names: Iterable[str], suffix: str = SUFFIX) -> str:
    """A contract whose resource, and those it refers to, carry the suffix; with a directory code of its own."""
    for name in names:
        text = re.sub(rf"(?<![a-z_]){name}(?![a-z_])", f"{name}{suffix}", text)
    first = 9 if suffix == SUFFIX else 8
    return re.sub(r"\b(\d{6,12})/0(\d{5})\b", rf"\g<1>/{first}\2", text)


@contextmanager
def sign_in(instance: Instance, agency: str) -> Iterator[Steward]:
    """The agency's steward, through the form."""
    login = instance.read("logins.json")[f"steward_{agency}"]
    with httpx.Client(base_url=instance.url, trust_env=False, timeout=60) as client:
        form = client.get("/sign-in/").text
        fields = {"login": login["username"], "password": login["password"], "csrfmiddlewaretoken": find_token(form)}
        answer = client.post("/sign-in/", data=fields)
        assert answer.status_code == 302, visible(answer.text)[:500]
        yield Steward(instance=instance, client=client)


@dataclass(kw_only=True)
class Steward:
    """An ordinary steward of one agency, who has a browser and nothing else."""

    instance: Instance
    client: httpx.Client

    def read(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return answer.text

    def hand_in(self, resource: str, name: str, content: bytes, **fields: Any) -> Report:
        """Upload a file through the form and follow the run to its end."""
        form = self.read(f"/resources/{resource}/collect")
        files = {"file": (name, content, "application/octet-stream")}
        if bill := fields.pop("bill", None):
            files["bill"] = ("bill.json", bill, "application/json")
        answer = self.client.post(
            f"/resources/{resource}/collect", data={**fields, "csrfmiddlewaretoken": find_token(form)}, files=files
        )
        assert answer.status_code == 302, visible(answer.text)[:2000]
        page = answer.headers["location"]
        wait_until(lambda: self.client.get(f"{page}progress").status_code == 286, f"{name} is collected")
        return Report(steward=self, path=page, html=self.read(page))


@dataclass(frozen=True, kw_only=True)
class Report:
    """The run's page, as it is shown at the end."""

    steward: Steward
    path: str
    html: str

    @property
    def text(self) -> str:
        return visible(self.html)

    @property
    def counts(self) -> tuple[int, int, int]:
        """Received, accepted, set aside, as the page's equation says."""
        found = re.search(r"接收\s*([\d,]+)\s*＝\s*入湖\s*([\d,]+)\s*＋\s*隔离\s*([\d,]+)", self.text)
        assert found, self.text[:2000]
        received, accepted, aside = (int(number.replace(",", "")) for number in found.groups())
        return received, accepted, aside

    @property
    def score(self) -> float:
        found = re.search(r"GB/T 36344 ([\d.]+)", self.text)
        assert found, self.text[:2000]
        return float(found[1])

    def download_quarantine(self) -> list[dict[str, str]]:
        """The rows of the file behind the page's download link."""
        assert f"{self.path}quarantine.csv" in self.html
        answer = self.steward.client.get(f"{self.path}quarantine.csv")
        assert answer.status_code == 200
        return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def visible(html: str) -> str:
    """The page's words without markup, white space folded."""
    body = re.sub(r"(?s)<(script|style)\b.*?</\1>", " ", html)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def find_token(html: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', html)
    assert found, "the page has no form"
    return found[1]
