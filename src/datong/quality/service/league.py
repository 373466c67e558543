"""The league of agencies: quality by provider, with its trend and its work orders. Every number is of reports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Q
from django.db.models.functions import TruncMonth

from datong.kernel import clock
from datong.kernel.contracts import Actor
from datong.kernel.identity.service import find_agencies
from datong.quality.contracts import Dimension, LeagueLine, OrderState
from datong.quality.store.models import Order, Report

TREND_MONTHS = 12
COMPARED_DAYS = 30


def find_league(_actor: Actor) -> list[LeagueLine]:
    """Every agency that has a report, the best first. Members of all agencies see it: that is what a league is for.

    An agency's score is the mean of the latest scores of its resources; `score_before` the same as it was
    COMPARED_DAYS ago, None where it had no report then.
    """
    now = clock.now()
    latest, before = _latest(now), _latest(now - timedelta(days=COMPARED_DAYS))
    orders = _orders(clock.today())
    trends = _trends(now)
    lines = []
    for agency in find_agencies():
        mine = latest.get(agency.id)
        if not mine:
            continue
        count = orders.get(agency.id, {})
        lines.append(
            LeagueLine(
                agency_id=agency.id,
                agency_name=agency.name,
                agency_name_en=agency.name_en,
                resources=len(mine),
                rows=sum(report["rows_accepted"] for report in mine),
                score=_mean(report["score"] for report in mine),
                score_before=_mean(r["score"] for r in before[agency.id]) if before.get(agency.id) else None,
                dimensions=_dimensions(mine),
                orders_open=count.get("open", 0),
                orders_late=count.get("late", 0),
                orders_closed=count.get("closed", 0),
                trend=tuple(trends.get(agency.id, ())),
            )
        )
    return sorted(lines, key=lambda line: (-line.score, line.agency_name))


def _latest(at: datetime) -> dict[str, list[dict[str, Any]]]:
    """Per agency, the latest report of each resource at a moment."""
    newest = (
        Report.objects.filter(recorded_at__lte=at).values("resource_id").annotate(at=Max("recorded_at")).values("at")
    )
    rows = Report.objects.filter(recorded_at__in=newest, recorded_at__lte=at).values(
        "agency_id", "resource_id", "score", "dimensions", "rows_accepted"
    )
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["agency_id"]].append(dict(row))
    return found


def _orders(today: date) -> dict[str, dict[str, int]]:
    """Per agency: orders open, late and closed."""
    rows = Order.objects.values("agency_id").annotate(
        open=Count("id", filter=Q(state=OrderState.OPEN)),
        late=Count("id", filter=Q(state=OrderState.OPEN, case__due_on__lt=today)),
        closed=Count("id", filter=Q(state=OrderState.CLOSED)),
    )
    return {row["agency_id"]: {name: row[name] for name in ("open", "late", "closed")} for row in rows}


def _trends(now: datetime) -> dict[str, list[tuple[str, float]]]:
    """Per agency and month, the mean of all its reports' scores."""
    rows = Report.objects.filter(recorded_at__gte=now - timedelta(days=31 * TREND_MONTHS)).annotate(
        month=TruncMonth("recorded_at")
    )
    scores: dict[tuple[str, str], list[float]] = defaultdict(list)
    for agency_id, month, score in rows.values_list("agency_id", "month", "score"):
        scores[agency_id, f"{month:%Y-%m}"].append(score)
    trends: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for (agency_id, month), values in sorted(scores.items()):
        trends[agency_id].append((month, _mean(values)))
    return trends


def _dimensions(reports: list[dict[str, Any]]) -> dict[str, float]:
    return {
        dimension.value: _mean(scores)
        for dimension in Dimension
        if (scores := [r["dimensions"][dimension.value] for r in reports if dimension.value in r["dimensions"]])
    }


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return round(sum(numbers) / len(numbers), 2) if numbers else 0.0
