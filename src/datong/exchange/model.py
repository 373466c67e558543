"""The rules of requests and grants as pure functions: what may be asked, what an approval gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from datong.exchange.contracts import GrantColumn, GrantTerms, Mode, RowCondition, Treatment
from datong.exchange.requests import GrantTampered, RequestDraft, RequestFinding, RequestInvalid
from datong.exchange.serving.macs import CANONICAL
from datong.kernel.clock import CIVIL_ZONE
from datong.kernel.limits import (
    GRANT_DAYS_MAX,
    GRANT_RATE_PER_MINUTE_DEFAULT,
    GRANT_ROW_CONDITIONS_MAX,
    GRANT_ROW_VALUE_CHARACTERS_MAX,
    GRANT_ROW_VALUES_MAX,
    PURPOSE_CHARACTERS_MAX,
    REQUEST_TEXT_CHARACTERS_MAX,
    REQUEST_TEXT_CHARACTERS_MIN,
)

OFFERED_MODES = (Mode.VERIFY, Mode.BATCH)
"""The modes that can be granted now; the others join with their own data planes."""

ROW_OPERATORS: Mapping[str, str] = {
    "=": "{column} = {value}",
    ">=": "{column} >= {value}",
    "<=": "{column} <= {value}",
    "starts": "starts_with({column}, {value})",
    "in": "{column} in ({values})",
}
"""What a row condition may say, as SQL with bound values. A closed list: no condition is ever SQL text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedColumn:
    """What the exchange needs to know of a contract's column."""

    name: str
    title: str
    is_key: bool
    is_withheld: bool
    withheld_basis: str
    may_be_claimed: bool
    grade: int
    mask: str
    logical_type: str = "string"


def check_request(
    draft: RequestDraft, offered: Mapping[str, OfferedColumn], modes: frozenset[Mode], today: date
) -> None:
    """RequestInvalid with every finding, or nothing."""
    findings = [
        *_check_modes(draft, modes),
        *_check_columns(draft, offered),
        *_check_rows(draft, offered),
        *_check_words(draft),
        *_check_period(draft, today),
    ]
    if findings:
        raise RequestInvalid(findings)


def _finding(field: str, message: str, message_zh: str) -> RequestFinding:
    return RequestFinding(field=field, message=message, message_zh=message_zh)


def _check_modes(draft: RequestDraft, modes: frozenset[Mode]) -> Iterator[RequestFinding]:
    if not draft.modes:
        yield _finding("modes", "Choose at least one mode.", "请至少选择一种使用方式。")
    for mode in draft.modes:
        if mode not in OFFERED_MODES or mode not in modes:
            offered = [m.value for m in OFFERED_MODES if m in modes]
            yield _finding(
                "modes",
                f"The resource does not offer {mode.value}; it offers {', '.join(offered) or 'nothing'}.",
                f"该资源不提供“{mode.value}”方式，可选：{'、'.join(offered) or '无'}。",
            )


def _check_columns(draft: RequestDraft, offered: Mapping[str, OfferedColumn]) -> Iterator[RequestFinding]:
    names = [column.name for column in draft.columns]
    if not names:
        yield _finding("columns", "Choose at least one column.", "请至少选择一个数据项。")
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield _finding("columns", f"Column {name} is named twice.", f"数据项 {name} 重复。")
    for column in draft.columns:
        known = offered.get(column.name)
        if known is None:
            yield _finding("columns", f"The resource has no column {column.name}.", f"该资源没有数据项 {column.name}。")
            continue
        if known.is_withheld:
            yield _finding(
                "columns",
                f"Column {column.name} is withheld under {known.withheld_basis}.",
                f"数据项“{known.title}”依据{known.withheld_basis}不予共享。",
            )
        if column.treatment is Treatment.MASKED and not known.mask:
            yield _finding("columns", f"Column {column.name} has no mask.", f"数据项“{known.title}”没有脱敏方式。")
        if column.treatment is Treatment.COMPARE and not (known.may_be_claimed or known.is_key):
            yield _finding(
                "columns", f"Column {column.name} cannot be verified.", f"数据项“{known.title}”不支持核验比对。"
            )
    if Mode.VERIFY in draft.modes:
        for key in offered.values():
            if key.is_key and key.name not in names:
                yield _finding(
                    "columns", f"Verifying needs the key column {key.name}.", f"核验须包含主键“{key.title}”。"
                )
    if Mode.BATCH in draft.modes and all(c.treatment is Treatment.COMPARE for c in draft.columns):
        yield _finding(
            "columns", "A batch file needs a column that leaves.", "批量方式至少要有一个返回原值或脱敏值的数据项。"
        )


def _check_rows(draft: RequestDraft, offered: Mapping[str, OfferedColumn]) -> Iterator[RequestFinding]:
    if len(draft.rows) > GRANT_ROW_CONDITIONS_MAX:
        yield _finding(
            "rows", f"At most {GRANT_ROW_CONDITIONS_MAX} conditions.", f"行范围最多{GRANT_ROW_CONDITIONS_MAX}个条件。"
        )
    for row in draft.rows[:GRANT_ROW_CONDITIONS_MAX]:
        known_column = offered.get(row.column)
        if known_column is None:
            yield _finding("rows", f"The resource has no column {row.column}.", f"该资源没有数据项 {row.column}。")
        else:
            yield from _check_condition(row, known_column)
        if row.operator not in ROW_OPERATORS:
            known = ", ".join(ROW_OPERATORS)
            yield _finding("rows", f"Use one of {known}, not {row.operator}.", f"条件只能用 {known}。")
        if not row.values or (row.operator != "in" and len(row.values) != 1):
            yield _finding("rows", f"The condition on {row.column} needs its value.", f"{row.column} 的条件缺少取值。")
    if draft.rows and Mode.VERIFY in draft.modes:
        yield _finding(
            "rows",
            "Row conditions hold for batch; ask for verify in a request of its own.",
            "行范围只适用于批量方式，核验请另行申请。",
        )


def _check_condition(row: RowCondition, column: OfferedColumn) -> Iterator[RequestFinding]:
    """Which rows come tells what they hold, so a withheld column bounds nothing; values are of the column's type."""
    if column.is_withheld:
        yield _finding(
            "rows",
            f"Column {column.name} is withheld under {column.withheld_basis}.",
            f"数据项“{column.title}”依据{column.withheld_basis}不予共享，不能作为条件。",
        )
    if len(row.values) > GRANT_ROW_VALUES_MAX or any(len(v) > GRANT_ROW_VALUE_CHARACTERS_MAX for v in row.values):
        yield _finding(
            "rows",
            f"At most {GRANT_ROW_VALUES_MAX} values of {GRANT_ROW_VALUE_CHARACTERS_MAX} characters.",
            f"每个条件最多{GRANT_ROW_VALUES_MAX}个取值，每个最长{GRANT_ROW_VALUE_CHARACTERS_MAX}字。",
        )
    elif row.operator != "starts" and not all(is_value_of(value, column.logical_type) for value in row.values):
        yield _finding(
            "rows",
            f"Column {column.name} holds {column.logical_type}: give values of that type, dates as YYYY-MM-DD.",
            f"数据项“{column.title}”的类型为 {column.logical_type}，请按该类型填写，日期写作 YYYY-MM-DD。",
        )


def is_value_of(value: str, logical_type: str) -> bool:
    """Whether a condition's value can be compared with a column of this type; an integer has 64 bits."""
    if "\0" in value:
        return False
    try:
        text = CANONICAL[logical_type](value).decode()
        return logical_type != "integer" or -(2**63) <= int(text) < 2**63
    except ValueError:
        return False


def _check_words(draft: RequestDraft) -> Iterator[RequestFinding]:
    if not draft.purpose.isascii() or not draft.purpose.replace("_", "").isalnum():
        yield _finding(
            "purpose", "The purpose code has letters, digits and underscores.", "用途代码只含字母、数字和下划线。"
        )
    if len(draft.purpose) > PURPOSE_CHARACTERS_MAX:
        yield _finding(
            "purpose", f"At most {PURPOSE_CHARACTERS_MAX} characters.", f"最多{PURPOSE_CHARACTERS_MAX}个字符。"
        )
    for field, text, title in (
        ("purpose_title", draft.purpose_title, "用途"),
        ("legal_basis", draft.legal_basis, "依据"),
    ):
        if len(text.strip()) < REQUEST_TEXT_CHARACTERS_MIN:
            yield _finding(
                field,
                f"Write the {field.replace('_', ' ')} in at least {REQUEST_TEXT_CHARACTERS_MIN} characters.",
                f"请写明{title}（至少{REQUEST_TEXT_CHARACTERS_MIN}个字）。",
            )
        if len(text) > REQUEST_TEXT_CHARACTERS_MAX:
            yield _finding(field, f"At most {REQUEST_TEXT_CHARACTERS_MAX} characters.", f"{title}过长。")


def _check_period(draft: RequestDraft, today: date) -> Iterator[RequestFinding]:
    last = today + timedelta(days=GRANT_DAYS_MAX)
    if not today <= draft.valid_until <= last:
        yield _finding(
            "valid_until",
            f"A grant ends between today and {last}, {GRANT_DAYS_MAX} days at most.",
            f"使用期限应在今天至{last}之间，最长{GRANT_DAYS_MAX}天。",
        )
    if not 0 < draft.rate_per_minute <= GRANT_RATE_PER_MINUTE_DEFAULT:
        yield _finding(
            "rate_per_minute",
            f"The rate is from 1 to {GRANT_RATE_PER_MINUTE_DEFAULT} a minute.",
            f"每分钟频次应在1至{GRANT_RATE_PER_MINUTE_DEFAULT}之间。",
        )
    if draft.daily_cap < 0:
        yield _finding("daily_cap", "The daily cap is 0 (none) or more.", "每日上限不能为负。")


def end_of_civil_day(day: date) -> datetime:
    """The first instant after a civil day in China: a grant until the 31st holds all of the 31st."""
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=CIVIL_ZONE)


def terms_of(
    draft: RequestDraft, *, grant_id: str, number: str, masks: Mapping[str, str], valid_from: datetime
) -> GrantTerms:
    """What an approval gives: the draft as asked, with the masks that the contract names now."""
    columns = tuple(
        GrantColumn(
            name=column.name,
            treatment=column.treatment,
            mask=masks.get(column.name, "all") if column.treatment is Treatment.MASKED else "",
        )
        for column in draft.columns
    )
    return GrantTerms(
        grant_id=grant_id,
        number=number,
        system_id=draft.system_id,
        resource_id=draft.resource_id,
        purpose=draft.purpose,
        modes=draft.modes,
        columns=columns,
        rows=draft.rows,
        valid_from_ms=int(valid_from.timestamp() * 1000),
        valid_until_ms=int(end_of_civil_day(draft.valid_until).timestamp() * 1000),
        rate_per_minute=draft.rate_per_minute,
        daily_cap=draft.daily_cap,
    )


def checked_terms(plain: Mapping[str, Any], digest: str) -> GrantTerms:
    """Stored terms that are still those that were approved. Raises GrantTampered."""
    terms = terms_from_plain(plain)
    if terms.digest != digest:
        raise GrantTampered(grant=terms.number)
    return terms


def terms_from_plain(plain: Mapping[str, Any]) -> GrantTerms:
    """GrantTerms back from their stored JSON; its digest must not change on the way."""
    return GrantTerms(
        **{
            **plain,
            "modes": tuple(Mode(mode) for mode in plain["modes"]),
            "columns": columns_from_plain(plain["columns"]),
            "rows": rows_from_plain(plain["rows"]),
        }
    )


def draft_from_plain(plain: Mapping[str, Any]) -> RequestDraft:
    return RequestDraft(
        **{
            **plain,
            "modes": tuple(Mode(mode) for mode in plain["modes"]),
            "columns": columns_from_plain(plain["columns"]),
            "rows": rows_from_plain(plain["rows"]),
            "valid_until": date.fromisoformat(plain["valid_until"]),
        }
    )


def columns_from_plain(plain: Any) -> tuple[GrantColumn, ...]:
    return tuple(
        GrantColumn(name=c["name"], treatment=Treatment(c["treatment"]), mask=c.get("mask", "")) for c in plain
    )


def rows_from_plain(plain: Any) -> tuple[RowCondition, ...]:
    return tuple(RowCondition(column=r["column"], operator=r["operator"], values=tuple(r["values"])) for r in plain)
