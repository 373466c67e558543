"""The one error shape on every address that the gateway itself answers, and through it on the control plane's."""

from __future__ import annotations

import httpx
import pytest

from datong.app.gateway.routes import GATEWAY_ENDPOINTS
from datong.testing.instance import Instance
from tests.laws.test_error_shape import shape_violations

pytestmark = [pytest.mark.xdist_group("instance"), pytest.mark.timeout(300)]

NEVER_FAILING = {
    "/healthz",
    "/readyz",
    "/metrics",
    "/.well-known/datong.json",
    "/.well-known/jwks.json",
    "/audit/checkpoint",
}
PARTS = {"resource": "nothing", "level": "9", "tile": "999"}


def test_every_gateway_address_fails_in_the_one_shape(instance: Instance) -> None:
    checked = 0
    for endpoint in (*GATEWAY_ENDPOINTS, "/x/v1/nothing/here", "/x/", "/no/such/page", "/api/v1/nothing"):
        address = instance.url + endpoint.format(**PARTS)
        for method, body in (("GET", None), ("POST", b"{"), ("DELETE", None), ("PUT", b"x" * 10)):
            answer = httpx.request(
                method, address, content=body, headers={"Accept": "application/json"}, trust_env=False, timeout=20
            )
            if answer.status_code < 400:
                assert endpoint in NEVER_FAILING, f"{method} {endpoint} answers {answer.status_code}"
                continue
            problem = answer.json() if "json" in answer.headers.get("content-type", "") else {}
            found = shape_violations(answer.status_code, answer.headers.get("content-type", ""), problem)
            assert not found, f"{method} {endpoint} ({answer.status_code}): {found}"
            checked += 1
    assert checked > 20
