"""The city against the real pass of checks: what must be seen is seen, and no sound row is refused."""

from __future__ import annotations

import datetime as dt
import json
from importlib import resources
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datong.catalog.odcs import parse_contract
from datong.collect.checking import check_file
from datong.collect.delimited import WantedColumn, scan_file
from datong.quality.model import compile_checks
from datong.testing.city import build_city, city_divisions
from datong.testing.city.dirt import ROW_VISIBLE
from datong.testing.city.model import CityReport


def quarantined_lines(report: CityReport, name: str, work: Path) -> set[int]:
    source = resources.files("datong.testing") / "contracts" / f"{name}.odcs.yaml"
    contract = parse_contract(source.read_text(encoding="utf-8"))
    plan = compile_checks(contract, dt.date(2026, 11, 24), divisions=city_divisions())
    path = report.path(name)
    wanted = [WantedColumn(name=column.name, aliases=column.source_names) for column in contract.columns]
    work.mkdir()
    checked = check_file(path, scan_file(path), wanted, plan, work)
    assert checked.rows_read == report.copies[name].rows
    if checked.quarantine is None:
        return set()
    return {int(line) for line in pq.read_table(checked.quarantine).column("line").to_pylist() if line is not None}


@pytest.mark.parametrize("name", ["psb_population", "amr_enterprise"])
def test_a_clean_copy_is_accepted_whole(tmp_path: Path, name: str) -> None:
    report = build_city(tmp_path / "city", people=1000, firms=300, dirt="clean")
    assert quarantined_lines(report, name, tmp_path / "work") == set()


@pytest.mark.parametrize("name", ["psb_population", "amr_enterprise"])
def test_quarantine_holds_what_must_be_seen_and_nothing_sound(tmp_path: Path, name: str) -> None:
    report = build_city(tmp_path / "city", people=2000, firms=600, dirt="heavy")
    labels = [json.loads(line) for line in (report.out / "faults.jsonl").read_text(encoding="utf-8").splitlines()]
    labels = [label for label in labels if label["file"] == f"{name}.csv" and label["line"]]
    visible = {label["line"] for label in labels if label["kind"] in ROW_VISIBLE and label["column"] not in _OPTIONAL}
    explained = {label["line"] for label in labels} | {label["of_line"] for label in labels if "of_line" in label}
    found = quarantined_lines(report, name, tmp_path / "work")
    assert len(visible) > 30
    assert visible <= found
    assert found <= explained


_OPTIONAL = frozenset({"民族", "住址", "legal_person_id", "industry", "registered_capital", "approved_on", "address"})
"""A shifted row is seen by what it does to the other columns; these may hold anything or nothing."""
