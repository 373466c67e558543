"""The kernel's own declared verbs: accounts by the operator, roles and keys by the security officer."""

from __future__ import annotations

from datong.kernel.contracts import ActionKind, Role, Scope, declare_action

_OPERATOR = frozenset({Role.OPERATOR})
_SECURITY = frozenset({Role.SECURITY})

KINDS: tuple[ActionKind, ...] = (
    ActionKind(
        verb="platform.bootstrapped",
        sentence_zh="平台初始化，产生首任运维员、安全员、审计员",
        sentence_en="The platform was set up with its first operator, security officer and auditor",
        platform=True,
    ),
    ActionKind(
        verb="agency.created",
        sentence_zh="{actor} 新建了机构“{subject}”",
        sentence_en="{actor} created the agency “{subject}”",
        roles=_OPERATOR,
        scope=Scope.ANY_AGENCY,
    ),
    ActionKind(
        verb="member.created",
        sentence_zh="{actor} 新建了人员“{subject}”（无角色）",
        sentence_en="{actor} created the member “{subject}”, without a role",
        roles=_OPERATOR,
        scope=Scope.ANY_AGENCY,
    ),
    ActionKind(
        verb="member.deactivated",
        sentence_zh="{actor} 停用了人员“{subject}”：{reason}",
        sentence_en="{actor} deactivated the member “{subject}”: {reason}",
        roles=_OPERATOR,
        scope=Scope.ANY_AGENCY,
    ),
    ActionKind(
        verb="member.signed-in",
        sentence_zh="“{subject}”登录了平台",
        sentence_en="“{subject}” signed in",
        platform=True,
    ),
    ActionKind(
        verb="member.sign-in-failed",
        sentence_zh="有人以“{subject}”的名义登录失败",
        sentence_en="A sign-in as “{subject}” failed",
        platform=True,
    ),
    ActionKind(
        verb="member.password-changed",
        sentence_zh="“{subject}”修改了自己的密码",
        sentence_en="“{subject}” changed their own password",
        platform=True,
    ),
    ActionKind(
        verb="role.assigned",
        sentence_zh="{actor} 授予“{subject}”角色：{role_zh}",
        sentence_en="{actor} assigned the role {role} to “{subject}”",
        roles=_SECURITY,
        scope=Scope.ANY_AGENCY,
    ),
    ActionKind(
        verb="role.withdrawn",
        sentence_zh="{actor} 收回“{subject}”的角色：{role_zh}，理由：{reason}",
        sentence_en="{actor} withdrew the role {role} from “{subject}”: {reason}",
        roles=_SECURITY,
        scope=Scope.ANY_AGENCY,
    ),
    ActionKind(
        verb="system.created",
        sentence_zh="{actor} 登记了应用系统“{subject}”",
        sentence_en="{actor} registered the system “{subject}”",
        roles=_OPERATOR,
        scope=Scope.ANY_AGENCY,
    ),
    ActionKind(
        verb="system-key.issued",
        sentence_zh="{actor} 为应用系统“{subject}”签发了密钥 {shown}…，有效期 {days} 天",
        sentence_en="{actor} issued the key {shown}… to the system “{subject}”, valid for {days} days",
        roles=_SECURITY,
        scope=Scope.ANY_AGENCY,
    ),
    ActionKind(
        verb="system-key.revoked",
        sentence_zh="{actor} 吊销了应用系统“{subject}”的密钥 {shown}…，理由：{reason}",
        sentence_en="{actor} revoked the key {shown}… of the system “{subject}”: {reason}",
        roles=_SECURITY,
        scope=Scope.ANY_AGENCY,
    ),
    ActionKind(
        verb="action.refused",
        sentence_zh="{actor} 试图“{wanted_verb}”，被拒绝：{reason}",
        sentence_en="{actor} tried “{wanted_verb}” and was refused: {reason}",
        platform=True,
    ),
)


def plug() -> None:
    """Declare them; calling twice changes nothing."""
    for kind in KINDS:
        declare_action(kind)
