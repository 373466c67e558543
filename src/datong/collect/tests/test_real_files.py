"""The demo contracts against real files, where they are: division codes, air quality with NA, a statistics export."""

from __future__ import annotations

from pathlib import Path

import pytest

from datong.collect.contracts import RunState
from datong.collect.tests.conftest import Office
from datong.lake import service as lake

REAL = Path(__file__).resolve().parents[5] / "shared" / "data"
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not REAL.is_dir(), reason="the shared real files are not on this machine"),
]


def test_division_codes(committing_office: Office) -> None:
    office = committing_office
    resource_id = office.apply_text("civil_divisions")
    run = office.collect(REAL / "divisions/gb2260_history_mca_198012_201904.csv", resource_id=resource_id)
    assert run.state is RunState.DONE
    assert run.rows_read == 6898
    assert run.rows_read == run.rows_accepted + run.rows_quarantined
    version = lake.current_version(resource_id)
    assert version is not None
    rows = lake.read_version(version).read_all().to_pylist()
    chongwen = [row for row in rows if row["code"] == "110103"]
    assert [(row["name"], str(row["last_seen"])) for row in chongwen] == [("崇文区", "2009-12-01")]


def test_air_quality_with_absent_values(committing_office: Office) -> None:
    office = committing_office
    resource_id = office.apply_text("eco_beijing_pm25")
    run = office.collect(REAL / "air/beijing_pm25_2010_2014_uci.csv", resource_id=resource_id)
    assert (run.state, run.rows_read, run.rows_quarantined) == (RunState.DONE, 43824, 0)
    version = lake.current_version(resource_id)
    assert version is not None
    table = lake.read_version(version).read_all()
    assert table.num_rows == 43824
    assert table.column("pm25").null_count == 2067


def test_a_statistics_export_with_notes_and_a_column_a_quarter(committing_office: Office) -> None:
    """BOM, tabs, notes above and below, one column for each quarter: read long, as the contract says."""
    office = committing_office
    resource_id = office.apply_text("stats_quarterly_gdp")
    run = office.collect(REAL / "macro/nbs_quarterly_gdp_current_prices.csv", resource_id=resource_id)
    assert run.state is RunState.DONE
    assert run.rows_read == run.rows_accepted + run.rows_quarantined
    assert {note.code for note in run.notes} >= {"preamble", "unpivoted"}
    version = lake.current_version(resource_id)
    assert version is not None
    rows = lake.read_version(version).read_all().to_pylist()
    assert len({row["quarter"] for row in rows}) == 18
    assert len(rows) == run.rows_accepted
