"""What assessment plugs in: its verb and its job. Called by quality's own `plug()`."""

from __future__ import annotations

from datong.kernel.contracts import ActionKind, Role, Scope, declare_action

CONFORMANCE_ASSESSED = ActionKind(
    verb="conformance.assessed",
    roles=frozenset({Role.STEWARD, Role.BUREAU}),
    scope=Scope.OWN_AGENCY,
    platform=True,
    sentence_zh="{actor} 评估了“{subject}”与数据标准的符合性（{number}）：{score}分",
    sentence_en="{actor} assessed how “{subject}” conforms to the standards ({number}): {score}",
)


def plug() -> None:
    declare_action(CONFORMANCE_ASSESSED)
    from datong.quality.assess import jobs
    from datong.quality.assess.web import panels

    assert jobs.ASSESS_JOB
    panels.plug()
