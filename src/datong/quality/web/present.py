"""Reports and orders as their pages show them. No rule is made here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from datong.cases.contracts import Deadline
from datong.catalog.values import DataContract
from datong.quality.contracts import DIMENSION_TITLES, RUN_PAGES, LeagueLine, OrderState, OrderView, ReportView
from datong.quality.scoring import grade_titles
from datong.quality.service.orders import ORDER_DAYS
from datong.ui.web.charts import Chart
from datong.ui.web.words import pick, zh_en

SEVERITY_TITLES: Mapping[str, tuple[str, str]] = {
    "blocks": ("停止入湖", "stops the version"),
    "reject": ("隔离该行", "refuses the row"),
    "warn": ("只作提示", "a note"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionLine:
    title: str
    score: float | None
    before: float | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLine:
    """One rule of a report. `tag` is (kind, words) of its verdict; `rows_url` leads to its failing rows."""

    id: str
    column: str
    reason: str
    severity: str
    rows_bad: int
    score: float
    tag: tuple[str, str]
    measured: str
    rows_url: str
    is_waivable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    order: OrderView
    title: str
    agency: str
    reason: str
    severity: str
    tag: tuple[str, str]
    deadline: Deadline
    rows_url: str


def grade_of_report(score: float) -> str:
    return pick(*grade_titles(score))


def dimension_lines(report: ReportView, before: ReportView | None) -> list[DimensionLine]:
    """All six dimensions in GB/T 36344's order, each with its worst rule."""
    lines = []
    for dimension, (zh, en) in DIMENSION_TITLES.items():
        rules = [rule for rule in report.content["rules"] if rule["dimension"] == dimension.value]
        lines.append(
            DimensionLine(
                title=pick(zh, en),
                score=report.dimensions.get(dimension.value),
                before=before.dimensions.get(dimension.value) if before else None,
                note=_worst(rules),
            )
        )
    return lines


def _worst(rules: Sequence[Mapping[str, Any]]) -> str:
    if not rules:
        return zh_en("没有这一维的规则", "no rule in this dimension")
    broken = [rule for rule in rules if rule["is_broken"] and not rule["is_waived"]]
    if not broken:
        return zh_en("{n}条规则全部通过", "its {n} rule holds|all {n} rules hold", n=len(rules))
    worst = max(broken, key=lambda rule: rule["rows_bad"])
    return zh_en(
        "{n}条规则中{b}条不通过，主要：{r}",
        "{b} of {n} rules broken, above all: {r}",
        n=len(rules),
        b=len(broken),
        r=pick(worst["reason_zh"], worst["reason_en"]),
    )


def rule_lines(report: ReportView, contract: DataContract, *, may_waive: bool, may_read_rows: bool) -> list[RuleLine]:
    """Every rule, the broken ones first."""
    titles = {column.name: pick(column.title, column.title_en) for column in contract.columns}
    rules = sorted(report.content["rules"], key=lambda rule: (-rule["is_broken"], -rule["rows_bad"], rule["check_id"]))
    return [
        RuleLine(
            id=rule["check_id"],
            column=titles.get(rule["column"], rule["column"]),
            reason=pick(rule["reason_zh"], rule["reason_en"]),
            severity=pick(*SEVERITY_TITLES["blocks" if rule["blocks"] else rule["severity"]]),
            rows_bad=rule["rows_bad"],
            score=rule["score"],
            tag=_verdict(rule),
            measured="" if rule["measured"] is None else f"{rule['measured']:g}",
            rows_url=rows_url(report.resource_id, report.run_id, rule["check_id"], rule["severity"])
            if rule["rows_bad"] and may_read_rows
            else "",
            is_waivable=may_waive and rule["is_broken"] and not rule["is_waived"] and rule["kind"] != "shape",
        )
        for rule in rules
    ]


def _verdict(rule: Mapping[str, Any]) -> tuple[str, str]:
    if not rule["is_evaluated"]:
        return "", zh_en("未判定", "not evaluated")
    if rule["is_waived"]:
        return "ac", zh_en("已豁免", "waived")
    if rule["is_broken"]:
        return ("bad" if rule["blocks"] or rule["severity"] == "reject" else "warn"), zh_en("不通过", "broken")
    return "ok", zh_en("通过", "holds")


def rows_url(resource_id: str, run: str, rule_id: str, severity: str) -> str:
    """Refused rows are in their run's quarantine, with their lines; rows that were let in are in the version.

    `run` is its id or number. "" where no part shows runs.
    """
    if severity == "warn":
        return reverse("quality:rows", args=[resource_id, rule_id])
    pages, query = RUN_PAGES.values(), urlencode({"rule": rule_id})
    return f"{reverse(pages[0], args=[run])}?{query}#quarantine" if pages else ""


def order_lines(orders: Sequence[OrderView]) -> list[OrderLine]:
    return [
        OrderLine(
            order=order,
            title=pick(order.resource_title, order.resource_title_en),
            agency=pick(order.agency_name, order.agency_name_en),
            reason=pick(order.reason_zh, order.reason_en),
            severity=pick(*SEVERITY_TITLES.get(order.severity, (order.severity, order.severity))),
            tag=_order_tag(order),
            deadline=deadline_of_order(order),
            rows_url=rows_url(order.resource_id, order.last_run, order.rule_id, order.severity)
            if order.rows_bad
            else "",
        )
        for order in orders
    ]


def _order_tag(order: OrderView) -> tuple[str, str]:
    if order.state is OrderState.CLOSED:
        return "ok", zh_en("已整改", "mended")
    if order.state is OrderState.WITHDRAWN:
        return "", zh_en("已撤回", "withdrawn")
    return ("bad", zh_en("已逾期", "overdue")) if order.is_late else ("ac", zh_en("待整改", "to mend"))


def deadline_of_order(order: OrderView) -> Deadline:
    allowance = ORDER_DAYS.get(order.severity, 0)
    return Deadline(
        due_on=order.due_on,
        allowance_days=allowance,
        used_days=allowance - order.left_days,
        left_days=order.left_days,
        stopped=order.state is not OrderState.OPEN,
    )


def trend_chart(reports: Sequence[ReportView]) -> Chart | None:
    """Total, accuracy and completeness of the last versions, oldest first; nothing for fewer than two."""
    if len(reports) < 2:
        return None
    lowest = min(min([report.score, *report.dimensions.values()]) for report in reports)
    heads = (
        zh_en("版本", "Version"),
        zh_en("总分", "Total"),
        zh_en("准确性", "Accuracy"),
        zh_en("完整性", "Completeness"),
    )
    return Chart(
        title=str(zh_en("近{n}个版本走势", "The last {n} versions", n=len(reports))),
        unit=str(zh_en("分", "points")),
        scale=True,
        floor=float(max(0, int(lowest // 10) * 10)),
        columns=tuple(map(str, heads)),
        rows=tuple(
            (
                report.version_label,
                round(report.score, 1),
                _rounded(report.dimensions.get("accuracy")),
                _rounded(report.dimensions.get("completeness")),
            )
            for report in reports
        ),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def league_lines(lines: Sequence[LeagueLine]) -> list[dict[str, Any]]:
    """Each agency with its place; equal scores share a place."""
    shown: list[dict[str, Any]] = []
    for i, line in enumerate(lines):
        place = shown[-1]["place"] if i and lines[i - 1].score == line.score else i + 1
        shown.append(
            {
                "place": place,
                "line": line,
                "agency": pick(line.agency_name, line.agency_name_en),
                "grade": grade_of_report(line.score),
                "spark": [score for _, score in line.trend],
            }
        )
    return shown
