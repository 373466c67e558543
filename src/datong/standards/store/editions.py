"""Editions into rows and back. Rows are the truth; the files of `snapshot.py` are made from them."""

from __future__ import annotations

from collections.abc import Iterator

from datong.standards.contracts import Code, Edition, EditionKind, Element, Succession
from datong.standards.store.models import CodeRow, EditionRow, ElementRow, SuccessionRow

ROWS_PER_INSERT = 2000


def insert_edition(edition: Edition, *, digest: str, actor_id: str, actor_name: str) -> EditionRow:
    """The edition with all its entries, within the caller's transaction."""
    row = EditionRow.objects.create(
        **{name: getattr(edition, name) for name in _HEAD},
        kind=edition.kind.value,
        entries_count=edition.entries_count,
        digest=digest,
        imported_by=actor_id,
        imported_by_name=actor_name,
    )
    CodeRow.objects.bulk_create(
        (
            CodeRow(edition=row, position=place, **{name: getattr(code, name) for name in _CODE})
            for place, code in enumerate(edition.codes)
        ),
        batch_size=ROWS_PER_INSERT,
    )
    SuccessionRow.objects.bulk_create(
        (
            SuccessionRow(edition=row, position=place, **{name: getattr(step, name) for name in _STEP})
            for place, step in enumerate(edition.succession)
        ),
        batch_size=ROWS_PER_INSERT,
    )
    ElementRow.objects.bulk_create(
        (
            ElementRow(
                edition=row,
                position=place,
                identifier=element.id,
                identifier_kind=element.identifier,
                synonyms=list(element.synonyms),
                **{name: getattr(element, name) for name in _ELEMENT},
            )
            for place, element in enumerate(edition.elements)
        ),
        batch_size=ROWS_PER_INSERT,
    )
    return row


def read_editions() -> Iterator[tuple[EditionRow, Edition]]:
    """Every imported edition, in order of import."""
    for row in EditionRow.objects.order_by("imported_at", "id"):
        yield row, read_rows(row)


def read_rows(row: EditionRow) -> Edition:
    """One edition out of its rows: equal to the one that was inserted."""
    return Edition(
        kind=EditionKind(row.kind),
        codes=tuple(Code(**values) for values in CodeRow.objects.filter(edition=row).values(*_CODE).iterator()),
        succession=tuple(
            Succession(**values) for values in SuccessionRow.objects.filter(edition=row).values(*_STEP).iterator()
        ),
        elements=tuple(_read_element(each) for each in ElementRow.objects.filter(edition=row).iterator()),
        **{name: getattr(row, name) for name in _HEAD},
    )


def _read_element(row: ElementRow) -> Element:
    return Element(
        id=row.identifier,
        identifier=row.identifier_kind,
        synonyms=tuple(row.synonyms),
        **{name: getattr(row, name) for name in _ELEMENT},
    )


_HEAD = (
    *("name", "edition", "title_zh", "title_en", "source"),
    *("valid_from", "valid_to", "covers_from", "covers_to", "confirmed"),
)
_CODE = ("code", "title_zh", "title_en", "parent", "note", "valid_from", "valid_to")
_STEP = ("code", "to_code", "on", "kind", "note")
_ELEMENT = (
    *("name", "title_zh", "title_en", "definition", "type", "form", "code_list", "pattern", "unit"),
    *("minimum", "maximum"),
)
