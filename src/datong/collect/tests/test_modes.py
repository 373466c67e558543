"""Append, upsert, diff and replace through the real door: what stands in the table, and what waits for somebody."""

from __future__ import annotations

from typing import Any

import pytest

from datong.cases import service as cases
from datong.collect.contracts import (
    BlockKind,
    ModeUnsupported,
    RunNotBlocked,
    RunState,
    RunSuperseded,
    RunView,
)
from datong.collect.preparing import check_delivery
from datong.collect.reconcile import make_bill
from datong.collect.service import (
    execute_run,
    find_case,
    get_run,
    give_up_run,
    resume_run,
    start_run,
)
from datong.collect.store.models import Run
from datong.collect.tests.conftest import Office
from datong.collect.tests.plain import THINGS, PlainOffice, make_plain_office
from datong.kernel import clock
from datong.kernel.failures import NotAllowed
from datong.lake import service as lake
from datong.quality import service as quality

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def plain(committing_office: Office) -> PlainOffice:
    return make_plain_office(committing_office)


def test_append_adds_a_batch_once(plain: PlainOffice) -> None:
    plain.apply(mode="append", eventTimeColumn="at")
    first = plain.collect("1,甲,2024-01-05,1", "2,乙,2024-01-05,2")
    again = plain.collect("1,甲,2024-01-05,1", "2,乙,2024-01-05,2")
    second = plain.collect("3,丙,2024-01-03,3", "4,丁,2024-01-09,3")
    third = plain.collect("1,甲,2024-01-05,1", "2,乙,2024-01-05,2")
    assert [run.state for run in (first, again, second, third)] == ["done", "unchanged", "done", "unchanged"]
    assert plain.names() == ["丁", "丙", "乙", "甲"]
    assert second.written["late"] == 1, "it is older than what the table had, and is appended all the same"
    assert second.written["inserted"] == 2
    numbered = plain.collect("1,甲,2024-01-05,1", "2,乙,2024-01-05,2", bill=make_bill({"rows": 2, "batch": "B-2"}))
    assert numbered.state is RunState.UNCHANGED, "the first came without a number: it may be the same"
    for batch, state in (("B-3", "done"), ("B-3", "unchanged"), ("B-4", "done")):
        bill = make_bill({"rows": 1, "batch": batch})
        assert plain.collect("9,戊,2024-01-05,1", bill=bill).state == state, (
            "equal bytes, numbered apart, are two batches"
        )
    plain.apply(mode="append", version="1.1.0", title="改了名")
    assert plain.collect("1,甲,2024-01-05,1", "2,乙,2024-01-05,2").state is RunState.UNCHANGED


def test_upsert_keeps_the_newer_row(plain: PlainOffice) -> None:
    plain.apply(mode="upsert", eventTimeColumn="at")
    plain.collect("1,新,2024-03-01,1", "2,旧,2024-01-01,1")
    late = plain.collect("1,更旧,2024-02-01,9", "2,更新,2024-02-01,2", "3,第三,,3")
    assert late.written == {"inserted": 1, "updated": 1, "deleted": 0, "unchanged": 0, "late": 1}
    assert plain.names() == ["新", "更新", "第三"]


def test_diff_writes_what_differs_and_asks_before_many_deletes(plain: PlainOffice) -> None:
    plain.apply(mode="diff")
    rows = [f"{i},名{i},2024-01-01,{i}" for i in range(30)]
    plain.collect(*rows)
    run = plain.collect(*rows[2:], "99,新,2024-01-01,1", "0,改,2024-01-01,0")
    assert run.written == {"inserted": 1, "updated": 1, "deleted": 1, "unchanged": 28, "late": 0}
    before = lake.current_version(plain.resource_id)
    blocked = plain.collect(*rows[:10], "坏,,,")
    assert blocked.state is RunState.BLOCKED
    assert [block.kind for block in blocked.blocks] == [BlockKind.DELETES]
    assert lake.current_version(plain.resource_id) == before, "nothing was written"
    case = find_case(blocked)
    assert case is not None
    assert [each.id for each in cases.find_waiting(plain.steward)] == [case.id]
    with pytest.raises(NotAllowed):
        resume_run(plain.office.cast.actor(f"{plain.office.agency}.nobody"), blocked.id, "我来确认")
    resumed = finish(resume_run(plain.steward, blocked.id, "确认属实"))
    assert resumed.state is RunState.DONE
    assert resumed.written["deleted"] == 21
    assert resumed.accepted[0]["reason"] == "确认属实"
    assert len(plain.names()) == 10
    assert find_case(resumed) is None
    assert cases.find_waiting(plain.steward) == []
    with pytest.raises(RunNotBlocked):
        resume_run(plain.steward, blocked.id, "再来一次")


def test_given_up_and_superseded(plain: PlainOffice) -> None:
    plain.apply(mode="diff")
    rows = [f"{i},名{i},2024-01-01,{i}" for i in range(30)]
    plain.collect(*rows)
    given_up = give_up_run(plain.steward, plain.collect(rows[0]).id, "文件不全")
    assert given_up.state is RunState.FAILED
    assert given_up.failure is not None
    assert given_up.failure["code"] == "run-given-up"
    blocked = plain.collect(rows[1])
    late = start_run(plain.steward, plain.resource_id, plain.file(*rows[:29]), "迟到.csv", in_background=False)
    plain.collect(*rows, "99,新,2024-01-01,1")
    superseded = get_run(blocked.id)
    assert superseded.failure is not None
    assert superseded.failure["code"] == "run-superseded"
    assert cases.find_waiting(plain.steward) == []
    with pytest.raises(RunSuperseded):
        execute_run(late)
    assert len(plain.names()) == 31, "an older whole table executed late brings nothing back"
    assert len(cases.find_waiting(plain.steward)) == 1, "the failure is a case"
    plain.collect(*rows)
    assert cases.find_waiting(plain.steward) == [], "closed by the run that succeeded"


def test_a_slower_run_of_an_older_table_does_not_win(plain: PlainOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs at once: the older file is checked longer, and the newer one's version is there before its own."""
    from datong.collect.service import executing

    plain.apply(mode="replace")
    older = plain.start("1,旧,2024-01-01,1")
    newer = plain.start("1,新,2024-01-01,1")

    def check_slowly(*given: Any) -> Any:
        monkeypatch.setattr(executing, "check_delivery", check_delivery)
        execute_run(newer)
        Run.objects.filter(pk=newer).update(state=RunState.COMMITTING)  # killed before its last step
        return check_delivery(*given)

    monkeypatch.setattr(executing, "check_delivery", check_slowly)
    with pytest.raises(RunSuperseded):
        execute_run(older)
    assert plain.names() == ["新"]


def test_one_run_in_another_mode(plain: PlainOffice) -> None:
    plain.apply(mode="upsert")
    plain.collect("1,甲,2024-01-01,1", "2,乙,2024-01-01,1")
    run = plain.collect("3,丙,2024-01-01,1", mode="replace")
    assert (run.mode, plain.names()) == ("replace", ["丙"])
    keyless = THINGS.replace("        primaryKey: true\n", "").replace("        primaryKeyPosition: 1\n", "")
    plain.apply(mode="replace", text=keyless, version="2.0.0")
    with pytest.raises(ModeUnsupported):
        plain.collect("1,甲,2024-01-01,1", mode="diff")


BLOCKING = """    quality:
      - type: custom
        engine: datong
        name: 金额不得为空
        implementation: amount is not null
        customProperties:
          - {{property: blocks, value: {blocks}}}
"""


@pytest.mark.parametrize("way_out", ["waiver", "repair"])
def test_a_blocking_rule_stops_the_version_until_it_is_waived_or_mended(plain: PlainOffice, way_out: str) -> None:
    text = THINGS.replace("slaProperties:", BLOCKING + "slaProperties:")
    plain.apply(mode="replace", text=text, blocks="true")
    run = plain.collect("1,甲,2024-01-01,1", "2,乙,2024-01-01,")
    assert run.state is RunState.BLOCKED
    assert [block.kind for block in run.blocks] == [BlockKind.RULE]
    rule = run.blocks[0].facts["rule"]
    still = execute_run(resume_run(plain.steward, run.id, "再试一次").id)  # type: ignore[arg-type]
    assert still.state is RunState.BLOCKED, "nobody accepts a blocking rule by resuming"
    assert len(cases.find_waiting(plain.steward, kind="collect.blocked")) == 1
    if way_out == "waiver":
        approver = plain.office.cast.actor(f"{plain.office.agency}.approver")
        quality.waive_rule(approver, plain.resource_id, rule, until=clock.today(), reason="本月系统升级")
    else:
        plain.apply(mode="replace", text=text, blocks="false", version="1.1.0")
    done = finish(resume_run(plain.steward, run.id, "已处理"))
    assert done.state is RunState.DONE
    assert plain.names()


def finish(run: RunView) -> RunView:
    """Do the resumed run's job."""
    assert run.state is RunState.RECEIVED
    return execute_run(run.id)  # type: ignore[arg-type]


def test_the_planted_lost_row_is_seen(plain: PlainOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that loses a row must not make a version: the counts of check and table are compared in each mode."""
    from datong.collect.service import executing
    from datong.kernel.failures import Bug

    def lossy(connection: Any, table: str, source: str, **more: Any) -> Any:
        return kept[more.pop("name")](connection, table, f"select * from ({source}) offset 1", **more)

    kept = {name: getattr(executing, name) for name in ("write_append", "write_upsert", "write_diff", "write_replace")}
    for name in kept:
        monkeypatch.setattr(executing, name, lambda c, t, s, _name=name, **more: lossy(c, t, s, name=_name, **more))
    plain.apply(mode="replace")
    for mode in ("append", "upsert", "diff", "replace"):
        with pytest.raises(Bug):
            plain.collect("1,甲,2024-01-01,1", "2,乙,2024-01-01,1", mode=mode)
    assert lake.current_version(plain.resource_id) is None
