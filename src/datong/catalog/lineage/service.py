"""The verbs of lineage: record what a run derived, walk up and down, say what a change would touch, tell others."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import httpx
import orjson
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from datong.catalog import service as catalog
from datong.catalog.lineage.contracts import (
    IMPACT_SOURCES,
    LEFT_NAMESPACE,
    ColumnUnknown,
    Dataset,
    DerivedDataset,
    EdgeKind,
    FlowEdge,
    Impact,
    LineageJob,
)
from datong.catalog.lineage.impacts import find_contract_impacts, find_reference_impacts
from datong.catalog.lineage.model import openlineage_event
from datong.catalog.plugs import LIST_RESOURCE
from datong.catalog.store.models import ContractVersion, LineageEdge, LineageEvent, Resource
from datong.kernel import clock
from datong.kernel.config import load_settings
from datong.kernel.contracts import Actor
from datong.kernel.limits import (
    LINEAGE_DEPTH_MAX,
    LINEAGE_EDGES_SHOWN_MAX,
    LINEAGE_EVENTS_DAYS,
    LINEAGE_REFERRING_MAX,
    LINEAGE_RETRY_S_MAX,
    LINEAGE_SEND_S_MAX,
    LINEAGE_SENT_AT_ONCE_MAX,
)
from datong.kernel.policy import service as policy

log = logging.getLogger("datong.lineage")

_WALK = """
with recursive flow as (
    select edges.*, 1 as depth, array[edges.id] as path
    from catalog_lineageedge as edges
    where edges.{here} = %(dataset)s and (%(columns)s::text[] is null or edges.{here}_column = any (%(columns)s))
    union all
    select edges.*, flow.depth + 1, flow.path || edges.id
    from flow join catalog_lineageedge as edges
        on edges.{here} = flow.{there} and edges.{here}_column = flow.{there}_column
    where flow.depth < %(depth)s and edges.id <> all (flow.path)),
nearest as (
    select distinct on (id) * from flow order by id, depth)
select
    source, source_title, source_column, target, target_title, target_column, kind, detail, job, run_id, at, depth
from nearest
order by depth, source, source_column, target, target_column
limit %(most)s
"""


def record_lineage(job: LineageJob, run_id: str, outputs: Sequence[DerivedDataset]) -> None:
    """Draw what a run derived, in place of what the job's last run drew; in the caller's transaction.

    The same run twice changes nothing.
    """
    at = clock.now()
    event = openlineage_event(job, run_id, clock.iso(at), outputs)
    _row, is_new = LineageEvent.objects.get_or_create(
        run_id=run_id, defaults={"job": job.key, "event": event, "at": at, "next_attempt_at": at}
    )
    if not is_new:
        return
    LineageEdge.objects.filter(job=job.key).delete()
    LineageEdge.objects.bulk_create(
        [
            LineageEdge(
                job=job.key,
                source=edge.source.key,
                source_title=[edge.source.title_zh, edge.source.title_en],
                source_column=edge.source_column,
                target=output.target.key,
                target_title=[output.target.title_zh, output.target.title_en],
                target_column=edge.target_column,
                kind=edge.kind.value,
                detail=[edge.detail_zh, edge.detail_en],
                masks=edge.masks,
                run_id=run_id,
                at=at,
            )
            for output in outputs
            for edge in dict.fromkeys(output.edges)
        ],
        ignore_conflicts=True,
    )


def forget_lineage(job: LineageJob) -> None:
    """The job is over and what it made is gone: its edges go, its events stay."""
    LineageEdge.objects.filter(job=job.key).delete()


def find_upstream(dataset: Dataset, columns: Iterable[str] | None = None) -> list[FlowEdge]:
    """Edges by which these columns (all without any) come to be, nearest first, LINEAGE_DEPTH_MAX steps at most."""
    return _walk("target", "source", dataset, columns)


def find_downstream(dataset: Dataset, columns: Iterable[str] | None = None) -> list[FlowEdge]:
    """Edges out of these columns and on, nearest first."""
    return _walk("source", "target", dataset, columns)


def find_impacts(actor: Actor, resource_id: str, columns: Sequence[str]) -> list[Impact]:
    """What breaks or changes if these columns change: rules, references, grants, releases, what is derived.

    Raises ResourceNotFound, ColumnUnknown. An empty list of columns asks about the whole resource.
    """
    catalog.get_resource(resource_id, actor)
    contract = catalog.get_contract(resource_id)
    unknown = sorted(set(columns) - set(contract.by_name))
    if unknown:
        raise ColumnUnknown(
            f"It has {', '.join(contract.by_name)}.",
            hint_zh=f"该资源的数据项有：{'、'.join(contract.by_name)}。",
            columns=unknown,
        )
    asked = list(columns) or list(contract.by_name)
    found = [*find_contract_impacts(contract, asked), *_reference_impacts(actor, resource_id, asked)]
    found += [impact for source in IMPACT_SOURCES.values() for impact in source(actor, resource_id, asked)]
    return [*found, *_derived_impacts(actor, resource_id, asked)]


def find_events(*, after: int = 0, limit: int = LINEAGE_EDGES_SHOWN_MAX) -> Iterator[tuple[int, dict[str, Any]]]:
    """(position, OpenLineage event) in order, from beyond `after`."""
    rows = LineageEvent.objects.filter(id__gt=after).order_by("id").values_list("id", "event")[:limit]
    yield from rows


def send_events() -> int:
    """Send what waits to the endpoint DATONG_LINEAGE_URL, in order; how many were taken.

    The first refusal ends the round: it is tried again later, with a growing delay, and nothing overtakes it.
    """
    address = load_settings().text("DATONG_LINEAGE_URL")
    if not address:
        return 0
    sent = 0
    with httpx.Client(timeout=LINEAGE_SEND_S_MAX, trust_env=False) as client:
        while sent < LINEAGE_SENT_AT_ONCE_MAX and _send_next(client, address):
            sent += 1
    return sent


def remove_old_events() -> int:
    """Events past LINEAGE_EVENTS_DAYS that are sent, or have nowhere to go; the edges stay."""
    before = clock.now() - timedelta(days=LINEAGE_EVENTS_DAYS)
    rows = LineageEvent.objects.filter(at__lt=before)
    if load_settings().text("DATONG_LINEAGE_URL"):
        rows = rows.filter(sent_at__isnull=False)
    return rows.delete()[0]


def _send_next(client: httpx.Client, address: str) -> bool:
    with transaction.atomic():
        row = LineageEvent.objects.select_for_update(skip_locked=True).filter(sent_at=None).order_by("id").first()
        if row is None or row.next_attempt_at > clock.now():
            return False
        try:
            answer = client.post(address, content=orjson.dumps(row.event), headers=_headers())
            answer.raise_for_status()
        except httpx.HTTPError as error:
            row.attempts += 1
            delay_s = min(LINEAGE_RETRY_S_MAX, 2**row.attempts)
            row.next_attempt_at = clock.now() + timedelta(seconds=delay_s)
            row.save(update_fields=["attempts", "next_attempt_at"])
            log.warning("lineage event %s was not taken: %s", row.pk, type(error).__name__)
            return False
        row.sent_at = clock.now()
        row.save(update_fields=["sent_at"])
        return True


def _headers() -> dict[str, str]:
    token = load_settings().text("DATONG_LINEAGE_TOKEN")
    headers = {"Content-Type": "application/json"}
    return {**headers, "Authorization": f"Bearer {token}"} if token else headers


def _walk(here: str, there: str, dataset: Dataset, columns: Iterable[str] | None) -> list[FlowEdge]:
    values = {
        "dataset": dataset.key,
        "columns": None if columns is None else list(columns),
        "depth": LINEAGE_DEPTH_MAX,
        "most": LINEAGE_EDGES_SHOWN_MAX,
    }
    with connection.cursor() as cursor:
        cursor.execute(_WALK.format(here=here, there=there), values)
        return [_flow_edge(row) for row in cursor.fetchall()]


def _flow_edge(row: Sequence[Any]) -> FlowEdge:
    source, source_title, source_column, target, target_title, target_column, kind, detail, job, run_id, at, depth = row
    detail_zh, detail_en = (*_loaded(detail), "", "")[:2]
    return FlowEdge(
        source=_dataset(source, source_title),
        source_column=source_column,
        target=_dataset(target, target_title),
        target_column=target_column,
        kind=EdgeKind(kind),
        detail_zh=detail_zh,
        detail_en=detail_en,
        job=job,
        run_id=run_id,
        at=clock.iso(at),
        depth=depth,
    )


def _dataset(key: str, title: Any) -> Dataset:
    namespace, _, name = key.partition("\n")
    zh, en = (*_loaded(title), "", "")[:2]
    return Dataset(namespace=namespace, name=name, title_zh=zh, title_en=en)


def _loaded(value: Any) -> list[str]:
    """A raw cursor gives jsonb as text."""
    return list(orjson.loads(value) if isinstance(value, str) else value)


def _reference_impacts(actor: Actor, resource_id: str, columns: Sequence[str]) -> Iterator[Impact]:
    """Other current contracts that may be seen and refer to these columns."""
    mentioning = (
        Resource.objects.exclude(pk=resource_id)
        .filter(Exists(_current_texts().filter(text__contains=f"{resource_id}.")))
        .order_by("pk")
    )
    for other in policy.keep_allowed(mentioning, actor, LIST_RESOURCE, "resource")[:LINEAGE_REFERRING_MAX]:
        yield from find_reference_impacts(catalog.get_contract(other.pk), resource_id, columns)


def _current_texts() -> QuerySet[ContractVersion]:
    return ContractVersion.objects.filter(resource_id=OuterRef("pk"), version=OuterRef("current_version"))


def _derived_impacts(actor: Actor, resource_id: str, columns: Sequence[str]) -> list[Impact]:
    """What is derived, by dataset. One that may not be seen counts without its name."""
    targets: dict[Dataset, dict[str, None]] = {}
    for edge in find_downstream(Dataset(name=resource_id), columns):
        if edge.target.namespace == LEFT_NAMESPACE:
            continue  # grants speak for themselves, to who may see them
        targets.setdefault(edge.target, {})[edge.target_column] = None
    return [_derived_impact(actor, dataset, tuple(names)) for dataset, names in targets.items()]


def _derived_impact(actor: Actor, dataset: Dataset, columns: tuple[str, ...]) -> Impact:
    if dataset.is_resource and not catalog.explain_resource(actor, dataset.name).allowed:
        dataset = Dataset(name="", title_zh="无权查看的资源", title_en="A resource that you may not see")
        columns = ()
    return Impact(
        kind_zh="派生数据",
        kind_en="Derived data",
        title_zh=dataset.title_zh or dataset.name,
        title_en=dataset.title_en or dataset.name,
        address=f"/resources/{dataset.name}/" if dataset.is_resource and dataset.name else "",
        blocks=False,
        columns=columns,
    )
