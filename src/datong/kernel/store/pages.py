"""Keyset pages over a queryset: the ORM's side of `kernel.paging`."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from django.conf import settings
from django.db.models import Model, Q, QuerySet
from django.db.models.fields import DateTimeField

from datong.kernel.keys import load_or_create_key
from datong.kernel.limits import COUNT_ROWS_EXACT_MAX
from datong.kernel.paging import Cursors, Page, Position, fingerprint, make_page

M = TypeVar("M", bound=Model)


@cache
def shared_cursors() -> Cursors:
    """The platform's cursors, with the key of `keys/paging.key`: every process reads every other's."""
    return Cursors(load_or_create_key(settings.DATONG.keys_dir / "paging.key"))


def page_of(
    rows: QuerySet[M],
    *,
    name: str,
    order: tuple[str, ...],
    filters: dict[str, Any] | None = None,
    cursor: str | None = None,
    limit: int,
    counted: bool = True,
) -> Page[M]:
    """A page of `rows` by `order` (field names, `-` for descending; the last must be unique).

    `filters` are what the list was filtered by: a cursor of other filters is refused (CursorRefused).
    """
    query = fingerprint(name, {"order": order, "filters": filters or {}})
    fields = [field.lstrip("-") for field in order]
    selected = rows.order_by(*order)
    if cursor:
        selected = selected.filter(_after(order, _typed(rows.model, fields, shared_cursors().read(cursor, query))))
    count = rows.order_by()[: COUNT_ROWS_EXACT_MAX + 1].count() if counted else None

    def position_of(row: M) -> Position:
        return tuple(_plain(getattr(row, field)) for field in fields)

    return make_page(
        list(selected[: limit + 1]),
        limit=limit,
        position_of=position_of,
        cursors=shared_cursors(),
        query=query,
        count=count,
    )


def _after(order: tuple[str, ...], position: Position) -> Q:
    """Rows behind the position: (a > x) or (a = x and b > y) …, with < for descending fields."""
    condition = Q()
    equal = Q()
    for field, value in zip(order, position, strict=True):
        name = field.lstrip("-")
        condition |= equal & Q(**{f"{name}__{'lt' if field.startswith('-') else 'gt'}": value})
        equal &= Q(**{name: value})
    return condition


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _typed(model: type[Model], fields: list[str], position: Position) -> Position:
    return tuple(
        datetime.fromisoformat(value) if isinstance(model._meta.get_field(field), DateTimeField) else value
        for field, value in zip(fields, position, strict=True)
    )
