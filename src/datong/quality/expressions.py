"""Conditions on a row, as contracts write them, e.g. `ended_on is null or ended_on >= started_on`.

The text is parsed as SQL (sqlglot) and walked into Ibis: columns, literals, comparisons, `and or not`, `is null`, `in`,
`between`, arithmetic and the functions of `FUNCTIONS`. Whatever else stands there is refused, so nothing of the text
reaches an engine as it is. A condition is a boolean; NULL means that it cannot be told, hence that it is not broken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any

import ibis  # type: ignore[import-untyped]
import ibis.expr.types as ir  # type: ignore[import-untyped]
import sqlglot
from ibis.backends.sql.compilers import DuckDBCompiler  # type: ignore[import-untyped]
from sqlglot import exp

from datong.kernel.limits import QUALITY_EXPRESSION_CHARACTERS_MAX, QUALITY_EXPRESSION_NODES_MAX
from datong.quality import operators as op
from datong.quality.contracts import ColumnPlan, RuleUnsupported

IBIS_TYPES: Mapping[str, str] = {
    "string": "string",
    "integer": "int64",
    "number": "float64",
    "date": "date",
    "timestamp": "timestamp('Asia/Shanghai')",
    "boolean": "boolean",
}
FUNCTIONS: Mapping[str, tuple[int, int]] = {
    "missing": (1, 1),
    "coalesce": (2, 8),
    "if": (3, 3),
    "matches": (2, 2),
    "length": (1, 1),
    "substr": (3, 3),
    "lower": (1, 1),
    "upper": (1, 1),
    "trim": (1, 1),
    "fold_width": (1, 1),
    "starts_with": (2, 2),
    "contains": (2, 2),
    "abs": (1, 1),
    "to_integer": (1, 1),
    "to_date": (1, 1),
    "year": (1, 1),
    "month": (1, 1),
    "day": (1, 1),
    "days_between": (2, 2),
    "add_days": (2, 2),
    "is_uscc": (1, 1),
    "is_org_code": (1, 1),
}
"""The functions of the language with the fewest and the most arguments that they take."""
_BINARY: Mapping[type[exp.Expr], str] = {
    exp.And: "and",
    exp.Or: "or",
    exp.EQ: "=",
    exp.NEQ: "!=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
}
_LITERAL_ARGUMENTS = {"matches": (1,), "substr": (1, 2), "add_days": (1,)}
"""Arguments that must be written out: a pattern, a place, a number of days."""


def check_expression(text: str, plans: Mapping[str, ColumnPlan], *, rule: str = "") -> tuple[str, ...]:
    """The columns that a condition reads, in order. Raises RuleUnsupported with what is wrong."""
    table = _table(tuple(plans.values()))
    built = build_condition(text, {name: table[name] for name in plans}, rule=rule)
    names = tuple(dict.fromkeys(column.name for column in _parse(text, rule).find_all(exp.Column)))
    if not isinstance(built, ir.BooleanValue):
        raise _refused(text, rule, "It must be a condition, true or false.", "应为一个判断条件。")
    if not names:
        raise _refused(text, rule, "It names no column.", "条件没有用到任何列。")
    return names


def build_condition(text: str, fields: Mapping[str, Any], *, rule: str = "") -> Any:
    """The condition over these Ibis values, by column name."""
    return _Build(text, fields, rule).visit(_parse(text, rule))


def condition_sql(text: str, plans: Sequence[ColumnPlan], column_sql: Callable[[ColumnPlan], str]) -> str:
    """The condition as DuckDB SQL, with `column_sql` in the place of each column: a name, typed."""
    compiled = _compile(text, tuple(plans))
    by_name = {plan.name: plan for plan in plans}

    def replace_column(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column):
            return exp.Var(this=column_sql(by_name[node.name]))
        if isinstance(node, exp.In):  # with five values or more the planner would join
            return exp.func(
                "list_contains", exp.Array(expressions=node.expressions), node.this.transform(replace_column)
            )
        return node

    return compiled.copy().transform(replace_column).sql(dialect="duckdb")


def is_portable(text: str) -> bool:
    """Whether other engines would read the condition alike: all of the language is, but for some patterns."""
    return all(
        op.is_portable_pattern(node.expressions[1].this)
        for node in _parse(text, "").find_all(exp.Anonymous)
        if node.name.lower() == "matches" and isinstance(node.expressions[1], exp.Literal)
    )


@cache
def _table(plans: tuple[ColumnPlan, ...]) -> Any:
    return ibis.table({plan.name: IBIS_TYPES[plan.logical_type] for plan in plans}, name="rows_checked")


@cache
def _compile(text: str, plans: tuple[ColumnPlan, ...]) -> exp.Expr:
    table = _table(plans)
    built = build_condition(text, {plan.name: table[plan.name] for plan in plans})
    select = DuckDBCompiler().to_sqlglot(table.select(condition=built))
    compiled: exp.Expr = select.expressions[0].this
    return compiled


def _parse(text: str, rule: str) -> exp.Expr:
    if len(text) > QUALITY_EXPRESSION_CHARACTERS_MAX:
        raise _refused(text[:40], rule, "It is too long.", "条件过长。")
    try:
        parsed = sqlglot.parse(text, dialect="duckdb")
    except (sqlglot.errors.ParseError, sqlglot.errors.TokenError) as error:
        raise RuleUnsupported(
            f"The condition {text!r} cannot be read.",
            hint_zh=f"条件“{text}”无法解析。",
            rule=rule,
            said=str(error)[:200],
        ) from error
    if len(parsed) != 1 or parsed[0] is None:
        raise _refused(text, rule, "Write one condition.", "请只写一个条件。")
    if sum(1 for _ in parsed[0].walk()) > QUALITY_EXPRESSION_NODES_MAX:
        raise _refused(text, rule, "It has too many parts.", "条件过于复杂。")
    return parsed[0]


def _refused(text: str, rule: str, why: str, why_zh: str) -> RuleUnsupported:
    return RuleUnsupported(f"The condition {text!r}: {why}", hint_zh=f"条件“{text}”：{why_zh}", rule=rule)


class _Build:
    """One walk from sqlglot's tree to an Ibis value."""

    def __init__(self, text: str, fields: Mapping[str, Any], rule: str) -> None:
        self.text, self.fields, self.rule = text, fields, rule

    def visit(self, node: exp.Expr) -> Any:  # noqa: PLR0911 - one arm per kind of node
        match node:
            case exp.Paren():
                return self.visit(node.this)
            case exp.Column():
                return self._column(node)
            case exp.Literal() | exp.Boolean() | exp.Neg() | exp.Cast():
                value = self._value(node)
                return op.number(value) if isinstance(value, float) else ibis.literal(value)
            case exp.Not():
                return op.negate(self._boolean(node.this))
            case exp.Is():
                if not isinstance(node.expression, exp.Null):
                    raise self._off(node)
                return op.is_null(self.visit(node.this))
            case exp.In():
                return self._in(node)
            case exp.Between():
                value = self.visit(node.this)
                low, high = (self._as(self.visit(end), value) for end in (node.args["low"], node.args["high"]))
                return op.between(value, low, high)
            case _ if type(node) in _BINARY:
                return self._binary(node, _BINARY[type(node)])
            case exp.Func():
                return self._function(node)
        raise self._off(node)

    def _column(self, node: exp.Column) -> Any:
        if node.table or node.name not in self.fields:
            raise _refused(
                self.text,
                self.rule,
                f"{node.sql()} is no column of the contract.",
                f"契约中没有列{node.sql()}。",
            )
        return self.fields[node.name]

    def _value(self, node: exp.Expr) -> Any:
        """A written-out value: text, number, truth or date."""
        match node:
            case exp.Literal():
                if node.is_string:
                    return node.this
                return int(node.this) if node.this.isdigit() else float(node.this)
            case exp.Boolean():
                return bool(node.this)
            case exp.Neg():
                value = self._value(node.this)
                if isinstance(value, int | float) and not isinstance(value, bool):
                    return -value
            case exp.Cast() if node.to.is_type("date") and isinstance(node.this, exp.Literal) and node.this.is_string:
                return self._date(node.this.this)
        raise self._off(node)

    def _date(self, text: str) -> date:
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise _refused(self.text, self.rule, f"{text!r} is no date YYYY-MM-DD.", f"{text}不是日期。") from None

    def _boolean(self, node: exp.Expr) -> Any:
        value = self.visit(node)
        if not isinstance(value, ir.BooleanValue):
            raise self._off(node)
        return value

    def _binary(self, node: exp.Expr, name: str) -> Any:
        build = op.OPERATORS[name].build
        if name in ("and", "or"):
            return build(self._boolean(node.this), self._boolean(node.expression))
        left, right = self.visit(node.this), self.visit(node.expression)
        if name in ("+", "-", "*", "/"):
            if not all(isinstance(side, ir.NumericValue) for side in (left, right)):
                raise self._off(node)
            return build(left, right)
        left, right = self._as(left, right), self._as(right, left)
        if not _are_comparable(left, right):
            raise _refused(self.text, self.rule, f"{node.sql()} compares two types.", f"{node.sql()}两边的类型不同。")
        return build(left, right)

    def _as(self, value: Any, other: Any) -> Any:
        """A text that stands beside a date is a date."""
        if isinstance(other, ir.DateValue) and isinstance(value, ir.StringScalar):
            return ibis.literal(self._date(value.op().value))
        if isinstance(other, ir.TimestampValue) and isinstance(value, ir.StringScalar | ir.DateValue):
            day = self._date(value.op().value) if isinstance(value, ir.StringScalar) else value
            return ibis.literal(day).cast(other.type()) if isinstance(day, date) else day.cast(other.type())
        return value

    def _in(self, node: exp.In) -> Any:
        if not node.expressions or node.args.get("query") is not None:
            raise self._off(node)
        value = self.visit(node.this)
        values = [op.number(v) if isinstance(v, float) else v for v in map(self._value, node.expressions)]
        if isinstance(value, ir.DateValue):
            values = [self._date(item) if isinstance(item, str) else item for item in values]
        if not all(_are_comparable(value, ibis.literal(item)) for item in values):
            raise _refused(self.text, self.rule, f"{node.sql()} compares two types.", f"{node.sql()}两边的类型不同。")
        return op.one_of(value, values)

    def _function(self, node: exp.Func) -> Any:
        name, arguments = _read_call(node)
        fewest_most = FUNCTIONS.get(name)
        if fewest_most is None or not fewest_most[0] <= len(arguments) <= fewest_most[1]:
            raise self._off(node)
        written = _LITERAL_ARGUMENTS.get(name, ())
        values = [self._value(item) if i in written else self.visit(item) for i, item in enumerate(arguments)]
        try:
            return op.OPERATORS[name].build(*values)
        except (AttributeError, TypeError, ValueError, ibis.common.exceptions.IbisError) as error:
            raise self._off(node) from error

    def _off(self, node: exp.Expr) -> RuleUnsupported:
        return RuleUnsupported(
            f"The condition {self.text!r} holds {node.sql()!r}, which is not in the language of rules. Its functions: "
            f"{', '.join(FUNCTIONS)}.",
            hint_zh=f"条件“{self.text}”中的“{node.sql()}”不在规则语言之内。可用函数：{'、'.join(FUNCTIONS)}。",
            rule=self.rule,
        )


def _are_comparable(left: Any, right: Any) -> bool:
    for kind in (ir.StringValue, ir.NumericValue, ir.DateValue, ir.TimestampValue):
        if isinstance(left, kind) and not isinstance(left, ir.BooleanValue):
            return isinstance(right, kind) and not isinstance(right, ir.BooleanValue)
    return isinstance(left, ir.BooleanValue) and isinstance(right, ir.BooleanValue)


def _read_call(node: exp.Func) -> tuple[str, list[exp.Expr]]:
    """The function's name and arguments, whether or not sqlglot knows the function."""
    if isinstance(node, exp.Anonymous):
        return node.name.lower(), list(node.expressions)
    if isinstance(node, exp.If):
        return "if", [node.this, node.args["true"], *([node.args["false"]] if node.args.get("false") else [])]
    arguments: list[exp.Expr] = []
    for value in node.args.values():
        arguments += value if isinstance(value, list) else [value] if isinstance(value, exp.Expr) else []
    names = {exp.Substring: "substr", exp.StartsWith: "starts_with", exp.TsOrDsToDate: "to_date", exp.Date: "to_date"}
    return names.get(type(node), node.key.lower() if node.key in FUNCTIONS else node.sql_name().lower()), arguments
