"""A run as its report shows it: steps, dimensions, reasons. No rule is made here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datong.catalog.values import DataContract
from datong.collect.contracts import QuarantinedRow, RunState, RunStep, RunView
from datong.quality.contracts import DIMENSION_TITLES
from datong.ui.web.charts import Chart
from datong.ui.web.words import pick, zh_en

STATE_TAGS: dict[RunState, tuple[str, str, str]] = {
    RunState.RECEIVED: ("ac", "等待检查", "Waiting"),
    RunState.CHECKING: ("ac", "正在检查", "Checking"),
    RunState.COMMITTING: ("ac", "正在入湖", "Committing"),
    RunState.DONE: ("ok", "已入湖", "Accepted"),
    RunState.UNCHANGED: ("", "与上次相同", "Unchanged"),
    RunState.FAILED: ("bad", "未入湖", "Failed"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLine:
    state: str
    title: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionLine:
    """One of the six dimensions: its score, the change since the run before, its worst rule."""

    title: str
    score: float | None
    change: float | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonLine:
    rule: str
    reason: str
    rows: int
    share: float
    is_chosen: bool


def run_tag(run: RunView) -> tuple[str, str]:
    kind, zh, en = STATE_TAGS[run.state]
    return kind, pick(zh, en)


def run_steps(run: RunView) -> list[StepLine]:
    """Steps that are over have a duration; the first without one is going on, or is where the run failed."""
    lines = []
    is_over = False
    for step in run.steps:
        state = "done" if step.seconds is not None else ""
        if step.seconds is None and not is_over:
            state = {RunState.FAILED: "bad", RunState.UNCHANGED: ""}.get(run.state, "" if run.is_final else "now")
            is_over = True
        note = _step_note(step, run)
        if step.seconds:
            note = zh_en("{note}　{s}秒", "{note} · {s} s", note=note, s=_seconds(step.seconds))
        lines.append(StepLine(state=state, title=pick(step.title_zh, step.title_en), note=note))
    return lines


def _step_note(step: RunStep, run: RunView) -> str:
    """What a step came to, in words; nothing before it has happened."""
    if step.seconds is None:
        return ""
    notes: dict[str, str] = {
        "land": zh_en("{n}字节", "{n} bytes", n=f"{run.bytes:,}"),
        "read": zh_en("{n}行，{e}", "{n} rows, {e}", n=f"{run.rows_read:,}", e=run.encoding.upper()),
        "check": zh_en("{n}条规则", "{n} rule|{n} rules", n=len(run.rules)),
        "quarantine": zh_en("{n}行", "{n} row|{n} rows", n=f"{run.rows_quarantined:,}"),
        "commit": zh_en("{n}行", "{n} row|{n} rows", n=f"{run.rows_accepted:,}"),
        "publish": run.version_label or "",
    }
    return notes.get(step.name, step.detail)


def dimension_lines(run: RunView, previous: RunView | None) -> list[DimensionLine]:
    """All six dimensions in GB/T 36344's order; one without a scored rule says so."""
    lines = []
    for dimension, (zh, en) in DIMENSION_TITLES.items():
        score = run.dimensions.get(dimension.value)
        before = previous.dimensions.get(dimension.value) if previous else None
        change = None if score is None or before is None else round(score - before)
        lines.append(
            DimensionLine(title=pick(zh, en), score=score, change=change, note=_worst_rule(run, dimension.value))
        )
    return lines


def _worst_rule(run: RunView, dimension: str) -> str:
    rules: list[Any] = [rule for rule in run.rules if rule.get("dimension") == dimension]
    if not rules:
        return zh_en("没有这一维的规则", "no rule in this dimension")
    worst = max(rules, key=lambda rule: rule.get("rows_bad", 0))
    if not worst.get("rows_bad"):
        return zh_en("{n}条规则全部通过", "its {n} rule holds|all {n} rules hold", n=len(rules))
    return zh_en(
        "{reason} {rows}行",
        "{reason}: {rows} rows",
        reason=pick(worst.get("reason_zh", ""), worst.get("reason_en", "")),
        rows=f"{worst['rows_bad']:,}",
    )


def trend_chart(runs: Sequence[RunView]) -> Chart | None:
    """Total, accuracy and completeness of the last runs, oldest first; nothing for fewer than two."""
    if len(runs) < 2:
        return None
    ordered = list(reversed(runs))
    lowest = min(min([run.score or 0, *run.dimensions.values()]) for run in ordered)
    return Chart(
        title=str(zh_en("近{n}次走势", "The last {n} runs", n=len(ordered))),
        unit=str(zh_en("分", "points")),
        scale=True,
        floor=float(max(0, int(lowest // 10) * 10)),
        columns=tuple(
            str(text)
            for text in (
                zh_en("归集", "Run"),
                zh_en("总分", "Total"),
                zh_en("准确性", "Accuracy"),
                zh_en("完整性", "Completeness"),
            )
        ),
        rows=tuple(
            (
                run.number,
                _rounded(run.score),
                _rounded(run.dimensions.get("accuracy")),
                _rounded(run.dimensions.get("completeness")),
            )
            for run in ordered
        ),
    )


def quarantine_groups(run: RunView, chosen: str) -> list[ReasonLine]:
    """The reasons with their counts, the commonest first, its bar full."""
    most = max((reason.rows for reason in run.reasons), default=1)
    return [
        ReasonLine(
            rule=reason.rule,
            reason=pick(reason.reason_zh, reason.reason_en),
            rows=reason.rows,
            share=100 * reason.rows / most,
            is_chosen=reason.rule == chosen,
        )
        for reason in sorted(run.reasons, key=lambda r: -r.rows)
    ]


def titled_rows(rows: Sequence[QuarantinedRow], contract: DataContract) -> list[tuple[QuarantinedRow, str]]:
    """Each row with the title of its column; a row that has no shape has no column."""
    titles = {column.name: pick(column.title, column.title_en) for column in contract.columns}
    return [(row, titles.get(row.column, "") or row.column) for row in rows]


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value >= 0.05 else f"{value:.2f}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
