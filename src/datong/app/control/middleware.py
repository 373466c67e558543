"""Around every request of the control plane: its id, its limits, its language, who asks, and the one error shape."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils import translation
from django.utils.functional import SimpleLazyObject

from datong.app.control import errors, metrics
from datong.app.gateway.forwarding import TrustedProxies
from datong.kernel import clock, ids
from datong.kernel.action.service import note_refusal
from datong.kernel.contracts import ANONYMOUS, Actor
from datong.kernel.failures import Bug, Failure, NotAllowed, NotSignedIn, TooLarge
from datong.kernel.identity.service import actor_of_token
from datong.kernel.limits import REQUEST_BODY_BYTES_MAX, TOKEN_CHARACTERS_MAX, UPLOAD_BYTES_MAX
from datong.kernel.logs import operation_id
from datong.kernel.store.actors import read_member_actor
from datong.kernel.web.requests import actor_of, answer_failure, wants_json

log = logging.getLogger("datong.control")
Next = Callable[[HttpRequest], HttpResponseBase]
_WITHOUT_OWN_PASSWORD = {"account_change_password", "account_logout", "set_language"}


class RequestFrame:
    """Outermost: gives the request its id, the client's address, a metric.

    The id is always our own: audit rows are found by it, so no client may choose it. The frame touches META alone:
    Django caches `request.headers` at first use, and the address must get in before.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        token = operation_id.set(ids.new_id("req"))
        request.META["HTTP_X_DATONG_CLIENT"] = client_address(request)
        started_s = clock.monotonic_s()
        try:
            response = self.get_response(request)
            response["X-Request-Id"] = operation_id.get()
        finally:
            operation_id.reset(token)
        metrics.observe(request, response.status_code, clock.monotonic_s() - started_s)
        return response


class ChosenLanguage:
    """The language cookie decides; without one the platform's own language, and for the API the Accept-Language."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response
        self.known = {code for code, _ in settings.LANGUAGES}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
        if chosen not in self.known:
            asked = translation.get_language_from_request(request) if request.path_info.startswith("/api/") else ""
            chosen = asked if asked in self.known else settings.LANGUAGE_CODE
        with translation.override(chosen):
            request.LANGUAGE_CODE = chosen
            response = self.get_response(request)
        response.setdefault("Content-Language", chosen)
        return response


class BearerToken:
    """A system's token on API routes. Such a request carries no cookie authority, so it needs no CSRF token."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not request.path_info.startswith("/api/"):
            return self.get_response(request)
        actor = actor_of_token(token.strip()) if len(token) <= TOKEN_CHARACTERS_MAX else None
        if actor is None:
            hint = "Send a key that is known, not expired and not revoked."
            return answer_failure(request, NotSignedIn(hint, hint_zh="密钥无效、已过期或已吊销。"))
        request.token_actor = actor  # type: ignore[attr-defined]
        request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
        return self.get_response(request)


class CurrentActor:
    """`request.actor`, read when first needed; and the first password must go before anything else."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.actor = SimpleLazyObject(lambda: _actor_of_request(request))  # type: ignore[attr-defined]
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any) -> HttpResponseBase | None:
        if getattr(view, "is_probe", False) or hasattr(request, "token_actor") or not request.user.is_authenticated:
            return None
        name = request.resolver_match.url_name if request.resolver_match else ""
        if not request.user.must_change_password or name in _WITHOUT_OWN_PASSWORD:
            return None
        if wants_json(request):
            hint = "Sign in with a browser and change the first password."
            return answer_failure(request, NotSignedIn(hint, hint_zh="请先用浏览器登录并修改初始密码。"))
        return HttpResponseRedirect(reverse("account_change_password"))


class FailureShape:
    """Innermost: body limits before the view, and every exception of a view as the one error shape."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        bare = errors.failure_of_status(response.status_code) if response.status_code >= 400 else None
        if bare is None or hasattr(response, "datong_failure") or getattr(response, "templates", None):
            return response
        shaped = answer_failure(request, bare)
        if response.has_header("Allow"):
            shaped["Allow"] = response["Allow"]
        return shaped

    def process_view(self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any) -> HttpResponseBase | None:
        limit = UPLOAD_BYTES_MAX if getattr(view, "accepts_upload", False) else REQUEST_BODY_BYTES_MAX
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > limit:
            too_large = TooLarge(
                f"Send at most {limit} bytes.",
                hint_zh=f"最多 {limit} 字节。",
                limit_bytes=limit,
                size_bytes=int(length),
            )
            return answer_failure(request, too_large)
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """One of the three edges where every exception is caught. Django's own (404, 403, 400) go on to `errors`."""
        if isinstance(exception, Failure):
            if exception.private:
                log.warning("%s", exception.code, extra={"facts": {"private": exception.private}})
            if isinstance(exception, NotAllowed) and actor_of(request).is_member:
                note_refusal(f"{request.method} {_route(request)}", actor_of(request), exception)
            return answer_failure(request, exception)
        if type(exception).__module__.startswith("django."):
            return None
        bug = Bug("Tell the operator the reference below.", hint_zh="请将下面的编号告知运维员。")
        bug.reference = operation_id.get()
        log.error(
            "unforeseen %s", type(exception).__name__, exc_info=exception, extra={"facts": {"path": request.path}}
        )
        return answer_failure(request, bug)


def _route(request: HttpRequest) -> str:
    return f"/{request.resolver_match.route}" if request.resolver_match else request.path


def client_address(request: HttpRequest) -> str:
    """The client's address: in X-Forwarded-For, which the gateway ends, the last that is not a trusted proxy's."""
    header = str(request.META.get("HTTP_X_FORWARDED_FOR", ""))
    hops = [hop.strip() for hop in header.split(",") if hop.strip()]
    if not hops:
        return str(request.META.get("REMOTE_ADDR") or "127.0.0.1")
    trusted = trusted_proxies()
    return next((hop for hop in reversed(hops) if hop not in trusted), hops[0])


@cache
def trusted_proxies() -> TrustedProxies:
    return TrustedProxies(settings.DATONG.trusted_proxies)


def _actor_of_request(request: HttpRequest) -> Actor:
    token_actor = getattr(request, "token_actor", None)
    if token_actor is not None:
        return token_actor  # type: ignore[no-any-return]
    if not request.user.is_authenticated:
        return ANONYMOUS
    return read_member_actor(str(request.user.pk)) or ANONYMOUS
