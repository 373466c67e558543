"""Runs through the service: accepted rows in the lake, the rest in quarantine with their lines, and nothing twice."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest

from datong.collect.contracts import (
    AllQuarantined,
    ColumnsDiffer,
    RunNotFound,
    RunState,
)
from datong.collect.service import find_runs, get_run, read_quarantine, recover_runs, start_run, write_quarantine_csv
from datong.collect.tests.conftest import Office
from datong.kernel.failures import Failure, NotAllowed
from datong.kernel.jobs.contracts import JobState
from datong.kernel.jobs.service import get_job, run_job
from datong.kernel.store.models import Job
from datong.lake import service as lake

pytestmark = pytest.mark.django_db(transaction=True)


def rows_of(office: Office) -> list[dict[str, object]]:
    version = lake.current_version(office.resource_id)
    assert version is not None
    return lake.read_version(version).read_all().to_pylist()


def test_good_rows_become_a_version_and_the_rest_are_quarantined(
    committing_office: Office, make_csv: Callable[..., bytes]
) -> None:
    office = committing_office
    run = office.collect(
        make_csv(
            "11010519491231002X,张三丰,1949-12-31,100",
            "11O10519491231002X,错一位,1949-12-31,100",
            "110101199003070134,李四,1990/3/7,NA",
            "110101199003070134,李四光,1990年3月7日,2e3",
            ",无号码,2000-02-30,-5",
            "11010519491231002X,张三丰,1949-12-31,100,多一列",
        )
    )
    assert run.state is RunState.DONE
    assert (run.rows_read, run.rows_accepted, run.rows_quarantined) == (6, 2, 4)
    assert [(row["id_number"], str(row["born_on"]), row["income"]) for row in rows_of(office)] == [
        ("11010519491231002X", "1949-12-31", 100.0),
        ("110101199003070134", "1990-03-07", 2000.0),
    ]
    found = {row.line: row for row in read_quarantine(run.id, office.steward)}
    assert {line: row.rule for line, row in found.items()} == {
        3: "id_number.resident-id",
        4: "id_number.unique",
        6: "id_number.required",
        7: "row.shape",
    }
    assert found[3].reason_zh == "第3位“O”不是允许的字符"
    assert found[3].suggestion_zh == "O改为0后相符，可直接采用"
    assert found[6].others == ("born_on.type", "income.range")
    assert found[7].row["+1"] == "多一列"
    assert sum(reason.rows for reason in run.reasons) == 4
    assert run.score is not None
    assert 0 < run.score < 100
    assert get_run(run.number, office.steward) == run
    assert next(iter(find_runs(office.steward))) == run


def test_the_same_file_twice_changes_nothing(committing_office: Office, make_csv: Callable[..., bytes]) -> None:
    office = committing_office
    content = make_csv("11010519491231002X,张三丰,1949-12-31,100", "1,错,,")
    first, second = office.collect(content), office.collect(content)
    assert (first.state, second.state) == (RunState.DONE, RunState.UNCHANGED)
    assert second.version == first.version
    assert (second.rows_read, second.rows_quarantined) == (2, 1)
    assert [step.seconds for step in second.steps if step.name == "check"] == [None], "known bytes are not read again"
    assert len(lake.find_versions(office.resource_id)) == 1
    assert [row.line for row in read_quarantine(second.id, office.steward)] == [3]
    other = office.collect(make_csv("11010519491231002X,张三丰,1949-12-31,101"))
    assert other.state is RunState.DONE
    assert office.collect(content).state is RunState.DONE, "an earlier state comes back as a version of its own"
    assert len(lake.find_versions(office.resource_id)) == 3


def test_the_same_rows_from_another_file_make_no_version(
    committing_office: Office, make_csv: Callable[..., bytes]
) -> None:
    office = committing_office
    first = office.collect(make_csv("11010519491231002X,张三丰,1949-12-31,100"))
    for _ in range(2):
        again = office.collect(make_csv("11010519491231002X,张三丰,1949/12/31,100", "1,错,,"))
        assert again.state is RunState.UNCHANGED
        assert again.version == first.version
        assert [row.line for row in read_quarantine(again.id, office.steward)] == [3]


def test_upsert_keeps_what_the_file_does_not_name(committing_office: Office, make_csv: Callable[..., bytes]) -> None:
    office = committing_office
    upserting = type(office)(
        cast=office.cast, agency=office.agency, resource_id=type(office.resource_id)(f"{office.resource_id}_u")
    )
    upserting.apply(mode="upsert")
    upserting.collect(make_csv("11010519491231002X,张三丰,1949-12-31,100", "110101199003070134,李四,,1"))
    run = upserting.collect(make_csv("110101199003070134,李四光,,2"))
    assert (run.rows_read, run.rows_accepted, run.mode) == (1, 1, "upsert")
    assert sorted((row["name"], row["income"]) for row in rows_of(upserting)) == [("张三丰", 100.0), ("李四光", 2.0)]


def test_a_file_without_one_good_row_leaves_the_table_as_it_was(
    committing_office: Office, make_csv: Callable[..., bytes]
) -> None:
    office = committing_office
    first = office.collect(make_csv("11010519491231002X,张三丰,1949-12-31,100"))
    with pytest.raises(AllQuarantined):
        office.collect(make_csv("1,错,,", "2,错误,,"))
    current = lake.current_version(office.resource_id)
    assert current is not None
    assert current.id == first.version
    failed = next(iter(find_runs(office.steward)))
    assert (failed.state, failed.rows_quarantined) == (RunState.FAILED, 2)
    assert failed.failure is not None
    assert failed.failure["code"] == "all-quarantined"
    assert len(read_quarantine(failed.id, office.steward)) == 2


def test_a_failed_run_says_why_and_writes_nothing(committing_office: Office, make_csv: Callable[..., bytes]) -> None:
    office = committing_office
    with pytest.raises(ColumnsDiffer) as caught:
        office.collect(make_csv("1,x", header="id_number,nom\n"))
    assert caught.value.facts["missing"] == ["name", "born_on", "income"]
    run = next(iter(find_runs(office.steward)))
    assert (run.state, run.version) == (RunState.FAILED, None)
    assert run.failure is not None
    assert run.failure["facts"]["extra"] == ["nom"]
    assert lake.current_version(office.resource_id) is None
    assert read_quarantine(run.id, office.steward) == []


def test_the_quarantine_as_csv(committing_office: Office, make_csv: Callable[..., bytes]) -> None:
    office = committing_office
    run = office.collect(make_csv("11010519491231002X,张三丰,1949-12-31,100", '1,"=1+1",,', "2,错误,,"))
    exact, safe = io.StringIO(), io.StringIO()
    assert write_quarantine_csv(run.id, exact, office.steward) == 2
    write_quarantine_csv(run.id, safe, office.steward, spreadsheet_safe=True)
    rows = list(csv.reader(io.StringIO(exact.getvalue())))
    assert rows[0] == ["line", "column", "rule", "reason", "id_number", "name", "born_on", "income", "suggestion"]
    assert [row[0] for row in rows[1:]] == ["3", "4"]
    assert rows[1][4:6] == ["1", "=1+1"]
    assert next(row[5] for row in csv.reader(io.StringIO(safe.getvalue())) if row[0] == "3") == "'=1+1"
    binary = io.BytesIO()
    write_quarantine_csv(run.id, binary, office.steward)
    assert binary.getvalue().startswith(b"\xef\xbb\xbfline,")


def test_who_may_see_what(committing_office: Office, make_csv: Callable[..., bytes]) -> None:
    office = committing_office
    run = office.collect(make_csv("11010519491231002X,张三丰,1949-12-31,100", "1,错,,"))
    cast = office.cast
    for name in (f"{office.agency}.nobody", "operator", "auditor", "security", "data.bureau"):
        with pytest.raises(Failure) as refused:
            read_quarantine(run.id, cast.actor(name))
        assert isinstance(refused.value, NotAllowed | RunNotFound)
    nobody = cast.actor(f"{office.agency}.nobody")
    with pytest.raises(NotAllowed):
        start_run(nobody, office.resource_id, io.BytesIO(b"x"), "x.csv")
    assert get_run(run.id, cast.actor("data.bureau")) == run
    with pytest.raises(RunNotFound):
        get_run(run.id, cast.actor("operator"))


def test_a_run_as_a_job_reports_its_progress(committing_office: Office, make_csv: Callable[..., bytes]) -> None:
    office = committing_office
    good = io.BytesIO(make_csv("11010519491231002X,张三丰,1949-12-31,100"))
    run = get_run(start_run(office.steward, office.resource_id, good, "人口.csv"))
    assert run.state is RunState.RECEIVED
    assert run.job_id is not None
    run_job(run.job_id)
    job = get_job(run.job_id)
    assert (job.state, job.done, job.total, job.note) == (JobState.DONE, 1, 1, "publish")
    assert get_run(run.id).state is RunState.DONE
    bad = get_run(start_run(office.steward, office.resource_id, io.BytesIO(b"a,b\n1,2\n"), "坏.csv"))
    run_job(bad.job_id or "")
    failed = get_job(bad.job_id or "")
    assert failed.state is JobState.FAILED
    assert failed.failure is not None
    assert failed.failure["code"] == "columns-differ"
    assert get_run(bad.id).state is RunState.FAILED


def test_a_run_whose_job_broke_is_ended(committing_office: Office, make_csv: Callable[..., bytes]) -> None:
    office = committing_office
    good = io.BytesIO(make_csv("11010519491231002X,张三丰,1949-12-31,100"))
    run = get_run(start_run(office.steward, office.resource_id, good, "人口.csv"))
    assert recover_runs() == [], "a waiting job still carries it"
    Job.objects.filter(pk=run.job_id).update(state=JobState.FAILED)
    assert recover_runs() == [run.id]
    assert get_run(run.id).state is RunState.FAILED
