"""The city against the real pass of reading and checks: every form is read whole, what must be seen is seen, and no
sound row is refused.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from datong.catalog.odcs import load_contract
from datong.collect.delimited import scan_file
from datong.collect.preparing import CheckedDelivery, check_delivery, prepare
from datong.collect.reconcile import read_bill
from datong.collect.rereading import Delivery
from datong.quality.model import compile_checks
from datong.testing.city import city_divisions
from datong.testing.city.agencies import TABLES
from datong.testing.city.bills import digest_of
from datong.testing.city.contracts import reading_of
from datong.testing.city.faults import ROW_VISIBLE
from datong.testing.city.model import CityReport

COLLECTED = [table.spec.resource for table in TABLES if reading_of(table.spec) or table.spec.form == "csv"]
"""All but the two databases' dumps, which are restored and read as databases."""
TODAY = dt.date(2026, 11, 24)


def collect(report: CityReport, name: str, work: Path) -> CheckedDelivery:
    contract = load_contract(report.out / "contracts" / f"{name}.odcs.yaml")
    divisions = city_divisions()
    plan = compile_checks(contract, TODAY, divisions=divisions)
    path = report.path(name)
    delivery = Delivery(
        path=path,
        filename=path.name,
        digest=digest_of(path),
        facts=scan_file(path),
        bill=read_bill(path.with_name(f"{name}.bill.json").read_bytes()),
    )
    work.mkdir()
    prepared = prepare(contract, plan, TODAY, divisions)
    return check_delivery(delivery, prepared, work, lambda _step, _done, _total: None)


def refused(checked: CheckedDelivery) -> dict[int, str]:
    if checked.file.quarantine is None:
        return {}
    rows: list[dict[str, Any]] = pq.read_table(checked.file.quarantine, columns=["line", "rule"]).to_pylist()
    return {row["line"]: row["rule"] for row in rows}


@pytest.mark.parametrize("name", COLLECTED)
def test_a_clean_copy_is_accepted_whole_and_agrees_with_its_bill(tmp_path: Path, clean: CityReport, name: str) -> None:
    checked = collect(clean, name, tmp_path / "work")
    assert refused(checked) == {}
    assert checked.file.rows_accepted == clean.copies[name].rows > 0
    assert checked.differences == ()


@pytest.mark.parametrize("name", COLLECTED)
def test_quarantine_holds_what_must_be_seen_and_nothing_sound(tmp_path: Path, heavy: CityReport, name: str) -> None:
    labels = pq.read_table(heavy.out / "truth" / "labels.parquet", filters=pc.field("resource") == name).to_pylist()
    labels = [label for label in labels if label["line"]]
    wanted = ROW_VISIBLE if name == "psb_population" else ROW_VISIBLE | {"sex-mismatch", "birth-mismatch"}
    visible = {label["line"]: label["kind"] for label in labels if label["kind"] in wanted}
    labelled = {label["line"] for label in labels}
    checked = collect(heavy, name, tmp_path / "work")
    found = refused(checked)
    assert checked.file.rows_read == heavy.copies[name].rows
    assert {line: kind for line, kind in visible.items() if line not in found} == {}
    assert {line: rule for line, rule in found.items() if line not in labelled and not rule.endswith("unique")} == {}
