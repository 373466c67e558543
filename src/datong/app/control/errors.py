"""What Django itself refuses, in our one error shape."""

from __future__ import annotations

import sys

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse

from datong.kernel.contracts import ANONYMOUS
from datong.kernel.failures import BadInput, Bug, Failure, NotAllowed, NotFound, TooLarge, TooMany, Unavailable
from datong.kernel.limits import REQUEST_BODY_BYTES_MAX
from datong.kernel.logs import operation_id
from datong.kernel.web.requests import answer_failure


class MethodNotAllowed(Failure):
    code, status = "method-not-allowed", 405
    title, title_zh = "This address does not do that", "该地址不支持此操作"


class FormExpired(NotAllowed):
    code = "form-expired"
    title, title_zh = "The form is no longer valid", "表单已失效"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return answer_failure(request, body_too_large())
    return answer_failure(
        request,
        BadInput("Correct the request and send it again.", hint_zh="请改正请求后重新发送。", private=repr(exception)),
    )


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    return answer_failure(request, NotAllowed("Ask the security officer.", hint_zh="请联系安全员。"))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    return answer_failure(
        request, NotFound("Check the address, or begin at the home page.", hint_zh="请核对网址，或从首页进入。")
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """What broke outside a view. Without PostgreSQL the page must not ask it who is signed in."""
    problem = sys.exc_info()[1]
    if isinstance(problem, OperationalError | InterfaceError):
        request.user = AnonymousUser()
        request.actor = ANONYMOUS  # type: ignore[attr-defined]
        hint = "The data exchange goes on. Open the page again in a moment."
        return answer_failure(request, Unavailable(hint, hint_zh="数据交换不受影响，请稍后再打开此页。"))
    bug = Bug("Tell the operator the reference below.", hint_zh="请将下面的编号告知运维员。")
    bug.reference = operation_id.get()
    return answer_failure(request, bug)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    return answer_failure(
        request,
        FormExpired(
            "Open the page again and send the form once more.", hint_zh="请重新打开页面再提交。", private=reason
        ),
    )


def body_too_large() -> TooLarge:
    return TooLarge(
        f"Send at most {REQUEST_BODY_BYTES_MAX} bytes; files go to the upload page.",
        hint_zh="请求内容过大；文件请从上传页提交。",
        limit_bytes=REQUEST_BODY_BYTES_MAX,
    )


def failure_of_status(status: int) -> Failure | None:
    """The failure that a bare status of Django's stands for, e.g. a 405 from `require_POST`."""
    known: dict[int, Failure] = {
        400: BadInput("Correct the request and send it again.", hint_zh="请改正请求后重新发送。"),
        403: NotAllowed("Ask the security officer.", hint_zh="请联系安全员。"),
        404: NotFound("Check the address.", hint_zh="请核对网址。"),
        405: MethodNotAllowed("Use the methods that the Allow header names.", hint_zh="请使用 Allow 头所列的方法。"),
        413: body_too_large(),
        429: TooMany("Wait some minutes, then try again.", hint_zh="请等几分钟后再试。"),
    }
    return known.get(status)
