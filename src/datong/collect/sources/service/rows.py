"""A source's row as others see it, and what a reader is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from datong.catalog.service import find_titles, get_contract
from datong.collect.sources.contracts import (
    FetchContext,
    FetchState,
    FetchView,
    KnownFile,
    SourceKind,
    SourceNotFound,
    SourceView,
    Trigger,
)
from datong.collect.sources.sealing import open_secrets
from datong.collect.store.source_models import Fetch, Source, SourceFile
from datong.kernel.config import load_settings, make_private_dir
from datong.kernel.contracts import EVERY_AGENCY, Actor, Subject
from datong.kernel.failures import Failure
from datong.kernel.ids import AgencyId

OPEN_STATES = [FetchState.FETCHING.value, FetchState.LANDED.value]


def find_row(source_id: str, actor: Actor | None = None) -> Source:
    """Raises SourceNotFound, also for a member of another agency."""
    row = Source.objects.filter(pk=source_id, removed_at__isnull=True).first()
    if row is None or (actor is not None and not is_visible(row, actor)):
        raise SourceNotFound("Check the address.", hint_zh="请检查地址。", source=source_id)
    return row


def is_visible(row: Source, actor: Actor) -> bool:
    return actor.kind == "platform" or EVERY_AGENCY in actor.agency_ids or actor.agency_id == row.agency_id


def subject_of(row: Source) -> Subject:
    return Subject(kind="source", id=row.id, agency_id=AgencyId(row.agency_id), name=row.title)


def told(row: Source) -> dict[str, Any]:
    """Facts that every audit row of a source carries; no option may hold a secret, and none is here."""
    return {"resource": row.resource_id, "resource_title": row.resource_title, "kind": row.kind}


def problem_of(failure: Failure) -> dict[str, Any]:
    """A failure as it is stored: both languages, public facts only."""
    return {**failure.as_problem("en"), "title_zh": failure.title_zh, "hint_zh": failure.hint_zh}


def context_of(row: Source, progress: Callable[[int, str], None] = lambda _done, _note: None) -> FetchContext:
    settings = load_settings()
    return FetchContext(
        source_id=row.id,
        options=row.options,
        secrets=open_secrets(settings, row.id, bytes(row.sealed)),
        contract=get_contract(row.resource_id),
        cursor=row.cursor,
        seen=bytes(row.seen),
        work=make_private_dir(settings.landing_dir / ".sources" / row.id),
        known=lambda names: _known_files(row.id, names),
        progress=progress,
    )


def _known_files(source_id: str, names: Sequence[str]) -> list[KnownFile]:
    return [file_of(row) for row in SourceFile.objects.filter(source_id=source_id, name__in=names)]


def file_of(row: SourceFile) -> KnownFile:
    return KnownFile(name=row.name, bytes=row.bytes, modified_ns=row.modified_ns, digest=row.digest, state=row.state)


def views_of(rows: Iterable[Source]) -> list[SourceView]:
    listed = list(rows)
    titles = find_titles(row.resource_id for row in listed)
    busy = set(
        Fetch.objects.filter(source__in=[row.id for row in listed], state__in=OPEN_STATES).values_list(
            "source_id", flat=True
        )
    )
    return [_view(row, titles.get(row.resource_id, ("", "")), is_busy=row.id in busy) for row in listed]


def _view(row: Source, titles: tuple[str, str], *, is_busy: bool) -> SourceView:
    return SourceView(
        id=row.id,
        resource_id=row.resource_id,
        resource_title=titles[0] or row.resource_title,
        resource_title_en=titles[1],
        agency_id=row.agency_id,
        title=row.title,
        kind=SourceKind(row.kind),
        options=row.options,
        secret_names=tuple(row.secret_names),
        schedule=row.schedule,
        after_resource=row.after_resource,
        enabled=row.enabled,
        revision=row.revision,
        cursor=row.cursor,
        failures_in_row=row.failures_in_row,
        last_failure=row.last_failure,
        case_id=row.case_id,
        checked_at=row.checked_at,
        fetched_at=row.fetched_at,
        due_at=row.due_at,
        is_busy=is_busy,
    )


def fetch_view(row: Fetch) -> FetchView:
    return FetchView(
        id=row.id,
        source_id=row.source_id,
        trigger=Trigger(row.trigger),
        state=FetchState(row.state),
        started_at=row.started_at,
        finished_at=row.finished_at,
        filename=row.filename,
        rows=row.rows,
        bytes=row.bytes,
        run_id=row.run_id,
        run_number=row.run_number,
        failure=row.failure,
        attempts=row.attempts,
        job_id=row.job_id,
    )
