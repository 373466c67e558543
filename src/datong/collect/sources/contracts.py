"""What crosses the wall of connected sources: the values, the reader's Protocol, the failures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from datong.catalog.values import DataContract
from datong.kernel.config import Secret
from datong.kernel.failures import BadInput, Conflict, Failure, NotFound, Retry, Unavailable
from datong.kernel.plugs import Slot


class SourceKind(StrEnum):
    POSTGRES = "postgres"
    MYSQL = "mysql"
    HTTP = "http"
    MQTT = "mqtt"
    FOLDER = "folder"
    SFTP = "sftp"


KIND_TITLES: Mapping[SourceKind, tuple[str, str]] = {
    SourceKind.POSTGRES: ("PostgreSQL（含人大金仓）", "PostgreSQL (also Kingbase)"),
    SourceKind.MYSQL: ("MySQL / MariaDB", "MySQL / MariaDB"),
    SourceKind.HTTP: ("分页接口（HTTP JSON）", "Paged HTTP JSON API"),
    SourceKind.MQTT: ("消息主题（MQTT）", "MQTT topics"),
    SourceKind.FOLDER: ("监视文件夹", "Watched folder"),
    SourceKind.SFTP: ("SFTP 目录", "SFTP folder"),
}


class Trigger(StrEnum):
    """What begins a fetch. EVENT: a new version of another resource."""

    HAND = "hand"
    SCHEDULE = "schedule"
    EVENT = "event"


class FetchState(StrEnum):
    """FETCHING until the batch has landed, LANDED until its run has ended. EMPTY fetches are not kept."""

    FETCHING = "fetching"
    LANDED = "landed"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_open(self) -> bool:
        return self in (FetchState.FETCHING, FetchState.LANDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDraft:
    """A source as a steward describes it. `secrets` empty on a change keeps the sealed ones.

    `schedule` is a cron line of five fields in China Standard Time, `cycle` for the contract's update cycle, or "".
    `after_resource` names the resource whose new version begins a fetch.
    """

    resource_id: str
    title: str
    kind: str
    options: Mapping[str, str]
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    schedule: str = ""
    after_resource: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """A source as pages, API and terminal show it. Of the secrets only the names."""

    id: str
    resource_id: str
    resource_title: str
    agency_id: str
    title: str
    kind: SourceKind
    options: Mapping[str, str]
    secret_names: tuple[str, ...]
    schedule: str
    after_resource: str
    enabled: bool
    revision: int
    cursor: Mapping[str, Any]
    failures_in_row: int
    last_failure: Mapping[str, Any] | None
    case_id: str | None
    checked_at: datetime | None
    fetched_at: datetime | None
    due_at: datetime | None
    is_busy: bool
    resource_title_en: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchView:
    """One fetch: what began it, what it brought, how it ended."""

    id: str
    source_id: str
    trigger: Trigger
    state: FetchState
    started_at: datetime
    finished_at: datetime | None
    filename: str
    rows: int | None
    bytes: int
    run_id: str | None
    run_number: str
    failure: Mapping[str, Any] | None
    attempts: int
    job_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something worth knowing that is no failure."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionReport:
    """What a connection test saw. `rows` is a count up to SOURCE_TEST_ROWS_MAX, None where nothing can be counted.

    `clock_skew_s` is the other side's clock minus ours, None where it shows none.
    """

    reached: str
    product: str
    rows: int | None
    columns: tuple[str, ...]
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    clock_skew_s: float | None
    notes: tuple[Note, ...] = ()
    rows_is_floor: bool = False
    """There are more rows than were counted."""

    @property
    def is_usable(self) -> bool:
        return not self.missing


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFile:
    """A file that a folder source has taken before."""

    name: str
    bytes: int
    modified_ns: int
    digest: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchContext:
    """What a reader gets. `work` is the source's own folder, kept between fetches; `known` gives
    the ledger's lines of files with these names.

    `cursor` and `seen` are what the last run that ended left; both are empty at first.
    """

    source_id: str
    options: Mapping[str, str]
    secrets: Mapping[str, Secret]
    contract: DataContract
    cursor: Mapping[str, Any]
    seen: bytes
    work: Path
    known: Callable[[Sequence[str]], Sequence[KnownFile]] = lambda _names: ()
    progress: Callable[[int, str], None] = lambda _done, _note: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What a fetch brought: one file to land, and where the next fetch goes on once its run has ended.

    `after_landing` runs when the landed file and its run are durable; it must bear being run again, or not at all.
    """

    path: Path
    filename: str
    rows: int | None
    cursor: Mapping[str, Any]
    seen: bytes = b""
    has_more: bool = False
    bill: Path | None = None
    file: KnownFile | None = None
    after_landing: Callable[[], None] = lambda: None


class Connector(Protocol):
    """The reader of one kind of source. Knows nothing of runs, users and our database."""

    def check(self, options: Mapping[str, str], contract: DataContract) -> None:
        """Refuse options that cannot work, before any connection. Raises SourceOptionsWrong and the like."""
        ...

    def test(self, context: FetchContext) -> ConnectionReport:
        """Connect, look, and go away without having changed anything there."""
        ...

    def fetch(self, context: FetchContext) -> Batch | None:
        """What is new since the cursor, as one file in `context.work`; None when nothing is."""
        ...

    def settle(self, context: FetchContext, file: KnownFile, *, is_taken: bool) -> None:
        """The file's run has ended: put it away as the options say. May be called again."""
        ...


CONNECTORS: Slot[Connector] = Slot("collect.connectors")


class SourceNotFound(NotFound):
    code = "source-not-found"
    title, title_zh = "There is no such source, or you may not see it", "没有这个来源，或者你无权查看"


class SourceOptionsWrong(BadInput):
    code = "source-options-wrong"
    title, title_zh = "The source's options cannot be used", "来源的设置不可用"


class SourceChanged(Conflict):
    code = "source-changed"
    title, title_zh = "The source has been changed since you read it", "来源已被他人修改"


class SourceDisabled(Conflict):
    code = "source-disabled"
    title, title_zh = "The source is disabled", "来源已停用"


class SourceBusy(Conflict):
    code, retry = "source-busy", Retry.LATER
    title, title_zh = "A fetch from this source is going on", "该来源正在取数"


class HostNotAllowed(BadInput):
    code = "host-not-allowed"
    title, title_zh = "This address may not be connected to", "不允许连接该地址"


class FolderNotAllowed(BadInput):
    code = "folder-not-allowed"
    title, title_zh = "This folder may not be watched", "不允许监视该文件夹"


class DriverMissing(Failure):
    code, status, retry = "driver-missing", 501, Retry.AFTER_CHANGE
    title, title_zh = "The driver for this kind of source is not there", "缺少该类来源的驱动"


class SourceUnreachable(Unavailable):
    code = "source-unreachable"
    title, title_zh = "The source does not answer", "来源没有应答"


class SourceRefused(Failure):
    code, status, retry = "source-refused", 502, Retry.AFTER_CHANGE
    title, title_zh = "The source refused us", "来源拒绝了访问"


class SourceAnswerWrong(Failure):
    code, status, retry = "source-answer-wrong", 502, Retry.AFTER_CHANGE
    title, title_zh = "The source's answer is not what was expected", "来源的应答与预期不符"


class QueryNotAllowed(BadInput):
    code = "query-not-allowed"
    title, title_zh = "The query is not one SELECT", "查询语句不是单个 SELECT"


class CursorUnusable(BadInput):
    code = "cursor-unusable"
    title, title_zh = "The cursor column cannot carry an incremental fetch", "游标列不能用于增量取数"


class HostKeyUnknown(BadInput):
    code = "host-key-unknown"
    title, title_zh = "The server's host key is not the pinned one", "服务器主机密钥与登记的不符"
