"""How fast entries become durable, proven records, beside what the disk can do at all.

The limit is a bare loop of one 300-byte pwrite and one fdatasync on a zero-filled file. Ours commits entries of that
size through the committer: hash, tree, frame, sync, signed checkpoint, inclusion path.
Run: `make bench NAME=audit_commit`.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import uvloop
from common import compare, run_alternating, write_results

from datong.kernel.audit.committer import Committer, SyncMode
from datong.kernel.audit.hashes import TILE_BITS, HashWriter
from datong.kernel.audit.log import AuditLog
from datong.kernel.audit.merkle import Frontier, leaf_hash
from datong.kernel.audit.notes import NoteSigner
from datong.kernel.failures import Unavailable
from datong.kernel.ids import seeded

SECONDS = 1.0
ENTRY = b'{"v":1,"kind":"verify","filler":"' + b"x" * 265 + b'"}'
OFFERED_PER_S = 25_000
"""Half of the 50,000/s that is the goal for callers who wait."""
REFUSED_S = 1.0
PROOF_LEAVES = 1_000_000
SIGNER = NoteSigner("bench.example/audit", bytes(32))
LATENCIES_MS: dict[str, list[float]] = {}


def raw_loop(folder: Path) -> float:
    """Syncs a second, one entry each."""
    path = folder / "raw"
    path.write_bytes(bytes(32 * 1024 * 1024))
    descriptor = os.open(path, os.O_RDWR)
    os.fsync(descriptor)
    count, began_s = 0, perf_counter()
    while perf_counter() - began_s < SECONDS:
        os.pwrite(descriptor, ENTRY, count * len(ENTRY))
        os.fdatasync(descriptor)
        count += 1
    spent_s = perf_counter() - began_s
    os.close(descriptor)
    path.unlink()
    return count / spent_s


def committed(folder: Path, clients: int, mode: SyncMode, name: str) -> Callable[[], float]:
    """Acknowledged entries a second with so many clients, each waiting for its answer before its next call."""

    async def work() -> float:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            committer = Committer(AuditLog.open(Path(place), SIGNER), mode=mode)
            await committer.start()
            await asyncio.sleep(0.5)  # the spare segment is being filled
            latencies: list[float] = []
            began_s = perf_counter()

            async def client() -> None:
                while (asked_s := perf_counter()) - began_s < SECONDS:
                    await committer.commit(ENTRY)
                    latencies.append(perf_counter() - asked_s)

            await asyncio.gather(*[client() for _ in range(clients)])
            spent_s = perf_counter() - began_s
            await committer.close()
        latencies.sort()
        LATENCIES_MS.setdefault(name, []).append(latencies[int(len(latencies) * 0.99)] * 1000)
        return len(latencies) / spent_s

    return lambda: uvloop.run(work())


def paced_p99_ms(folder: Path) -> float:
    """p99 at an offered rate that does not wait for answers, from the moment at which each call was due."""

    async def work() -> float:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            committer = Committer(AuditLog.open(Path(place), SIGNER))
            await committer.start()
            await asyncio.sleep(0.5)
            latencies: list[float] = []
            due_s = perf_counter()
            end_s = due_s + SECONDS

            async def call(asked_s: float) -> None:
                try:
                    await committer.commit(ENTRY)
                    latencies.append(perf_counter() - asked_s)
                except Unavailable:
                    latencies.append(REFUSED_S)

            async with asyncio.TaskGroup() as calls:
                while due_s < end_s:
                    for _ in range(OFFERED_PER_S // 1000):
                        calls.create_task(call(due_s))
                    due_s += 0.001
                    await asyncio.sleep(max(0.0, due_s - perf_counter()))
            await committer.close()
        latencies.sort()
        return latencies[int(len(latencies) * 0.99)] * 1000

    return uvloop.run(work())


def proof_ms(folder: Path) -> list[float]:
    """The time of one inclusion proof from disk in a tree of a million leaves."""
    (folder / "hashes").mkdir()
    writer = HashWriter(folder / "hashes")
    frontier = Frontier()
    for start in range(0, PROOF_LEAVES, 50_000):
        tree = frontier.append([leaf_hash(b"%d" % number) for number in range(start, start + 50_000)])
        writer.extend(start, tree.completed(TILE_BITS))
        frontier = tree.frontier
    generator, spent = seeded(1), []
    for _ in range(200):
        index = generator.randrange(PROOF_LEAVES)
        began_s = perf_counter()
        writer.inclusion(index, PROOF_LEAVES)
        spent.append((perf_counter() - began_s) * 1000)
    return spent


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        ours = {
            f"{mode.value} {clients}": committed(folder, clients, mode, f"{mode.value} {clients}")
            for clients, mode in (
                (1, SyncMode.HELPER),
                (16, SyncMode.HELPER),
                (64, SyncMode.HELPER),
                (256, SyncMode.HELPER),
                (64, SyncMode.INLINE),
            )
        }
        found = run_alternating({"raw": lambda: raw_loop(folder), "paced": lambda: paced_p99_ms(folder), **ours})
        proofs = proof_ms(folder)
    loop = "fdatasync loop, one entry each, /s"
    rows = [
        compare("entries/s, 1 client", found["helper 1"], found["raw"], limit_is=loop, goal=0.3),
        compare("entries/s, 16 clients", found["helper 16"], found["raw"], limit_is=loop, goal=2),
        compare("entries/s, 64 clients", found["helper 64"], found["raw"], limit_is=loop, goal=5),
        compare("entries/s, 256 clients", found["helper 256"], found["raw"], limit_is=loop, goal=8),
        compare("entries/s, 64 clients, inline sync", found["inline 64"], found["raw"], limit_is=loop, goal=5),
        compare("entries/s, 256 clients", found["helper 256"], 50_000, limit_is="the goal itself, /s", goal=1),
        compare(
            "p99 ms, 25,000 entries/s offered",
            found["paced"],
            5.0,
            limit_is="the goal itself, ms",
            goal=1,
            lower_is_better=True,
        ),
        compare(
            "p99 ms, 256 clients, as fast as they can",
            LATENCIES_MS["helper 256"],
            5.0,
            limit_is="the goal itself, ms",
            goal=1,
            lower_is_better=True,
        ),
        compare(
            "inclusion proof ms, 1 M leaves", proofs, 1.0, limit_is="the goal itself, ms", goal=1, lower_is_better=True
        ),
    ]
    write_results("audit_commit", rows)


if __name__ == "__main__":
    main()
