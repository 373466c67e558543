"""Verbs that only the kernel's tests declare: what a part above would bring."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from datong.kernel.contracts import ACTION_KINDS, ActionKind, Role, Scope

APPROVE = ActionKind(
    verb="test.approved",
    sentence_zh="{actor} 批准了 {subject}",
    sentence_en="{actor} approved {subject}",
    roles=frozenset({Role.APPROVER}),
)
NOTE = ActionKind(
    verb="test.noted",
    sentence_zh="{actor} 记下了 {what}",
    sentence_en="{actor} noted {what}",
    roles=frozenset(Role),
    scope=Scope.ANY_AGENCY,
    platform=True,
)
OVERSEE = ActionKind(
    verb="test.overseen",
    sentence_zh="{actor} 督办 {subject}",
    sentence_en="{actor} oversaw {subject}",
    roles=frozenset({Role.BUREAU, Role.STEWARD}),
)


@contextmanager
def declared() -> Iterator[None]:
    with ExitStack() as stack:
        for kind in (APPROVE, NOTE, OVERSEE):
            stack.enter_context(ACTION_KINDS.filled_with(kind.verb, kind))
        yield
