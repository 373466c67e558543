"""Named lists of codes, each code with its span of validity.

The lists are TOML files in `standards/lists/`, written by us from the standards they name. A list may be asked for by
its key (`sex`) or by the standard's number (`GB/T 2261.1`).
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from datong.kernel.failures import NotFound

INDUSTRY_SECTION_ENDS = (
    (5, "A"), (12, "B"), (43, "C"), (46, "D"), (50, "E"), (52, "F"), (60, "G"), (62, "H"), (65, "I"), (69, "J"),
    (70, "K"), (72, "L"), (75, "M"), (79, "N"), (82, "O"), (83, "P"), (85, "Q"), (90, "R"), (96, "S"), (97, "T"),
)  # fmt: skip
"""The last 大类 of each 门类 (GB/T 4754-2017)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One value of a list. `valid_to` is exclusive; None on either side is open."""

    code: str
    title_zh: str
    title_en: str = ""
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None

    def is_valid_on(self, day: dt.date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeList:
    """A standard set of values. `confirmed` is False where the standard's text was not at hand when it was written."""

    name: str
    edition: str
    title_zh: str
    title_en: str
    source: str
    confirmed: bool
    codes: tuple[Code, ...]

    def find(self, code: str, on: dt.date | None = None) -> Code | None:
        """The entry of a code, valid on the day if one is given; of several spans, the latest."""
        found = [entry for entry in self.codes if entry.code == code and (on is None or entry.is_valid_on(on))]
        return found[-1] if found else None

    def has(self, code: str, on: dt.date | None = None) -> bool:
        return self.find(code, on) is not None

    def values(self, on: dt.date | None = None) -> tuple[str, ...]:
        """The codes valid on the day, or all that there ever were, in the list's order."""
        return tuple(dict.fromkeys(entry.code for entry in self.codes if on is None or entry.is_valid_on(on)))

    def titles(self, language: str = "zh") -> Mapping[str, str]:
        """code → title; the Chinese title stands in where there is no English one."""
        english = language.startswith("en")
        return {entry.code: (entry.title_en if english else "") or entry.title_zh for entry in self.codes}


class CodeListUnknown(NotFound):
    code = "code-list-unknown"
    title, title_zh = "There is no such code list", "没有这个代码集"


def get_code_list(name: str) -> CodeList:
    """The list of that key or standard number; CodeListUnknown names those that exist."""
    lists = _all_lists()
    found = lists.get(name) or lists.get(_aliases().get(_plain(name), ""))
    if found is None:
        known = sorted(lists)
        raise CodeListUnknown(
            f"Known lists: {', '.join(known)}.", hint_zh=f"已有代码集：{'、'.join(known)}。", name=name, known=known
        )
    return found


def find_code_lists() -> list[CodeList]:
    """All lists, by key."""
    return [code_list for _, code_list in sorted(_all_lists().items())]


def industry_section_of(code: str) -> str | None:
    """The letter A–T of a 大类, 中类 or 小类 code of GB/T 4754-2017 (2 to 4 digits), or of the letter itself."""
    if len(code) == 1:
        return code if get_code_list("industry_section").has(code) else None
    if not (2 <= len(code) <= 4 and code.isascii() and code.isdigit()):
        return None
    division = int(code[:2])
    return next((section for last, section in INDUSTRY_SECTION_ENDS if 1 <= division <= last), None)


def _plain(name: str) -> str:
    return name.replace(" ", "").upper()


@cache
def _all_lists() -> Mapping[str, CodeList]:
    lists = {}
    for source in resources.files(__package__).joinpath("lists").iterdir():
        if source.name.endswith(".toml"):
            for name, table in tomllib.loads(source.read_text(encoding="utf-8")).items():
                lists[name] = _read_list(name, table)
    return lists


@cache
def _aliases() -> Mapping[str, str]:
    """Standard number, with and without its year → key, where one list only has it."""
    found: dict[str, list[str]] = {}
    for name, code_list in _all_lists().items():
        number = _plain(code_list.source)
        for alias in {number, number.rsplit("-", 1)[0]}:
            found.setdefault(alias, []).append(name)
    return {alias: names[0] for alias, names in found.items() if len(names) == 1}


def _read_list(name: str, table: Mapping[str, object]) -> CodeList:
    rows = table["codes"]
    if not isinstance(rows, list):
        raise TypeError(f"code list {name}: codes is a list of [code, zh, en, from?, to?]")
    return CodeList(
        name=name,
        edition=str(table["edition"]),
        title_zh=str(table["title_zh"]),
        title_en=str(table["title_en"]),
        source=str(table["source"]),
        confirmed=bool(table.get("confirmed", True)),
        codes=tuple(_read_code(row) for row in rows),
    )


def _read_code(row: list[str]) -> Code:
    code, title_zh, title_en, since, until = [*row, *[""] * (5 - len(row))]
    return Code(
        code=code,
        title_zh=title_zh,
        title_en=title_en,
        valid_from=dt.date.fromisoformat(since) if since else None,
        valid_to=dt.date.fromisoformat(until) if until else None,
    )
