"""A gateway that answers before its record is written: the fault which the crash test must be able to find."""

from __future__ import annotations

import asyncio
import sys

from datong.app.gateway.__main__ import main
from datong.kernel.audit.committer import Committed, Committer


class CarelessCommitter(Committer):
    async def commit(self, entry: bytes) -> Committed:
        self._loop.call_later(0.05, lambda: asyncio.ensure_future(super(CarelessCommitter, self).commit(entry)))
        return Committed(self.log.size, "", self.log.signer.sign_checkpoint(0, bytes(32)))


if __name__ == "__main__":
    setattr(sys.modules["datong.app.gateway.plane"], "Committer", CarelessCommitter)  # noqa: B010 - not its own name
    sys.exit(main())
