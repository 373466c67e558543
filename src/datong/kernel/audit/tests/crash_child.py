"""A gateway's worth of load to be killed: `python -m …crash_child FOLDER helper|inline|eager`.

A plain kill cannot lose what is in the page cache, so frames are held in process memory until the moment at which their
sync has ended; only then are they written, and only then are callers released. `eager` releases callers before: the
negative control, which the test must catch. Each answer is one line on standard output: index, entry, tree size, root.
"""

from __future__ import annotations

import asyncio
import os
import sys
from base64 import b64encode
from pathlib import Path

from datong.kernel.audit.committer import Committed, Committer, SyncMode, _Commit
from datong.kernel.audit.log import AuditLog, StagedBatch
from datong.kernel.audit.notes import parse_checkpoint_body
from datong.kernel.audit.tests.samples import SIGNER, data_entry

CLIENTS = 24


class HeldLog(AuditLog):
    """Keeps frames in memory until they are durable."""

    held: list[tuple[int, bytes]]

    def _write_frame(self, frame: bytes) -> None:
        self.__dict__.setdefault("held", []).append((self._offset, frame))

    def mark_durable(self, batch: StagedBatch) -> None:
        offset, frame = self.held.pop(0)
        os.pwrite(self._file, frame, offset)
        super().mark_durable(batch)


class EagerCommitter(Committer):
    """Releases answers before the sync: what must never happen."""

    def _begin(self, commit: _Commit) -> None:
        self.log.finish(commit.batch)
        for at, future in enumerate(commit.futures):
            if not future.done():
                future.set_result(
                    Committed(commit.batch.first_index + at, commit.batch.paths[at], commit.batch.checkpoint)
                )
        commit.futures = ()
        super()._begin(commit)


async def main(folder: Path, mode: str) -> None:
    log = HeldLog.open(folder, SIGNER, segment_bytes=256 * 1024)
    kind = EagerCommitter if mode == "eager" else Committer
    committer = kind(log, mode=SyncMode.INLINE if mode == "inline" else SyncMode.HELPER)
    await committer.start()

    async def client(name: int) -> None:
        number = 0
        while True:
            entry = data_entry(0, reference=f"{os.getpid()}-{name}-{number}")
            committed = await committer.commit(entry)
            checkpoint = parse_checkpoint_body(committed.checkpoint.partition("\n\n")[0] + "\n")
            line = b"%d %s %d %s\n" % (
                committed.index,
                b64encode(entry),
                checkpoint.size,
                checkpoint.root.hex().encode(),
            )
            os.write(1, line)
            number += 1

    await asyncio.gather(*[client(name) for name in range(CLIENTS)])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
