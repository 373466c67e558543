"""The request form: what a person types, as a RequestDraft; what the rules found, beside its field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.http import QueryDict

from datong.catalog import words
from datong.exchange.contracts import GrantColumn, Mode, RowCondition, Treatment
from datong.exchange.model import OFFERED_MODES, OfferedColumn
from datong.exchange.requests import RequestDraft, RequestFinding
from datong.kernel import clock
from datong.kernel.identity.contracts import SystemSummary
from datong.kernel.ids import ResourceId, SystemId
from datong.kernel.limits import GRANT_DAYS_MAX, GRANT_RATE_PER_MINUTE_DEFAULT
from datong.ui.web.words import is_chinese

PERIOD_DAYS_SUGGESTED = 180
SENSITIVE_GRADE_MIN = 3
"""From this grade a mask is suggested where the contract has one."""

TREATMENT_TITLES: Mapping[Treatment, tuple[str, str]] = {
    Treatment.COMPARE: ("只比对，不返回", "Compared only"),
    Treatment.PLAIN: ("原值", "As it is"),
    Treatment.MASKED: ("掩码后返回", "Returned masked"),
}
MODE_TITLES: Mapping[Mode, tuple[str, str]] = {Mode(mode.value): title for mode, title in words.MODE_TITLES.items()}
MODE_HELP: Mapping[Mode, tuple[str, str]] = {
    Mode.VERIFY: ("你送出值，只得到“符合”或“不符”", "You send values and learn only whether they match"),
    Mode.BATCH: ("取回一份经筛选、掩码的文件", "You fetch one file, filtered and masked"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnLine:
    """One row of the form's column table."""

    column: OfferedColumn
    title: tuple[str, str]
    treatments: tuple[tuple[Treatment, tuple[str, str]], ...]
    is_chosen: bool
    treatment: Treatment


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeChoice:
    mode: Mode
    title: tuple[str, str]
    help: tuple[str, str]
    is_chosen: bool


@dataclass(slots=True, kw_only=True)
class RequestForm:
    """The form's values as text, so that nothing typed is lost when it comes back with findings."""

    lines: tuple[ColumnLine, ...]
    modes: tuple[ModeChoice, ...]
    systems: Sequence[SystemSummary]
    values: dict[str, str]
    errors: dict[str, list[str]] = field(default_factory=dict)
    last_day: date

    def mark(self, findings: Sequence[RequestFinding]) -> None:
        for finding in findings:
            self.errors.setdefault(finding.field, []).append(finding.message_zh if is_chinese() else finding.message)


def possible_treatments(column: OfferedColumn) -> tuple[Treatment, ...]:
    """What may be asked for with this column, the most sparing first."""
    if column.is_withheld:
        return ()
    found = [Treatment.COMPARE] if column.may_be_claimed or column.is_key else []
    if column.mask not in ("", "none"):
        found.append(Treatment.MASKED)
    return (*found, Treatment.PLAIN)


def build_form(
    columns: Mapping[str, OfferedColumn],
    modes: frozenset[Mode],
    systems: Sequence[SystemSummary],
    data: QueryDict | None,
    titles: Mapping[str, tuple[str, str]],
) -> RequestForm:
    """The form as first shown, or as it was sent. `titles` are the columns' Chinese and English names."""
    today = clock.today()
    offered = [mode for mode in OFFERED_MODES if mode in modes]
    chosen_modes = set(data.getlist("modes")) if data is not None else {mode.value for mode in offered[:1]}
    chosen_columns = (
        set(data.getlist("columns")) if data is not None else {c.name for c in columns.values() if c.is_key}
    )
    names: tuple[str, ...] = (
        "system",
        "purpose",
        "purpose_title",
        "legal_basis",
        "valid_until",
        "daily_cap",
        "rate_per_minute",
    )
    names += ("row_column", "row_operator", "row_value")
    defaults = {
        "valid_until": (today + timedelta(days=PERIOD_DAYS_SUGGESTED)).isoformat(),
        "rate_per_minute": str(GRANT_RATE_PER_MINUTE_DEFAULT),
        "daily_cap": "0",
        "row_operator": "=",
    }
    return RequestForm(
        lines=tuple(_line(column, titles[column.name], data, chosen_columns) for column in columns.values()),
        modes=tuple(
            ModeChoice(
                mode=mode,
                title=MODE_TITLES[mode],
                help=MODE_HELP.get(mode, ("", "")),
                is_chosen=mode.value in chosen_modes,
            )
            for mode in offered
        ),
        systems=systems,
        values={name: (data.get(name, "") if data is not None else defaults.get(name, "")) for name in names},
        last_day=today + timedelta(days=GRANT_DAYS_MAX),
    )


def _line(column: OfferedColumn, title: tuple[str, str], data: QueryDict | None, chosen: set[str]) -> ColumnLine:
    possible = possible_treatments(column)
    suggested = possible[0] if possible else Treatment.PLAIN
    asked = data.get(f"treatment.{column.name}", "") if data is not None else ""
    treatment = Treatment(asked) if asked in {t.value for t in possible} else suggested
    return ColumnLine(
        column=column,
        title=title,
        treatments=tuple((t, TREATMENT_TITLES[t]) for t in possible),
        is_chosen=column.name in chosen and bool(possible),
        treatment=treatment,
    )


def read_draft(resource_id: ResourceId, data: QueryDict) -> tuple[RequestDraft | None, list[RequestFinding]]:
    """The draft that was sent, or findings about what could not be read as a date, a number or a choice."""
    findings: list[RequestFinding] = []
    try:
        valid_until = date.fromisoformat(data.get("valid_until", ""))
    except ValueError:
        valid_until = clock.today()
        findings.append(_unreadable("valid_until", "Give a date as YYYY-MM-DD.", "请按 YYYY-MM-DD 填写日期。"))
    numbers = {}
    for name in ("daily_cap", "rate_per_minute"):
        text = data.get(name, "").strip() or "0"
        numbers[name] = int(text) if text.isdecimal() else 0
        if not text.isdecimal():
            findings.append(_unreadable(name, "Give a whole number.", "请填写整数。"))
    if not data.get("system"):
        findings.append(_unreadable("system", "Choose the system that will use it.", "请选择使用数据的应用系统。"))
    known = {mode.value for mode in Mode}
    if findings:
        return None, findings
    draft = RequestDraft(
        resource_id=resource_id,
        system_id=SystemId(data.get("system", "")),
        modes=tuple(Mode(name) for name in data.getlist("modes") if name in known),
        columns=tuple(
            GrantColumn(name=name, treatment=_treatment(data.get(f"treatment.{name}", "")))
            for name in data.getlist("columns")
        ),
        rows=_rows(data),
        purpose=data.get("purpose", "").strip(),
        purpose_title=data.get("purpose_title", "").strip(),
        legal_basis=data.get("legal_basis", "").strip(),
        valid_until=valid_until,
        **numbers,
    )
    return draft, []


def _treatment(text: str) -> Treatment:
    return Treatment(text) if text in {t.value for t in Treatment} else Treatment.PLAIN


def _rows(data: QueryDict) -> tuple[RowCondition, ...]:
    column, value = data.get("row_column", ""), data.get("row_value", "").strip()
    if not column:
        return ()
    operator = data.get("row_operator", "=")
    values = tuple(v.strip() for v in value.replace("，", ",").split(",")) if operator == "in" else (value,)
    return (RowCondition(column=column, operator=operator, values=tuple(v for v in values if v)),)


def _unreadable(name: str, message: str, message_zh: str) -> RequestFinding:
    return RequestFinding(field=name, message=message, message_zh=message_zh)
