"""A run as its report shows it: steps, dimensions, reasons. No rule is made here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datong.catalog.values import DataContract
from datong.collect.cleaning import STEP_TITLES
from datong.collect.contracts import CellChange, QuarantinedRow, RunState, RunStep, RunView
from datong.collect.reconcile import DIFFERENCE_TITLES
from datong.kernel.jobs.contracts import JobView
from datong.quality.contracts import DIMENSION_TITLES
from datong.ui.templatetags.datong_ui import number, seconds, size
from datong.ui.web.charts import Chart
from datong.ui.web.words import pick, zh_en

STATE_TAGS: dict[RunState, tuple[str, str, str]] = {
    RunState.RECEIVED: ("ac", "等待检查", "Queued"),
    RunState.CHECKING: ("ac", "正在检查", "Checking"),
    RunState.COMMITTING: ("ac", "正在入湖", "Committing"),
    RunState.BLOCKED: ("warn", "等待处理", "Needs a decision"),
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
class ProgressLine:
    """How far a run is. `done` and `total` are bytes or rows; None where only that it goes on is known."""

    title: str
    counted: str
    rest: str
    done: int | None
    total: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """One point of the sender's bill beside what arrived."""

    title: str
    billed: str
    found: str
    differs: bool


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
            stopped = {RunState.FAILED: "bad", RunState.BLOCKED: "bad", RunState.UNCHANGED: ""}
            state = stopped.get(run.state, "" if run.is_final else "now")
            is_over = True
        note = _step_note(step, run)
        if state == "bad" and run.state is RunState.BLOCKED:
            note = zh_en("等待处理", "needs a decision")
        if step.seconds:
            note = zh_en("{note}　{s}秒", "{note} · {s} s", note=note, s=_seconds(step.seconds))
        lines.append(StepLine(state=state, title=pick(step.title_zh, step.title_en), note=note))
    return lines


STEP_WORDS: dict[str, tuple[str, str]] = {
    "read": ("正在识别文件", "Recognising the file"),
    "check": ("正在逐行校验", "Checking every row"),
    "quarantine": ("正在隔离不合格的行", "Setting aside what failed"),
    "commit": ("正在写入数据湖", "Writing to the lake"),
    "publish": ("正在发布", "Publishing"),
}
_BY_BYTES = frozenset({"read", "check", "quarantine"})


def progress_line(run: RunView, job: JobView | None, elapsed_s: float) -> ProgressLine:
    """The step with bytes or rows done of so many, and how long the rest will take at the pace so far."""
    if job is None or not job.total or job.note not in STEP_WORDS:
        waiting = zh_en("排队等待", "Waiting in the queue") if run.state is RunState.RECEIVED else run.filename
        return ProgressLine(title=waiting, counted="", rest="", done=None, total=None)
    done, total = job.done, job.total
    if job.note in _BY_BYTES:
        counted = zh_en("{a} / {b}", "{a} of {b}", a=size(done), b=size(total))
    else:
        counted = zh_en("{b}行", "{b} rows", b=number(total))
    rest = ""
    if job.note == "check" and 0 < done < total and elapsed_s >= 1:
        rest = zh_en(
            "{r}/秒，约剩{s}",
            "{r}/s, about {s} left",
            r=size(int(done / elapsed_s)),
            s=seconds(elapsed_s * (total - done) / done),
        )
    is_known = job.note in _BY_BYTES and done > 0
    return ProgressLine(
        title=pick(*STEP_WORDS[job.note]),
        counted=counted,
        rest=rest,
        done=done if is_known else None,
        total=total if is_known else None,
    )


def bill_lines(run: RunView) -> list[BillLine]:
    """Every point of the bill: what was billed, what arrived, whether they differ. Empty without a bill."""
    if run.bill is None:
        return []
    differing = {(each.what, each.column): each for each in run.bill_differences}
    points: list[tuple[str, str, str]] = []
    if run.bill.rows is not None:
        points.append(("rows", "", f"{run.bill.rows:,}"))
    if run.bill.bytes is not None:
        points.append(("bytes", "", f"{run.bill.bytes:,}"))
    if run.bill.sha256:
        points.append(("sha256", "", run.bill.sha256))
    points += [("sum", column, f"{value:,}") for column, value in run.bill.sums.items()]
    points += [("distinct", column, f"{value:,}") for column, value in run.bill.distinct.items()]
    was_compared = run.rows_read > 0
    lines = []
    for what, column, billed in points:
        found = differing.get((what, column))
        shown = _grouped(found.found) if found else (billed if was_compared else "")
        told = [f"{text[:12]}…" if what == "sha256" and text else text for text in (billed, shown)]
        title = pick(*DIFFERENCE_TITLES[what])
        lines.append(
            BillLine(
                title=f"{column} {title}" if column else title,
                billed=told[0],
                found=told[1],
                differs=found is not None,
            )
        )
    return lines


def _grouped(figure: str) -> str:
    """A whole number with its thousands apart, as the bill's own figures stand beside it; anything else as it is."""
    return f"{int(figure):,}" if figure.isdecimal() and len(figure) < BILL_DIGITS_MAX else figure


def change_lines(run: RunView, contract: DataContract) -> list[tuple[str, str, int]]:
    """Column, step and number of cells that each cleaning step changed, in the contract's order."""
    titles = {column.name: pick(column.title, column.title_en) or column.name for column in contract.columns}
    return [
        (titles.get(each.column, each.column), pick(*STEP_TITLES.get(each.step, (each.step, each.step))), each.changed)
        for each in run.changes
    ]


BILL_DIGITS_MAX = 30
WRITTEN_WORDS: dict[str, tuple[str, str]] = {
    "unchanged": ("未变 {n}", "{n} unchanged"),
    "updated": ("修改 {n}", "{n} changed"),
    "inserted": ("新增 {n}", "{n} added"),
    "deleted": ("删除 {n}", "{n} removed"),
    "late": ("迟到 {n}", "{n} late"),
}


def written_note(run: RunView) -> str:
    """What the version changed in the table, in words."""
    parts = [
        pick(zh, en).format(n=number(run.written[name]))
        for name, (zh, en) in WRITTEN_WORDS.items()
        if run.written.get(name)
    ]
    return pick("　", ", ").join(parts)


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
        "{reason} {n}行",
        "{reason}: {n} row|{reason}: {n} rows",
        reason=pick(worst.get("reason_zh", ""), worst.get("reason_en", "")),
        n=f"{worst['rows_bad']:,}",
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


def titled_changes(changes: Sequence[CellChange], contract: DataContract) -> list[tuple[CellChange, str]]:
    """Each changed cell with the title of its column."""
    titles = {column.name: pick(column.title, column.title_en) for column in contract.columns}
    return [(change, titles.get(change.column, "") or change.column) for change in changes]


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value >= 0.05 else f"{value:.2f}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
