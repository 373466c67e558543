"""Permission as a query that explains itself: the list page and "why can't I see this?" are the same SQL.

Deny by default; any refusal wins over any consent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.expressions import RawSQL
from psycopg import sql

from datong.kernel import clock
from datong.kernel.contracts import EVERY_AGENCY, Actor
from datong.kernel.failures import NotAllowed
from datong.kernel.policy.contracts import NO_RULE, POLICY_RULES, AllowedQuery, Decision, PolicyRule, Reason

M = TypeVar("M", bound=Model)

_NAMED = re.compile(r"%\((\w+)\)s")
_NOTHING = sql.SQL(
    "select null::text as subject_id, false as allowed, '' as reason_code, '' as reason_zh, '' as reason_en where false"
)
_ALLOWED = sql.SQL("""
with opinions as ({opinions}),
verdicts as (
    select subject_id, bool_and(allowed) as allowed
    from opinions
    group by subject_id
)
select subject_id from verdicts where allowed
""")
_REASONS = sql.SQL("""
with opinions as ({opinions})
select reason_code, allowed, reason_zh, reason_en
from opinions
where subject_id = %(subject_id)s
order by allowed, reason_code
""")


def find_allowed(actor: Actor, verb: str, subject_kind: str) -> AllowedQuery:
    """The query for everything of this kind that the actor may do this to."""
    statement = _ALLOWED.format(opinions=_opinions(verb, subject_kind))
    return AllowedQuery(statement=statement, parameters=_parameters(actor, verb))


def keep_allowed(rows: QuerySet[M], actor: Actor, verb: str, subject_kind: str) -> QuerySet[M]:
    """Of a queryset whose primary keys are the subjects, those that are allowed; other filters join it."""
    query = find_allowed(actor, verb, subject_kind)
    statement, parameters = _positional(query.statement, query.parameters)
    return rows.filter(pk__in=RawSQL(statement, parameters))  # noqa: S611 - composed here, values bound


def find_allowed_ids(actor: Actor, verb: str, subject_kind: str, *, limit: int) -> list[str]:
    """The ids themselves, when they are few."""
    query = find_allowed(actor, verb, subject_kind)
    statement = sql.SQL("{} order by subject_id limit %(limit)s").format(query.statement)
    return [subject_id for (subject_id,) in _run(statement, {**query.parameters, "limit": limit})]


def explain(actor: Actor, verb: str, subject_kind: str, subject_id: str) -> Decision:
    """The same SQL, looked at from one row: every opinion about it."""
    statement = _REASONS.format(opinions=_opinions(verb, subject_kind))
    rows = _run(statement, {**_parameters(actor, verb), "subject_id": subject_id})
    reasons = tuple(Reason(code=code, allowed=allowed, zh=zh, en=en) for code, allowed, zh, en in rows)
    return Decision(
        verb=verb,
        subject_id=subject_id,
        allowed=bool(reasons) and all(reason.allowed for reason in reasons),
        reasons=reasons or (NO_RULE,),
    )


def require(actor: Actor, verb: str, subject_kind: str, subject_id: str) -> Decision:
    """The decision when it is yes; NotAllowed with the deciding reason otherwise."""
    decision = explain(actor, verb, subject_kind, subject_id)
    if not decision.allowed:
        reason = decision.deciding
        raise NotAllowed(reason.en, hint_zh=reason.zh, verb=verb, subject=subject_id, reason=reason.code)
    return decision


def opinions_sql(actor: Actor, verb: str, subject_kind: str) -> tuple[str, dict[str, Any]]:
    """Every opinion (subject_id, allowed, …) as SQL text with named values, for a query that has chosen its subjects.

    The caller keeps a subject when it has an opinion and `bool_and(allowed)`: the same rule as `find_allowed`.
    """
    connection.ensure_connection()
    return _opinions(verb, subject_kind).as_string(connection.connection), _parameters(actor, verb)


def _positional(statement: sql.Composed, parameters: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Named placeholders as the positional ones of Django's raw expressions. Values stay values."""
    connection.ensure_connection()
    text = statement.as_string(connection.connection)
    return _NAMED.sub("%s", text), [parameters[name] for name in _NAMED.findall(text)]


def _opinions(verb: str, subject_kind: str) -> sql.Composed:
    rules = [rule for rule in POLICY_RULES.values() if rule.subject_kind == subject_kind and verb in rule.verbs]
    return sql.SQL(" union all ").join([_NOTHING, *[_fragment(rule) for rule in rules]])


def _fragment(rule: PolicyRule) -> sql.Composed:
    return sql.SQL(
        "select subject_id, allowed, reason_code, reason_zh, reason_en from ({})"
        " as {} (subject_id, allowed, reason_code, reason_zh, reason_en)"
    ).format(sql.SQL(rule.fragment), sql.Identifier(rule.key))


def _parameters(actor: Actor, verb: str) -> dict[str, Any]:
    return {
        "actor_id": actor.id,
        "actor_kind": actor.kind,
        "agency_id": actor.agency_id or "",
        "roles": sorted(role.value for role in actor.roles),
        "agency_ids": sorted(actor.agency_ids),
        "everywhere": EVERY_AGENCY in actor.agency_ids,
        "verb": verb,
        "today": clock.today(),
    }


def _run(statement: sql.Composed, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
