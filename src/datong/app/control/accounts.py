"""Sign-in as allauth does it, bound to our members: no sign-up, no e-mail, every attempt audited."""

from __future__ import annotations

from typing import Any

from allauth.account import forms
from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url

from datong.kernel.identity.contracts import PasswordRefused
from datong.kernel.identity.service import change_password, note_sign_in
from datong.kernel.ids import MemberId
from datong.kernel.store.models import Member


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """allauth's hooks."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def post_login(self, request: HttpRequest, user: Member, **kwargs: Any) -> HttpResponse:
        note_sign_in(MemberId(user.pk), succeeded=True, address=_address(request))
        answer: HttpResponse = super().post_login(request, user, **kwargs)
        return answer

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Audited only when the name is a member's: what people type by mistake may be a password."""
        super().authentication_failed(request, **credentials)
        member = Member.objects.filter(username=credentials.get("username") or "").first()
        if member is not None:
            note_sign_in(MemberId(member.pk), succeeded=False, address=_address(request))

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:  # noqa: ARG002
        return resolve_url(settings.LOGIN_REDIRECT_URL)

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """No flash messages: the next page shows who is signed in."""

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """No e-mail leaves the platform."""


class ChangePasswordForm(forms.ChangePasswordForm):  # type: ignore[misc]
    """Saves through the identity service, so that the change is an audited action."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors and cleaned.get("oldpassword") == cleaned.get("password1"):
            self.add_error("password1", PasswordRefused.title_zh)
        return cleaned

    def save(self) -> None:
        change_password(
            MemberId(self.user.pk), current=self.cleaned_data["oldpassword"], new=self.cleaned_data["password1"]
        )
        self.user.refresh_from_db()


def _address(request: HttpRequest) -> str:
    return request.headers.get("x-datong-client", "")
