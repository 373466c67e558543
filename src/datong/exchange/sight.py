"""Who sees which request and which grant: one query that filters lists and answers "why can't I see this?"."""

from __future__ import annotations

from typing import LiteralString

from datong.kernel.policy.contracts import PolicyRule

SEE = "exchange.see"
"""The policy verb for seeing a request or a grant."""

_PARTIES: LiteralString = """
select
    id as subject_id,
    is_member and (is_asker or is_owner or oversees) as allowed,
    case
        when not is_member then 'exchange.not-signed-in'
        when is_asker then 'exchange.own-use'
        when is_owner then 'exchange.own-data'
        when oversees then 'exchange.oversight'
        else 'exchange.no-party'
    end as reason_code,
    case
        when not is_member then '登录后才能查看。'
        when is_asker then '本部门提出或持有。'
        when is_owner then '涉及本部门的数据。'
        when oversees then '主管部门与审计员可查看全部。'
        else '只有双方部门、主管部门和审计员可以查看。'
    end as reason_zh,
    case
        when not is_member then 'Sign in to see it.'
        when is_asker then 'Your own agency asked for it or holds it.'
        when is_owner then 'It is about your own agency''s data.'
        when oversees then 'The bureau and the auditor see all of them.'
        else 'Only the two agencies, the bureau and the auditor see it.'
    end as reason_en
from parties
"""
_REQUESTS: LiteralString = """
with parties as (
    select
        id,
        %(actor_kind)s = 'member' as is_member,
        agency_id = %(agency_id)s as is_asker,
        owner_agency_id = %(agency_id)s as is_owner,
        %(everywhere)s or 'auditor' = any(%(roles)s) as oversees
    from exchange_request
)
"""
_GRANTS: LiteralString = """
with parties as (
    select
        id,
        %(actor_kind)s = 'member' as is_member,
        agency_id = %(agency_id)s as is_asker,
        owner_agency_id = %(agency_id)s as is_owner,
        %(everywhere)s or 'auditor' = any(%(roles)s) as oversees
    from exchange_grant
)
"""

RULES = (
    PolicyRule(key="exchange_requests", subject_kind="request", verbs=frozenset({SEE}), fragment=_REQUESTS + _PARTIES),
    PolicyRule(key="exchange_grants", subject_kind="grant", verbs=frozenset({SEE}), fragment=_GRANTS + _PARTIES),
)
