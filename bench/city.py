"""The synthetic city: a million people, all fourteen agencies' files, within a minute and within bounded memory.

`python bench/city.py [PEOPLE] [--linear]`: 1,000,000 people with the usual dirt; each build is a process of its own, so
that its greatest resident memory can be read. `--linear` also builds a fifth, for the cost of a person and for memory
that must not grow with the people.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from common import Row, compare, write_results

PEOPLE, LIMIT_S, MEMORY_LIMIT_MIB = 1_000_000, 60.0, 1024.0
CHILD = """
import json, resource, sys, time
from pathlib import Path
from datong.testing.city import build_city
began, spent = time.perf_counter(), time.process_time()
report = build_city(Path(sys.argv[1]), people=int(sys.argv[2]), dirt="usual")
print(json.dumps({"took_s": time.perf_counter() - began, "cpu_s": time.process_time() - spent, "rows": report.rows,
                  "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def build(people: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", CHILD, str(Path(folder) / "city"), str(people)]
        found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    per_million = found["cpu_s"] / people * 1e6
    print(
        f"{people:,} people, {found['rows']:,.0f} rows: {found['took_s']:.1f} s ({found['cpu_s']:.1f} s of processor, "
        f"{per_million:.1f} s a million people), {found['peak_mib']:.0f} MiB resident at most"
    )
    return found


def main() -> int:
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    people = numbers[0] if numbers else PEOPLE
    rows: list[Row] = []
    whole = build(people)
    limit_s = LIMIT_S * people / PEOPLE
    rows.append(
        compare(
            f"{people:,} people, s", whole["took_s"], limit_s, limit_is="60 s a million", goal=1, lower_is_better=True
        )
    )
    rows.append(
        compare("resident, MiB", whole["peak_mib"], MEMORY_LIMIT_MIB, limit_is="1 GiB", goal=1, lower_is_better=True)
    )
    if "--linear" in sys.argv:
        part = build(people // 5)
        cost, cost_part = whole["cpu_s"] / people, part["cpu_s"] / (people // 5)
        rows.append(
            compare(
                "cost of a person, µs",
                cost * 1e6,
                cost_part * 1e6,
                limit_is="of a fifth",
                goal=1.2,
                lower_is_better=True,
            )
        )
    write_results("city", rows)
    return 0 if all(row["holds"] for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
