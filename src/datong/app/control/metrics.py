"""Counters of the control plane, in Prometheus' text form."""

from __future__ import annotations

from django.http import HttpRequest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
_REQUESTS = Counter("datong_control_requests", "Requests answered", ["route", "method", "status"], registry=REGISTRY)
_SECONDS = Histogram("datong_control_request_seconds", "Time to answer", ["route"], registry=REGISTRY)
_EVENTS = Gauge("datong_outbox_pending", "Events not delivered yet", registry=REGISTRY)
_UNSEALED = Gauge("datong_audit_unsealed", "Audit rows not in the Merkle log yet", registry=REGISTRY)


def observe(request: HttpRequest, status: int, duration_s: float) -> None:
    """Count one answer under its route's pattern, never under its path: paths carry ids."""
    route = request.resolver_match.route if request.resolver_match else "none"
    _REQUESTS.labels(route, request.method or "", str(status)).inc()
    _SECONDS.labels(route).observe(duration_s)


def render(*, pending_events: int, unsealed_rows: int) -> bytes:
    _EVENTS.set(pending_events)
    _UNSEALED.set(unsealed_rows)
    return generate_latest(REGISTRY)
