"""How long each part's tests took, against its budget: shown at the end of a test run, asserted nowhere.

Sums of test durations on shared machines move by a factor; the table is for people who want to keep a part quick.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

BUDGET_S = {"system": 150, "browser": 150, "laws": 60}
BUDGET_S_DEFAULT = 40
_spent: dict[str, float] = defaultdict(float)


def part_of(nodeid: str) -> str:
    """`src/datong/lake/tests/test_x.py::…` → lake; `tests/system/…` → system."""
    names = nodeid.split("::", 1)[0].split("/")
    if names[:2] == ["src", "datong"]:
        return names[2]
    return names[1] if len(names) > 2 else names[0]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _spent[part_of(report.nodeid)] += report.duration


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table; under xdist only the controller has all durations."""
    if not _spent or hasattr(terminalreporter.config, "workerinput"):
        return
    terminalreporter.section("time by part (seconds, budget)")
    for part, spent_s in sorted(_spent.items(), key=lambda item: -item[1]):
        budget_s = BUDGET_S.get(part, BUDGET_S_DEFAULT)
        note = "   over its budget" if spent_s > budget_s else ""
        terminalreporter.write_line(f"{part:<12} {spent_s:7.1f} {budget_s:6d}{note}")
