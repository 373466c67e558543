"""An agency with a resource, sources for it, and one call that fetches, collects and moves the cursor."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from datong.catalog.service import apply_contract
from datong.collect import service as collect
from datong.collect.contracts import RunView
from datong.collect.landing import landed_path
from datong.collect.sources import service
from datong.collect.sources.contracts import FetchView, SourceDraft, SourceView
from datong.kernel import ids
from datong.kernel.config import Secret, load_settings
from datong.kernel.contracts import Actor
from datong.kernel.events.service import deliver_pending
from datong.kernel.failures import Failure
from datong.kernel.ids import ResourceId, RunId
from datong.lake import service as lake
from datong.testing.cast import Cast, make_cast

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: {id}
name: 测试读数
version: 1.0.0
status: active
schema:
  - name: {id}
    businessName: 测试读数
    properties:
      - name: reading_id
        businessName: 编号
        logicalType: integer
        primaryKey: true
        primaryKeyPosition: 1
        required: true
        classification: 一般1级
      - name: station
        businessName: 站点
        logicalType: string
        required: true
        classification: 一般1级
      - name: amount
        businessName: 数值
        logicalType: number
        classification: 一般1级
slaProperties:
  - {{property: frequency, value: 1, unit: d}}
customProperties:
  - {{property: agency, value: {agency}}}
  - {{property: sharingType, value: conditional}}
  - {{property: sharingCondition, value: 测试}}
  - {{property: shareModes, value: [batch]}}
  - {{property: collectMode, value: {mode}}}
"""


@dataclass(kw_only=True)
class Desk:
    """A steward's desk: one resource and what is connected to it."""

    cast: Cast
    agency: str
    resource_id: ResourceId

    @property
    def steward(self) -> Actor:
        return self.cast.actor(f"{self.agency}.steward")

    def connect(
        self,
        kind: str,
        options: Mapping[str, str],
        secrets: Mapping[str, str] | None = None,
        **more: Any,
    ) -> SourceView:
        draft = SourceDraft(
            resource_id=self.resource_id,
            title="测试来源",
            kind=kind,
            options=options,
            secrets={name: Secret(value) for name, value in (secrets or {}).items()},
            **more,
        )
        return service.create_source(self.steward, draft)

    def land(self, source: SourceView) -> FetchView | None:
        """Fetch only: its run does not go on."""
        fetch = service.request_fetch(self.steward, source.id, in_background=False)
        service.execute_fetch(fetch.id)
        return self.find_fetch(source, fetch.id)

    def fetch(self, source: SourceView) -> FetchView | None:
        """Fetch, run, tell; None when nothing was new."""
        fetch = service.request_fetch(self.steward, source.id, in_background=False)
        service.execute_fetch(fetch.id)
        return self.finish(source, fetch.id)

    def finish(self, source: SourceView, fetch_id: str) -> FetchView | None:
        found = self.find_fetch(source, fetch_id)
        if found is None:
            return None
        if found.run_id:
            with suppress(Failure):
                collect.execute_run(RunId(found.run_id))
        tell()
        return self.find_fetch(source, fetch_id)

    def find_fetch(self, source: SourceView, fetch_id: str) -> FetchView | None:
        return next((fetch for fetch in service.find_fetches(source.id) if fetch.id == fetch_id), None)

    def run_of(self, fetch: FetchView | None) -> RunView:
        assert fetch is not None
        assert fetch.run_id
        return collect.get_run(fetch.run_id)

    def rows(self) -> list[dict[str, Any]]:
        """The present version's rows, by key."""
        version = lake.current_version(self.resource_id)
        if version is None:
            return []
        rows: list[dict[str, Any]] = lake.read_version(version).read_all().to_pylist()
        return sorted(rows, key=lambda row: row["reading_id"])


def tell() -> None:
    """Deliver every event: what the worker's outbox thread does."""
    while deliver_pending():
        pass


def landed_text(desk: Desk, run: str) -> str:
    """What a run was handed, as it lies in landing."""
    path = landed_path(load_settings(), desk.agency, collect.get_run(run).digest)
    return path.read_text(encoding="utf-8")


def make_desk(mode: str) -> Desk:
    agency = "t" + ids.random_bytes(5).hex()
    desk = Desk(
        cast=make_cast({agency: ("测试局", "Test Bureau")}), agency=agency, resource_id=ResourceId(f"reading_{agency}")
    )
    apply_contract(desk.steward, CONTRACT.format(id=desk.resource_id, agency=agency, mode=mode), base_version=None)
    return desk


@pytest.fixture(autouse=True)
def _loopback(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests' servers are on this machine."""
    monkeypatch.setenv("DATONG_SOURCE_HOSTS", "127.0.0.1,localhost")
    monkeypatch.setenv("DATONG_SOURCE_FOLDERS", str(tmp_path_factory.getbasetemp()))


@pytest.fixture
def desk(transactional_db: None) -> Desk:
    """In a database that commits: a run opens transactions of its own."""
    return make_desk("upsert")


@pytest.fixture
def quiet_desk(db: None) -> Desk:
    """For tests that collect nothing."""
    return make_desk("upsert")


@pytest.fixture
def quiet_desk_of(db: None) -> Callable[[str], Desk]:
    return make_desk


@pytest.fixture
def desk_of(transactional_db: None) -> Callable[[str], Desk]:
    return make_desk


# A PostgreSQL to collect from --------------------------------------------------------------------------------------
@dataclass(kw_only=True)
class Relay:
    """127.0.0.1 → a unix socket: the tests' server listens on no port. `cut_after_bytes` breaks the connection."""

    path: str
    listener: socket.socket
    cut_after_bytes: int | None = None
    threads: list[threading.Thread] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.path)
            for source, target, counted in ((client, server, False), (server, client, True)):
                thread = threading.Thread(target=self._pump, args=(source, target, counted), daemon=True)
                thread.start()

    def _pump(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        passed = 0
        try:
            while data := source.recv(65536):
                passed += len(data)
                if counted and self.cut_after_bytes is not None and passed > self.cut_after_bytes:
                    break
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def relay_to(path: str) -> Iterator[Relay]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = Relay(path=path, listener=listener)
        threading.Thread(target=relay.serve, daemon=True).start()
        yield relay


@dataclass(frozen=True, kw_only=True)
class OtherDatabase:
    """A second database on the tests' server, reached over TCP."""

    dsn: str
    name: str
    relay: Relay
    reader: str
    password: str

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.dsn, autocommit=True)

    def options(self, **more: str) -> dict[str, str]:
        return {
            "host": "127.0.0.1",
            "port": str(self.relay.port),
            "database": self.name,
            "user": self.reader,
            "tls": "off",
            **more,
        }


@pytest.fixture(scope="module")
def other_database(database_url: Secret) -> Iterator[OtherDatabase]:
    info = psycopg.conninfo.conninfo_to_dict(database_url.reveal())
    name = f"other_{ids.random_bytes(4).hex()}"
    with psycopg.connect(database_url.reveal(), autocommit=True) as admin:
        admin.execute(f"create database {name}")
    dsn = psycopg.conninfo.make_conninfo(database_url.reveal(), dbname=name)
    socket_path = f"{info['host']}/.s.PGSQL.{info.get('port') or 5432}"
    with relay_to(socket_path) as relay:
        yield OtherDatabase(
            dsn=dsn, name=name, relay=relay, reader=str(info["user"]), password=str(info.get("password") or "")
        )
    with psycopg.connect(database_url.reveal(), autocommit=True) as admin:
        admin.execute(f"drop database {name} with (force)")
