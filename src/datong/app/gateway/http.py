"""The gateway's own small HTTP: a call, an answer, and a Failure as problem+json in the caller's language."""

from __future__ import annotations

from pathlib import Path

import msgspec
import orjson

from datong.kernel.failures import PROBLEM_MEDIA_TYPE, Failure, Retry

JSON = ("content-type", "application/json")
NO_STORE = ("cache-control", "no-store")
RETRY_AFTER_S = 5

Headers = list[tuple[str, str]]


class MethodNotAllowed(Failure):
    code, status, retry = "method-not-allowed", 405, Retry.AFTER_CHANGE
    title, title_zh = "This address does not take this method", "该地址不支持此请求方法"

    def __init__(self, *, method: str, allowed: tuple[str, ...]) -> None:
        super().__init__(
            f"Use {' or '.join(allowed)}.",
            hint_zh=f"请使用 {' 或 '.join(allowed)}。",
            method=method,
            allowed=list(allowed),
        )
        self.allowed = allowed


class Call(msgspec.Struct, kw_only=True):
    """One data-plane call as the skins hand it over. `body` is a Failure when it could not be read within its limit."""

    method: str
    mode: str
    resource: str
    target: str = ""
    """Path and query as sent: what the receipt is over when the call has no body."""
    query: str = ""
    authorization: str = ""
    accept_language: str = ""
    body: bytes | Failure = b""
    ranges: dict[str, str] = {}
    """Those of Range, If-Range, If-Match, If-None-Match that were sent, in lower case."""


class FilePart(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    start: int
    end: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What goes back; with `file`, that part of the file is the body."""

    status: int
    headers: Headers
    body: bytes = b""
    file: FilePart | None = None


def choose_language(accept_language: str | None, default: str) -> str:
    """zh or en, by the first of the two in Accept-Language's order of weight (RFC 9110 §12.5.4); else the default."""
    best, best_weight = "", 0.0
    for part in (accept_language or "").split(",")[:16]:
        tag, _, parameter = part.strip().partition(";")
        weight_text = parameter.strip().removeprefix("q=")
        try:
            weight = float(weight_text) if parameter else 1.0
        except ValueError:
            continue
        primary = tag.strip().lower().split("-")[0]
        if primary in {"zh", "en"} and weight > best_weight:
            best, best_weight = primary, weight
    return best or ("en" if default.startswith("en") else "zh")


def render_problem(failure: Failure, language: str) -> bytes:
    return orjson.dumps(failure.as_problem(language), default=str)


def headers_of(failure: Failure, language: str, *, token_sent: bool = False) -> Headers:
    """The headers that belong to a failure's status."""
    headers: Headers = [("content-type", PROBLEM_MEDIA_TYPE), NO_STORE]
    headers.append(("content-language", "zh-Hans" if language == "zh" else "en"))
    headers.append(("vary", "accept-language"))
    if failure.status == 401:
        error = ', error="invalid_token"' if token_sent else ""
        headers.append(("www-authenticate", f'Bearer realm="datong"{error}'))
    if failure.status == 416:
        headers.append(("content-range", f"bytes */{failure.facts.get('file_bytes', 0)}"))
    if isinstance(failure, MethodNotAllowed):
        headers.append(("allow", ", ".join(failure.allowed)))
    if failure.status == 429:
        headers.append(("retry-after", str(failure.facts.get("retry_after_s", RETRY_AFTER_S))))
    elif failure.status == 503:
        headers.append(("retry-after", str(RETRY_AFTER_S)))
    return headers


def problem_answer(failure: Failure, language: str) -> Answer:
    """A failure outside the data plane: no record, no receipt."""
    body = render_problem(failure, language)
    return Answer(status=failure.status, headers=headers_of(failure, language), body=body)
