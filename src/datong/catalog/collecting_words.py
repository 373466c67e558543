"""The words by which a contract says how its files are collected: reading, cleaning, drift, retention, bills, stages.

The vocabulary is closed and every argument is checked here, so that a misspelt word is found where the contract is
written and not in the night when a file arrives.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from datong.catalog.reading import CustomWords, Part
from datong.catalog.values import CleaningStep
from datong.catalog.words import STAGE_TITLES, Stage
from datong.kernel.limits import LANDING_RETENTION_DAYS_MAX

READING_FORMATS: Final = ("auto", "csv", "excel", "json", "jsonl", "xml", "parquet", "geojson", "shapefile")
Test = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_text(item) for item in value)


def _is_mapping_of_texts(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(_is_text(item) for item in value.values())


def _is_pattern(value: Any) -> bool:
    try:
        re.compile(value)
    except (re.error, TypeError):
        return False
    return True


def _is_unpivot(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"keep", "name", "value"}
        and _is_texts(value["keep"])
        and _is_text(value["name"])
        and _is_text(value["value"])
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """What a key may hold: its test and how the finding says it, in English and Chinese."""

    test: Test
    wanted: str
    wanted_zh: str


_TEXT = Argument(test=_is_text, wanted="a text", wanted_zh="文字")
_COUNT = Argument(test=_is_count, wanted="a whole number, 0 or more", wanted_zh="非负整数")
_FLAG = Argument(test=_is_flag, wanted="true or false", wanted_zh="true或false")
_TEXTS = Argument(test=_is_texts, wanted="a list of texts", wanted_zh="文字列表")


def _one_of(*words: str) -> Argument:
    listing = ", ".join(words)
    return Argument(test=lambda value: value in words, wanted=f"one of {listing}", wanted_zh=f"{listing}之一")


READING_KEYS: Final[Mapping[str, Argument]] = {
    "format": _one_of(*READING_FORMATS),
    "encoding": _TEXT,
    "delimiter": _TEXT,
    "sheet": Argument(
        test=lambda value: _is_text(value) or _is_texts(value),
        wanted="a sheet's name or a list of names",
        wanted_zh="工作表名或其列表",
    ),
    "header_rows": _COUNT,
    "first_row": _COUNT,
    "last_rows_ignored": _COUNT,
    "footer_pattern": Argument(test=_is_pattern, wanted="a regular expression", wanted_zh="正则表达式"),
    "record_path": _TEXT,
    "fields": Argument(test=_is_mapping_of_texts, wanted="a mapping of column to path", wanted_zh="列名到路径的对应"),
    "member": _TEXT,
    "unit_in_header": _FLAG,
    "no_header": _FLAG,
    "fill_short_rows": _FLAG,
    "unpivot": Argument(
        test=_is_unpivot,
        wanted="{keep: [columns], name: column, value: column}",
        wanted_zh="{keep: [列], name: 列, value: 列}的形式",
    ),
}
CLEANING_STEPS: Final[Mapping[str, Mapping[str, Argument]]] = {
    "trim": {},
    "width": {"scope": _one_of("word", "all")},
    "upper": {},
    "lower": {},
    "date": {"order": _one_of("ymd", "dmy", "mdy"), "serial": _FLAG},
    "unit": {"from": _TEXT, "to": _TEXT},
    "division-name": {
        "within": Argument(
            test=lambda value: isinstance(value, str) and re.fullmatch(r"\d{2,6}", value, re.ASCII) is not None,
            wanted='the first two to six digits of a division code, in quotes, e.g. "11"',
            wanted_zh='区划代码的前2至6位（加引号），如"11"',
        )
    },
    "phone": {},
    "name": {},
}
TABLE_STEPS: Final[Mapping[str, Mapping[str, Argument]]] = {
    "deduplicate": {"by": _TEXTS, "keep": _one_of("first", "last")},
}
_NEEDED: Final[Mapping[str, frozenset[str]]] = {
    "unit": frozenset({"from", "to"}),
    "deduplicate": frozenset({"by"}),
}


def read_reading(custom: CustomWords, root: Part) -> Mapping[str, Any]:
    """`reading`: how a delivered file is read. Unknown keys and wrong values are findings and left out."""
    given = _mapping(custom, "reading", root)
    return {key: value for key, value in given.data.items() if _check_argument(given, key, value, READING_KEYS)}


def read_cleaning(
    custom: CustomWords, root: Part, known: Mapping[str, Mapping[str, Argument]]
) -> tuple[CleaningStep, ...]:
    """`cleaning`: a list of steps, each a word or `{step: word, argument: value}`. Wrong ones are findings."""
    value = custom.value("cleaning")
    if value is None:
        return ()
    holder = custom.part("cleaning", root.document)
    if not isinstance(value, list):
        holder.add(
            "cleaning.list",
            ("`cleaning` is a list of steps", "cleaning应为步骤列表"),
            ("Write e.g. [width, trim].", "请写成如[width, trim]。"),
        )
        return ()
    found = (
        _read_step(Part(root.document, item, (*holder.path, turn)), item, known) for turn, item in enumerate(value)
    )
    return tuple(step for step in found if step is not None)


def read_retention(custom: CustomWords) -> int | None:
    """`landingRetentionDays`: for how many days delivered files are kept; None leaves it to the deployment."""
    value = custom.value("landingRetentionDays")
    if value is None:
        return None
    if _is_count(value) and 0 < value <= LANDING_RETENTION_DAYS_MAX:
        return int(value)
    custom.add(
        "landingRetentionDays",
        "contract.retention",
        ("`landingRetentionDays` is not a number of days", "landingRetentionDays不是天数"),
        (f"Write 1 to {LANDING_RETENTION_DAYS_MAX}.", f"请写1至{LANDING_RETENTION_DAYS_MAX}的整数。"),
    )
    return None


def read_stages(custom: CustomWords, root: Part) -> Mapping[str, str]:
    """`stages`: who answers at each stage of the data's life, in the order of the stages."""
    given = _mapping(custom, "stages", root)
    answers = {stage.value: _TEXT for stage in Stage}
    said = {key: value for key, value in given.data.items() if _check_argument(given, key, value, answers)}
    return {stage.value: said[stage] for stage in STAGE_TITLES if stage in said}


def _read_step(part: Part, item: Any, known: Mapping[str, Mapping[str, Argument]]) -> CleaningStep | None:
    name = item if isinstance(item, str) else part.text("step")
    if name not in known:
        elsewhere = name in CLEANING_STEPS or name in TABLE_STEPS
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        part.add(
            "cleaning.step",
            (f"`{name}` is not a cleaning step here", f"“{name}”不是此处可用的清洗步骤"),
            (
                ("It belongs to the contract, not to a column. " if elsewhere and "trim" in known else "")
                + (f"Did you mean `{near[0]}`? " if near else "")
                + f"One of: {', '.join(known)}.",
                (f"是否应为“{near[0]}”？" if near else "") + f"可用值：{', '.join(known)}。",
            ),
        )
        return None
    arguments = {key: value for key, value in part.data.items() if key != "step"}
    fits = [_check_argument(part, key, value, known[name]) for key, value in arguments.items()]
    if not all(fits):
        return None
    missing = sorted(_NEEDED.get(name, frozenset()) - arguments.keys())
    if missing:
        part.add(
            "cleaning.argument-missing",
            (f"The step `{name}` needs {', '.join(missing)}", f"步骤“{name}”缺少{'、'.join(missing)}"),
            ("Add it beside `step`.", "请写在step旁边。"),
        )
        return None
    return CleaningStep(step=name, arguments=arguments)


def _mapping(custom: CustomWords, name: str, root: Part) -> Part:
    value = custom.value(name)
    if value is not None and not isinstance(value, dict):
        custom.add(
            name,
            "custom.type",
            (f"`{name}` must be a mapping", f"{name}应为键值对"),
            ("Write `key: value` below it.", "请在其下写“键: 值”。"),
        )
    return custom.part(name, root.document)


def _check_argument(part: Part, key: str, value: Any, known: Mapping[str, Argument]) -> bool:
    argument = known.get(key)
    if argument is None:
        part.add("custom.unknown-key", *_unknown_key(key, known), key=key)
        return False
    if argument.test(value):
        return True
    part.add(
        "custom.type",
        (f"`{key}` must be {argument.wanted}", f"{key}应为{argument.wanted_zh}"),
        ("Change the value.", "请修改该值。"),
        key=key,
    )
    return False


def _unknown_key(key: str, known: Iterable[str]) -> tuple[tuple[str, str], tuple[str, str]]:
    listing = ", ".join(known)
    near = difflib.get_close_matches(key, list(known), n=1, cutoff=0.6)
    return (
        (f"The key `{key}` is unknown here", f"此处没有键“{key}”"),
        (
            (f"Did you mean `{near[0]}`? " if near else "") + (f"One of: {listing}." if listing else "Remove it."),
            (f"是否应为“{near[0]}”？" if near else "") + (f"可用值：{listing}。" if listing else "请删除。"),
        ),
    )
