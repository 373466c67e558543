"""A real gateway process on a home of its own, with a small prepared serving store."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa

from datong.exchange.contracts import (
    FileEntry,
    GrantColumn,
    GrantTerms,
    Mode,
    ResourceEntry,
    ServedColumn,
    SystemEntry,
    Treatment,
)
from datong.exchange.serving.compile import ServingWriter
from datong.kernel import clock
from datong.kernel.audit.log import AuditLog
from datong.kernel.audit.notes import NoteVerifier, load_or_create_signer
from datong.kernel.config import Settings, load_settings

TOKEN = "dt_clinic"
STRANGER_TOKEN = "dt_stranger"
DAY_MS = 86_400_000
PEOPLE = [(f"11010519491231{n:04d}", f"王小明{n}", date(1949, 12, 31) + timedelta(days=n)) for n in range(2000)]
CSV_BYTES = "证件号,姓名\n".encode() + b"".join(f"{i},{n}\n".encode() for i, n, _ in PEOPLE)


def settings_of(home: Path, *, port: int = 0, **more: str) -> Settings:
    return load_settings({"DATONG_HOME": str(home), "DATONG_PORT": str(port or free_port()), **more})


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def terms(**changes: Any) -> GrantTerms:
    now_ms = clock.epoch_ms()
    base = GrantTerms(
        grant_id="grant_people",
        number="G-2026-00001",
        system_id="system_clinic",
        resource_id="people",
        purpose="insurance-check",
        modes=(Mode.VERIFY, Mode.BATCH),
        columns=(
            GrantColumn(name="name", treatment=Treatment.PLAIN),
            GrantColumn(name="born", treatment=Treatment.COMPARE),
        ),
        valid_from_ms=now_ms - DAY_MS,
        valid_until_ms=now_ms + DAY_MS,
    )
    return replace(base, **changes)


def system(system_id: str = "system_clinic") -> SystemEntry:
    return SystemEntry(
        system_id=system_id, name="诊所系统", agency_id="agency_health", agency_name="卫健委", key_id=f"key_{system_id}"
    )


def describe_people(writer: ServingWriter) -> ResourceEntry:
    return writer.put_resource(
        resource_id="people",
        agency_id="agency_police",
        title_zh="人口基础信息",
        key_columns=[ServedColumn(name="id_number")],
        verify_columns=[ServedColumn(name="name"), ServedColumn(name="born", kind="date"), ServedColumn(name="sex")],
    )


def people_batch() -> pa.RecordBatch:
    return pa.record_batch(
        {
            "id_number": [p[0] for p in PEOPLE],
            "name": [p[1] for p in PEOPLE],
            "born": [p[2] for p in PEOPLE],
            "sex": ["男" for _ in PEOPLE],
        }
    )


def write_file(writer: ServingWriter, settings: Settings, data: bytes = CSV_BYTES) -> FileEntry:
    settings.bulk_dir.mkdir(parents=True, exist_ok=True)
    (settings.bulk_dir / "people.csv").write_bytes(data)
    entry = FileEntry(
        path="people.csv",
        format="csv",
        media_type="text/csv; charset=utf-8",
        sha256=hashlib.sha256(data).hexdigest(),
        file_bytes=len(data),
        rows_count=len(PEOPLE),
        version_id="version_1",
    )
    writer.put_file(terms().policy_digest, entry)
    return entry


def prepare(settings: Settings) -> ServingWriter:
    """A store with one resource, one grant, two systems and one file; the writer stays open for the test."""
    writer = ServingWriter(settings.serving_dir, settings.keys_dir)
    writer.write_generation(describe_people(writer), "version_1", [people_batch()])
    writer.put_token(TOKEN, system())
    writer.put_token(STRANGER_TOKEN, system("system_stranger"))
    writer.put_grant(terms())
    write_file(writer, settings)
    return writer


def drop_grants(writer: ServingWriter) -> None:
    """Forget all grants and tombstones: what the platform itself never does."""
    with writer._environment.write() as txn:
        txn.drop(writer._dbs["grants"], delete=False)


class GatewayProcess:
    """`python -m datong.app.gateway`, or another program in its place."""

    def __init__(self, settings: Settings, *, program: list[str] | None = None, **environment: str) -> None:
        self.settings = settings
        self.url = f"http://127.0.0.1:{settings.port}"
        self._program = program or ["-m", "datong.app.gateway"]
        self._environment = environment
        self.process: subprocess.Popen[bytes] | None = None
        self.output = settings.home / "gateway.out"

    def start(self) -> GatewayProcess:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DATONG_")}
        own = {"DATONG_HOME": str(self.settings.home), "DATONG_PORT": str(self.settings.port)}
        self.settings.home.mkdir(parents=True, exist_ok=True)
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *self._program], env={**kept, **own, **self._environment}, stdout=output, stderr=output
            )
        deadline_s = clock.monotonic_s() + 30
        while clock.monotonic_s() < deadline_s:
            if self.process.poll() is not None:
                raise RuntimeError(f"the gateway ended: {self.output.read_text()[-2000:]}")
            try:
                if httpx.get(f"{self.url}/healthz", timeout=1, trust_env=False).status_code == 200:
                    return self
            except httpx.HTTPError:
                continue
        raise RuntimeError("the gateway did not start")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(25)
        self.process = None
        return status

    def verify(self, body: Any, *, token: str | None = TOKEN, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        return self.call("POST", "/x/v1/verify/people", token=token, content=content, headers=headers)

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = TOKEN,
        headers: Mapping[str, str] | None = None,
        content: Any = None,
    ) -> httpx.Response:
        sent = dict(headers or {})
        if token:
            sent["authorization"] = f"Bearer {token}"
        return httpx.request(method, f"{self.url}{path}", headers=sent, content=content, timeout=30, trust_env=False)

    def log_key(self) -> NoteVerifier:
        return load_or_create_signer(self.settings.keys_dir / "audit.key", self.settings.origin).verifier


def question(number: int = 7, **claims: str) -> dict[str, Any]:
    """A well-formed verify body about one person."""
    claimed = claims or {"name": PEOPLE[number][1]}
    return {
        "purpose": "insurance-check",
        "reference": "案-7",
        "items": [{"key": {"id_number": PEOPLE[number][0]}, "claims": claimed}],
    }


def read_log(settings: Settings) -> list[dict[str, Any]]:
    """Every entry of a stopped gateway's log, recovered as at a start."""
    return [json.loads(entry) for entry in read_raw_log(settings)]


def read_raw_log(settings: Settings) -> list[bytes]:
    log = AuditLog.open(settings.audit_dir, load_or_create_signer(settings.keys_dir / "audit.key", settings.origin))
    try:
        return [entry for _, entry in log.reader.iter_entries(0, log.size)]
    finally:
        log.close()
