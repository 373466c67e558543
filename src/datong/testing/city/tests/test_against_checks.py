"""The city against the real pass of checks: what must be seen is seen, and no sound row is refused."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from datong.catalog.odcs import load_contract
from datong.collect.checking import check_file
from datong.collect.delimited import WantedColumn, scan_file
from datong.quality.model import compile_checks
from datong.testing.city import city_divisions
from datong.testing.city.faults import ROW_VISIBLE
from datong.testing.city.model import CityReport


def refused(report: CityReport, name: str, work: Path) -> dict[int, str]:
    contract = load_contract(report.out / "contracts" / f"{name}.odcs.yaml")
    plan = compile_checks(contract, dt.date(2026, 11, 24), divisions=city_divisions())
    path = report.path(name)
    wanted = [WantedColumn(name=column.name, aliases=column.source_names) for column in contract.columns]
    work.mkdir()
    checked = check_file(path, scan_file(path), wanted, plan, work)
    assert checked.rows_read == report.copies[name].rows
    if checked.quarantine is None:
        return {}
    rows: list[dict[str, Any]] = pq.read_table(checked.quarantine, columns=["line", "rule"]).to_pylist()
    return {row["line"]: row["rule"] for row in rows}


@pytest.mark.parametrize("name", ["psb_population", "amr_enterprise"])
def test_a_clean_copy_is_accepted_whole(tmp_path: Path, clean: CityReport, name: str) -> None:
    assert refused(clean, name, tmp_path / "work") == {}


@pytest.mark.parametrize("name", ["psb_population", "amr_enterprise"])
def test_quarantine_holds_what_must_be_seen_and_nothing_sound(tmp_path: Path, heavy: CityReport, name: str) -> None:
    labels = pq.read_table(heavy.out / "truth" / "labels.parquet", filters=pc.field("resource") == name).to_pylist()
    labels = [label for label in labels if label["line"]]
    visible = {label["line"] for label in labels if label["kind"] in ROW_VISIBLE}
    labelled = {label["line"] for label in labels}
    found = refused(heavy, name, tmp_path / "work")
    assert len(visible) > 20
    assert visible <= set(found)
    assert {line: rule for line, rule in found.items() if line not in labelled and not rule.endswith("unique")} == {}
