"""The catalogue's list: words, facets, order. Every state has its address."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from datong.catalog.search.contracts import FACETS, SearchOrder, SearchPage, SearchQuery
from datong.catalog.search.service import search_resources, suggest
from datong.catalog.web.present import cycle_title
from datong.catalog.words import UpdateCycle
from datong.kernel.failures import BadInput
from datong.kernel.web.requests import require_member
from datong.ui.web.words import is_chinese

ORDER_TITLES = {
    SearchOrder.RELEVANCE: ("相关度", "Relevance"),
    SearchOrder.UPDATED: ("最近更新", "Newest"),
    SearchOrder.QUALITY: ("质量", "Quality"),
}
PAGE_ROWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A chosen filter, and the address without it."""

    group: str
    title_zh: str
    title_en: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLink:
    title_zh: str
    title_en: str
    address: str
    is_chosen: bool


@require_safe
def list_resources(request: HttpRequest) -> HttpResponse:
    """The catalogue, searched by the words in `q` and narrowed by facets."""
    actor = require_member(request)
    query = read_search(request)
    began_s = perf_counter()
    page = search_resources(actor, query, cursor=request.GET.get("cursor") or None, limit=PAGE_ROWS)
    context = {
        "page": page,
        "query": query.text,
        "is_chinese": is_chinese(),
        "order": query.order.value,
        "is_filtered": any(query.filters.values()),
        "chips": _chips(query, page),
        "orders": [
            OrderLink(title_zh=zh, title_en=en, address=_address(query, order=order), is_chosen=order is query.order)
            for order, (zh, en) in ORDER_TITLES.items()
        ],
        "cycles": {hit.resource.id: cycle_title(UpdateCycle(hit.resource.update_cycle)) for hit in page.items},
        "milliseconds": max(1, round((perf_counter() - began_s) * 1000)),
        "all_address": f"?{urlencode({'q': query.text})}" if query.text else "?",
    }
    return render(request, "catalog/resources.html", context)


@require_safe
def suggest_words(request: HttpRequest) -> HttpResponse:
    """Titles for what was typed so far, as a JSON list."""
    return JsonResponse({"items": suggest(require_member(request), request.GET.get("q", "").strip())})


def read_search(request: HttpRequest) -> SearchQuery:
    """The query of an address. Raises BadInput for an order that does not exist."""
    filters = {name: tuple(dict.fromkeys(request.GET.getlist(name))) for name in FACETS if name in request.GET}
    order = request.GET.get("order") or SearchOrder.RELEVANCE.value
    if order not in set(SearchOrder):
        raise BadInput(
            f"Order by one of: {', '.join(SearchOrder)}.", hint_zh=f"排序方式可用：{'、'.join(SearchOrder)}。"
        )
    return SearchQuery(text=request.GET.get("q", "").strip(), filters=filters, order=SearchOrder(order))


def _chips(query: SearchQuery, page: SearchPage) -> list[Chip]:
    return [
        Chip(
            group=group.name,
            title_zh=f"{group.title_zh}：{value.title_zh}",
            title_en=f"{group.title_en}: {value.title_en}",
            address=_address(query, without=(group.name, value.value)),
        )
        for group in page.facets
        for value in group.values
        if value.chosen
    ]


def _address(query: SearchQuery, *, without: tuple[str, str] | None = None, order: SearchOrder | None = None) -> str:
    pairs = [("q", query.text)] if query.text else []
    pairs += [(name, v) for name, values in query.filters.items() for v in values if (name, v) != without]
    chosen = order or query.order
    if chosen is not SearchOrder.RELEVANCE:
        pairs.append(("order", chosen.value))
    return f"?{urlencode(pairs)}"
