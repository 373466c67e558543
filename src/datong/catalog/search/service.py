"""The verbs of search: find, suggest, keep synonyms, prove the index. What may not be seen is not counted either."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection, transaction

from datong.catalog import service as catalog
from datong.catalog.contracts import ResourceView
from datong.catalog.directory import CLASS_TITLES
from datong.catalog.plugs import LIST_RESOURCE, SYNONYMS_ADDED
from datong.catalog.search.contracts import (
    FACETS,
    FacetGroup,
    FacetValue,
    Hit,
    SearchOrder,
    SearchPage,
    SearchQuery,
    SynonymsInvalid,
)
from datong.catalog.search.model import (
    SYNONYMS,
    Term,
    fold,
    group_synonyms,
    highlight,
    like_pattern,
    needs_phrase_check,
    read_query,
    segment,
    tsquery_of,
)
from datong.catalog.store import search_index
from datong.catalog.store.models import Resource, SynonymGroup
from datong.catalog.words import CYCLE_TITLES, GRADE_TITLES, MODE_TITLES, SHARING_TITLES
from datong.kernel.action.service import action
from datong.kernel.contracts import Actor, Subject
from datong.kernel.failures import BadInput
from datong.kernel.identity.service import find_agencies
from datong.kernel.limits import (
    PAGE_ROWS_DEFAULT,
    SEARCH_CANDIDATES_MAX,
    SEARCH_SUGGESTIONS_MAX,
    SYNONYM_CHARACTERS_MAX,
    SYNONYM_GROUPS_MAX,
)
from datong.kernel.paging import fingerprint, make_page
from datong.kernel.policy import service as policy
from datong.kernel.store.pages import shared_cursors

_ORDERED = frozenset({"grade", "class", "quality"})
_TITLE_EXACT, _TITLE_START, _TITLE_HOLDS = 1000, 400, 200
_COLUMN_EXACT, _COLUMN_HOLDS, _SEGMENT = 60, 25, 5
"""How much a match weighs in the ranking; the quality score adds up to 10."""

_CANDIDATES = """
title_hits as materialized (
    select resource_id, facets, ({score})::bigint as score from catalog_searchentry
    where {title_match}{filters}{phrases}
    limit %(most)s),
other_hits as materialized (
    select resource_id, facets, ({score})::bigint as score from catalog_searchentry
    where {match} and not ({title_match}){filters}{phrases}
    limit greatest(0, %(most)s - (select count(*) from title_hits))),
found as materialized (select * from title_hits union all select * from other_hits)"""
_BROWSED = """
found as materialized (
    select resource_id, facets, ({score})::bigint as score from catalog_searchentry
    where true{filters}
    order by {order}, resource_id
    limit %(most)s)"""
_ALLOWED = """
allowed as materialized (
    select subject_id as resource_id from ({opinions}) as opinions
    where subject_id = any (array (select resource_id from found))
    group by subject_id
    having bool_and(allowed)),
seen as materialized (select found.* from found join allowed using (resource_id))"""
_PAGE = """
with {candidates},
{allowed},
words as (
    select coalesce(jsonb_object_agg(word, n), '{{}}') as facets
    from (select unnest(facets) as word, count(*) as n from seen group by 1) as counts),
page as (
    select resource_id, score from seen
    where {after}
    order by score desc, resource_id
    limit %(rows)s)
select
    resource_id, score,
    (select count(*) from seen) as matches, (select count(*) from found) as candidates,
    words.facets
from words left join page on true
order by score desc, resource_id
"""
_OTHER_CHOICES = """
with {candidates},
{allowed}
select word, count(*)
from seen, unnest(facets) as word
where {chosen}
group by word
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statement:
    """The parts of the SQL that a query decides, with their values."""

    candidates: str
    allowed: str
    values: Mapping[str, Any]

    def complete(self, frame: str, **parts: str) -> str:
        return frame.format(candidates=self.candidates, allowed=self.allowed, **parts)


def search_resources(
    actor: Actor, query: SearchQuery, *, cursor: str | None = None, limit: int = PAGE_ROWS_DEFAULT
) -> SearchPage:
    """A page of what matches every word and filter, best first. Raises BadInput for a facet that does not exist.

    At most SEARCH_CANDIDATES_MAX matches are ranked, titles before the rest; beyond, `count_is_estimate`.
    """
    _check_facets(query)
    terms = _read_terms(query.text)
    bound = fingerprint(
        "catalog.search",
        {"text": query.text, "filters": dict(query.filters), "order": query.order, "actor": actor.id},
    )
    position = shared_cursors().read(cursor, bound) if cursor else None
    rows, facets, matches, candidates = _find(actor, query, terms, position, limit)
    page = make_page(
        rows,
        limit=limit,
        position_of=lambda row: row,
        cursors=shared_cursors(),
        query=bound,
        count=matches,
    )
    ids = [resource_id for _score, resource_id in page.items]
    views = catalog.get_resources(ids)
    columns = search_index.find_columns(ids) if terms else {}
    return SearchPage(
        items=tuple(_hit(views[i], columns.get(i, ()), terms) for i in ids if i in views),
        next_cursor=page.next_cursor,
        count=matches,
        count_is_estimate=candidates >= SEARCH_CANDIDATES_MAX,
        facets=tuple(_facet_groups(actor, query, terms, facets)),
    )


def suggest(actor: Actor, text: str) -> list[str]:
    """Titles and column titles that hold what was typed so far, the best first."""
    page = search_resources(actor, SearchQuery(text=text), limit=SEARCH_SUGGESTIONS_MAX)
    titles = [hit.resource.title_zh for hit in page.items]
    columns = [title for hit in page.items for title in hit.columns]
    return list(dict.fromkeys([*titles, *columns]))[:SEARCH_SUGGESTIONS_MAX]


def add_synonyms(actor: Actor, groups: Iterable[Sequence[str]]) -> int:
    """Keep groups of words that stand for one another; how many were new. Raises SynonymsInvalid; all or nothing."""
    folded = [tuple(dict.fromkeys(fold(word) for word in group if fold(word))) for group in groups]
    wrong = [group for group in folded if len(group) < 2 or any(len(w) > SYNONYM_CHARACTERS_MAX for w in group)]
    if wrong or not folded:
        raise SynonymsInvalid(
            f"Each line holds two or more different words of at most {SYNONYM_CHARACTERS_MAX} characters.",
            hint_zh=f"每行至少两个不同的词，每个词不超过{SYNONYM_CHARACTERS_MAX}个字。",
            lines=[" ".join(group) for group in wrong[:10]],
        )
    with action(SYNONYMS_ADDED.verb, actor, Subject(kind="platform", id="search", name="同义词"), {}) as record:
        if SynonymGroup.objects.count() + len(folded) > SYNONYM_GROUPS_MAX:
            raise SynonymsInvalid(f"At most {SYNONYM_GROUPS_MAX} groups.", hint_zh=f"最多{SYNONYM_GROUPS_MAX}组。")
        new = 0
        for group in folded:
            _row, created = SynonymGroup.objects.get_or_create(words=list(group), defaults={"added_by": actor.id})
            new += created
        record.facts["groups"] = new
        return record.done(new)


def find_index_drift() -> list[str]:
    """Resources whose index row differs from their record: none, as long as nobody writes the tables by hand."""
    return search_index.find_drift()


def rebuild_index() -> int:
    """Write every index row anew; how many."""
    ids = list(Resource.objects.order_by("pk").values_list("pk", flat=True))
    for resource_id in ids:
        with transaction.atomic():
            search_index.write_entry(resource_id)
    return len(ids)


# Within -----------------------------------------------------------------------------------------------------------
def _check_facets(query: SearchQuery) -> None:
    unknown = sorted(set(query.filters) - set(FACETS))
    if unknown:
        raise BadInput(
            f"There is no facet {', '.join(unknown)}. Use {', '.join(FACETS)}.",
            hint_zh=f"没有筛选项{'、'.join(unknown)}，可用：{'、'.join(FACETS)}。",
        )


def _read_terms(text: str) -> tuple[Term, ...]:
    if not text.strip():
        return ()
    kept = SynonymGroup.objects.values_list("words", flat=True)[:SYNONYM_GROUPS_MAX]
    return read_query(text, group_synonyms([*SYNONYMS, *kept]))


def _statement(
    actor: Actor, query: SearchQuery, terms: Sequence[Term], filters: Mapping[str, tuple[str, ...]]
) -> _Statement:
    opinions, values = policy.opinions_sql(actor, LIST_RESOURCE, "resource")
    score, score_values = _score_sql(query, terms)
    values |= {"most": SEARCH_CANDIDATES_MAX, **score_values}
    filter_sql = ""
    for number, (facet, chosen) in enumerate(sorted(filters.items())):
        if chosen:
            filter_sql += f" and facets && %(filter_{number})s"
            values[f"filter_{number}"] = [f"{facet}:{value}" for value in chosen]
    if terms:
        phrases, phrase_values = _phrases_sql(terms)
        values |= phrase_values
        values["tsquery"] = tsquery_of(terms)
        candidates = _CANDIDATES.format(
            match="terms @@ %(tsquery)s::tsquery",
            title_match="title_terms @@ %(tsquery)s::tsquery",
            filters=filter_sql,
            phrases=phrases,
            score=score,
        )
    else:
        order = "quality desc nulls last" if query.order is SearchOrder.QUALITY else "updated_at desc"
        candidates = _BROWSED.format(filters=filter_sql, order=order, score=score)
    return _Statement(candidates=candidates, allowed=_ALLOWED.format(opinions=opinions), values=values)


def _phrases_sql(terms: Sequence[Term]) -> tuple[str, dict[str, Any]]:
    """For terms whose pairs could stand apart: one of the alternatives must be there as it is."""
    sql = ""
    values: dict[str, Any] = {}
    for number, term in enumerate(terms):
        if not any(needs_phrase_check(alternative) for alternative in term.alternatives):
            continue
        either = []
        for place, alternative in enumerate(term.alternatives):
            name = f"phrase_{number}_{place}"
            if needs_phrase_check(alternative):
                values[name] = like_pattern(alternative)
                either.append(
                    f"title_text like %({name})s or columns_text like %({name})s or description_text like %({name})s"
                )
            else:
                values[name] = tsquery_of([Term(text=alternative, alternatives=(alternative,))])
                either.append(f"terms @@ %({name})s::tsquery")
        sql += f" and ({' or '.join(either)})"
    return sql, values


def _score_sql(query: SearchQuery, terms: Sequence[Term]) -> tuple[str, dict[str, Any]]:
    if query.order is SearchOrder.UPDATED or not terms:
        if query.order is SearchOrder.QUALITY:
            return "coalesce(quality, 0) * 1000", {}
        return "extract(epoch from updated_at) * 1000", {}
    if query.order is SearchOrder.QUALITY:
        return "coalesce(quality, 0) * 1000", {}
    parts = ["coalesce(quality, 0) * 10"]
    values: dict[str, Any] = {}
    for number, term in enumerate(terms):
        values |= {
            f"word_{number}": term.text,
            f"line_{number}": f"\n{term.text}\n",
            f"holds_{number}": like_pattern(term.text),
        }
        parts += [
            f"{_TITLE_EXACT * 100} * (split_part(title_text, e'\\n', 1) = %(word_{number})s)::int",
            f"{_TITLE_START * 100} * starts_with(title_text, %(word_{number})s)::int",
            f"{_TITLE_HOLDS * 100} * (title_text like %(holds_{number})s)::int",
            f"{_COLUMN_EXACT * 100} * (position(%(line_{number})s in columns_text) > 0)::int",
            f"{_COLUMN_HOLDS * 100} * (columns_text like %(holds_{number})s)::int",
        ]
        for place, word in enumerate(segment(term.text)):
            values[f"segment_{number}_{place}"] = like_pattern(word)
            parts.append(f"{_SEGMENT * 100} * (title_text like %(segment_{number}_{place})s)::int")
    return " + ".join(parts), values


def _find(
    actor: Actor, query: SearchQuery, terms: Sequence[Term], position: tuple[Any, ...] | None, limit: int
) -> tuple[list[tuple[int, str]], dict[str, int], int, int]:
    """(score, id) of the page and one more, counts by facet word, matches, candidates."""
    statement = _statement(actor, query, terms, query.filters)
    values = {**statement.values, "rows": limit + 1}
    after = "true"
    if position is not None:
        values |= {"last_score": position[0], "last_id": position[1]}
        after = "(score < %(last_score)s or (score = %(last_score)s and resource_id > %(last_id)s))"
    rows = _run(statement.complete(_PAGE, after=after), values)
    if not rows:
        return [], {}, 0, 0
    _id, _score, matches, candidates, facets = rows[0]
    return [(row[1], row[0]) for row in rows if row[0] is not None], orjson.loads(facets), matches, candidates


def _facet_groups(
    actor: Actor, query: SearchQuery, terms: Sequence[Term], found: Mapping[str, int]
) -> Iterator[FacetGroup]:
    counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for word, count in found.items():
        name, _, value = word.partition(":")
        counts[name][value] = count
    counts |= _other_choices(actor, query, terms)
    agencies = {a.code: (a.name, a.name_en) for a in find_agencies()} if "agency" in counts else {}
    for name, (zh, en) in FACETS.items():
        if counts[name]:
            values = _facet_values(name, counts[name], query.filters.get(name, ()), agencies)
            yield FacetGroup(name=name, title_zh=zh, title_en=en, values=values)


def _other_choices(actor: Actor, query: SearchQuery, terms: Sequence[Term]) -> dict[str, dict[str, int]]:
    """For each facet that is narrowed by: its values with what they would give under the other facets' choices."""
    chosen = {name: [f"{name}:{value}" for value in values] for name, values in query.filters.items() if values}
    if not chosen:
        return {}
    statement = _statement(actor, query, terms, {})
    values: dict[str, Any] = {f"words_{name}": words for name, words in chosen.items()}
    either = []
    for name in chosen:
        values[f"start_{name}"] = f"{name}:"
        others = [f"facets && %(words_{other})s" for other in chosen if other != name]
        either.append(f"({' and '.join([f'starts_with(word, %(start_{name})s)', *others])})")
    rows = _run(statement.complete(_OTHER_CHOICES, chosen=" or ".join(either)), {**statement.values, **values})
    counts = {name: dict.fromkeys(query.filters[name], 0) for name in chosen}
    for word, count in rows:
        name, _, value = word.partition(":")
        counts[name][value] = count
    return counts


def _facet_values(
    name: str, counts: Mapping[str, int], chosen: Sequence[str], agencies: Mapping[str, tuple[str, str]]
) -> tuple[FacetValue, ...]:
    """Grades and classes in their own order, quality from the best, the rest by how many."""
    order = sorted(counts, key=lambda value: value if name in _ORDERED else (-counts[value], value))
    values = []
    for value in reversed(order) if name == "quality" else order:
        zh, en = _title_of(name, value, agencies)
        values.append(
            FacetValue(value=value, title_zh=zh, title_en=en or zh, count=counts[value], chosen=value in chosen)
        )
    return tuple(values)


def _title_of(facet: str, value: str, agencies: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    match facet:
        case "agency":
            return agencies.get(value, (value, value))
        case "quality":
            return f"{value}分以上", f"{value} and above"
        case "grade":
            return GRADE_TITLES.get(int(value), (value, value))
        case "class":
            return CLASS_TITLES.get(value, (value, value))
        case "format":
            return value.upper(), value.upper()
    words: dict[str, Mapping[Any, tuple[str, str]]] = {
        "sharing": SHARING_TITLES, "opening": SHARING_TITLES, "mode": MODE_TITLES, "cycle": CYCLE_TITLES
    }  # fmt: skip
    zh, en = next((titles for word, titles in words[facet].items() if word == value), (value, value))
    return (zh.replace("共享", "开放"), en.replace("Shared", "Open")) if facet == "opening" else (zh, en)


def _hit(resource: ResourceView, names: Sequence[str], terms: Sequence[Term]) -> Hit:
    phrases = [alternative for term in terms for alternative in term.alternatives]
    columns = [name for name in names if any(phrase in name for phrase in phrases)]
    return Hit(
        resource=resource,
        title=highlight(resource.title_zh, phrases),
        description=highlight(resource.description, phrases),
        columns=tuple(columns[:5]),
    )


def _run(sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
