"""What the catalogue plugs into the kernel: its verbs, who sees which entry, and its line in the side bar."""

from __future__ import annotations

from datong.kernel.contracts import NAV_ITEMS, ActionKind, Actor, NavItem, Role, Scope, declare_action
from datong.kernel.policy.contracts import POLICY_RULES, PolicyRule

LIST_RESOURCE = "resource.list"
"""The policy verb for seeing a catalogue entry."""

CONTRACT_APPLIED = ActionKind(
    verb="contract.applied",
    sentence_zh="{actor} 将“{subject}”的数据契约更新为 {version} 版",
    sentence_en="{actor} applied version {version} of the contract of “{subject}”",
    roles=frozenset({Role.STEWARD}),
    scope=Scope.OWN_AGENCY,
)

SYNONYMS_ADDED = ActionKind(
    verb="search.synonyms-added",
    sentence_zh="{actor} 添加了 {groups} 组检索同义词",
    sentence_en="{actor} added {groups} groups of search synonyms",
    roles=frozenset({Role.BUREAU}),
    scope=Scope.ANY_AGENCY,
)

APPROVAL_ACTIONS = (
    ActionKind(
        verb="contract.draft-saved",
        sentence_zh="{actor} 保存“{subject}”的契约草稿",
        sentence_en="{actor} saved a draft of the contract of “{subject}”",
        roles=frozenset({Role.STEWARD}),
    ),
    ActionKind(
        verb="contract.draft-discarded",
        sentence_zh="{actor} 撤回或放弃“{subject}”的契约草稿",
        sentence_en="{actor} withdrew or gave up the draft of the contract of “{subject}”",
        roles=frozenset({Role.STEWARD}),
    ),
    ActionKind(
        verb="contract.submitted",
        sentence_zh="{actor} 提交“{subject}”的数据契约 {version} 版审核（{case}）",
        sentence_en="{actor} submitted version {version} of the contract of “{subject}” for approval ({case})",
        roles=frozenset({Role.STEWARD}),
    ),
    ActionKind(
        verb="contract.approved",
        sentence_zh="{actor} 批准“{resource}”的数据契约 {version} 版生效（{case}）",
        sentence_en="{actor} approved version {version} of the contract of {resource} ({case})",
        roles=frozenset({Role.APPROVER}),
    ),
    ActionKind(
        verb="contract.refused",
        sentence_zh="{actor} 退回“{resource}”的数据契约（{case}）：{reason}",
        sentence_en="{actor} refused the contract of {resource} ({case}): {reason}",
        roles=frozenset({Role.APPROVER}),
    ),
)

SEEN_RESOURCES = PolicyRule(
    key="catalog_entries",
    subject_kind="resource",
    verbs=frozenset({LIST_RESOURCE}),
    fragment="""
with entries as (
    select
        id,
        sharing = 'withheld' and grade_max >= 5 as is_secret,
        %(everywhere)s or agency_id = %(agency_id)s or agency_id = any(%(agency_ids)s) as is_own,
        %(actor_kind)s in ('member', 'system', 'platform') as is_known
    from catalog_resource
)
select
    id as subject_id,
    is_known and (is_own or not is_secret or %(actor_kind)s = 'platform') as allowed,
    case
        when not is_known then 'catalog.not-signed-in'
        when is_own then 'catalog.own-agency'
        when is_secret and %(actor_kind)s <> 'platform' then 'catalog.secret-entry'
        else 'catalog.public-to-members'
    end as reason_code,
    case
        when not is_known then '登录后才能查看目录。'
        when is_own then '本部门（或你所管辖部门）的资源。'
        when is_secret and %(actor_kind)s <> 'platform' then '该资源不予共享且含重要或核心数据，只对本部门可见。'
        else '目录条目对各部门工作人员可见。'
    end as reason_zh,
    case
        when not is_known then 'Sign in to see the catalogue.'
        when is_own then 'A resource of your own agency, or of one that you oversee.'
        when is_secret and %(actor_kind)s <> 'platform'
            then 'It is withheld and holds important or core data; only its own agency sees the entry.'
        else 'Catalogue entries are open to the members of every agency.'
    end as reason_en
from entries
""",
)

RESPONSIBILITY = NavItem(
    key="catalog.responsibility",
    section="data",
    order=40,
    title_zh="数据责任",
    title_en="Responsibility",
    icon="users",
    url_name="catalog:responsibility",
)
NAVIGATION = NavItem(
    key="catalog.resources",
    section="data",
    order=10,
    title_zh="信息资源",
    title_en="Resources",
    icon="database",
    url_name="catalog:resources",
)


def _count_drafts(actor: Actor) -> int | None:
    from datong.catalog.authoring.service import count_drafts

    return count_drafts(actor) or None


DRAFTS = NavItem(
    key="catalog.drafts",
    section="data",
    order=12,
    title_zh="契约草稿",
    title_en="Contract drafts",
    icon="edit",
    url_name="catalog:drafts",
    roles=frozenset({Role.STEWARD, Role.APPROVER}),
    count=_count_drafts,
)


def plug() -> None:
    from datong.cases.contracts import CASE_KINDS, CASE_PAGES
    from datong.catalog.authoring.service import ContractApprovalCase
    from datong.catalog.lineage import jobs  # noqa: F401 - declares its job
    from datong.catalog.responsibility.contracts import ACTIONS
    from datong.catalog.responsibility.service import AuthorityClaimCase, FieldSourceCase

    for kind in ACTIONS:
        declare_action(kind)
    for case in (AuthorityClaimCase(), FieldSourceCase()):
        CASE_KINDS.fill(case.key, case)
    CASE_PAGES.fill(AuthorityClaimCase.key, "catalog:element")
    CASE_PAGES.fill(FieldSourceCase.key, "catalog:field")
    for kind in APPROVAL_ACTIONS:
        declare_action(kind)
    approval = ContractApprovalCase()
    CASE_KINDS.fill(approval.key, approval)
    CASE_PAGES.fill(approval.key, "catalog:draft")
    declare_action(CONTRACT_APPLIED)
    declare_action(SYNONYMS_ADDED)
    POLICY_RULES.fill(SEEN_RESOURCES.key, SEEN_RESOURCES)
    NAV_ITEMS.fill(NAVIGATION.key, NAVIGATION)
    NAV_ITEMS.fill(DRAFTS.key, DRAFTS)
    NAV_ITEMS.fill(RESPONSIBILITY.key, RESPONSIBILITY)
