"""Faults that real files have, each put in on purpose and labelled.

A fault takes one row and changes it in place; what changed is found by comparison, so a label cannot lie. Only rows
that get a fault pass through here one by one: at the worst level a quarter of them, at the usual one a twelfth.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

import numpy as np

from datong.testing.city import places, slips
from datong.testing.city.model import TableSpec
from datong.testing.city.numbers import credit_codes
from datong.testing.city.slips import Draw, pick

_FULL_WIDTH: Final = str.maketrans("0123456789", "０１２３４５６７８９")
_LOOK_ALIKES: Final = {"0": "O", "1": "I", "5": "S", "2": "Z"}
DUPLICATE, CHANGED_DUPLICATE, ABSENT = "duplicate", "changed-duplicate", "absent"
KIN: Final = ("namesake", "father-son", "twin")
"""Faults that need another person: who is meant by the row is taken for somebody like them."""


class Seen(StrEnum):
    """What it takes to see a fault."""

    ROW = "row"  # the row alone, by type, requirement, code list, identifier
    CLEANABLE = "cleanable"  # a declared cleaning mends it, or a check of form sees it
    FIELDS = "fields"  # two fields of the row against each other
    TABLE = "table"  # other rows of the table: uniqueness
    REFERENCE = "reference"  # another table or register
    NEVER = "never"  # not detectable by a check of a single table


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where a table keeps what, as column indexes: faults are described once and fit every table."""

    header: tuple[str, ...]
    key: int
    identifier: int | None
    is_person: bool
    name: int | None
    sex: int | None
    birth_date: int | None
    address: int | None
    division: int | None
    reference: int | None
    dates: tuple[int, ...]
    amounts: tuple[int, ...]
    phones: tuple[int, ...]
    required: tuple[int, ...]
    coded: Mapping[int, tuple[str, ...]]
    money: tuple[int, ...]
    limits: Mapping[int, tuple[float, float]]
    """Least and greatest value that the contract lets pass."""
    swaps: tuple[tuple[int, int], ...]
    updated: int | None
    is_delimited: bool
    """Cells are parted by a character: a field can be left out."""
    has_cells: bool
    """Cells are told apart by their place: they can shift."""
    is_typed: bool
    """Numbers are numbers in this form: no text can stand in their place."""


Fits = Callable[[Layout], bool]
Fault = Callable[[list[str], Layout, Draw], None]


def layout_of(spec: TableSpec) -> Layout:
    roles = {column.role: place for place, column in reversed(list(enumerate(spec.columns)))}
    place_of = {column.name: place for place, column in enumerate(spec.columns)}
    columns = list(enumerate(spec.columns))
    identifier = roles.get("identifier")
    numeric = {place for place, column in columns if column.type in ("number", "integer")}
    is_typed = spec.form in ("json", "jsonl", "geojson", "parquet")
    return Layout(
        header=spec.names,
        key=next((place for place, column in columns if column.key), 0),
        identifier=identifier,
        is_person=identifier is not None and spec.columns[identifier].identifier == "resident_id",
        name=roles.get("name"),
        sex=roles.get("sex"),
        birth_date=roles.get("birth_date"),
        address=roles.get("address"),
        division=roles.get("division"),
        reference=roles.get("reference"),
        dates=tuple(place for place, column in columns if column.type == "date"),
        amounts=tuple(place for place, column in columns if column.role == "amount"),
        phones=tuple(place for place, column in columns if column.role == "phone"),
        required=tuple(place for place, column in columns if column.required and not column.key),
        coded={place: _wrong_codes(column.values) for place, column in columns if column.role in ("coded", "sex")},
        money=tuple(place for place, column in columns if column.unit == "万元"),
        limits={
            place: (float(column.minimum or 0), float(column.maximum))
            for place, column in columns
            if column.maximum is not None
        },
        swaps=tuple(
            (place_of[one], place_of[other])
            for one, other in spec.swaps
            if not (
                is_typed
                and {place_of[one], place_of[other]} & numeric
                and not {place_of[one], place_of[other]} <= numeric
            )
        ),
        updated=place_of.get("updated_on"),
        is_delimited=spec.form == "csv",
        has_cells=spec.form in ("csv", "xlsx", "pgsql", "mysql"),
        is_typed=is_typed,
    )


def _wrong_codes(values: tuple[str, ...]) -> tuple[str, ...]:
    return ("男", "3", "M") if not values else ("其它", "未知", "1" if "1" not in values else "7")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultKind:
    """A kind of fault: what it does, what it takes to see it, where it can strike, and its share of rows at the
    usual level (in ten-thousandths)."""

    name: str
    title_zh: str
    seen: Seen
    share: float
    fits: Fits
    change: Fault | None


def _wrong_check_character(row: list[str], layout: Layout, draw: Draw) -> None:
    assert layout.identifier is not None
    value = row[layout.identifier]
    others = "0123456789X".replace(value[-1], "")
    row[layout.identifier] = value[:-1] + others[pick(draw, len(others))]


def _wrong_digit(row: list[str], layout: Layout, draw: Draw) -> None:
    assert layout.identifier is not None
    value = row[layout.identifier]
    place = 2 + pick(draw, 6)
    others = "0123456789".replace(value[place], "")
    row[layout.identifier] = value[:place] + others[pick(draw, len(others))] + value[place + 1 :]


def _transposed(row: list[str], layout: Layout, draw: Draw) -> None:
    assert layout.identifier is not None
    value = row[layout.identifier]
    spots = [place for place in range(len(value) - 2) if value[place] != value[place + 1]]
    place = spots[pick(draw, len(spots))]
    row[layout.identifier] = value[:place] + value[place + 1] + value[place] + value[place + 2 :]


def _letter_for_digit(row: list[str], layout: Layout, draw: Draw) -> None:
    """O written for 0, I for 1, S for 5, Z for 2: never a character of either identifier."""
    assert layout.identifier is not None
    value = row[layout.identifier]
    spots = [place for place, character in enumerate(value) if character in _LOOK_ALIKES]
    place = spots[pick(draw, len(spots))]
    row[layout.identifier] = value[:place] + _LOOK_ALIKES[value[place]] + value[place + 1 :]


def _lower_case(row: list[str], layout: Layout, draw: Draw) -> None:  # noqa: ARG001  (one shape for all faults)
    assert layout.identifier is not None
    row[layout.identifier] = row[layout.identifier].lower()


def _full_width(row: list[str], layout: Layout, draw: Draw) -> None:
    spots = [*([layout.identifier] * 2 if layout.identifier is not None else ()), *layout.dates[:1], *layout.phones]
    column = spots[pick(draw, len(spots))]
    row[column] = row[column].translate(_FULL_WIDTH)


def _old_number(row: list[str], layout: Layout, draw: Draw) -> None:  # noqa: ARG001
    """The 15 digits of the first generation, for those born before 2000."""
    assert layout.identifier is not None
    value = row[layout.identifier]
    if value[6:8] == "19":
        row[layout.identifier] = value[:6] + value[8:17]


def _missing(row: list[str], layout: Layout, draw: Draw) -> None:
    row[layout.required[pick(draw, len(layout.required))]] = ""


def _in_name(change: Callable[[str, Draw], str | None]) -> Fault:
    def fault(row: list[str], layout: Layout, draw: Draw) -> None:
        assert layout.name is not None
        row[layout.name] = slips.replace_one(row[layout.name], lambda character: change(character, draw), draw)

    return fault


def _pinyin_letters(row: list[str], layout: Layout, draw: Draw) -> None:
    """The last character stays as the letters that were typed for it."""
    assert layout.name is not None
    name = row[layout.name]
    if draw() < 0.5 and len(name) > 1:
        row[layout.name] = name[:-1] + slips.pinyin_of(name[-1])
    else:
        row[layout.name] = slips.replace_one(name, lambda character: slips.near_sound(character, draw), draw)


def _typo(row: list[str], layout: Layout, draw: Draw) -> None:
    """Two neighbours change places, or one is typed twice."""
    assert layout.name is not None
    name = row[layout.name]
    place = pick(draw, max(len(name) - 1, 1))
    if len(name) > 2 and draw() < 0.7 and name[place] != name[place + 1]:
        row[layout.name] = name[:place] + name[place + 1] + name[place] + name[place + 2 :]
    else:
        row[layout.name] = name[: place + 1] + name[place:]


def _rare_character(row: list[str], layout: Layout, draw: Draw) -> None:
    """A character that the system cannot hold: ? or 〓 for it, its pinyin, or a plain one of the same sound."""
    assert layout.name is not None
    name = row[layout.name]
    place = next((at for at, character in enumerate(name) if character in slips.RARE_CHARACTERS), None)
    if place is None:
        return
    plain = slips.homophone(name[place], draw) or "？"
    written = ("?", "〓", slips.pinyin_of(name[place]).upper(), plain)[pick(draw, 4)]
    row[layout.name] = name[:place] + written + name[place + 1 :]


def _swapped(row: list[str], layout: Layout, draw: Draw) -> None:
    one, other = layout.swaps[pick(draw, len(layout.swaps))]
    row[one], row[other] = row[other], row[one]


def _shifted(row: list[str], layout: Layout, draw: Draw) -> None:
    """One field left empty, and all after it one column too far right; the last is lost."""
    column = 1 + pick(draw, len(layout.header) - 2)
    row[column:] = ["", *row[column:-1]]


def _ragged(row: list[str], layout: Layout, draw: Draw) -> None:
    """One field fewer than the header has."""
    del row[1 + pick(draw, len(layout.header) - 2)]


def _bad_date(row: list[str], layout: Layout, draw: Draw) -> None:
    """A day that no calendar has."""
    column = layout.dates[pick(draw, len(layout.dates))]
    if row[column]:
        year, month, day = row[column][:4], row[column][5:7], row[column][8:10]
        row[column] = (f"{year}-13-{day}", f"{year}-02-30", f"{year}-{month}-00", "0000-00-00")[pick(draw, 4)]


def _date_form(row: list[str], layout: Layout, draw: Draw) -> None:
    """The right day in another writing."""
    column = layout.dates[pick(draw, len(layout.dates))]
    if row[column]:
        year, month, day = row[column].split("-")
        forms = (
            f"{year}{month}{day}",
            f"{year}/{int(month)}/{int(day)}",
            f"{year}年{int(month)}月{int(day)}日",
            f"{year}.{month}.{day}",
        )
        row[column] = forms[pick(draw, 4)]


def _sex_mismatch(row: list[str], layout: Layout, draw: Draw) -> None:  # noqa: ARG001
    assert layout.sex is not None
    row[layout.sex] = "2" if row[layout.sex] == "1" else "1"


def _birth_mismatch(row: list[str], layout: Layout, draw: Draw) -> None:
    """A real day, and not the one in the identity number."""
    assert layout.birth_date is not None
    value = row[layout.birth_date]
    day = 1 + pick(draw, 27)
    row[layout.birth_date] = f"{value[:8]}{day + (day >= int(value[8:10])):02d}"


def _stray_blank(row: list[str], layout: Layout, draw: Draw) -> None:
    spots = [column for column in (layout.name, layout.address) if column is not None]
    column = spots[pick(draw, len(spots))]
    value = row[column]
    row[column] = (f" {value}", f"{value} ", f"{value}　", f"{value[:1]} {value[1:]}")[pick(draw, 4)]


def _unknown_code(row: list[str], layout: Layout, draw: Draw) -> None:
    columns = list(layout.coded)
    column = columns[pick(draw, len(columns))]
    row[column] = layout.coded[column][pick(draw, len(layout.coded[column]))]


def _truncated(row: list[str], layout: Layout, draw: Draw) -> None:
    assert layout.address is not None
    value = row[layout.address]
    row[layout.address] = value[: 6 + pick(draw, max(len(value) - 8, 1))]


def _stale_address(row: list[str], layout: Layout, draw: Draw) -> None:
    """Where they lived before: another house number in the same street."""
    assert layout.address is not None
    head, sign, tail = row[layout.address].partition("号")
    if sign:
        row[layout.address] = f"{head.rstrip('0123456789')}{601 + pick(draw, 99)}号{tail}"


def _merged_division(row: list[str], layout: Layout, draw: Draw) -> None:  # noqa: ARG001
    """The code (and the name in the address) of a division that was merged away or renamed."""
    assert layout.division is not None
    heirs = {heir: (code, name) for code, (name, heir, _) in places.RETIRED.items()}
    found = heirs.get(row[layout.division])
    if found is None:
        return
    present = places.DISTRICTS[row[layout.division]][0]
    row[layout.division] = found[0]
    if layout.address is not None:
        row[layout.address] = row[layout.address].replace(present, found[1], 1)


def _unit_slip(row: list[str], layout: Layout, draw: Draw) -> None:
    """元 written where 万元 is asked for."""
    column = layout.money[pick(draw, len(layout.money))]
    if row[column] and float(row[column]):
        row[column] = f"{float(row[column]) * 10_000:.0f}"


def _out_of_range(row: list[str], layout: Layout, draw: Draw) -> None:
    columns = list(layout.limits)
    column = columns[pick(draw, len(columns))]
    least, most = layout.limits[column]
    row[column] = str(int(least) - 1 - pick(draw, 90)) if draw() < 0.3 else str(int(most) * 10 + 999)


def _bad_phone(row: list[str], layout: Layout, draw: Draw) -> None:
    column = layout.phones[pick(draw, len(layout.phones))]
    value = row[column]
    if value:
        row[column] = (value[:10], value + "0", f"0{value[1:]}", "无")[pick(draw, 4)]


@cache
def _strangers() -> tuple[str, ...]:
    numbers = np.arange(31**6 - 9, 31**6 - 1)
    return tuple(credit_codes("9", np.ones_like(numbers), np.full_like(numbers, 990101), numbers).to_pylist())


def _dangling(row: list[str], layout: Layout, draw: Draw) -> None:
    """A well-formed code that no firm of the city has."""
    assert layout.reference is not None
    strangers = _strangers()
    row[layout.reference] = strangers[pick(draw, len(strangers))]


def line_break(row: list[str], layout: Layout, draw: Draw) -> None:
    """A line end inside a quoted field: the record is sound, and stands on two lines."""
    assert layout.address is not None
    value = row[layout.address]
    place = 3 + pick(draw, max(len(value) - 6, 1))
    row[layout.address] = f"{value[:place]}\n{value[place:]}"


def later_edition(row: list[str], layout: Layout, draw: Draw) -> None:
    """The same record again, some weeks younger where it is dated, at a new address if it has one."""
    if layout.updated is not None and row[layout.updated]:
        younger = dt.date.fromisoformat(row[layout.updated]) + dt.timedelta(days=1 + pick(draw, 90))
        row[layout.updated] = younger.isoformat()
    if layout.address is not None:
        _stale_address(row, layout, draw)


def _has_identifier(layout: Layout) -> bool:
    return layout.identifier is not None


def _has_name(layout: Layout) -> bool:
    return layout.name is not None


def _has_address(layout: Layout) -> bool:
    return layout.address is not None


def _is_person(layout: Layout) -> bool:
    return layout.is_person


def _always(layout: Layout) -> bool:  # noqa: ARG001
    return True


_TABLE: Final[tuple[tuple[str, str, Seen, float, Fits, Fault | None], ...]] = (
    ("wrong-check-character", "校验码错误", Seen.ROW, 40, _has_identifier, _wrong_check_character),
    ("wrong-digit", "号码错一位", Seen.ROW, 30, _has_identifier, _wrong_digit),
    ("transposed-characters", "号码相邻两位颠倒", Seen.ROW, 30, _has_identifier, _transposed),
    ("look-alike", "号码中字母数字混淆", Seen.ROW, 20, _has_identifier, _letter_for_digit),
    ("lower-case", "号码小写", Seen.CLEANABLE, 20, _has_identifier, _lower_case),
    (
        "full-width",
        "全角数字",
        Seen.CLEANABLE,
        30,
        lambda at: bool(at.dates or at.phones or at.identifier is not None),
        _full_width,
    ),
    ("old-number", "15位旧号码", Seen.ROW, 20, _is_person, _old_number),
    ("missing", "必填项缺失", Seen.ROW, 60, lambda at: bool(at.required), _missing),
    ("typo", "姓名或名称错字", Seen.NEVER, 25, _has_name, _typo),
    ("homophone", "同音字", Seen.NEVER, 40, _has_name, _in_name(slips.homophone)),
    ("pinyin-slip", "拼音误选、残留拼音", Seen.NEVER, 20, _has_name, _pinyin_letters),
    (
        "look-alike-character",
        "形近字",
        Seen.NEVER,
        25,
        _has_name,
        _in_name(lambda character, _: slips.look_alike(character)),
    ),
    ("rare-character", "生僻字丢失", Seen.NEVER, 2000, _is_person, _rare_character),
    ("swapped", "两项互换", Seen.NEVER, 20, lambda at: bool(at.swaps), _swapped),
    ("shifted", "整行错位", Seen.ROW, 10, lambda at: at.has_cells and len(at.header) > 4, _shifted),
    ("ragged", "缺一列", Seen.ROW, 10, lambda at: at.is_delimited and len(at.header) > 4, _ragged),
    ("bad-date", "不存在的日期", Seen.ROW, 40, lambda at: bool(at.dates), _bad_date),
    ("date-form", "日期写法混用", Seen.CLEANABLE, 40, lambda at: bool(at.dates), _date_form),
    (
        "sex-mismatch",
        "性别与身份号码不符",
        Seen.FIELDS,
        20,
        lambda at: at.is_person and at.sex is not None,
        _sex_mismatch,
    ),
    (
        "birth-mismatch",
        "出生日期与身份号码不符",
        Seen.FIELDS,
        20,
        lambda at: at.is_person and at.birth_date is not None,
        _birth_mismatch,
    ),
    (
        "stray-blank",
        "多余空格",
        Seen.CLEANABLE,
        50,
        lambda at: at.name is not None or at.address is not None,
        _stray_blank,
    ),
    ("unknown-code", "不在代码集内", Seen.ROW, 20, lambda at: bool(at.coded), _unknown_code),
    ("truncated", "地址截断", Seen.NEVER, 20, _has_address, _truncated),
    ("stale-address", "过时地址", Seen.NEVER, 100, _has_address, _stale_address),
    ("merged-division", "已撤并的行政区划", Seen.REFERENCE, 40, lambda at: at.division is not None, _merged_division),
    ("unit-slip", "元与万元混淆", Seen.NEVER, 30, lambda at: bool(at.money), _unit_slip),
    ("out-of-range", "数值超出范围", Seen.ROW, 20, lambda at: bool(at.limits), _out_of_range),
    ("bad-phone", "电话号码不合规", Seen.ROW, 20, lambda at: bool(at.phones), _bad_phone),
    ("dangling-reference", "引用不存在的单位", Seen.REFERENCE, 30, lambda at: at.reference is not None, _dangling),
    ("namesake", "同名者混淆", Seen.TABLE, 300, _is_person, None),
    ("father-son", "父子混淆", Seen.TABLE, 40, _is_person, None),
    ("twin", "双胞胎混淆", Seen.TABLE, 1000, _is_person, None),
    ("line-break", "字段内换行", Seen.CLEANABLE, 4, lambda at: at.is_delimited and at.address is not None, line_break),
    (DUPLICATE, "整行重复", Seen.TABLE, 50, _always, None),
    (
        CHANGED_DUPLICATE,
        "同一对象的另一版本",
        Seen.TABLE,
        30,
        lambda at: at.updated is not None or at.address is not None,
        None,
    ),
    (ABSENT, "漏报", Seen.NEVER, 80, _always, None),
)
_KINDS: Final = tuple(
    FaultKind(name=name, title_zh=title, seen=seen, share=share, fits=fits, change=change)
    for name, title, seen, share, fits, change in _TABLE
)
FAULTS: Final[Mapping[str, FaultKind]] = {kind.name: kind for kind in _KINDS}
"""Every kind, in the order in which rows are struck."""
OF_SOME: Final = frozenset({"rare-character", *KIN})
"""Kinds whose `share` is of the rows that can have them: those with a rare character, a namesake, a father, a twin."""
ROW_VISIBLE: Final = frozenset(kind.name for kind in _KINDS if kind.seen is Seen.ROW)
"""Kinds that a check of type, requirement, code and identifier must see in the row alone."""

DIRT: Final[Mapping[str, float]] = {"none": 0.0, "light": 0.25, "usual": 1.0, "heavy": 3.5}
"""Level → how often faults strike, as a multiple of each kind's usual share. At usual about 9 rows of 100 differ."""
DIRT_TITLES: Final[Mapping[str, str]] = {"none": "无差错", "light": "轻", "usual": "通常", "heavy": "重"}
