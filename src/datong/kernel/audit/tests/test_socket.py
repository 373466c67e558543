"""Control rows through the unix socket: a real server in its loop, the blocking client in threads."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from datong.kernel.audit.committer import Committer
from datong.kernel.audit.failures import SealOutOfOrder
from datong.kernel.audit.socket import AuditSocketClient, AuditSocketServer
from datong.kernel.audit.tests.samples import SIGNER, control_row, data_entry, open_log
from datong.kernel.audit.verify import verify_log
from datong.kernel.failures import BadInput, TooLarge, Unavailable
from datong.kernel.limits import AUDIT_SOCKET_MESSAGE_BYTES_MAX, AUDIT_SOCKET_ROWS_MAX


def serve_while(folder: Path, work: Callable[[Path], None]) -> None:
    """Run blocking work in a thread while a server with a fresh committer serves the folder."""

    async def main() -> None:
        committer = Committer(open_log(folder / "audit"))
        await committer.start()
        server = AuditSocketServer(folder / "run" / "audit.sock", committer)
        await server.start()
        load = asyncio.create_task(exchanges(committer))
        try:
            await asyncio.wait_for(asyncio.to_thread(work, server.path), timeout=30)
        finally:
            load.cancel()
            await asyncio.gather(load, return_exceptions=True)
            await server.close()
            await committer.close()

    asyncio.run(main())


async def exchanges(committer: Committer) -> None:
    number = 0
    while True:
        await committer.commit(data_entry(number))
        await asyncio.sleep(0.001)
        number += 1


def rows(first: int, last: int) -> list[tuple[int, bytes]]:
    return [(number, control_row(number)) for number in range(first, last + 1)]


def test_rows_are_sealed_once_whoever_sends_them_again(tmp_path: Path) -> None:
    def work(path: Path) -> None:
        with AuditSocketClient(path) as client:
            assert client.last_seal_seq() == 0
            first = client.append_rows(rows(1, 2500))
            assert len(set(first)) == 2500
            assert first == sorted(first)
            assert client.append_rows(rows(1, 2500)) == first
            assert client.append_rows([]) == []
            with ThreadPoolExecutor(4) as pool:
                clients = [AuditSocketClient(path) for _ in range(4)]
                answers = list(pool.map(lambda each: each.append_rows(rows(2501, 2600)), clients))
                for each in clients:
                    each.close()
            assert all(answer == answers[0] for answer in answers)
            assert client.last_seal_seq() == 2600

    serve_while(tmp_path, work)
    report = verify_log(tmp_path / "audit", SIGNER.verifier, control_rows=rows(1, 2600)).require_intact()
    assert report.size > report.control_rows_count == 2600


def test_a_gateway_that_goes_and_comes_is_found_again_and_loses_no_row(tmp_path: Path) -> None:
    client = AuditSocketClient(tmp_path / "run" / "audit.sock", timeout_s=5)
    with pytest.raises(Unavailable):
        client.append_rows(rows(1, 3))
    serve_while(tmp_path, lambda _path: assert_equal(len(client.append_rows(rows(1, 3))), 3))
    with pytest.raises(Unavailable):
        client.append_rows(rows(4, 5))
    serve_while(tmp_path, lambda _path: assert_equal(len(client.append_rows(rows(2, 5))), 4))
    client.close()
    verify_log(tmp_path / "audit", SIGNER.verifier, control_rows=rows(1, 5)).require_intact()


def assert_equal(found: object, expected: object) -> None:
    assert found == expected


def test_refusals_reach_the_client_as_failures_and_the_server_goes_on(tmp_path: Path) -> None:
    def work(path: Path) -> None:
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        with AuditSocketClient(path) as client:
            client.append_rows(rows(1, 2))
            with pytest.raises(SealOutOfOrder) as caught:
                client.append_rows(rows(4, 4))
            assert caught.value.facts["last_seal_seq"] == 2
            with pytest.raises(SealOutOfOrder):
                client.append_rows([(2, b'{"other":true}')])
            with pytest.raises(TooLarge):
                client.append_rows([(3, b"x" * AUDIT_SOCKET_MESSAGE_BYTES_MAX)])
            with pytest.raises(BadInput):
                client._call({"op": "drop"})
            with pytest.raises(BadInput):
                client._call({"op": "append", "rows": "all"})
            with pytest.raises(TooLarge):
                client._call({"op": "append", "rows": rows(3, AUDIT_SOCKET_ROWS_MAX + 3)})
        for garbage in (b"\0\0\0\3abc", struct.pack(">I", AUDIT_SOCKET_MESSAGE_BYTES_MAX + 1), b"\0\0"):
            with socket.socket(socket.AF_UNIX) as raw:
                raw.connect(str(path))
                raw.sendall(garbage)
                raw.shutdown(socket.SHUT_WR)
                raw.settimeout(5)
                while raw.recv(4096):
                    pass
        with AuditSocketClient(path) as client:
            assert client.last_seal_seq() == 2
            big = (3, b'{"x":"' + b"y" * 100_000 + b'"}')
            assert len(client.append_rows([big])) == 1

    serve_while(tmp_path, work)


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TooLarge):
        serve_while(tmp_path / ("x" * 100), lambda _path: None)
