"""The values of quality: a check, a plan of checks, and the score of a run in the six dimensions of GB/T 36344-2018."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from datong.kernel.failures import BadInput


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


class Severity(StrEnum):
    """REJECT sends the row to quarantine; WARN counts against the score and lets the row in."""

    REJECT = "reject"
    WARN = "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One rule over one column, or several for `unique` and `compare`.

    `params` by kind: length {min,max} · pattern {pattern} · range {min,max} as text · code-list {values} ·
    division {codes: [[code, from, to)…], as_of_column} · compare {operator, right, right_is} · fresh {not_before}.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPlan:
    """How one column is read: logical type, the texts that mean "no value", the date formats that it may come in."""

    name: str
    title: str
    logical_type: str
    null_tokens: tuple[str, ...] = ()
    date_formats: tuple[str, ...] = ()
    """strptime formats; empty: the forms of `quality.sql.DATE_FORMS`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPlan:
    """All checks of one contract as of one day. `row_checks` look at one row; `unique_checks` look at all."""

    resource_id: str
    contract_version: str
    as_of: date
    columns: tuple[ColumnPlan, ...]
    row_checks: tuple[Check, ...]
    unique_checks: tuple[Check, ...]

    @property
    def checks(self) -> tuple[Check, ...]:
        return self.row_checks + self.unique_checks


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleScore:
    """What one rule found. `score` is 100 × (rows − bad) / rows, and 0 for an empty table."""

    check_id: str
    kind: str
    column: str
    dimension: str
    severity: str
    reason_zh: str
    reason_en: str
    rows_bad: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunScore:
    """The score of a run: per rule, per dimension (only those with a rule), in total; 0 to 100, two decimals."""

    total: float
    dimensions: Mapping[str, float]
    rules: tuple[RuleScore, ...]


class RuleUnsupported(BadInput):
    code = "rule-unsupported"
    title, title_zh = "A quality rule of the contract cannot be checked", "契约中的质量规则无法执行"
