"""What the lake plugs into the kernel: its one verb, and how the audit log reads it."""

from __future__ import annotations

from datong.kernel.contracts import ActionKind, Role, Scope, declare_action

VERSION_RECORDED = ActionKind(
    verb="version.recorded",
    sentence_zh="{actor} 记录了“{subject}”的第 {number} 版数据（{label}），共 {rows_count} 行",
    sentence_en="{actor} recorded version {number} ({label}) of “{subject}”: {rows_count} rows",
    roles=frozenset({Role.STEWARD}),
    scope=Scope.OWN_AGENCY,
    platform=True,
)


def plug() -> None:
    from datong.lake import jobs  # noqa: F401 - declares the periodic jobs

    declare_action(VERSION_RECORDED)
