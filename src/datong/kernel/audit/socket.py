"""How control rows enter the log: the gateway's committer behind a unix socket, and the sequencer's client.

The folder is 0700 and the socket 0600, so that only the platform's own account can write. Messages go both ways as a
big-endian u32 length and that many bytes of msgpack:

    {"op": "append", "rows": [[seal_seq, row_json], …]} → {"ok": true, "indexes": […], "size": n}
    {"op": "status"} → {"ok": true, "last_seal_seq": n, "size": n, "durable_size": n}

A refusal is {"ok": false, "code": …, "hint": …, "facts": {…}}. Sending rows again is harmless: what is sealed already
answers with its index.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from datong.kernel.audit.committer import Committer
from datong.kernel.audit.failures import SealOutOfOrder
from datong.kernel.config import make_private_dir
from datong.kernel.failures import BadInput, Failure, TooLarge, Unavailable
from datong.kernel.limits import AUDIT_SOCKET_MESSAGE_BYTES_MAX, AUDIT_SOCKET_ROWS_MAX, SOCKET_PATH_BYTES_MAX

_LENGTH = struct.Struct(">I")


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    op: str
    rows: list[tuple[int, bytes]] = []


_requests = msgspec.msgpack.Decoder(_Request)


def _frame(message: dict[str, Any]) -> bytes:
    data = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(data)) + data


class AuditSocketServer:
    """Serves one committer; runs in the gateway's loop."""

    def __init__(self, path: Path, committer: Committer) -> None:
        self.path = path
        self.committer = committer
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen. A socket left by a killed gateway is replaced; the log's lock, not the socket, keeps two apart."""
        if len(str(self.path).encode()) > SOCKET_PATH_BYTES_MAX:
            raise TooLarge("Put DATONG_HOME at a shorter path: a socket's path has room for 100 bytes.")
        make_private_dir(self.path.parent)
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self.path)
        self.path.chmod(0o600)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in list(self._connections):
                writer.close()
            await self._server.wait_closed()
            self.path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while True:
                length = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))[0]
                if length > AUDIT_SOCKET_MESSAGE_BYTES_MAX:
                    writer.write(_frame(_refusal(TooLarge("Send fewer rows at once.", bytes=length))))
                    return
                writer.write(_frame(await self._answer(await reader.readexactly(length))))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _answer(self, data: bytes) -> dict[str, Any]:
        log = self.committer.log
        try:
            request = _requests.decode(data)
            if request.op == "status":
                return {
                    "ok": True,
                    "last_seal_seq": log.last_seal_seq,
                    "size": log.size,
                    "durable_size": log.durable_size,
                }
            if request.op != "append":
                raise BadInput("The operations are append and status.", op=request.op)
            if len(request.rows) > AUDIT_SOCKET_ROWS_MAX:
                raise TooLarge("Send fewer rows at once.", rows=len(request.rows), limit_rows=AUDIT_SOCKET_ROWS_MAX)
            return {"ok": True, "indexes": await self.committer.commit_control(request.rows), "size": log.size}
        except msgspec.MsgspecError as problem:
            return _refusal(BadInput(f"The message does not read: {problem}."))
        except Failure as failure:
            return _refusal(failure)


def _refusal(failure: Failure) -> dict[str, Any]:
    return {"ok": False, "code": failure.code, "hint": failure.hint, "facts": dict(failure.facts)}


_FAILURES: dict[str, type[Failure]] = {kind.code: kind for kind in (SealOutOfOrder, TooLarge, BadInput, Unavailable)}


class AuditSocketClient:
    """The sequencer's side, blocking. Connects when used, and again after a fault; Unavailable without a gateway."""

    def __init__(self, path: Path, *, timeout_s: float = 10.0) -> None:
        self.path = path
        self.timeout_s = timeout_s
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def append_rows(self, rows: Sequence[tuple[int, bytes]]) -> list[int]:
        """Seal rows, given as (seal number, canonical row JSON) in rising order; gives their log indexes, durable."""
        if not rows:
            return []
        indexes: list[int] = []
        for part in _parts(rows):
            indexes += self._call({"op": "append", "rows": part})["indexes"]
        return indexes

    def last_seal_seq(self) -> int:
        """The highest seal number in the log; 0 when none is."""
        return int(self._call({"op": "status"})["last_seal_seq"])

    def _call(self, message: dict[str, Any]) -> dict[str, Any]:
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self._socket.settimeout(self.timeout_s)
                self._socket.connect(str(self.path))
            self._socket.sendall(_frame(message))
            length = _LENGTH.unpack(self._receive(_LENGTH.size))[0]
            answer: dict[str, Any] = msgspec.msgpack.decode(self._receive(length))
        except OSError as problem:
            self.close()
            raise Unavailable(
                "The gateway does not take audit rows now; they wait in the database. Is it running?",
                private=str(problem),
            ) from problem
        if not answer.get("ok"):
            kind = _FAILURES.get(str(answer.get("code")), Unavailable)
            raise kind(str(answer.get("hint", "")), **dict(answer.get("facts", {})))
        return answer

    def _receive(self, count: int) -> bytes:
        assert self._socket is not None
        pieces = bytearray()
        while len(pieces) < count:
            piece = self._socket.recv(count - len(pieces))
            if not piece:
                raise ConnectionResetError("the gateway closed the connection")
            pieces += piece
        return bytes(pieces)


def _parts(rows: Sequence[tuple[int, bytes]]) -> list[list[tuple[int, bytes]]]:
    """Rows in messages under both limits."""
    parts: list[list[tuple[int, bytes]]] = [[]]
    part_bytes = 0
    for row in rows:
        row_bytes = len(row[1]) + 16
        if row_bytes > AUDIT_SOCKET_MESSAGE_BYTES_MAX - 64:
            raise TooLarge("An audit row is longer than a message may be.", seal_seq=row[0], bytes=row_bytes)
        full = len(parts[-1]) == AUDIT_SOCKET_ROWS_MAX or part_bytes + row_bytes > AUDIT_SOCKET_MESSAGE_BYTES_MAX - 64
        if full and parts[-1]:
            parts.append([])
            part_bytes = 0
        parts[-1].append(row)
        part_bytes += row_bytes
    return parts
