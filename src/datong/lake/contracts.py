"""What crosses the lake's wall: counts of a write, versions, failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from datong.kernel.failures import BadInput, Conflict, Failure, NotFound, Retry, Unavailable
from datong.kernel.ids import ResourceId, RunId, VersionId


class CommitState(StrEnum):
    """Where a run's commit stands; `committing` is the only state that recovery looks at."""

    COMMITTING = "committing"
    COMMITTED = "committed"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumn:
    """A column as the lake needs it: its name and the contract's logical type (or `decimal(p,s)`)."""

    name: str
    logical_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a writer did to a table. `is_changed` false means that the version would equal the one before it.

    `replaces` says that every row was written anew, so that a column whose type changed has lost nothing.
    """

    rows: int
    inserted: int
    updated: int = 0
    deleted: int = 0
    is_changed: bool = True
    replaces: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionView:
    """One immutable state of a resource's table."""

    id: VersionId
    resource_id: ResourceId
    number: int
    """1, 2, 3 … per resource."""
    label: str
    """Civil date and the day's count, as people say it: 2026.11.24-1."""
    agency: str
    """Name of the lake catalogue: the agency's code."""
    table: str
    snapshot: int
    run_id: RunId
    rows_count: int
    rows_inserted: int
    rows_updated: int
    rows_deleted: int
    payload_bytes: int
    """Size of the table's files at this version, encrypted and compressed."""
    digest: str
    created_at: datetime
    is_unchanged: bool = False
    """True only in the answer of a commit that found nothing new: then this is the version that was there before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What recovery did with a commit that some process left half way."""

    run_id: RunId
    state: CommitState
    version_id: VersionId | None = None


class VersionNotFound(NotFound):
    code = "lake-version-not-found"
    title, title_zh = "There is no such version", "没有这个数据版本"


class TableMismatch(Conflict):
    code = "lake-table-mismatch"
    title, title_zh = "The table's columns do not fit the contract", "数据表的列与契约不符"


class CommitFailed(Failure):
    code, status, retry = "lake-commit-failed", 500, Retry.LATER
    title, title_zh = "The version was not recorded", "数据版本没有记录成功"


class TableBusy(Unavailable):
    code = "lake-table-busy"
    title, title_zh = "Another run is writing this table", "另一批次正在写入此数据表"


class LakeUnavailable(Unavailable):
    code = "lake-unavailable"
    title, title_zh = "The lake cannot be reached", "数据湖暂不可用"


class QueryRefused(BadInput):
    code = "lake-query-refused"
    title, title_zh = "This query may not run", "不允许执行此查询"


class QueryTooLong(Failure):
    code, status, retry = "lake-query-too-long", 408, Retry.AFTER_CHANGE
    title, title_zh = "The query ran longer than its limit", "查询超过了时间上限"


class QueryTooLarge(Failure):
    code, status, retry = "lake-query-too-large", 413, Retry.AFTER_CHANGE
    title, title_zh = "The query needs more memory or answers more than its limit", "查询超过了内存或结果大小上限"


class QueryFailed(BadInput):
    code = "lake-query-failed"
    title, title_zh = "The query could not be computed", "查询无法计算"


Columns = Sequence[TableColumn]
