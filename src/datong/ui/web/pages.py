"""A page that came back with a failure on it: the form as it was sent, the failure above it, the failure's status."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from datong.kernel.failures import Failure
from datong.kernel.web.requests import answer_failure, wants_json
from datong.ui.web.words import failure_lines


def render_page(
    request: HttpRequest, template: str, context: dict[str, Any], failure: Failure | None = None
) -> HttpResponse:
    """The page. With a failure it shows `ui/parts/failure_note.html` where the template includes it.

    Who asks for JSON gets the failure as problem details instead of the form.
    """
    if failure is None:
        return render(request, template, context)
    if wants_json(request):
        return answer_failure(request, failure)
    title, hint = failure_lines(failure)
    problem = {"title": title, "hint": hint, "reference": failure.reference}
    response = render(request, template, {**context, "problem": problem}, status=failure.status)
    response.datong_failure = failure.code  # type: ignore[attr-defined]  # it has its shape: leave it as it is
    return response
