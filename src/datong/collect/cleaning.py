"""Cleaning that a contract declares: text in, text out, as SQL over one raw cell.

The same expression is used for the check, for the accepted value and to tell before from after; the raw file stays as
it landed. A cell that a step cannot read is left as it is, so that its check refuses it with the value that came.
Every step looks first for what it would change, so that ordinary cells cost one cheap test; nothing here joins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any, Protocol

from datong.collect.contracts import CleaningUnsupported
from datong.quality.sql import enum_sql, literal_sql, text_sql
from datong.standards.divisions import Divisions

_SPACES = " \t\r\n\u00a0\u3000\u200b\ufeff"
_WIDE = "".join(chr(code) for code in range(0xFF01, 0xFF5F)) + "\u3000"
_NARROW = "".join(chr(code) for code in range(0x21, 0x7F)) + " "
_WIDE_WORD = "".join(c for c in _WIDE[:-1] if chr(ord(c) - 0xFEE0).isalnum())
_NARROW_WORD = "".join(chr(ord(c) - 0xFEE0) for c in _WIDE_WORD)
_DOTS = "•‧・∙⋅●﹒．."
_DIGITS_ZH = "〇○零一二三四五六七八九"
_DATE_FORMS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y年%m月%d日", "%Y年%m月%d号")
_DATE_ORDERS = {
    "ymd": (),
    "dmy": ("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y"),
    "mdy": ("%m/%d/%Y", "%m-%d-%Y", "%m.%d.%Y"),
}
_DECIMALS_MAX, _WHOLE_DIGITS_MAX = 8, 15

UNITS: Mapping[str, tuple[str, Fraction]] = {
    **{
        name: ("money", Fraction(factor))
        for name, factor in (
            ("分", Fraction(1, 100)),
            ("角", Fraction(1, 10)),
            ("元", 1),
            ("百元", 100),
            ("千元", 1000),
            ("万元", 10**4),
            ("百万元", 10**6),
            ("千万元", 10**7),
            ("亿元", 10**8),
        )
    },
    **{name: ("people", Fraction(n)) for name, n in (("人", 1), ("千人", 1000), ("万人", 10**4), ("亿人", 10**8))},
    **{name: ("households", Fraction(n)) for name, n in (("户", 1), ("万户", 10**4))},
    **{name: ("pieces", Fraction(n)) for name, n in (("个", 1), ("万个", 10**4), ("件", 1), ("万件", 10**4))},
    **{
        name: ("area", Fraction(n))
        for name, n in (("平方米", 1), ("万平方米", 10**4), ("公顷", 10**4), ("万公顷", 10**8), ("平方公里", 10**6))
    },
    **{name: ("length", Fraction(n)) for name, n in (("米", 1), ("千米", 1000), ("公里", 1000), ("万公里", 10**7))},
    **{
        name: ("mass", Fraction(n))
        for name, n in (("克", Fraction(1, 1000)), ("千克", 1), ("公斤", 1), ("吨", 1000), ("万吨", 10**7))
    },
    **{
        name: ("energy", Fraction(n))
        for name, n in (("千瓦时", 1), ("度", 1), ("万千瓦时", 10**4), ("亿千瓦时", 10**8))
    },
    **{name: ("share", factor) for name, factor in (("%", Fraction(1, 100)), ("‰", Fraction(1, 1000)))},
    "1": ("share", Fraction(1)),
}
"""Units that convert into each other exactly in decimal digits: quantity and size in its smallest whole unit."""


class Step(Protocol):
    """A cleaning step, as `catalog.values.CleaningStep` has it."""

    @property
    def step(self) -> str: ...
    @property
    def arguments(self) -> Mapping[str, Any]: ...


class CleanedColumn(Protocol):
    """A column with its steps, as `catalog.values.Column` has it."""

    @property
    def name(self) -> str: ...
    @property
    def cleaning(self) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CleaningContext:
    """What steps need beside the cell. `division_codes`: by the prefix that they lie within, name → code."""

    as_of: date
    division_codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def make_context(columns: Iterable[CleanedColumn], as_of: date, divisions: Divisions | None = None) -> CleaningContext:
    """The context for these columns. `divisions` is needed where a column turns division names into codes."""
    prefixes = {
        str(step.arguments.get("within", ""))
        for column in columns
        for step in column.cleaning
        if step.step == "division-name"
    }
    if prefixes and divisions is None:
        raise CleaningUnsupported("Division names need a table of divisions.", step="division-name")
    codes = {prefix: name_divisions(divisions, as_of, prefix) for prefix in prefixes} if divisions else {}
    return CleaningContext(as_of=as_of, division_codes=codes)


def name_divisions(divisions: Divisions, day: date, within: str = "") -> dict[str, str]:
    """Names → six-digit codes that stand on that day, below the prefix `within`.

    A place has its full name (北京市东城区), the name from its prefecture down, and its own; a name that two places
    have is left out, because cleaning must not choose.
    """
    found: dict[str, set[str]] = {}
    for code, own in divisions.as_of_table(day):
        entry = divisions.as_of(code, day)
        if not code.startswith(within) or entry is None or entry.is_placeholder:
            continue
        full = divisions.full_name_at(code, day) or own
        province = divisions.name_at(code[:2] + "0000", day) or ""
        for name in {own, full, full.removeprefix(province) or full}:
            found.setdefault(name, set()).add(code)
    return {name: next(iter(codes)) for name, codes in sorted(found.items()) if len(codes) == 1}


def clean_sql(column: CleanedColumn, raw_sql: str, context: CleaningContext) -> str:
    """The cleaned text of a cell. `raw_sql` should be a name: it stands in the result more than once."""
    steps = clean_steps(column, raw_sql, context)
    return steps[-1][1] if steps else raw_sql


def raw_name(name: str) -> str:
    """The column of `cleaned_relation` that holds what came."""
    return f"{name}\x1fraw"


def cleaned_relation(columns: Sequence[CleanedColumn], relation: str, context: CleaningContext) -> str:
    """The relation with cleaned texts under the columns' names, and what came under `raw_name`.

    Only columns with steps are touched. Each step is a projection of its own, so that no expression is computed twice
    and rows keep the order of their file.
    """
    cleaned = [column for column in columns if column.cleaning]
    if not cleaned:
        return relation
    kept = ", ".join(f"{_name(column.name)} as {_name(raw_name(column.name))}" for column in cleaned)
    relation = f"(select *, {kept} from {relation})"
    for turn in range(max(len(column.cleaning) for column in cleaned)):
        steps = ", ".join(
            f"{clean_sql(_OneStep(name=each.name, cleaning=(each.cleaning[turn],)), name, context)} as {name}"
            for each in cleaned
            if turn < len(each.cleaning)
            for name in (_name(each.name),)
        )
        relation = f"(select * replace ({steps}) from {relation})"
    return relation


def clean_steps(column: CleanedColumn, raw_sql: str, context: CleaningContext) -> list[tuple[str, str]]:
    """After each step, in the contract's order: its name and the text so far."""
    result = []
    text = raw_sql
    for step in column.cleaning:
        builder = _BUILDERS.get(step.step)
        if builder is None:
            raise CleaningUnsupported(
                f"Column {column.name}: there is no step {step.step!r}. Known: {', '.join(_BUILDERS)}.",
                hint_zh=f"列{column.name}：没有清洗步骤“{step.step}”。",
                column=column.name,
                step=step.step,
            )
        text = builder(text, step.arguments, context)
        result.append((step.step, text))
    return result


def changes_sql(columns: Sequence[CleanedColumn], relation: str, context: CleaningContext) -> str:
    """One aggregate row over the raw relation: for each column and step, how many cells it changed, in order."""
    layers: list[dict[str, str]] = []
    counts = []
    for position, column in enumerate(columns):
        before = _name(column.name)
        for turn, step in enumerate(column.cleaning):
            while len(layers) <= turn:
                layers.append({})
            one = _OneStep(name=column.name, cleaning=(step,))
            after = f"cleaned_{position}_{turn}"
            layers[turn][after] = clean_sql(one, before, context)
            counts.append(f"count(*) filter ({before} is distinct from {after})")
            before = after
    for layer in layers:
        added = ", ".join(f"{sql} as {name}" for name, sql in layer.items())
        relation = f"(select *, {added} from {relation})"
    return f"select {', '.join(counts)} from {relation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _OneStep:
    name: str
    cleaning: tuple[Any, ...]


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# The steps ---------------------------------------------------------------------------------------------------------
def _trim(text: str, _arguments: Mapping[str, Any], _context: CleaningContext) -> str:
    """Spaces of every width at both ends; a cell of spaces only has no value."""
    return f"nullif(trim({text}, {text_sql(_SPACES)}), '')"


def _width(text: str, arguments: Mapping[str, Any], _context: CleaningContext) -> str:
    """Full-width forms (U+FF01 to U+FF5E) and the wide space to ASCII; `scope: word` leaves punctuation as it is.

    ASCII texts are told by length, others by one regular expression; only what has a wide character is translated.
    """
    if arguments.get("scope") == "word":
        wide, narrow, found = _WIDE_WORD, _NARROW_WORD, "[０-９Ａ-Ｚａ-ｚ]"
    else:
        wide, narrow, found = _WIDE, _NARROW, "[！-～\u3000]"
    has_wide = f"strlen({text}) <> length({text}) and regexp_matches({text}, {text_sql(found)})"
    return f"case when {has_wide} then translate({text}, {text_sql(wide)}, {text_sql(narrow)}) else {text} end"


def _upper(text: str, _arguments: Mapping[str, Any], _context: CleaningContext) -> str:
    return f"upper({text})"


def _lower(text: str, _arguments: Mapping[str, Any], _context: CleaningContext) -> str:
    return f"lower({text})"


def _date(text: str, arguments: Mapping[str, Any], _context: CleaningContext) -> str:
    """Dates as people write them to ISO 8601: 2023/1/5, 2023.1.5, 20230105, 2023年1月5日, 二〇二三年一月五日, with a
    time of day cut off. `order: dmy|mdy` reads those too, `serial: true` the day numbers of spreadsheets."""
    order = str(arguments.get("order", "ymd"))
    if order not in _DATE_ORDERS:
        raise CleaningUnsupported(f"Order {order!r} is none of {', '.join(_DATE_ORDERS)}.", step="date")
    forms = literal_sql([*_DATE_FORMS, *_DATE_ORDERS[order]])
    is_iso = f"strlen({text}) = 10 and substr({text}, 5, 1) = '-' and try_cast({text} as date) is not null"
    time_of_day = "[ T][0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?Z?$"
    plain = f"regexp_replace(trim({text}, {text_sql(_SPACES)}), '{time_of_day}', '')"
    arabic = f"translate({_tens_sql(plain)}, {text_sql(_DIGITS_ZH)}, '000123456789')"
    in_chinese = f"regexp_matches({text}, '[{_DIGITS_ZH}]')"
    parsed = f"strftime(try_strptime(case when {in_chinese} then {arabic} else {plain} end, {forms}), '%Y-%m-%d')"
    serial = (
        f"when regexp_full_match({text}, '[1-7][0-9]{{4}}([.]0*)?') "
        f"then strftime(date '1899-12-30' + {text}::double::integer, '%Y-%m-%d') "
        if arguments.get("serial")
        else ""
    )
    return f"case when {text} is null or {is_iso} then {text} {serial}else coalesce({parsed}, {text}) end"


def _tens_sql(text: str) -> str:
    """Chinese numbers up to 三十一 written by digits: 二十五 → 2五, 十二 → 1二, 二十 → 20, 十 → 10."""
    for found, put in (
        ("二十([一二三四五六七八九])", "2\\1"),
        ("三十([一二三四五六七八九])", "3\\1"),
        ("二十", "20"),
        ("三十", "30"),
        ("十([一二三四五六七八九])", "1\\1"),
        ("十", "10"),
    ):
        text = f"regexp_replace({text}, '{found}', '{put}', 'g')"
    return text


def _unit(text: str, arguments: Mapping[str, Any], _context: CleaningContext) -> str:
    """An amount in another unit, exactly: `from` is the unit where the cell names none, `to` the wanted one.

    Thousands' commas and a unit after the number are read. Amounts of more digits than a decimal holds are left.
    """
    source, target = str(arguments.get("from", "")), str(arguments.get("to", ""))
    if source not in UNITS or target not in UNITS or UNITS[source][0] != UNITS[target][0]:
        raise CleaningUnsupported(
            f"{source or 'no unit'} does not convert into {target or 'no unit'} exactly.",
            hint_zh=f"“{source}”不能精确换算为“{target}”。",
            step="unit",
        )
    quantity, size = UNITS[target]
    factors = {name: factor / size for name, (kind, factor) in UNITS.items() if kind == quantity and name != "1"}
    factors[""] = UNITS[source][1] / size
    names = "|".join(sorted((name for name in factors if name), key=len, reverse=True))
    number = f"[+-]?[0-9,]{{1,{_WHOLE_DIGITS_MAX}}}([.][0-9]{{1,{_DECIMALS_MAX}}})?"
    shaped = f"regexp_full_match({text}, '[ \u3000]*{number}[ \u3000]*({names})?[ \u3000]*')"
    digits = f"replace(regexp_extract({text}, '{number}'), ',', '')"
    given = f"try_cast({digits} as decimal({_WHOLE_DIGITS_MAX + _DECIMALS_MAX},{_DECIMALS_MAX}))"
    unit = f"regexp_extract({text}, '({names})[ \u3000]*$', 1)"
    arms = " ".join(
        f"when {text_sql(name)} then ({given} * {_decimal(factor)})::varchar" for name, factor in factors.items()
    )
    told = f"regexp_replace(case {unit} {arms} end, '[.]?0+$', '')"
    plain = f"regexp_full_match({text}, '[+-]?[0-9]+([.][0-9]+)?')"
    same = f"when {plain} then {text} " if factors[""] == 1 else ""
    return f"case {same}when {shaped} then coalesce({told}, {text}) else {text} end"


def _decimal(factor: Fraction) -> str:
    """A factor of tens as a decimal: its product with an amount has at most 38 digits."""
    places = 5 if factor >= 1 else 15
    scaled = factor * 10**places
    if scaled.denominator != 1:
        raise CleaningUnsupported("The two units are too far apart.", step="unit")
    whole, part = divmod(scaled.numerator, 10**places)
    return f"cast('{whole}.{part:0{places}d}' as decimal(15,{places}))"


def _division_name(text: str, arguments: Mapping[str, Any], context: CleaningContext) -> str:
    """A division's name to its code on the run's day; what is no unambiguous name is left. `within`: a code's start."""
    codes = context.division_codes.get(str(arguments.get("within", "")))
    if not codes:
        raise CleaningUnsupported(
            "There is no division by that prefix on the run's day.",
            hint_zh="该前缀下没有行政区划。",
            step="division-name",
        )
    place = f"enum_code(try_cast(replace({text}, ' ', '') as {enum_sql(list(codes))})) + 1"
    named = f"list_extract({literal_sql(list(codes.values()))}, {place})"
    is_code = f"regexp_full_match({text}, '[0-9]*')"
    return f"case when {text} is null or {is_code} then {text} else coalesce({named}, {text}) end"


def _phone(text: str, _arguments: Mapping[str, Any], _context: CleaningContext) -> str:
    """Mobile numbers to 11 digits, fixed lines to 区号-号码; +86, spaces, brackets and dashes go."""
    digits = f"regexp_replace({text}, '[ \\t\u00a0\u3000()（）\\-－—]', '', 'g')"
    mobile = "(?:[+]|00)?(?:86)?(1[3-9][0-9]{9})"
    fixed = "(?:(?:[+]|00)86)?0?(10|2[0-9]|[3-9][0-9]{2})([2-9][0-9]{6,7})"
    return (
        f"case when regexp_full_match({text}, '1[3-9][0-9]{{9}}') then {text} "
        f"when regexp_full_match({digits}, '{mobile}') then regexp_extract({digits}, '{mobile}', 1) "
        f"when regexp_full_match({digits}, '{fixed}') and regexp_matches({text}, '^ *[(（+]?0') "
        f"then regexp_replace({digits}, '^{fixed}$', '0\\1-\\2') "
        f"else {text} end"
    )


def _person_name(text: str, _arguments: Mapping[str, Any], _context: CleaningContext) -> str:
    """Spaces inside a name in Han characters go, every middle dot becomes · (GB 18030 A1A4); Latin names keep one
    space between words."""
    odd = f"[ \\t\u00a0\u3000\u200b{_DOTS}]"
    latin = f"regexp_full_match({text}, '[\\x00-\\x7F\u00a0\u00c0-\u024f\u3000]*')"
    spaced = "[ \\t\u00a0\u3000\u200b]+"
    collapsed = f"trim(regexp_replace({text}, '{spaced}', ' ', 'g'))"
    han = (
        f"regexp_replace(translate(regexp_replace({text}, '{spaced}', '', 'g'), {text_sql(_DOTS)}, "
        f"{text_sql('·' * len(_DOTS))}), '·+', '·', 'g')"
    )
    return f"case when not regexp_matches({text}, '{odd}') then {text} when {latin} then {collapsed} else {han} end"


_Builder = Callable[[str, Mapping[str, Any], CleaningContext], str]
_BUILDERS: Mapping[str, _Builder] = {
    "width": _width,
    "trim": _trim,
    "upper": _upper,
    "lower": _lower,
    "date": _date,
    "unit": _unit,
    "division-name": _division_name,
    "phone": _phone,
    "name": _person_name,
}
STEP_TITLES: Mapping[str, tuple[str, str]] = {
    "width": ("全角转半角", "full width to half width"),
    "trim": ("去首尾空格", "spaces at the ends"),
    "upper": ("转大写", "upper case"),
    "lower": ("转小写", "lower case"),
    "date": ("统一日期写法", "dates to one form"),
    "unit": ("换算单位", "units converted"),
    "division-name": ("区划名称转代码", "division names to codes"),
    "phone": ("统一电话写法", "phone numbers to one form"),
    "name": ("规范姓名", "names to one form"),
    "deduplicate": ("去重", "repeated rows"),
}
