"""Grants and usage as the pages show them: words, tags, bars. No rule is made here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from datong.catalog.values import Column, DataContract
from datong.catalog.words import Mask as MaskName
from datong.exchange.contracts import GrantColumn, Mode, Treatment
from datong.exchange.requests import GrantState, GrantView, UsageDay, UsageRow
from datong.exchange.service.receipts import ReceiptCheck
from datong.exchange.web.forms import MODE_TITLES, TREATMENT_TITLES
from datong.kernel import clock
from datong.kernel.limits import GRANT_RATE_PER_MINUTE_DEFAULT
from datong.privacy.masks import MASKS
from datong.ui.web.charts import Chart
from datong.ui.web.words import pick, zh_en

SOON_DAYS_MAX = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLine:
    """One granted column: how much of it is given, and what that looks like."""

    name: str
    title: str
    grade: int
    treatment: tuple[str, str]
    looks: str
    is_masked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptLine:
    usage: UsageRow
    mode: tuple[str, str]
    result: str
    is_refused: bool


def access_lines(columns: Sequence[GrantColumn], modes: Sequence[Mode], contract: DataContract) -> list[AccessLine]:
    known = {column.name: column for column in contract.columns}
    lines = []
    for column in columns:
        described = known.get(column.name)
        looks = _looks(column, modes, described)
        lines.append(
            AccessLine(
                name=column.name,
                title=pick(described.title, described.title_en) if described else column.name,
                grade=described.grade if described else 0,
                treatment=TREATMENT_TITLES[column.treatment],
                looks=looks,
                is_masked=column.treatment is Treatment.MASKED,
            )
        )
    return lines


def _looks(column: GrantColumn, modes: Sequence[Mode], described: Column | None) -> str:
    """What a caller gets of a column. Without a mode that returns rows, even a plain one is only compared."""
    if column.treatment is Treatment.MASKED:
        name = column.mask or (described.mask if described else "")
        mask = MASKS.get(MaskName(name)) if name else None
        return pick(mask.title_zh, mask.title_en) if mask else ""
    if column.treatment is Treatment.COMPARE or Mode.BATCH not in modes:
        return zh_en("符合／不符", "match / differ")
    return zh_en("原值", "the value")


def cap_words(daily_cap: int, rate_per_minute: int) -> str:
    """How often it may be used. The platform's own limit is no number that anybody chose, so it is named instead."""
    daily = (
        zh_en("每日不超过{n}次", "At most {n} a day", n=f"{daily_cap:,}")
        if daily_cap
        else zh_en("不设每日上限", "No daily cap")
    )
    if rate_per_minute >= GRANT_RATE_PER_MINUTE_DEFAULT:
        rate = zh_en("频次按平台上限", "rate up to the platform limit")
    else:
        rate = zh_en("每分钟不超过{n}次", "at most {n} a minute", n=f"{rate_per_minute:,}")
    return zh_en("{daily}，{rate}", "{daily}, {rate}", daily=daily, rate=rate)


def grant_tag(grant: GrantView) -> tuple[str, str]:
    """The class and the word of a grant's state."""
    if grant.state is GrantState.REVOKED:
        return "bad", zh_en("已撤销", "Revoked")
    if grant.state is GrantState.REVOKING:
        return "warn", zh_en("正在撤销", "Being revoked")
    if grant.is_expired:
        return "warn", zh_en("已到期", "Expired")
    if grant.served_at is None:
        return "ac", zh_en("已授权，正在发布", "Granted, being served")
    return "ok", zh_en("生效中", "In force")


def grant_remaining_days(grant: GrantView) -> int:
    """Whole days until the grant ends; 0 once it has."""
    return max(0, (grant.valid_until - clock.now()).days)


def grant_proof(log_index: int | None) -> tuple[str, str]:
    """The tally of a grant: its approval's place in the log, or that it is on its way there."""
    if log_index is None:
        return "pending", zh_en("正在入链", "not yet on the log")
    return "recorded", zh_en("入链 {n}", "log {n}", n=f"{log_index:,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptFacts:
    """An entry of the log as the receipt page words it."""

    mode: tuple[str, str]
    items_count: int
    fields: str
    is_refused: bool
    code: str


def receipt_facts(check: ReceiptCheck) -> ReceiptFacts:
    entry = check.entry
    titles = {mode.value: title for mode, title in MODE_TITLES.items()}
    is_refused = entry["kind"] == "refused"
    return ReceiptFacts(
        mode=titles.get(entry["facts"].get("mode", "") if is_refused else entry["kind"], ("—", "—")),
        items_count=int(entry["facts"].get("items", 0)),
        fields=", ".join(entry["fields"]),
        is_refused=is_refused,
        code=entry["outcome"],
    )


def usage_chart(days: Sequence[UsageDay]) -> Chart:
    return Chart(
        title=str(zh_en("近14日用量", "Use in the last 14 days")),
        kind="bar",
        stack=True,
        unit=str(zh_en("次", "calls")),
        floor=0,
        columns=tuple(
            str(text)
            for text in (
                zh_en("日期", "Day"),
                zh_en("核验", "Verify"),
                zh_en("批量", "Batch"),
                zh_en("拒绝", "Refused"),
            )
        ),
        rows=tuple((f"{d.day:%m-%d}", d.verify_items, d.batch_downloads, d.refusals) for d in days),
    )


def receipt_lines(rows: Sequence[UsageRow]) -> list[ReceiptLine]:
    return [_receipt_line(row) for row in rows]


def _receipt_line(row: UsageRow) -> ReceiptLine:
    is_refused = row.mode == "refused"
    if is_refused:
        result: str = zh_en("拒绝：{code}", "Refused: {code}", code=row.code or row.outcome)
    elif row.mode == Mode.VERIFY.value:
        parts = [
            (row.match_count, zh_en("符合 {n}", "match {n}", n=row.match_count)),
            (row.differ_count, zh_en("不符 {n}", "differ {n}", n=row.differ_count)),
            (row.unknown_count, zh_en("查无 {n}", "unknown {n}", n=row.unknown_count)),
        ]
        result = zh_en("，", ", ").join(text for count, text in parts if count) or zh_en("已答复", "answered")
    else:
        result = zh_en("已下载", "downloaded")
    titles = {mode.value: title for mode, title in MODE_TITLES.items()}
    mode = titles.get(row.wanted_mode if is_refused else row.mode, ("—", "—"))
    return ReceiptLine(usage=row, mode=mode, result=str(result), is_refused=is_refused)
