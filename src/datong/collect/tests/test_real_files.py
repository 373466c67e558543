"""The shipped contracts against the publishers' own files: true counts, true faults, what is told, values at places."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datong.collect.contracts import RunState, RunView
from datong.collect.service import read_quarantine
from datong.collect.tests.conftest import Office
from datong.kernel.ids import ResourceId, RunId
from datong.lake import service as lake
from datong.testing.real_files import FILES, RealFile

REAL = Path(__file__).resolve().parents[5] / "shared" / "data"
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not REAL.is_dir(), reason="the shared real files are not on this machine"),
]


def collect(office: Office, name: str) -> tuple[RunView, ResourceId]:
    """Collect the real file of this name under its contract."""
    [file] = [file for file in FILES if file.filename == name]
    resource_id = office.apply_text(file.contract)
    return office.collect(REAL / file.name, resource_id=resource_id), resource_id


def rows_of(resource_id: ResourceId) -> Iterator[dict[str, Any]]:
    version = lake.current_version(resource_id)
    assert version is not None
    for batch in lake.read_version(version):
        yield from batch.to_pylist()


@pytest.mark.parametrize("file", [FILES[0], FILES[-1]], ids=lambda file: file.contract)
def test_a_real_file_is_collected_whole(committing_office: Office, file: RealFile) -> None:
    """A plain one and the oddest one; all of them come through the page in tests/system."""
    office = committing_office
    resource_id = office.apply_text(file.contract)
    run = office.collect(REAL / file.name, resource_id=resource_id)
    assert (run.state, run.rows_read, run.rows_accepted) == (RunState.DONE, file.rows, file.rows)
    assert {note.code for note in run.notes} >= file.notes
    assert sum(1 for _ in rows_of(resource_id)) == file.rows


def test_division_codes_keep_their_periods(committing_office: Office) -> None:
    _, resource_id = collect(committing_office, "gb2260_history_mca_198012_201904.csv")
    chongwen = [row for row in rows_of(resource_id) if row["code"] == "110103"]
    assert [(row["name"], str(row["last_seen"])) for row in chongwen] == [("崇文区", "2009-12-01")]


def test_an_absent_measurement_is_null(committing_office: Office) -> None:
    _, resource_id = collect(committing_office, "beijing_pm25_2010_2014_uci.csv")
    assert sum(row["pm25"] is None for row in rows_of(resource_id)) == 2067


def test_a_statistics_export_is_turned_and_its_notes_are_told(committing_office: Office) -> None:
    """BOM, tabs inside the cells, notes above and below, one column for each quarter."""
    run, resource_id = collect(committing_office, "nbs_quarterly_gdp_current_prices.csv")
    rows = list(rows_of(resource_id))
    total = "Gross Domestic Product, Current Quarter (100 million yuan)"
    assert {row["quarter"]: float(row["value"]) for row in rows if row["indicator"] == total}["1Q 2026"] == 334192.9
    assert len({row["quarter"] for row in rows}) == 18
    told = {note.code: note for note in run.notes}
    assert "4Q 2021-1Q 2026" in told["preamble"].text
    assert "National Bureau of Statistics" in told["footnotes"].text or "36" in told["footnotes"].zh


def test_a_word_list_with_mac_line_ends_begins_without_its_mark(committing_office: Office) -> None:
    run, resource_id = collect(committing_office, "THUOCL_diming.txt")
    refused = read_quarantine(RunId(run.id), committing_office.steward, rows_max=100)
    [file] = [file for file in FILES if file.filename == "THUOCL_diming.txt"]
    assert {row.line: row.rule for row in refused} == file.refused
    words = {row["word"]: row["frequency"] for row in rows_of(resource_id)}
    assert words["中国"] == 1_932_582
    assert words["范家庄子"] == 1
    assert "柴塔村" not in words
    assert not any(word != word.strip() or "\ufeff" in word for word in words)
