"""DuckDB SQL of the checks: text in, text out. Values are bound, names are quoted by `name_sql`, and nothing joins.

Joins are left out on purpose: DuckDB keeps the order of a file's rows through scans, filters and projections only
(its manual, "Order Preservation"), and a row's ordinal is how a finding gets its source line. So membership in a code
list is a cast to an ENUM, which is a hash look-up inside an expression; and `in` with five values or more, which the
planner turns into a join, is not used.

Every text value `v` is NULL when the field was empty or held a null token; a check of a NULL value is NULL, hence not
a violation, except for `required`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from datong.quality.contracts import Check, CheckKind, CheckPlan, ColumnPlan, RuleUnsupported
from datong.standards.identifiers import USCC_ALPHABET, USCC_BODY_TYPES

DATE_FORMS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y年%m月%d日")
"""The date forms met in agencies' files; always year, month, day."""

_DATE_SHAPE = (
    "[0-9]{4}(-[0-9]{1,2}-[0-9]{1,2}|/[0-9]{1,2}/[0-9]{1,2}|[.][0-9]{1,2}[.][0-9]{1,2}"
    "|[0-9]{4}|年[0-9]{1,2}月[0-9]{1,2}日)"
)
_INTEGER_SHAPE = " *[+-]?[0-9]{1,18} *"
_TIMESTAMP_SHAPE = (
    "[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}"
    "([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
TRUE_WORDS = ("true", "1", "是", "y", "yes", "t")
FALSE_WORDS = ("false", "0", "否", "n", "no", "f")

COMPARED_VALUES_MAX = 4
"""Values of an `in` that DuckDB compares; from the next on its planner makes a join of them."""
EARLIEST_BIRTH = "1850-01-01"
_ORG_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ORG_CHECKS = "0X987654321"
_USCC_WEIGHTS = tuple(pow(3, i, 31) for i in range(17))
_ORG_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


class Bindings:
    """The values of one statement, and the expressions that several of its parts share.

    `bind` gives a placeholder; `values` goes to `execute`. `share` gives the name of a computed column, because DuckDB
    would compute an expression again wherever a `case` holds it; `over` puts the computed columns beside a source's.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._layers: list[dict[str, str]] = []

    def bind(self, value: Any) -> str:
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"${name}"

    def share(self, expression: str, layer: int = 0) -> str:
        """The column that holds `expression`, which may use shared columns of lower layers."""
        while len(self._layers) <= layer:
            self._layers.append({})
        names = self._layers[layer]
        return names.setdefault(expression, f"shared_{layer}_{len(names)}")

    def over(self, source: str) -> str:
        """`source`, a relation in SQL, with every shared column added."""
        for names in self._layers:
            if names:
                columns = ", ".join(f"{expression} as {name}" for expression, name in names.items())
                source = f"(select *, {columns} from {source})"
        return source


class Literals(Bindings):
    """Values written into the text, for a statement that others will run."""

    def bind(self, value: Any) -> str:
        return literal_sql(value)


def name_sql(name: str) -> str:
    """A quoted identifier. The one place where a name becomes SQL."""
    if not name or "\x00" in name:
        raise RuleUnsupported("A column name is empty or holds a zero byte.", name=name)
    return '"' + name.replace('"', '""') + '"'


def text_sql(value: str) -> str:
    """A quoted text literal, for the places where DuckDB takes no placeholder (types, table functions)."""
    return "'" + value.replace("'", "''") + "'"


def literal_sql(value: Any) -> str:
    """A text, number, date or list of them as a SQL literal."""
    if isinstance(value, list):
        return "[" + ", ".join(literal_sql(item) for item in value) + "]"
    if isinstance(value, date):
        return f"date '{value.isoformat()}'"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    return text_sql(str(value))


def value_sql(column: ColumnPlan, bindings: Bindings) -> str:
    """The column's text, NULL when it holds one of the contract's null tokens; of a typed column the value."""
    text = name_sql(column.name)
    if column.is_typed:
        return text
    for token in column.null_tokens:
        text = f"nullif({text}, {bindings.bind(token)})"
    return text


def date_sql(value: str, formats: Sequence[str], bindings: Bindings) -> str:
    """A DATE, or NULL when the text is none of the forms or no day of the calendar (2023-02-30, year 0000)."""
    forms = bindings.bind(list(formats or DATE_FORMS))
    parsed = f"try_strptime({value}, {forms})::date"
    if not formats:
        parsed = f"coalesce(try_cast({value} as date), {parsed})"
    parsed = bindings.share(parsed)
    if formats:
        shaped = f"{value} not in ('infinity', 'epoch')"
    else:  # most dates are written as DuckDB writes them, and then no regular expression is needed
        shaped = f"({parsed}::varchar = {value} or regexp_full_match({value}, {text_sql(_DATE_SHAPE)}))"
    in_range = f"{parsed} >= date '0001-01-01' and {parsed} <= date '9999-12-31'"
    return bindings.share(f"case when {in_range} and {shaped} then {parsed} end", 1)


def typed_sql(column: ColumnPlan, value: str, bindings: Bindings) -> str:  # noqa: PLR0911 - one arm per type
    """The value in its logical type, NULL where it does not fit; exact for values that pass the type check."""
    if column.is_typed:
        return value
    match column.logical_type:
        case "string":
            return value
        case "integer":
            return (
                f"case when regexp_full_match({value}, {text_sql(_INTEGER_SHAPE)}) then try_cast({value} as bigint) end"
            )
        case "number":
            number = bindings.share(f"try_cast({value} as double)")
            return bindings.share(f"case when isfinite({number}) and not contains({value}, '_') then {number} end", 1)
        case "date":
            return date_sql(value, column.date_formats, bindings)
        case "timestamp":
            shaped = f"regexp_full_match({value}, {text_sql(_TIMESTAMP_SHAPE)})"
            return f"case when {shaped} then try_cast({value} as timestamptz) end"
        case "boolean":
            lowered = bindings.share(f"lower({value})")
            is_true, is_false = (
                " or ".join(f"{lowered} = {text_sql(word)}" for word in words) for words in (TRUE_WORDS, FALSE_WORDS)
            )
            return f"case when {is_true} then true when {is_false} then false end"
        case other:
            raise RuleUnsupported(f"Column {column.name} has type {other!r}.", column=column.name, type=other)


def accepted_value_sql(column: ColumnPlan, value: str, bindings: Bindings) -> str:
    """The typed value of a row that passed the type check: the same as `typed_sql` there, without its guards."""
    match column.logical_type:
        case "integer":
            return f"try_cast({value} as bigint)"
        case "number":
            return f"try_cast({value} as double)"
        case "date" if not column.date_formats:
            return (
                f"coalesce(try_cast({value} as date), try_strptime({value}, {bindings.bind(list(DATE_FORMS))})::date)"
            )
        case _:
            return typed_sql(column, value, bindings)


def enum_sql(values: Sequence[str]) -> str:
    """An ENUM type of these values, without repeats."""
    return "enum(" + ", ".join(text_sql(value) for value in dict.fromkeys(values)) + ")"


def _bytes_sql(text: str, first: int, count: int) -> str:
    """`count` ≤ 8 ASCII characters from `first` as one BIGINT: eight bytes fetched by one cast, then shifted apart."""
    return f"encode(substr({text}, {first}, {count}))::bit::bigint"


def _character_sum(words: Sequence[tuple[str, int]], weights: Sequence[int], table: Sequence[int]) -> str:
    """Σ weight × table[character − '0']; `words` are BIGINTs of so many ASCII characters each, leftmost first."""
    values = "[" + ", ".join(str(v) for v in table) + "]"
    terms = []
    remaining = iter(weights)
    for word, count in words:
        for place in range(count):
            byte = f"(({word} >> {8 * (count - 1 - place)}) & 127)"
            terms.append(f"{next(remaining)} * list_extract({values}, {byte} - 47)")
    return " + ".join(terms)


def _value_table(alphabet: str) -> list[int]:
    return [max(alphabet.find(chr(code)), 0) for code in range(48, 91)]


def uscc_valid_sql(text: str, bindings: Bindings) -> str:
    """GB 32100-2015: department and body type, region digits, the organisation code's own check, the check character.

    The same verdict as `standards.identifiers.check_uscc`.
    """
    heads = "|".join(f"{department}[{types}]" for department, types in USCC_BODY_TYPES.items())
    shaped = f"regexp_full_match({text}, '({heads})[0-9]{{6}}[{USCC_ALPHABET}]{{10}}')"
    plain = bindings.share(f"case when {shaped} then {text} end")
    head, body, end = (bindings.share(_bytes_sql(plain, first, count), 1) for first, count in ((1, 8), (9, 8), (17, 1)))
    total = _character_sum([(head, 8), (body, 8), (end, 1)], _USCC_WEIGHTS, _value_table(USCC_ALPHABET))
    check = f"substr('{USCC_ALPHABET}', 1 + ((31 - ({total}) % 31) % 31)::int, 1)"
    organisation = _character_sum([(body, 8)], _ORG_WEIGHTS, _value_table(_ORG_ALPHABET))
    part = f"substr('{_ORG_CHECKS}', 1 + (({organisation}) % 11)::int, 1)"
    return f"coalesce({check} = substr({plain}, 18, 1) and {part} = substr({plain}, 17, 1), false)"


def resident_id_valid_sql(text: str, as_of: str, bindings: Bindings) -> str:
    """GB 11643-1999: region, a birth date of the calendar not after `as_of`, a sequence, check by ISO 7064 MOD 11-2.

    All of it is arithmetic on the 18 characters as one number, X read as 0 and counted as 10: a regular expression, a
    date parser and a look at single characters cost twice as much. A cast also reads forms like 12e3; such a text ends
    in zeros as a number, and only those are looked at again. It reads 0x1F too, which is less than '1' as a text.
    """
    ends_in_x = bindings.share(f"suffix({text}, 'X')")
    body = f"try_cast(substr({text}, 1, 17) as bigint)"
    number = bindings.share(f"case when {ends_in_x} then 10 * {body} else try_cast({text} as bigint) end", 1)
    born = bindings.share(f"{number} // 10000 % 100000000", 2)
    total = f"{_binary_sum(number)} + case when {ends_in_x} then 10 else 0 end"
    digits = f"case when {number} % 100 = 0 then regexp_full_match({text}, '[0-9]{{17}}[0-9X]') else true end"
    first, last = (
        f"year({day}) * 10000 + month({day}) * 100 + day({day})" for day in (f"date '{EARLIEST_BIRTH}'", as_of)
    )
    return (
        f"coalesce(strlen({text}) = 18 and {text} >= '1' and {number} >= {10**17} and {number} // 10 % 1000 <> 0 "
        f"and {born} between {first} and {last} and {_calendar_sql(born, bindings)} and ({total}) % 11 = 1 "
        f"and {digits}, false)"
    )


def _binary_sum(number: str) -> str:
    """Σ digit × 2^place modulo 11 of 18 decimal digits, by pairs: MOD 11-2 is a polynomial in 2 (ISO/IEC 7064, 7.1)."""
    tables = ([4**i * (2 * (pair // 10) + pair % 10) % 11 for pair in range(100)] for i in range(9))
    return " + ".join(f"list_extract({table}, 1 + {number} // {100**i} % 100)" for i, table in enumerate(tables))


def _calendar_sql(day: str, bindings: Bindings) -> str:
    """Whether a number YYYYMMDD is a day of the Gregorian calendar; only days beyond the 28th are looked at closely."""
    in_month = bindings.share(f"{day} % 100", 3)
    month = bindings.share(f"{day} // 100 % 100", 3)
    year = f"({day} // 10000)"
    leaps = f"{year} % 4 = 0 and ({year} % 100 <> 0 or {year} % 400 = 0)"
    return (
        f"{month} between 1 and 12 and {in_month} >= 1 and case when {in_month} <= 28 then true else "
        f"{in_month} <= 30 and {month} <> 2 or {in_month} = 31 and ({month} + {month} // 8) % 2 = 1 "
        f"or {in_month} = 29 and {leaps} end"
    )


def org_code_valid_sql(text: str, bindings: Bindings) -> str:
    """GB 11714-1997: 8 of 36 characters, an optional hyphen, check = 11 − Σ mod 11 with 10 → X and 11 → 0."""
    plain = bindings.share(f"case when regexp_full_match({text}, '[0-9A-Z]{{8}}-?[0-9X]') then {text} end")
    body = bindings.share(_bytes_sql(plain, 1, 8), 1)
    total = _character_sum([(body, 8)], _ORG_WEIGHTS, _value_table(_ORG_ALPHABET))
    check = f"substr('{_ORG_CHECKS}', 1 + (({total}) % 11)::int, 1)"
    return f"coalesce({check} = right({plain}, 1), false)"


def _range_sql(check: Check, column: ColumnPlan, value: str, bindings: Bindings) -> str:
    typed = typed_sql(column, value, bindings)
    kind = {"integer": "bigint", "number": "double", "date": "date", "timestamp": "timestamptz"}.get(
        column.logical_type
    )
    if kind is None:
        raise RuleUnsupported(
            f"A range needs a number or a date; {column.name} is {column.logical_type}.", check=check.id
        )
    parts = []
    for bound, sign in (("min", "<"), ("max", ">"), ("above", "<="), ("below", ">=")):
        if check.params.get(bound) is not None:
            parts.append(f"{typed} {sign} cast({bindings.bind(str(check.params[bound]))} as {kind})")
    return " or ".join(parts) or "false"


def _division_sql(check: Check, plan: CheckPlan, value: str, bindings: Bindings) -> str:
    """A code that did not exist on the day: the run's day, or the day in another column of the row.

    `intervals` are (code, first day, last day); a code may have several. The ENUM's ordinal indexes lists of days.
    """
    intervals: Sequence[tuple[str, str, str]] = check.params["intervals"]
    by_code: dict[str, list[tuple[str, str]]] = {}
    for code, first, last in intervals:
        by_code.setdefault(code, []).append((first, last))
    codes = list(by_code)
    position = f"enum_code(try_cast({value} as {enum_sql(codes)})) + 1"
    day_column = next((c for c in plan.columns if c.name == check.params.get("as_of_column")), None)
    if day_column is None:
        return f"try_cast({value} as {enum_sql(codes)}) is null and {value} is not null"
    day_text = value_sql(day_column, bindings)
    day = f"coalesce(({typed_sql(day_column, day_text, bindings)})::date, {bindings.bind(plan.as_of)}::date)"
    rounds = max(len(spans) for spans in by_code.values())
    lived = []
    for i in range(rounds):
        firsts = bindings.bind([spans[i][0] if i < len(spans) else "9999-12-31" for spans in by_code.values()])
        lasts = bindings.bind([spans[i][1] if i < len(spans) else "0001-01-01" for spans in by_code.values()])
        lived.append(
            f"{day} between list_extract({firsts}::date[], {position}) and list_extract({lasts}::date[], {position})"
        )
    return f"{value} is not null and not coalesce({' or '.join(lived)}, false)"


def _compare_sql(check: Check, plan: CheckPlan, value: str, bindings: Bindings) -> str:
    column = _column(plan, check.column)
    left = typed_sql(column, value, bindings)
    operator = {"<=": "<=", "<": "<", ">=": ">=", ">": ">", "=": "=", "!=": "<>"}.get(check.params["operator"])
    if operator is None:
        raise RuleUnsupported(f"Operator {check.params['operator']!r} is not known.", check=check.id)
    other = _column(plan, check.params["right"])
    right = typed_sql(other, value_sql(other, bindings), bindings)
    return f"not ({left} {operator} {right})"


def _column(plan: CheckPlan, name: str) -> ColumnPlan:
    for column in plan.columns:
        if column.name == name:
            return column
    raise RuleUnsupported(f"A rule names column {name!r}, which the contract does not have.", column=name)


def _length_sql(check: Check, value: str) -> str:
    parts = []
    if check.params.get("min") is not None:
        parts.append(f"length({value}) < {int(check.params['min'])}")
    if check.params.get("max") is not None:
        parts.append(f"length({value}) > {int(check.params['max'])}")
    return " or ".join(parts) or "false"


def violation_sql(check: Check, plan: CheckPlan, bindings: Bindings) -> str:
    """A boolean expression, true where the row breaks the check. NULL counts as "does not break it"."""
    broken = _violation_sql(check, plan, bindings)
    if check.when:
        broken = f"({broken}) and coalesce({_condition_sql(check.when, plan, bindings)}, false)"
    if check.exception:
        broken = f"({broken}) and not coalesce({_condition_sql(check.exception, plan, bindings)}, false)"
    return broken


def _condition_sql(text: str, plan: CheckPlan, bindings: Bindings) -> str:
    """A condition of `quality.expressions` over the row's values in their logical types."""
    from datong.quality.expressions import condition_sql

    def typed(column: ColumnPlan) -> str:
        if column.is_typed:
            return name_sql(column.name)
        return bindings.share(typed_sql(column, value_sql(column, bindings), bindings), 2)

    return f"({condition_sql(text, plan.columns, typed)})"


def missing_sql(value: str) -> str:
    """True where a text is NULL or only spaces, tabs and full-width spaces."""
    first = f"unicode({value})"
    return f"({value} is null or ({first} <= 32 or {first} = {ord('　')}) and regexp_full_match({value}, '[ \t　]*'))"


def _absent_sql(column: ColumnPlan, value: str) -> str:
    return f"{value} is null" if column.is_typed and column.logical_type != "string" else missing_sql(value)


def _code_list_sql(value: str, values: Sequence[str]) -> str:
    """Few values are compared one by one, which is the fastest; DuckDB would join with five or more."""
    if 0 < len(values) <= COMPARED_VALUES_MAX:
        return f"{value} not in ({', '.join(map(text_sql, values))})"
    return f"{value} is not null and try_cast({value} as {enum_sql(values)}) is null"


def _violation_sql(check: Check, plan: CheckPlan, bindings: Bindings) -> str:  # noqa: PLR0911, PLR0912 - one arm per kind
    column = _column(plan, check.column)
    value = value_sql(column, bindings)
    match check.kind:
        case CheckKind.REQUIRED:
            return _absent_sql(column, value)
        case CheckKind.MISSING:
            tokens = check.params.get("tokens", ())
            return " or ".join([_absent_sql(column, value), *(f"{value} = {bindings.bind(token)}" for token in tokens)])
        case CheckKind.EXPRESSION:
            return f"not {_condition_sql(check.params['text'], plan, bindings)}"
        case CheckKind.TYPE:
            return (
                "false"
                if column.is_typed
                else f"{value} is not null and ({typed_sql(column, value, bindings)}) is null"
            )
        case CheckKind.LENGTH:
            return _length_sql(check, value)
        case CheckKind.PATTERN:
            return f"not regexp_full_match({value}, {bindings.bind(check.params['pattern'])})"
        case CheckKind.RANGE:
            return _range_sql(check, column, value, bindings)
        case CheckKind.CODE_LIST:
            return _code_list_sql(value, check.params["values"])
        case CheckKind.USCC:
            return f"{value} is not null and not ({uscc_valid_sql(value, bindings)})"
        case CheckKind.RESIDENT_ID:
            as_of = f"{bindings.bind(plan.as_of)}::date"
            return f"{value} is not null and not ({resident_id_valid_sql(value, as_of, bindings)})"
        case CheckKind.ORG_CODE:
            return f"{value} is not null and not ({org_code_valid_sql(value, bindings)})"
        case CheckKind.DIVISION:
            return _division_sql(check, plan, value, bindings)
        case CheckKind.COMPARE:
            return _compare_sql(check, plan, value, bindings)
        case CheckKind.FRESH:
            typed = typed_sql(column, value, bindings)
            return f"({typed})::date < {bindings.bind(check.params['not_before'])}::date"
        case _:
            raise RuleUnsupported(f"A {check.kind} check looks at more than one row.", check=check.id)
