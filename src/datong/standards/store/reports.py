"""Reports on conformance: kept once, read by number."""

from __future__ import annotations

from dataclasses import asdict, fields

from datong.standards.contracts import KeptReport
from datong.standards.store.models import ConformanceReportRow


def insert_report(report: KeptReport) -> None:
    """Within the caller's action."""
    ConformanceReportRow.objects.create(**asdict(report))


def find_reports(subject: str, limit: int) -> list[KeptReport]:
    """Newest first."""
    return [_view(row) for row in ConformanceReportRow.objects.filter(subject=subject).order_by("-issued_at")[:limit]]


def find_report(subject: str, number: str) -> KeptReport | None:
    row = ConformanceReportRow.objects.filter(subject=subject, number=number).first()
    return _view(row) if row else None


def _view(row: ConformanceReportRow) -> KeptReport:
    values = {each.name: getattr(row, each.name) for each in fields(KeptReport)}
    return KeptReport(**{**values, "pdf": bytes(row.pdf) if row.pdf is not None else None})
