"""The slot that policy rules fill, and what a policy answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import sql

from datong.kernel.plugs import Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRule:
    """One opinion about who may do what, as SQL.

    `fragment` is a select of five columns in this order: subject_id text, allowed boolean, reason_code text,
    reason_zh text, reason_en text; one row for each subject it has an opinion about; none where it has
    none. It may use the parameters
    %(actor_id)s %(actor_kind)s %(agency_id)s %(roles)s (text[]) %(agency_ids)s (text[]) %(everywhere)s (boolean: the
    actor's view covers every agency) %(verb)s %(today)s. Values never become part of the text.
    """

    key: str
    subject_kind: str
    verbs: frozenset[str]
    fragment: LiteralString


POLICY_RULES: Slot[PolicyRule] = Slot("kernel.policy-rules")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    code: str
    allowed: bool
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether, and every opinion that was heard. Allowed needs one rule for it and none against."""

    verb: str
    subject_id: str
    allowed: bool
    reasons: tuple[Reason, ...]

    @property
    def deciding(self) -> Reason:
        """The reason to show: the first refusal, or the first consent."""
        return next((reason for reason in self.reasons if reason.allowed == self.allowed), NO_RULE)


NO_RULE = Reason(
    code="policy.no-rule",
    allowed=False,
    zh="没有任何规则允许，默认拒绝。",
    en="No rule allows it, and so it is refused.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedQuery:
    """The permission as a query: `subject_id` of everything allowed. Compose it into a larger one with its parameters.

    `sql.SQL("with allowed as ({}) select … join allowed …").format(query.statement)`, executed with `parameters`.
    """

    statement: sql.Composed
    parameters: Mapping[str, Any]
