"""The search index in PostgreSQL: written with the record that it finds, never after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from datong.catalog.search.model import IndexedText, fold, index_text, tsvector_of
from datong.catalog.store.models import ContractVersion, Facet, Resource, SearchEntry
from datong.catalog.values import DataContract

QUALITY_FACET, FORMATS_FACET = "quality.score", "publish.formats"
INDEXED_FACETS = frozenset({QUALITY_FACET, FORMATS_FACET})
"""Facets of higher parts that searches filter by."""
QUALITY_BANDS = (95, 85, 75, 60)
"""The cuts of the quality grades (docs/reference/quality-scores.md): a score from so many on."""
_WRITE = """
insert into catalog_searchentry
    (resource_id, title_text, columns_text, description_text, title_terms, terms, facets, quality, updated_at)
values (%s, %s, %s, %s, %s::tsvector, %s::tsvector, %s, %s, %s)
on conflict (resource_id) do update set
    title_text = excluded.title_text,
    columns_text = excluded.columns_text,
    description_text = excluded.description_text,
    title_terms = excluded.title_terms,
    terms = excluded.terms,
    facets = excluded.facets,
    quality = excluded.quality,
    updated_at = excluded.updated_at
"""
_IS_SAME = """
select
    title_text = %s and columns_text = %s and description_text = %s
    and title_terms = %s::tsvector and terms = %s::tsvector and facets = %s
    and quality is not distinct from %s and updated_at = %s
from catalog_searchentry
where resource_id = %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryValues:
    """One row of the index."""

    resource_id: str
    text: IndexedText
    facets: tuple[str, ...]
    quality: float | None
    updated_at: datetime

    def as_row(self) -> list[Any]:
        text = self.text
        return [
            text.title,
            text.columns,
            text.description,
            tsvector_of(text.title_terms),
            tsvector_of(text.terms),
            list(self.facets),
            self.quality,
            self.updated_at,
        ]


def make_entry(resource: Resource, contract: DataContract, facets: Mapping[str, Any]) -> EntryValues:
    """What the index must say of a resource."""
    agency = resource.agency
    titles = [resource.title_zh, resource.title_en, resource.id, resource.directory_code, agency.name, agency.name_en]
    names = [name for column in contract.columns for name in (column.name, column.title, column.title_en)]
    score = facets.get(QUALITY_FACET)
    quality = float(score) if isinstance(score, int | float) else None
    return EntryValues(
        resource_id=resource.id,
        text=index_text(titles, names, resource.description),
        facets=tuple(_facet_words(resource, contract, quality, facets.get(FORMATS_FACET) or ())),
        quality=quality,
        updated_at=resource.updated_at,
    )


def _facet_words(
    resource: Resource, contract: DataContract, quality: float | None, formats: Iterable[str]
) -> Iterator[str]:
    yield f"agency:{resource.agency.code}"
    yield f"sharing:{resource.sharing}"
    yield f"opening:{contract.opening.value}"
    yield f"cycle:{resource.update_cycle}"
    yield f"grade:{resource.grade_max}"
    if resource.directory_code:
        yield f"class:{resource.directory_code[:1]}"
    yield from (f"format:{form}" for form in formats)
    yield from (f"mode:{mode.value}" for mode in sorted(contract.sharing.modes))
    if quality is not None:
        yield from (f"quality:{band}" for band in QUALITY_BANDS if quality >= band)


def write_entry(resource_id: str, contract: DataContract | None = None) -> None:
    """Bring the index row of a resource up to date, in the caller's transaction."""
    entry = _entry_of(Resource.objects.select_related("agency").get(pk=resource_id), contract)
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [entry.resource_id, *entry.as_row()])


def find_drift() -> list[str]:
    """Resources whose index row is missing or not what their record says."""
    drifted = []
    with connection.cursor() as cursor:
        for resource in Resource.objects.select_related("agency").order_by("pk").iterator():
            cursor.execute(_IS_SAME, [*_entry_of(resource, None).as_row(), resource.id])
            if cursor.fetchone() != (True,):
                drifted.append(resource.id)
    return drifted


def find_with_columns(titles: Iterable[str]) -> QuerySet[SearchEntry, Any]:
    """Ids of the resources that have a column under each of these titles, as a subquery."""
    rows = SearchEntry.objects.all()
    for title in titles:
        rows = rows.filter(columns_text__contains=f"\n{fold(title)}\n")
    return rows.values("resource_id")


def find_columns(resource_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Folded names and titles of the columns, by resource."""
    rows = SearchEntry.objects.filter(pk__in=list(resource_ids)).values_list("pk", "columns_text")
    return {resource_id: tuple(text.split("\n")[1:-1]) for resource_id, text in rows}


def _entry_of(resource: Resource, contract: DataContract | None) -> EntryValues:
    from datong.catalog.odcs import parse_contract

    if contract is None:
        row = ContractVersion.objects.get(resource_id=resource.id, version=resource.current_version)
        contract = parse_contract(row.text)
    facets = dict(Facet.objects.filter(resource_id=resource.id, name__in=INDEXED_FACETS).values_list("name", "value"))
    return make_entry(resource, contract, facets)
