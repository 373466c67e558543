"""What `datong doctor` looks at. It changes nothing, prints no secret, and needs neither Django nor DuckDB."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import psycopg

from datong.app.parts import PARTS
from datong.kernel.config import SETTINGS, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`level`: ok | note | unsafe (works, but should not be left so) | bad (does not work)."""

    level: str
    name: str
    what: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def examine(settings: Settings) -> list[Finding]:
    """Every finding, in the order in which a person would ask."""
    return [
        *_settings(settings),
        *_user(),
        *_volume(settings.home),
        *_folders(settings),
        *_secrets(settings),
        *_database(settings),
        *_processes(settings),
        *_transport(settings),
    ]


def _settings(settings: Settings) -> Iterator[Finding]:
    yield Finding(level="ok", name="parts", what=f"{len(PARTS)} known")
    for setting in SETTINGS:
        value = settings.text(setting.name)
        came = "environment" if setting.name in os.environ else "default"
        shown = "set, not shown" if setting.secret and value else (value or "empty")
        yield Finding(level="ok", name=setting.name, what=f"{shown} ({came})")


def _user() -> Iterator[Finding]:
    if os.geteuid() == 0:
        yield Finding(
            level="unsafe",
            name="user",
            what="running as root",
            remedy="Run Datong as an account of its own: `useradd --system datong`, then start it as that user.",
        )
    else:
        yield Finding(level="ok", name="user", what=f"uid {os.geteuid()}")


def _volume(home: Path) -> Iterator[Finding]:
    device = _device_of(home)
    if device is None:
        yield Finding(level="note", name="volume", what=f"the device of {home} could not be told")
    elif _is_encrypted(device):
        yield Finding(level="ok", name="volume", what=f"{device} is encrypted")
    else:
        yield Finding(
            level="unsafe",
            name="volume",
            what=f"{home} lies on {device}, which is not an encrypted volume",
            remedy="PostgreSQL holds the lake's file keys and column bounds in clear: put DATONG_HOME on LUKS.",
        )


def _device_of(path: Path) -> str | None:
    """The mounted device of the nearest existing folder, from /proc/self/mountinfo (proc(5))."""
    while not path.exists():
        path = path.parent
    number = path.stat().st_dev
    wanted = f"{os.major(number)}:{os.minor(number)}"
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        if fields[2] == wanted:
            return fields[fields.index("-") + 2]
    return None


def _is_encrypted(device: str) -> bool:
    """Whether any layer of the device-mapper stack is dm-crypt (its uuid begins with CRYPT-)."""
    name = Path(device).resolve().name
    uuid = Path("/sys/block") / name / "dm" / "uuid"
    try:
        if uuid.read_text(encoding="ascii").startswith("CRYPT-"):
            return True
        return any(_is_encrypted(f"/dev/{slave.name}") for slave in (Path("/sys/block") / name / "slaves").iterdir())
    except OSError:
        return False


def _folders(settings: Settings) -> Iterator[Finding]:
    home = settings.home
    if not home.is_dir():
        yield Finding(level="note", name="home", what=f"{home} is not there yet", remedy="`datong up` makes it.")
        return
    open_paths = [path for path in (home, *sorted(home.iterdir())) if _is_open(path)]
    for path in open_paths:
        yield Finding(
            level="unsafe",
            name="permissions",
            what=f"{path} is open to others ({stat.filemode(path.stat().st_mode)})",
            remedy=f"chmod go= {path}",
        )
    if not open_paths:
        yield Finding(level="ok", name="permissions", what=f"{home} and what is in it are closed to others")


def _is_open(path: Path) -> bool:
    """Open to group or others; for the home itself, search permission for the database's own account is not counted."""
    mode = path.stat().st_mode
    return bool(mode & (stat.S_IRWXG | stat.S_IRWXO) & ~(stat.S_IXGRP | stat.S_IXOTH))


def _secrets(settings: Settings) -> Iterator[Finding]:
    if not settings.keys_dir.is_dir():
        return
    for path in sorted(settings.keys_dir.iterdir()):
        if path.stat().st_mode & 0o077:
            yield Finding(
                level="bad", name="keys", what=f"{path.name} can be read by others", remedy=f"chmod 600 {path}"
            )
            return
    count = len(list(settings.keys_dir.iterdir()))
    yield Finding(level="ok", name="keys", what=f"{count} key files, each readable by its owner alone")


def _database(settings: Settings) -> Iterator[Finding]:
    dsn = settings.find_database()
    where = "DATONG_DATABASE_URL" if settings.database_url else "embedded"
    if dsn is None:
        yield Finding(level="note", name="database", what=f"{where}, not running", remedy="Start it with `datong up`.")
        return
    try:
        with psycopg.connect(dsn.reveal(), connect_timeout=5) as connection:
            version = connection.info.server_version // 10000
            encrypted = connection.pgconn.ssl_in_use or not connection.info.host or connection.info.host.startswith("/")
    except psycopg.OperationalError:
        yield Finding(level="bad", name="database", what=f"{where}, does not answer", remedy="See postgres.log.")
        return
    yield Finding(level="ok", name="database", what=f"{where}, PostgreSQL {version}")
    if not encrypted:
        yield Finding(
            level="unsafe", name="database", what="reached over a network in clear", remedy="Use sslmode=verify-full."
        )


def _processes(settings: Settings) -> Iterator[Finding]:
    for name in ("gateway", "control", "worker"):
        pid_file = settings.run_dir / f"{name}.pid"
        if pid_file.is_file() and Path(f"/proc/{pid_file.read_text().strip()}").is_dir():
            yield Finding(level="ok", name=name, what=f"runs as process {pid_file.read_text().strip()}")
        else:
            yield Finding(level="note", name=name, what="not running", remedy="Start it with `datong up`.")
    try:
        answer = httpx.get(f"http://{settings.host}:{settings.port}/readyz", timeout=2, trust_env=False)
        yield Finding(level="ok" if answer.is_success else "bad", name="readyz", what=f"answers {answer.status_code}")
    except httpx.HTTPError:
        yield Finding(level="note", name="readyz", what=f"nothing answers at {settings.host}:{settings.port}")


def _transport(settings: Settings) -> Iterator[Finding]:
    local = settings.host in ("127.0.0.1", "::1", "localhost")
    if settings.public_url.startswith("https://"):
        yield Finding(level="ok", name="transport", what="the public address is https")
    elif local:
        yield Finding(level="note", name="transport", what="http, on the loopback address only")
    else:
        yield Finding(
            level="unsafe",
            name="transport",
            what=f"http on {settings.host}",
            remedy="Put TLS in front and set DATONG_PUBLIC_URL to its https address.",
        )
