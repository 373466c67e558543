"""Every route of the control plane: the frame's own, then each part's `web/urls.py` and `web/api_urls.py`."""

from __future__ import annotations

from typing import NoReturn

from allauth.account import views as account
from django.http import Http404, HttpRequest
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.i18n import set_language

from datong.app.control import errors, health
from datong.app.parts import existing_modules


def closed(_request: HttpRequest) -> NoReturn:
    """Addresses whose names allauth looks up, for things that this platform does not do: sign-up, reset by e-mail."""
    raise Http404


page = require_http_methods(["GET", "HEAD", "POST"])
"""allauth's forms would also take a PUT for a POST."""

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.show_metrics, name="metrics"),
    path("sign-in/", page(account.login), name="account_login"),
    path("sign-out/", page(account.logout), name="account_logout"),
    path("account/password/", page(account.password_change), name="account_change_password"),
    path("account/inactive/", require_safe(account.account_inactive), name="account_inactive"),
    path("account/sign-up/", closed, name="account_signup"),
    path("account/password/reset/", closed, name="account_reset_password"),
    path("account/reauthenticate/", page(account.reauthenticate), name="account_reauthenticate"),
    path("language/", require_POST(set_language), name="set_language"),
    *[path("", include(module)) for _, module in existing_modules("web.urls")],
    *[path("api/v1/", include(module)) for _, module in existing_modules("web.api_urls")],
]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
