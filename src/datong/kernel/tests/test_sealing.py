"""Control rows reach the Merkle log in order, each once, whatever is killed between the steps; edits are found."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from datong.kernel import clock
from datong.kernel.action.service import action
from datong.kernel.audit import service as audit
from datong.kernel.audit.sequencer import seal_pending
from datong.kernel.audit.socket import AuditSocketClient
from datong.kernel.audit.tests.samples import SIGNER
from datong.kernel.audit.verify import verify_log
from datong.kernel.contracts import ANONYMOUS, platform_actor
from datong.kernel.failures import NotAllowed, Unavailable
from datong.kernel.jobs.worker import run_worker
from datong.kernel.store.models import AuditRow
from datong.kernel.tests.audit_gateway import running_log
from datong.kernel.tests.verbs import declared
from datong.testing.cast import Cast, make_cast


@pytest.fixture(autouse=True)
def _verbs() -> Iterator[None]:
    with declared():
        yield


def write_rows(count: int) -> None:
    for number in range(count):
        with action("test.noted", platform_actor("test"), facts={"what": f"第{number}件", "ratio": 0.1 * number}):
            pass


@pytest.mark.django_db
def test_rows_are_sealed_in_order_each_once(tmp_path: Path) -> None:
    write_rows(5)
    with running_log(tmp_path) as path, AuditSocketClient(path) as client:
        assert seal_pending(client) == 5
        assert seal_pending(client) == 0
        write_rows(2)
        assert seal_pending(client) == 2
    rows = list(AuditRow.objects.order_by("seal_seq"))
    assert [row.seal_seq for row in rows] == list(range(1, 8))
    assert [row.log_index for row in rows] == list(range(7))
    assert all(row.entry_sha256 for row in rows)
    assert audit.count_unsealed() == 0
    report = verify_log(tmp_path / "audit", SIGNER.verifier, control_rows=audit.find_sealed_rows())
    assert report.require_intact().control_rows_count == 7


@pytest.mark.django_db
def test_a_crash_between_any_two_steps_loses_and_doubles_nothing(tmp_path: Path) -> None:
    write_rows(3)
    client = AuditSocketClient(tmp_path / "run" / "audit.sock", timeout_s=5)
    with pytest.raises(Unavailable):
        seal_pending(client)  # numbered, not sent: the gateway is down
    write_rows(2)
    with running_log(tmp_path):
        audit.assign_seal_numbers()
        client.append_rows(audit.find_unsealed_rows())  # sent, not marked: the worker died
        assert audit.count_unsealed() == 5
        assert seal_pending(client) == 5
        rows = audit.find_unsealed_rows()
        assert rows == []
    client.close()
    report = verify_log(tmp_path / "audit", SIGNER.verifier, control_rows=audit.find_sealed_rows()).require_intact()
    assert (report.size, report.control_rows_count) == (5, 5)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        "update kernel_audit_row set actor_name = 'somebody else' where seal_seq = 2",
        "update kernel_audit_row set facts = jsonb_set(facts, '{what}', '\"nothing\"') where seal_seq = 2",
        "delete from kernel_audit_row where seal_seq = 2",
        "delete from kernel_audit_row where seal_seq = 3",
        "update kernel_audit_row a set seal_seq = -seal_seq where seal_seq in (1, 2)",
    ],
    ids=["edit", "edit-facts", "drop", "drop-last", "reorder"],
)
def test_what_a_database_owner_changes_is_found_against_the_log(tmp_path: Path, statement: str) -> None:
    write_rows(3)
    with running_log(tmp_path) as path, AuditSocketClient(path) as client:
        seal_pending(client)
    with connection.cursor() as cursor:
        cursor.execute("alter table kernel_audit_row disable trigger user")
        cursor.execute(statement)
        if "seal_seq = -seal_seq" in statement:
            cursor.execute("update kernel_audit_row set seal_seq = 3 + seal_seq where seal_seq < 0")
    report = verify_log(tmp_path / "audit", SIGNER.verifier, control_rows=audit.find_sealed_rows())
    assert not report.is_intact


@pytest.mark.django_db(transaction=True)
def test_two_sealers_at_once_number_without_gap_or_double() -> None:
    write_rows(60)

    def number() -> None:
        while audit.assign_seal_numbers(7):
            pass
        connection.close()

    threads = [threading.Thread(target=number) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert list(AuditRow.objects.order_by("seal_seq").values_list("seal_seq", flat=True)) == list(range(1, 61))


@pytest.mark.django_db(transaction=True)
def test_the_worker_seals_without_being_asked(tmp_path: Path) -> None:
    stop = threading.Event()
    with running_log(tmp_path) as path:
        worker = threading.Thread(target=run_worker, args=(stop, path))
        worker.start()
        write_rows(4)
        deadline_s = clock.monotonic_s() + 30
        while audit.count_unsealed():
            assert clock.monotonic_s() < deadline_s
            stop.wait(0.05)
        stop.set()
        worker.join(30)
    assert not worker.is_alive()
    verify_log(tmp_path / "audit", SIGNER.verifier, control_rows=audit.find_sealed_rows()).require_intact()


def test_who_reads_what(cast: Cast) -> None:
    with action("test.noted", cast.actor("psb.steward"), facts={"what": "密"}):
        pass
    everything = AuditRow.objects.count()
    for name in ("auditor", "security", "data.bureau"):
        assert audit.find_audit_rows(cast.actor(name), limit=200).count == everything
    for name in ("psb.steward", "psb.nobody"):
        page = audit.find_audit_rows(cast.actor(name), limit=200)
        assert {row.agency_id for row in page.items} == {cast.agencies["psb"].id}
        assert page.count is not None
        assert 0 < page.count < everything
    with pytest.raises(NotAllowed):
        audit.find_audit_rows(ANONYMOUS)


def test_rows_read_as_sentences_page_by_page(cast: Cast) -> None:
    auditor = cast.actor("auditor")
    sentences, cursor = [], None
    while True:
        page = audit.find_audit_rows(auditor, verb="role.assigned", cursor=cursor, limit=2)
        sentences += [audit.sentence_of(row, "zh-hans") for row in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(sentences) == 7
    assert "安全员 授予“市公安局·psb.steward”角色：数据管理员" in sentences
    row = audit.find_audit_rows(auditor, verb="role.assigned", limit=1).items[0]
    assert audit.sentence_of(row, "en").startswith("Security officer assigned the role")
    assert audit.sentence_of(row, "zh-hans").startswith("安全员 授予")
    assert "—" not in "".join(sentences)


@pytest.mark.django_db(transaction=True)
def test_sealing_does_not_wait_for_open_actions() -> None:
    make_cast()
    numbered = threading.Event()

    def number() -> None:
        audit.assign_seal_numbers()
        numbered.set()
        connection.close()

    with action("test.noted", platform_actor("test"), facts={"what": "x"}):
        thread = threading.Thread(target=number)
        thread.start()
        assert numbered.wait(10)
    thread.join(10)
    assert AuditRow.objects.filter(seal_seq__isnull=True).count() == 1
