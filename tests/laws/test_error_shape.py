"""One error shape on every route: RFC 9457 problem details with our members, whoever asks and however it fails.

The control plane is walked here, every route with every method as nobody and as a member; the gateway's own addresses
are walked on the running platform in `tests/system`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client

from tests.laws.scenario import Scenario, make_scenario
from tests.laws.test_permissions import METHODS, find_routes

MEMBERS = {"type", "title", "status", "code", "hint", "facts", "retry"}
RETRIES = {"never", "after-change", "later"}


def shape_violations(status: int, content_type: str, problem: Mapping[str, Any]) -> list[str]:
    """What of an error answer is not as RFC 9457 section 3 and our own members have it."""
    found = []
    if content_type.partition(";")[0] != "application/problem+json":
        found.append(f"content type {content_type}")
    if missing := MEMBERS - set(problem):
        return [*found, f"lacks {sorted(missing)}"]
    if problem["status"] != status:
        found.append(f"says {problem['status']}, is {status}")
    if problem["type"] != f"urn:datong:failure:{problem['code']}":
        found.append(f"type {problem['type']} is not of code {problem['code']}")
    if problem["retry"] not in RETRIES:
        found.append(f"retry {problem['retry']}")
    if not problem["title"] or not problem["hint"] or not isinstance(problem["facts"], dict):
        found.append("an empty title or hint, or facts that are no object")
    return found


def ask(scenario: Scenario, method: str, route: str, persona: str) -> tuple[int, list[str]]:
    client = Client(raise_request_exception=False)
    if persona in scenario.sessions:
        client.cookies[settings.SESSION_COOKIE_NAME] = scenario.sessions[persona]
    with transaction.atomic():
        address = route.format(**scenario.ids)
        answer = client.generic(method, address, headers={"accept": "application/json"})
        transaction.set_rollback(True)
    if answer.status_code < 400 or method == "HEAD":
        return answer.status_code, []
    is_json = "json" in answer.headers.get("Content-Type", "")
    problem = answer.json() if is_json else {}
    return answer.status_code, shape_violations(answer.status_code, answer.headers.get("Content-Type", ""), problem)


@pytest.mark.django_db(transaction=True)
def test_every_error_of_every_route_has_the_one_shape() -> None:
    scenario = make_scenario()
    errors, violations = 0, []
    for route in find_routes():
        for method in METHODS:
            for persona in ("anonymous", "stranger"):
                status, found = ask(scenario, method, route, persona)
                errors += status >= 400
                violations += [f"{method} {route} as {persona} ({status}): {v}" for v in found]
    assert errors > 100, "hardly anything failed: the walk does not reach the routes"
    assert not violations, "\n".join(violations)


GOOD = {
    "type": "urn:datong:failure:conflict",
    "title": "It has changed",
    "status": 409,
    "code": "conflict",
    "hint": "Read it again.",
    "facts": {},
    "retry": "after-change",
}


@pytest.mark.parametrize(
    "change",
    [{"hint": ""}, {"status": 400}, {"type": "about:blank"}, {"retry": "maybe"}, {"facts": []}, {"code": None}],
    ids=["no-hint", "other-status", "other-type", "other-retry", "facts-a-list", "no-code"],
)
def test_a_planted_other_shape_is_caught(change: dict[str, Any]) -> None:
    assert shape_violations(409, "application/problem+json", GOOD) == []
    assert shape_violations(409, "application/problem+json", {**GOOD, **change})


def test_a_planted_missing_member_or_media_type_is_caught() -> None:
    assert shape_violations(409, "application/problem+json", {k: v for k, v in GOOD.items() if k != "retry"})
    assert shape_violations(409, "text/html", GOOD)
