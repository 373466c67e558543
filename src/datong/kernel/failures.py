"""A failure is data: what happened, what was expected, what to do next.

Every protocol renders the same `Failure` in its own dialect; the web shows it as a page, the API as RFC 9457.
Subclasses fix `code`, `title`, `status` and nothing else, so one shape test can walk every route.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

PROBLEM_TYPE_PREFIX = "urn:datong:failure:"
PROBLEM_MEDIA_TYPE = "application/problem+json"


class Retry(StrEnum):
    """Whether the same call can succeed later."""

    NEVER = "never"
    AFTER_CHANGE = "after-change"
    LATER = "later"


class Failure(Exception):  # noqa: N818 - it is a value that protocols render, raised or not
    """The one error shape.

    `title` is one sentence, without values. `hint` says what to do next. `facts` carries the values and is
    public: nothing goes in that the caller may not see. `private` is for the log only, joined by `reference`.
    """

    code: ClassVar[str] = "failure"
    title: ClassVar[str] = "Something went wrong"
    title_zh: ClassVar[str] = "出错了"
    status: ClassVar[int] = 500
    retry: ClassVar[Retry] = Retry.NEVER

    def __init__(self, hint: str = "", *, hint_zh: str = "", private: str = "", **facts: Any) -> None:
        self.hint = hint
        self.hint_zh = hint_zh
        self.private = private
        self.reference = ""
        self.facts: Mapping[str, Any] = facts
        super().__init__(f"{self.title}. {hint}".strip())

    def as_problem(self, language: str = "en") -> dict[str, Any]:
        """RFC 9457 problem details; members beyond the RFC's: code, hint, facts, retry, reference."""
        chinese = language.startswith("zh")
        problem: dict[str, Any] = {
            "type": PROBLEM_TYPE_PREFIX + self.code,
            "title": self.title_zh if chinese else self.title,
            "status": self.status,
            "code": self.code,
            "hint": (self.hint_zh or self.hint) if chinese else self.hint,
            "facts": dict(self.facts),
            "retry": self.retry.value,
        }
        if self.reference:
            problem["reference"] = self.reference
        return problem


class BadInput(Failure):
    code, status, retry = "bad-input", 400, Retry.AFTER_CHANGE
    title, title_zh = "The input is not what was expected", "输入与要求不符"


class NotSignedIn(Failure):
    code, status, retry = "not-signed-in", 401, Retry.AFTER_CHANGE
    title, title_zh = "Sign in first", "请先登录"


class NotAllowed(Failure):
    code, status, retry = "not-allowed", 403, Retry.AFTER_CHANGE
    title, title_zh = "This is not allowed for you", "你没有这项权限"
    is_audited: bool = False
    """Set once the attempt is in the audit log, so that no door writes it twice."""


class NotFound(Failure):
    code, status = "not-found", 404
    title, title_zh = "There is no such thing", "没有找到"


class Conflict(Failure):
    code, status, retry = "conflict", 409, Retry.AFTER_CHANGE
    title, title_zh = "It has changed since you read it", "内容已被他人修改"


class TooLarge(Failure):
    code, status, retry = "too-large", 413, Retry.AFTER_CHANGE
    title, title_zh = "It is larger than the limit", "超过了大小上限"


class TooMany(Failure):
    code, status, retry = "too-many", 429, Retry.LATER
    title, title_zh = "Too many calls", "调用过于频繁"


class Unavailable(Failure):
    code, status, retry = "unavailable", 503, Retry.LATER
    title, title_zh = "A needed service does not answer", "所需的服务暂不可用"


class Misconfigured(Failure):
    code, status, retry = "misconfigured", 500, Retry.AFTER_CHANGE
    title, title_zh = "The configuration cannot be used", "配置不可用"


class Bug(Failure):
    """What the edge shows for an exception that nobody foresaw; the log has the rest under `reference`."""

    code, status = "internal", 500
    title, title_zh = "Datong made a mistake", "系统内部错误"
