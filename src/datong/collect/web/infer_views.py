"""A page that reads an uploaded file into draft contracts and shows the evidence for each word."""

from __future__ import annotations

from typing import Any, BinaryIO, cast

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from datong.collect.infer import service
from datong.kernel.failures import BadInput, Failure
from datong.kernel.limits import INFER_UPLOAD_BYTES_MAX
from datong.kernel.web.requests import accepts_upload, require_member
from datong.ui.web.pages import render_page


@accepts_upload
@require_http_methods(["GET", "HEAD", "POST"])
def infer_contract(request: HttpRequest) -> HttpResponse:
    """The upload form; after it the drafts that were saved, each column with its reasons."""
    actor = require_member(request)
    context: dict[str, Any] = {
        "may_infer": service.may_infer(actor),
        "limit_bytes": INFER_UPLOAD_BYTES_MAX,
        "drafts": (),
    }
    failure: Failure | None = None
    if request.method == "POST":
        try:
            sent = request.FILES.get("file")
            if sent is None or not sent.size:
                raise BadInput("Choose a file that is not empty.", hint_zh="请选择一个非空的文件。", field="file")
            context["drafts"] = service.infer_drafts(
                actor, cast("BinaryIO", sent.file), sent.name or "file.csv", sent.size
            )
        except Failure as refused:
            failure = refused
    return render_page(request, "collect/infer.html", context, failure)
