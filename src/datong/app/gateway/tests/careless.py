"""A gateway that answers before its record is written: the fault which the crash test must be able to find."""

from __future__ import annotations

import asyncio
import sys

from datong.app.gateway.__main__ import main
from datong.kernel.audit.committer import Committed, Committer


class CarelessCommitter(Committer):
    def submit(self, entry: bytes) -> asyncio.Future[Committed]:
        self._loop.call_later(0.05, super().submit, entry)
        answered: asyncio.Future[Committed] = self._loop.create_future()
        answered.set_result(Committed(self.log.size, "", self.log.signer.sign_checkpoint(0, bytes(32))))
        return answered


if __name__ == "__main__":
    setattr(sys.modules["datong.app.gateway.plane"], "Committer", CarelessCommitter)  # noqa: B010 - not its own name
    sys.exit(main())
