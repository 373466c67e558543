"""What collection makes of the synthetic city's faults, by kind, at each level of dirt.

`python bench/faults.py [PEOPLE] [--write]`: every delivered file is read, cleaned and checked with its own contract, as
a run does it; the labels say what was wrong. `--write` puts the table into docs/reference/faults.md.
Refused: the row is in quarantine (of a duplicate: either of the two). Mended: it was accepted with the true values, by
a cleaning step that the contract declares. The rest went in as it came.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

from common import Row, compare, write_results

from datong.testing.city import build_city
from datong.testing.city.faults import ABSENT, DIRT_TITLES, FAULTS, ROW_VISIBLE
from datong.testing.city.score import SEEN_TITLES
from datong.testing.city.trial import COLLECTED, try_table

PEOPLE = 20_000
LEVELS = ("light", "usual", "heavy")
PAGE = Path(__file__).parent.parent / "docs" / "reference" / "faults.md"
BEGIN, END = "<!-- table: python bench/faults.py --write -->", "<!-- end of table -->"


class Level:
    """Sums over all tables at one level of dirt."""

    def __init__(self, people: int, dirt: str, folder: Path) -> None:
        city = build_city(folder / dirt, people=people, dirt=dirt)
        self.injected: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.mended: Counter[str] = Counter()
        self.rows = self.sound = self.sound_refused = self.sound_beside = 0
        for name in COLLECTED:
            trial = try_table(city.out, name, folder / f"{dirt}-{name}")
            for kind in trial.score.kinds:
                self.injected[kind.kind] += kind.injected
                self.refused[kind.kind] += kind.caught
            self.mended += trial.mended
            self.rows += trial.score.rows
            self.sound += trial.score.sound
            self.sound_refused += trial.score.sound_refused
            self.sound_beside += trial.score.sound_beside

    def cell(self, kind: str) -> str:
        count = self.injected[kind]
        if not count:
            return "–"
        mended = self.mended[kind] / count
        return f"{self.refused[kind] / count:.0%}" + (f" + {mended:.0%}" if mended >= 0.005 else "") + f" of {count:,}"


def table(levels: dict[str, Level], people: int) -> str:
    """The table in Markdown."""
    heads = [f"{dirt} {DIRT_TITLES[dirt]}" for dirt in levels]
    lines = [
        f"{people:,} people, {len(COLLECTED)} files, seed 7. Each cell: refused + mended, of how many injected.",
        "",
        f"| kind | 差错 | {' | '.join(heads)} | what can see it |",
        "|---|---|" + "---|" * (len(levels) + 1),
    ]
    for name, kind in FAULTS.items():
        cells = " | ".join(level.cell(name) for level in levels.values())
        lines.append(f"| {name} | {kind.title_zh} | {cells} | {SEEN_TITLES[kind.seen]} |")
    told = [
        (
            "sound rows refused",
            "误拒的正确行",
            [f"{level.sound_refused:,} of {level.sound:,}" for level in levels.values()],
            "must be none",
        ),
        (
            "sound rows refused beside a faulty one of their key",
            "因他行主键相同而被拒的正确行",
            [f"{level.sound_beside:,} of {level.sound:,}" for level in levels.values()],
            "uniqueness cannot tell which is right",
        ),
    ]
    lines += [f"| **{name}** | {zh} | {' | '.join(cells)} | {why} |" for name, zh, cells, why in told]
    return "\n".join(lines)


def main() -> int:
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    people = numbers[0] if numbers else PEOPLE
    with tempfile.TemporaryDirectory() as folder:
        levels = {dirt: Level(people, dirt, Path(folder)) for dirt in LEVELS}
    text = table(levels, people)
    print(text, end="\n\n")
    if "--write" in sys.argv:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n\n{END}{after}", encoding="utf-8")
    rows: list[Row] = []
    for dirt, level in levels.items():
        visible = [kind for kind in ROW_VISIBLE if kind != ABSENT]
        caught = sum(level.refused[kind] for kind in visible) / sum(level.injected[kind] for kind in visible)
        rows.append(compare(f"row-visible faults refused, {dirt}", caught, 1.0, limit_is="all of them", goal=1.0))
        wrongly = level.sound_refused / level.sound
        rows.append(compare(f"sound rows let in, {dirt}", 1.0 - wrongly, 1.0, limit_is="all of them", goal=1.0))
    write_results("faults", rows)
    return 0 if all(row["holds"] for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
