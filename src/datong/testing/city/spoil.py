"""Puts faults into a block of rows and labels every one.

Which rows are struck, lost or doubled is drawn in whole arrays; only the rows that are struck become Python lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa

from datong.kernel import ids
from datong.testing.city import slips
from datong.testing.city.draws import Draws, Ints, Text, kernels
from datong.testing.city.faults import (
    ABSENT,
    CHANGED_DUPLICATE,
    DIRT,
    DUPLICATE,
    FAULTS,
    KIN,
    OF_SOME,
    FaultKind,
    later_edition,
    layout_of,
)
from datong.testing.city.model import Rows, TableSpec
from datong.testing.city.people import NOBODY, People

_RARE: Final = "[" + "".join(sorted(slips.RARE_CHARACTERS)) + "]"
_DUPLICATE_GAP_MAX: Final = 40
_CAP: Final = 0.9
"""Of the rows that can have a kind of OF_SOME, at most so many get it at any level."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Label:
    """One injected fault in one column. `source` is the place in the true block, `place` in what is written, NOBODY
    for a row that was left out; `of_place` is the row that a duplicate repeats."""

    place: int
    source: int
    kind: str
    column: str
    truth: str | None
    written: str | None
    of_place: int = NOBODY


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spoiled:
    """A block as it is written. `source` gives for every row its place in the true block; `short` holds the rows that
    have fewer fields than the header; `breaks` counts line ends inside fields."""

    columns: Mapping[str, Text]
    source: Ints
    labels: list[Label]
    counts: Mapping[str, int]
    short: Mapping[int, list[str]] = field(default_factory=dict)
    breaks: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    struck: int = 0

    def __len__(self) -> int:
        return len(self.source)


class Spoiler:
    """Spoils one table's blocks at one level of dirt."""

    def __init__(self, spec: TableSpec, level: str, seed: int) -> None:
        self._spec, self._layout, self._seed = spec, layout_of(spec), seed
        factor = DIRT[level] / 10_000
        kinds = [kind for kind in FAULTS.values() if kind.fits(self._layout) and factor]
        self._everywhere = [kind for kind in kinds if kind.name not in OF_SOME]
        self._special = {kind.name: kind for kind in kinds if kind.name in OF_SOME}
        self._ends = np.cumsum([kind.share * factor for kind in self._everywhere])
        self._factor = factor

    def spoil(self, rows: Rows, people: People, block: int) -> Spoiled:
        count = len(rows)
        if not self._factor or not count:
            return Spoiled(
                columns=rows.columns,
                source=np.arange(count),
                labels=[],
                counts={},
                breaks=np.zeros(count, dtype=np.int64),
            )
        draws = Draws(self._seed, "dirt", self._spec.resource, block)
        kinds = self._draw_kinds(draws, rows, people)
        change = _Changes(
            self._spec, rows, people, ids.seeded(hash_seed(self._seed, self._spec.resource, block)).random
        )
        for kind in (*self._everywhere, *self._special.values()):
            change.strike(kind, np.flatnonzero(kinds == _number(kind)))
        return change.finish(draws, kinds)

    def _draw_kinds(self, draws: Draws, rows: Rows, people: People) -> Ints:
        """The number of each row's kind, 0 for a sound row; a row gets at most one."""
        found = np.searchsorted(self._ends, draws.uniform(len(rows)), side="right")
        numbers = np.array([_number(kind) for kind in self._everywhere] + [0])
        kinds = numbers[found]
        drawn = draws.uniform(len(rows))
        for name, kind in self._special.items():
            hit = drawn < min(kind.share * self._factor, _CAP)
            able = _has_rare(self._spec, rows) if name == "rare-character" else others_of(name, rows, people) != NOBODY
            kinds = np.where(able & hit, _number(kind), kinds)
        return kinds


def hash_seed(seed: int, resource: str, block: int) -> int:
    """A seed for Python's generator, apart for every table and block."""
    return seed * 1_000_003 + block * 7_919 + sum(ord(letter) * (place + 1) for place, letter in enumerate(resource))


def _number(kind: FaultKind) -> int:
    return 1 + list(FAULTS).index(kind.name)


def _has_rare(spec: TableSpec, rows: Rows) -> Any:
    name = next(column.name for column in spec.columns if column.role == "name")
    return kernels.match_substring_regex(rows.columns[name], _RARE).to_numpy(zero_copy_only=False)


def others_of(kind: str, rows: Rows, people: People) -> Ints:
    """For each row the place in the block of the one who is taken for its person; NOBODY where there is nobody."""
    if rows.person is None:
        return np.full(len(rows), NOBODY, dtype=np.int64)
    me = people.local(rows.person)
    if kind == "namesake":
        return _namesakes(people)[me]
    if kind == "father-son":
        return np.where(people.is_male[me], people.local(people.father[me]), NOBODY)
    return people.local(people.twin[me])


class _Changes:
    """What is changed in a block, gathered kind by kind, then applied at once."""

    def __init__(self, spec: TableSpec, rows: Rows, people: People, draw: slips.Draw) -> None:
        self._spec, self._layout, self._rows, self._people, self._draw = spec, layout_of(spec), rows, people, draw
        self._names = spec.names
        self._cells: dict[str, dict[int, str]] = {name: {} for name in self._names}
        self._short: dict[int, list[str]] = {}
        self._breaks: dict[int, int] = {}
        self._labels: list[tuple[int, str, list[tuple[int, str, str | None]]]] = []
        self._counts: dict[str, int] = {}
        self._later: dict[int, list[str]] = {}

    def _lists(self, at: Ints) -> list[list[str]]:
        places = pa.array(at)
        return [
            list(row)
            for row in zip(*(self._rows.columns[name].take(places).to_pylist() for name in self._names), strict=True)
        ]

    def strike(self, kind: FaultKind, at: Ints) -> None:
        if not len(at) or kind.name in (ABSENT, DUPLICATE):
            return
        others = self._others(kind, at) if kind.name in KIN else None
        for number, (place, truth) in enumerate(zip(at.tolist(), self._lists(at), strict=True)):
            written = truth[:]
            if others is not None:
                assert self._layout.identifier is not None
                written[self._layout.identifier] = others[number]
            elif kind.name == CHANGED_DUPLICATE:
                later_edition(written, self._layout, self._draw)
                self._later[place] = written
                continue
            elif kind.change is not None:
                kind.change(written, self._layout, self._draw)
            self._note(kind.name, place, truth, written)

    def _note(self, kind: str, place: int, truth: list[str], written: list[str]) -> None:
        changes = differences(truth, written)
        if not changes:
            return
        self._counts[kind] = self._counts.get(kind, 0) + 1
        self._labels.append((place, kind, changes))
        if len(written) < len(truth):
            self._short[place] = written
        for column, _, wrong in changes:
            self._cells[self._names[column]][place] = wrong or ""
        if kind == "line-break":
            self._breaks[place] = 1

    def _others(self, kind: FaultKind, at: Ints) -> list[str]:
        """The identity numbers of those who are taken for the rows' people."""
        other = others_of(kind.name, self._rows, self._people)[at]
        numbers: list[str] = self._people.id_number.take(pa.array(other)).to_pylist()
        return numbers

    def finish(self, draws: Draws, kinds: Ints) -> Spoiled:
        """The rows as they are written: struck rows changed, absent ones left out, duplicates some rows further on."""
        count = len(self._rows)
        number = {name: 1 + place for place, name in enumerate(FAULTS)}
        absent = kinds == number[ABSENT]
        doubled = np.flatnonzero((kinds == number[DUPLICATE]) | (kinds == number[CHANGED_DUPLICATE]))
        gap = 1 + draws.below(len(doubled), _DUPLICATE_GAP_MAX)
        keep = np.flatnonzero(~absent)
        rank = np.concatenate([keep.astype(np.float64), doubled + gap + 0.5])
        source = np.concatenate([keep, doubled])
        is_again = np.concatenate([np.zeros(len(keep), dtype=bool), np.ones(len(doubled), dtype=bool)])
        order = np.argsort(rank, kind="stable")
        source, is_again = source[order], is_again[order]
        place = np.full(count, NOBODY, dtype=np.int64)
        place[source[~is_again]] = np.flatnonzero(~is_again)
        columns = self._columns(source, is_again)
        labels = [
            Label(place=int(place[at]), source=at, kind=kind, column=self._names[column], truth=right, written=wrong)
            for at, kind, changes in self._labels
            for column, right, wrong in changes
        ]
        labels += self._absences(np.flatnonzero(absent))
        labels += self._repeats(source, np.flatnonzero(is_again), place, kinds, number)
        breaks = np.zeros(len(source), dtype=np.int64)
        for at, ends in self._breaks.items():
            breaks[place[at]] = ends
        short = {int(place[at]): row for at, row in self._short.items()}
        struck = len({at for at, _, _ in self._labels})
        return Spoiled(
            columns=columns,
            source=source,
            labels=labels,
            counts=self._counts,
            short=short,
            breaks=breaks,
            struck=struck,
        )

    def _columns(self, source: Ints, is_again: Any) -> dict[str, Text]:
        taken = pa.array(source)
        again = {int(source[at]): int(at) for at in np.flatnonzero(is_again)}
        found = {}
        for index, name in enumerate(self._names):
            column = _replace(self._rows.columns[name], self._cells[name]).take(taken)
            later = {again[at]: row[index] for at, row in self._later.items()}
            found[name] = _replace(column, later)
        return found

    def _absences(self, at: Ints) -> list[Label]:
        key = self._names[self._layout.key]
        values = self._rows.columns[key].take(pa.array(at)).to_pylist()
        if len(at):
            self._counts[ABSENT] = len(at)
        return [
            Label(place=NOBODY, source=int(one), kind=ABSENT, column=key, truth=value, written=None)
            for one, value in zip(at, values, strict=True)
        ]

    def _repeats(self, source: Ints, again: Ints, place: Ints, kinds: Ints, number: Mapping[str, int]) -> list[Label]:
        labels = []
        truths = self._lists(source[again])
        for at, truth in zip(again.tolist(), truths, strict=True):
            of = int(source[at])
            kind = CHANGED_DUPLICATE if kinds[of] == number[CHANGED_DUPLICATE] else DUPLICATE
            self._counts[kind] = self._counts.get(kind, 0) + 1
            key = self._layout.key
            changes = differences(truth, self._later[of]) if of in self._later else []
            for column, right, wrong in changes or [(key, truth[key], truth[key])]:
                labels.append(
                    Label(place=at, source=of, kind=kind, column=self._names[column], truth=right, written=wrong,
                          of_place=int(place[of]))
                )  # fmt: skip
        return labels


def _replace(column: Text, cells: Mapping[int, str]) -> Text:
    if not cells:
        return column
    mask = np.zeros(len(column), dtype=bool)
    places = sorted(cells)
    mask[places] = True
    return kernels.replace_with_mask(column, mask, pa.array([cells[place] for place in places], type=pa.string()))


def differences(truth: list[str], written: list[str]) -> list[tuple[int, str, str | None]]:
    """(column, true value, written value) wherever they differ; None where the row is too short."""
    padded: list[str | None] = [*written, *[None] * (len(truth) - len(written))]
    return [
        (column, right, wrong)
        for column, (right, wrong) in enumerate(zip(truth, padded, strict=True))
        if right != wrong
    ]


def _namesakes(people: People) -> Ints:
    """Somebody of the block with the same full name, as a place in it; NOBODY where the name is alone."""
    codes = people.name.dictionary_encode().indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    same = np.concatenate([ordered[1:] == ordered[:-1], [False]])
    found = np.full(len(codes), NOBODY, dtype=np.int64)
    found[order[:-1]] = np.where(same[:-1], order[1:], NOBODY)
    before = np.concatenate([[False], same[:-1]])
    found[order[before]] = np.where(
        found[order[before]] == NOBODY, order[np.flatnonzero(before) - 1], found[order[before]]
    )
    return found
