"""Bills at the door: a delivery that differs from its bill makes no version until somebody lets it pass."""

from __future__ import annotations

import hashlib

import pytest

from datong.collect.contracts import Bill, BillMissing, BillUnreadable, BlockKind, RunState
from datong.collect.reconcile import make_bill
from datong.collect.service import execute_run, find_case, find_runs, resume_run
from datong.collect.tests.conftest import Office
from datong.collect.tests.plain import HEADER, PlainOffice, make_plain_office
from datong.lake import service as lake

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = ("1,甲,2024-01-01,10.5", "2,乙,2024-01-01,20", "坏,丙,2024-01-01,1")


@pytest.fixture
def plain(committing_office: Office) -> PlainOffice:
    return make_plain_office(committing_office)


def bill_of(*rows: str) -> Bill:
    """What an honest sender writes of these rows."""
    content = (HEADER + "".join(f"{row}\n" for row in rows)).encode()
    return make_bill(
        {
            "rows": len(rows),
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "sums": {"金额": "31.50"},
            "distinct": {"编号": len({row.split(",")[0] for row in rows})},
        }
    )


def test_a_lost_or_doubled_row_waits_and_an_accepted_difference_passes(plain: PlainOffice) -> None:
    plain.apply(mode="replace", billRequired=True)
    with pytest.raises(BillMissing):
        plain.collect(*ROWS)
    good = plain.collect(*ROWS, bill=bill_of(*ROWS))
    assert (good.state, good.bill_differences) == (RunState.DONE, ()), "quarantined rows are in the sender's sums"
    assert good.rows_quarantined == 1
    version = lake.current_version(plain.resource_id)
    lost = plain.collect(*ROWS[1:], bill=bill_of(*ROWS))
    assert lost.state is RunState.BLOCKED
    assert {d.what for d in lost.bill_differences} == {"rows", "bytes", "sha256", "sum", "distinct"}
    assert [block.kind for block in lost.blocks] == [BlockKind.BILL]
    case = find_case(lost)
    assert case is not None
    assert "行数应为3，实为2" in case.title_zh
    doubled = plain.collect(*ROWS, ROWS[0], bill=bill_of(*ROWS))
    assert [(d.what, d.billed, d.found) for d in doubled.bill_differences if d.what in ("rows", "sum")] == [
        ("rows", "3", "4"),
        ("sum", "31.5", "42"),
    ]
    assert lake.current_version(plain.resource_id) == version
    assert len(find_runs(plain.steward, resource_id=plain.resource_id)) == 3
    resume_run(plain.steward, doubled.id, "对方确认多发一行")
    done = execute_run(doubled.id)  # type: ignore[arg-type]
    assert done.state is RunState.UNCHANGED, "the doubled row is the same row"
    assert (done.rows_read, done.rows_accepted, done.rows_quarantined) == (4, 2, 2)
    assert done.bill_differences, "what was let pass is still told"


def test_a_bill_about_a_column_that_is_not_there_fails_the_run(plain: PlainOffice) -> None:
    plain.apply(mode="replace")
    with pytest.raises(BillUnreadable):
        plain.collect(*ROWS, bill=make_bill({"sums": {"没有": 1}}))
    assert find_runs(plain.steward, resource_id=plain.resource_id).items[0].state is RunState.FAILED
