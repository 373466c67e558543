"""Changes of divisions told by names (`date ⇥ approval ⇥ old place=>new place`) as steps between codes of a table.

A place is written by its names from the province down, on the left long and short by turns (湖北省 湖北 襄樊市 襄樊),
on the right long only, and often without the people of an autonomous county (金秀县). The old path is looked up before
the change, the new one after it; what finds no code, or several, is told and not guessed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from datong.standards.contracts import Code, Edition, EditionKind, Succession
from datong.standards.divisions import Divisions, from_edition
from datong.standards.succession import name_stem

WINDOW = dt.timedelta(days=800)
"""Tables are published late: a change may be in the table up to about two years after it was approved."""


def resolve_moves(codes: Sequence[Code], lines: Sequence[str]) -> tuple[list[Succession], list[tuple[int, str]]]:
    """The steps, and (place of the line, path that was not found) for what could not be resolved."""
    table = from_edition(Edition(kind=EditionKind.DIVISIONS, name="x", edition="x", title_zh="x", codes=tuple(codes)))
    steps, unresolved = [], []
    for place, line in enumerate(lines):
        found = _resolve_move(table, line)
        if isinstance(found, Succession):
            steps.append(found)
        elif found:
            unresolved.append((place, found))
    return steps, unresolved


def _resolve_move(table: Divisions, line: str) -> Succession | str:
    """The step; the path that was not found; or "" where nothing changed but the place above, under the same code."""
    left, _, right = line.partition("=>")
    day_text, approval, *old_names = left.split("\t")
    new_names = right.split("\t")
    on = dt.date.fromisoformat(day_text)
    old_path = [name for place, name in enumerate(old_names) if place % 2 == 0]
    old = _find_path(table, old_path, on, is_before=True)
    new = _find_path(table, new_names, on, is_before=False)
    if old is None or new is None:
        return "".join(old_path if old is None else new_names)
    if old == new and old_path[-1] == new_names[-1]:
        return ""
    kind = "renamed" if old == new else "recoded"
    note = f"{''.join(old_path)} → {''.join(new_names)}（{approval}）"
    return Succession(code=old, to_code=new, on=on, kind=kind, note=note)


def _find_path(table: Divisions, names: Sequence[str], on: dt.date, *, is_before: bool) -> str | None:
    """The one code that bore the last name below the others, in the years around the day."""
    found: dict[bool, set[str]] = {}
    for entry in table.entries():
        if entry.name != names[-1] and name_stem(entry.name) != name_stem(names[-1]):
            continue
        stood = (entry.valid_from is None or entry.valid_from <= on + (dt.timedelta(0) if is_before else WINDOW)) and (
            entry.valid_to is None or entry.valid_to > (on - WINDOW if is_before else on)
        )
        if stood and _stands_below(table, entry.code, names[:-1]):
            found.setdefault(entry.name == names[-1], set()).add(entry.code)
    best = found.get(True) or found.get(False) or set()
    return best.pop() if len(best) == 1 else None


def _stands_below(table: Divisions, code: str, names: Sequence[str]) -> bool:
    above = {name_stem(e.name) for each in (code[:2] + "0000", code[:4] + "00") for e in table.history(each)}
    return all(name_stem(name) in above for name in names if name)
