"""The frame of the control plane, through its real door: sign-in, cookies, headers, limits, and the one error shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import path
from django.views.decorators.http import require_POST

from datong.app.control import middleware, urls
from datong.app.gateway.forwarding import TrustedProxies
from datong.kernel.failures import Conflict, Failure, NotSignedIn
from datong.kernel.identity import service as identity
from datong.kernel.limits import REQUEST_BODY_BYTES_MAX
from datong.kernel.store.models import AuditRow, Member
from datong.kernel.web.requests import accepts_upload, actor_of, require_member
from datong.testing.cast import PASSWORD, Cast, add_member, make_cast

pytestmark = pytest.mark.django_db
PROBLEM_MEMBERS = {"type", "title", "status", "code", "hint", "facts", "retry"}


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def fail(_request: HttpRequest, kind: str) -> HttpResponse:
    raise {
        "failure": Conflict("Read it again.", hint_zh="请重新读取。", version="3"),
        "bug": ZeroDivisionError("secret detail"),
    }[kind]


def whoami(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    return HttpResponse(json.dumps([actor.kind, actor.name, sorted(actor.roles)]))


def members_only(request: HttpRequest) -> HttpResponse:
    return HttpResponse(require_member(request).name)


@require_POST
def read_body(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


@accepts_upload
@require_POST
def upload(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(sum(len(chunk) for chunk in request.FILES.get("file", ContentFile(b"")).chunks())))


@pytest.fixture(autouse=True)
def _routes() -> Iterator[None]:
    """Routes that only these tests have, beside the real ones."""
    from django.urls import clear_url_caches

    added = [
        path("t/fail/<kind>", fail),
        path("api/t/fail/<kind>", fail),
        path("t/whoami", whoami),
        path("api/t/whoami", whoami),
        path("t/members", members_only),
        path("api/t/members", members_only),
        path("t/body", read_body),
        path("api/t/body", read_body),
        path("t/upload", upload),
    ]
    urls.urlpatterns.extend(added)
    clear_url_caches()
    yield
    del urls.urlpatterns[-len(added) :]
    clear_url_caches()


def sign_in(client: Client, username: str, password: str, **extra: Any) -> Any:
    return client.post("/sign-in/", {"login": username, "password": password}, **extra)


# Sign-in ----------------------------------------------------------------------------------------------------------
def test_signs_in_rotates_the_session_audits_it_and_signs_out_by_post(cast: Cast) -> None:
    add_member(cast.actor("operator"), cast.actor("security"), cast.agencies["psb"], "real", quick=False)
    client = Client()
    client.get("/sign-in/")
    client.session["planted"] = "x"
    before = client.session.session_key
    answer = sign_in(client, "real", PASSWORD, headers={"x-forwarded-for": "203.0.113.7"})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.session.session_key != before
    row = AuditRow.objects.get(verb="member.signed-in")
    assert (row.subject_name, row.facts["address"]) == ("市公安局·real", "203.0.113.7")
    cookie = answer.cookies["datong"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
    assert json.loads(client.get("/t/whoami").content)[0] == "member"
    assert client.get("/sign-out/").status_code == 200
    assert json.loads(client.get("/t/whoami").content)[0] == "member", "a GET signed somebody out"
    assert client.post("/sign-out/").status_code == 302
    assert json.loads(client.get("/t/whoami").content)[0] == "anonymous"


def test_a_wrong_password_is_audited_and_soon_refused(cast: Cast) -> None:
    client = Client()
    answers = [sign_in(client, "psb.steward", f"wrong {n}").status_code for n in range(8)]
    assert answers[0] == 200
    assert 302 not in answers
    assert AuditRow.objects.filter(verb="member.sign-in-failed").count() == 5, "the sixth attempt was still tried"
    sign_in(Client(), "a password typed as a name", "x")
    assert AuditRow.objects.filter(verb="member.sign-in-failed").count() == 5


def test_an_inactive_member_cannot_come_in_and_is_put_out(cast: Cast) -> None:
    inside = Client()
    inside.force_login(cast.user("psb.steward"))
    assert json.loads(inside.get("/t/whoami").content)[0] == "member"
    identity.deactivate_member(cast.actor("operator"), cast.members["psb.steward"], reason="离职")
    assert json.loads(inside.get("/t/whoami").content)[0] == "anonymous"


def test_the_first_password_must_go_before_anything_else(cast: Cast) -> None:
    created = identity.create_member(
        cast.actor("operator"), username="fresh", display_name="新人", agency_id=cast.agencies["psb"].id
    )
    client = Client()
    assert sign_in(client, "fresh", created.first_password).status_code == 302
    answer = client.get("/t/members")
    assert (answer.status_code, answer["Location"]) == (302, "/account/password/")
    assert client.get("/api/t/members").status_code == 401
    assert client.get("/account/password/").status_code == 200
    form = {"oldpassword": created.first_password, "password1": "x", "password2": "x"}
    assert client.post("/account/password/", form).status_code == 200
    form = {"oldpassword": created.first_password, "password1": PASSWORD, "password2": PASSWORD}
    assert client.post("/account/password/", form).status_code == 302
    assert client.get("/t/members").status_code == 200
    assert not Member.objects.get(username="fresh").must_change_password
    assert AuditRow.objects.filter(verb="member.password-changed", subject_name="新人").count() == 1


@pytest.mark.parametrize("address", ["/account/sign-up/", "/account/password/reset/", "/admin/", "/nowhere"])
def test_there_is_no_sign_up_no_reset_by_mail_and_no_admin(address: str) -> None:
    assert Client().get(address).status_code == 404
    assert Client().post(address).status_code in {403, 404}


def test_a_withdrawn_role_counts_at_once_in_a_running_session(cast: Cast) -> None:
    from datong.kernel.contracts import Role

    client = Client()
    client.force_login(cast.user("psb.steward"))
    assert json.loads(client.get("/t/whoami").content)[2] == ["steward"]
    identity.withdraw_role(cast.actor("security"), cast.members["psb.steward"], Role.STEWARD, reason="调离")
    assert json.loads(client.get("/t/whoami").content)[2] == []


# The one error shape ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("method", "address", "status", "code"),
    [
        ("get", "/api/t/fail/failure", 409, "conflict"),
        ("get", "/api/t/fail/bug", 500, "internal"),
        ("get", "/api/nowhere", 404, "not-found"),
        ("get", "/api/t/body", 405, "method-not-allowed"),
        ("get", "/api/t/members", 401, "not-signed-in"),
        ("post", "/api/t/body", 403, "form-expired"),
    ],
)
def test_machines_get_problem_details(method: str, address: str, status: int, code: str) -> None:
    answer = getattr(Client(enforce_csrf_checks=True, raise_request_exception=False), method)(address)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert set(problem) >= PROBLEM_MEMBERS
    assert (problem["status"], problem["code"], problem["type"]) == (status, code, f"urn:datong:failure:{code}")
    assert problem["hint"]
    assert answer["Cache-Control"] == "no-store"
    assert "secret detail" not in answer.content.decode()


def test_a_bug_has_a_reference_that_the_log_and_the_header_share() -> None:
    answer = Client(raise_request_exception=False).get("/api/t/fail/bug", headers={"x-request-id": "chosen-by-client"})
    assert answer.json()["reference"] == answer["X-Request-Id"]
    assert answer["X-Request-Id"].startswith("req_")


def test_the_clients_address_is_the_last_hop_that_is_no_trusted_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    proxies = TrustedProxies(["10.0.0.0/8", "2001:db8::1"])
    monkeypatch.setattr(middleware, "trusted_proxies", lambda: proxies)
    cases = {
        "203.0.113.7": "203.0.113.7",
        "6.6.6.6, 203.0.113.7": "203.0.113.7",
        "6.6.6.6, 203.0.113.7, 10.1.2.3": "203.0.113.7",
        "203.0.113.7, 10.9.9.9, 2001:db8::1": "203.0.113.7",
        "10.1.2.3": "10.1.2.3",
        "not an address, 10.1.2.3": "not an address",
        "": "127.0.0.1",
    }
    for header, address in cases.items():
        request = RequestFactory().get("/", headers={"x-forwarded-for": header})
        assert middleware.client_address(request) == address


@pytest.mark.parametrize(("address", "status"), [("/t/fail/failure", 409), ("/t/fail/bug", 500), ("/nowhere", 404)])
def test_people_get_a_page_in_their_language(address: str, status: int) -> None:
    client = Client(raise_request_exception=False)
    answer = client.get(address, headers={"accept": "text/html"})
    assert answer.status_code == status
    assert answer["Content-Type"].startswith("text/html")
    assert answer["Content-Language"] == "zh-hans"
    client.post("/language/", {"language": "en", "next": "/"})
    assert client.get(address, headers={"accept": "text/html"})["Content-Language"] == "en"


def test_the_language_is_chosen_by_cookie_not_by_the_browser() -> None:
    browser = {"accept": "text/html", "accept-language": "en-GB"}
    assert Client().get("/nowhere", headers=browser)["Content-Language"] == "zh-hans"
    assert Client().get("/api/t/fail/failure", headers={"accept-language": "en"}).json()["title"] == Conflict.title
    assert Client().get("/api/t/fail/failure").json()["title"] == Conflict.title_zh


def test_a_page_for_members_leads_to_sign_in_and_back() -> None:
    answer = Client().get("/t/members?x=1")
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/?next=%2Ft%2Fmembers%3Fx%3D1")


def test_every_failure_has_both_languages() -> None:
    def below(kind: type[Failure]) -> Iterator[type[Failure]]:
        for child in kind.__subclasses__():
            yield child
            yield from below(child)

    kinds = [
        kind for kind in below(Failure) if kind.__module__.startswith("datong.") and ".tests." not in kind.__module__
    ]
    assert len(kinds) > 15
    for kind in kinds:
        assert kind.title
        assert any("一" <= character <= "鿿" for character in kind.title_zh), kind
        assert 400 <= kind.status < 600


# Limits -----------------------------------------------------------------------------------------------------------
def test_a_body_over_the_limit_is_refused_before_the_view_reads_it() -> None:
    at_limit, over = b"x" * REQUEST_BODY_BYTES_MAX, b"x" * (REQUEST_BODY_BYTES_MAX + 1)
    client = Client()
    sent: dict[str, Any] = {"content_type": "application/octet-stream"}
    assert client.post("/api/t/body", at_limit, **sent).status_code == 200
    answer = client.post("/api/t/body", over, **sent)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert answer.json()["facts"]["limit_bytes"] == REQUEST_BODY_BYTES_MAX


def test_an_upload_route_takes_more() -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    file = SimpleUploadedFile("big.csv", b"x" * (REQUEST_BODY_BYTES_MAX * 3))
    answer = Client().post("/t/upload", {"file": file})
    assert (answer.status_code, answer.content) == (200, str(REQUEST_BODY_BYTES_MAX * 3).encode())


# Tokens, headers, probes ------------------------------------------------------------------------------------------
def test_a_systems_token_opens_the_api_only_and_needs_no_csrf(cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    bearer = {"authorization": f"Bearer {cast.key.token}"}
    assert json.loads(client.get("/api/t/whoami", headers=bearer).content) == ["system", cast.system.name, []]
    assert client.post("/api/t/body", b"{}", content_type="application/json", headers=bearer).status_code == 200
    assert json.loads(client.get("/t/whoami", headers=bearer).content)[0] == "anonymous"
    for wrong in ("Bearer dt_wrong", "Bearer " + "x" * 5000):
        answer = client.get("/api/t/whoami", headers={"authorization": wrong})
        assert (answer.status_code, answer.json()["code"]) == (401, NotSignedIn.code)
        assert answer["WWW-Authenticate"].startswith("Bearer")
    identity.revoke_system_key(cast.actor("security"), cast.key.id, reason="遗失")
    assert client.get("/api/t/whoami", headers=bearer).status_code == 401


def test_headers_are_strict() -> None:
    answer = Client().get("/sign-in/")
    policy = dict(part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";") if part.strip())
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    csrf = answer.cookies["datong-csrf"]
    assert (csrf["httponly"], csrf["samesite"]) == (True, "Strict")


def test_a_form_without_its_token_is_refused(cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.user("psb.steward"))
    assert client.post("/sign-out/").status_code == 403
    assert client.post("/t/body", {"x": "1"}).status_code == 403


def test_probes_answer_without_sign_in() -> None:
    client = Client()
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}
    text = client.get("/metrics").content.decode()
    assert "datong_control_requests_total{" in text
    assert "datong_outbox_pending" in text
    assert 'route="healthz"' in text
    assert client.post("/healthz").status_code == 405


def test_without_postgresql_pages_say_so_and_come_back(cast: Cast) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(cast.user("psb.steward"))
    cookie = client.cookies["datong"].value
    with no_database():
        for address, headers in (("/t/members", {"accept": "text/html"}), ("/api/t/members", {}), ("/readyz", {})):
            answer = client.get(address, headers=headers)
            assert answer.status_code == 503, address
            assert answer["Cache-Control"] == "no-store"
        assert client.get("/api/t/members").json()["code"] == "unavailable"
        assert Client().get("/healthz").status_code == 200
    client.cookies["datong"] = cookie
    assert client.get("/t/members").status_code == 200


@contextmanager
def no_database() -> Iterator[None]:
    """Another connection takes the place of the test's: one to a server that is not there."""
    from django.db import connections

    own = connections["default"]
    gone = own.copy()
    gone.settings_dict = {**own.settings_dict, "HOST": "/nonexistent"}
    connections["default"] = gone
    try:
        yield
    finally:
        gone.close()
        connections["default"] = own
