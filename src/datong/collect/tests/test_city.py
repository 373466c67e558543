"""The synthetic city: every labelled fault that a row shows is found, and no other row is refused."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from importlib import resources
from pathlib import Path

import duckdb
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from datong.catalog.odcs import parse_contract
from datong.collect.checking import CheckedFile, check_file
from datong.collect.delimited import WantedColumn, scan_file
from datong.quality.model import compile_checks
from datong.standards.divisions import national_divisions, read_table
from datong.testing.city.build import build_city
from datong.testing.city.faults import ROW_VISIBLE

UNIQUE = ("id_number.unique", "uscc.unique")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("city")
    build_city(out, people=3000, firms=400, dirt="heavy")
    return out


def check(city: Path, name: str) -> tuple[CheckedFile, dict[int, str]]:
    text = resources.files("datong.testing").joinpath(f"contracts/{name}.odcs.yaml").read_text(encoding="utf-8")
    contract = parse_contract(text)
    divisions = national_divisions().with_supplement(read_table(city / "divisions.csv").entries())
    plan = compile_checks(contract, date(2026, 11, 24), divisions=divisions)
    work = city / f"work-{name}"
    work.mkdir(exist_ok=True)
    path = city / name.partition("_")[0] / f"{name}.csv"
    wanted = [WantedColumn(name=column.name, aliases=column.source_names) for column in contract.columns]
    checked = check_file(path, scan_file(path), wanted, plan, work)
    rows = duckdb.sql(f"select line, rule from read_parquet('{checked.quarantine}')").fetchall()
    return checked, dict(rows)


def read_faults(city: Path, name: str) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    labels = pq.read_table(city / "truth" / "labels.parquet", filters=pc.field("resource") == name)
    for fault in labels.to_pylist():
        if fault["line"]:
            found[fault["kind"]].add(fault["line"])
    return found


@pytest.mark.parametrize("name", ["psb_population", "amr_enterprise"])
def test_every_visible_fault_is_found_and_no_good_row_refused(city: Path, name: str) -> None:
    checked, refused = check(city, name)
    faults = read_faults(city, name)
    visible = set().union(*(faults[kind] for kind in ROW_VISIBLE))
    assert len(visible) > 20
    assert visible <= set(refused)
    labelled = set().union(*faults.values())
    assert {line: rule for line, rule in refused.items() if line not in labelled and rule not in UNIQUE} == {}
    assert checked.rows_read == checked.rows_accepted + checked.rows_quarantined
    assert set(checked.score.dimensions) >= {"conformity", "completeness", "accuracy"}
    assert not any(
        rule.rows_bad for rule in checked.score.rules if rule.kind == "division" and rule.severity == "reject"
    )
