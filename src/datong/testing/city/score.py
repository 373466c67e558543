"""How much of the injected dirt a run caught, by kind, and how many sound rows it refused."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow.compute as pc
import pyarrow.parquet as pq

from datong.kernel.failures import BadInput
from datong.testing.city.faults import FAULTS, Seen

SEEN_TITLES: Final = {
    Seen.ROW: "the row alone",
    Seen.CLEANABLE: "cleaning, or a check of form",
    Seen.FIELDS: "two fields of the row",
    Seen.TABLE: "other rows (uniqueness)",
    Seen.REFERENCE: "another table or register",
    Seen.NEVER: "not detectable by a single-table check",
}
_UNIQUE: Final = "unique"


class CityUnreadable(BadInput):
    """The folder holds no city, or the city has no such table, or the quarantine file is none."""

    code = "city-unreadable"
    title, title_zh = "The city or the quarantine file cannot be read", "合成城市或隔离区文件无法读取"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindScore:
    """One kind of fault: rows that have it, and how many of them are in quarantine. `injected` counts what was left
    out too, which no check of what arrived can refuse: `absent` has no rows. A duplicate is caught when either of the
    two rows is refused."""

    kind: str
    title_zh: str
    seen_by: str
    injected: int
    caught: int

    @property
    def share(self) -> float | None:
        return self.caught / self.injected if self.injected else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CityScore:
    """`sound` rows have no fault. `sound_refused` of them are in quarantine, less `sound_beside`: those refused for
    uniqueness, because a faulty row elsewhere bears their key."""

    resource: str
    rows: int
    refused: int
    kinds: tuple[KindScore, ...]
    sound: int
    sound_refused: int
    sound_beside: int

    def as_dict(self) -> dict[str, Any]:
        found = asdict(self)
        for kind, score in zip(found["kinds"], self.kinds, strict=True):
            kind["share"] = score.share
        found["sound_refused_share"] = self.sound_refused / self.sound if self.sound else None
        return found


def score_quarantine(city: Path, resource: str, files: Sequence[Path]) -> CityScore:
    """Compare a run's quarantine (its CSV, in one or more files) with the labels of the table. CityUnreadable."""
    return score_refused(city, resource, read_refused(files))


def score_refused(city: Path, resource: str, refused: Mapping[int, Sequence[str]]) -> CityScore:
    """The same from the refused lines themselves, each with the rules that refused it."""
    rows = _table(city, "rows", resource, ["line"])
    labels = _table(city, "labels", resource, ["line", "row", "kind", "true_row", "of_line"])
    if not rows.num_rows:
        raise CityUnreadable(
            f"The city has no rows of `{resource}`.", hint_zh=f"城市里没有“{resource}”的数据。", resource=resource
        )
    struck: dict[str, dict[int, tuple[int, int]]] = {}
    for line, row, kind, true_row, of_line in zip(*(column.to_pylist() for column in labels.columns), strict=True):
        struck.setdefault(kind, {})[row or -true_row] = (line, of_line or line)
    faulty = {line for found in struck.values() for line, _ in found.values() if line}
    lines = set(rows.column("line").to_pylist())
    strangers = sorted(set(refused) - lines)
    if strangers:
        raise CityUnreadable(
            f"Line {strangers[0]} is in quarantine, but no row of `{resource}` begins there: it is of another file.",
            hint_zh=f"隔离区中的第{strangers[0]}行不是“{resource}”任何一条记录的起始行，可能不是同一个文件的运行结果。",
            line=strangers[0],
        )
    sound = lines - faulty
    refused_sound = [line for line in refused if line in sound]
    beside = sum(1 for line in refused_sound if all(rule.endswith(_UNIQUE) for rule in refused[line]))
    return CityScore(
        resource=resource,
        rows=rows.num_rows,
        refused=len(refused),
        kinds=tuple(
            KindScore(
                kind=name,
                title_zh=kind.title_zh,
                seen_by=SEEN_TITLES[kind.seen],
                injected=len(struck[name]),
                caught=sum(1 for pair in struck[name].values() if not refused.keys().isdisjoint(pair)),
            )
            for name, kind in FAULTS.items()
            if name in struck
        ),
        sound=len(sound),
        sound_refused=len(refused_sound) - beside,
        sound_beside=beside,
    )


def read_refused(files: Iterable[Path]) -> dict[int, tuple[str, ...]]:
    """Line → rules that refused it, from quarantine CSVs (columns `line` and `rule`)."""
    found: dict[int, tuple[str, ...]] = {}
    for path in files:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not reader.fieldnames or not {"line", "rule"} <= set(reader.fieldnames):
                raise CityUnreadable(
                    f"{path.name} is no quarantine file: it lacks the columns line and rule. "
                    "Write one with `datong quarantine RUN`.",
                    hint_zh=f"{path.name}没有line和rule列，不是隔离区文件。请用datong quarantine导出。",
                )
            for row in reader:
                line = int(row["line"])
                found[line] = (*found.get(line, ()), row["rule"])
    return found


def count_labels(city: Path) -> Counter[tuple[str, str]]:
    """(resource, kind) → labelled faults, a fault over several columns counted once."""
    table = pq.read_table(_path(city, "labels"), columns=["resource", "kind", "row", "true_row"])
    keys = {
        (resource, kind, row or -true_row)
        for resource, kind, row, true_row in zip(*(column.to_pylist() for column in table.columns), strict=True)
    }
    return Counter((resource, kind) for resource, kind, _ in keys)


def _path(city: Path, name: str) -> Path:
    path = city / "truth" / f"{name}.parquet"
    if not path.is_file():
        raise CityUnreadable(
            f"{city} holds no city: truth/{name}.parquet is missing. Build one with `datong city build`.",
            hint_zh=f"{city}里没有合成城市：缺少truth/{name}.parquet。请先用datong city build生成。",
        )
    return path


def _table(city: Path, name: str, resource: str, columns: list[str]) -> Any:
    return pq.read_table(_path(city, name), columns=columns, filters=pc.field("resource") == resource)
