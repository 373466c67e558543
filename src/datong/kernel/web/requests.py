"""The request as our views see it: who asks, in which language, and how a failure is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.exceptions import TemplateDoesNotExist
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import get_language

from datong.kernel.contracts import ANONYMOUS, Actor, Role
from datong.kernel.failures import PROBLEM_MEDIA_TYPE, Failure, NotAllowed, NotSignedIn

View = TypeVar("View", bound=Callable[..., Any])


def actor_of(request: HttpRequest) -> Actor:
    """Who asks; anonymous when nobody is signed in."""
    return cast("Actor", getattr(request, "actor", ANONYMOUS))


def require_member(request: HttpRequest, *roles: Role) -> Actor:
    """The signed-in member, who must hold one of the roles when any are named. For pages; verbs check again."""
    actor = actor_of(request)
    if not actor.is_member:
        raise NotSignedIn("Sign in, then open the page again.", hint_zh="请登录后再打开此页。")
    if roles and not actor.roles & set(roles):
        raise NotAllowed(
            f"This page is for: {', '.join(sorted(roles))}.",
            hint_zh="你的角色不能查看此页。",
            roles_needed=sorted(roles),
        )
    return actor


def language_of(request: HttpRequest) -> str:
    """zh-hans or en, as chosen by cookie (or, for the API, Accept-Language)."""
    return str(getattr(request, "LANGUAGE_CODE", None) or get_language() or "zh-hans")


def accepts_upload(view: View) -> View:
    """Mark a view whose body may exceed REQUEST_BODY_BYTES_MAX, up to UPLOAD_BYTES_MAX."""
    view.accepts_upload = True  # type: ignore[attr-defined]
    return view


def wants_json(request: HttpRequest) -> bool:
    """API routes and clients that ask for JSON get problem details; browsers get a page."""
    if request.path_info.startswith("/api/"):
        return True
    accept = request.headers.get("accept", "")
    return "json" in accept and "text/html" not in accept


def answer_failure(request: HttpRequest, failure: Failure) -> HttpResponse:
    """The one error shape: RFC 9457 for machines, the page `ui/failure.html` for people, sign-in where that helps."""
    language = language_of(request)
    if isinstance(failure, NotSignedIn) and not wants_json(request) and request.method in {"GET", "HEAD"}:
        return HttpResponseRedirect(f"{reverse('account_login')}?{urlencode({'next': request.get_full_path()})}")
    problem = failure.as_problem(language)
    if wants_json(request):
        body = orjson.dumps(problem, default=str)
        answer = HttpResponse(body, status=failure.status, content_type=PROBLEM_MEDIA_TYPE)
    else:
        answer = _failure_page(request, failure, problem)
    if failure.status == NotSignedIn.status:
        answer["WWW-Authenticate"] = 'Bearer realm="datong"'
    answer["Cache-Control"] = "no-store"
    answer["Content-Language"] = language
    answer.datong_failure = failure.code  # type: ignore[attr-defined]
    return answer


def _failure_page(request: HttpRequest, failure: Failure, problem: dict[str, Any]) -> HttpResponse:
    try:
        return render(request, "ui/failure.html", {"failure": failure, "problem": problem}, status=failure.status)
    except TemplateDoesNotExist:
        text = "\n".join(str(problem[key]) for key in ("title", "hint", "reference") if problem.get(key))
        return HttpResponse(text + "\n", status=failure.status, content_type="text/plain; charset=utf-8")
