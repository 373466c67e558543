"""What crosses the wall of collect: the failures of a file, the view of a run, a quarantined row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from datong.kernel.failures import BadInput, Conflict, NotFound, TooLarge
from datong.kernel.paging import Page


class RunState(StrEnum):
    RECEIVED = "received"
    CHECKING = "checking"
    COMMITTING = "committing"
    DONE = "done"
    UNCHANGED = "unchanged"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        return self in (RunState.DONE, RunState.UNCHANGED, RunState.FAILED)


class CollectMode(StrEnum):
    """REPLACE: the file is the whole table. UPSERT: its rows are added, or take the place of rows with their key."""

    REPLACE = "replace"
    UPSERT = "upsert"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStep:
    """One step of a run. `name` is land | read | check | quarantine | commit | publish."""

    name: str
    title_zh: str
    title_en: str
    detail: str
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonCount:
    """How many quarantined rows have this rule as their first reason."""

    rule: str
    column: str
    reason_zh: str
    reason_en: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run, as pages, API and terminal show it. Counts are rows; `score` is 0 to 100; times are RFC 3339."""

    id: str
    number: str
    resource_id: str
    resource_title: str
    agency_id: str
    contract_version: str
    filename: str
    digest: str
    bytes: int
    encoding: str
    delimiter: str
    mode: str
    state: RunState
    rows_read: int
    rows_accepted: int
    rows_quarantined: int
    score: float | None
    dimensions: Mapping[str, float]
    rules: tuple[Mapping[str, Any], ...]
    reasons: tuple[ReasonCount, ...]
    steps: tuple[RunStep, ...]
    version: str | None
    version_label: str | None
    failure: Mapping[str, Any] | None
    job_id: str | None
    started_by: str
    started_by_name: str
    started_at: str
    finished_at: str | None
    seconds: float | None
    resource_title_en: str = ""
    started_by_name_en: str = ""

    @property
    def is_final(self) -> bool:
        return self.state.is_final


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedRow:
    """A row that was not accepted. `line` is where it starts in the file as received, counting from 1.

    `others` names the further rules it broke, `row` maps the file's columns to their texts as they came.
    """

    line: int
    column: str
    rule: str
    reason_zh: str
    reason_en: str
    value: str | None
    suggestion_zh: str
    suggestion_en: str
    others: tuple[str, ...]
    row: Mapping[str, str | None] = field(default_factory=dict)


class RunNotFound(NotFound):
    code = "run-not-found"
    title, title_zh = "There is no such run, or you may not see it", "没有这次归集，或者你无权查看"


class RunBusy(Conflict):
    code = "run-busy"
    title, title_zh = "Another process is working on this run", "这次归集正在由另一个进程处理"


class FileUnreadable(BadInput):
    code = "file-unreadable"
    title, title_zh = "The file cannot be read", "文件无法读取"


class FileEmpty(BadInput):
    code = "file-empty"
    title, title_zh = "The file holds no rows", "文件中没有数据行"


class FileNotText(BadInput):
    code = "file-not-text"
    title, title_zh = "The file is not a text table", "文件不是文本表格"


class EncodingUnreadable(BadInput):
    code = "encoding-unreadable"
    title, title_zh = "The file's characters cannot be read", "文件的字符编码无法识别"


class EncodingMixed(BadInput):
    code = "encoding-mixed"
    title, title_zh = "The file mixes two character encodings", "文件混用了两种字符编码"


class ColumnsDiffer(BadInput):
    code = "columns-differ"
    title, title_zh = "The file's columns are not those of the contract", "文件的列与数据契约不符"


class HeaderNotFirst(BadInput):
    code = "header-not-first"
    title, title_zh = "There are notes above the header line", "表头之前有说明文字"


class QuoteUnclosed(BadInput):
    code = "quote-unclosed"
    title, title_zh = "A quotation mark is opened and never closed", "有引号没有闭合"


class LineTooLong(TooLarge):
    code = "line-too-long"
    title, title_zh = "A line is longer than the limit", "有一行超过了长度上限"


class RowsUnshaped(BadInput):
    code = "rows-unshaped"
    title, title_zh = "Too many rows do not have the header's number of fields", "字段数与表头不一致的行过多"


class RowsLost(Exception):  # noqa: N818 - named as the failures are
    """Rows read ≠ accepted + quarantined: a bug of ours. The run is rolled back; nothing of it is seen."""


class AllQuarantined(BadInput):
    code = "all-quarantined"
    title, title_zh = "No row of the file was accepted", "文件中没有一行通过校验"


class RunFailed(BadInput):
    """A run that a worker executed ended as failed; shows the failure that the worker met."""

    code = "run-failed"
    title, title_zh = "The run failed and nothing was written", "归集失败，没有写入数据"

    def __init__(self, run: RunView) -> None:
        self.problem = dict(run.failure or {})
        super().__init__(
            str(self.problem.get("hint", "")), hint_zh=str(self.problem.get("hint_zh", "")), run=run.number
        )

    def as_problem(self, language: str = "en") -> dict[str, Any]:
        return self.problem or super().as_problem(language)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage(Page[RunView]):
    """A page of runs; also simply a sequence of them."""

    def __iter__(self) -> Iterator[RunView]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)
