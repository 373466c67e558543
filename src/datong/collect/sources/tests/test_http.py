"""A paged API of the standard library's server that is busy, breaks, and says when to come again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from datong.collect.sources import http as reading
from datong.collect.sources import service
from datong.collect.sources.contracts import (
    FetchState,
    HostNotAllowed,
    SourceAnswerWrong,
    SourceOptionsWrong,
    SourceRefused,
)
from datong.collect.sources.tests.conftest import Desk
from datong.collect.sources.tests.servers import in_thread
from datong.kernel import clock
from datong.kernel.limits import SOURCE_TRIES_MAX

MakeDesk = Callable[[str], Desk]
TOKEN = "geheim-令牌".encode().hex()


@dataclass(kw_only=True)
class Api:
    """What the server holds and how it misbehaves: `faults` are taken one by one, each for one call."""

    rows: list[dict[str, Any]]
    size: int = 3
    faults: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/readings"

    def page(self, query: dict[str, list[str]]) -> tuple[dict[str, Any], dict[str, str]]:
        since = query.get("since", [""])[0]
        rows = [row for row in self.rows if row["at"] >= since]
        start = int(query.get("offset", ["0"])[0])
        if "page" in query:
            start = (int(query["page"][0]) - 1) * self.size
        if query.get("cursor"):
            start = int(query["cursor"][0])
        end = start + self.size
        more = end < len(rows)
        headers = {"Link": f'<{self.url}?offset={end}>; rel="next"'} if more else {}
        answer = {"data": {"items": rows[start:end]}, "cursor": str(end) if more else None}
        if more:
            answer["next"] = f"/readings?offset={end}"
        return answer, headers


class _Handler(BaseHTTPRequestHandler):
    api: Api

    def do_GET(self) -> None:
        api = self.api
        api.calls.append(self.path)
        api.headers.append(self.headers)
        fault = api.faults.pop(0) if api.faults else ""
        if fault == "reset":
            self.connection.close()
            return
        if fault:
            status, _, after = fault.partition(" ")
            self.send_response(int(status))
            if after:
                self.send_header("Location" if status.startswith("3") else "Retry-After", after)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        answer, headers = api.page(parse_qs(urlsplit(self.path).query))
        body = json.dumps(answer, ensure_ascii=False).replace('"1.10"', "1.10").encode()
        self.send_response(200)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Quiet."""


@contextmanager
def serve(api: Api) -> Iterator[Api]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": api}))
    api.port = server.server_address[1]
    in_thread(server.serve_forever)
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def api() -> Iterator[Api]:
    rows = [
        {"reading_id": n, "where": {"name": f"站{n}"}, "amount": "1.10", "at": f"2026-01-{n:02d}"} for n in range(1, 9)
    ]
    with serve(Api(rows=rows)) as running:
        yield running


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_FIRST_PAUSE_S", 0.01)


def options(api: Api, **more: str) -> dict[str, str]:
    fields = "reading_id=reading_id\nstation=where.name\namount=amount"
    return {"url": api.url, "records": "data.items", "fields": fields, **more}


PAGINGS = {
    "page": {"paging": "page", "page_param": "page"},
    "offset": {"paging": "offset", "page_param": "offset"},
    "cursor": {"paging": "cursor", "page_param": "cursor", "next_path": "cursor"},
    "next": {"paging": "next", "next_path": "next"},
    "link": {"paging": "link"},
}


def test_every_paging_brings_every_row_once(desk_of: MakeDesk, api: Api) -> None:
    desk = desk_of("replace")
    for name, paging in PAGINGS.items():
        source = desk.connect("http", options(api, **paging))
        fetch = desk.fetch(source)
        assert fetch is not None
        assert (name, fetch.state, fetch.rows) == (name, FetchState.DONE, 8)
    assert [row["station"] for row in desk.rows()] == [f"站{n}" for n in range(1, 9)]


def test_numbers_stay_as_they_were_written(quiet_desk: Desk, api: Api) -> None:
    from datong.collect.landing import landed_path
    from datong.collect.service import get_run
    from datong.kernel.config import load_settings

    source = quiet_desk.connect("http", options(api))
    fetch = service.request_fetch(quiet_desk.steward, source.id, in_background=False)
    service.execute_fetch(fetch.id)
    run = get_run(service.find_fetches(source.id)[0].run_number)
    text = landed_path(load_settings(), quiet_desk.agency, run.digest).read_text()
    assert text.splitlines()[1] == "1,站1,1.10"


def test_busy_and_broken_answers_are_asked_again(desk_of: MakeDesk, api: Api) -> None:
    desk = desk_of("replace")
    soon = format_datetime(clock.now(), usegmt=True)
    api.faults = ["429 0", "503", "reset", f"429 {soon}", "500"]
    fetch = desk.fetch(desk.connect("http", options(api, **PAGINGS["page"])))
    assert fetch is not None
    assert (fetch.state, fetch.rows) == (FetchState.DONE, 8)
    assert api.faults == []
    assert len(api.calls) == 5 + 4


def test_a_broken_fetch_goes_on_at_its_page(desk_of: MakeDesk, api: Api) -> None:
    desk = desk_of("replace")
    source = desk.connect("http", options(api, **PAGINGS["page"]))
    api.faults = ["", "", *["reset"] * SOURCE_TRIES_MAX]
    broken = desk.fetch(source)
    assert broken is not None
    assert (broken.failure or {})["code"] == "source-unreachable"
    api.calls.clear()
    fetch = desk.fetch(source)
    assert fetch is not None
    assert fetch.rows == 8
    assert [parse_qs(urlsplit(call).query)["page"] for call in api.calls] == [["3"], ["4"]]
    assert len(desk.rows()) == 8


def test_asked_to_come_much_later_the_fetch_ends_and_is_due_then(quiet_desk: Desk, api: Api) -> None:
    source = quiet_desk.connect("http", options(api), schedule="*/5 * * * *")
    service.enable_source(quiet_desk.steward, source.id)
    api.faults = ["429 7200"]
    fetch = service.request_fetch(quiet_desk.steward, source.id, in_background=False)
    service.execute_fetch(fetch.id)
    found = service.get_source(source.id)
    assert found.due_at is not None
    assert (found.due_at - clock.now()).total_seconds() > 7000
    assert len(api.calls) == 1


def test_incrementally_rows_with_the_last_value_come_once(desk_of: MakeDesk, api: Api) -> None:
    desk = desk_of("append")
    source = desk.connect("http", options(api, since_param="since", since_path="at", **PAGINGS["page"]))
    fetch = desk.fetch(source)
    assert fetch is not None
    assert fetch.rows == 8
    api.rows.append({"reading_id": 9, "where": {"name": "同日"}, "amount": "1", "at": "2026-01-08"})
    fetch = desk.fetch(source)
    assert fetch is not None
    assert fetch.rows == 1
    assert "since=2026-01-08" in api.calls[-1]
    assert desk.fetch(source) is None
    assert [row["reading_id"] for row in desk.rows()] == list(range(1, 10))


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ({"auth": "bearer"}, ("authorization", f"Bearer {TOKEN}")),
        ({"auth": "header", "auth_name": "X-Key"}, ("x-key", TOKEN)),
        ({"auth": "basic", "auth_name": "me"}, ("authorization", "Basic ")),
        ({"auth": "query", "auth_name": "key"}, ("", f"key={TOKEN}")),
    ],
)
def test_credentials_go_where_they_should(
    auth: dict[str, str], expected: tuple[str, str], quiet_desk: Desk, api: Api
) -> None:
    source = quiet_desk.connect("http", options(api, **auth), {"token": TOKEN})
    report = service.test_source(quiet_desk.steward, source.id)
    assert (report.rows, report.missing, report.extra) == (3, (), ())
    header, value = expected
    assert value in (api.headers[-1].get(header, "") if header else api.calls[-1])
    assert TOKEN not in repr(report) + repr(service.get_source(source.id))


def test_answers_that_cannot_be_used_say_why(quiet_desk: Desk, api: Api) -> None:
    steward = quiet_desk.steward
    astray = quiet_desk.connect("http", options(api, records="data.rows"))
    with pytest.raises(SourceAnswerWrong, match=r"no list of objects at “data.rows”"):
        service.test_source(steward, astray.id)
    source = quiet_desk.connect("http", options(api))
    api.faults = ["401"]
    with pytest.raises(SourceRefused, match="401"):
        service.test_source(steward, source.id)
    api.faults = ["302 http://169.254.169.254/latest/meta-data"]
    with pytest.raises(SourceAnswerWrong, match=r"302, pointing to http://169.254.169.254"):
        service.test_source(steward, source.id)
    api.size = 100
    looping = quiet_desk.connect("http", options(api, paging="page", page_param="ignored"))
    fetch = service.request_fetch(steward, looping.id, in_background=False)
    service.execute_fetch(fetch.id)
    failed = service.find_fetches(looping.id)[0]
    assert "are the same" in (failed.failure or {})["hint"]


def test_the_next_page_is_on_the_same_host(quiet_desk: Desk, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Api, "page", lambda _self, _query: ({"data": {"items": []}, "next": "http://127.0.0.2/x"}, {}))
    source = quiet_desk.connect("http", options(api, **PAGINGS["next"]), {"token": TOKEN})
    fetch = service.request_fetch(quiet_desk.steward, source.id, in_background=False)
    service.execute_fetch(fetch.id)
    assert "another host" in (service.find_fetches(source.id)[0].failure or {})["hint"]


@pytest.mark.parametrize("host", ["169.254.169.254", "10.0.0.1", "[::1]", "127.0.0.2", "0.0.0.0"])
def test_only_listed_addresses_are_reached(host: str, quiet_desk: Desk) -> None:
    source = quiet_desk.connect("http", {"url": f"http://{host}/x"})
    with pytest.raises(HostNotAllowed):
        service.test_source(quiet_desk.steward, source.id)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "file:///etc/passwd", "http://user:pw@127.0.0.1/", "http:///x"])
def test_other_addresses_are_refused_at_once(url: str, quiet_desk: Desk) -> None:
    with pytest.raises(SourceOptionsWrong):
        quiet_desk.connect("http", {"url": url})
