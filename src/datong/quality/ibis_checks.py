"""The checks of a plan as Ibis expressions over a typed table: what runs on any engine of the closed list.

A violation is true where the row breaks the check; NULL counts as "does not break it", as in `sql`, whose hand-written
forms a test holds equal to these row by row. A check that no engine but DuckDB can run is named by `why_duckdb_only`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import ibis  # type: ignore[import-untyped]

from datong.quality import operators as op
from datong.quality.contracts import Check, CheckKind, CheckPlan, ColumnPlan, SetCheck
from datong.quality.expressions import build_condition, is_portable
from datong.quality.sql import EARLIEST_BIRTH

_COMPARE = {"<=": op.at_most, "<": op.less, ">=": op.at_least, ">": op.greater, "=": op.equal, "!=": op.unequal}
_DUCKDB_ONLY_SETS = frozenset({CheckKind.SQL, CheckKind.DRIFT, CheckKind.CROSS_TABLE})


def why_duckdb_only(check: Check) -> tuple[str, str] | None:
    """Why a check cannot leave DuckDB, Chinese and English; None when it can."""
    if check.kind in _DUCKDB_ONLY_SETS:
        return "只能在DuckDB上执行", "DuckDB only"
    if check.kind is CheckKind.DIVISION and check.params.get("as_of_column"):
        return "逐行按日期核对行政区划，只能在DuckDB上执行", "DuckDB only: division codes by each row's own date"
    patterns = [check.params["pattern"]] if check.kind is CheckKind.PATTERN else []
    if not all(op.is_portable_pattern(pattern) for pattern in patterns):
        return "正则表达式各引擎理解不同，只能在DuckDB上执行", "DuckDB only: engines read its pattern differently"
    texts = [check.when, check.exception, check.params.get("text", "") if check.kind is CheckKind.EXPRESSION else ""]
    if not all(is_portable(text) for text in texts if text):
        return (
            "条件中的正则表达式各引擎理解不同，只能在DuckDB上执行",
            "DuckDB only: engines read its pattern differently",
        )
    return None


def violation(check: Check, plan: CheckPlan, table: Any) -> Any:
    """A boolean over `table`, whose columns have the plan's logical types, for a row check or a unique check."""
    broken = _violation(check, plan, table)
    fields = {column.name: table[column.name] for column in plan.columns}
    if check.when:
        broken = broken & build_condition(check.when, fields).fill_null(False)
    if check.exception:
        broken = broken & ~build_condition(check.exception, fields).fill_null(False)
    return broken


def _violation(check: Check, plan: CheckPlan, table: Any) -> Any:  # noqa: PLR0911, PLR0912 - one arm per kind
    value = table[check.column]
    match check.kind:
        case CheckKind.TYPE:
            return ibis.literal(False)
        case CheckKind.REQUIRED:
            return op.missing(value)
        case CheckKind.MISSING:
            tokens = check.params.get("tokens", ())
            return op.missing(value) | op.one_of(value, tokens).fill_null(False) if tokens else op.missing(value)
        case CheckKind.LENGTH:
            return _outside(op.length(value), check.params.get("min"), check.params.get("max"))
        case CheckKind.PATTERN:
            return ~op.matches(value, check.params["pattern"])
        case CheckKind.RANGE:
            return _range(check, plan, value)
        case CheckKind.CODE_LIST:
            return ~op.one_of(value, check.params["values"])
        case CheckKind.DIVISION:
            return ~op.one_of(value, sorted({code for code, *_ in check.params["intervals"]}))
        case CheckKind.USCC:
            return ~op.is_uscc(value)
        case CheckKind.ORG_CODE:
            return ~op.is_org_code(value)
        case CheckKind.RESIDENT_ID:
            return ~op.is_resident_id(value, ibis.literal(plan.as_of), ibis.date(EARLIEST_BIRTH))
        case CheckKind.COMPARE:
            left, right = _alike(value, table[check.params["right"]])
            return ~_COMPARE[check.params["operator"]](left, right)
        case CheckKind.FRESH:
            return op.less(value.cast("date"), ibis.literal(check.params["not_before"]))
        case CheckKind.EXPRESSION:
            fields = {column.name: table[column.name] for column in plan.columns}
            return ~build_condition(check.params["text"], fields)
        case CheckKind.UNIQUE | CheckKind.DUPLICATE:
            return op.repeated(table, check.columns)
        case _:
            raise TypeError(f"{check.kind} has no expression over one table")


def _alike(left: Any, right: Any) -> tuple[Any, Any]:
    """A whole number beside a double is compared as a double."""
    if left.type().is_numeric() and right.type().is_numeric() and left.type() != right.type():
        return left.cast("float64"), right.cast("float64")
    return left, right


def _outside(value: Any, low: Any, high: Any) -> Any:
    parts = []
    if low is not None:
        parts.append(value < int(low))
    if high is not None:
        parts.append(value > int(high))
    return reduce(lambda left, right: left | right, parts) if parts else ibis.literal(False)


def _range(check: Check, plan: CheckPlan, value: Any) -> Any:
    column = next(column for column in plan.columns if column.name == check.column)
    parts = []
    for bound, build in (("min", op.less), ("max", op.greater), ("above", op.at_most), ("below", op.at_least)):
        end = check.params.get(bound)
        if end is not None:
            parts.append(build(value, _end_of(column, end)))
    return reduce(lambda left, right: left | right, parts) if parts else ibis.literal(False)


def _end_of(column: ColumnPlan, end: Any) -> Any:
    match column.logical_type:
        case "integer":
            return ibis.literal(int(end))
        case "number":
            return op.number(float(end))
        case "date":
            return ibis.date(str(end)[:10])
        case _:
            return ibis.literal(str(end)).cast("timestamp('Asia/Shanghai')")


def set_violations(check: Check, table: Any, references: Mapping[str, Any]) -> Any:
    """The failing rows of a foreign key, or all rows whose key occurs more than once, as a table."""
    if isinstance(check, SetCheck) and check.kind is CheckKind.FOREIGN_KEY:
        pairs = dict(zip(check.columns, check.params["targets"], strict=True))
        return op.missing_in(table, references[check.references[0].resource_id], pairs)
    counted = table.mutate(datong_repeated=op.repeated(table, check.columns).fill_null(False))
    return counted.filter(counted.datong_repeated)  # Sail cannot filter by a window in the same step
