"""The permission matrix holds on every control-plane route, for every persona; a route without a row fails."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, clear_url_caches, get_resolver, path
from django.views.decorators.http import require_GET

from datong.app.control import urls
from datong.kernel import clock
from tests.laws.permission_matrix import MATRIX, Row, everybody, expect
from tests.laws.scenario import PERSONAS, Scenario, make_scenario

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
NOT_DONE_HERE = {404, 405, 501}


def find_routes(patterns: Iterable[Any] | None = None, prefix: str = "/") -> list[str]:
    """Every route as the matrix writes it: `/runs/{run_id}/`."""
    found = []
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        text = prefix + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            found += find_routes(pattern.url_patterns, text)
        elif isinstance(pattern, URLPattern):
            found.append(text)
    return found


def ask(scenario: Scenario, persona: str, method: str, route: str, data: Any = None) -> int:
    """The status that a persona gets; what the request changed is undone."""
    client = Client(raise_request_exception=False)
    if persona in scenario.sessions:
        client.cookies[settings.SESSION_COOKIE_NAME] = scenario.sessions[persona]
    with transaction.atomic():
        address = route.format(**scenario.ids)
        answer = client.post(address, data or {}) if method == "POST" else client.generic(method, address)
        status = answer.status_code
        transaction.set_rollback(True)
    return status


def fill(scenario: Scenario, data: Any) -> dict[str, Any]:
    """A row's data for one request."""
    words = {
        "system_id": scenario.cast.system.id,
        "next_month": (clock.today() + timedelta(days=30)).isoformat(),
    }

    def value(given: Any) -> Any:
        if callable(given):
            return given()
        return given.format(**words) if isinstance(given, str) else given

    return {name: value(given) for name, given in data.items()}


def violations(scenario: Scenario, rows: Iterable[Row], routes: list[str]) -> list[str]:
    """All that differs between the rows and what happens."""
    found = []
    rows = list(rows)
    known = {row.key for row in rows}
    found += [f"{row.method} {row.route}: no such route" for row in rows if row.route not in routes]
    for route in routes:
        for method in METHODS:
            if (method, route) in known:
                continue
            status = ask(scenario, "steward", method, route)
            if status not in NOT_DONE_HERE or (method == "GET" and not any(r == route for _, r in known)):
                found.append(f"{method} {route}: answers {status} and has no row")
    for row in rows:
        if row.route not in routes:
            continue
        for persona, wanted in row.expect.items():
            status = ask(scenario, persona, row.method, row.route, fill(scenario, row.data))
            if status != wanted:
                found.append(f"{row.method} {row.route}: {persona} gets {status}, not {wanted}")
        if row.method == "GET" and (status := ask(scenario, "steward", "HEAD", row.route)) != row.expect["steward"]:
            found.append(f"HEAD {row.route}: answers {status}, not as GET does")
    return found


@pytest.mark.django_db(transaction=True)
def test_the_matrix_holds_on_every_route_for_everybody() -> None:
    scenario = make_scenario()
    routes = find_routes()
    assert len(routes) > 20
    assert len({row.key for row in MATRIX}) == len(MATRIX), "a row is there twice"
    assert all(set(row.expect) == set(PERSONAS) for row in MATRIX)
    found = violations(scenario, MATRIX, routes)
    assert not found, "\n".join(found)
    planted_violations_are_caught(scenario)


def planted_violations_are_caught(scenario: Scenario) -> None:
    """A route without a row, one that is open to all, one that answers a method more: each is found."""

    def open_to_all(_request: HttpRequest, **_ids: str) -> HttpResponse:
        return HttpResponse("everything")

    urls.urlpatterns.append(path("planted/<str:grant_id>", open_to_all))
    urls.urlpatterns.append(path("planted-too", require_GET(open_to_all)))
    clear_url_caches()
    try:
        route = "/planted/{grant_id}"
        assert f"GET {route}: answers 200 and has no row" in violations(scenario, [], [route])
        closed = [Row("GET", route, expect(403, anonymous=302, approver=200))]
        found = violations(scenario, closed, [route])
        assert f"GET {route}: operator gets 200, not 403" in found
        assert f"GET {route}: anonymous gets 200, not 302" in found
        assert f"DELETE {route}: answers 200 and has no row" in found
        deaf = violations(scenario, [Row("GET", "/planted-too", everybody(200))], ["/planted-too"])
        assert deaf == ["HEAD /planted-too: answers 405, not as GET does"]
        assert violations(scenario, [Row("GET", "/gone", everybody(200))], [route])[0] == "GET /gone: no such route"
    finally:
        del urls.urlpatterns[-2:]
        clear_url_caches()
