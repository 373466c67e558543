"""Edge cases of every operator: a small table, how the operator is applied to it, and the answer of each row.

The tests hold every engine against the answers, so a difference names the engine and the row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from datong.quality import operators as op

ASTRAL = "𠮷"
"""A character beyond the BMP, as in rare names."""
DAY = date(2024, 2, 29)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorCase:
    """One table. `schema` is column → Ibis type; each row ends with the answer that is due."""

    schema: Mapping[str, str]
    apply: Callable[[Any], Any]
    rows: Sequence[tuple[Any, ...]]
    other: Sequence[tuple[Any, ...]] = field(default_factory=tuple)


def _one(kind: str, build: Callable[[Any], Any], *rows: tuple[Any, Any]) -> OperatorCase:
    return OperatorCase(schema={"a": kind}, apply=lambda table: build(table.a), rows=rows)


def _two(kind: str, build: Callable[[Any, Any], Any], *rows: tuple[Any, Any, Any]) -> OperatorCase:
    return OperatorCase(schema={"a": kind, "b": kind}, apply=lambda table: build(table.a, table.b), rows=rows)


_T, _F, _N = True, False, None
_TRUTH = tuple((left, right) for left in (_T, _F, _N) for right in (_T, _F, _N))

CASES: Mapping[str, OperatorCase] = {
    "is_null": _one("string", op.is_null, (_N, _T), ("", _F), ("x", _F)),
    "missing": _one(
        "string", op.missing, (_N, _T), ("", _T), (" \t", _T), ("　", _T), (" x", _F), ("\n", _F), (ASTRAL, _F)
    ),
    "and": _two(
        "boolean",
        op.both,
        *((a, b, a and b if None not in (a, b) else (_F if _F in (a, b) else _N)) for a, b in _TRUTH),
    ),
    "or": _two(
        "boolean",
        op.either,
        *((a, b, a or b if None not in (a, b) else (_T if _T in (a, b) else _N)) for a, b in _TRUTH),
    ),
    "not": _one("boolean", op.negate, (_T, _F), (_F, _T), (_N, _N)),
    "coalesce": _two("string", op.coalesce, ("x", "y", "x"), (_N, "y", "y"), ("", "y", ""), (_N, _N, _N)),
    "if": OperatorCase(
        schema={"a": "boolean"}, apply=lambda t: op.choose(t.a, 1, 2).cast("int64"), rows=((_T, 1), (_F, 2), (_N, 2))
    ),
    "=": _two(
        "string",
        op.equal,
        ("a", "a", _T),
        ("a", "A", _F),
        ("a", "a ", _F),
        ("\u00e9", "e\u0301", _F),
        (ASTRAL, ASTRAL, _T),
        (_N, "a", _N),
        ("", "", _T),
        ("", _N, _N),
    ),
    "!=": _two("int64", op.unequal, (1, 1, _F), (1, 2, _T), (_N, 1, _N), (-(2**63), 2**63 - 1, _T)),
    "<": _two(
        "string",
        op.less,
        ("a", "b", _T),
        ("B", "a", _T),
        ("10", "9", _T),
        ("一", "丁", _T),
        ("", "a", _T),
        ("z", "一", _T),
        ("\uffee", ASTRAL, _T),
        (_N, "a", _N),
        ("a", "a", _F),
    ),
    "<=": _two(
        "date", op.at_most, (DAY, DAY, _T), (date(1, 1, 1), DAY, _T), (DAY, date(2023, 3, 1), _F), (_N, DAY, _N)
    ),
    ">": _two("float64", op.greater, (1.5, 1.0, _T), (0.0, -0.0, _F), (1e300, -1e300, _T), (_N, 1.0, _N)),
    ">=": _two("int64", op.at_least, (2, 2, _T), (2**53 + 1, 2**53, _T), (2**53, 2**53 + 1, _F), (_N, _N, _N)),
    "between": OperatorCase(
        schema={"a": "int64"},
        apply=lambda t: op.between(t.a, 1, 3),
        rows=((0, _F), (1, _T), (3, _T), (4, _F), (_N, _N)),
    ),
    "in": _one(
        "string",
        lambda a: op.one_of(a, ["1", "2", "男", "a", "b", "c"]),
        ("1", _T),
        ("男", _T),
        ("01", _F),
        ("", _F),
        (_N, _N),
    ),
    "matches": _one(
        "string",
        lambda a: op.matches(a, "[一-龥]{2,4}|[a-c]+"),
        ("王五", _T),
        ("王", _F),
        ("王五\n", _F),
        ("abc", _T),
        ("abcd", _F),
        ("ABC", _F),
        ("", _F),
        (_N, _N),
        ("王五 ", _F),
        (f"王{ASTRAL}", _F),
    ),
    "length": _one("string", op.length, ("", 0), ("大同", 2), (f"王{ASTRAL}", 2), ("e\u0301", 2), (" ", 1), (_N, _N)),
    "substr": _one(
        "string",
        lambda a: op.substr(a, 2, 2),
        ("大同市区", "同市"),
        ("大", ""),
        ("", ""),
        (f"{ASTRAL}ab", "ab"),
        (_N, _N),
    ),
    "lower": _one("string", op.lower, ("ABCxyz", "abcxyz"), ("É大", "É大"), ("ＡＢ", "ＡＢ"), ("İ", "İ"), (_N, _N)),
    "upper": _one("string", op.upper, ("abcX", "ABCX"), ("ß", "ß"), ("é", "é"), ("", ""), (_N, _N)),
    "trim": _one(
        "string",
        op.trim,
        ("  a b ", "a b"),
        ("　王五　", "王五"),
        ("\t x\t", "x"),
        ("a\nb ", "a\nb"),
        ("  ", ""),
        ("", ""),
        (_N, _N),
        (f" {ASTRAL}", ASTRAL),
    ),
    "fold_width": _one(
        "string",
        op.fold_width,
        ("１２３ＡＢ", "123AB"),
        ("（甲）", "(甲)"),
        ("a　b", "a b"),
        ("甲乙", "甲乙"),
        ("", ""),
        (_N, _N),
        ("￥。", "￥。"),
    ),
    "starts_with": _two(
        "string",
        op.starts_with,
        ("91abc", "91", _T),
        ("91", "91a", _F),
        ("大同", "大", _T),
        ("x", "", _T),
        (_N, "x", _N),
    ),
    "contains": _two(
        "string", op.contains, ("a%b", "%", _T), ("ab", "%", _F), ("a_b", "_", _T), ("大同市", "同", _T), (_N, "a", _N)
    ),
    "+": _two("float64", op.add, (0.1, 0.2, 0.3), (1.0, _N, _N), (-1.0, 1.0, 0.0), (1e15, 0.25, 1e15 + 0.25)),
    "-": _two("int64", op.subtract, (3, 5, -2.0), (2**40, 1, float(2**40 - 1)), (_N, 1, _N)),
    "*": _two("float64", op.multiply, (1.1, 1.1, 1.21), (0.0, -5.0, 0.0), (3.0, _N, _N)),
    "/": _two(
        "int64", op.divide, (1, 3, 0.333333), (2, 3, 0.666667), (1, 0, _N), (-7, 2, -3.5), (0, 5, 0.0), (_N, 2, _N)
    ),
    "abs": _one("int64", op.absolute, (-3, 3.0), (0, 0.0), (_N, _N)),
    "to_integer": _one(
        "string",
        op.to_integer,
        ("42", 42),
        ("-7", -7),
        ("+7", 7),
        ("007", 7),
        ("1.9", _N),
        ("1e3", _N),
        ("", _N),
        (" 1", _N),
        ("9" * 15, int("9" * 15)),
        ("9" * 16, _N),
        ("１", _N),
        (_N, _N),
    ),
    "to_date": _one(
        "string",
        op.to_date,
        ("2024-02-29", DAY),
        ("2023-02-29", _N),
        ("2024/2/29", DAY),
        ("2024.02.29", DAY),
        ("20240229", _N),
        ("2024-13-01", _N),
        ("2024-02-29 ", _N),
        ("", _N),
        (_N, _N),
        ("0001-01-01", date(1, 1, 1)),
    ),
    "year": _one("date", op.year, (DAY, 2024), (date(1, 1, 1), 1), (_N, _N)),
    "month": _one("date", op.month, (DAY, 2), (date(2023, 12, 31), 12), (_N, _N)),
    "day": _one("date", op.day, (DAY, 29), (date(2023, 12, 31), 31), (_N, _N)),
    "days_between": _two(
        "date",
        op.days_between,
        (date(2024, 3, 1), DAY, 1),
        (DAY, date(2024, 3, 1), -1),
        (DAY, DAY, 0),
        (date(2024, 3, 1), date(2023, 3, 1), 366),
        (_N, DAY, _N),
    ),
    "add_days": _one(
        "date", lambda a: op.add_days(a, 366), (DAY, date(2025, 3, 1)), (date(2023, 1, 1), date(2024, 1, 2)), (_N, _N)
    ),
    "is_uscc": _one(
        "string",
        op.is_uscc,
        ("91350100M000100Y43", _T),
        ("91350100M000100Y44", _F),
        ("91350100m000100y43", _F),
        ("", _F),
        ("91350100M000100Y4", _F),
        ("91350100M000100I43", _F),
        (_N, _N),
        ("王五", _F),
    ),
    "is_resident_id": _one(
        "string",
        lambda a: op.is_resident_id(a, date(2026, 1, 1), date(1850, 1, 1)),
        ("11010519491231002X", _T),
        ("11010519491231002x", _F),
        ("110105194912310021", _F),
        ("110105194902300021", _F),
        ("", _F),
        ("1101051949123100", _F),
        (_N, _N),
        ("440524188001010014", _T),
        ("11010520300101002X", _F),
    ),
    "is_org_code": _one(
        "string",
        op.is_org_code,
        ("D2143569X", _T),
        ("D2143569-X", _T),
        ("D21435690", _F),
        ("d2143569x", _F),
        ("", _F),
        (_N, _N),
    ),
    "repeated": OperatorCase(
        schema={"a": "string", "b": "int64"},
        apply=lambda t: op.repeated(t, ["a", "b"]),
        rows=(("x", 1, _T), ("x", 1, _T), ("x", 2, _F), ("X", 1, _F), (_N, 1, _N), (_N, 1, _N), ("", 1, _F)),
    ),
}
"""`missing_in` takes two tables and has a test of its own."""
