"""Group commit with the real helper process: order, faults, limits. The helper is stopped and killed by signal."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from datong.kernel.audit.committer import Committed, Committer, SyncMode
from datong.kernel.audit.failures import SealOutOfOrder
from datong.kernel.audit.receipts import build_receipt, verify_receipt
from datong.kernel.audit.tests.samples import ANSWER, REQUEST, SALT, SIGNER, control_row, data_entry, open_log
from datong.kernel.audit.verify import verify_log
from datong.kernel.failures import TooLarge, Unavailable
from datong.kernel.limits import AUDIT_PENDING_ENTRIES_MAX


@asynccontextmanager
async def committer_in(folder: Path, mode: SyncMode = SyncMode.HELPER) -> AsyncIterator[Committer]:
    committer = Committer(open_log(folder), mode=mode)
    await committer.start()
    try:
        yield committer
    finally:
        await committer.close()


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came")


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), timeout=30))


@pytest.mark.parametrize("mode", list(SyncMode))
def test_every_answer_is_in_the_log_in_order_and_its_receipt_verifies(tmp_path: Path, mode: SyncMode) -> None:
    async def work() -> None:
        async with committer_in(tmp_path / "audit", mode) as committer:
            answers: list[tuple[bytes, Committed]] = []

            async def client(name: int) -> None:
                last = -1
                for number in range(40):
                    entry = data_entry(name * 1000 + number)
                    committed = await committer.commit(entry)
                    assert committed.index > last
                    last = committed.index
                    answers.append((entry, committed))

            await asyncio.gather(*[client(name) for name in range(25)])
            assert sorted(committed.index for _, committed in answers) == list(range(1000))
            for entry, committed in answers:
                assert committer.log.reader.read_entry(committed.index) == entry
                text = build_receipt(committed, salt=SALT, entry=entry)
                facts = verify_receipt(text, SIGNER.verifier, request=REQUEST, answer=ANSWER)
                assert facts.index == committed.index
            assert committer.log.segment_number >= 2, "the log rolled on the way"
            assert committer.waiting_count == 0

    run(work)
    assert verify_log(tmp_path / "audit", SIGNER.verifier).require_intact().size == 1000


def test_the_loop_that_the_gateway_runs_on_serves_too(tmp_path: Path) -> None:
    async def work() -> None:
        async with committer_in(tmp_path / "audit") as committer:
            for number in range(50):
                assert (await committer.commit(data_entry(number))).index == number
            pid = committer.helper_pid
            assert pid
            os.kill(pid, signal.SIGKILL)
            await until(lambda: committer.helper_pid not in {pid, None})
            assert (await committer.commit(data_entry(50))).index == 50

    uvloop.run(asyncio.wait_for(work(), timeout=30))


def test_entries_that_wait_share_a_sync(tmp_path: Path) -> None:
    async def work() -> None:
        async with committer_in(tmp_path / "audit") as committer:
            committed = await committer.commit_many([data_entry(number) for number in range(50)])
            assert [each.index for each in committed] == list(range(50))
            assert len({each.checkpoint for each in committed}) == 1

    run(work)


def test_nothing_is_released_while_the_sync_has_not_ended(tmp_path: Path) -> None:
    async def work() -> None:
        async with committer_in(tmp_path / "audit") as committer:
            await committer.commit(data_entry(0))
            assert committer.helper_pid
            os.kill(committer.helper_pid, signal.SIGSTOP)
            futures = []
            for number in range(1, 8):  # more than the syncs that may be in flight
                futures.append(committer.submit(data_entry(number)))
                await asyncio.sleep(0.02)
            assert committer.log.size > 1
            assert committer.log.durable_size == 1
            assert not any(future.done() for future in futures)
            os.kill(committer.helper_pid, signal.SIGCONT)
            assert [each.index for each in await asyncio.gather(*futures)] == list(range(1, 8))
            assert committer.log.durable_size == 8

    run(work)


def test_a_killed_helper_fails_who_waits_and_is_replaced(tmp_path: Path) -> None:
    async def work() -> None:
        async with committer_in(tmp_path / "audit") as committer:
            for round_number in range(3):
                pid = committer.helper_pid
                assert pid
                os.kill(pid, signal.SIGSTOP)
                waiting = [committer.submit(data_entry(round_number * 10 + number)) for number in range(3)]
                await asyncio.sleep(0.02)
                waiting.append(committer.submit(data_entry(99)))
                os.kill(pid, signal.SIGKILL)
                outcomes = await asyncio.gather(*waiting, return_exceptions=True)
                assert all(isinstance(outcome, Unavailable) for outcome in outcomes), outcomes
                await until(lambda: committer.is_healthy)
                committed = await committer.commit(data_entry(1000 + round_number))
                assert committer.log.reader.read_entry(committed.index) == data_entry(1000 + round_number)
                assert committer.helper_pid != pid
            assert committer.log.durable_size == committer.log.size

    run(work)
    assert verify_log(tmp_path / "audit", SIGNER.verifier).is_intact


def test_a_caller_who_goes_away_disturbs_nobody(tmp_path: Path) -> None:
    async def work() -> None:
        async with committer_in(tmp_path / "audit") as committer:
            tasks = [asyncio.create_task(committer.commit(data_entry(number))) for number in range(20)]
            await asyncio.sleep(0)
            for task in tasks[::3]:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert sum(isinstance(outcome, Committed) for outcome in outcomes) == 13
            assert (await committer.commit(data_entry(50))).index == 20

    run(work)


def test_too_many_waiting_and_too_long_are_refused_at_once(tmp_path: Path) -> None:
    async def work() -> None:
        async with committer_in(tmp_path / "audit") as committer:
            assert committer.helper_pid
            os.kill(committer.helper_pid, signal.SIGSTOP)
            futures = [committer.submit(b"{}") for _ in range(AUDIT_PENDING_ENTRIES_MAX)]
            with pytest.raises(Unavailable, match="Too many"):
                committer.submit(b"{}")
            os.kill(committer.helper_pid, signal.SIGCONT)
            await asyncio.gather(*futures)
            with pytest.raises(TooLarge):
                committer.submit(b"x" * 65_536)
            assert (await committer.commit(b"{}")).index == AUDIT_PENDING_ENTRIES_MAX

    run(work)


@pytest.mark.parametrize("mode", list(SyncMode))
def test_a_disk_that_refuses_to_sync_fails_every_call_and_loses_nothing(tmp_path: Path, mode: SyncMode) -> None:
    async def work() -> None:
        async with committer_in(tmp_path / "audit", mode) as committer:
            await committer.commit(data_entry(0))
            nowhere = os.open("/dev/null", os.O_RDWR)  # pwrite succeeds there, fdatasync does not
            os.dup2(nowhere, committer.log.sync_file)
            if committer._helper:
                committer._helper.use_file(nowhere)
            os.close(nowhere)
            with pytest.raises(Unavailable):
                await committer.commit(data_entry(1))
            assert not committer.is_healthy
            with pytest.raises(Unavailable):
                await committer.commit(data_entry(2))

    run(work)
    assert verify_log(tmp_path / "audit", SIGNER.verifier).require_intact().size == 1


def test_control_rows_are_sealed_once_in_order_beside_the_exchanges(tmp_path: Path) -> None:
    async def work() -> None:
        async with committer_in(tmp_path / "audit") as committer:
            rows = [(number, control_row(number)) for number in range(1, 8)]
            await committer.commit(data_entry(0))
            assert await committer.commit_control(rows[:4]) == [1, 2, 3, 4]
            await committer.commit(data_entry(1))
            assert await committer.commit_control(rows[2:]) == [3, 4, 6, 7, 8]
            assert await committer.commit_control([]) == []
            for wrong in ([(9, b"{}")], [(8, b"{}"), (10, b"{}")], [(3, b'{"other":1}')], [(0, b"{}")], [(-1, b"{}")]):
                with pytest.raises(SealOutOfOrder):
                    await committer.commit_control(wrong)
            assert committer.log.size == 9
            both = await asyncio.gather(
                committer.commit_control([(8, b"{}")]), committer.commit_control([(8, b"{}"), (9, b"{}")])
            )
            assert list(both) == [[9], [9, 10]]

    run(work)


def test_after_a_restart_rows_that_were_sent_are_known(tmp_path: Path) -> None:
    async def first() -> None:
        async with committer_in(tmp_path / "audit") as committer:
            await committer.commit_control([(number, control_row(number)) for number in range(1, 2000)])
            assert committer.log.segment_number > 0

    async def second() -> None:
        async with committer_in(tmp_path / "audit") as committer:
            rows = [(number, control_row(number)) for number in range(1, 2002)]
            assert await committer.commit_control(rows) == list(range(2001))

    run(first)
    run(second)
    report = verify_log(
        tmp_path / "audit", SIGNER.verifier, control_rows=((number, control_row(number)) for number in range(1, 2002))
    )
    assert report.require_intact().control_rows_count == 2001


def test_the_checkpoint_is_published_while_running(tmp_path: Path) -> None:
    async def work() -> None:
        async with committer_in(tmp_path / "audit") as committer:
            await committer.commit(data_entry(0))
            await until(lambda: committer.log.reader.size == 1)
            assert committer.log.reader.read_published("tile/entries/000.p/1") is not None

    run(work)
