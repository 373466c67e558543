"""The closed list of operators that rules are made of, as Ibis expressions.

Each gives the same answer, row by row, on DuckDB, Sail and Spark: `operator_cases` has a table of edge cases for each,
and the tests run them. What engines do differently is avoided here, not in the rules (measured with DuckDB 1.5, Spark
4.3, Sail 0.7): regular expressions are anchored by \\A and \\z and hold literal ranges only, division by zero is NULL,
arithmetic is in double and rounded to six places, text becomes a number or a date by its form and never by a cast
alone. A rule that needs anything else runs on DuckDB only and says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import ibis  # type: ignore[import-untyped]
import ibis.expr.types as ir  # type: ignore[import-untyped]

from datong.quality.contracts import RuleUnsupported
from datong.standards.identifiers import USCC_ALPHABET, USCC_BODY_TYPES

ARITHMETIC_DIGITS = 6
"""Places to which a sum, difference, product or quotient below `ROUNDED_BELOW` is rounded."""
ROUNDED_BELOW = 1e9
"""Beyond it a double has no six exact places, and engines round by multiplying."""
WIDE_SPACE = "　"
_WIDE = "".join(chr(code) for code in range(0xFF01, 0xFF5F)) + WIDE_SPACE
_NARROW = "".join(chr(code) for code in range(0x21, 0x7F)) + " "
_UNPORTABLE = re.compile(r"\\[dDwWsSbBpPhHR1-9]|\(\?[^:]|\[\[:|(?<!\\)\$|[*+?}]\+")
"""Parts of a pattern that engines read differently: classes beyond literal ranges, look-around, `$`, possessives."""
_ORG_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ORG_CHECKS = "0X987654321"
_ORG_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_USCC_WEIGHTS = tuple(pow(3, i, 31) for i in range(17))
_RESIDENT_WEIGHTS = tuple(pow(2, 17 - i, 11) for i in range(17))
_RESIDENT_CHECKS = "10X98765432"


@dataclass(frozen=True, slots=True)
class Operator:
    """One entry of the list: its name in rules and tests, how it is built, and what it means."""

    name: str
    build: Callable[..., Any]
    meaning: str


OPERATORS: dict[str, Operator] = {}


def operator(name: str, meaning: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put a function on the closed list."""

    def add(build: Callable[..., Any]) -> Callable[..., Any]:
        if name in OPERATORS:
            raise RuntimeError(f"operator {name!r} is already there")
        OPERATORS[name] = Operator(name, build, meaning)
        return build

    return add


# Presence and truth ------------------------------------------------------------------------------------------------
@operator("is_null", "true where there is no value; never NULL")
def is_null(value: Any) -> Any:
    return value.isnull()


@operator("missing", "true where a text is NULL or only spaces, tabs and full-width spaces; never NULL")
def missing(value: Any) -> Any:
    if not isinstance(value, ir.StringValue):
        return value.isnull()
    return value.isnull() | matches(value, f"[ \t{WIDE_SPACE}]*").fill_null(False)


@operator("and", "three-valued: false wins over NULL")
def both(left: Any, right: Any) -> Any:
    return left & right


@operator("or", "three-valued: true wins over NULL")
def either(left: Any, right: Any) -> Any:
    return left | right


@operator("not", "three-valued: not NULL is NULL")
def negate(value: Any) -> Any:
    return ~value


@operator("coalesce", "the first value that is not NULL")
def coalesce(*values: Any) -> Any:
    return ibis.coalesce(*values)


@operator("if", "the second value where the condition is true, else the third; a NULL condition is not true")
def choose(condition: Any, then: Any, otherwise: Any) -> Any:
    return condition.fill_null(False).ifelse(then, otherwise)


# Comparison --------------------------------------------------------------------------------------------------------
@operator("=", "equal; NULL where either is NULL; texts by their characters")
def equal(left: Any, right: Any) -> Any:
    return left == right


@operator("!=", "not equal; NULL where either is NULL")
def unequal(left: Any, right: Any) -> Any:
    return left != right


@operator("<", "less; texts in the order of their UTF-8 bytes")
def less(left: Any, right: Any) -> Any:
    return left < right


@operator("<=", "less or equal")
def at_most(left: Any, right: Any) -> Any:
    return left <= right


@operator(">", "greater")
def greater(left: Any, right: Any) -> Any:
    return left > right


@operator(">=", "greater or equal")
def at_least(left: Any, right: Any) -> Any:
    return left >= right


@operator("between", "within both ends, which belong to it")
def between(value: Any, low: Any, high: Any) -> Any:
    return (value >= low) & (value <= high)


@operator("in", "one of the listed values; NULL where the value is NULL")
def one_of(value: Any, values: Sequence[Any]) -> Any:
    return value.isin(list(values))


# Text --------------------------------------------------------------------------------------------------------------
@operator("matches", "the whole text has this form; literal ranges only, no \\d, \\w, \\p, $ or look-around")
def matches(value: Any, pattern: str) -> Any:
    return value.re_search(rf"\A(?:{pattern})\z")


def is_portable_pattern(pattern: str) -> bool:
    """Whether every engine reads the pattern alike."""
    return _UNPORTABLE.search(pattern) is None


@operator("length", "characters, also beyond the BMP")
def length(value: Any) -> Any:
    return value.length().cast("int64")


@operator("substr", "characters from a position that counts from 1, at most so many")
def substr(value: Any, start: int, count: int) -> Any:
    if start < 1 or count < 0:
        raise RuleUnsupported("substr counts from 1.", hint_zh="substr的位置从1开始。", start=start, count=count)
    return value.substr(start - 1, count)


@operator("lower", "ASCII letters in lower case")
def lower(value: Any) -> Any:
    return value.translate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


@operator("upper", "ASCII letters in upper case")
def upper(value: Any) -> Any:
    return value.translate("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")


@operator("trim", "without spaces, tabs and full-width spaces at both ends")
def trim(value: Any) -> Any:
    return value.re_extract(rf"\A[ \t{WIDE_SPACE}]*((?:(?s:.*)[^ \t{WIDE_SPACE}])?)[ \t{WIDE_SPACE}]*\z", 1)


@operator("fold_width", "full-width ASCII and the full-width space as half-width")
def fold_width(value: Any) -> Any:
    return value.re_search("[！-～　]").ifelse(value.translate(_WIDE, _NARROW), value)


@operator("starts_with", "begins with this text")
def starts_with(value: Any, start: Any) -> Any:
    return value.startswith(start)


@operator("contains", "holds this text")
def contains(value: Any, part: Any) -> Any:
    return value.contains(part)


# Numbers -----------------------------------------------------------------------------------------------------------
def number(value: float) -> Any:
    """A written-out number as a double: Spark and Sail would read 1.5 as a decimal, and Sail would compare as such."""
    return ibis.literal(repr(float(value))).cast("float64")


def _number(value: Any) -> Any:
    return value.cast("float64") if isinstance(value, ir.NumericValue) else number(value)


def _rounded(value: Any) -> Any:
    is_small = value.abs() < number(ROUNDED_BELOW)
    return is_small.ifelse(is_small.ifelse(value, number(0)).round(ARITHMETIC_DIGITS), value)


@operator("+", "the sum in double, rounded to six places")
def add(left: Any, right: Any) -> Any:
    return _rounded(_number(left) + _number(right))


@operator("-", "the difference in double, rounded to six places")
def subtract(left: Any, right: Any) -> Any:
    return _rounded(_number(left) - _number(right))


@operator("*", "the product in double, rounded to six places")
def multiply(left: Any, right: Any) -> Any:
    return _rounded(_number(left) * _number(right))


@operator("/", "the quotient in double, rounded to six places; NULL where the divisor is 0")
def divide(left: Any, right: Any) -> Any:
    return _rounded(_number(left) / _number(right).nullif(number(0)))


@operator("abs", "without its sign")
def absolute(value: Any) -> Any:
    return _number(value).abs()


@operator("to_integer", "a text of up to 15 digits with a sign as a whole number; NULL for any other")
def to_integer(value: Any) -> Any:
    shaped = matches(value, "[+-]?[0-9]{1,15}")
    return shaped.ifelse(value, ibis.null("string")).cast("int64")


# Dates -------------------------------------------------------------------------------------------------------------
@operator("to_date", "a text YYYY-M-D, with - / or . , as a date; NULL for any other and for no day of the calendar")
def to_date(value: Any) -> Any:
    form = r"\A([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})\z"
    year, month, day = (value.re_extract(form, group) for group in (1, 2, 3))
    text = year.concat("-").concat(month.lpad(2, "0")).concat("-").concat(day.lpad(2, "0"))
    return value.re_search(form).ifelse(text, ibis.null("string")).try_cast("date")


@operator("year", "the year of a date")
def year(value: Any) -> Any:
    return value.year().cast("int64")


@operator("month", "the month of a date, 1 to 12")
def month(value: Any) -> Any:
    return value.month().cast("int64")


@operator("day", "the day of a date, 1 to 31")
def day(value: Any) -> Any:
    return value.day().cast("int64")


@operator("days_between", "whole days from the second date to the first")
def days_between(later: Any, earlier: Any) -> Any:
    return later.cast("date").delta(earlier.cast("date"), unit="day").cast("int64")


@operator("add_days", "a date so many days later")
def add_days(value: Any, days: int) -> Any:
    return (value + ibis.interval(days=int(days))).cast("date")


# Identifiers -------------------------------------------------------------------------------------------------------
def _digit_sum(text: Any, weights: Sequence[int], alphabet: str) -> Any:
    """Σ weight × place of the character in the alphabet."""
    terms = [_place(alphabet, text.substr(place, 1)) * weight for place, weight in enumerate(weights)]
    return reduce(lambda left, right: left + right, terms)


def _place(alphabet: str, character: Any) -> Any:
    """Where the character stands in the alphabet, from 0; -1 where it does not."""
    return ibis.literal(alphabet).find(character).cast("int64")


@operator("is_uscc", "a unified social credit code, GB 32100-2015, with both check characters; NULL where NULL")
def is_uscc(value: Any) -> Any:
    heads = "|".join(f"{department}[{types}]" for department, types in USCC_BODY_TYPES.items())
    shaped = matches(value, f"(?:{heads})[0-9]{{6}}[{USCC_ALPHABET}]{{10}}")
    total = _digit_sum(value, _USCC_WEIGHTS, USCC_ALPHABET) + _place(USCC_ALPHABET, value.substr(17, 1))
    return shaped & (total % 31 == 0) & _ends_in_org_check(value.substr(8, 9))


@operator("is_resident_id", "a resident identity number, GB 11643-1999: a day of birth of the calendar, the check")
def is_resident_id(value: Any, as_of: Any, earliest: Any) -> Any:
    shaped = matches(value, "[1-9][0-9]{16}[0-9X]") & (value.substr(14, 3) != "000")
    born = value.substr(6, 4).concat("-").concat(value.substr(10, 2)).concat("-").concat(value.substr(12, 2))
    birth = shaped.ifelse(born, ibis.null("string")).try_cast("date")
    lived = ((birth >= earliest) & (birth <= as_of)).fill_null(False)
    total = _digit_sum(value, _RESIDENT_WEIGHTS, "0123456789")
    is_valid = shaped & lived & (_place(_RESIDENT_CHECKS, value.substr(17, 1)) == total % 11)
    return value.isnull().ifelse(ibis.null("boolean"), is_valid)


@operator("is_org_code", "an organisation code, GB 11714-1997, with its check character; NULL where NULL")
def is_org_code(value: Any) -> Any:
    return matches(value, "[0-9A-Z]{8}-?[0-9X]") & _ends_in_org_check(value)


def _ends_in_org_check(code: Any) -> Any:
    """The last character is the check of the first eight: 11 − Σ mod 11, with 10 as X and 11 as 0."""
    total = _digit_sum(code, _ORG_WEIGHTS, _ORG_ALPHABET)
    return _place(_ORG_CHECKS, code.right(1)) == total % 11


# Several rows, several tables --------------------------------------------------------------------------------------
@operator("repeated", "true where another row of the table has the same values; NULL where a part is NULL")
def repeated(table: Any, names: Sequence[str]) -> Any:
    present = reduce(lambda left, right: left & right, [table[name].notnull() for name in names])
    count = table.count().over(ibis.window(group_by=[table[name] for name in names]))
    return present.ifelse(count > 1, ibis.null("boolean"))


@operator(
    "missing_in", "the rows of a table whose values another table does not have; rows with a NULL part are left out"
)
def missing_in(table: Any, other: Any, pairs: Mapping[str, str]) -> Any:
    present = reduce(lambda left, right: left & right, [table[name].notnull() for name in pairs])
    return table.filter(present).anti_join(other, [table[own] == other[theirs] for own, theirs in pairs.items()])
