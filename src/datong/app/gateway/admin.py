"""The gateway's own unix socket: what control and worker may ask it. 0600 in a 0700 folder, so only our account can."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from datong.exchange.serving.store import ServingReader
from datong.kernel.config import make_private_dir

LINE_BYTES_MAX = 4096


class AdminSocket:
    """Answers `{"ask": "seen"}` with the LMDB transaction on which the gateway decides from now on."""

    def __init__(self, path: Path, reader: ServingReader) -> None:
        self._path = path
        self._reader = reader
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        make_private_dir(self._path.parent)
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self._path, limit=LINE_BYTES_MAX)
        self._path.chmod(0o600)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(self._answer(line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            return
        finally:
            writer.close()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            ask = json.loads(line)
        except ValueError:
            ask = None
        if ask == {"ask": "seen"}:
            return {"txn_id": self._reader.refresh_surely()}
        return {"error": 'ask {"ask": "seen"}'}
