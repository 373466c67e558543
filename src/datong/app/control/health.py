"""Probes: alive, ready, and numbers."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from datong.app.control import metrics
from datong.kernel.audit.service import count_unsealed
from datong.kernel.events.service import count_pending
from datong.kernel.failures import Unavailable

_migrated = False


@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return JsonResponse({"status": "alive"})


@require_safe
def readyz(_request: HttpRequest) -> HttpResponse:
    """The database answers and has this version's tables."""
    global _migrated
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
        if not _migrated:
            executor = MigrationExecutor(connection)
            _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as problem:
        raise Unavailable("PostgreSQL does not answer.", hint_zh="数据库没有应答。", private=repr(problem)) from None
    if not _migrated:
        raise Unavailable("The database is of an older version; run the migrations.", hint_zh="数据库尚未升级。")
    return JsonResponse({"status": "ready"})


@require_safe
def show_metrics(_request: HttpRequest) -> HttpResponse:
    body = metrics.render(pending_events=count_pending(), unsealed_rows=count_unsealed())
    return HttpResponse(body, content_type=CONTENT_TYPE_LATEST)


for probe in (healthz, readyz, show_metrics):
    probe.is_probe = True  # type: ignore[attr-defined]
