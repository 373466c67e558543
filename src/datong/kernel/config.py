"""Typed settings from the environment. Each knows its default, its help and where it was found; secrets have no repr.

A setting is declared once, in `SETTINGS`; docs/reference/settings.md must have a heading for each (a law checks it).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from datong.kernel.failures import Misconfigured
from datong.kernel.limits import LANDING_DAYS_DEFAULT


class Secret:
    """A value that never shows itself: no repr, no str, no format, no pickle. `reveal()` is the only way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "Secret(…)"

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not written to disk or sent to another process")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One environment variable. `secret` values are never printed by `datong doctor`."""

    name: str
    default: str
    help: str
    secret: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="DATONG_HOME",
        default="",
        help="Where all state lives. Empty: /var/lib/datong as root, else ~/.local/share/datong.",
    ),
    Setting(
        name="DATONG_DATABASE_URL",
        default="",
        secret=True,
        help="A PostgreSQL 15+ server to use instead of the embedded one.",
    ),
    Setting(name="DATONG_HOST", default="127.0.0.1", help="The address the gateway listens on."),
    Setting(name="DATONG_PORT", default="8600", help="The public port."),
    Setting(
        name="DATONG_PUBLIC_URL", default="", help="The address that people and systems see; empty: http://HOST:PORT."
    ),
    Setting(
        name="DATONG_ORIGIN",
        default="",
        help="The audit log's name in checkpoints (C2SP origin line); empty: from the public address.",
    ),
    Setting(name="DATONG_LANGUAGE", default="zh-hans", help="The pages' default language: zh-hans or en."),
    Setting(
        name="DATONG_PASSWORD_FILE",
        default="",
        help="At a terminal: the file with the password of the member named by --as; empty: it is asked for.",
    ),
    Setting(name="DATONG_LOG_LEVEL", default="info", help="debug, info, warning or error."),
    Setting(
        name="DATONG_LANDING_DAYS",
        default="",
        help=f"Days for which delivered files are kept without a word in the contract; empty: {LANDING_DAYS_DEFAULT}.",
    ),
    Setting(
        name="DATONG_TRUSTED_PROXIES",
        default="",
        help="Addresses, separated by commas, whose forwarded headers are believed.",
    ),
    Setting(
        name="DATONG_CONTRACT_APPROVAL",
        default="no",
        help="yes: a data contract comes in force only when an approver approves it. no: a steward may also apply one "
        "at the terminal at once.",
    ),
    Setting(
        name="DATONG_LINEAGE_URL",
        default="",
        help="Where OpenLineage events are posted, e.g. https://lineage.example/api/v1/lineage. Empty: nowhere.",
    ),
    Setting(
        name="DATONG_LINEAGE_TOKEN", default="", secret=True, help="The bearer token for that address; empty: none."
    ),
    Setting(
        name="DATONG_SOURCE_HOSTS",
        default="",
        help="Addresses that sources may connect to, separated by commas (name, *.name, network, each with :port or "
        "without). Empty: public addresses only.",
    ),
    Setting(
        name="DATONG_SOURCE_FOLDERS",
        default="",
        help="Folders, separated by commas, inside which sources may watch for files. Empty: none.",
    ),
)


FOR_TESTS = frozenset(
    {
        "DATONG_BENCH_QUALITY",
        "DATONG_FAULT_DIR",
        "DATONG_FROZEN_CLOCK",
        "DATONG_REFERENCE_DATA",
        "DATONG_TESTING",
        "DATONG_TEST_SPARK",
    }
)
"""Names that tests and benchmarks use; no deployment sets them."""


def default_home() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/datong")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "datong"


class Settings:
    """The settings of this process, built by `load_settings`. Folders below `home` are named here and nowhere else."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        return self._values[name]

    @cached_property
    def home(self) -> Path:
        return Path(self._values["DATONG_HOME"] or default_home()).absolute()

    @cached_property
    def database_url(self) -> Secret | None:
        text = self._values["DATONG_DATABASE_URL"]
        return Secret(text) if text else None

    @property
    def database_file(self) -> Path:
        """Where the supervisor writes the embedded server's address."""
        return self.run_dir / "postgres.dsn"

    def find_database(self) -> Secret | None:
        """The database's address: DATONG_DATABASE_URL, else the embedded server's; None before that ever ran."""
        if self.database_url is not None:
            return self.database_url
        try:
            return Secret(self.database_file.read_text(encoding="utf-8").strip())
        except OSError:
            return None

    @cached_property
    def host(self) -> str:
        return self._values["DATONG_HOST"]

    @cached_property
    def port(self) -> int:
        text = self._values["DATONG_PORT"]
        if not text.isdigit() or not 0 < int(text) < 65536:
            raise Misconfigured("Give DATONG_PORT a number from 1 to 65535.", setting="DATONG_PORT", value=text)
        return int(text)

    @cached_property
    def landing_days(self) -> int:
        text = self._values["DATONG_LANDING_DAYS"] or str(LANDING_DAYS_DEFAULT)
        if not text.isdigit() or int(text) < 1:
            raise Misconfigured("Give DATONG_LANDING_DAYS a number of days.", setting="DATONG_LANDING_DAYS", value=text)
        return int(text)

    @cached_property
    def contract_approval(self) -> bool:
        text = self._values["DATONG_CONTRACT_APPROVAL"].strip().lower()
        if text not in {"yes", "no"}:
            raise Misconfigured(
                "Give DATONG_CONTRACT_APPROVAL yes or no.", setting="DATONG_CONTRACT_APPROVAL", value=text
            )
        return text == "yes"

    @cached_property
    def public_url(self) -> str:
        return (self._values["DATONG_PUBLIC_URL"] or f"http://{self.host}:{self.port}").rstrip("/")

    @cached_property
    def origin(self) -> str:
        return self._values["DATONG_ORIGIN"] or self.public_url.split("://", 1)[1] + "/audit"

    @cached_property
    def language(self) -> str:
        return self._values["DATONG_LANGUAGE"]

    @cached_property
    def trusted_proxies(self) -> tuple[str, ...]:
        return tuple(p.strip() for p in self._values["DATONG_TRUSTED_PROXIES"].split(",") if p.strip())

    # Folders; every one is made 0700.
    @property
    def postgres_dir(self) -> Path:
        return self.home / "postgres"

    @property
    def run_dir(self) -> Path:
        """Unix sockets and pid files."""
        return self.home / "run"

    @property
    def keys_dir(self) -> Path:
        """Signing, serving, lake and Django keys, 0600 each."""
        return self.home / "keys"

    @property
    def lake_dir(self) -> Path:
        return self.home / "lake"

    @property
    def landing_dir(self) -> Path:
        return self.home / "landing"

    @property
    def infer_dir(self) -> Path:
        """Files that are being read into draft contracts; each is gone when its reading ends."""
        return self.home / "infer"

    @property
    def quarantine_dir(self) -> Path:
        return self.home / "quarantine"

    @property
    def serving_dir(self) -> Path:
        """The LMDB environment."""
        return self.home / "serving"

    @property
    def bulk_dir(self) -> Path:
        """Files materialised per (policy, version) for batch."""
        return self.home / "bulk"

    @property
    def audit_dir(self) -> Path:
        return self.home / "audit"

    @property
    def demo_dir(self) -> Path:
        return self.home / "demo"

    @property
    def log_dir(self) -> Path:
        return self.home / "log"

    def socket(self, name: str) -> Path:
        """A unix socket of ours: control | edges | audit."""
        return self.run_dir / f"{name}.sock"


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read every declared setting; an unknown DATONG_ name is refused, because it is probably misspelt."""
    found = os.environ if environment is None else environment
    known = {setting.name for setting in SETTINGS} | FOR_TESTS
    unknown = sorted(name for name in found if name.startswith("DATONG_") and name not in known)
    if unknown:
        raise Misconfigured(
            f"Remove or correct {', '.join(unknown)}. Known settings: {', '.join(sorted(known))}.", unknown=unknown
        )
    return Settings({s.name: found.get(s.name) or s.default for s in SETTINGS})


def make_private_dir(path: Path) -> Path:
    """Make a folder that only its owner can enter (0700), and its parents below an existing folder likewise."""
    if not path.is_dir():
        make_private_dir(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path
