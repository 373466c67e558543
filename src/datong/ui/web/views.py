"""The look's own pages: the design page, the preferences, and the reader's page on a phone."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from datong.kernel.failures import BadInput
from datong.ui.web.design import design_samples
from datong.ui.web.theme import COOKIE, COOKIE_AGE_S, THEMES


@require_safe
def show_design(request: HttpRequest) -> HttpResponse:
    """Every component in every state."""
    return render(request, "ui/design.html", {"samples": design_samples()})


@require_safe
def show_me(request: HttpRequest) -> HttpResponse:
    """Who I am here, every entry of the side bar, theme, language and sign-out: the phone's fourth tab."""
    return render(request, "ui/me.html")


@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Remember light or dark in this browser."""
    theme = request.POST.get("theme", "")
    if theme not in THEMES:
        raise BadInput("Choose light or dark.", hint_zh="请选择浅色或深色。", theme=theme)
    response = _back(request)
    response.set_cookie(COOKIE, theme, max_age=COOKIE_AGE_S, httponly=True, samesite="Lax", secure=request.is_secure())
    return response


def _back(request: HttpRequest) -> HttpResponseRedirect:
    """To the page that the form was on; never to another host."""
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return HttpResponseRedirect(target if safe else "/")
