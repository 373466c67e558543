"""Jobs: in the caller's transaction, once per key, followed while they run, taken up again after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection, transaction

from datong.kernel import clock
from datong.kernel.failures import BadInput, NotFound, Unavailable
from datong.kernel.ids import JobId
from datong.kernel.jobs import service as jobs
from datong.kernel.jobs.contracts import JOBS, JobState, JobView
from datong.kernel.jobs.worker import run_worker
from datong.kernel.logs import operation_id
from datong.kernel.store.models import Job

WAIT_S = 30


@contextmanager
def working(tmp_path: Path) -> Iterator[None]:
    """A real worker in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=run_worker, args=(stop, tmp_path / "audit.sock"))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(WAIT_S)
        assert not thread.is_alive()


def wait_until_finished(job_id: JobId) -> JobView:
    deadline_s = clock.monotonic_s() + WAIT_S
    for view in jobs.follow(job_id, step_s=0.05):
        assert clock.monotonic_s() < deadline_s
        last = view
    return last


@pytest.mark.django_db(transaction=True)
def test_a_worker_runs_jobs_and_their_progress_is_followed(tmp_path: Path) -> None:
    go, operations = threading.Event(), []

    def work(job_id: JobId, *, rows: int) -> None:
        operations.append(operation_id.get())
        jobs.report_progress(job_id, 1, rows, "一半")
        assert go.wait(WAIT_S)
        jobs.report_progress(job_id, rows)

    with JOBS.filled_with("test.work", work), working(tmp_path):
        job_id = jobs.enqueue("test.work", {"rows": 2})
        seen = []
        for view in jobs.follow(job_id, step_s=0.05):
            seen.append(view)
            if view.done == 1:
                go.set()
    last = seen[-1]
    assert (last.state, last.done, last.total, last.note, last.failure) == (JobState.DONE, 2, 2, "一半", None)
    assert any(view.state is JobState.RUNNING and view.done == 1 for view in seen)
    assert operations == [job_id]


@pytest.mark.django_db(transaction=True)
def test_a_job_of_a_rolled_back_transaction_never_runs(tmp_path: Path) -> None:
    ran: list[int] = []
    with JOBS.filled_with("test.work", lambda _job_id, *, n: ran.append(n)), working(tmp_path):
        with pytest.raises(ZeroDivisionError), transaction.atomic():  # noqa: PT012
            jobs.enqueue("test.work", {"n": 1})
            raise ZeroDivisionError
        wait_until_finished(jobs.enqueue("test.work", {"n": 2}))
    assert ran == [2]


@pytest.mark.django_db(transaction=True)
def test_what_a_job_enqueues_joins_the_jobs_own_transaction(tmp_path: Path) -> None:
    ran: list[str] = []

    def outer(_job_id: JobId) -> None:
        with transaction.atomic():
            jobs.enqueue("test.inner", key="first")
            transaction.set_rollback(True)
        jobs.enqueue("test.inner", key="second")

    with JOBS.filled_with("test.outer", outer):  # noqa: SIM117
        with JOBS.filled_with("test.inner", ran.append), working(tmp_path):
            wait_until_finished(jobs.enqueue("test.outer"))
            second = Job.objects.get(key="second")
            wait_until_finished(JobId(second.id))
    assert ran == [second.id]
    assert not Job.objects.filter(key="first").exists()


@pytest.mark.django_db
def test_a_key_is_enqueued_once_until_it_fails() -> None:
    def fail(_job_id: JobId) -> None:
        raise BadInput("planted", hint_zh="有意为之", column="name")

    with JOBS.filled_with("test.fail", fail):
        first = jobs.enqueue("test.fail", key="k")
        assert jobs.enqueue("test.fail", key="k") == first
        jobs.run_job(first)
        view = jobs.get_job(first)
        assert view.state is JobState.FAILED
        assert view.failure is not None
        assert (view.failure["code"], view.failure["hint_zh"]) == ("bad-input", "有意为之")
        assert view.failure["facts"] == {"column": "name"}
        assert jobs.enqueue("test.fail", key="k") != first


@pytest.mark.django_db
def test_a_failure_marked_later_is_tried_again_and_a_bug_is_not() -> None:
    left = [2]

    def shaky(_job_id: JobId) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise Unavailable("planted")

    def broken(_job_id: JobId) -> None:
        raise ZeroDivisionError("planted")

    with JOBS.filled_with("test.shaky", shaky):
        job_id = jobs.enqueue("test.shaky")
        for _ in range(2):
            with pytest.raises(jobs.JobRetry):
                jobs.run_job(job_id)
            assert jobs.get_job(job_id).state is JobState.WAITING
        jobs.run_job(job_id)
        assert (jobs.get_job(job_id).state, jobs.get_job(job_id).attempts) == (JobState.DONE, 3)
        jobs.run_job(job_id)
        assert jobs.get_job(job_id).attempts == 3, "a finished job ran again"
    with JOBS.filled_with("test.broken", broken):
        job_id = jobs.enqueue("test.broken")
        jobs.run_job(job_id)
        failure = jobs.get_job(job_id).failure
        assert failure is not None
        assert failure["code"] == "internal"
        assert failure["reference"].startswith("ref_")
        assert "planted" not in str(failure)


@pytest.mark.django_db
def test_unknown_jobs() -> None:
    with pytest.raises(KeyError):
        jobs.enqueue("nobody.knows")
    with pytest.raises(NotFound):
        jobs.get_job("job_no")


@pytest.mark.django_db
def test_periodic_jobs_are_enqueued_once_per_slot() -> None:
    moment = clock.now()
    with clock.use_clock(moment):
        jobs.enqueue_periodic()
        jobs.enqueue_periodic()
    names = list(Job.objects.values_list("name", flat=True))
    assert "kernel.forget" in names
    assert len(names) == len(set(names))


KILLED_WORKER = """
import os, sys, threading
from pathlib import Path
os.environ["DJANGO_SETTINGS_MODULE"] = "datong.app.control.settings"
import django
django.setup()
from datong.kernel.jobs.contracts import JOBS
from datong.kernel.jobs.worker import run_worker

def hang(job_id, *, marker):
    Path(marker).write_text(job_id)
    threading.Event().wait()

JOBS.fill("test.hang", hang)
run_worker(threading.Event(), Path("/nonexistent/audit.sock"))
"""


@pytest.mark.fault
@pytest.mark.django_db(transaction=True)
def test_the_job_of_a_killed_worker_is_taken_up_again(tmp_path: Path) -> None:
    ran: list[str] = []

    def record(job_id: JobId, *, marker: str) -> None:
        ran.append(job_id)

    marker = tmp_path / "started"
    with JOBS.filled_with("test.hang", record):
        job_id = jobs.enqueue("test.hang", {"marker": str(marker)})
        process = subprocess.Popen([sys.executable, "-c", KILLED_WORKER], env=dict(os.environ))
        try:
            deadline_s = clock.monotonic_s() + WAIT_S
            while not marker.exists():
                assert clock.monotonic_s() < deadline_s
                assert process.poll() is None
                threading.Event().wait(0.05)
            assert jobs.get_job(job_id).state is JobState.RUNNING
            assert jobs.rescue_jobs() == 0, "the job of a living worker was taken away"
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        with working(tmp_path):
            view = wait_until_finished(job_id)
    assert (view.state, view.attempts, ran) == (JobState.DONE, 2, [job_id])
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_worker_survives_the_loss_of_every_database_session(tmp_path: Path) -> None:
    ran: list[str] = []

    def note(job_id: JobId) -> None:
        ran.append(job_id)

    with JOBS.filled_with("test.note", note), working(tmp_path):
        wait_until_finished(jobs.enqueue("test.note"))
        with connection.cursor() as cursor:
            cursor.execute(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
            ended = cursor.fetchone()
        assert ended is not None
        assert ended[0] >= 3
        second = jobs.enqueue("test.note")
        assert wait_until_finished(second).state is JobState.DONE
    assert ran[-1] == second
