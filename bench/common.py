"""What every benchmark shares: alternate ours and the limit in one run, take medians, print a table, keep a file.

Absolute figures move by a factor of two from hour to hour on a shared machine; the ratio of two medians of one run does
not. A row is `{"measure", "ours", "limit", "limit_is", "ratio", "goal", "holds"}`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).parent / "results"
REPEATS_MIN = 5
Row = dict[str, Any]


def run_alternating(
    variants: Mapping[str, Callable[[], float]], *, repeats: int = REPEATS_MIN
) -> dict[str, list[float]]:
    """Run every variant in turn, `repeats` times round, so that drift touches all alike; one unmeasured round first."""
    samples: dict[str, list[float]] = {name: [] for name in variants}
    for round_number in range(repeats + 1):
        for name, variant in variants.items():
            value = variant()
            if round_number:
                samples[name].append(value)
    return samples


def compare(
    measure: str,
    ours: Sequence[float] | float,
    limit: Sequence[float] | float,
    *,
    limit_is: str,
    goal: float,
    lower_is_better: bool = False,
) -> Row:
    """A row from samples or single values. `ratio` is ours to limit; the goal is a least ratio, or a greatest one."""
    ours_median, limit_median = _median(ours), _median(limit)
    ratio = ours_median / limit_median
    return {
        "measure": measure,
        "ours": _round(ours_median),
        "limit": _round(limit_median),
        "limit_is": limit_is,
        "ratio": round(ratio, 3),
        "goal": f"{'<=' if lower_is_better else '>='} {goal:g}",
        "holds": ratio <= goal if lower_is_better else ratio >= goal,
    }


def _median(values: Sequence[float] | float) -> float:
    return float(values) if isinstance(values, int | float) else median(values)


def _round(value: float) -> float:
    return round(value) if value >= 1000 else float(f"{value:.4g}")


def print_table(rows: Sequence[Row]) -> None:
    columns = ("measure", "ours", "limit", "limit_is", "ratio", "goal", "holds")
    cells = [columns, *[tuple(_cell(row[name]) for name in columns) for row in rows]]
    widths = [max(len(line[at]) for line in cells) for at in range(len(columns))]
    for line in cells:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return (
        f"{value:,.4g}"
        if isinstance(value, float) and value < 1000
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )


def write_results(name: str, rows: Sequence[Row]) -> Path:
    """Print the table and write `bench/results/NAME.json` (not kept in git)."""
    print_table(rows)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(list(rows), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
