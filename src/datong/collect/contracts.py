"""What crosses the wall of collect: the failures of a file, the view of a run, a quarantined row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from datong.catalog.words import CollectMode as CollectMode  # noqa: PLC0414 - the word is the catalogue's
from datong.kernel.failures import BadInput, Conflict, NotFound, TooLarge
from datong.kernel.paging import Page


class RunState(StrEnum):
    """Where a run stands. BLOCKED: checked, nothing written; it waits for somebody to resume it or to give it up."""

    RECEIVED = "received"
    CHECKING = "checking"
    COMMITTING = "committing"
    BLOCKED = "blocked"
    DONE = "done"
    UNCHANGED = "unchanged"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        return self in (RunState.DONE, RunState.UNCHANGED, RunState.FAILED)

    @property
    def is_at_rest(self) -> bool:
        """Nothing is going on: ended, or waiting for somebody."""
        return self.is_final or self is RunState.BLOCKED


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a run's bytes came from. `cursor` is how far the source was read; whoever fetched stores it at the end."""

    kind: str = "upload"
    source_id: str = ""
    cursor: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """The sender's account 对账单 of what was sent; what it leaves out is not compared.

    `rows` are the file's data rows. `sums` maps a numeric column to the sum over all of them, `distinct` a column to
    its number of different values, both under the contract's or the file's column name.
    """

    rows: int | None = None
    bytes: int | None = None
    sha256: str = ""
    sums: Mapping[str, Decimal] = field(default_factory=dict)
    distinct: Mapping[str, int] = field(default_factory=dict)
    batch: str = ""
    """The sender's own number of the delivery."""

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it: exact numbers are text."""
        return asdict(self) | {"sums": {name: str(value) for name, value in self.sums.items()}}


@dataclass(frozen=True, slots=True, kw_only=True)
class BillDifference:
    """One point in which bill and delivery disagree. `what` is rows | bytes | sha256 | sum | distinct."""

    what: str
    column: str
    billed: str
    found: str


class BlockKind(StrEnum):
    """Why a run waits: the sender's bill, a rule that blocks the version, too many rows gone."""

    BILL = "bill"
    RULE = "rule"
    DELETES = "deletes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One reason for which a run waits, in both languages, with its figures."""

    kind: BlockKind
    reason_zh: str
    reason_en: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNote:
    """Something of the file worth telling: what the reader skipped, which columns drifted. `code` says which."""

    code: str
    zh: str
    en: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepChanges:
    """What one cleaning step did to one column: how many cells were changed."""

    column: str
    step: str
    changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CellChange:
    """One cell that cleaning changed. `line` is where its row starts in the file as received."""

    line: int
    column: str
    before: str | None
    after: str | None


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
    origin: Origin = Origin()
    bill: Bill | None = None
    bill_differences: tuple[BillDifference, ...] = ()
    blocks: tuple[Block, ...] = ()
    accepted: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[RunNote, ...] = ()
    changes: tuple[StepChanges, ...] = ()
    written: Mapping[str, int] = field(default_factory=dict)
    """What the version changed in the table: inserted, updated, deleted, unchanged, late; keys as they apply."""
    landed_gone_at: str | None = None
    """When retention removed the file; None while it is kept."""

    @property
    def is_final(self) -> bool:
        return self.state.is_final

    @property
    def is_at_rest(self) -> bool:
        return self.state.is_at_rest


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


class BillUnreadable(BadInput):
    code = "bill-unreadable"
    title, title_zh = "The bill cannot be read", "对账单无法读取"


class BillMissing(BadInput):
    code = "bill-missing"
    title, title_zh = "The contract demands a bill with every file", "契约要求每个文件附对账单"


class CleaningUnsupported(BadInput):
    code = "cleaning-unsupported"
    title, title_zh = "A cleaning step of the contract cannot be done", "契约中的清洗步骤无法执行"


class ModeUnsupported(BadInput):
    code = "mode-unsupported"
    title, title_zh = "The contract does not allow this way of collecting", "契约不支持这种归集方式"


class RunSuperseded(Conflict):
    code = "run-superseded"
    title, title_zh = "A later file has been collected since", "此后已归集更新的文件"


class RunGivenUp(Conflict):
    code = "run-given-up"
    title, title_zh = "The run was given up", "已放弃这次归集"


class RunBlocked(Conflict):
    """A run that waits: shown where a finished one was expected."""

    code = "run-blocked"
    title, title_zh = "The run waits for a decision; nothing was written", "归集等待处理，尚未写入数据"


class RunNotBlocked(Conflict):
    code = "run-not-blocked"
    title, title_zh = "This run does not wait for anybody", "这次归集不在等待处理"


class LandedGone(NotFound):
    code = "landed-gone"
    title, title_zh = "The file is no longer kept; its digest is", "原文件已按期清除，仅保留指纹"


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
