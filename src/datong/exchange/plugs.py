"""What the exchange plugs into the rooms below it."""

from __future__ import annotations

from datong.exchange.sight import RULES
from datong.kernel.contracts import NAV_ITEMS, ActionKind, NavItem, Role, declare_action
from datong.kernel.plugs import handlers
from datong.kernel.policy.contracts import POLICY_RULES

STEWARD, APPROVER = frozenset({Role.STEWARD}), frozenset({Role.APPROVER})

ACTIONS = (
    ActionKind(
        verb="request.submitted",
        roles=STEWARD,
        sentence_zh="{agency}{actor}申请使用“{title}”，用途：{purpose_title}（{number}）",
        sentence_en="{actor} of {agency} requested “{title_en}” for {purpose_title} ({number})",
    ),
    ActionKind(
        verb="request.withdrawn",
        roles=STEWARD,
        sentence_zh="{agency}{actor}撤回申请 {number}",
        sentence_en="{actor} of {agency} withdrew request {number}",
    ),
    ActionKind(
        verb="request.approved",
        roles=APPROVER,
        sentence_zh="{agency}{actor}同意{to_agency}使用“{title}”（申请 {case}，授权 {grant}）",
        sentence_en="{actor} of {agency} approved {to_agency}'s use of “{title_en}” (request {case}, grant {grant})",
    ),
    ActionKind(
        verb="request.refused",
        roles=APPROVER,
        sentence_zh="{agency}{actor}不同意{to_agency}使用“{title}”（申请 {case}）：{reason}",
        sentence_en="{actor} of {agency} refused {to_agency}'s use of “{title_en}” (request {case}): {reason}",
    ),
    ActionKind(
        verb="grant.revocation-started",
        roles=APPROVER,
        sentence_zh="{agency}{actor}开始撤销授权 {grant}：{reason}",
        sentence_en="{actor} of {agency} began to revoke grant {grant}: {reason}",
    ),
    ActionKind(
        verb="grant.revoked",
        roles=APPROVER,
        platform=True,
        sentence_zh="{agency}{actor}撤销授权 {grant}：{reason}",
        sentence_en="{actor} of {agency} revoked grant {grant}: {reason}",
    ),
    ActionKind(
        verb="grant.notice-sent",
        platform=True,
        sentence_zh="平台告知授权 {grant} 的使用方：“{title}”的契约有重大变更，现为 {version}",
        sentence_en="The holder of grant {grant} was told of the breaking contract {version} of “{title_en}”",
    ),
    ActionKind(
        verb="grant.notice-acknowledged",
        roles=STEWARD,
        sentence_zh="{agency}{actor}已知悉“{title}”的契约变更（授权 {grant}，{version}）",
        sentence_en="{actor} of {agency} acknowledged contract {version} of “{title_en}” (grant {grant})",
    ),
    ActionKind(
        verb="grant.notice-objected",
        roles=STEWARD,
        sentence_zh="{agency}{actor}对“{title}”的契约变更有异议（授权 {grant}）：{reason}",
        sentence_en="{actor} of {agency} objected to the contract change of “{title_en}” (grant {grant}): {reason}",
    ),
)

NAVIGATION = (
    NavItem(
        key="requests",
        section="sharing",
        order=10,
        title_zh="共享申请",
        title_en="Requests",
        icon="file-text",
        url_name="exchange:requests",
    ),
    NavItem(
        key="grants",
        section="sharing",
        order=20,
        title_zh="授权",
        title_en="Grants",
        icon="key",
        url_name="exchange:grants",
    ),
)


def plug() -> None:
    from datong.cases.contracts import CASE_KINDS, CASE_PAGES
    from datong.catalog.lineage.contracts import IMPACT_SOURCES
    from datong.exchange import jobs
    from datong.exchange.service.grants import find_grant_impacts, holds_grant
    from datong.exchange.service.notices import ContractNoticeCase
    from datong.exchange.service.requests import RequestCase
    from datong.exchange.web import panels
    from datong.kernel.identity.contracts import KEY_REVOCATIONS
    from datong.quality.contracts import REPORT_READERS

    for kind in ACTIONS:
        declare_action(kind)
    for item in NAVIGATION:
        NAV_ITEMS.fill(item.key, item)
    for rule in RULES:
        POLICY_RULES.fill(rule.key, rule)
    panels.plug()
    CASE_KINDS.fill(RequestCase.key, RequestCase())
    CASE_PAGES.fill(RequestCase.key, "exchange:request")
    CASE_KINDS.fill(ContractNoticeCase.key, ContractNoticeCase())
    CASE_PAGES.fill(ContractNoticeCase.key, "exchange:grant")
    KEY_REVOCATIONS.fill("exchange", jobs.withdraw_key)
    REPORT_READERS.fill("exchange.grants", holds_grant)
    IMPACT_SOURCES.fill("exchange", find_grant_impacts)
    handlers.on("contract.breaking", "exchange.tell-grantees", jobs.on_contract_breaking)
    handlers.on("grant.approved", "exchange.serve-grant", jobs.on_grant_approved)
    handlers.on("grant.revoked", "exchange.unserve-grant", jobs.on_grant_revoked)
    handlers.on("version.recorded", "exchange.serve-version", jobs.on_version_recorded)
    handlers.on("system-key.issued", "exchange.serve-key", jobs.on_key_issued)
