"""Describing sources: make, change, test, switch on and off, remove."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime

from django.db.models import QuerySet

from datong.catalog.service import get_contract, get_resource
from datong.collect.sources.contracts import (
    CONNECTORS,
    ConnectionReport,
    SourceBusy,
    SourceChanged,
    SourceDraft,
    SourceKind,
    SourceView,
)
from datong.collect.sources.options import complete_options, option_names, read_kind, wrong
from datong.collect.sources.schedule import CYCLE, next_due, read_cron
from datong.collect.sources.sealing import open_secrets, seal_secrets
from datong.collect.sources.service.rows import OPEN_STATES, context_of, find_row, subject_of, told, views_of
from datong.collect.store.source_models import Fetch, Source
from datong.kernel import clock, ids
from datong.kernel.action.service import action, check_permission
from datong.kernel.config import Secret, load_settings
from datong.kernel.contracts import EVERY_AGENCY, Actor, Subject
from datong.kernel.failures import Failure
from datong.kernel.ids import AgencyId, ResourceId
from datong.kernel.limits import NAME_CHARACTERS_MAX, SOURCE_SECRET_CHARACTERS_MAX

CREATED, CHANGED, REMOVED = "source.created", "source.changed", "source.removed"
ENABLED, DISABLED, TESTED = "source.enabled", "source.disabled", "source.tested"
POLLED = frozenset({SourceKind.MQTT, SourceKind.FOLDER, SourceKind.SFTP})
"""Kinds that are looked at every minute unless the schedule says otherwise: a file or message tells nobody."""
EVERY_MINUTE = "* * * * *"
_CURSOR_OPTIONS = ("table", "query", "cursor", "method", "url", "since_path", "host", "database")
"""When one of these changes, the old cursor says nothing any more."""


def create_source(actor: Actor, draft: SourceDraft) -> SourceView:
    """A new source, disabled until it is switched on. Raises SourceOptionsWrong and what its reader refuses."""
    resource = get_resource(ResourceId(draft.resource_id), actor if actor.is_member else None)
    source_id = ids.new_id("source")
    subject = Subject(kind="source", id=source_id, agency_id=AgencyId(resource.agency_id), name=draft.title.strip())
    check_permission(CREATED, actor, subject)
    kind, options, schedule = _check(draft)
    secrets = _check_secrets(kind, draft.secrets)
    facts = {"resource": resource.id, "resource_title": resource.title_zh, "kind": kind.value}
    with action(CREATED, actor, subject, facts=facts) as record:
        row = Source.objects.create(
            id=source_id,
            resource_id=resource.id,
            resource_title=resource.title_zh,
            agency_id=resource.agency_id,
            title=draft.title.strip(),
            kind=kind.value,
            options=options,
            sealed=seal_secrets(load_settings(), source_id, secrets),
            secret_names=sorted(secrets),
            schedule=schedule,
            after_resource=draft.after_resource,
        )
        return record.done(views_of([row])[0])


def change_source(actor: Actor, source_id: str, draft: SourceDraft, *, revision: int) -> SourceView:
    """Change everything but the kind and the resource. Secrets that are not given stay. Raises SourceChanged."""
    row = find_row(source_id, actor)
    check_permission(CHANGED, actor, subject_of(row))
    kind, options, schedule = _check(draft)
    if kind != row.kind or draft.resource_id != row.resource_id:
        raise wrong("kind", "Make another source instead.", "类型和资源不能更改，请另建来源。")
    given = _check_secrets(kind, draft.secrets)
    settings = load_settings()
    with action(CHANGED, actor, subject_of(row), facts=told(row)) as record:
        locked = Source.objects.select_for_update().get(pk=row.id)
        if locked.revision != revision:
            raise SourceChanged("Load the page anew.", hint_zh="请重新打开页面再改。", revision=locked.revision)
        secrets = {**open_secrets(settings, row.id, bytes(locked.sealed)), **given}
        if any(locked.options.get(name) != options.get(name) for name in _CURSOR_OPTIONS):
            if Fetch.objects.filter(source=locked, state__in=OPEN_STATES).exists():
                raise SourceBusy("Wait until its run has ended.", hint_zh="请等上一批归集结束再改。", source=row.id)
            locked.cursor, locked.seen = {}, b""
            record.facts["cursor_reset"] = True
        locked.title, locked.options, locked.schedule = draft.title.strip(), options, schedule
        locked.after_resource = draft.after_resource
        locked.sealed, locked.secret_names = seal_secrets(settings, row.id, secrets), sorted(secrets)
        locked.revision += 1
        locked.failures_in_row, locked.due_at = 0, _first_due(locked)
        locked.save()
        return record.done(views_of([locked])[0])


def enable_source(actor: Actor, source_id: str) -> SourceView:
    return _switch(actor, source_id, ENABLED, on=True)


def disable_source(actor: Actor, source_id: str) -> SourceView:
    """No fetch begins any more; one that goes on ends."""
    return _switch(actor, source_id, DISABLED, on=False)


def remove_source(actor: Actor, source_id: str) -> None:
    """Forget the credentials, the cursor and the working folder; the history of fetches stays."""
    row = find_row(source_id, actor)
    with action(REMOVED, actor, subject_of(row), facts=told(row)):
        locked = Source.objects.select_for_update().get(pk=row.id)
        locked.enabled, locked.due_at, locked.removed_at = False, None, clock.now()
        locked.sealed, locked.secret_names, locked.cursor, locked.seen = b"", [], {}, b""
        locked.save()
    shutil.rmtree(load_settings().landing_dir / ".sources" / row.id, ignore_errors=True)


def test_source(actor: Actor, source_id: str) -> ConnectionReport:
    """Connect with the stored credentials and say what is there. Leaves an audit row; raises what the reader met."""
    row = find_row(source_id, actor)
    check_permission(TESTED, actor, subject_of(row))
    try:
        report = CONNECTORS.get(row.kind).test(context_of(row))
    except Failure as failure:
        with action(TESTED, actor, subject_of(row), facts={**told(row), "outcome": failure.code}):
            pass
        raise
    with action(TESTED, actor, subject_of(row), facts={**told(row), "outcome": "reached", "rows": report.rows}):
        return report


def get_source(source_id: str, actor: Actor | None = None) -> SourceView:
    """Raises SourceNotFound unless it is the actor's agency's; None for callers that have checked."""
    return views_of([find_row(source_id, actor)])[0]


def find_sources(actor: Actor | None, *, resource_id: str | None = None) -> list[SourceView]:
    """The sources of the actor's agency (of all, for a bureau and the platform itself), by resource."""
    rows: QuerySet[Source] = Source.objects.filter(removed_at__isnull=True)
    if actor is not None and EVERY_AGENCY not in actor.agency_ids and actor.kind != "platform":
        rows = rows.filter(agency_id=actor.agency_id or "")
    if resource_id:
        rows = rows.filter(resource_id=resource_id)
    return views_of(rows.order_by("resource_title", "created_at"))


def _switch(actor: Actor, source_id: str, verb: str, *, on: bool) -> SourceView:
    row = find_row(source_id, actor)
    with action(verb, actor, subject_of(row), facts=told(row)) as record:
        locked = Source.objects.select_for_update().get(pk=row.id)
        locked.enabled = on
        locked.failures_in_row = 0
        locked.due_at = _first_due(locked)
        locked.save()
        return record.done(views_of([locked])[0])


def _check(draft: SourceDraft) -> tuple[SourceKind, dict[str, str], str]:
    kind = read_kind(draft.kind)
    title = draft.title.strip()
    if not 0 < len(title) <= NAME_CHARACTERS_MAX:
        raise wrong("title", f"A name of up to {NAME_CHARACTERS_MAX} characters.", f"名称1至{NAME_CHARACTERS_MAX}字。")
    options = complete_options(kind, draft.options)
    contract = get_contract(draft.resource_id)
    CONNECTORS.get(kind.value).check(options, contract)
    schedule = draft.schedule.strip() or (EVERY_MINUTE if kind in POLLED and not draft.after_resource else "")
    if schedule and schedule != CYCLE:
        read_cron(schedule)
    if draft.after_resource:
        if draft.after_resource == draft.resource_id:
            raise wrong("after_resource", "Name another resource.", "请填另一个资源。")
        get_resource(ResourceId(draft.after_resource))
    return kind, options, schedule


def _check_secrets(kind: SourceKind, given: Mapping[str, Secret]) -> dict[str, Secret]:
    unknown = sorted(set(given) - set(option_names(kind, secret=True)))
    if unknown:
        raise wrong(unknown[0], f"{kind} has no such credential.", f"{kind}没有这种凭据。")
    too_long = next((name for name, value in given.items() if len(value.reveal()) > SOURCE_SECRET_CHARACTERS_MAX), None)
    if too_long:
        raise wrong(too_long, "It is too long.", "凭据过长。")
    return {name: value for name, value in given.items() if value.reveal()}


def _first_due(row: Source) -> datetime | None:
    """Polled kinds are due at once, the others at their schedule's next time."""
    if not row.enabled or not row.schedule:
        return None
    if row.schedule == EVERY_MINUTE:
        return clock.now()
    return next_due(row.schedule, get_contract(row.resource_id).update_cycle, clock.now())
