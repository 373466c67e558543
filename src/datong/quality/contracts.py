"""The values of quality: a check, a plan of checks, and the score of a run in the six dimensions of GB/T 36344-2018.

A check is of one of three kinds. A *row check* looks at one row, a *unique check* at all rows of one key; both run in
collection's scan. A *set check* needs other rows or other tables and runs after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from hashlib import sha256
from typing import Any, Protocol

from datong.kernel.contracts import Actor
from datong.kernel.failures import BadInput, Conflict, NotAllowed, NotFound
from datong.kernel.plugs import Slot


class Dimension(StrEnum):
    """The six quality dimensions of GB/T 36344-2018, clause 5. Uniqueness belongs to accuracy there."""

    CONFORMITY = "conformity"
    COMPLETENESS = "completeness"
    ACCURACY = "accuracy"
    CONSISTENCY = "consistency"
    TIMELINESS = "timeliness"
    ACCESSIBILITY = "accessibility"


DIMENSION_TITLES: Mapping[Dimension, tuple[str, str]] = {
    Dimension.CONFORMITY: ("规范性", "Conformity"),
    Dimension.COMPLETENESS: ("完整性", "Completeness"),
    Dimension.ACCURACY: ("准确性", "Accuracy"),
    Dimension.CONSISTENCY: ("一致性", "Consistency"),
    Dimension.TIMELINESS: ("时效性", "Timeliness"),
    Dimension.ACCESSIBILITY: ("可访问性", "Accessibility"),
}

DIMENSION_WEIGHTS: Mapping[Dimension, float] = dict.fromkeys(Dimension, 1.0)
"""Equal weights unless a deployment says otherwise; a dimension without a scored rule counts for nothing."""


class CheckKind(StrEnum):
    """The closed list of what can be checked."""

    TYPE = "type"
    REQUIRED = "required"
    LENGTH = "length"
    PATTERN = "pattern"
    RANGE = "range"
    CODE_LIST = "code-list"
    USCC = "uscc"
    RESIDENT_ID = "resident-id"
    ORG_CODE = "org-code"
    DIVISION = "division"
    COMPARE = "compare"
    FRESH = "fresh"
    UNIQUE = "unique"
    MISSING = "missing"
    EXPRESSION = "expression"
    FOREIGN_KEY = "foreign-key"
    CROSS_TABLE = "cross-table"
    DUPLICATE = "duplicate"
    ROW_COUNT = "row-count"
    ROW_CHANGE = "row-change"
    DRIFT = "drift"
    TABLE_FRESH = "table-fresh"
    SQL = "sql"


SET_KINDS = frozenset(
    {
        CheckKind.FOREIGN_KEY,
        CheckKind.CROSS_TABLE,
        CheckKind.DUPLICATE,
        CheckKind.ROW_COUNT,
        CheckKind.ROW_CHANGE,
        CheckKind.DRIFT,
        CheckKind.TABLE_FRESH,
        CheckKind.SQL,
    }
)
TABLE_LEVEL_KINDS = frozenset(
    {CheckKind.ROW_COUNT, CheckKind.ROW_CHANGE, CheckKind.DRIFT, CheckKind.TABLE_FRESH, CheckKind.SQL}
)
"""Kinds that judge the table as a whole: a measured value, no rows."""


class Operator(StrEnum):
    """How a measured value is held against a bound: ODCS 3.1, Data Quality, operators of library metrics."""

    MUST_BE = "mustBe"
    MUST_NOT_BE = "mustNotBe"
    GREATER = "mustBeGreaterThan"
    GREATER_OR_EQUAL = "mustBeGreaterOrEqualTo"
    LESS = "mustBeLessThan"
    LESS_OR_EQUAL = "mustBeLessOrEqualTo"
    BETWEEN = "mustBeBetween"
    NOT_BETWEEN = "mustNotBeBetween"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a measured value must be. `unit` is rows or percent (of the rows read); `high` only for the two betweens."""

    operator: Operator
    low: float
    high: float | None = None
    unit: str = "rows"

    def is_met(self, measured: float) -> bool:
        """Both ends of a between belong to it."""
        high = self.low if self.high is None else self.high
        return {
            Operator.MUST_BE: measured == self.low,
            Operator.MUST_NOT_BE: measured != self.low,
            Operator.GREATER: measured > self.low,
            Operator.GREATER_OR_EQUAL: measured >= self.low,
            Operator.LESS: measured < self.low,
            Operator.LESS_OR_EQUAL: measured <= self.low,
            Operator.BETWEEN: self.low <= measured <= high,
            Operator.NOT_BETWEEN: not self.low <= measured <= high,
        }[self.operator]


class Severity(StrEnum):
    """REJECT sends the row to quarantine; WARN counts against the score and lets the row in."""

    REJECT = "reject"
    WARN = "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One rule over one column, or several for `unique` and `compare`.

    `params` by kind: length {min,max} · pattern {pattern} · range {min,max} as text · code-list {values} ·
    division {codes: [[code, from, to)…], as_of_column} · compare {operator, right, right_is} · fresh {not_before} ·
    missing {tokens} · expression {text}. `when` and `exception` are conditions on the row in the language of
    `quality.expressions`: the check holds only where `when` is true, and a row where `exception` is true costs nothing.
    `bound` is the tolerance of the whole table; None means that no row may break the check. `blocks` stops the version
    while the check is broken. `weight` counts in its dimension's mean.
    """

    id: str
    kind: CheckKind
    column: str
    columns: tuple[str, ...] = ()
    dimension: Dimension
    severity: Severity = Severity.REJECT
    reason_zh: str
    reason_en: str
    params: Mapping[str, Any] = field(default_factory=dict)
    when: str = ""
    exception: str = ""
    bound: Bound | None = None
    blocks: bool = False
    weight: float = 1.0

    @property
    def is_table_level(self) -> bool:
        return self.kind in TABLE_LEVEL_KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Another table that a set check reads. The caller registers it under `relation`, with `columns` in lake types.

    `resource_id` is the resource whose present version it is; the plan's own id means the version before this run.
    """

    resource_id: str
    columns: tuple[str, ...]

    @property
    def relation(self) -> str:
        """The view's name; plain letters, so that it needs no quotes."""
        return "reference_" + sha256(self.resource_id.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCheck(Check):
    """A check that needs other rows or other tables.

    `plans` are the columns that it reads of the rows under check. `sql(rows)` is one select over the relation `rows`,
    which has `ordinal` (bigint) and these columns: as the file's texts, or typed as in the lake with `is_typed`. It
    gives `ordinal` of every failing row or, for a table-level check, one row (`measured` double, `is_broken` boolean).
    """

    plans: tuple[ColumnPlan, ...] = ()
    references: tuple[Reference, ...] = ()

    def sql(self, rows: str, *, is_typed: bool = False) -> str:
        from datong.quality.sets import set_check_sql

        return set_check_sql(self, rows, is_typed=is_typed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPlan:
    """How one column is read: logical type, the texts that mean "no value", the date formats that it may come in."""

    name: str
    title: str
    logical_type: str
    null_tokens: tuple[str, ...] = ()
    date_formats: tuple[str, ...] = ()
    """strptime formats; empty: the forms of `quality.sql.DATE_FORMS`."""
    is_typed: bool = False
    """The rows hold it in its logical type, as the lake does, and no longer as a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPlan:
    """All checks of one contract as of one day, each in its group.

    `checks` are those of the scan, whose order gives each its bit; `set_checks` run after it. A set check whose
    reference the caller does not have (no version yet) is left out of `bad_by_check` and reported as not evaluated.
    `waived` are the ids of rules under a waiver on that day.
    """

    resource_id: str
    contract_version: str
    as_of: date
    columns: tuple[ColumnPlan, ...]
    row_checks: tuple[Check, ...]
    unique_checks: tuple[Check, ...]
    set_checks: tuple[SetCheck, ...] = ()
    waived: frozenset[str] = frozenset()

    @property
    def checks(self) -> tuple[Check, ...]:
        return self.row_checks + self.unique_checks

    @property
    def all_checks(self) -> tuple[Check, ...]:
        return self.row_checks + self.unique_checks + self.set_checks

    @property
    def over_typed(self) -> CheckPlan:
        """The same checks over rows that are typed already: those of a version."""
        return replace(self, columns=tuple(replace(column, is_typed=True) for column in self.columns))

    @property
    def references(self) -> tuple[Reference, ...]:
        """Every other table that the set checks read, once, with all columns that any of them needs."""
        columns: dict[str, dict[str, None]] = {}
        for check in self.set_checks:
            for reference in check.references:
                columns.setdefault(reference.resource_id, {}).update(dict.fromkeys(reference.columns))
        return tuple(Reference(resource_id=key, columns=tuple(names)) for key, names in columns.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleScore:
    """What one rule found. `score` is 100 × (rows − bad) / rows, and 0 for an empty table.

    `is_broken` says that the rule does not hold for the table: a row breaks it, or its bound is not met. `measured` is
    what the bound was held against. A waived rule and one that could not be evaluated have no part in the score.
    """

    check_id: str
    kind: str
    column: str
    dimension: str
    severity: str
    reason_zh: str
    reason_en: str
    rows_bad: int
    score: float
    is_broken: bool = False
    blocks: bool = False
    is_waived: bool = False
    is_evaluated: bool = True
    measured: float | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunScore:
    """The score of a run: per rule, per dimension (only those with a rule), in total; 0 to 100, two decimals."""

    total: float
    dimensions: Mapping[str, float]
    rules: tuple[RuleScore, ...]
    columns: Mapping[str, float] = field(default_factory=dict)
    """Mean score of each column's rules."""


class Grade(StrEnum):
    """Five grades of a score. The cuts are ours; GB/T 36344 leaves them to the user."""

    EXCELLENT = "excellent"
    GOOD = "good"
    MEDIUM = "medium"
    FAIR = "fair"
    POOR = "poor"


GRADES: tuple[tuple[float, Grade, str, str], ...] = (
    (95.0, Grade.EXCELLENT, "优", "Excellent"),
    (85.0, Grade.GOOD, "良", "Good"),
    (75.0, Grade.MEDIUM, "中", "Medium"),
    (60.0, Grade.FAIR, "合格", "Fair"),
    (0.0, Grade.POOR, "差", "Poor"),
)
"""(lowest score, grade, title_zh, title_en), best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What earlier versions of the resource held: row counts, newest first. Empty before the first version."""

    row_counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverView:
    """Somebody's word that a rule of a resource need not hold until a day, included."""

    id: str
    resource_id: str
    rule_id: str
    until: date
    reason: str
    granted_by: str
    granted_at: str
    ended_at: str | None = None
    resource_title: str = ""
    resource_title_en: str = ""
    agency_name: str = ""
    agency_name_en: str = ""
    granted_by_en: str = ""

    def holds_on(self, day: date) -> bool:
        return self.ended_at is None and day <= self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockingFinding:
    """A broken rule that keeps a version from being made."""

    check_id: str
    column: str
    reason_zh: str
    reason_en: str
    rows_bad: int
    measured: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedRun:
    """A run of collection as quality sees it: what was judged, of which version. `version_id` None: none was made."""

    run_id: str
    run_number: str
    resource_id: str
    version_id: str | None
    version_label: str
    contract_version: str
    filename: str
    digest: str
    rows_read: int
    rows_accepted: int
    rows_quarantined: int
    rules: tuple[RuleScore, ...]
    is_repeated: bool = False
    """The same bytes were judged before: nothing new is known."""


class RunReader(Protocol):
    """Reads a run of collection: what the events `run.finished` and `run.blocked` name. None: it was never judged."""

    def __call__(self, run_id: str, /) -> EvaluatedRun | None: ...


RUN_READERS: Slot[RunReader] = Slot("quality.run-readers")
RUN_PAGES: Slot[str] = Slot("quality.run-pages")
"""The URL name of the page that shows a run with its refused rows."""


class LineReader(Protocol):
    """Where rows of the present version that break a rule stand in the file that brought them.

    `keys` are their keys as texts; the answer has line and number of the run for those that collection kept.
    """

    def __call__(
        self, resource_id: str, rule_id: str, keys: Sequence[tuple[str | None, ...]], /
    ) -> Mapping[tuple[str | None, ...], tuple[int, str]]: ...


LINE_READERS: Slot[LineReader] = Slot("quality.line-readers")


class ReportReader(Protocol):
    """Whether a member of another agency may read a resource's reports: the holders of grants."""

    def __call__(self, actor: Actor, resource_id: str, /) -> bool: ...


REPORT_READERS: Slot[ReportReader] = Slot("quality.report-readers")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """A signed report of one version. `content` is the signed JSON, read; `body` the same to the byte."""

    id: str
    number: str
    resource_id: str
    resource_title: str
    resource_title_en: str
    agency_id: str
    agency_name: str
    agency_name_en: str
    run_id: str
    run_number: str
    version_id: str | None
    version_label: str
    rows_read: int
    rows_accepted: int
    rows_quarantined: int
    score: float
    dimensions: Mapping[str, float]
    content: Mapping[str, Any]
    body: str
    digest: str
    jws: str
    recorded_at: str


class OrderState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """A broken rule of a resource as its provider's task. `left_days` are working days, negative once it is late."""

    id: str
    case_id: str
    number: str
    resource_id: str
    resource_title: str
    resource_title_en: str
    agency_id: str
    agency_name: str
    agency_name_en: str
    rule_id: str
    column: str
    reason_zh: str
    reason_en: str
    severity: str
    state: OrderState
    rows_bad: int
    opened_run: str
    last_run: str
    closed_run: str
    opened_at: str
    closed_at: str | None
    due_on: date
    left_days: int
    is_late: bool
    waived_until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeagueLine:
    """One agency in the league: the mean of its resources' latest scores, and of those thirty days before."""

    agency_id: str
    agency_name: str
    agency_name_en: str
    resources: int
    rows: int
    score: float
    score_before: float | None
    dimensions: Mapping[str, float]
    orders_open: int
    orders_late: int
    orders_closed: int
    trend: tuple[tuple[str, float], ...] = ()
    """(month, mean score), oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingRow:
    """A row of a version that breaks a rule: its number in the version, its key, the value, masked where it must be.

    `line` is where it stands in the file that run `run_number` brought; None where collection did not keep it.
    """

    row: int
    key: Mapping[str, str | None]
    value: str | None
    line: int | None = None
    run_number: str = ""


ORDINAL = "datong_row"
"""The row's number in a version exported for another engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFinding:
    """What one rule came to on an engine. `keys` are of failing rows, at most QUALITY_KEYS_FETCHED_MAX."""

    check_id: str
    rows_bad: int
    keys: tuple[tuple[Any, ...], ...] = ()
    skipped_zh: str = ""
    skipped_en: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRun:
    engine: str
    rows: int
    findings: tuple[EngineFinding, ...]
    seconds: float


class ReportNotFound(NotFound):
    code = "quality-report-not-found"
    title, title_zh = "There is no such quality report, or you may not see it", "没有这份质量报告，或者你无权查看"


class OrderNotFound(NotFound):
    code = "quality-order-not-found"
    title, title_zh = "There is no such work order, or you may not see it", "没有这份质量工单，或者你无权查看"


class RowsDiffer(Conflict):
    code = "engine-rows-differ"
    title, title_zh = "The engine does not see the rows that were handed to it", "计算引擎读到的行数与导出行数不符"


class PlainExportRefused(NotAllowed):
    """Another engine reads a version as plain Parquet; that plaintext may lie on a disk is somebody's decision."""

    code = "plain-export-refused"
    title, title_zh = "The version would leave the lake unencrypted", "数据将以明文离开数据湖"


class WaiverInvalid(BadInput):
    code = "waiver-invalid"
    title, title_zh = "The waiver cannot be granted", "无法豁免该规则"


class WaiverNotFound(NotFound):
    code = "waiver-not-found"
    title, title_zh = "There is no such waiver, or you may not see it", "没有这条豁免，或者你无权查看"


class RuleUnsupported(BadInput):
    code = "rule-unsupported"
    title, title_zh = "A quality rule of the contract cannot be checked", "契约中的质量规则无法执行"
