"""Cleaning, deduplication and drift in whole runs: what the table has, what the report tells, what can be undone."""

from __future__ import annotations

import datetime as dt
from datetime import timedelta

import pytest

from datong.collect.contracts import CellChange, ColumnsDiffer, LandedGone, RunState
from datong.collect.landing import landed_path
from datong.collect.service import (
    expire_landed,
    find_changes,
    find_runs,
    get_run,
    read_quarantine,
)
from datong.collect.store.models import Run
from datong.collect.tests.conftest import Office
from datong.collect.tests.plain import PlainOffice, make_plain_office
from datong.kernel import clock
from datong.kernel.config import load_settings
from datong.kernel.failures import NotAllowed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def plain(committing_office: Office) -> PlainOffice:
    return make_plain_office(committing_office)


CLEANING = {
    "name": ["trim", "width"],
    "at": ["width", "date"],
    "amount": [{"step": "unit", "from": "万元", "to": "元"}],
}


def test_cleaned_cells_are_stored_counted_and_shown(plain: PlainOffice) -> None:
    plain.apply(
        mode="replace", columns=CLEANING, cleaning=[{"step": "deduplicate", "by": ["name", "at"], "keep": "last"}]
    )
    run = plain.collect(
        "1, ＡＢ ,２０２４年１月５日,1.5",
        "2,乙,2024-01-05,2亿元",
        "3,丙,不是日期,1",
        "4,AB,2024/1/5,3",
    )
    assert (run.rows_read, run.rows_accepted, run.rows_quarantined) == (4, 2, 2)
    assert [(row["id"], row["name"], row["at"], row["amount"]) for row in plain.rows()] == [
        (2, "乙", dt.date(2024, 1, 5), 200_000_000.0),
        (4, "AB", dt.date(2024, 1, 5), 30_000.0),
    ]
    refused = {row.line: row for row in read_quarantine(run.id, plain.steward)}
    assert {line: row.rule for line, row in refused.items()} == {2: "cleaning.deduplicate", 4: "at.type"}
    assert refused[2].row["name"] == " ＡＢ ", "what is set aside is the row as it came"
    assert refused[4].value == "不是日期"
    assert {(c.column, c.step): c.changed for c in run.changes} == {
        ("name", "trim"): 1,
        ("name", "width"): 1,
        ("at", "width"): 1,
        ("at", "date"): 2,
        ("amount", "unit"): 4,
    }
    changes = find_changes(run.id, plain.steward)
    assert changes[:3] == [
        CellChange(line=2, column="name", before=" ＡＢ ", after="AB"),
        CellChange(line=2, column="at", before="２０２４年１月５日", after="2024-01-05"),
        CellChange(line=2, column="amount", before="1.5", after="15000"),
    ]
    assert [c.line for c in find_changes(run.id, plain.steward, column="at")] == [2, 5]
    with pytest.raises(NotAllowed):
        find_changes(run.id, plain.office.cast.actor(f"{plain.office.agency}.nobody"))


def test_drift_is_refused_with_a_proposal_and_mapped_where_the_contract_says_so(plain: PlainOffice) -> None:
    header = "编号,名称全称,日期,金额,备注\n"
    plain.apply(mode="replace")
    with pytest.raises(ColumnsDiffer) as refused:
        plain.collect("1,甲,2024-01-05,1,无", header=header)
    assert refused.value.facts["extra"] == ["名称全称", "备注"]
    assert "+        physicalName: 名称全称" in refused.value.facts["proposal"]
    failed = find_runs(plain.steward, resource_id=plain.resource_id).items[0]
    assert failed.failure is not None
    assert failed.failure["facts"]["proposal"]
    plain.apply(mode="replace", version="1.1.0", schemaDrift="map")
    run = plain.collect("1,甲,2024-01-05,1,无", header=header)
    assert run.state is RunState.DONE
    assert plain.names() == ["甲"]
    assert {note.code for note in run.notes} >= {"column-renamed", "column-new"}


def test_a_landed_file_goes_after_its_time_and_not_before(plain: PlainOffice) -> None:
    plain.apply(mode="diff", landingRetentionDays=7, columns=CLEANING)
    rows = [f"{i},名{i},2024-01-01,1" for i in range(30)]
    first = plain.collect(*rows)
    blocked = plain.collect(rows[0])
    assert blocked.state is RunState.BLOCKED
    path = landed_path(load_settings(), plain.office.agency, first.digest)
    assert expire_landed() == 0
    Run.objects.update(started_at=clock.now() - timedelta(days=9))
    Run.objects.exclude(state=RunState.BLOCKED).update(finished_at=clock.now() - timedelta(days=8))
    again = plain.collect(*rows)
    assert again.state is RunState.UNCHANGED
    assert expire_landed() == 0, "a run of the same bytes ended today"
    assert path.is_file()
    Run.objects.filter(pk=again.id).update(finished_at=clock.now() - timedelta(days=8))
    assert expire_landed() >= 1
    assert not path.is_file()
    gone = get_run(first.id)
    assert gone.landed_gone_at is not None
    assert gone.digest == first.digest
    assert get_run(blocked.id).state is RunState.FAILED, "superseded by the same table collected later"
    with pytest.raises(LandedGone):
        find_changes(first.id, plain.steward)
